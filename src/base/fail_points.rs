//! Fail points: named places where a test can abort the process, to check crash recovery, or panic.
//!
//! They do nothing in release builds.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The armed fail point.
static ARMED: OnceLock<FailPoint> = OnceLock::new();

struct FailPoint {
    name: String,
    /// How many hits to ignore.
    remaining: AtomicU32,
    panics: bool,
}

/// Arms a fail point: `NAME`, `NAME:N` to ignore the first N hits, or `NAME!` to panic there. Only
/// the first call counts.
pub fn arm(text: &str) {
    let (name, panics) = text.strip_suffix('!').map_or((text, false), |name| (name, true));
    let (name, times) = name.split_once(':').unwrap_or((name, "0"));
    let remaining = AtomicU32::new(times.parse().unwrap_or(0));
    let _ = ARMED.set(FailPoint { name: name.to_owned(), remaining, panics });
}

/// Aborts the process if this fail point is armed and its remaining hits are used up.
///
/// # Panics
///
/// Panics instead if it is armed to do so.
pub fn hit(name: &str) {
    if cfg!(debug_assertions)
        && let Some(armed) = ARMED.get()
        && armed.name == name
        && armed
            .remaining
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
            .is_err()
    {
        assert!(!armed.panics, "a panic may quote the input");
        // Like a power failure: no destructor runs and no buffer is flushed.
        std::process::abort();
    }
}
