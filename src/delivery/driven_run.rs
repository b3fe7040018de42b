//! A run at a driver: its log, its clocks and the attempts that it resumes.

use std::sync::Arc;

use jiff::Timestamp;

use super::run_clock::{ClockMode, RunClock};
use crate::record::{PriorAttempts, RecordLog};

/// A run that joins a driver.
#[derive(Clone, Debug)]
pub struct DrivenRun {
    /// Number of the run, unique at its driver.
    pub number: u32,
    /// The log that gets its records.
    pub log: RecordLog,
    /// How run time passes.
    pub clock: ClockMode,
    /// The run time at which the run starts.
    pub start: Timestamp,
    /// Whether a failure in one conversation can block another one. All share one virtual clock
    /// then.
    pub shared: bool,
    /// The attempts of earlier runs that this one resumes.
    pub prior: Arc<PriorAttempts>,
}

/// The state of a run at its driver.
#[derive(Debug)]
pub(super) struct RunState {
    pub(super) log: RecordLog,
    pub(super) clock: RunClock,
    pub(super) prior: Arc<PriorAttempts>,
}

impl From<DrivenRun> for RunState {
    fn from(run: DrivenRun) -> Self {
        let DrivenRun { log, clock, start, shared, prior, .. } = run;
        Self { log, clock: RunClock::new(clock, start, shared), prior }
    }
}
