//! Limits of a run: when it ends before its script does, because its failure is certain.

use std::collections::HashMap;
use std::time::Duration;

use super::failure_signal::FailureSignal;
use crate::base::fast_map::FastMap;
use crate::base::text::count;
use crate::record::{AttemptOutcome, Record, RecordKind};

/// When a run ends early. Without limits it plays to its end.
#[derive(Clone, Debug, Default)]
pub struct RunLimits {
    /// The number of failed deliveries and unmet expectations that ends the run.
    pub max_failures: Option<u64>,
    /// The number of consecutive timeouts at one endpoint that ends the run.
    pub max_timeouts: Option<u32>,
    /// The wall time after which the run ends.
    pub deadline: Option<Duration>,
    /// How long a run without endpoints waits until a call subscribes one; `None` for a run that does not
    /// wait.
    pub subscribed_within: Option<Duration>,
    /// Says that the run has failed for another reason.
    pub failure: FailureSignal,
}

/// Counts what the limits are about.
#[derive(Debug, Default)]
pub(super) struct LimitCounter {
    limits: RunLimits,
    failures: u64,
    /// Endpoints of the deliveries that have not settled.
    endpoints: HashMap<String, u32>,
    /// Consecutive timeouts by endpoint.
    timeouts: FastMap<u32, u32>,
}

impl LimitCounter {
    pub(super) fn new(limits: RunLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Waits until something else decides that the run has failed. Returns the reason.
    pub(super) async fn failed(&self) -> String {
        self.limits.failure.given().await
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.limits.deadline
    }

    /// Counts a record. Returns why the run ends, if it reaches a limit.
    pub(super) fn count(&mut self, record: &Record) -> Option<String> {
        match &record.kind {
            RecordKind::DeliveryPlanned { delivery, endpoint, .. } => {
                self.endpoints.insert(delivery.clone(), *endpoint);
                None
            }
            RecordKind::AttemptFinished { delivery, result, .. } => {
                let endpoint = self.endpoints.get(delivery).copied().unwrap_or_default();
                self.count_timeout(endpoint, result.outcome)
            }
            RecordKind::DeliverySettled(settled) => {
                // Keeps the map as small as the number of pending deliveries.
                self.endpoints.remove(&settled.delivery);
                if settled.passed { None } else { self.count_failure() }
            }
            RecordKind::ExpectationFinished(settled) if !settled.passed => self.count_failure(),
            _ => None,
        }
    }

    fn count_failure(&mut self) -> Option<String> {
        self.failures += 1;
        let limit = self.limits.max_failures?;
        // More deliveries than the limit can fail: those in flight still settle.
        (self.failures >= limit).then(|| {
            let failures = count(self.failures, "failure", "failures");
            format!("stopped after {failures}")
        })
    }

    fn count_timeout(&mut self, endpoint: u32, outcome: AttemptOutcome) -> Option<String> {
        let timeouts = self.timeouts.entry(endpoint).or_default();
        if !matches!(
            outcome,
            AttemptOutcome::TimeoutConnect
                | AttemptOutcome::TimeoutHead
                | AttemptOutcome::TimeoutBody
        ) {
            // Any response, even an error, and a refused connection cost no time.
            *timeouts = 0;
            return None;
        }
        *timeouts += 1;
        let is_reached = self.limits.max_timeouts.is_some_and(|limit| *timeouts >= limit);
        is_reached.then(|| {
            let timeouts = count(*timeouts, "timeout", "consecutive timeouts");
            format!("stopped after {timeouts} of endpoint {endpoint}")
        })
    }
}
