//! Amounts of faults: the part after the colon, such as `2s` in `delay:2s`.

use jiff::SignedDuration;

use super::kind::FaultKind;
use crate::base::duration;
use crate::base::limits::{MAX_DEEP, MAX_HUGE};

/// Amount of a fault. Its meaning depends on the kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultAmount {
    /// No amount.
    Unspecified,
    /// Duration.
    Time(SignedDuration),
    /// Number of deliveries, levels or bytes, or an HTTP status.
    Number(usize),
    /// One more than the correct length.
    Longer,
    /// One less than the correct length.
    Shorter,
}

impl FaultAmount {
    /// Parses the amount of a fault.
    ///
    /// # Errors
    ///
    /// The error describes the accepted amounts.
    pub(super) fn parse(kind: FaultKind, text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text else { return Ok(Self::Unspecified) };
        let number = |low: usize, high: usize| match text.parse() {
            Ok(number) if (low..=high).contains(&number) => Ok(Self::Number(number)),
            _ => Err(format!("`{kind}` takes a number from {low} to {high}, found `{text}`")),
        };
        match kind {
            FaultKind::Duplicate | FaultKind::Delay | FaultKind::Slow => {
                duration::parse(text).map(Self::Time)
            }
            // One delivery alone would not be held at all; all held deliveries are in memory.
            FaultKind::Hold => number(2, 1_000),
            FaultKind::Deep => number(1, MAX_DEEP),
            // A status below 200 is not a final response in HTTP.
            FaultKind::Status => number(200, 599),
            FaultKind::Length => match text {
                "+1" => Ok(Self::Longer),
                "-1" => Ok(Self::Shorter),
                _ => Err(format!("`{kind}` takes `+1` or `-1`, found `{text}`")),
            },
            FaultKind::Huge => bytes(text).map(Self::Number),
            _ => Err(format!("`{kind}` takes no amount, found `{text}`")),
        }
    }

    /// Returns the duration, if the amount is one.
    pub fn time(self) -> Option<SignedDuration> {
        if let Self::Time(time) = self { Some(time) } else { None }
    }

    /// Returns the number, or 0 if the amount is not a number.
    pub fn number(self) -> usize {
        if let Self::Number(number) = self { number } else { 0 }
    }
}

/// Parses a size in bytes: `100`, `64KiB`, `1MiB`.
fn bytes(text: &str) -> Result<usize, String> {
    let units = [("KiB", 1024), ("MiB", 1024 * 1024), ("", 1)];
    let size = units.iter().find_map(|(unit, size)| {
        let number: usize = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*size)
    });
    match size {
        Some(bytes) if (1..=MAX_HUGE).contains(&bytes) => Ok(bytes),
        _ => Err(format!("the size must be between `1` and `16MiB`, found `{text}`")),
    }
}
