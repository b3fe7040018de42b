//! `standin vendors`: lists vendors, event types, sample webhooks and the sources of the facts.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use clap::Args;
use serde_json::Value as Json;

use super::api_operations::operations;
use super::exit::{CommandError, ExitStatus};
use super::global::Global;
use super::setup::{Setup, instant};
use super::terminal::print;
use crate::base::fake::{FAKES, LOCALES, fake};
use crate::base::file_store::FILES;
use crate::base::redact::Redactor;
use crate::base::seed::SeedScope;
use crate::base::text::{count, excerpt, one_of};
use crate::conversation::EventKind;
use crate::diag::{Problem, Problems, code};
use crate::fidelity::capability::{CapabilityRow, entities, events, kinds};
use crate::fidelity::{samples, sent};
use crate::platform::{
    EventQuery, EventRule, FieldDefaults, OptionChoice, Platform, ReceiverGuide,
};
use crate::scenario::Script;

/// List vendors, the event types of a vendor, or a sample webhook of one event type
#[derive(Debug, Args)]
pub(super) struct VendorsArgs {
    /// Vendor to describe: VENDOR or VENDOR@REVISION [default: a table of all vendors]
    vendor: Option<String>,
    /// Event type of the vendor; prints a sample webhook
    event_type: Option<String>,
    /// Neutral event that causes the sample webhook [default: the first that the vendor lists]
    #[arg(long, requires = "event_type", value_name = "EVENT", value_parser = event)]
    on: Option<EventKind>,
    /// Kind of message or entity in the sample webhook
    #[arg(long, requires = "event_type")]
    kind: Option<String>,
    /// Compare with the documented samples and list the sources of the facts
    #[arg(long, conflicts_with = "event_type")]
    fidelity: bool,
    /// List the operations of the vendor's API, with example calls
    #[arg(long, requires = "vendor", conflicts_with_all = ["event_type", "fidelity"])]
    api: bool,
    /// List the generated values that scenarios can use
    #[arg(long, conflicts_with_all = ["vendor", "fidelity"])]
    fake: bool,
}

/// Parses the name of a neutral event. clap prints the error.
pub(super) fn event(word: &str) -> Result<EventKind, String> {
    let names = || EventKind::NAMES.iter().copied();
    EventKind::from_name(word).ok_or_else(|| format!("expected {}", one_of(names())))
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
    let text = match (&args.vendor, &args.event_type) {
        _ if args.fidelity => fidelity(&vendors, &setup)?,
        (Some(_), _) if args.api => api(&vendors[0], &setup)?,
        (Some(_), Some(event_type)) => {
            let query =
                EventQuery { on: args.on, kind: args.kind.clone(), ..EventQuery::default() };
            webhook(&vendors[0], event_type, &query, &setup)?
        }
        (Some(_), None) => one(&vendors[0], &setup)?,
        (None, _) => overview(&vendors, &setup)?,
    };
    print(text)?;
    Ok(ExitStatus::Passed)
}

/// Lists the vendors, and what each of them supports.
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
            ReceiverGuide::of(&account).verified_by(),
            handshake.into(),
            setup.catalog.revisions(&vendor.id).join(", "),
        ]);
    }
    let mut out = columns(&lines);
    for (head, rows) in [
        ("EVENT", events(vendors)),
        ("MESSAGE KIND", kinds(vendors)),
        ("ENTITY KIND", entities(vendors)),
    ] {
        out.push('\n');
        out.push_str(&capabilities(head, vendors, &rows));
    }
    out.push_str(
        "\nyes: sends a webhook · silent: supported, but no webhook · no: not supported\n",
    );
    out.push_str("Next: standin vendors VENDOR\n");
    Ok(out)
}

fn capabilities(head: &str, vendors: &[Arc<Platform>], rows: &[CapabilityRow]) -> String {
    let ids = vendors.iter().map(|vendor| vendor.id.clone());
    let mut lines = vec![[head.to_owned()].into_iter().chain(ids).collect()];
    for row in rows {
        let cells = row.capabilities.iter().map(ToString::to_string);
        lines.push([row.name.clone()].into_iter().chain(cells).collect());
    }
    columns(&lines)
}

/// Describes one vendor: event types, message kinds and entity kinds with their fields, options.
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
        vec![["EVENT TYPE", "SENT FOR", "BY DEFAULT", "FORMAT"].map(String::from).to_vec()];
    for event_type in vendor.event_types() {
        let rules = || vendor.events.iter().filter(|rule| rule.event_type == event_type);
        // An event type can have several rules; a set lists each trigger once, in a stable order.
        let when: BTreeSet<&str> = rules().map(|rule| rule.on.as_str()).collect();
        let certainty: BTreeSet<&str> = rules().map(|rule| rule.certainty.as_str()).collect();
        let by_default = vendor.covers(&vendor.default_subscription, event_type);
        lines.push(vec![
            event_type.to_owned(),
            joined(when),
            if by_default { "sent" } else { "not sent" }.into(),
            joined(certainty),
        ]);
    }
    out.push_str(&columns(&lines));
    let kinds = vendor.kinds.iter().map(|(name, kind)| (name, &kind.data));
    out.push_str(&data(vendor, "MESSAGE KIND", kinds));
    out.push_str(&data(vendor, "ENTITY KIND", vendor.entities.iter()));
    out.push_str(&data(vendor, "EMITTED EVENT", vendor.emitted_data()));
    for choice in ReceiverGuide::of(&account).options() {
        let OptionChoice { name, chosen, others, about } = choice;
        let _ = writeln!(out, "\noption {name}: {about}");
        let _ = writeln!(out, "  {chosen} (current), {}", others.join(", "));
    }
    let _ = writeln!(out, "\nNext: standin vendors {} EVENT_TYPE", vendor.full_id());
    if !vendor.api.is_empty() {
        let _ = writeln!(out, "      standin vendors {} --api", vendor.full_id());
    }
    Ok(out)
}

/// Describes the API of a vendor.
fn api(vendor: &Arc<Platform>, setup: &Setup) -> Result<String, Problems> {
    setup.check_api(vendor)?;
    let account = setup.account(vendor)?;
    let mut text = operations(&account, &setup.api_url(vendor));
    // The calls contain credentials, which may be configured ones.
    Redactor::new(account.secret_references()).redact(&mut text);
    Ok(text)
}

fn joined(words: BTreeSet<&str>) -> String {
    words.into_iter().collect::<Vec<_>>().join(", ")
}

/// Lists kinds with the fields that a step can set.
fn data<'a>(
    vendor: &Platform,
    head: &str,
    kinds: impl Iterator<Item = (&'a String, &'a FieldDefaults)>,
) -> String {
    let mut lines = vec![[head, "FIELD", "DEFAULT", "MEANING"].map(String::from).to_vec()];
    for (kind, data) in kinds {
        let keys: Vec<&str> = data.keys().collect();
        if keys.is_empty() {
            lines.push(vec![kind.clone()]);
        }
        for (index, key) in keys.into_iter().enumerate() {
            let name = if index == 0 { kind.clone() } else { String::new() };
            let default = data.defaults.get(key).map_or_else(String::new, default_value);
            lines.push(vec![name, key.to_owned(), default, vendor.field_about(kind, key, data)]);
        }
    }
    if lines.len() == 1 { String::new() } else { format!("\n{}", columns(&lines)) }
}

/// Formats the default of a field for a column.
fn default_value(value: &Json) -> String {
    // A URL with a placeholder fits. Lists and data URLs are longer; `init` and the schema have them.
    excerpt(value.as_str().unwrap_or(&value.to_string()), 30)
}

/// Prints a sample webhook, and the fields that a step or `send --set` can set.
fn webhook(
    vendor: &Arc<Platform>,
    event_type: &str,
    query: &EventQuery,
    setup: &Setup,
) -> Result<String, Problems> {
    let rule = rule(vendor, event_type, query)
        .map_err(|problem| setup.naming_revisions_of(problem, vendor, event_type))?;
    let account = setup.account(vendor)?;
    let script = Arc::new(Script::for_event(vendor, rule, query));
    let start = instant(setup.config.start);
    let body = sent(&script, &account, event_type, setup.config.seed, start).unwrap_or_default();
    let body: Json = serde_json::from_str(&body).unwrap_or_default();
    let mut out = format!("{body:#}\n\nThe format is {}.", rule.certainty);
    let causes: BTreeSet<&str> = vendor
        .events
        .iter()
        .filter(|rule| rule.has_name(event_type))
        .map(|rule| rule.on.as_str())
        .collect();
    if causes.len() > 1 {
        let causes: Vec<&str> = causes.into_iter().collect();
        let _ = write!(out, "\nCauses: {} (select one with `--on`)", causes.join(", "));
    }
    out.push('\n');
    out.push_str(&event_fields(vendor, rule, query));
    let _ = writeln!(out, "\nNext: standin send {} {event_type} --to URL", vendor.full_id());
    Ok(out)
}

/// Lists the fields of an event that `send --set` can set, and its kinds.
fn event_fields(vendor: &Platform, rule: &EventRule, query: &EventQuery) -> String {
    if rule.on == EventKind::VariablesSet {
        return "Fields: variables with any names\n".to_owned();
    }
    let data = vendor.data_of(rule, query);
    let owner = vendor.owner_of(rule, query);
    let mut lines = vec![["FIELD", "DEFAULT", "MEANING"].map(String::from).to_vec()];
    for (key, _) in rule.action_fields() {
        if !data.is_some_and(|data| data.has(key)) {
            let about = rule.action_field_about(key).to_owned();
            lines.push(vec![key.to_owned(), String::new(), about]);
        }
    }
    for (data, key) in data.iter().flat_map(|data| data.keys().map(move |key| (data, key))) {
        let default = data.defaults.get(key).map_or_else(String::new, default_value);
        lines.push(vec![key.to_owned(), default, vendor.field_about(&owner, key, data)]);
    }
    let mut out =
        if lines.len() > 1 { columns(&lines) } else { "No fields can be set.\n".to_owned() };
    let kinds = vendor.kinds_of(rule);
    if kinds.len() > 1 {
        let _ = writeln!(out, "Kinds: {} (select one with `--kind`)", kinds.join(", "));
    }
    out
}

/// Returns what the help of `standin send` adds for its vendor and event type: the fields of the event, or
/// the event types. `args` are the arguments of the process.
pub(super) fn help_of_event(args: &[String]) -> Option<String> {
    let is_help = |arg: &String| arg == "--help" || arg == "-h";
    let at = args.iter().position(|arg| arg == "send").filter(|_| args.iter().any(is_help))?;
    let mut names = args[at + 1..].iter().take_while(|arg| !arg.starts_with('-'));
    let value = |flag: &str| {
        let next = args.iter().position(|arg| arg == flag).and_then(|at| args.get(at + 1));
        let joined = args.iter().find_map(|arg| arg.strip_prefix(flag)?.strip_prefix('='));
        next.map(String::as_str).or(joined)
    };
    let global = Global::for_help(value("--config"), value("--templates"));
    let setup = Setup::read(&global).ok()?;
    let vendor = setup.vendor(names.next()?).ok()?;
    let query = EventQuery {
        on: value("--on").and_then(EventKind::from_name),
        kind: value("--kind").map(str::to_owned),
        ..EventQuery::default()
    };
    let Some(rule) = names.next().and_then(|name| vendor.rule(name, &query)) else {
        return Some(format!("Event types: {}\n", vendor.event_types().join(", ")));
    };
    let fields = event_fields(&vendor, rule, &query);
    Some(format!("Fields of {} for `--set`:\n\n{fields}", rule.event_type))
}

/// Returns the help for the neutral name of an event where a name of the vendor is expected.
pub(super) fn neutral_help(vendor: &Platform, name: &str) -> Option<String> {
    let neutral = EventKind::from_name(name)?;
    let rules = vendor.events.iter().filter(|rule| rule.on == neutral);
    let types: BTreeSet<&str> = rules.map(|rule| rule.event_type.as_str()).collect();
    let sent = || format!("{} sends {} for it", vendor.name, one_of(types.iter().copied()));
    let reason = if types.is_empty() { "no webhook is sent for it".to_owned() } else { sent() };
    Some(format!("`{name}` is the neutral name of an event: {reason}"))
}

/// Finds the rule that sends an event type for the requested kind and role.
pub(super) fn rule<'a>(
    vendor: &'a Platform,
    event_type: &str,
    query: &EventQuery,
) -> Result<&'a EventRule, Problem> {
    if !vendor.type_names().contains(&event_type) {
        let message = format!("{} sends no `{event_type}`", vendor.name);
        let problem = Problem::anywhere(code::UNKNOWN_EVENT, message);
        return Err(match neutral_help(vendor, event_type) {
            Some(help) => problem.help(help),
            None => problem.suggest_or_list(event_type, vendor.event_types()),
        });
    }
    let kinds = || vendor.kinds.keys().chain(vendor.entities.keys()).map(String::as_str);
    if let Some(kind) = query.kind.as_deref().filter(|kind| !kinds().any(|known| known == *kind)) {
        let message = format!("{} has no kind `{kind}` of messages or entities", vendor.name);
        return Err(Problem::anywhere(code::UNKNOWN_KIND, message).suggest_or_list(kind, kinds()));
    }
    vendor.rule(event_type, query).ok_or_else(|| {
        let message = format!("{} sends no `{event_type}` for this kind and role", vendor.name);
        let list = || format!("list event types and kinds with `standin vendors {}`", vendor.id);
        let sent_as = |kind: &String| {
            let sent_as = vendor.event_of_kind(kind).filter(|sent| *sent != event_type)?;
            Some(format!("the kind `{kind}` is sent as `{sent_as}`"))
        };
        let help = query.kind.as_ref().and_then(sent_as).unwrap_or_else(list);
        Problem::anywhere(code::UNKNOWN_EVENT, message).help(help)
    })
}

/// Reports how the webhooks compare with the documentation, and the sources of the facts.
fn fidelity(vendors: &[Arc<Platform>], setup: &Setup) -> Result<String, Problems> {
    let mut out = String::new();
    for vendor in vendors {
        let _ = writeln!(out, "{} ({})", vendor.name, vendor.full_id());
        out.push_str(&sample_coverage(vendor, setup)?);
        if let Some(differs) = &vendor.differs {
            let _ = writeln!(out, "  note: {differs}");
        }
        let _ = writeln!(out, "\n{}", facts(vendor));
    }
    Ok(out)
}

/// Compares webhooks with the documented samples: each difference, then the number that match.
fn sample_coverage(vendor: &Arc<Platform>, setup: &Setup) -> Result<String, Problems> {
    let account = setup.account(vendor)?;
    let start = instant(setup.config.start);
    let samples = samples(vendor)?;
    if samples.is_empty() {
        return Ok("  no documented samples\n".into());
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
    let _ = writeln!(out, "  {all}, {covered} with the same format");
    Ok(out)
}

/// Lists the sources of each section of `vendor.toml`.
fn facts(vendor: &Platform) -> String {
    let mut lines = Vec::new();
    for source in &vendor.sources {
        let seen = source.seen.as_deref().unwrap_or_default();
        let from = [&source.note, &source.url].into_iter().flatten().map(String::as_str);
        lines.push(vec![
            format!("  {}", source.section),
            source.status.to_string(),
            seen.to_owned(),
            from.collect::<Vec<_>>().join(" · "),
        ]);
    }
    columns(&lines)
}

/// Lists every `${fake.…}` and `${file.…}` with an example.
fn fakes() -> String {
    let mut lines = vec![["NAME", "VALUE", "EXAMPLE"].map(String::from).to_vec()];
    let seeds = SeedScope::of_run(1);
    for value in FAKES {
        lines.push(vec![
            format!("${{fake.{}}}", value.name),
            value.about.to_owned(),
            fake(value.name, &LOCALES[0], &seeds).unwrap_or_default(),
        ]);
    }
    let mut out = columns(&lines);
    let tags: Vec<&str> = LOCALES.iter().map(|locale| locale.tag).collect();
    let files: Vec<String> =
        FILES.iter().map(|file| format!("${{file.{}}}", file.extension)).collect();
    let _ = writeln!(out, "\nsample attachments: {}", files.join(" "));
    let _ = writeln!(out, "locales: {}", tags.join(" "));
    out
}

/// Aligns cells in columns, each as wide as its longest cell.
fn columns(lines: &[Vec<String>]) -> String {
    // In characters, since `{:width$}` counts characters and not bytes.
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
