//! What a run would send if every answer were right: a timeline, whole requests, or `curl` commands.

use std::fmt::Write as _;
use std::io::{self, Write};

use jiff::Timestamp;

use super::secrets::variable;
use crate::base::text::{count, escape, quoted};
use crate::fault::FaultKind;
use crate::run::{DryRunItem, DryRunRequest, RunPlan, dry_run};

/// How requests are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DryRunFormat {
    /// One line for each.
    Lines,
    /// With headers and body.
    Whole,
    /// As a command that sends it.
    Curl,
}

/// Tells everything that a plan would send. Gives whether all of it can be sent.
pub(super) fn rehearse(
    plan: &RunPlan,
    form: DryRunFormat,
    out: &mut dyn Write,
) -> io::Result<bool> {
    let vendor = &plan.account.platform;
    let comment = if form == DryRunFormat::Curl { "# " } else { "" };
    let name = escape(&plan.script.name);
    writeln!(out, "{comment}{name} at {} to {}", vendor.full_id(), plan.url)?;
    if let Some(differs) = &vendor.differs {
        writeln!(out, "{comment}note: {}", escape(differs))?;
    }
    let (mut requests, mut bytes, mut dropped) = (0, 0, 0);
    for rehearsed in dry_run(plan) {
        let request = match rehearsed {
            DryRunItem::Request(request) => request,
            DryRunItem::Nothing { at, conversation, summary } => {
                let when = when(plan, at, Some(conversation));
                writeln!(out, "{comment}{when}- {}", escape(&summary))?;
                continue;
            }
            DryRunItem::Dropped { action, reason } => {
                dropped += 1;
                writeln!(out, "{comment}`{action}` cannot be sent: {}", escape(&reason))?;
                continue;
            }
        };
        let line = line(plan, &request);
        if request.faults.has(FaultKind::Drop) {
            writeln!(out, "{comment}{}, so not at all", line.trim_end())?;
            continue;
        }
        requests += 1;
        bytes += request.body.len();
        match form {
            DryRunFormat::Lines => write!(out, "{line}")?,
            DryRunFormat::Whole => writeln!(out, "{line}{}", whole(plan, &request))?,
            DryRunFormat::Curl => write!(out, "\n# {}{}", line.trim_start(), curl(plan, &request))?,
        }
    }
    if form != DryRunFormat::Curl {
        let requests = count(requests, "request", "requests");
        writeln!(out, "{requests}, {bytes} bytes; nothing was sent")?;
    }
    out.flush()?;
    Ok(dropped == 0)
}

/// Run time, what it is, its size.
fn line(plan: &RunPlan, request: &DryRunRequest) -> String {
    let when = when(plan, request.at, request.conversation);
    let what = request.event_type.as_deref().unwrap_or("the handshake");
    let faults = if request.faults.is_empty() {
        String::new()
    } else {
        format!("  with the fault {}", request.faults)
    };
    format!("{when}{what}  {} bytes{faults}\n", request.body.len())
}

/// Run time, and the conversation where there are several.
fn when(plan: &RunPlan, at: Timestamp, conversation: Option<u32>) -> String {
    let at = at.duration_since(plan.start).as_secs_f64();
    match conversation {
        Some(number) if plan.conversations > 1 => format!("{at:9.3} s  conversation {number} "),
        _ => format!("{at:9.3} s  "),
    }
}

/// The request as it would be on the wire, as far as the vendor decides it.
fn whole(plan: &RunPlan, request: &DryRunRequest) -> String {
    let mut out = format!("POST {} HTTP/1.1\n", &plan.url[url::Position::BeforePath..]);
    for (name, value) in &request.headers {
        let _ = writeln!(out, "{name}: {value}");
    }
    let _ = writeln!(out, "\n{}", request.body);
    out
}

/// A command of a shell that sends the request. Secrets of the user's own are variables.
fn curl(plan: &RunPlan, request: &DryRunRequest) -> String {
    let id = &plan.account.platform.id;
    let mut out = format!("curl -sS {} \\\n", with_variables(plan.url.as_str(), id));
    for (name, value) in &request.headers {
        let _ = writeln!(out, "  -H {} \\", with_variables(&format!("{name}: {value}"), id));
    }
    let _ = writeln!(out, "  --data-binary {}", with_variables(&request.body, id));
    out
}

/// A text in a shell's quotes; `${secret.token}` becomes the variable that `standin secrets` names.
fn with_variables(text: &str, vendor: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, reference, after)) = next_reference(rest) {
        out += &format!("{}\"${}\"", quoted(before), variable(vendor, reference));
        rest = after;
    }
    out + &quoted(rest)
}

/// The text before a secret's reference, its name, and the text after it.
fn next_reference(text: &str) -> Option<(&str, &str, &str)> {
    let references = ["${secret.", "${header."];
    let (at, mark) = references.iter().filter_map(|mark| Some((text.find(mark)?, mark))).min()?;
    let (name, after) = text[at + mark.len()..].split_once('}')?;
    Some((&text[..at], name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_quoted_for_a_shell_and_a_secret_is_a_variable() {
        assert_eq!(with_variables("it's", "acme"), r"'it'\''s'");
        assert_eq!(with_variables("A: ${secret.token}!", "acme"), r#"'A: '"$ACME_TOKEN"'!'"#);
        assert_eq!(with_variables("${header.X-Key}", "a-b"), r#"''"$A_B_X_KEY"''"#);
    }
}
