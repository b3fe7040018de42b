//! Reports in Markdown: for the summary of a CI job, or a comment.

use std::io::{self, Write};

use super::run_report::RunReport;
use super::step_case::StepCase;
use super::totals::ReportTotals;
use crate::base::text::count;
use crate::record::{RunFinished, Verdict};

pub(super) fn write_head(totals: &ReportTotals, out: &mut dyn Write) -> io::Result<()> {
    let verdict = if totals.all_passed() { "✅ passed" } else { "❌ failed" };
    let ReportTotals { runs, passed, deliveries, passed_deliveries, .. } = totals;
    writeln!(out, "# standin: {verdict}\n")?;
    writeln!(
        out,
        "{passed} of {} passed ({passed_deliveries} of {})\n",
        count(*runs, "run", "runs"),
        count(*deliveries, "delivery", "deliveries")
    )
}

pub(super) fn write_run(run: &RunReport, out: &mut dyn Write) -> io::Result<()> {
    let started = &run.started;
    let title = format!("{} at {}", text(&started.scenario), text(&started.vendor));
    let Some(finished) = &run.finished else {
        return writeln!(out, "## ❌ {title}: not finished\n");
    };
    let RunFinished { verdict, deliveries, passed, .. } = finished;
    let of_all = format!("{passed} of {}", count(*deliveries, "delivery", "deliveries"));
    if *verdict == Verdict::Passed {
        return writeln!(out, "- ✅ {title}: {of_all} passed\n");
    }
    writeln!(out, "## ❌ {title}: {verdict}\n")?;
    writeln!(out, "{of_all} passed. {}\n", text(finished.reason.as_deref().unwrap_or_default()))?;
    for case in run.cases.iter().filter(|case| case.failed > 0) {
        write_case(case, out)?;
    }
    for advice in &run.advice {
        let (first, details) = advice.split_once('\n').unwrap_or((advice, ""));
        writeln!(out, "**Help:** {}\n", text(first))?;
        if !details.is_empty() {
            writeln!(out, "{}\n", fenced(details))?;
        }
    }
    Ok(())
}

fn write_case(case: &StepCase, out: &mut dyn Write) -> io::Result<()> {
    let source = case.source.as_ref().map(|source| format!(" ({})", text(&source.to_string())));
    writeln!(out, "### {}{}\n", text(&case.title()), source.unwrap_or_default())?;
    for failure in &case.failures {
        writeln!(out, "- {}: {}", code(&failure.subject), text(&failure.why))?;
        if let Some(response) = failure.short_response() {
            writeln!(out, "  response body: {}", code(&response))?;
        }
    }
    if let Some(cause) = case.cause() {
        writeln!(out, "- likely cause: {}", text(cause))?;
    }
    if let Some(more) = case.more_failures() {
        writeln!(out, "- {more}")?;
    }
    writeln!(out)
}

/// Escapes a text, so that it stays on its line and has no markup.
fn text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in crate::base::text::escape(text).chars() {
        match character {
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '&' => escaped += "&amp;",
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '!' | '@' => {
                escaped.push('\\');
                escaped.push(character);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Returns a text as code in a line, with a fence that the text does not contain.
fn code(text: &str) -> String {
    let fence = "`".repeat(longest_run(text) + 1);
    format!("{fence} {} {fence}", crate::base::text::escape(text))
}

/// Returns a text of several lines as a block of code.
fn fenced(text: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    format!("{fence}text\n{text}\n{fence}")
}

/// Returns the length of the longest sequence of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or_default()
}
