//! `standin vendors`: what can be sent, by which vendor, and how it is known.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use clap::Args;
use serde_json::Value as Json;

use super::setup::{Setup, instant};
use super::{CommandError, ExitStatus, Global, print};
use crate::base::fake::{FAKES, LOCALES, fake};
use crate::base::file_store::FILES;
use crate::base::seed::SeedScope;
use crate::base::text::count;
use crate::diag::{Problem, Problems, code};
use crate::fidelity::capability::{CapabilityRow, entities, events, kinds};
use crate::fidelity::{samples, sent};
use crate::platform::{EventQuery, EventRule, FieldDefaults, Platform};
use crate::scenario::Script;

/// Shows what can be sent: by all vendors, by one, or of one type
#[derive(Debug, Args)]
pub(super) struct VendorsArgs {
    /// The vendor, perhaps with a revision; all of them without it
    vendor: Option<String>,
    /// One of its event types: a webhook of it is shown
    event_type: Option<String>,
    /// The kind of message or entity that is shown
    #[arg(long, requires = "event_type")]
    kind: Option<String>,
    /// What is documented, what of it is covered, and where the facts come from
    #[arg(long, conflicts_with = "event_type")]
    fidelity: bool,
    /// The invented values that scenarios can name
    #[arg(long, conflicts_with_all = ["vendor", "fidelity"])]
    fake: bool,
}

pub(super) fn vendors(args: &VendorsArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    if args.fake {
        print(fakes())?;
        return Ok(ExitStatus::Passed);
    }
    let vendors = match &args.vendor {
        Some(id) => vec![setup.vendor(id)?],
        None => setup.all_vendors()?,
    };
    let told = match (&args.vendor, &args.event_type) {
        _ if args.fidelity => fidelity(&vendors, &setup)?,
        (Some(_), Some(event_type)) => {
            webhook(&vendors[0], event_type, args.kind.as_ref(), &setup)?
        }
        (Some(_), None) => one(&vendors[0], &setup)?,
        (None, _) => overview(&vendors, &setup)?,
    };
    print(told)?;
    Ok(ExitStatus::Passed)
}

/// Every vendor in a line, and what each of them can.
fn overview(vendors: &[Arc<Platform>], setup: &Setup) -> Result<String, Problems> {
    let head = ["VENDOR", "NAME", "SENDS", "VERIFIED BY", "HANDSHAKE", "REVISIONS"];
    let mut lines = vec![head.map(String::from).to_vec()];
    for vendor in vendors {
        let account = setup.account(vendor)?;
        let types = count(vendor.event_types().len(), "event type", "event types");
        let handshake = if vendor.handshake.proof.is_some() { "yes" } else { "no" };
        lines.push(vec![
            vendor.full_id(),
            vendor.name.clone(),
            types,
            account.verified_by(),
            handshake.into(),
            setup.catalog.revisions(&vendor.id).join(", "),
        ]);
    }
    let mut out = columns(&lines);
    for (head, rows) in [
        ("WHAT HAPPENS", events(vendors)),
        ("MESSAGE KIND", kinds(vendors)),
        ("ENTITY KIND", entities(vendors)),
    ] {
        out.push('\n');
        out.push_str(&abilities(head, vendors, &rows));
    }
    out.push_str(
        "\nyes: it is sent · silent: it happens, and nothing is sent · no: it cannot happen\n",
    );
    out.push_str("Next: standin vendors VENDOR\n");
    Ok(out)
}

fn abilities(head: &str, vendors: &[Arc<Platform>], rows: &[CapabilityRow]) -> String {
    let ids = vendors.iter().map(|vendor| vendor.id.clone());
    let mut lines = vec![[head.to_owned()].into_iter().chain(ids).collect()];
    for row in rows {
        let cells = row.abilities.iter().map(ToString::to_string);
        lines.push([row.name.clone()].into_iter().chain(cells).collect());
    }
    columns(&lines)
}

/// One vendor: its event types, its kinds with what a step may give, its entities.
fn one(vendor: &Arc<Platform>, setup: &Setup) -> Result<String, Problems> {
    let account = setup.account(vendor)?;
    let mut out = format!("{} ({})\n", vendor.name, vendor.full_id());
    if let Some(docs) = &vendor.docs {
        let _ = writeln!(out, "{docs}");
    }
    let revisions = setup.catalog.revisions(&vendor.id);
    let _ = writeln!(out, "revisions: {}", revisions.join(", "));
    if let Some(differs) = &vendor.differs {
        let _ = writeln!(out, "note: {differs}");
    }
    out.push('\n');
    let mut lines =
        vec![["EVENT TYPE", "WHEN", "BY DEFAULT", "SHAPE IS"].map(String::from).to_vec()];
    for event_type in vendor.event_types() {
        let rules = || vendor.events.iter().filter(|rule| rule.event_type == event_type);
        let when: BTreeSet<&str> = rules().map(|rule| rule.on.word()).collect();
        let certainty: BTreeSet<&str> = rules().map(|rule| rule.certainty.word()).collect();
        let by_default = vendor.covers(&vendor.default_subscription, event_type);
        lines.push(vec![
            event_type.to_owned(),
            joined(when),
            if by_default { "sent" } else { "not sent" }.into(),
            joined(certainty),
        ]);
    }
    out.push_str(&columns(&lines));
    out.push_str(&data("MESSAGE KIND", vendor.kinds.iter().map(|(name, kind)| (name, &kind.data))));
    out.push_str(&data("ENTITY KIND", vendor.entities.iter()));
    for choice in account.choices() {
        let _ = write!(out, "\noption {}: {}, or ", choice.name, choice.chosen);
        let _ = writeln!(out, "{}; {}", choice.others.join(", "), choice.about);
    }
    let _ = writeln!(out, "\nNext: standin vendors {} EVENT_TYPE", vendor.full_id());
    Ok(out)
}

fn joined(words: BTreeSet<&str>) -> String {
    words.into_iter().collect::<Vec<_>>().join(", ")
}

/// Kinds with the data that a step may give.
fn data<'a>(head: &str, kinds: impl Iterator<Item = (&'a String, &'a FieldDefaults)>) -> String {
    let keys = |data: &FieldDefaults| data.keys().collect::<Vec<_>>().join(", ");
    let lines = kinds.map(|(name, data)| vec![name.clone(), keys(data)]);
    let head = vec![head.to_owned(), "DATA".to_owned()];
    let lines: Vec<_> = [head].into_iter().chain(lines).collect();
    if lines.len() == 1 { String::new() } else { format!("\n{}", columns(&lines)) }
}

/// A webhook of one type, and what of it a step or `send` may give.
fn webhook(
    vendor: &Arc<Platform>,
    event_type: &str,
    kind: Option<&String>,
    setup: &Setup,
) -> Result<String, Problems> {
    let wanted = EventQuery { kind: kind.cloned(), ..EventQuery::default() };
    let rule = rule(vendor, event_type, &wanted)?;
    let account = setup.account(vendor)?;
    let script = Script::sending(vendor, rule, &wanted);
    let start = instant(setup.config.start);
    let body = sent(&script, &account, event_type, setup.config.seed, start).unwrap_or_default();
    let body: Json = serde_json::from_str(&body).unwrap_or_default();
    let mut out = format!("{body:#}\n\nThe shape is {}.", rule.certainty);
    let data = vendor.data_of(rule, &wanted).filter(|data| data.keys().next().is_some());
    if let Some(data) = data {
        let keys: Vec<&str> = data.keys().collect();
        let _ = write!(out, "\nIts data: {}", keys.join(", "));
    }
    let _ = writeln!(out, "\nNext: standin send {} {event_type} --to URL", vendor.full_id());
    Ok(out)
}

/// The rule that sends an event as it is wanted.
pub(super) fn rule<'a>(
    vendor: &'a Platform,
    event_type: &str,
    wanted: &EventQuery,
) -> Result<&'a EventRule, Problem> {
    if !vendor.type_names().contains(&event_type) {
        let message = format!("{} sends no `{event_type}`", vendor.name);
        let problem = Problem::anywhere(code::UNKNOWN_EVENT, message);
        return Err(problem.known(event_type, vendor.event_types()));
    }
    let known = || vendor.kinds.keys().chain(vendor.entities.keys()).map(String::as_str);
    if let Some(kind) = wanted.kind.as_deref().filter(|kind| !known().any(|known| known == *kind)) {
        let message = format!("{} has nothing of the kind `{kind}`", vendor.name);
        return Err(Problem::anywhere(code::UNKNOWN_KIND, message).known(kind, known()));
    }
    vendor.rule(event_type, wanted).ok_or_else(|| {
        let message =
            format!("{} sends no `{event_type}` of this kind or by this role", vendor.name);
        Problem::anywhere(code::UNKNOWN_EVENT, message)
            .help(format!("`standin vendors {}` shows what there is", vendor.id))
    })
}

/// What is documented and covered, and where the facts of each section come from.
fn fidelity(vendors: &[Arc<Platform>], setup: &Setup) -> Result<String, Problems> {
    let mut out = String::new();
    for vendor in vendors {
        let _ = writeln!(out, "{} ({})", vendor.name, vendor.full_id());
        out.push_str(&covered(vendor, setup)?);
        if let Some(differs) = &vendor.differs {
            let _ = writeln!(out, "  note: {differs}");
        }
        let _ = writeln!(out, "\n{}", facts(vendor));
    }
    Ok(out)
}

/// How what is sent differs from the documented samples, and how much of them it covers.
fn covered(vendor: &Arc<Platform>, setup: &Setup) -> Result<String, Problems> {
    let account = setup.account(vendor)?;
    let start = instant(setup.config.start);
    let samples = samples(vendor)?;
    if samples.is_empty() {
        return Ok("  no documented samples of its own\n".into());
    }
    let (mut out, mut covered) = (String::new(), 0);
    for sample in &samples {
        let differences = sample.differences(&account, setup.config.seed, start);
        covered += usize::from(differences.as_ref().is_some_and(Vec::is_empty));
        for difference in differences.into_iter().flatten() {
            let _ = writeln!(out, "  {} {difference}", sample.documented.name);
        }
    }
    let all = count(samples.len(), "documented sample", "documented samples");
    let _ = writeln!(out, "  {all}, {covered} with the same shape");
    Ok(out)
}

/// Where the facts of each section come from.
fn facts(vendor: &Platform) -> String {
    let mut lines = Vec::new();
    for (section, source) in &vendor.sources {
        let seen = source.seen.as_ref().map_or("", |seen| seen.as_str());
        let from = [&source.note, &source.url].into_iter().flatten().map(|text| text.as_str());
        lines.push(vec![
            format!("  {section}"),
            source.status.to_string(),
            seen.to_owned(),
            from.collect::<Vec<_>>().join(" · "),
        ]);
    }
    columns(&lines)
}

/// Every `${fake.…}` and `${file.…}`, with what it gives.
fn fakes() -> String {
    let mut lines = vec![["NAME", "WHAT IT GIVES", "SUCH AS"].map(String::from).to_vec()];
    let seeds = SeedScope::of_run(1);
    for known in FAKES {
        lines.push(vec![
            format!("${{fake.{}}}", known.name),
            known.about.to_owned(),
            fake(known.name, &LOCALES[0], &seeds).unwrap_or_default(),
        ]);
    }
    let mut out = columns(&lines);
    let tags: Vec<&str> = LOCALES.iter().map(|locale| locale.tag).collect();
    let files: Vec<String> =
        FILES.iter().map(|file| format!("${{file.{}}}", file.ending)).collect();
    let _ = writeln!(out, "\nlinks to built-in files: {}", files.join(" "));
    let _ = writeln!(out, "locales: {}", tags.join(" "));
    out
}

/// Lines in columns that are as wide as they must be.
fn columns(lines: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..lines.first().map_or(0, Vec::len)).map(width).collect();
    let mut out = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let _ = writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    out
}
