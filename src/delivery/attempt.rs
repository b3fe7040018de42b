//! One attempt: waits for its slot and its stored record, then sends the request.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Delivery;
use super::engine::SentAttempt;
use super::slots::AttemptSlot;
use super::transport::{Request, Transport, WireFault};
use crate::base::fail_points;
use crate::fault::Faults;
use crate::policy::InDoubt;
use crate::record::{AttemptOutcome, AttemptResult, Method, Origin, PendingWrite, PriorAttempts};

/// Reason of an attempt that was not sent because the journal could not store its record.
pub const NOT_COMMITTED: &str = "not sent: the journal could not store the attempt";

/// An attempt that is about to be sent.
pub(super) struct Attempt {
    pub(super) request: Request,
    /// The stored result of an attempt that is not sent again.
    pub(super) stored: Option<AttemptResult>,
    /// How long a fault delays the request.
    pub(super) lag: Option<Duration>,
}

impl Attempt {
    /// Creates the request of a delivery to a URL. `faults` are those of the attempt.
    pub(super) fn request(
        delivery: &Delivery,
        faults: &Faults,
        method: Method,
        url: url::Url,
        headers: Vec<(String, String)>,
    ) -> Request {
        let options = &delivery.endpoint.options;
        let body = if method == Method::Post { Arc::clone(&delivery.body) } else { "".into() };
        Request {
            method,
            url,
            headers,
            body,
            connect: options.connect(&delivery.policy),
            total: options.total(&delivery.policy),
            fault: WireFault::of(faults),
            options: Arc::clone(options),
        }
    }

    /// Sends the request once its record is stored, and returns the result.
    pub(super) async fn send<T: Transport>(
        self,
        transport: Arc<T>,
        intent: PendingWrite,
        _slot: AttemptSlot,
    ) -> AttemptResult {
        // The journal must know of the attempt before the receiver does, or a crash would lose it.
        if !intent.committed().await {
            return unsent(NOT_COMMITTED);
        }
        fail_points::hit("intent");
        let result = match self.stored {
            Some(result) => result,
            None => {
                if let Some(lag) = self.lag {
                    sleep(lag).await;
                }
                transport.send(self.request).await
            }
        };
        fail_points::hit("met");
        result
    }
}

/// Returns the origin of an attempt and, if it is not sent again, its result.
pub(super) fn prior_result(
    prior: &PriorAttempts,
    delivery: &Delivery,
    sent: SentAttempt,
) -> (Origin, Option<AttemptResult>) {
    let (origin, result) = match prior.attempt(&delivery.id, sent.attempt, sent.hop) {
        Ok(found) => found,
        // Neither sent again nor passed: the receiver has got the request, with whatever result.
        Err(reason) => (Origin::Replayed, Some(unreadable(&reason))),
    };
    let is_reported = origin == Origin::Recovered && delivery.policy.in_doubt == InDoubt::Report;
    (origin, is_reported.then(in_doubt).or(result))
}

fn in_doubt() -> AttemptResult {
    let reason =
        "it may have been sent before the run was interrupted; this vendor never sends twice";
    AttemptResult::failure(AttemptOutcome::InDoubt, reason, 0)
}

fn unreadable(reason: &str) -> AttemptResult {
    let reason = format!("its result cannot be read from the journal: {reason}");
    AttemptResult::failure(AttemptOutcome::LocalError, &reason, 0)
}

/// The result of an attempt that could not be sent.
pub(super) fn unsent(reason: &str) -> AttemptResult {
    AttemptResult::failure(AttemptOutcome::Unsendable, reason, 0)
}
