//! Fail points: named places where a test can abort the process to check crash recovery.
//!
//! They do nothing in release builds.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The armed fail point: its name, and how many hits to ignore first.
static ARMED: OnceLock<(String, AtomicU32)> = OnceLock::new();

/// Arms a fail point: `NAME`, or `NAME:N` to ignore the first N hits. Only the first call counts.
pub fn arm(text: &str) {
    let (name, times) = text.split_once(':').unwrap_or((text, "0"));
    let _ = ARMED.set((name.to_owned(), AtomicU32::new(times.parse().unwrap_or(0))));
}

/// Aborts the process if this fail point is armed and its remaining hits are used up.
pub fn hit(name: &str) {
    if cfg!(debug_assertions)
        && let Some((armed, remaining)) = ARMED.get()
        && armed == name
        && remaining
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
            .is_err()
    {
        // Like a power failure: no destructor runs and no buffer is flushed.
        std::process::abort();
    }
}
