//! `standin send`: sends one webhook; the events that must precede it are simulated.

use std::sync::Arc;

use clap::Args;
use serde_json::Value as Json;

use super::exit::{CommandError, ExitStatus};
use super::global::Global;
use super::own_body::read_body;
use super::planned_runs::PlannedRuns;
use super::play::{BatchOptions, PlayArgs, no_receiver};
use super::setup::Setup;
use super::sign::event_type;
use super::vendors::{event, rule};
use crate::base::text::one_of;
use crate::conversation::{EventKind, Role};
use crate::diag::{Problem, Problems, Source, SyntaxNode, code, json, toml};
use crate::platform::{
    EventQuery, EventRule, FieldDefaults, Platform, Subscription, type_mismatch,
};
use crate::report::RerunCommand;
use crate::run::check_patches;
use crate::scenario::{PatchPlan, Script, patch_of_arguments};

/// Send one webhook; the events that must precede it are simulated but not sent
#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// Vendor to emulate: VENDOR or VENDOR@REVISION
    vendor: String,
    /// Event type to send, by the vendor's name for it; `standin vendors VENDOR` lists them [default
    /// with `--body`: the first of them]
    #[arg(required_unless_present = "body")]
    event_type: Option<String>,
    /// Neutral event that causes it, such as `conversation.closed` [default: the first that the
    /// vendor lists]
    #[arg(long, value_name = "EVENT", value_parser = event)]
    on: Option<EventKind>,
    /// Kind of message or entity, such as `text` or `buttons`
    #[arg(long)]
    kind: Option<String>,
    /// Role of the actor: visitor, bot, agent, manager or system
    #[arg(long, value_name = "ROLE", value_parser = role)]
    by: Option<Role>,
    /// Field of the event, as TOML or JSON: `text=Hello`, `options=["Yes", "No"]`;
    /// `standin vendors VENDOR EVENT_TYPE` lists the fields; can be repeated
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Change the body before it is signed, by JSON pointer: `/data/type=other`, `/n=null`,
    /// `'/data/user={ remove = true }'`; can be repeated
    #[arg(long, value_name = "POINTER=VALUE")]
    patch: Vec<String>,
    /// Send the body of a file, or of `-` for standard input, byte for byte, with the headers and the
    /// signature of the vendor
    #[arg(long, value_name = "FILE", conflicts_with_all = ["set", "patch", "on", "kind", "by"])]
    body: Option<String>,
    #[command(flatten)]
    play: PlayArgs,
}

/// Parses a role. clap prints the error.
fn role(word: &str) -> Result<Role, String> {
    Role::from_name(word).ok_or_else(|| format!("expected {}", one_of(Role::NAMES.iter().copied())))
}

pub(super) fn send(args: &SendArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    let mut problems = args.play.check(&setup.catalog);
    let vendor = problems.note(setup.vendor(&args.vendor));
    let vendor = problems.into_result(vendor)?;
    args.play.receivers.unused(&[&vendor.id]).into_result(Some(()))?;
    let fields = fields(&args.set)?;
    let data = fields.iter().map(|(key, node)| (key.clone(), node.to_json())).collect();
    let query = EventQuery { on: args.on, by: args.by, kind: args.kind.clone(), data };
    let requested = args.event_type.as_deref();
    let event_type = event_type(&vendor, requested).map_err(|problem| {
        setup.naming_revisions_of(problem, &vendor, requested.unwrap_or_default())
    })?;
    let rule = rule(&vendor, event_type, &query)?;
    check(&vendor, rule, &query, &fields)?;
    let script = Script::for_event(&vendor, rule, &query);
    let patch = match &args.body {
        Some(name) => Some(PatchPlan::whole(read_body(name)?)),
        None => patch_of_arguments(&args.patch)?,
    };
    let script = Arc::new(script.with_patch(patch));
    check_patches(&script, &setup.accounts(std::slice::from_ref(&vendor))).into_result(Some(()))?;
    // The script contains the preceding events too; only the requested type is subscribed to.
    let only = Subscription::to(&rule.event_type);
    let plan = args.play.plan(&script, &vendor, Some(&only), &setup)?;
    if plan.endpoints.is_empty() {
        return Err(no_receiver(&vendor.id).into());
    }
    let rerun = RerunCommand {
        send_args: Some(args.to_args()),
        ..args.play.rerun_command(Vec::new(), global)
    };
    args.play.execute(&PlannedRuns::one(plan), BatchOptions::default(), rerun, &setup)
}

impl SendArgs {
    /// Returns the arguments after the vendor that select the webhook.
    fn to_args(&self) -> Vec<String> {
        let on = self.on.iter().map(|on| ("--on", on.to_string()));
        let kind = self.kind.iter().map(|kind| ("--kind", kind.clone()));
        let by = self.by.iter().map(|by| ("--by", by.to_string()));
        let set = self.set.iter().map(|set| ("--set", set.clone()));
        let patch = self.patch.iter().map(|patch| ("--patch", patch.clone()));
        let body = self.body.iter().map(|body| ("--body", body.clone()));
        let flags = on.chain(kind).chain(by).chain(set).chain(patch).chain(body);
        let flags = flags.flat_map(|(flag, value)| [flag.to_owned(), value]);
        self.event_type.iter().cloned().chain(flags).collect()
    }
}

/// Keys whose values are always texts, so that `--set text=5` needs no quotes.
const TEXT_KEYS: [&str; 2] = ["text", "comment"];

/// Parses the values of `--set`. A value is JSON, then TOML; if it is neither, it is plain text.
fn fields(settings: &[String]) -> Result<Vec<(String, SyntaxNode)>, Problems> {
    let mut problems = Problems::new();
    let mut nodes: Vec<(String, SyntaxNode)> = Vec::new();
    for setting in settings {
        let pair = setting.split_once('=').filter(|(path, _)| !path.trim().is_empty());
        let Some((path, value)) = pair else {
            let message = format!("`{setting}` is not in the form PATH=VALUE");
            let problem = Problem::anywhere(code::MISSING_KEY, message);
            problems.push(problem.help("for example `--set text=Hello`"));
            continue;
        };
        let is_text = TEXT_KEYS.contains(&path.trim());
        // JSON lists and objects first: TOML rejects `{"a": 1}` and `null`.
        if !is_text
            && value.starts_with(['[', '{'])
            && let (Some(node), others) = json::parse(&Source::new("--set", value))
            && others.is_empty()
        {
            nodes.push((path.trim().to_owned(), node));
            continue;
        }
        let has_expected_type = |node: &SyntaxNode| {
            let value = node.as_table().and_then(|table| table.get(path.trim()));
            !is_text || value.is_some_and(|node| node.as_text().is_some())
        };
        let text = format!("{path} = {}", Json::from(value));
        let (node, others) = match toml::parse(&Source::new("--set", setting.as_str())) {
            (node, others) if others.is_empty() && has_expected_type(&node) => (node, others),
            _ => toml::parse(&Source::new("--set", text)),
        };
        problems.extend(others);
        let entries = node.as_table().into_iter().flat_map(|table| table.0.clone());
        nodes.extend(entries.map(|(key, node)| (key.name, node)));
    }
    problems.into_result(Some(nodes))
}

/// Checks that the event has the fields and that their values have the correct types.
fn check(
    vendor: &Platform,
    rule: &EventRule,
    query: &EventQuery,
    fields: &[(String, SyntaxNode)],
) -> Result<(), Problems> {
    if rule.on == EventKind::VariablesSet {
        return Ok(()); // variables may have any name
    }
    let data = vendor.data_of(rule, query);
    let event_fields = rule.action_fields();
    let keys = || {
        let event_keys = event_fields.iter().map(|(key, _)| *key);
        data.into_iter().flat_map(FieldDefaults::keys).chain(event_keys)
    };
    let mut problems = Problems::new();
    for (key, node) in fields {
        if !keys().any(|known| known == key) {
            let message = format!("`{}` has no field `{key}`", rule.event_type);
            problems
                .push(Problem::anywhere(code::UNKNOWN_DATA, message).suggest_or_list(key, keys()));
        }
        let of_kind = data.and_then(|data| data.type_mismatch(key, node));
        let of_event = || {
            let (_, example) = event_fields.iter().find(|(known, _)| known == key)?;
            let problem = type_mismatch(example, node)?;
            Some(problem.help(format!("set it with `--set {key}=VALUE`")))
        };
        if let Some(problem) = of_kind.or_else(of_event) {
            problems.push(problem);
        }
    }
    problems.into_result(Some(()))
}
