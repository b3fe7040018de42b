//! Backoff: delays between the attempts of a delivery.

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use rand::rngs::ChaCha8Rng;
use serde::Serialize;

use crate::base::duration::DurationRange;
use crate::base::limits::MIN_RETRY_DELAY;
use crate::record::AttemptResult;

/// Delays between attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Backoff {
    /// Delay after the first attempt.
    pub delay: SignedDuration,
    /// Factor by which each delay is longer than the one before.
    pub factor: u32,
    /// Maximum delay, without jitter.
    pub cap: SignedDuration,
    /// Range of the random part that is added to each delay.
    pub jitter: DurationRange,
    /// Maximum wait that a `Retry-After` header can request; `None` ignores the header.
    pub retry_after: Option<SignedDuration>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::fixed(SignedDuration::ZERO)
    }
}

impl Backoff {
    /// Creates a backoff with a constant delay.
    pub fn fixed(delay: SignedDuration) -> Self {
        let jitter = DurationRange { low: SignedDuration::ZERO, high: SignedDuration::ZERO };
        Self { delay, factor: 1, cap: delay, jitter, retry_after: None }
    }

    /// Returns the delay after an attempt, counted from 1, with this result.
    ///
    /// It is at least 1 ms. `rng` is called only if the backoff has jitter.
    pub(super) fn delay(
        &self,
        attempt: u32,
        result: &AttemptResult,
        rng: impl FnOnce() -> ChaCha8Rng,
    ) -> SignedDuration {
        // An overflow at any step means that the delay has reached the cap.
        let grown = self.factor.checked_pow(attempt.saturating_sub(1));
        let grown = grown.and_then(|times| i32::try_from(times).ok());
        let grown = grown.and_then(|times| self.delay.checked_mul(times)).unwrap_or(self.cap);
        let requested =
            self.retry_after.zip(retry_after(result)).map(|(limit, wait)| wait.min(limit));
        let delay = grown.min(self.cap).max(requested.unwrap_or(SignedDuration::ZERO));
        let DurationRange { low, high } = self.jitter;
        // No generator without jitter: creating one costs a hash.
        let jitter = if low == high { low } else { self.jitter.sample(&mut rng()) };
        delay.saturating_add(jitter).max(MIN_RETRY_DELAY)
    }
}

/// Returns the wait that a response requests with `Retry-After`: seconds or an HTTP date.
///
/// Returns `None` if the header is missing or invalid, or if it is a date and the response has no
/// valid `Date`.
pub fn retry_after(result: &AttemptResult) -> Option<SignedDuration> {
    let value = result.header("retry-after")?.trim();
    // Digits only: `parse` would accept a sign. A number too large to parse means "very long".
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(SignedDuration::from_secs(value.parse().unwrap_or(i64::MAX)));
    }
    let instant = |text: &str| -> Option<Timestamp> {
        rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()
    };
    // Relative to the receiver's clock, since the clock of the run can be virtual.
    let wait = instant(value)?.duration_since(instant(result.header("date")?)?);
    Some(wait.max(SignedDuration::ZERO))
}
