//! What the lists of the history have in common: their pages, and the conditions of deliveries and calls.

use std::ops::RangeInclusive;

/// A page of a list. `K` is what orders the list.
#[derive(Clone, Debug)]
pub struct HistoryPage<T, K = u64> {
    /// The newest first.
    pub items: Vec<T>,
    /// Value of `before` for the next page, if there may be one.
    pub next: Option<K>,
}

impl<T, K> Default for HistoryPage<T, K> {
    fn default() -> Self {
        Self { items: Vec::new(), next: None }
    }
}

/// Which entries of the history to list, whatever they are.
#[derive(Clone, Debug, Default)]
pub struct HistoryFilter {
    /// Only those with a smaller number: the next page.
    pub before: Option<u64>,
    /// Only those of this run.
    pub run: Option<u32>,
    /// Only those of this conversation.
    pub conversation: Option<String>,
    /// Only those of this vendor.
    pub vendor: Option<String>,
}

/// Where an entry of the history belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct HistoryEntry<'a> {
    pub(super) number: u64,
    pub(super) run: u32,
    pub(super) conversation: Option<&'a str>,
    pub(super) vendor: &'a str,
}

impl HistoryFilter {
    /// Returns the run that has begun the conversation.
    fn run_of_conversation(&self) -> Option<i64> {
        self.conversation.as_deref()?.split_once('-')?.0.parse().ok()
    }

    /// Returns the runs whose entries it can include.
    pub(super) fn runs(&self) -> RangeInclusive<i64> {
        match self.run.map(i64::from).or(self.run_of_conversation()) {
            Some(run) => run..=run,
            None => 0..=i64::MAX,
        }
    }

    /// Returns the runs whose entries it can include, and those that repeat entries of an earlier run in
    /// its conversations, as redeliveries do.
    pub(super) fn runs_and_later(&self) -> RangeInclusive<i64> {
        match self.run.map(i64::from) {
            Some(run) => run..=run,
            None => self.run_of_conversation().unwrap_or(0)..=i64::MAX,
        }
    }

    /// Returns whether it can include entries of a vendor.
    pub(super) fn includes_vendor(&self, id: &str) -> bool {
        self.vendor.as_deref().is_none_or(|vendor| vendor == id)
    }

    /// Returns whether it includes an entry.
    pub(super) fn includes(&self, entry: HistoryEntry<'_>) -> bool {
        let conversation = self.conversation.as_deref();
        self.before.is_none_or(|before| entry.number < before)
            && self.run.is_none_or(|run| entry.run == run)
            && conversation.is_none_or(|id| entry.conversation == Some(id))
            && self.includes_vendor(entry.vendor)
    }
}
