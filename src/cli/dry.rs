//! What a run would send if every answer were right: a timeline, whole requests, or `curl` commands.

use std::fmt::Write as _;

use super::secrets::{quoted, variable};
use crate::base::text::count;
use crate::run::{Plan, Rehearsed, rehearsal};

/// How requests are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One line for each.
    Lines,
    /// With headers and body.
    Whole,
    /// As a command that sends it.
    Curl,
}

/// Everything that a plan would send.
pub(super) fn rehearse(plan: &Plan, form: Form) -> String {
    let vendor = &plan.account.vendor;
    let head = format!("{} at {} to {}", plan.script.name, vendor.full_id(), plan.url);
    let mut out = if form == Form::Curl { format!("# {head}\n") } else { format!("{head}\n") };
    let (mut requests, mut bytes) = (0, 0);
    for request in rehearsal(plan) {
        requests += 1;
        bytes += request.body.len();
        out += &match form {
            Form::Lines => line(plan, &request),
            Form::Whole => format!("{}{}\n", line(plan, &request), whole(plan, &request)),
            Form::Curl => {
                format!("\n# {}{}", line(plan, &request).trim_start(), curl(plan, &request))
            }
        };
    }
    if form != Form::Curl {
        let _ = writeln!(
            out,
            "{}, {bytes} bytes; nothing was sent",
            count(requests, "request", "requests")
        );
    }
    out
}

/// Run time, what it is, its size.
fn line(plan: &Plan, request: &Rehearsed) -> String {
    let at = request.at.duration_since(plan.start).as_secs_f64();
    let conversation = match request.conversation {
        Some(number) if plan.conversations > 1 => format!("conversation {number} "),
        _ => String::new(),
    };
    let what = request.event_type.as_deref().unwrap_or("the handshake");
    format!("{at:9.3} s  {conversation}{what}  {} bytes\n", request.body.len())
}

/// The request as it would be on the wire, as far as the vendor decides it.
fn whole(plan: &Plan, request: &Rehearsed) -> String {
    let mut out = format!("POST {} HTTP/1.1\n", &plan.url[url::Position::BeforePath..]);
    for (name, value) in &request.headers {
        let _ = writeln!(out, "{name}: {value}");
    }
    let _ = writeln!(out, "\n{}", request.body);
    out
}

/// A command of a shell that sends the request. Secrets of the user's own are variables.
fn curl(plan: &Plan, request: &Rehearsed) -> String {
    let id = &plan.account.vendor.id;
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
