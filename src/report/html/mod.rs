//! Reports as a web page in one file: the verdict first, then each run as a conversation beside the
//! requests that it caused.
//!
//! The page loads nothing, and everything that a receiver sent is text in it.

mod text;
mod wire;

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use self::text::{class_of, mark, prose};
use self::wire::{delivery, exchange};
use super::run_report::{EntryContent, ReportEntry, RunReport, TestReport};
use super::step_case::StepCase;
use super::totals::ReportTotals;
use crate::base::text::count;
use crate::record::{ActionSummary, Verdict};

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// End of the file.
pub(super) const TAIL: &str = "</main></body></html>\n";

pub(super) fn write_head(totals: &ReportTotals, out: &mut dyn Write) -> io::Result<()> {
    let digest = STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    let policy =
        format!("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'");
    let has_passed = totals.all_passed();
    let verdict = if has_passed { "Passed" } else { "Failed" };
    let ReportTotals { runs, passed, deliveries, passed_deliveries, duration_ms, .. } = totals;
    let head = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(policy);
                title { (verdict) " · standin report" }
                style { (PreEscaped(STYLE)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    let summary = html! {
        header.page {
            h1 { span.verdict.(class_of(has_passed)) { (mark(has_passed)) " " (verdict) } }
            p {
                (passed) " of " (count(*runs, "run", "runs")) " passed, "
                (passed_deliveries) " of " (count(*deliveries, "delivery", "deliveries"))
                ", " (duration_ms) " ms"
            }
            div.filters role="group" aria-label="Filter" {
                label { input type="checkbox" id="failed-only"; " Only what failed" }
                label { "Search " input type="search" id="search" autocomplete="off"; }
                button type="button" id="expand" { "Expand all" }
            }
        }
    };
    // The end tags of the page come after the last run.
    let head = head.into_string();
    let open = head.strip_suffix("</html>").unwrap_or(&head);
    write!(out, "{open}<body>{}<main>", summary.into_string())
}

pub(super) fn write_run(run: &RunReport, out: &mut dyn Write) -> io::Result<()> {
    let verdict = run.finished.as_ref().map(|finished| finished.verdict);
    let has_passed = verdict == Some(Verdict::Passed);
    let words = verdict.map_or_else(|| "not finished".to_owned(), |verdict| verdict.to_string());
    let started = &run.started;
    let markup = html! {
        details.run.(class_of(has_passed)) open[!has_passed] {
            summary {
                span.verdict.(class_of(has_passed)) { (mark(has_passed)) " " (words) }
                h2 { (started.scenario) " at " (started.vendor) }
                @if let Some(finished) = &run.finished {
                    span.numbers {
                        (finished.passed) " of " (count(finished.deliveries, "delivery", "deliveries"))
                        ", " (finished.duration_ms) " ms"
                    }
                }
            }
            (facts(run))
            (failures(run))
            ol.log { @for row in rows(&run.entries) { (row_markup(&row, run)) } }
            @if run.omitted > 0 {
                p.omitted { "… and " (count(run.omitted, "more entry", "more entries")) " not shown" }
            }
        }
    };
    writeln!(out, "{}", markup.into_string())
}

/// Shows the parameters of a run.
fn facts(run: &RunReport) -> Markup {
    let started = &run.started;
    html! {
        dl.facts {
            dt { "Scenario" } dd { code { (started.file) } }
            dt { "Receiver" } dd { @for url in &started.urls { code { (url) } " " } }
            dt { "Seed" } dd { (started.seed) }
            dt { "Start" } dd { time { (started.start) } " (" (started.clock) " clock)" }
            @if started.conversations > 1 { dt { "Conversations" } dd { (started.conversations) } }
            @if let Some(differs) = &started.differs { dt { "Note" } dd { (prose(differs)) } }
            @for untested in run.finished.iter().flat_map(|finished| &finished.untested) {
                dt { "Not tested" } dd { (prose(untested)) }
            }
        }
    }
}

/// Shows what failed and why, with the likely causes.
fn failures(run: &RunReport) -> Markup {
    let failed: Vec<&StepCase> = run.cases.iter().filter(|case| case.failed > 0).collect();
    let reason = run.finished.as_ref().and_then(|finished| finished.reason.as_deref());
    html! {
        @if let Some(reason) = reason {
            section.why {
                h3 { "Why" }
                @if failed.is_empty() { p { (prose(reason)) } }
                @for case in failed {
                    h4 {
                        (case.title())
                        @if let Some(source) = &case.source { " " code { (source) } }
                    }
                    ul {
                        @for failure in &case.failures {
                            li {
                                code { (failure.subject) } ": " (prose(&failure.why))
                                @if let Some(id) = &failure.delivery {
                                    " " a href={ "#" (anchor(run, id)) } { "show" }
                                }
                                @if let Some(response) = failure.short_response() {
                                    p { "Response: " code { (response) } }
                                }
                            }
                        }
                        @if let Some(more) = case.more_failures() { li { (more) } }
                    }
                    @if let Some(cause) = case.cause() { p.advice { b { "Likely cause: " } (prose(cause)) } }
                }
                @for advice in &run.advice {
                    @let (first, details) = advice.split_once('\n').unwrap_or((advice, ""));
                    p.advice { b { "Help: " } (prose(first)) }
                    @if !details.is_empty() { pre { (details) } }
                }
            }
        }
    }
}

/// The anchor of a delivery, unique in the file.
fn anchor(run: &RunReport, delivery: &str) -> String {
    // Delivery ids repeat in equal runs of one command, which start at different times.
    format!("{delivery}-{}", run.wall_time.as_microsecond())
}

/// An action with the requests that it caused.
struct LogRow<'a> {
    action: Option<&'a ReportEntry>,
    effects: Vec<&'a ReportEntry>,
}

/// Groups entries: the requests and notes after an action belong to it.
fn rows(entries: &[ReportEntry]) -> Vec<LogRow<'_>> {
    let mut rows: Vec<LogRow<'_>> = Vec::new();
    for entry in entries {
        match entry.content {
            EntryContent::Action(_) | EntryContent::ImpliedAction(_) => {
                rows.push(LogRow { action: Some(entry), effects: Vec::new() });
            }
            _ => match rows.last_mut().filter(|row| belongs(row, entry)) {
                Some(row) => row.effects.push(entry),
                None => rows.push(LogRow { action: None, effects: vec![entry] }),
            },
        }
    }
    rows
}

/// Returns whether an entry is in the same step of the same conversation as a row.
fn belongs(row: &LogRow<'_>, entry: &ReportEntry) -> bool {
    let first = row.action.or_else(|| row.effects.first().copied());
    first.is_some_and(|first| first.step == entry.step && first.conversation == entry.conversation)
}

fn row_markup(row: &LogRow<'_>, run: &RunReport) -> Markup {
    html! {
        li.entry.failed[row.effects.iter().any(|entry| has_failed(entry))] {
            div.said { @if let Some(entry) = row.action { (action(entry, run)) } }
            div.wire {
                @for entry in &row.effects {
                    @match &entry.content {
                        EntryContent::Delivery(sent) => (delivery(sent, &anchor(run, &sent.delivery), run)),
                        EntryContent::Test(test) => (test_markup(test)),
                        EntryContent::Note(text) => p.note { (prose(text)) },
                        EntryContent::Action(_) | EntryContent::ImpliedAction(_) => {},
                    }
                }
            }
        }
    }
}

fn has_failed(entry: &ReportEntry) -> bool {
    match &entry.content {
        EntryContent::Delivery(sent) => sent.settled.as_ref().is_none_or(|settled| !settled.passed),
        EntryContent::Test(test) => !test.passed,
        EntryContent::Action(_) | EntryContent::ImpliedAction(_) | EntryContent::Note(_) => false,
    }
}

/// Shows an action: a bubble if somebody said something, else a line.
fn action(entry: &ReportEntry, run: &RunReport) -> Markup {
    let (EntryContent::Action(action) | EntryContent::ImpliedAction(action)) = &entry.content
    else {
        return html! {};
    };
    let is_implied = matches!(entry.content, EntryContent::ImpliedAction(_));
    let ActionSummary { action: key, by, role, summary, text, message_kind, .. } = action;
    let elapsed = entry.run_time.duration_since(run.started.start).as_secs_f64();
    let kind = message_kind.as_deref().filter(|kind| *kind != "text");
    html! {
        p.by {
            b { (by) }
            @if by != role { " " span.role { (role) } }
            @if let Some(number) = entry.conversation.filter(|_| run.started.conversations > 1) {
                " · conversation " (number)
            }
            " · " time { (format!("{elapsed:.3} s")) }
            @if is_implied { " · implied" }
            @if let Some(kind) = kind { " · " (kind) }
        }
        @match text {
            Some(text) if key == "note" => p.bubble.memo { (text) },
            Some(text) if !text.is_empty() => p.bubble.(role) { (text) },
            _ => p.done { (summary) },
        }
    }
}

fn test_markup(test: &TestReport) -> Markup {
    html! {
        details.delivery.(class_of(test.passed)) {
            summary {
                span.mark { (mark(test.passed)) } " " code { (test.title) }
                @if let Some(why) = &test.why { span.reason { (prose(why)) } }
            }
            (exchange(&test.exchange, None))
        }
    }
}
