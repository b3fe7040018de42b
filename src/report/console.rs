//! Records for somebody who watches a terminal.
//!
//! One conversation is told in full. Of many only what went wrong is told, and the end.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use super::Report;
use crate::base::text::{count, escape, excerpt};
use crate::record::{
    ActTold, Met, Outcome, Record, RunFinished, RunStarted, Settled, Verdict, What,
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
pub struct Console {
    detail: Detail,
    told: Detail,
    start: Timestamp,
    wrong: usize,
}

/// Wrong deliveries that are told one by one when there are many conversations.
const MAX_WRONG: usize = 10;
/// Characters of an answer that are shown.
const SHOWN: usize = 200;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const NOTE: Style = AnsiColor::Yellow.on_default();

impl Console {
    /// A report that tells this much.
    pub fn new(detail: Detail) -> Self {
        Self { detail, told: detail, start: Timestamp::UNIX_EPOCH, wrong: 0 }
    }

    fn started(&mut self, run: &RunStarted, out: &mut dyn Write) -> io::Result<()> {
        self.start = run.start;
        self.wrong = 0;
        self.told = if run.conversations > 1 { Detail::Quiet } else { self.detail };
        let many = usize::try_from(run.conversations).unwrap_or(usize::MAX);
        writeln!(
            out,
            "{BOLD}{}{BOLD:#} at {BOLD}{}{BOLD:#}, {} to {}",
            escape(&run.scenario),
            run.vendor,
            count(many, "conversation", "conversations"),
            run.url
        )?;
        writeln!(out, "{DIM}seed {}, start {}, {} clock{DIM:#}", run.seed, run.start, run.clock)?;
        if let Some(differs) = &run.differs {
            writeln!(out, "{NOTE}note:{NOTE:#} {differs}")?;
        }
        writeln!(out)
    }

    fn act(
        &self,
        record: &Record,
        act: &ActTold,
        implied: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let after = record.run_time.duration_since(self.start).as_secs_f64();
        let mark = if implied { " (implied)" } else { "" };
        let told = escape(&act.told);
        writeln!(
            out,
            "{DIM}{after:>9.3} s{DIM:#}  {BOLD}{:<8}{BOLD:#} {told}{DIM}{mark}{DIM:#}",
            act.by
        )
    }
}

impl Report for Console {
    fn tell(&mut self, record: &Record, out: &mut dyn Write) -> io::Result<()> {
        match &record.what {
            What::RunStarted(run) => return self.started(run, out),
            What::RunFinished(run) => return finished(run, out),
            What::HandshakeAnswered { met, wrong, goes_on, .. } => {
                return handshake(met, wrong.as_deref(), *goes_on, out);
            }
            What::DeliverySettled(settled) if !settled.accepted => {
                self.wrong += 1;
                if self.told == Detail::Quiet && self.wrong > MAX_WRONG {
                    return Ok(());
                }
                return settled_line(settled, out);
            }
            _ if self.told == Detail::Quiet => return Ok(()),
            _ => {}
        }
        match &record.what {
            What::ActDone(act) => self.act(record, act, false, out),
            What::ActImplied(act) => self.act(record, act, true, out),
            What::DeliverySettled(settled) => settled_line(settled, out),
            What::ActSkipped { act, reason } => {
                writeln!(
                    out,
                    "             {NOTE}-{NOTE:#} `{act}` is left out: {}",
                    escape(reason)
                )
            }
            What::ActDropped { act, reason } => {
                writeln!(
                    out,
                    "             {BAD}✗{BAD:#} `{act}` could not be played: {}",
                    escape(reason)
                )
            }
            What::ActSilent { reason, .. } => {
                writeln!(out, "             {DIM}- nothing is sent: {}{DIM:#}", escape(reason))
            }
            What::DeliveryUnsubscribed { event_type } => {
                writeln!(out, "             {DIM}- {event_type} is not subscribed to{DIM:#}")
            }
            What::DeliveryPlanned { body, certainty, .. } => {
                if certainty != "documented" {
                    writeln!(
                        out,
                        "             {DIM}~ its shape is {certainty}, not documented{DIM:#}"
                    )?;
                }
                if self.told == Detail::Verbose {
                    writeln!(out, "{DIM}               {}{DIM:#}", escape(body))?;
                }
                Ok(())
            }
            What::AttemptStarted { headers, .. } if self.told == Detail::Verbose => {
                for (name, value) in headers {
                    writeln!(
                        out,
                        "{DIM}               {}: {}{DIM:#}",
                        escape(name),
                        escape(value)
                    )?;
                }
                Ok(())
            }
            What::AttemptFinished { attempt, met, retry_in_ms: Some(delay), .. } => {
                writeln!(
                    out,
                    "             {NOTE}↻{NOTE:#} attempt {attempt}: {}, again in {delay} ms",
                    result(met)
                )
            }
            _ => Ok(()),
        }
    }
}

fn handshake(met: &Met, wrong: Option<&str>, goes_on: bool, out: &mut dyn Write) -> io::Result<()> {
    match wrong {
        None => writeln!(
            out,
            "             {GOOD}✓{GOOD:#} {:<50} {} {DIM}{} ms{DIM:#}",
            "handshake",
            result(met),
            met.millis
        ),
        Some(wrong) => {
            let then = if goes_on { "it is sent to all the same" } else { "nothing is sent to it" };
            writeln!(out, "             {BAD}✗{BAD:#} handshake: {}; {then}", escape(wrong))
        }
    }
}

/// The status, or what was met instead of one.
fn result(met: &Met) -> String {
    match (met.outcome, met.status) {
        (Outcome::Answered, Some(status)) => status.to_string(),
        (outcome, _) => outcome.to_string(),
    }
}

fn why(met: &Met, out: &mut dyn Write) -> io::Result<()> {
    if let Some(reason) = &met.reason {
        writeln!(out, "               {}", escape(reason))?;
    }
    if let Some(location) = &met.location {
        writeln!(
            out,
            "               it redirects to {}, which is not followed",
            escape(location)
        )?;
    }
    if !met.answer.is_empty() {
        writeln!(out, "               it said: {}", excerpt(&met.answer, SHOWN))?;
    }
    Ok(())
}

fn finished(run: &RunFinished, out: &mut dyn Write) -> io::Result<()> {
    let style = if run.verdict == Verdict::Passed { GOOD } else { BAD };
    let deliveries = usize::try_from(run.deliveries).unwrap_or(usize::MAX);
    writeln!(
        out,
        "\n{style}{}{style:#}: {} of {} right, {} in {} ms",
        run.verdict,
        run.right,
        count(deliveries, "delivery", "deliveries"),
        count(usize::try_from(run.attempts).unwrap_or(usize::MAX), "request", "requests"),
        run.millis
    )?;
    if let Some(reason) = &run.reason {
        writeln!(out, "{}", escape(reason))?;
    }
    let left = [(run.unsubscribed, "not subscribed to"), (run.skipped, "skipped")];
    for (number, what) in left.into_iter().filter(|(number, _)| *number > 0) {
        writeln!(out, "{DIM}{number} {what}{DIM:#}")?;
    }
    writeln!(out)
}

fn settled_line(settled: &Settled, out: &mut dyn Write) -> io::Result<()> {
    let met = &settled.met;
    let tries = if settled.attempts > 1 {
        format!(", attempt {}", settled.attempts)
    } else {
        String::new()
    };
    let (style, mark) = if settled.accepted { (GOOD, "✓") } else { (BAD, "✗") };
    writeln!(
        out,
        "             {style}{mark}{style:#} {:<50} {} {DIM}{} ms{tries}{DIM:#}",
        settled.event_type,
        result(met),
        met.millis
    )?;
    if !settled.accepted {
        why(met, out)?;
    }
    Ok(())
}
