//! Records as text for a terminal.
//!
//! A run with one conversation is reported in full. A run with several is reported briefly: its
//! failures and its verdict, since the lines of parallel conversations are hard to follow.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use super::Report;
use super::advice::Advice;
use super::calls::{call_warnings, describe_call, describe_call_error};
use super::caveats::Caveats;
use super::rerun::RerunCommand;
use crate::base::text::{count, escape, excerpt, one_of, shell_word, without_markup};
use crate::fault::Fault;
use crate::platform::SlowResponses;
use crate::record::{
    ActionSummary, AttemptOutcome, AttemptResult, CallRecord, FilesSummary, Record, RecordKind,
    RunFinished, RunStarted, SettledDelivery, SettledExpectation, UnexpectedCalls, Verdict,
};

/// Amount of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Failures and verdicts.
    Quiet,
    /// Actions, deliveries and verdicts.
    Normal,
    /// Also bodies and headers.
    Verbose,
}

/// Report for a terminal.
#[derive(Debug)]
pub struct ConsoleReport {
    detail: Detail,
    rerun: RerunCommand,
    run: Option<RunStarted>,
    failed: usize,
    /// Controls that have not settled.
    controls: BTreeSet<String>,
    /// Request bodies of deliveries that have not settled, until the first failure is shown with its
    /// body.
    bodies: BTreeMap<String, Arc<str>>,
    /// Whether a delivery has failed.
    has_shown_body: bool,
    /// The last attempt that is not retried. Its delivery settles next.
    last: Option<LastAttempt>,
    advice: Advice,
    caveats: Arc<Mutex<Caveats>>,
    /// Whether the caveats of the command are written elsewhere, after all its runs.
    shares_caveats: bool,
    slow: Option<SlowResponses>,
    slow_responses: u64,
    /// Number of responses whose body was cut.
    cut_bodies: u64,
    /// Number of responses that came before their request was written.
    early_responses: u64,
}

/// A finished attempt and its result, with the content of the response.
#[derive(Debug)]
struct LastAttempt {
    delivery: String,
    result: AttemptResult,
}

/// Maximum number of failed deliveries that a brief report lists.
// A receiver that is down fails every delivery; the first ten show that as well as thousands.
const MAX_FAILED: usize = 10;
/// Maximum number of characters of a response body.
// Enough for a typical JSON error. Whole stack traces and HTML pages would hide the report.
const MAX_BODY: usize = 200;
/// Indentation of a delivery below its action: the width of the run time and two spaces.
const INDENT: &str = "             ";

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const NOTE: Style = AnsiColor::Yellow.on_default();

impl ConsoleReport {
    /// Creates a report. `rerun` is printed after a failed run.
    pub fn new(detail: Detail, rerun: RerunCommand) -> Self {
        Self {
            detail,
            rerun,
            run: None,
            failed: 0,
            controls: BTreeSet::new(),
            bodies: BTreeMap::new(),
            has_shown_body: false,
            last: None,
            advice: Advice::default(),
            caveats: Arc::default(),
            shares_caveats: false,
            slow: None,
            slow_responses: 0,
            cut_bodies: 0,
            early_responses: 0,
        }
    }

    /// Notes at the end of a run how many responses were slow.
    #[must_use]
    pub fn noting_slow(self, slow: Option<SlowResponses>) -> Self {
        Self { slow, ..self }
    }

    /// Collects caveats here, to be written after all runs of a command. The default is to write them
    /// after each run.
    #[must_use]
    pub fn sharing(self, caveats: Arc<Mutex<Caveats>>) -> Self {
        Self { caveats, shares_caveats: true, ..self }
    }

    fn caveats(&self) -> MutexGuard<'_, Caveats> {
        self.caveats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether only failures and verdicts are reported.
    fn is_brief(&self) -> bool {
        self.detail == Detail::Quiet || self.run.as_ref().is_some_and(|run| run.plays > 1)
    }

    fn started(&mut self, run: &RunStarted, out: &mut dyn Write) -> io::Result<()> {
        // One report serves several runs: counts and hints of the last run must not remain.
        let new = Self::new(self.detail, self.rerun.clone()).noting_slow(self.slow.take());
        let (caveats, shares_caveats) = (Arc::clone(&self.caveats), self.shares_caveats);
        *self = Self { run: Some(run.clone()), caveats, shares_caveats, ..new };
        if self.detail == Detail::Quiet {
            return Ok(());
        }
        let receivers = match run.urls.as_slice() {
            [] => "the receiver that a call subscribes".to_owned(),
            urls => urls.join(", "),
        };
        let many = count(run.conversations, "conversation", "conversations");
        writeln!(out, "{BOLD}{}{BOLD:#}", title(run))?;
        writeln!(
            out,
            "{DIM}{many} to {receivers}, seed {}, start {}, {} clock{DIM:#}",
            run.seed, run.start, run.clock
        )?;
        if let Some(chaos) = &run.chaos {
            writeln!(out, "{NOTE}chaos {}:{NOTE:#} {chaos}", chaos.profile)?;
        }
        writeln!(out)
    }

    fn action(
        &self,
        record: &Record,
        action: &ActionSummary,
        implied: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let elapsed = self.elapsed(record);
        let mark = if implied { " (implied)" } else { "" };
        let summary = escape(&action.summary);
        let by = &action.by;
        writeln!(out, "{DIM}{elapsed}{DIM:#}  {BOLD}{by:<8}{BOLD:#} {summary}{DIM}{mark}{DIM:#}")?;
        for event_type in &action.unsubscribed {
            let event_type = escape(event_type);
            writeln!(out, "{INDENT}{DIM}- {event_type} not sent (no subscription){DIM:#}")?;
        }
        Ok(())
    }

    fn call(&self, record: &Record, call: &CallRecord, out: &mut dyn Write) -> io::Result<()> {
        let (elapsed, text) = (self.elapsed(record), describe_call(call));
        writeln!(out, "{DIM}{elapsed}{DIM:#}  {BOLD}receiver{BOLD:#} calls {text}")?;
        for note in describe_call_error(call).into_iter().chain(call_warnings(call)) {
            writeln!(out, "{INDENT}{NOTE}-{NOTE:#} {note}")?;
        }
        Ok(())
    }

    /// Formats the run time since the start of the run, in seconds or as `h:mm:ss.s`.
    fn elapsed(&self, record: &Record) -> String {
        let start = self.run.as_ref().map_or(record.run_time, |run| run.start);
        let elapsed = record.run_time.duration_since(start);
        let (minutes, seconds) = (elapsed.as_mins(), elapsed.as_secs_f64() % 60.0);
        match minutes {
            // Up to three digits of seconds are easier to read than hours and minutes.
            0..15 => format!("{:>9.3} s", elapsed.as_secs_f64()),
            _ => format!("{:>3}:{:02}:{seconds:04.1}", minutes / 60, minutes % 60),
        }
    }

    fn settled(
        &mut self,
        record: &Record,
        settled: &SettledDelivery,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let (result, faults) = (&settled.result, &settled.faults);
        let mut title = settled.event_type.clone();
        if !faults.is_empty() {
            title += &format!(" (injected fault: {faults})");
        }
        if self.controls.remove(&settled.delivery) {
            title += " (control)";
        }
        if let Some(url) = self.endpoint(settled.endpoint) {
            title += &format!(" → {url}");
        }
        self.cut_bodies += u64::from(result.is_cut());
        self.early_responses += u64::from(result.early);
        // A fault can delay the request itself, so it says nothing about the receiver.
        if faults.is_empty() && self.is_slow(result) {
            self.slow_responses += 1;
        }
        let body = self.bodies.remove(&settled.delivery).filter(|_| !self.has_shown_body);
        if settled.passed {
            if self.is_brief() {
                return Ok(());
            }
            write!(out, "{}", line(GOOD, "✓", &title, result, settled.attempts))?;
            return self.end_line(record, out);
        }
        self.failed += 1;
        if self.is_brief() && self.failed > MAX_FAILED {
            return Ok(());
        }
        write!(out, "{}", line(BAD, "✗", &title, result, settled.attempts))?;
        self.end_line(record, out)?;
        // Without a response, the reason is the cause of the failure, which follows anyway.
        let has_other_cause = result.reason.is_none() || result.is_cut();
        if let Some(why) = settled.why.as_deref().filter(|_| has_other_cause) {
            writeln!(out, "{INDENT}  {}", escape(why))?;
        }
        write_failure(self.with_content(settled), out)?;
        self.has_shown_body = true;
        match body {
            Some(body) => writeln!(out, "{INDENT}  request body: {}", excerpt(&body, MAX_BODY)),
            None => Ok(()),
        }
    }

    /// Ends the line of a record, with the number of its conversation if there are several.
    fn end_line(&self, record: &Record, out: &mut dyn Write) -> io::Result<()> {
        let has_several = self.run.as_ref().is_some_and(|run| run.conversations > 1);
        match record.conversation.filter(|_| has_several) {
            Some(conversation) => writeln!(out, "{DIM}, conversation {conversation}{DIM:#}"),
            None => writeln!(out),
        }
    }

    /// Returns the result of a settled delivery with the content of the response, if it has one.
    fn with_content<'a>(&'a self, settled: &'a SettledDelivery) -> &'a AttemptResult {
        let is_its_last = |last: &&LastAttempt| {
            last.delivery == settled.delivery && last.result.timings == settled.result.timings
        };
        self.last.as_ref().filter(is_its_last).map_or(&settled.result, |last| &last.result)
    }

    /// Returns the URL of an endpoint, if there are several.
    fn endpoint(&self, number: u32) -> Option<&str> {
        let urls = &self.run.as_ref().filter(|run| run.urls.len() > 1)?.urls;
        urls.get(usize::try_from(number).ok()?.checked_sub(1)?).map(String::as_str)
    }

    fn is_slow(&self, result: &AttemptResult) -> bool {
        let limit = self.slow.as_ref().map(|slow| slow.after.as_millis());
        result.outcome == AttemptOutcome::Responded
            && limit.is_some_and(|limit| i128::from(result.timings.total_us) > limit * 1_000)
    }

    fn expectation(
        &mut self,
        record: &Record,
        settled: &SettledExpectation,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let (request, result) = (&settled.request, &settled.result);
        let title = format!("{} {}", request.expectation, escape(&request.subject()));
        let after = match (&request.call, result.call) {
            (None, _) => format!("{}, ", count(result.requests, "request", "requests")),
            (Some(_), Some(call)) => format!("call {call}, "),
            (Some(_), None) => String::new(),
        };
        let after = format!("{DIM}{after}{} ms{DIM:#}", result.waited_ms);
        if settled.passed {
            if self.is_brief() {
                return Ok(());
            }
            write!(out, "{INDENT}{GOOD}✓{GOOD:#} {title} {after}")?;
            return self.end_line(record, out);
        }
        self.failed += 1;
        if self.is_brief() && self.failed > MAX_FAILED {
            return Ok(());
        }
        write!(out, "{INDENT}{BAD}✗ {title}{BAD:#} {after}")?;
        self.end_line(record, out)?;
        for mismatch in &result.mismatches {
            writeln!(out, "{INDENT}  {}", escape(&mismatch.to_string()))?;
        }
        match &result.nearest {
            Some(nearest) => writeln!(out, "{INDENT}  nearest: {}", escape(nearest)),
            None => Ok(()),
        }
    }

    fn handshake(
        &self,
        result: &AttemptResult,
        error: Option<&str>,
        continues: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let Some(error) = error else {
            let line = line(GOOD, "✓", "handshake", result, 1);
            return if self.detail == Detail::Quiet { Ok(()) } else { writeln!(out, "{line}") };
        };
        let then = if continues { "events are sent anyway" } else { "no events are sent" };
        writeln!(out, "{INDENT}{BAD}✗{BAD:#} handshake failed: {}; {then}", escape(error))?;
        write_failure(result, out)
    }

    fn probe(
        &self,
        fault: &Fault,
        result: &AttemptResult,
        why: Option<&str>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let title = format!("signature probe (injected fault: {fault})");
        let Some(why) = why else {
            let line = line(GOOD, "✓", &title, result, 1);
            return if self.detail == Detail::Quiet { Ok(()) } else { writeln!(out, "{line}") };
        };
        writeln!(out, "{}", line(BAD, "✗", &title, result, 1))?;
        writeln!(out, "{INDENT}  {}", escape(why))?;
        write_failure(result, out)
    }

    fn finished(&self, now: Timestamp, run: &RunFinished, out: &mut dyn Write) -> io::Result<()> {
        if self.is_brief() && self.failed > MAX_FAILED {
            writeln!(out, "{INDENT}  … and {} more", self.failed - MAX_FAILED)?;
        }
        let style = if run.verdict == Verdict::Passed { GOOD } else { BAD };
        let brief = self.run.as_ref().filter(|_| self.detail == Detail::Quiet);
        let title = brief.map(|run| format!(", {}", title(run))).unwrap_or_default();
        let mut requests = count(run.attempts, "request", "requests");
        if run.probes > 0 {
            let probes = count(run.probes, "signature probe", "signature probes");
            requests = format!("{probes} and {requests}");
        }
        if run.handshakes > 0 {
            let handshakes = count(run.handshakes, "handshake", "handshakes");
            requests = format!("{handshakes} and {requests}");
        }
        if self.detail != Detail::Quiet {
            writeln!(out)?;
        }
        // "0 of 0 as expected" after a failed handshake would read like a success.
        let deliveries = match run.deliveries {
            0 => "no deliveries".to_owned(),
            number => {
                let deliveries = count(number, "delivery", "deliveries");
                format!("{} of {deliveries} passed", run.passed)
            }
        };
        let expectations = match run.expectations {
            0 => String::new(),
            number => {
                format!(", {} of {} met", run.met, count(number, "expectation", "expectations"))
            }
        };
        writeln!(
            out,
            "{style}{}{style:#}{title}: {deliveries}{expectations} {DIM}({requests}, {} ms){DIM:#}",
            run.verdict, run.duration_ms
        )?;
        if let Some(reason) = &run.reason {
            writeln!(out, "{}", escape(reason))?;
        }
        // The reason names the first cause.
        for group in run.failures.iter().skip(1) {
            writeln!(out, "  {}", escape(&group.to_string()))?;
        }
        for unmet in run.unmet.iter().skip(1) {
            writeln!(out, "  {}", escape(unmet))?;
        }
        let is_strict =
            self.run.as_ref().and_then(|run| run.unexpected) == Some(UnexpectedCalls::Strict);
        if is_strict {
            // The reason names the first.
            for call in run.unexpected.iter().skip(1) {
                writeln!(out, "  unexpected: {}", escape(call))?;
            }
        } else {
            write_unexpected_calls(run, out)?;
        }
        self.write_notes(run, out)?;
        if run.verdict != Verdict::Passed {
            self.write_hints(now, run, out)?;
        }
        Ok(())
    }

    /// Writes what is worth knowing about a run beside its verdict.
    fn write_notes(&self, run: &RunFinished, out: &mut dyn Write) -> io::Result<()> {
        if self.cut_bodies > 0 {
            let bodies = count(self.cut_bodies, "response body", "response bodies");
            writeln!(out, "{NOTE}note:{NOTE:#} {bodies} cut by the receiver; the status decides")?;
        }
        if self.early_responses > 0 {
            let responses = count(self.early_responses, "response", "responses");
            writeln!(
                out,
                "{NOTE}note:{NOTE:#} {responses} came before the request was written; the receiver \
                 did not read all of it"
            )?;
        }
        if self.detail != Detail::Quiet {
            if run.skipped > 0 {
                let steps = count(run.skipped, "step", "steps");
                writeln!(out, "{DIM}{steps} skipped{DIM:#}")?;
            }
            run.files.iter().try_for_each(|files| write_files(files, out))?;
            if let Some(slow) = self.slow.as_ref().filter(|_| self.slow_responses > 0) {
                let responses = count(self.slow_responses, "response", "responses");
                let (limit, note) = (slow.after.as_secs_f64(), escape(&slow.note));
                writeln!(
                    out,
                    "{NOTE}note:{NOTE:#} {responses} took longer than {limit} s: {note}"
                )?;
            }
        }
        Ok(())
    }

    /// Writes bodies and headers in a verbose report, and notes payloads that are not documented.
    fn wire(&self, kind: &RecordKind, out: &mut dyn Write) -> io::Result<()> {
        let verbose = self.detail == Detail::Verbose;
        match kind {
            RecordKind::DeliveryPlanned { delivery, body, certainty, .. } => {
                if certainty != "documented" {
                    writeln!(
                        out,
                        "{INDENT}{DIM}~ its format is {certainty}, not documented{DIM:#}"
                    )?;
                }
                if verbose {
                    writeln!(out, "{DIM}{INDENT}  {delivery}: {}{DIM:#}", escape(body))
                } else {
                    Ok(())
                }
            }
            RecordKind::ProbeSent { headers, body, .. } if verbose => {
                writeln!(out, "{DIM}{INDENT}  {}{DIM:#}", escape(body))?;
                write_headers(headers, out)
            }
            RecordKind::HandshakeSent { body, .. } if verbose => {
                writeln!(out, "{DIM}{INDENT}  {}{DIM:#}", escape(body))
            }
            RecordKind::AttemptStarted { headers, .. } if verbose => write_headers(headers, out),
            _ => Ok(()),
        }
    }

    /// Writes hints for the failure and the command that repeats the run.
    fn write_hints(
        &self,
        now: Timestamp,
        finished: &RunFinished,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let Some(run) = &self.run else { return Ok(()) };
        for text in self.advice.texts(run, now, self.detail == Detail::Verbose) {
            writeln!(out, "help: {text}")?;
        }
        if !finished.rejected_types.is_empty() {
            let types = one_of(finished.rejected_types.iter().map(String::as_str));
            let pattern = self.rerun.events_without(&finished.rejected_types);
            let flag = shell_word(&escape(&pattern));
            writeln!(
                out,
                "help: all deliveries of {} failed, and others passed. If the receiver does not \
                 handle them, add `--events {flag}`",
                escape(&types)
            )?;
        }
        writeln!(out, "rerun: {}", self.rerun.command(run))?;
        let first = finished.failures.first();
        match first.and_then(|first| self.rerun.redeliver_command(&first.delivery)) {
            Some(command) => writeln!(out, "redeliver: {command}"),
            None => Ok(()),
        }
    }
}

impl Report for ConsoleReport {
    fn record(&mut self, record: &Record, out: &mut dyn Write) -> io::Result<()> {
        self.advice.count(record);
        self.caveats().count(record);
        if let RecordKind::AttemptFinished { delivery, result, retry_in_ms, .. } = &record.kind {
            self.last = retry_in_ms
                .is_none()
                .then(|| LastAttempt { delivery: delivery.clone(), result: result.clone() });
        }
        if let RecordKind::DeliveryPlanned { delivery, control, body, .. } = &record.kind {
            if *control {
                self.controls.insert(delivery.clone());
            }
            // A verbose report shows all bodies.
            if self.failed == 0 && self.detail != Detail::Verbose {
                self.bodies.insert(delivery.clone(), Arc::clone(body));
            }
        }
        match &record.kind {
            RecordKind::RunStarted(run) => self.started(run, out),
            RecordKind::RunFinished(run) => self.finished(record.wall_time, run, out),
            RecordKind::HandshakeFinished { result, error, continues, .. } => {
                self.handshake(result, error.as_deref(), *continues, out)
            }
            RecordKind::ProbeFinished { fault, result, why, .. } => {
                self.probe(fault, result, why.as_deref(), out)
            }
            RecordKind::DeliverySettled(settled) => self.settled(record, settled, out),
            RecordKind::ExpectationFinished(settled) => self.expectation(record, settled, out),
            // Reported even briefly: no run passes with one.
            RecordKind::ActionDropped { action, reason, .. } => {
                let reason = escape(reason);
                writeln!(out, "{INDENT}{BAD}✗{BAD:#} `{action}` could not be rendered: {reason}")
            }
            _ if self.is_brief() => Ok(()), // the kinds below appear in a full report only
            RecordKind::ActionDone(action) => self.action(record, action, false, out),
            RecordKind::ActionImplied(action) => self.action(record, action, true, out),
            RecordKind::ActionSkipped { action, reason } => {
                let (elapsed, reason) = (self.elapsed(record), escape(reason));
                writeln!(out, "{DIM}{elapsed}{DIM:#}  {NOTE}-{NOTE:#} `{action}` skipped: {reason}")
            }
            RecordKind::ProbeSkipped { fault, reason, .. } => {
                let reason = escape(reason);
                writeln!(
                    out,
                    "{INDENT}{DIM}- signature probe `{fault}` is not applicable: {reason}{DIM:#}"
                )
            }
            RecordKind::ActionSilent { reason, .. } => {
                writeln!(out, "{INDENT}{DIM}- no webhook: {}{DIM:#}", escape(reason))
            }
            RecordKind::CallReceived(call) => self.call(record, call, out),
            RecordKind::EndpointSubscribed { url, .. } => {
                writeln!(out, "{INDENT}{DIM}subscribed:{DIM:#} {}", escape(url))
            }
            RecordKind::EndpointUnsubscribed { url, .. } => {
                writeln!(out, "{INDENT}{DIM}unsubscribed:{DIM:#} {}", escape(url))
            }
            // Attempts without a retry are the last of their delivery, which reports the result.
            RecordKind::AttemptFinished { attempt, result, retry_in_ms: Some(delay), .. } => {
                let result = result.label();
                writeln!(
                    out,
                    "{INDENT}{NOTE}↻{NOTE:#} attempt {attempt}: {result}, retrying in {delay} ms"
                )
            }
            RecordKind::GateChanged { gate, state } => {
                writeln!(out, "{INDENT}{NOTE}‖{NOTE:#} gate of {gate}: {state}")
            }
            kind => self.wire(kind, out),
        }
    }

    fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.shares_caveats { Ok(()) } else { self.caveats().write(out) }
    }
}

/// Names the calls that met no expectation.
fn write_unexpected_calls(run: &RunFinished, out: &mut dyn Write) -> io::Result<()> {
    if run.unexpected_calls == 0 {
        return Ok(());
    }
    let calls = count(run.unexpected_calls, "call", "calls");
    let first = escape(&run.unexpected.join(", "));
    let more = if run.unexpected_calls > run.unexpected.len() as u64 { ", …" } else { "" };
    writeln!(out, "{NOTE}note:{NOTE:#} {calls} met no expectation: {first}{more}")
}

/// Writes how many attachments were sent and fetched.
fn write_files(files: &FilesSummary, out: &mut dyn Write) -> io::Result<()> {
    let links = count(files.links, "attachment URL", "attachment URLs");
    match &files.unavailable {
        None => {
            let fetched = count(files.fetched, "file", "files");
            writeln!(out, "{DIM}{links} sent, {fetched} fetched during the run{DIM:#}")
        }
        Some(reason) => writeln!(
            out,
            "{NOTE}note:{NOTE:#} {links} cannot be fetched: {}. Choose another port with \
             `--files-port`.",
            escape(reason)
        ),
    }
}

fn title(run: &RunStarted) -> String {
    format!("{} at {}", escape(&run.scenario), escape(&run.vendor))
}

/// Formats a request and its result as one line without a newline.
fn line(style: Style, mark: &str, title: &str, result: &AttemptResult, attempts: u32) -> String {
    let tries = if attempts > 1 { format!(", attempt {attempts}") } else { String::new() };
    let (title, result, millis) = (escape(title), result.label(), result.timings.total_ms());
    // The longest common event types have about 50 characters, so that results stand in a column.
    format!("{INDENT}{style}{mark}{style:#} {title:<50} {result} {DIM}{millis} ms{tries}{DIM:#}")
}

fn write_headers(headers: &[(String, String)], out: &mut dyn Write) -> io::Result<()> {
    for (name, value) in headers {
        writeln!(out, "{DIM}{INDENT}  {}: {}{DIM:#}", escape(name), escape(value))?;
    }
    Ok(())
}

/// Writes the details of a failed attempt.
fn write_failure(result: &AttemptResult, out: &mut dyn Write) -> io::Result<()> {
    if let Some(reason) = &result.reason {
        writeln!(out, "{INDENT}  {}", escape(reason))?;
    }
    if let Some(location) = &result.location {
        writeln!(out, "{INDENT}  redirect to {} (not followed)", escape(location))?;
    }
    if let Some(method) = result.compression() {
        let size = count(result.body.len(), "byte", "bytes");
        writeln!(out, "{INDENT}  response body: {size}, compressed ({})", escape(method))?;
    } else if !result.body.is_empty() {
        writeln!(
            out,
            "{INDENT}  response body: {}",
            excerpt(&without_markup(&result.body.text()), MAX_BODY)
        )?;
    }
    Ok(())
}
