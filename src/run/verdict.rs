//! The verdict: a function of a run's records and of what the scenario calls right.

use std::sync::Arc;

use crate::base::text::count;
use crate::fault::FaultKind;
use crate::policy::StatusSet;
use crate::record::{
    AttemptOutcome, AttemptResult, Origin, Record, RecordKind, RunFinished, SettledDelivery,
    Verdict,
};
use crate::scenario::Script;

/// How many wrong deliveries are told one by one.
const MAX_TOLD: usize = 5;

/// Counts a run's records.
#[derive(Debug)]
pub struct VerdictBuilder {
    right_statuses: StatusCheck,
    deliveries: u64,
    settled: u64,
    right: u64,
    handshakes: u64,
    attempts: u64,
    unsubscribed: u64,
    skipped: u64,
    script: Arc<Script>,
    /// What is wrong with deliveries, as far as it is told.
    wrong: Vec<String>,
    dropped: Option<String>,
    handshake: Option<String>,
    broke: Option<String>,
}

impl VerdictBuilder {
    /// Nothing counted yet. The script may say which statuses are right; `success` are those that
    /// the vendor accepts.
    pub fn new(script: &Arc<Script>, success: StatusSet) -> Self {
        Self {
            right_statuses: StatusCheck { verify: script.verify.clone(), success },
            script: Arc::clone(script),
            deliveries: 0,
            settled: 0,
            right: 0,
            handshakes: 0,
            attempts: 0,
            unsubscribed: 0,
            skipped: 0,
            wrong: Vec::new(),
            dropped: None,
            handshake: None,
            broke: None,
        }
    }

    /// Counts a record.
    pub fn count(&mut self, record: &Record) {
        match &record.kind {
            // What is not sent on purpose shows nothing about the receiver.
            RecordKind::DeliveryPlanned { faults, .. } if faults.has(FaultKind::Drop) => {}
            RecordKind::DeliverySettled(settled) if settled.faults.has(FaultKind::Drop) => {}
            RecordKind::DeliveryPlanned { .. } => self.deliveries += 1,
            RecordKind::HandshakeSent { origin, .. } if *origin != Origin::Replayed => {
                self.handshakes += 1;
            }
            RecordKind::AttemptStarted { origin, .. } if *origin != Origin::Replayed => {
                self.attempts += 1;
            }
            RecordKind::DeliveryUnsubscribed { .. } => self.unsubscribed += 1,
            RecordKind::ActionSkipped { .. } => self.skipped += 1,
            RecordKind::HandshakeFinished { error: Some(wrong), .. } => {
                self.handshake = Some(wrong.clone());
            }
            RecordKind::ActionDropped { action, reason } => {
                let location = self.location(record);
                self.dropped.get_or_insert_with(|| {
                    format!("`{action}` could not be played{location}: {reason}")
                });
            }
            RecordKind::DeliverySettled(settled) => {
                self.settled += 1;
                match self.right_statuses.wrong(settled) {
                    None => self.right += 1,
                    Some(wrong) if self.wrong.len() < MAX_TOLD => {
                        let wrong = format!("{}: {wrong}", self.location(record));
                        self.wrong.push(wrong);
                    }
                    Some(_) => {}
                }
            }
            _ => {}
        }
    }

    /// Where the step of a record stands, as ` at story.toml:14:1`.
    fn location(&self, record: &Record) -> String {
        let is_told = !self.script.only_last; // the steps of `send` stand in no file
        let number = record.step.filter(|_| is_told);
        let step = self.script.steps.iter().find(|step| Some(step.number) == number);
        step.map(|step| format!(" at {}", step.span.short())).unwrap_or_default()
    }

    /// Notes that the engine itself broke; such a run is never green.
    pub fn broke(&mut self, reason: &str) {
        self.broke = Some(reason.to_owned());
    }

    /// The end of the run, which took so long.
    pub fn finish(self, millis: u64) -> RunFinished {
        let (verdict, reason) = self.judge();
        let also = self.wrong.iter().skip(1).map(|wrong| format!("also{wrong}"));
        RunFinished {
            verdict,
            reason,
            more_failures: also.collect(),
            deliveries: self.deliveries,
            passed: self.right,
            handshakes: self.handshakes,
            attempts: self.attempts,
            unsubscribed: self.unsubscribed,
            skipped: self.skipped,
            files: None,
            duration_ms: millis,
        }
    }

    fn judge(&self) -> (Verdict, Option<String>) {
        let failed = |reason: String| (Verdict::Failed, Some(reason));
        if let Some(reason) = &self.broke {
            return failed(format!("standin itself broke: {reason}"));
        }
        let handshake =
            self.handshake.as_ref().map(|wrong| format!("the handshake failed: {wrong}"));
        let wrong = self.wrong.first().map(|first| {
            let wrong = usize::try_from(self.settled - self.right).unwrap_or(usize::MAX);
            let many = count(wrong, "delivery was", "deliveries were");
            format!("{many} not right; the first{first}")
        });
        let reasons: Vec<String> =
            [handshake, self.dropped.clone(), wrong].into_iter().flatten().collect();
        if !reasons.is_empty() {
            return failed(reasons.join("; "));
        }
        if self.settled < self.deliveries {
            return failed("not every delivery has settled".into());
        }
        if self.right == 0 {
            return (Verdict::Inconclusive, Some("nothing was sent, so nothing was shown".into()));
        }
        (Verdict::Passed, None)
    }
}

/// Which answers are right.
#[derive(Debug)]
struct StatusCheck {
    verify: Option<StatusSet>,
    success: StatusSet,
}

impl StatusCheck {
    /// What is wrong with how a delivery ended, if anything.
    fn wrong(&self, settled: &SettledDelivery) -> Option<String> {
        let (status, faults) = (settled.result.final_status(), &settled.faults);
        let what = if faults.is_empty() {
            format!("`{}`", settled.event_type)
        } else {
            format!("`{}` with the fault `{faults}`", settled.event_type)
        };
        let result = met_in_words(&settled.result);
        if let Some(right) = faults.judge(status, settled.attempts) {
            let expected = faults.expects(settled.attempts);
            return (!right).then(|| format!("{what} {result}; a good receiver {expected}"));
        }
        let is_in = |set: &StatusSet| status.is_some_and(|status| set.contains(status));
        let wanted = match &self.verify {
            Some(verify) if !is_in(verify) => format!("the scenario wants {verify}"),
            None if !settled.accepted => format!("the vendor accepts {}", self.success),
            None if !is_in(&StatusSet::good()) => format!("right is {}", StatusSet::good()),
            _ => return None,
        };
        let wanted = status.map(|_| format!("; {wanted}")).unwrap_or_default();
        Some(format!("{what} {result}{wanted}"))
    }
}

fn met_in_words(result: &AttemptResult) -> String {
    match (result.outcome, result.status, &result.location, &result.reason) {
        (AttemptOutcome::Responded, Some(status), Some(location), _) => {
            format!("was answered with status {status}, a redirect to `{location}`")
        }
        (AttemptOutcome::Responded, Some(status), None, _) => {
            format!("was answered with status {status}")
        }
        (outcome, _, _, Some(reason)) => format!("met no answer ({outcome}): {reason}"),
        (outcome, ..) => format!("met no answer ({outcome})"),
    }
}
