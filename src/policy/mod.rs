//! Delivery policies: what counts as success, when to retry, and what a failure blocks.
//!
//! A policy is pure data: each decision depends only on the policy and the results of attempts.
//! `delivery` does the waiting and sending.

mod backoff;
mod status;
mod wire;

use jiff::SignedDuration;
use rand::rngs::ChaCha8Rng;
use serde::Serialize;

pub use backoff::{Backoff, retry_after};
pub use status::{InvalidStatus, StatusSet};
pub use wire::WireFormat;

use crate::base::limits::MAX_ATTEMPTS;
use crate::record::AttemptResult;

/// Delivery policy of a vendor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Policy {
    /// Statuses that the vendor counts as success.
    pub success: StatusSet,
    /// Words in the content type of a response that make it a failure, in lower case.
    pub failing_types: Vec<String>,
    /// Maximum number of redirects to follow per attempt.
    pub redirects: u32,
    /// Limit of retries.
    pub retry: Retry,
    /// Delays between attempts.
    pub backoff: Backoff,
    /// Scope that a failed delivery blocks.
    pub blocks: Blocks,
    /// Maximum time that a delivery waits for blocked deliveries before it; `None` waits until they
    /// are settled.
    pub hold: Option<SignedDuration>,
    /// Conditions that disable an endpoint.
    pub disable: Disable,
    /// Handling of an attempt that may have been sent before the run was interrupted.
    pub in_doubt: InDoubt,
    /// Timeout for the connection.
    pub connect: SignedDuration,
    /// Timeout for the whole attempt.
    pub total: SignedDuration,
}

/// Limit of the retries of a failed delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Retry {
    /// No retries.
    None,
    /// Maximum number of retries.
    Count(u32),
    /// Maximum time since the delivery was due.
    Retention(SignedDuration),
}

crate::string_enum! {
    /// Scope that a failed delivery blocks until it is settled.
    pub enum Blocks {
        /// Nothing: other deliveries are sent, possibly out of order.
        Nothing = "nothing",
        /// Later deliveries of the same conversation.
        Conversation = "conversation",
        /// All deliveries to the same endpoint.
        Endpoint = "endpoint",
        /// All deliveries to all endpoints of the account.
        Account = "account",
    }
}

crate::string_enum! {
    /// Handling of an attempt that may have been sent before an interruption.
    pub enum InDoubt {
        /// Send it again, possibly twice in total.
        Resend = "resend",
        /// Report it as failed.
        Report = "report",
    }
}

/// Conditions that disable an endpoint, so that nothing more is sent to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Disable {
    /// Statuses that disable it immediately.
    pub statuses: StatusSet,
    /// Number of consecutive deliveries that failed after all retries.
    pub after: Option<u32>,
}

/// Decision after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryDecision {
    /// The delivery succeeded.
    Done,
    /// Retry after this delay.
    Retry(SignedDuration),
    /// The delivery failed.
    GiveUp,
}

impl Policy {
    /// Returns true if the vendor counts the result as success.
    pub fn accepts(&self, result: &AttemptResult) -> bool {
        let content_type = result.header("content-type").unwrap_or_default().to_ascii_lowercase();
        result.final_status().is_some_and(|status| self.success.contains(status))
            && !self.failing_types.iter().any(|word| content_type.contains(word.as_str()))
    }

    /// Decides what to do after an attempt.
    ///
    /// `attempt` is counted from 1, and `waited` is the time since the delivery was due. `rng` is
    /// called only if the backoff has jitter.
    pub fn next(
        &self,
        attempt: u32,
        waited: SignedDuration,
        result: &AttemptResult,
        rng: impl FnOnce() -> ChaCha8Rng,
    ) -> RetryDecision {
        if self.accepts(result) {
            return RetryDecision::Done;
        }
        let delay = self.backoff.delay(attempt, result, rng);
        let can_retry = match self.retry {
            _ if attempt >= MAX_ATTEMPTS => false,
            Retry::None => false,
            Retry::Count(times) => attempt <= times,
            // Checked with the delay: a retry after the end of the retention would never be sent.
            Retry::Retention(_) => !self.is_expired(waited.saturating_add(delay)),
        };
        if can_retry { RetryDecision::Retry(delay) } else { RetryDecision::GiveUp }
    }

    /// Returns true if the retention has ended this long after the delivery was due.
    pub fn is_expired(&self, waited: SignedDuration) -> bool {
        matches!(self.retry, Retry::Retention(within) if waited > within)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng as _;

    use super::*;
    use crate::base::duration::DurationRange;
    use crate::base::limits::MIN_RETRY_DELAY;
    use crate::record::AttemptOutcome;

    const SECOND: SignedDuration = SignedDuration::from_secs(1);

    fn policy(retry: Retry, backoff: Backoff) -> Policy {
        Policy {
            success: StatusSet::parse(["200", "201"]).unwrap(),
            failing_types: vec!["xml".into()],
            redirects: 0,
            retry,
            backoff,
            blocks: Blocks::Conversation,
            hold: None,
            disable: Disable::default(),
            in_doubt: InDoubt::Resend,
            connect: SECOND,
            total: SECOND,
        }
    }

    fn response(status: u16, headers: &[(&str, &str)]) -> AttemptResult {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        AttemptResult {
            outcome: AttemptOutcome::Responded,
            status: Some(status),
            headers: headers.collect(),
            ..AttemptResult::failure(AttemptOutcome::Responded, "", 1)
        }
    }

    /// Returns the times of all attempts at a receiver that never accepts, in seconds.
    fn schedule(policy: &Policy, result: &AttemptResult) -> Vec<i64> {
        let (mut times, mut waited) = (vec![0], SignedDuration::ZERO);
        // More attempts than any policy in these tests makes, so that a mistake cannot hang them.
        for attempt in 1..100_000 {
            match policy.next(attempt, waited, result, || ChaCha8Rng::seed_from_u64(1)) {
                RetryDecision::Retry(delay) => waited += delay,
                _ => return times,
            }
            times.push(waited.as_secs());
        }
        times
    }

    #[test]
    fn without_retries_a_failure_ends_the_delivery() {
        let policy = policy(Retry::None, Backoff::default());
        let rng = || ChaCha8Rng::seed_from_u64(1);
        let next = |result: &AttemptResult| policy.next(1, SignedDuration::ZERO, result, rng);
        assert_eq!(next(&response(201, &[])), RetryDecision::Done);
        assert_eq!(next(&response(204, &[])), RetryDecision::GiveUp);
        assert_eq!(
            next(&AttemptResult::failure(AttemptOutcome::Reset, "", 1)),
            RetryDecision::GiveUp
        );
        assert_eq!(next(&response(200, &[("Content-Type", "Text/XML")])), RetryDecision::GiveUp);
    }

    #[test]
    fn a_retention_without_a_delay_ends() {
        let retention = Retry::Retention(SignedDuration::from_hours(72));
        for factor in [0, 1] {
            let backoff = Backoff { factor, ..Backoff::fixed(SignedDuration::ZERO) };
            let times = schedule(&policy(retention, backoff), &response(500, &[]));
            assert_eq!(times.len(), usize::try_from(MAX_ATTEMPTS).unwrap(), "factor {factor}");
        }
    }

    #[test]
    fn jitter_varies_with_the_seed_within_its_range() {
        let jitter = DurationRange { low: SECOND, high: SignedDuration::from_secs(100) };
        let backoff = Backoff { jitter, ..Backoff::fixed(SECOND) };
        let result = response(500, &[]);
        let delay = |seed| backoff.delay(1, &result, || ChaCha8Rng::seed_from_u64(seed));
        assert!((2..10).any(|seed| delay(seed) != delay(1)));
        assert!((1..10).all(|seed| (2..=101).contains(&delay(seed).as_secs())));
    }

    #[test]
    fn a_retry_count_excludes_the_first_attempt() {
        let backoff = Backoff::fixed(SignedDuration::from_secs(30));
        let policy = policy(Retry::Count(5), backoff);
        assert_eq!(schedule(&policy, &response(500, &[])), [0, 30, 60, 90, 120, 150]);
    }

    #[test]
    fn three_days_of_doubling_delays_capped_at_five_minutes_are_871_attempts() {
        let cap = SignedDuration::from_secs(300);
        let backoff = Backoff { factor: 2, cap, ..Backoff::fixed(SECOND * 2) };
        let policy = policy(Retry::Retention(SignedDuration::from_hours(72)), backoff);
        let times = schedule(&policy, &response(503, &[]));
        assert_eq!(times[..11], [0, 2, 6, 14, 30, 62, 126, 254, 510, 810, 1110]);
        assert_eq!((times.len(), times.last()), (871, Some(&259_110)));
    }

    #[test]
    fn retry_after_is_clamped_and_ignored_by_default() {
        let hour = SignedDuration::from_hours(1);
        let honours = Backoff { retry_after: Some(hour), ..Backoff::fixed(SECOND) };
        let date = [
            ("retry-after", "Mon, 05 Jan 2026 09:00:30 GMT"),
            ("date", "Mon, 05 Jan 2026 09:00:00 GMT"),
        ];
        let check = |backoff, headers: &[(&str, &str)], expected: i64| {
            let policy = policy(Retry::Count(1), backoff);
            let times = schedule(&policy, &response(429, headers));
            assert_eq!(times, [0, expected], "{headers:?}");
        };
        check(honours, &[("Retry-After", "120")], 120);
        check(honours, &[("Retry-After", " 7 ")], 7);
        check(honours, &[("Retry-After", "0")], 1);
        check(honours, &[("Retry-After", "999999999999999999999")], 3600);
        check(honours, &[("Retry-After", "999999999")], 3600);
        for invalid in ["-5", "NaN", "1e3", "", "soon", "1.5"] {
            check(honours, &[("Retry-After", invalid)], 1);
        }
        check(honours, &date, 30);
        check(honours, &date[..1], 1);
        check(Backoff::fixed(SECOND), &[("Retry-After", "120")], 1);
    }

    proptest! {
        #[test]
        fn every_delay_stays_within_its_limits(
            times in 0_u32..50, first in 0_i64..100_000, factor in 0_u32..10, cap in 0_i64..100_000,
            low in 0_i64..5_000, wide in 0_i64..5_000, clamp in 0_i64..100_000,
            header in "(-?[0-9]{0,25}|[ -~]{0,20})", attempt in 1_u32.., waited in 0_i64..1_000_000,
            within in 0_i64..1_000_000, seed: u64,
        ) {
            let millis = SignedDuration::from_millis;
            let jitter = DurationRange { low: millis(low), high: millis(low + wide) };
            let (delay, cap, clamp) = (millis(first), millis(cap), millis(clamp));
            let backoff = Backoff { delay, factor, cap, jitter, retry_after: Some(clamp) };
            let result = response(503, &[("Retry-After", &header)]);
            let longest = (delay.max(cap).max(clamp) + jitter.high).max(MIN_RETRY_DELAY);
            let next = |retry| {
                let rng = || ChaCha8Rng::seed_from_u64(seed);
                policy(retry, backoff).next(attempt, millis(waited), &result, rng)
            };
            match next(Retry::Count(times)) {
                RetryDecision::Retry(delay) => {
                    prop_assert!(attempt <= times && delay >= MIN_RETRY_DELAY);
                    prop_assert!(jitter.low <= delay && delay <= longest, "{delay:?}");
                }
                next => prop_assert!(
                    next == RetryDecision::GiveUp && (attempt > times || attempt >= MAX_ATTEMPTS)
                ),
            }
            if let RetryDecision::Retry(delay) = next(Retry::Retention(millis(within))) {
                prop_assert!(millis(waited) + delay <= millis(within));
                prop_assert_eq!(next(Retry::Retention(millis(within))), RetryDecision::Retry(delay));
            }
            prop_assert_eq!(next(Retry::None), RetryDecision::GiveUp);
        }
    }
}
