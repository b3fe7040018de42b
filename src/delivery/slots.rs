//! The concurrency limit of the process: all drivers share its slots.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::base::limits::MAX_IN_FLIGHT;

/// The slots for attempts in flight. Clones share them.
#[derive(Clone, Debug)]
pub struct AttemptSlots(Arc<Semaphore>);

/// A slot that an attempt occupies until it is dropped.
#[derive(Debug)]
pub(super) struct AttemptSlot(
    #[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit,
);

impl Default for AttemptSlots {
    /// As many slots as one process may use.
    fn default() -> Self {
        Self::new(MAX_IN_FLIGHT)
    }
}

impl AttemptSlots {
    /// Creates this number of slots.
    pub fn new(number: usize) -> Self {
        Self(Arc::new(Semaphore::new(number)))
    }

    /// Takes a slot if one is free.
    pub(super) fn try_acquire(&self) -> Option<AttemptSlot> {
        Arc::clone(&self.0).try_acquire_owned().ok().map(AttemptSlot)
    }

    /// Waits for a slot.
    pub(super) async fn acquire(&self) -> Option<AttemptSlot> {
        // Fails only if the semaphore is closed, which nothing does.
        Arc::clone(&self.0).acquire_owned().await.ok().map(AttemptSlot)
    }
}
