//! Records for somebody who watches a terminal.
//!
//! One conversation is told in full. Of many only what went wrong is told, and the end.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use url::Url;

use super::Report;
use super::rerun::{RerunCommand, compare, start_one};
use crate::base::text::{count, escape, excerpt};
use crate::record::{
    ActionSummary, AttemptOutcome, AttemptResult, AuthHint, FilesSummary, Record, RecordKind,
    RunFinished, RunStarted, SettledDelivery, Verdict,
};

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// What went wrong, and the end.
    Quiet,
    /// Everything that happens.
    Normal,
    /// Bodies and headers too.
    Verbose,
}

/// Tells records to somebody who watches a terminal.
#[derive(Debug)]
pub struct ConsoleReport {
    detail: Detail,
    again: RerunCommand,
    run: Option<RunStarted>,
    wrong: usize,
    unauthorized: bool,
    refused: bool,
    hint: Option<AuthHint>,
}

/// Wrong deliveries that are told one by one when not everything is told.
const MAX_WRONG: usize = 10;
/// Characters of an answer that are shown.
const SHOWN: usize = 200;
/// Where what is sent begins, below what is done.
const INDENT: &str = "             ";

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const NOTE: Style = AnsiColor::Yellow.on_default();

impl ConsoleReport {
    /// A report that tells this much, and how to do a run again that was not right.
    pub fn new(detail: Detail, again: RerunCommand) -> Self {
        let (run, hint) = (None, None);
        Self { detail, again, run, wrong: 0, unauthorized: false, refused: false, hint }
    }

    /// Whether only what went wrong is told.
    fn is_brief(&self) -> bool {
        self.detail == Detail::Quiet || self.run.as_ref().is_some_and(|run| run.conversations > 1)
    }

    fn started(&mut self, run: &RunStarted, out: &mut dyn Write) -> io::Result<()> {
        *self = Self { run: Some(run.clone()), ..Self::new(self.detail, self.again.clone()) };
        if self.detail == Detail::Quiet {
            return Ok(());
        }
        let many = count(run.conversations, "conversation", "conversations");
        writeln!(out, "{BOLD}{}{BOLD:#}", title(run))?;
        writeln!(
            out,
            "{DIM}{many} to {}, seed {}, start {}, {} clock{DIM:#}",
            run.url, run.seed, run.start, run.clock
        )?;
        if let Some(chaos) = &run.chaos {
            writeln!(out, "{NOTE}chaos {}:{NOTE:#} {chaos}", chaos.profile)?;
        }
        if let Some(differs) = &run.differs {
            writeln!(out, "{NOTE}note:{NOTE:#} {}", escape(differs))?;
        }
        writeln!(out)
    }

    fn act(
        &self,
        record: &Record,
        action: &ActionSummary,
        implied: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let after = self.after(record);
        let mark = if implied { " (implied)" } else { "" };
        let told = escape(&action.summary);
        let by = &action.by;
        writeln!(out, "{DIM}{after}{DIM:#}  {BOLD}{by:<8}{BOLD:#} {told}{DIM}{mark}{DIM:#}")
    }

    /// The run time since the run's start.
    fn after(&self, record: &Record) -> String {
        let start = self.run.as_ref().map_or(record.run_time, |run| run.start);
        let after = record.run_time.duration_since(start);
        let (minutes, seconds) = (after.as_mins(), after.as_secs_f64() % 60.0);
        match minutes {
            0..15 => format!("{:>9.3} s", after.as_secs_f64()),
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
        let mut what = settled.event_type.clone();
        if !faults.is_empty() {
            what += &format!(" ({faults}, on purpose)");
        }
        if settled.passed {
            let line = line((GOOD, "✓"), &what, result, settled.attempts);
            return if self.is_brief() { Ok(()) } else { writeln!(out, "{line}") };
        }
        self.wrong += 1;
        if faults.is_empty() {
            self.note(result);
        }
        if self.is_brief() && self.wrong > MAX_WRONG {
            return Ok(());
        }
        write!(out, "{}", line((BAD, "✗"), &what, result, settled.attempts))?;
        match record.conversation.filter(|_| self.is_brief()) {
            Some(conversation) => writeln!(out, "{DIM}, conversation {conversation}{DIM:#}")?,
            None => writeln!(out)?,
        }
        if let Some(why) = settled.why.as_deref().filter(|_| result.reason.is_none()) {
            writeln!(out, "{INDENT}  {}", escape(why))?;
        }
        why(result, out)
    }

    /// Notes what a failure says about what to do next.
    fn note(&mut self, result: &AttemptResult) {
        self.unauthorized |= matches!(result.status, Some(401 | 403));
        self.refused |= result.outcome == AttemptOutcome::Refused;
    }

    fn handshake(&mut self, told: HandshakeView<'_>, out: &mut dyn Write) -> io::Result<()> {
        let HandshakeView { result, wrong, continues } = told;
        let Some(wrong) = wrong else {
            let line = line((GOOD, "✓"), "handshake", result, 1);
            return if self.detail == Detail::Quiet { Ok(()) } else { writeln!(out, "{line}") };
        };
        self.note(result);
        let then = if continues { "it is sent to all the same" } else { "nothing is sent to it" };
        writeln!(out, "{INDENT}{BAD}✗{BAD:#} handshake: {}; {then}", escape(wrong))?;
        why(result, out)
    }

    fn finished(&self, run: &RunFinished, out: &mut dyn Write) -> io::Result<()> {
        if self.is_brief() && self.wrong > MAX_WRONG {
            writeln!(out, "{INDENT}  … and {} more", self.wrong - MAX_WRONG)?;
        }
        let style = if run.verdict == Verdict::Passed { GOOD } else { BAD };
        let brief = self.run.as_ref().filter(|_| self.detail == Detail::Quiet);
        let what = brief.map(|run| format!(", {}", title(run))).unwrap_or_default();
        let mut requests = count(run.attempts, "request", "requests");
        if run.handshakes > 0 {
            let handshakes = count(run.handshakes, "handshake", "handshakes");
            requests = format!("{handshakes} and {requests}");
        }
        if self.detail != Detail::Quiet {
            writeln!(out)?;
        }
        writeln!(
            out,
            "{style}{}{style:#}{what}: {} of {} right {DIM}({requests}, {} ms){DIM:#}",
            run.verdict,
            run.passed,
            count(run.deliveries, "delivery", "deliveries"),
            run.duration_ms
        )?;
        if let Some(reason) = &run.reason {
            writeln!(out, "{}", escape(reason))?;
        }
        for also in &run.more_failures {
            writeln!(out, "{}", escape(also))?;
        }
        if self.detail != Detail::Quiet {
            let left = [(run.unsubscribed, "not subscribed to"), (run.skipped, "skipped")];
            for (number, what) in left.into_iter().filter(|(number, _)| *number > 0) {
                writeln!(out, "{DIM}{number} {what}{DIM:#}")?;
            }
            run.files.iter().try_for_each(|files| tell_files(files, out))?;
        }
        if run.verdict != Verdict::Passed {
            self.what_next(out)?;
        }
        Ok(())
    }

    /// What goes over the wire, as far as it is told.
    fn wire(&self, what: &RecordKind, out: &mut dyn Write) -> io::Result<()> {
        let verbose = self.detail == Detail::Verbose;
        match what {
            RecordKind::DeliveryPlanned { delivery, body, certainty, .. } => {
                if certainty != "documented" {
                    writeln!(
                        out,
                        "{INDENT}{DIM}~ its shape is {certainty}, not documented{DIM:#}"
                    )?;
                }
                if verbose {
                    writeln!(out, "{DIM}{INDENT}  {delivery}: {}{DIM:#}", escape(body))
                } else {
                    Ok(())
                }
            }
            RecordKind::HandshakeSent { body, .. } if verbose => {
                writeln!(out, "{DIM}{INDENT}  {}{DIM:#}", escape(body))
            }
            RecordKind::AttemptStarted { headers, .. } if verbose => {
                for (name, value) in headers {
                    writeln!(out, "{DIM}{INDENT}  {}: {}{DIM:#}", escape(name), escape(value))?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The next command to type.
    fn what_next(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(run) = &self.run else { return Ok(()) };
        let vendor = escape(&run.vendor);
        if let Some(url) = Url::parse(&run.url).ok().filter(|_| self.refused) {
            writeln!(out, "help: nothing listens at {url}; {}", start_one(&vendor, &url))?;
        }
        if let Some(hint) = &self.hint {
            compare(hint, out)?;
        }
        let is_open = self.hint.as_ref().is_some_and(|hint| hint.expected.is_empty());
        if self.unauthorized && !is_open {
            writeln!(
                out,
                "help: does the receiver have the credentials of `standin secrets {vendor}`?"
            )?;
        }
        writeln!(out, "again: {}", self.again.command(run))
    }
}

impl Report for ConsoleReport {
    fn record(&mut self, record: &Record, out: &mut dyn Write) -> io::Result<()> {
        match &record.kind {
            RecordKind::RunStarted(run) => self.started(run, out),
            RecordKind::RunFinished(run) => self.finished(run, out),
            RecordKind::HandshakeFinished { result, error: wrong, continues, .. } => {
                let told = HandshakeView { result, wrong: wrong.as_deref(), continues: *continues };
                self.handshake(told, out)
            }
            RecordKind::DeliverySettled(settled) => self.settled(record, settled, out),
            RecordKind::AuthHint(hint) => {
                self.hint = Some(hint.clone());
                Ok(())
            }
            RecordKind::ActionDropped { action, reason, .. } => {
                writeln!(
                    out,
                    "{INDENT}{BAD}✗{BAD:#} `{action}` could not be played: {}",
                    escape(reason)
                )
            }
            _ if self.is_brief() => Ok(()),
            RecordKind::ActionDone(action) => self.act(record, action, false, out),
            RecordKind::ActionImplied(action) => self.act(record, action, true, out),
            RecordKind::ActionSkipped { action, reason } => {
                let (after, reason) = (self.after(record), escape(reason));
                writeln!(
                    out,
                    "{DIM}{after}{DIM:#}  {NOTE}-{NOTE:#} `{action}` is left out: {reason}"
                )
            }
            RecordKind::ActionSilent { reason, .. } => {
                writeln!(out, "{INDENT}{DIM}- nothing is sent: {}{DIM:#}", escape(reason))
            }
            RecordKind::DeliveryUnsubscribed { event_type } => {
                let event_type = escape(event_type);
                writeln!(out, "{INDENT}{DIM}- {event_type} is not subscribed to{DIM:#}")
            }
            RecordKind::AttemptFinished { attempt, result, retry_in_ms: Some(delay), .. } => {
                let result = describe_result(result);
                writeln!(
                    out,
                    "{INDENT}{NOTE}↻{NOTE:#} attempt {attempt}: {result}, again in {delay} ms"
                )
            }
            RecordKind::GateChanged { gate, state } => {
                writeln!(out, "{INDENT}{NOTE}‖{NOTE:#} the {gate} is {state}")
            }
            what => self.wire(what, out),
        }
    }
}

/// A handshake as it is told.
#[derive(Clone, Copy)]
struct HandshakeView<'a> {
    result: &'a AttemptResult,
    wrong: Option<&'a str>,
    continues: bool,
}

fn tell_files(files: &FilesSummary, out: &mut dyn Write) -> io::Result<()> {
    let links = count(files.links, "link to a file", "links to files");
    match &files.unavailable {
        None => writeln!(out, "{DIM}{links}, {} fetched meanwhile{DIM:#}", files.fetched),
        Some(reason) => writeln!(
            out,
            "{NOTE}note:{NOTE:#} {links} lead nowhere: {}; choose another with `--files-port`",
            escape(reason)
        ),
    }
}

fn title(run: &RunStarted) -> String {
    format!("{} at {}", escape(&run.scenario), escape(&run.vendor))
}

/// Something sent and what became of it, in one line.
fn line((style, mark): (Style, &str), what: &str, result: &AttemptResult, attempts: u32) -> String {
    let tries = if attempts > 1 { format!(", attempt {attempts}") } else { String::new() };
    let (what, result, millis) = (escape(what), describe_result(result), result.duration_ms);
    format!("{INDENT}{style}{mark}{style:#} {what:<50} {result} {DIM}{millis} ms{tries}{DIM:#}")
}

/// What there is to say about what was met.
fn why(result: &AttemptResult, out: &mut dyn Write) -> io::Result<()> {
    if let Some(reason) = &result.reason {
        writeln!(out, "{INDENT}  {}", escape(reason))?;
    }
    if let Some(location) = &result.location {
        writeln!(out, "{INDENT}  it redirects to {}, which is not followed", escape(location))?;
    }
    if !result.body.is_empty() {
        writeln!(out, "{INDENT}  it said: {}", excerpt(&result.body, SHOWN))?;
    }
    Ok(())
}

/// The status, or what was met instead of one.
fn describe_result(result: &AttemptResult) -> String {
    match (result.outcome, result.status) {
        (AttemptOutcome::Responded, Some(status)) => status.to_string(),
        (outcome, _) => outcome.to_string(),
    }
}
