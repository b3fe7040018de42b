//! `--dry-run` and `--curl`: print what a run would send if every delivery succeeded.

use std::fmt::Write as _;
use std::io::{self, Write};

use jiff::Timestamp;

use super::shell_variable::variable;
use crate::base::references;
use crate::base::text::{count, escape, is_hidden, shell_quote};
use crate::run::{DryRunItem, DryRunRequest, RunPlan, dry_run};

/// Output format of a dry run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DryRunFormat {
    /// One line per request.
    Lines,
    /// Requests with headers and body.
    Whole,
    /// A `curl` command per request.
    Curl,
}

/// Prints everything that a plan would send. Returns whether every webhook could be rendered.
pub(super) fn write_dry_run(
    plan: &RunPlan,
    format: DryRunFormat,
    out: &mut dyn Write,
) -> io::Result<bool> {
    let vendor = &plan.account.platform;
    // Output of `--curl` must remain a valid shell script.
    let comment = if format == DryRunFormat::Curl { "# " } else { "" };
    let name = escape(&plan.script.name);
    writeln!(out, "{comment}{name} at {} to {}", vendor.full_id(), plan.urls())?;
    if let Some(differs) = &vendor.differs {
        writeln!(out, "{comment}note: {}", escape(differs))?;
    }
    let (mut requests, mut bytes, mut dropped) = (0, 0, 0);
    for item in dry_run(plan) {
        let request = match item {
            DryRunItem::Request(request) => request,
            DryRunItem::Nothing { at, conversation, summary } => {
                let when = when(plan, at, Some(conversation));
                writeln!(out, "{comment}{when}- {}", escape(&summary))?;
                continue;
            }
            DryRunItem::Dropped { action, reason } => {
                dropped += 1;
                writeln!(out, "{comment}`{action}` cannot be rendered: {}", escape(&reason))?;
                continue;
            }
        };
        let line = line(plan, &request);
        if !request.is_sent() {
            writeln!(out, "{comment}{}, not sent", line.trim_end())?;
            continue;
        }
        requests += 1;
        bytes += request.body.len();
        match format {
            DryRunFormat::Lines => write!(out, "{line}")?,
            DryRunFormat::Whole => writeln!(out, "{line}{}", whole(plan, &request))?,
            DryRunFormat::Curl => write!(out, "\n# {}{}", line.trim_start(), curl(plan, &request))?,
        }
    }
    if format != DryRunFormat::Curl {
        let requests = count(requests, "request", "requests");
        writeln!(out, "{requests}, {bytes} bytes; nothing was sent")?;
    }
    out.flush()?;
    Ok(dropped == 0)
}

/// Returns one line: run time, event type, size in bytes and injected faults.
fn line(plan: &RunPlan, request: &DryRunRequest) -> String {
    let when = when(plan, request.at, request.conversation);
    let what = match (&request.event_type, request.conversation) {
        (Some(event_type), Some(_)) => event_type.clone(),
        (Some(event_type), None) => format!("signature probe with {event_type}"),
        (None, _) => "handshake".to_owned(),
    };
    let faults = match request.faults.is_empty() {
        true if request.control => "  control".to_owned(),
        true => String::new(),
        false => format!("  injected fault: {}", request.faults),
    };
    format!("{when}{what}  {} bytes{faults}\n", request.body.len())
}

/// Returns the run time, and the number of the conversation if there are several.
fn when(plan: &RunPlan, at: Timestamp, conversation: Option<u32>) -> String {
    let at = at.duration_since(plan.start).as_secs_f64();
    match conversation {
        Some(number) if plan.conversations() > 1 => format!("{at:9.3} s  conversation {number} "),
        _ => format!("{at:9.3} s  "),
    }
}

/// Returns the request as HTTP text, without the headers that the client adds.
fn whole(plan: &RunPlan, request: &DryRunRequest) -> String {
    let url = plan.shown_url(request.endpoint);
    let origin = plan.endpoints[request.endpoint].url[..url::Position::BeforePath].len();
    let mut out = format!("POST {} HTTP/1.1\n", url.get(origin..).unwrap_or(&url));
    for (name, value) in &request.headers {
        let _ = writeln!(out, "{name}: {}", escape(value));
    }
    // The lines of a body stay lines.
    let lines: Vec<String> = request.body.split('\n').map(escape).collect();
    let _ = writeln!(out, "\n{}", lines.join("\n"));
    out
}

/// Returns a shell command that sends the request. Configured secrets are variables.
fn curl(plan: &RunPlan, request: &DryRunRequest) -> String {
    let id = &plan.account.platform.id;
    let url = plan.shown_url(request.endpoint);
    let mut out = format!("curl -sS {} \\\n", with_variables(&url, id));
    for (name, value) in &request.headers {
        let _ = writeln!(out, "  -H {} \\", with_variables(&format!("{name}: {value}"), id));
    }
    // Not `--data`, which removes newlines: the signature covers the exact bytes.
    let _ = writeln!(out, "  --data-binary {}", with_variables(&request.body, id));
    out
}

/// Quotes a text for a shell. `${secret.token}` becomes the variable that `standin secrets` names.
fn with_variables(text: &str, vendor: &str) -> String {
    let (mut out, mut plain) = (String::new(), String::new());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let mut length = next.len_utf8();
        if let Some(reference) = references::first(rest) {
            length = reference.length;
            if reference.is_secret() {
                out += &shell_quote(&std::mem::take(&mut plain));
                out += &secret_in_shell(reference.name, vendor);
            } else {
                plain += &reference.unquoted();
            }
        } else if is_hidden(next) && next != '\n' {
            // Octal bytes, which every POSIX shell prints. The bytes that are sent stay the same.
            out += &shell_quote(&std::mem::take(&mut plain));
            out += "\"$(printf '";
            for byte in &rest.as_bytes()[..length] {
                let _ = write!(out, "\\{byte:03o}");
            }
            out += "')\"";
        } else {
            plain.push(next);
        }
        rest = &rest[length..];
    }
    out + &shell_quote(&plain)
}

/// Returns what a shell replaces by a secret, by the name of its reference.
fn secret_in_shell(name: &str, vendor: &str) -> String {
    if let Some(name) = name.strip_prefix("env:") {
        return format!("\"${name}\"");
    }
    if let Some(path) = name.strip_prefix("file:") {
        return format!("\"$(cat {})\"", shell_quote(path));
    }
    let name = name.split_once('.').map_or("", |(_, name)| name);
    format!("\"${}\"", variable(vendor, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curl_quotes_text_and_replaces_secrets_by_variables() {
        assert_eq!(with_variables("it's", "acme"), r"'it'\''s'");
        assert_eq!(with_variables("A: ${secret.token}!", "acme"), r#"'A: '"$ACME_TOKEN"'!'"#);
        assert_eq!(with_variables("${header.X-Key}", "a-b"), r#"''"$A_B_X_KEY"''"#);
        assert_eq!(with_variables("${'secret.token'}", "acme"), "'${secret.token}'");
        assert_eq!(with_variables("${env:HOOK}", "acme"), r#"''"$HOOK"''"#);
        assert_eq!(with_variables("${file:a b}", "acme"), r#"''"$(cat 'a b')"''"#);
        assert_eq!(with_variables("a\u{202e}b", "acme"), r#"'a'"$(printf '\342\200\256')"'b'"#);
    }
}
