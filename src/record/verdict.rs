//! The verdict: a function of a run's records alone, so that a journal yields it again.

use std::collections::{BTreeMap, BTreeSet};

use super::coverage::TestCoverage;
use super::failure_group::FailureGroups;
use super::{
    AttemptOutcome, Origin, Record, RecordKind, RunFinished, SettledDelivery, SettledExpectation,
    SourceLine, UnexpectedCalls, Verdict,
};
use crate::base::text::count;
use crate::fault::FaultKind;

/// Unmet expectations that are described; the reason counts the others.
const MAX_UNMET: usize = 5;

/// Counts the records of a run and derives its verdict.
#[derive(Debug, Default)]
pub struct VerdictBuilder {
    deliveries: u64,
    settled: u64,
    passed: u64,
    handshakes: u64,
    probes: u64,
    attempts: u64,
    unsubscribed: u64,
    skipped: u64,
    expectations: u64,
    met: u64,
    /// The first expectations that were not met, each described in a line.
    unmet: Vec<String>,
    /// How calls that met no expectation affect the verdict.
    unexpected: Option<UnexpectedCalls>,
    /// The calls that have met no expectation, by number, if they matter.
    unmet_calls: BTreeMap<u64, String>,
    /// The controls that have not settled.
    controls: BTreeSet<String>,
    failed_controls: u64,
    /// The first failed control.
    control_error: Option<String>,
    /// What each endpoint has shown.
    endpoints: BTreeMap<u32, EndpointEvidence>,
    failures: FailureGroups,
    dropped_action: Option<String>,
    handshake_error: Option<String>,
    /// The first signature probe that the receiver did not reject.
    probe_error: Option<String>,
    coverage: TestCoverage,
    internal_error: Option<String>,
    /// A resource of this machine that ran out. The receiver is not to blame.
    local_error: Option<String>,
}

/// What the deliveries of an endpoint show about its receiver.
#[derive(Debug, Default)]
struct EndpointEvidence {
    /// Whether one was sent with a fault that the receiver need not accept.
    has_faults: bool,
    /// Whether one passed that the receiver had to accept.
    accepts: bool,
}

impl VerdictBuilder {
    /// Counts one record.
    pub fn count(&mut self, record: &Record) {
        self.coverage.count(record);
        match &record.kind {
            // A delivery that was dropped on purpose says nothing about the receiver.
            RecordKind::DeliveryPlanned { faults, .. } if faults.has(FaultKind::Drop) => {}
            RecordKind::DeliverySettled(settled) if settled.faults.has(FaultKind::Drop) => {}
            RecordKind::DeliveryPlanned { delivery, control, .. } => {
                self.deliveries += 1;
                if *control {
                    self.controls.insert(delivery.clone());
                }
            }
            // A replayed request was sent, and counted, before the run was interrupted.
            RecordKind::HandshakeSent { origin, .. } if *origin != Origin::Replayed => {
                self.handshakes += 1;
            }
            RecordKind::ProbeSent { origin, .. } if *origin != Origin::Replayed => {
                self.probes += 1;
            }
            RecordKind::ProbeFinished { result, .. }
                if result.outcome == AttemptOutcome::LocalError =>
            {
                self.local_error = self.local_error.take().or_else(|| result.reason.clone());
            }
            RecordKind::ProbeFinished { fault, why: Some(why), .. } => {
                self.probe_error.get_or_insert_with(|| format!("`{fault}`: {why}"));
            }
            RecordKind::AttemptStarted { origin, .. } if *origin != Origin::Replayed => {
                self.attempts += 1;
            }
            RecordKind::ActionDone(action) | RecordKind::ActionImplied(action) => {
                self.unsubscribed += action.unsubscribed.len() as u64;
            }
            RecordKind::ActionSkipped { .. } => self.skipped += 1,
            RecordKind::HandshakeFinished { error: Some(error), .. } => {
                self.handshake_error = Some(error.clone());
            }
            RecordKind::ActionDropped { action, reason, source } => {
                let at = location(source.as_ref());
                self.dropped_action
                    .get_or_insert_with(|| format!("{at}`{action}` could not be played: {reason}"));
            }
            RecordKind::DeliverySettled(settled) => self.settle(settled),
            RecordKind::ExpectationFinished(settled) => self.count_expectation(settled),
            RecordKind::RunStarted(started) => self.unexpected = started.unexpected,
            RecordKind::ReactionStarted { call, .. } => drop(self.unmet_calls.remove(call)),
            RecordKind::CallReceived(call) if call.is_noteworthy() && self.minds_calls() => {
                self.unmet_calls.insert(call.number, call.short_description());
            }
            _ => {}
        }
    }

    fn settle(&mut self, settled: &SettledDelivery) {
        self.settled += 1;
        if settled.result.outcome == AttemptOutcome::LocalError {
            self.local_error = self.local_error.take().or_else(|| settled.result.reason.clone());
        }
        let evidence = self.endpoints.entry(settled.endpoint).or_default();
        let expects_acceptance = settled.faults.expect_acceptance(settled.attempts);
        evidence.has_faults |= !expects_acceptance;
        evidence.accepts |= expects_acceptance && settled.passed;
        let is_control = self.controls.remove(&settled.delivery);
        self.passed += u64::from(settled.passed);
        if !is_control {
            self.failures.count(settled);
        } else if !settled.passed {
            self.failed_controls += 1;
            self.control_error.get_or_insert_with(|| describe(settled));
        }
    }

    fn count_expectation(&mut self, settled: &SettledExpectation) {
        if let Some(call) = settled.result.call {
            self.unmet_calls.remove(&call);
        }
        self.expectations += 1;
        self.met += u64::from(settled.passed);
        if let Some(why) = settled.why.as_ref().filter(|_| self.unmet.len() < MAX_UNMET) {
            let at = location(settled.source.as_ref());
            let (expectation, subject) = (&settled.request.expectation, settled.request.subject());
            self.unmet.push(format!("{at}`{expectation}` {subject}: {why}"));
        }
    }

    /// Returns whether calls matter that met no expectation.
    fn minds_calls(&self) -> bool {
        matches!(self.unexpected, Some(UnexpectedCalls::Strict | UnexpectedCalls::Warn))
    }

    /// Notes that standin itself failed. Such a run never passes.
    pub fn fail_internally(&mut self, reason: &str) {
        self.internal_error = Some(reason.to_owned());
    }

    /// The final record of a run that took this many milliseconds.
    pub fn finish(self, millis: u64) -> RunFinished {
        let (verdict, reason) = self.judge();
        RunFinished {
            verdict,
            reason,
            failures: self.failures.finish(),
            rejected_types: self.failures.rejected_types(),
            deliveries: self.deliveries,
            passed: self.passed,
            expectations: self.expectations,
            met: self.met,
            unmet: self.unmet.clone(),
            unexpected_calls: u64::try_from(self.unmet_calls.len()).unwrap_or(u64::MAX),
            unexpected: self.unmet_calls.values().take(MAX_UNMET).cloned().collect(),
            handshakes: self.handshakes,
            probes: self.probes,
            attempts: self.attempts,
            unsubscribed: self.unsubscribed,
            skipped: self.skipped,
            untested: self.coverage.untested(),
            files: None,
            local_error: self.local_error.is_some(),
            duration_ms: millis,
        }
    }

    fn judge(&self) -> (Verdict, Option<String>) {
        let failed = |reason: String| (Verdict::Failed, Some(reason));
        if let Some(reason) = &self.internal_error {
            return failed(format!("standin itself failed: {reason}"));
        }
        if let Some(reason) = &self.local_error {
            return failed(format!("standin could not send: {reason}"));
        }
        let handshake =
            self.handshake_error.as_ref().map(|error| format!("the handshake failed: {error}"));
        let probe =
            self.probe_error.as_ref().map(|error| format!("the signature probe failed: {error}"));
        let deliveries = self.failures.finish().first().map(|first| {
            let failed = self.settled - self.passed - self.failed_controls;
            let all = count(self.settled, "delivery", "deliveries");
            format!("{failed} of {all} failed. First: {first}")
        });
        let control = self
            .control_error
            .as_ref()
            .map(|error| format!("the control failed, so the faults show nothing: {error}"));
        let expectations = self.unmet.first().map(|first| {
            let (unmet, all) = (self.expectations - self.met, self.expectations);
            format!(
                "{unmet} of {} not met. First: {first}",
                count(all, "expectation", "expectations")
            )
        });
        let is_strict = self.unexpected == Some(UnexpectedCalls::Strict);
        let unexpected = self.unmet_calls.values().next().filter(|_| is_strict).map(|first| {
            let calls = count(self.unmet_calls.len(), "call", "calls");
            format!("{calls} met no expectation. First: {first}")
        });
        let is_inconclusive = control.is_some()
            && unexpected.is_none()
            && expectations.is_none()
            && handshake.is_none()
            && probe.is_none()
            && self.dropped_action.is_none();
        let reasons = [
            handshake,
            probe,
            self.dropped_action.clone(),
            control,
            deliveries,
            expectations,
            unexpected,
        ];
        let reasons: Vec<String> = reasons.into_iter().flatten().collect();
        if is_inconclusive {
            return (Verdict::Inconclusive, Some(reasons.join("; ")));
        }
        if !reasons.is_empty() {
            return failed(reasons.join("; "));
        }
        if self.settled < self.deliveries {
            return failed("not every delivery has settled".into());
        }
        if self.passed == 0 && self.met == 0 {
            let reason = "nothing was sent, so nothing about the receiver was shown";
            return (Verdict::Inconclusive, Some(reason.into()));
        }
        let lacks_control = |found: &EndpointEvidence| found.has_faults && !found.accepts;
        if self.endpoints.values().any(lacks_control) {
            let reason = "no delivery without a fault passed, so the faults show nothing";
            return (Verdict::Inconclusive, Some(reason.into()));
        }
        (Verdict::Passed, None)
    }
}

/// Describes a failed control in one line.
fn describe(settled: &SettledDelivery) -> String {
    let at = location(settled.source.as_ref());
    let why = settled.why.as_deref().unwrap_or("no reason was recorded");
    format!("{at}`{}` (delivery {}): {why}", settled.event_type, settled.delivery)
}

/// `file:line `, or nothing for a step that stands in no file.
fn location(source: Option<&SourceLine>) -> String {
    source.map(|source| format!("{source} ")).unwrap_or_default()
}
