//! How much of a fault is wanted: what stands behind the colon of its name.

use jiff::SignedDuration;

use super::FaultKind;
use crate::base::duration;
use crate::base::limits::{MAX_DEEP, MAX_HUGE};

/// How much of a fault is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultAmount {
    /// There is nothing to say.
    Usual,
    /// So long.
    Time(SignedDuration),
    /// So many: deliveries, levels, bytes; or this status.
    Number(usize),
    /// More by one, or less.
    More(bool),
}

impl FaultAmount {
    /// The amount of a fault; the error says what is wrong with it.
    pub(super) fn parse(kind: FaultKind, text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text else { return Ok(Self::Usual) };
        let whole = |low: usize, high: usize| match text.parse() {
            Ok(number) if (low..=high).contains(&number) => Ok(Self::Number(number)),
            _ => Err(format!("`{kind}` takes a number from {low} to {high}, not `{text}`")),
        };
        match kind {
            FaultKind::Duplicate | FaultKind::Delay | FaultKind::Slow => {
                duration::parse(text).map(Self::Time)
            }
            FaultKind::Hold => whole(2, 1_000),
            FaultKind::Deep => whole(1, MAX_DEEP),
            FaultKind::Status => whole(200, 599),
            FaultKind::Length => match text {
                "+1" => Ok(Self::More(true)),
                "-1" => Ok(Self::More(false)),
                _ => Err(format!("`{kind}` takes `+1` or `-1`, not `{text}`")),
            },
            FaultKind::Huge => bytes(text).map(Self::Number),
            _ => Err(format!("`{kind}` takes no amount")),
        }
    }

    /// So long, where it is a time.
    pub fn time(self) -> Option<SignedDuration> {
        if let Self::Time(time) = self { Some(time) } else { None }
    }

    /// So many; none where it is no number.
    pub fn number(self) -> usize {
        if let Self::Number(number) = self { number } else { 0 }
    }
}

/// Bytes as people write them: `100`, `64KiB`, `1MiB`.
fn bytes(text: &str) -> Result<usize, String> {
    let units = [("KiB", 1024), ("MiB", 1024 * 1024), ("", 1)];
    let read = units.iter().find_map(|(unit, size)| {
        let number: usize = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*size)
    });
    match read {
        Some(bytes) if (1..=MAX_HUGE).contains(&bytes) => Ok(bytes),
        _ => Err(format!("`{text}` is no size from `1` to `16MiB`")),
    }
}
