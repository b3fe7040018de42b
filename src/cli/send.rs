//! `standin send`: one webhook, whatever must have happened before it.

use std::sync::Arc;

use clap::Args;
use serde_json::Value as Json;

use super::play::{BatchOptions, PlayArgs};
use super::setup::Setup;
use super::vendors::rule;
use super::{CommandError, ExitStatus, Global};
use crate::base::text::one_of;
use crate::conversation::{EventKind, Role};
use crate::diag::{Problem, Problems, Source, SyntaxNode, code, json, toml};
use crate::platform::{EventQuery, EventRule, FieldDefaults, Platform, Subscription, misfit};
use crate::report::RerunCommand;
use crate::scenario::Script;

/// Sends one webhook, as if all that leads to it had happened
#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// The vendor, perhaps with a revision: VENDOR@REV
    vendor: String,
    /// The vendor's name for the event
    event_type: String,
    /// The kind of message or entity
    #[arg(long)]
    kind: Option<String>,
    /// Who does it: visitor, bot, agent, manager or system
    #[arg(long, value_name = "ROLE", value_parser = role)]
    by: Option<Role>,
    /// What it holds, as TOML or JSON: `text=Hello`, `options=["Yes", "No"]`; repeat it for more
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    playing: PlayArgs,
}

/// Reads a role; clap shows the error.
fn role(word: &str) -> Result<Role, String> {
    Role::of_word(word).ok_or_else(|| format!("one of {}", one_of(Role::WORDS.iter().copied())))
}

pub(super) fn send(args: &SendArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    let mut problems = args.playing.receivers.check(&setup.catalog);
    let vendor = problems.note(setup.vendor(&args.vendor));
    let vendor = problems.or(vendor)?;
    let given = nodes(&args.set)?;
    let data = given.iter().map(|(key, node)| (key.clone(), node.to_json())).collect();
    let wanted = EventQuery { by: args.by, kind: args.kind.clone(), data };
    let rule = rule(&vendor, &args.event_type, &wanted)?;
    check(&vendor, rule, &wanted, &given)?;
    let script = Arc::new(Script::sending(&vendor, rule, &wanted));
    let only = Subscription::to(&rule.event_type);
    let plans = args.playing.plans(&script, &vendor, Some(&only), &setup)?;
    let again = RerunCommand { sent: Some(args.words()), ..args.playing.again(Vec::new(), global) };
    args.playing.execute(plans, BatchOptions::default(), again, &setup)
}

impl SendArgs {
    /// What is sent, as words of the command line.
    fn words(&self) -> Vec<String> {
        let kind = self.kind.iter().map(|kind| ("--kind", kind.clone()));
        let by = self.by.iter().map(|by| ("--by", by.to_string()));
        let set = self.set.iter().map(|set| ("--set", set.clone()));
        let flags = kind.chain(by).chain(set).flat_map(|(flag, value)| [flag.to_owned(), value]);
        std::iter::once(self.event_type.clone()).chain(flags).collect()
    }
}

/// Keys whose values are texts, whatever they look like.
const TEXTS: [&str; 2] = ["text", "comment"];

/// What was given, by key. Each is a line of TOML, or its value is JSON; where it is neither, its
/// value is the text itself.
fn nodes(given: &[String]) -> Result<Vec<(String, SyntaxNode)>, Problems> {
    let mut problems = Problems::new();
    let mut nodes: Vec<(String, SyntaxNode)> = Vec::new();
    for given in given {
        let pair = given.split_once('=').filter(|(path, _)| !path.trim().is_empty());
        let Some((path, value)) = pair else {
            let message = format!("`{given}` is not PATH=VALUE");
            let problem = Problem::anywhere(code::MISSING_KEY, message);
            problems.push(problem.help("such as `--set text=Hello`"));
            continue;
        };
        let is_text = TEXTS.contains(&path.trim());
        if !is_text
            && value.starts_with(['[', '{'])
            && let (Some(node), others) = json::parse(&Source::new("--set", value))
            && others.is_empty()
        {
            nodes.push((path.trim().to_owned(), node));
            continue;
        }
        let is_meant = |node: &SyntaxNode| {
            let written = node.as_table().and_then(|table| table.get(path.trim()));
            !is_text || written.is_some_and(|node| node.as_text().is_some())
        };
        let text = format!("{path} = {}", Json::from(value));
        let (node, others) = match toml::parse(&Source::new("--set", given.as_str())) {
            (node, others) if others.is_empty() && is_meant(&node) => (node, others),
            _ => toml::parse(&Source::new("--set", text)),
        };
        problems.extend(others);
        let entries = node.as_table().into_iter().flat_map(|table| table.0.clone());
        nodes.extend(entries.map(|(key, node)| (key.name, node)));
    }
    problems.or(Some(nodes))
}

/// What an event may be given beside the data of its kind, each with something that fits it.
fn known(on: EventKind) -> Vec<(&'static str, Json)> {
    let text = || Json::from("");
    match on {
        EventKind::MessageSent | EventKind::NoteAdded => vec![("text", text())],
        EventKind::TypingChanged => vec![("on", true.into())],
        EventKind::LabelsChanged => vec![("label", text()), ("action", text())],
        EventKind::FlowStarted => vec![("name", text()), ("states", 1.into())],
        EventKind::ConversationRated => vec![("score", 5.into()), ("comment", text())],
        _ => Vec::new(),
    }
}

/// Checks what was given against what the event may hold.
fn check(
    vendor: &Platform,
    rule: &EventRule,
    wanted: &EventQuery,
    given: &[(String, SyntaxNode)],
) -> Result<(), Problems> {
    if rule.on == EventKind::VariablesSet {
        return Ok(()); // variables have names of anybody's choice
    }
    let data = vendor.data_of(rule, wanted);
    let known = known(rule.on);
    let keys =
        || data.into_iter().flat_map(FieldDefaults::keys).chain(known.iter().map(|(key, _)| *key));
    let mut problems = Problems::new();
    for (key, node) in given {
        if !keys().any(|known| known == key) {
            let message = format!("`{}` holds no `{key}`", rule.event_type);
            problems.push(Problem::anywhere(code::UNKNOWN_DATA, message).known(key, keys()));
        }
        let of_kind = data.and_then(|data| data.type_mismatch(key, node));
        let own =
            || known.iter().find(|(known, _)| known == key).and_then(|(_, fit)| misfit(fit, node));
        let own = || own().map(|problem| problem.help(format!("it is given as `--set {key}=…`")));
        if let Some(problem) = of_kind.or_else(own) {
            problems.push(problem);
        }
    }
    problems.or(Some(()))
}
