//! The runs that a server keeps.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::run::ServedRun;

/// The runs of a server.
#[derive(Default)]
pub(super) struct ServedRuns(Mutex<RunRegistry>);

#[derive(Default)]
struct RunRegistry {
    runs: BTreeMap<u32, Arc<ServedRun>>,
    last: u32,
}

impl ServedRuns {
    /// Returns the number of a new run.
    pub(super) fn next_number(&self) -> u32 {
        let mut registry = self.registry();
        registry.last += 1;
        registry.last
    }

    /// Continues the numbers of an earlier process.
    pub(super) fn continue_after(&self, last: u32) {
        let mut registry = self.registry();
        registry.last = registry.last.max(last);
    }

    /// Adds a run. Returns the oldest finished run if there are more than `most`.
    pub(super) fn add(&self, run: &Arc<ServedRun>, most: usize) -> Option<Arc<ServedRun>> {
        let mut registry = self.registry();
        registry.runs.insert(run.number, Arc::clone(run));
        if registry.runs.len() <= most {
            return None;
        }
        let oldest = registry
            .runs
            .values()
            .find(|other| other.is_over() && other.number != run.number)?
            .number;
        registry.runs.remove(&oldest)
    }

    /// Returns all runs, in the order of their start.
    pub(super) fn all(&self) -> Vec<Arc<ServedRun>> {
        self.registry().runs.values().cloned().collect()
    }

    /// Returns the run of this number.
    pub(super) fn get(&self, number: u32) -> Option<Arc<ServedRun>> {
        self.registry().runs.get(&number).cloned()
    }

    /// Removes a run.
    pub(super) fn remove(&self, number: u32) -> Option<Arc<ServedRun>> {
        self.registry().runs.remove(&number)
    }

    fn registry(&self) -> MutexGuard<'_, RunRegistry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
