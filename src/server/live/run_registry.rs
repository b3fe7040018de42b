//! The runs that a server keeps.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::run::ServedRun;

/// The runs of a server.
#[derive(Default)]
pub(super) struct ServedRuns(Mutex<RunRegistry>);

#[derive(Default)]
struct RunRegistry {
    runs: BTreeMap<u32, RegisteredRun>,
    /// Number of the last run.
    last: u32,
    /// Increases with each use of a run.
    uses: u64,
}

struct RegisteredRun {
    run: Arc<ServedRun>,
    /// When it was used last.
    used: u64,
}

impl RunRegistry {
    fn next_use(&mut self) -> u64 {
        self.uses += 1;
        self.uses
    }
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

    /// Adds a run.
    pub(super) fn add(&self, run: &Arc<ServedRun>) {
        let mut registry = self.registry();
        let used = registry.next_use();
        registry.runs.insert(run.number, RegisteredRun { run: Arc::clone(run), used });
    }

    /// Removes the least recently used run, if there are more than `most`. Runs that are in progress or
    /// in use stay.
    pub(super) fn evict(&self, most: usize) -> Option<Arc<ServedRun>> {
        let mut registry = self.registry();
        if registry.runs.len() <= most {
            return None;
        }
        // A request that holds the run must find it as it is.
        let is_idle = |one: &&RegisteredRun| one.run.is_over() && Arc::strong_count(&one.run) == 1;
        let idle = registry.runs.values().filter(is_idle);
        let number = idle.min_by_key(|one| one.used)?.run.number;
        registry.runs.remove(&number).map(|removed| removed.run)
    }

    /// Returns all runs, in the order of their start.
    pub(super) fn all(&self) -> Vec<Arc<ServedRun>> {
        self.registry().runs.values().map(|one| Arc::clone(&one.run)).collect()
    }

    /// Returns the run of this number.
    pub(super) fn get(&self, number: u32) -> Option<Arc<ServedRun>> {
        let mut registry = self.registry();
        let used = registry.next_use();
        let found = registry.runs.get_mut(&number)?;
        found.used = used;
        Some(Arc::clone(&found.run))
    }

    /// Returns whether there is a run of this number. It does not count as used.
    pub(super) fn contains(&self, number: u32) -> bool {
        self.registry().runs.contains_key(&number)
    }

    /// Returns the run of this number for a list. It does not count as used.
    pub(super) fn peek(&self, number: u32) -> Option<Arc<ServedRun>> {
        self.registry().runs.get(&number).map(|one| Arc::clone(&one.run))
    }

    /// Removes a run.
    pub(super) fn remove(&self, number: u32) -> Option<Arc<ServedRun>> {
        self.registry().runs.remove(&number).map(|removed| removed.run)
    }

    fn registry(&self) -> MutexGuard<'_, RunRegistry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
