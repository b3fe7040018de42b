//! Durations as people write them: `250ms`, `1m 30s`, and ranges such as `1s..3s`.

use jiff::SignedDuration;
use rand::RngExt as _;
use rand::rngs::ChaCha8Rng;

use crate::base::limits::MAX_DELAY;

/// A duration, or a range of durations to draw one from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationRange {
    /// The shortest.
    pub low: SignedDuration,
    /// The longest; the same as `low` where one duration was written.
    pub high: SignedDuration,
}

impl DurationRange {
    /// Reads a duration or a range of two; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((low, high)) = text.split_once("..") else {
            let one = parse(text)?;
            return Ok(Self { low: one, high: one });
        };
        let span = Self { low: parse(low)?, high: parse(high)? };
        if span.low > span.high {
            return Err(format!("the range `{text}` ends before it begins"));
        }
        Ok(span)
    }

    /// One duration of the range.
    pub fn sample(&self, rng: &mut ChaCha8Rng) -> SignedDuration {
        if self.low == self.high {
            return self.low;
        }
        let nanos = rng.random_range(self.low.as_nanos()..=self.high.as_nanos());
        SignedDuration::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }
}

/// Reads one duration between zero and thirty days.
pub fn parse(text: &str) -> Result<SignedDuration, String> {
    let text = text.trim();
    if text.contains("..") {
        return Err(format!("`{text}` is a range, and this takes one duration"));
    }
    let duration: SignedDuration = text.parse().map_err(|_| {
        format!("`{text}` is not a duration such as `250ms`, `2s`, `1m 30s` or `2h`")
    })?;
    if duration.is_negative() {
        return Err(format!("`{text}` is negative"));
    }
    if duration > MAX_DELAY {
        return Err(format!("`{text}` is longer than 30 days (720h)"));
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_ranges_are_read() {
        let read = |text| {
            DurationRange::parse(text).map(|span| (span.low.as_millis(), span.high.as_millis()))
        };
        assert_eq!(read("250ms"), Ok((250, 250)));
        assert_eq!(read("1m 30s"), Ok((90_000, 90_000)));
        assert_eq!(read("1s..3s"), Ok((1_000, 3_000)));
        for wrong in ["", "-5s", "3s..1s", "nan", "inf", "1e9d", "31 days", "5", "1s.."] {
            assert!(read(wrong).is_err(), "{wrong} was taken");
        }
    }
}
