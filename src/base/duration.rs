//! Parser for durations such as `250ms` and `1m 30s`, and for ranges such as `1s..3s`.

use jiff::SignedDuration;
use rand::RngExt as _;
use rand::rngs::ChaCha8Rng;
use serde::Serialize;

use crate::base::limits::MAX_DELAY;

/// Number with a unit, as jiff reads it: `1.5h`, `2 minutes`.
macro_rules! part {
    () => {
        "[0-9]+(\\.[0-9]+)?\\s*(h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?|ms|msecs?|millis?|\
         milliseconds?|us|µs|usecs?|micros?|microseconds?|ns|nsecs?|nanos?|nanoseconds?)"
    };
}

/// Duration: several parts, a time of day, or ISO 8601.
macro_rules! duration {
    () => {
        concat!(
            "(",
            part!(),
            "(,?\\s*",
            part!(),
            ")*|[0-9]+:[0-9][0-9]:[0-9][0-9]|[Pp][Tt][0-9.HMShms]+)"
        )
    };
}

/// A range of durations, both ends included. A single duration is a range of length zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DurationRange {
    /// Shortest duration.
    pub low: SignedDuration,
    /// Longest duration; equal to `low` for a single duration.
    pub high: SignedDuration,
}

impl DurationRange {
    /// Parses `DURATION` or `DURATION..DURATION`. The error is a message for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((low, high)) = text.split_once("..") else {
            let duration = parse(text)?;
            return Ok(Self { low: duration, high: duration });
        };
        let range = Self { low: parse(low)?, high: parse(high)? };
        if range.low > range.high {
            return Err(format!("the start of the range `{text}` is greater than its end"));
        }
        Ok(range)
    }

    /// Returns a random duration of the range, with nanosecond resolution.
    pub fn sample(&self, rng: &mut ChaCha8Rng) -> SignedDuration {
        // A single duration must not consume a random number: others would change with it.
        if self.low == self.high {
            return self.low;
        }
        let nanos = rng.random_range(self.low.as_nanos()..=self.high.as_nanos());
        SignedDuration::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }
}

/// Regular expression for the texts that [`parse`] accepts. It ignores the order of the units and
/// the maximum.
pub const PATTERN: &str = concat!("^\\s*", duration!(), "\\s*$");

/// Regular expression for the texts that [`DurationRange::parse`] accepts, within the same limits.
pub const RANGE_PATTERN: &str =
    concat!("^\\s*", duration!(), "(\\s*\\.\\.\\s*", duration!(), ")?\\s*$");

/// Parses one duration from zero to 30 days ([`MAX_DELAY`]). The error is a message for the user.
pub fn parse(text: &str) -> Result<SignedDuration, String> {
    let text = text.trim();
    if text.contains("..") {
        return Err(format!("expected one duration, found the range `{text}`"));
    }
    let duration: SignedDuration = text.parse().map_err(|_| {
        format!(
            "invalid duration `{text}`: expected a form such as `250ms`, `2s`, `1m 30s` or `2h`"
        )
    })?;
    if duration.is_negative() {
        return Err(format!("a duration must not be negative, found `{text}`"));
    }
    if duration > MAX_DELAY {
        return Err(format!("a duration must be at most 30 days (720h), found `{text}`"));
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_ranges_are_parsed() {
        let parsed = |text| {
            DurationRange::parse(text).map(|range| (range.low.as_millis(), range.high.as_millis()))
        };
        assert_eq!(parsed("250ms"), Ok((250, 250)));
        assert_eq!(parsed("1m 30s"), Ok((90_000, 90_000)));
        assert_eq!(parsed("1s..3s"), Ok((1_000, 3_000)));
        for invalid in ["", "-5s", "3s..1s", "nan", "inf", "1e9d", "31 days", "5", "1s.."] {
            assert!(parsed(invalid).is_err(), "{invalid} was accepted");
        }
    }
}
