//! Sums over the runs of a report in a file.

use serde::Serialize;

use super::run_report::RunReport;
use crate::record::Verdict;

/// Sums over the runs of a report.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct ReportTotals {
    /// Number of runs.
    pub runs: u64,
    /// Number of runs that passed.
    pub passed: u64,
    /// Number of deliveries.
    pub deliveries: u64,
    /// Number of deliveries that passed.
    pub passed_deliveries: u64,
    /// Wall time of the runs together, in milliseconds.
    pub duration_ms: u64,
    /// Number of cases in `JUnit`.
    #[serde(skip)]
    pub(super) tests: u64,
    /// Number of failed cases in `JUnit`.
    #[serde(skip)]
    pub(super) failures: u64,
    /// Number of cases in `JUnit` that standin itself could not carry out.
    #[serde(skip)]
    pub(super) errors: u64,
}

impl ReportTotals {
    /// Adds a run.
    pub fn add(&mut self, run: &RunReport) {
        self.runs += 1;
        let Some(finished) = &run.finished else { return };
        self.passed += u64::from(finished.verdict == Verdict::Passed);
        self.deliveries += finished.deliveries;
        self.passed_deliveries += finished.passed;
        self.duration_ms += finished.duration_ms;
    }

    /// Returns whether every run passed, and there was one.
    pub(super) fn all_passed(&self) -> bool {
        self.runs > 0 && self.passed == self.runs
    }
}
