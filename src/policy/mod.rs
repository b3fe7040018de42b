//! Delivery rules as data: what counts as success, when to try again, what a failure holds up.
//!
//! Pure: what to do next follows from the rules and from what the attempts met. Waiting and
//! sending are left to `delivery`.

mod backoff;
mod status;

use jiff::SignedDuration;
use rand::rngs::ChaCha8Rng;

pub use backoff::{Backoff, retry_after};
pub use status::{InvalidStatus, StatusSet};

use crate::record::AttemptResult;

/// How a vendor treats one delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Which answers end a delivery well, in the vendor's eyes.
    pub success: StatusSet,
    /// Words in an answer's content type that make it a failure all the same.
    pub failing_types: Vec<String>,
    /// How many redirects of one attempt are followed.
    pub redirects: u32,
    /// How long a failed delivery is tried again.
    pub retry: Retry,
    /// When it is tried again.
    pub backoff: Backoff,
    /// What a failure holds up.
    pub blocks: Blocks,
    /// How long a delivery is held for what was parked before it; until that is through without
    /// this.
    pub hold: Option<SignedDuration>,
    /// What switches an endpoint off.
    pub disable: Disable,
    /// What becomes of an attempt that may have gone out before the run was interrupted.
    pub in_doubt: InDoubt,
    /// How long a connection may take to be made.
    pub connect: SignedDuration,
    /// How long an attempt may take as a whole.
    pub total: SignedDuration,
}

/// How long a failed delivery is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Never.
    None,
    /// So many times more.
    Count(u32),
    /// For so long after it was due.
    Retention(SignedDuration),
}

crate::string_enum! {
    /// What a failure holds up until the delivery has settled.
    pub enum Blocks {
        /// Nothing: others pass, and the order is lost.
        Nothing = "nothing",
        /// What comes later in the same conversation.
        Conversation = "conversation",
        /// Everything for the same endpoint.
        Endpoint = "endpoint",
        /// Everything for every endpoint of the account.
        Account = "account",
    }
}

crate::string_enum! {
    /// What becomes of an attempt of which nobody knows whether it went out.
    pub enum InDoubt {
        /// It is sent, perhaps for the second time.
        Resend = "resend",
        /// It is told, and counts as failed.
        Report = "report",
    }
}

/// What switches an endpoint off: nothing more is sent to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disable {
    /// One of these answers.
    pub statuses: StatusSet,
    /// So many deliveries in a row that were given up.
    pub after: Option<u32>,
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryDecision {
    /// The vendor is content.
    Done,
    /// Try again after this long.
    Retry(SignedDuration),
    /// The vendor gives up.
    GiveUp,
}

impl Policy {
    /// Whether the vendor is content with what an attempt met.
    pub fn accepts(&self, result: &AttemptResult) -> bool {
        let content_type = result.header("content-type").unwrap_or_default().to_ascii_lowercase();
        result.final_status().is_some_and(|status| self.success.contains(status))
            && !self.failing_types.iter().any(|word| content_type.contains(word.as_str()))
    }

    /// What follows from the attempt of this number, counted from 1, which met this, so long after
    /// the delivery was due. What the delay's jitter is drawn from is made only where there is one.
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
        let again = match self.retry {
            Retry::None => false,
            Retry::Count(times) => attempt <= times,
            Retry::Retention(_) => !self.is_expired(waited.saturating_add(delay)),
        };
        if again { RetryDecision::Retry(delay) } else { RetryDecision::GiveUp }
    }

    /// Whether a delivery is dropped so long after it was due.
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

    fn answered(status: u16, headers: &[(&str, &str)]) -> AttemptResult {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        AttemptResult {
            outcome: AttemptOutcome::Responded,
            status: Some(status),
            headers: headers.collect(),
            ..AttemptResult::failure(AttemptOutcome::Responded, "", 1)
        }
    }

    /// The run times of every attempt against a receiver that never accepts, in seconds.
    fn schedule(policy: &Policy, result: &AttemptResult) -> Vec<i64> {
        let (mut times, mut waited) = (vec![0], SignedDuration::ZERO);
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
    fn without_retries_a_failure_ends_a_delivery() {
        let policy = policy(Retry::None, Backoff::default());
        let rng = || ChaCha8Rng::seed_from_u64(1);
        let next = |result: &AttemptResult| policy.next(1, SignedDuration::ZERO, result, rng);
        assert_eq!(next(&answered(201, &[])), RetryDecision::Done);
        assert_eq!(next(&answered(204, &[])), RetryDecision::GiveUp);
        assert_eq!(
            next(&AttemptResult::failure(AttemptOutcome::Reset, "", 1)),
            RetryDecision::GiveUp
        );
        assert_eq!(next(&answered(200, &[("Content-Type", "Text/XML")])), RetryDecision::GiveUp);
    }

    #[test]
    fn jitter_is_drawn_for_each_delay() {
        let jitter = DurationRange { low: SECOND, high: SignedDuration::from_secs(100) };
        let backoff = Backoff { jitter, ..Backoff::fixed(SECOND) };
        let result = answered(500, &[]);
        let delay = |seed| backoff.delay(1, &result, || ChaCha8Rng::seed_from_u64(seed));
        assert!((2..10).any(|seed| delay(seed) != delay(1)));
        assert!((1..10).all(|seed| (2..=101).contains(&delay(seed).as_secs())));
    }

    #[test]
    fn a_count_is_how_often_more() {
        let backoff = Backoff::fixed(SignedDuration::from_secs(30));
        let policy = policy(Retry::Count(5), backoff);
        assert_eq!(schedule(&policy, &answered(500, &[])), [0, 30, 60, 90, 120, 150]);
    }

    #[test]
    fn three_days_of_doubling_delays_up_to_five_minutes_are_871_attempts() {
        let cap = SignedDuration::from_secs(300);
        let backoff = Backoff { factor: 2, cap, ..Backoff::fixed(SECOND * 2) };
        let policy = policy(Retry::Retention(SignedDuration::from_hours(72)), backoff);
        let times = schedule(&policy, &answered(503, &[]));
        assert_eq!(times[..11], [0, 2, 6, 14, 30, 62, 126, 254, 510, 810, 1110]);
        assert_eq!((times.len(), times.last()), (871, Some(&259_110)));
    }

    #[test]
    fn retry_after_is_honoured_where_it_is_and_clamped() {
        let hour = SignedDuration::from_hours(1);
        let honours = Backoff { retry_after: Some(hour), ..Backoff::fixed(SECOND) };
        let date = [
            ("retry-after", "Mon, 05 Jan 2026 09:00:30 GMT"),
            ("date", "Mon, 05 Jan 2026 09:00:00 GMT"),
        ];
        let check = |backoff, headers: &[(&str, &str)], expected: i64| {
            let policy = policy(Retry::Count(1), backoff);
            let times = schedule(&policy, &answered(429, headers));
            assert_eq!(times, [0, expected], "{headers:?}");
        };
        check(honours, &[("Retry-After", "120")], 120);
        check(honours, &[("Retry-After", " 7 ")], 7);
        check(honours, &[("Retry-After", "0")], 1);
        check(honours, &[("Retry-After", "999999999999999999999")], 3600);
        check(honours, &[("Retry-After", "999999999")], 3600);
        for wrong in ["-5", "NaN", "1e3", "", "soon", "1.5"] {
            check(honours, &[("Retry-After", wrong)], 1);
        }
        check(honours, &date, 30);
        check(honours, &date[..1], 1);
        check(Backoff::fixed(SECOND), &[("Retry-After", "120")], 1);
    }

    proptest! {
        #[test]
        fn no_schedule_leaves_its_limits(
            times in 0_u32..50, first in 0_i64..100_000, factor in 0_u32..10, cap in 0_i64..100_000,
            low in 0_i64..5_000, wide in 0_i64..5_000, clamp in 0_i64..100_000,
            header in "(-?[0-9]{0,25}|[ -~]{0,20})", attempt in 1_u32.., waited in 0_i64..1_000_000,
            within in 0_i64..1_000_000, seed: u64,
        ) {
            let millis = SignedDuration::from_millis;
            let jitter = DurationRange { low: millis(low), high: millis(low + wide) };
            let (delay, cap, clamp) = (millis(first), millis(cap), millis(clamp));
            let backoff = Backoff { delay, factor, cap, jitter, retry_after: Some(clamp) };
            let result = answered(503, &[("Retry-After", &header)]);
            let longest = delay.max(cap).max(clamp) + jitter.high;
            let next = |retry| {
                let rng = || ChaCha8Rng::seed_from_u64(seed);
                policy(retry, backoff).next(attempt, millis(waited), &result, rng)
            };
            match next(Retry::Count(times)) {
                RetryDecision::Retry(delay) => {
                    prop_assert!(attempt <= times);
                    prop_assert!(jitter.low <= delay && delay <= longest, "{delay:?}");
                }
                next => prop_assert!(next == RetryDecision::GiveUp && attempt > times),
            }
            if let RetryDecision::Retry(delay) = next(Retry::Retention(millis(within))) {
                prop_assert!(millis(waited) + delay <= millis(within));
                prop_assert_eq!(next(Retry::Retention(millis(within))), RetryDecision::Retry(delay));
            }
            prop_assert_eq!(next(Retry::None), RetryDecision::GiveUp);
        }
    }
}
