//! The scenarios of a server, and the problems of their new versions.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diag::{Problems, Source};

/// A scenario that can be run.
#[derive(Clone, Debug)]
pub struct OfferedScenario {
    /// Name by which a run starts it.
    pub name: String,
    /// Title.
    pub title: String,
    /// What it is for.
    pub about: Option<String>,
    /// Ids of the vendors that it can be run at.
    pub vendors: Vec<String>,
}

/// The scenarios of a server.
#[derive(Debug, Default)]
pub(super) struct ServedScenarios {
    pub(super) sources: Vec<Arc<Source>>,
    /// Those that were uploaded, by name.
    pub(super) uploaded: BTreeMap<String, Arc<Source>>,
    /// Those without problems. Checked when they are first listed, which takes time.
    pub(super) offered: Option<Arc<Vec<OfferedScenario>>>,
    /// Problems of new versions, by name.
    pub(super) problems: BTreeMap<String, Problems>,
}

impl ServedScenarios {
    pub(super) fn new(sources: Vec<Arc<Source>>) -> Self {
        Self { sources, ..Self::default() }
    }

    /// Returns all of them: files first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.sources.iter().chain(self.uploaded.values())
    }
}
