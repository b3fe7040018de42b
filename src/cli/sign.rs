//! `standin sign`: prints the headers with which a vendor sends a body.

use std::fmt::Write as _;

use clap::Args;
use serde_json::Map;

use super::exit::{CommandError, ExitStatus};
use super::global::Global;
use super::own_body::read_body;
use super::setup::{Setup, instant};
use super::terminal::print;
use super::vendors::neutral_help;
use crate::base::redact::Redactor;
use crate::base::text::escape;
use crate::config::StartTime;
use crate::diag::{Problem, code};
use crate::platform::{Platform, RequestFacts, Signing};
use crate::record::EventFacts;

/// Print the headers with which a vendor sends a body, including its signature
#[derive(Debug, Args)]
pub(super) struct SignArgs {
    /// Vendor whose credentials are used: VENDOR or VENDOR@REVISION
    vendor: String,
    /// File with the body, or `-` for standard input. Every byte counts, also a newline at the end
    #[arg(long, value_name = "FILE")]
    body: String,
    /// Event type, by the vendor's name for it, for vendors that sign it [default: the first that the
    /// vendor lists]
    #[arg(long, value_name = "TYPE")]
    event: Option<String>,
    /// Number of the attempt, from 1
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    attempt: u32,
    /// Time of sending: an instant such as 2026-03-01T08:00:00Z, or `now`
    #[arg(long, value_name = "INSTANT", default_value = "now", value_parser = StartTime::parse)]
    at: StartTime,
}

pub(super) fn sign(args: &SignArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    let vendor = setup.vendor(&args.vendor)?;
    let account = setup.account(&vendor)?;
    let event_type = event_type(&vendor, args.event.as_deref())?.to_owned();
    let body = read_body(&args.body)?;
    let at = instant(args.at);
    let event = EventFacts { event_type, at, ids: Map::new() };
    let event = vendor.signs_events().then_some(&event);
    let facts = RequestFacts::of_event(&body, args.attempt, at, event);
    let mut text = String::new();
    for (name, value) in Signing::of(&account).headers(&facts) {
        let _ = writeln!(text, "{name}: {}", escape(&value));
    }
    // A token of the user is no signature: it would be printed as it is.
    Redactor::new(account.secret_references()).redact(&mut text);
    print(text)?;
    Ok(ExitStatus::Passed)
}

/// Returns the event type of this name, or the first one of the vendor.
pub(super) fn event_type<'a>(
    vendor: &'a Platform,
    name: Option<&'a str>,
) -> Result<&'a str, Problem> {
    let types = vendor.type_names();
    match name {
        Some(name) if types.contains(&name) => Ok(name),
        Some(name) => {
            let message = format!("{} sends no `{name}`", vendor.name);
            let problem = Problem::anywhere(code::UNKNOWN_EVENT, message);
            Err(match neutral_help(vendor, name) {
                Some(help) => problem.help(help),
                None => problem.suggest_or_list(name, vendor.event_types()),
            })
        }
        None => types.first().copied().ok_or_else(|| {
            let message = format!("{} sends no events", vendor.name);
            Problem::anywhere(code::UNKNOWN_EVENT, message)
        }),
    }
}
