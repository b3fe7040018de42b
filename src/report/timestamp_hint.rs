//! Hint at receivers that reject events because of their age.

use jiff::{SignedDuration, Timestamp};

use crate::base::text::count;
use crate::record::AttemptResult;

/// Usual limit of receivers that check the age of an event.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Counts the responses that a check of timestamps could have caused.
#[derive(Debug, Default)]
pub(super) struct TimestampHint {
    responses: u64,
    client_errors: u64,
}

impl TimestampHint {
    /// Counts the result of a request.
    pub(super) fn count(&mut self, result: &AttemptResult) {
        if let Some(status) = result.status {
            self.responses += 1;
            // These say something else about the request, and a result may have its own explanation.
            let is_other = matches!(status, 404 | 405 | 411 | 413 | 414 | 415 | 429 | 431);
            let is_possible = (400..500).contains(&status) && !is_other && result.help.is_none();
            self.client_errors += u64::from(is_possible);
        }
    }

    /// Returns the hint if every response was 4xx and the run started at another time than now.
    pub(super) fn hint(&self, start: Timestamp, now: Timestamp) -> Option<String> {
        let age = now.duration_since(start);
        if self.responses == 0 || self.client_errors < self.responses || age.abs() <= TOLERANCE {
            return None;
        }
        let (amount, unit) = match age.abs().as_hours() {
            0 => (age.abs().as_mins(), ["minute", "minutes"]),
            hours @ 1..48 => (hours, ["hour", "hours"]),
            hours => (hours / 24, ["day", "days"]),
        };
        let amount = count(amount, unit[0], unit[1]);
        let direction = if age.is_negative() { "in the future" } else { "ago" };
        Some(format!(
            "every response was 4xx, and the conversations start {amount} {direction}. If the \
             receiver checks timestamps, add `--start now`"
        ))
    }
}
