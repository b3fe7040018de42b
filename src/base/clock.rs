//! Wall clock and stopwatch: the only code that may read the current time.
//!
//! Times in payloads come from the run's schedule, never from here, so that a run is reproducible.
//! The wall clock is used for `--start now` and for measured durations only.

use std::time::Instant;

use jiff::Timestamp;

/// Source of the current time. A fixed clock makes records reproducible in tests.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The system clock.
    System,
    /// Always the same instant.
    Fixed(Timestamp),
}

impl Clock {
    /// Returns the current time.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn now(&self) -> Timestamp {
        // A lint forbids this call everywhere else; see clippy.toml.
        match self {
            Self::System => Timestamp::now(),
            Self::Fixed(instant) => *instant,
        }
    }
}

/// Measures elapsed time on the monotonic clock, which clock adjustments do not affect.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts a measurement.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the elapsed time in whole milliseconds.
    pub fn millis(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Microseconds since the start.
    pub fn micros(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}
