//! How long to wait before the next attempt.

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use rand::rngs::ChaCha8Rng;

use crate::base::duration::DurationRange;
use crate::record::AttemptResult;

/// Delays between attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first.
    pub delay: SignedDuration,
    /// How many times longer each is than the one before.
    pub factor: u32,
    /// The longest, where they grow.
    pub cap: SignedDuration,
    /// What is drawn and added to each.
    pub jitter: DurationRange,
    /// How long a receiver's `Retry-After` may make it wait; it is ignored without this.
    pub retry_after: Option<SignedDuration>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::fixed(SignedDuration::ZERO)
    }
}

impl Backoff {
    /// Always the same delay.
    pub fn fixed(delay: SignedDuration) -> Self {
        let jitter = DurationRange { low: SignedDuration::ZERO, high: SignedDuration::ZERO };
        Self { delay, factor: 1, cap: delay, jitter, retry_after: None }
    }

    /// How long to wait after the attempt of this number, which met this.
    pub(super) fn delay(
        &self,
        attempt: u32,
        result: &AttemptResult,
        rng: impl FnOnce() -> ChaCha8Rng,
    ) -> SignedDuration {
        let grown = self.factor.checked_pow(attempt.saturating_sub(1));
        let grown = grown.and_then(|times| i32::try_from(times).ok());
        let grown = grown.and_then(|times| self.delay.checked_mul(times)).unwrap_or(self.cap);
        let asked = self.retry_after.zip(retry_after(result)).map(|(most, asked)| asked.min(most));
        let delay = grown.min(self.cap).max(asked.unwrap_or(SignedDuration::ZERO));
        let DurationRange { low, high } = self.jitter;
        let jitter = if low == high { low } else { self.jitter.sample(&mut rng()) };
        delay.saturating_add(jitter)
    }
}

/// How long an answer asks to wait, in seconds or as a date beside its own `Date`.
pub fn retry_after(result: &AttemptResult) -> Option<SignedDuration> {
    let asked = result.header("retry-after")?.trim();
    if !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(SignedDuration::from_secs(asked.parse().unwrap_or(i64::MAX)));
    }
    let instant = |text: &str| -> Option<Timestamp> {
        rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()
    };
    let wait = instant(asked)?.duration_since(instant(result.header("date")?)?);
    Some(wait.max(SignedDuration::ZERO))
}
