//! The wall clock, in the one place that may read it.
//!
//! Payload times never come from here: they are scheduled run times. What the wall clock gives is
//! how long something took, and the `--start now` that a user asks for.

use std::time::Instant;

use jiff::Timestamp;

/// Reads the wall clock; a fixed one makes records reproducible in tests.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The machine's own clock.
    System,
    /// Always the same instant.
    Fixed(Timestamp),
}

impl Clock {
    /// The current instant.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Fixed(instant) => *instant,
        }
    }
}

/// Measures how long something took, on the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts to measure.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds since the start.
    pub fn millis(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
