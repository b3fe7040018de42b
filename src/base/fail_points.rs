//! Points at which a test lets the process die, to see what is left.
//!
//! Release builds have none.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where to die: the point's name, and how many times it is passed before.
static ARMED: OnceLock<(String, AtomicU32)> = OnceLock::new();

/// Lets the process die at a point: `NAME`, or `NAME:N` to pass it N times before.
pub fn arm(text: &str) {
    let (name, times) = text.split_once(':').unwrap_or((text, "0"));
    let _ = ARMED.set((name.to_owned(), AtomicU32::new(times.parse().unwrap_or(0))));
}

/// The process dies here if that is wished.
pub fn hit(name: &str) {
    if cfg!(debug_assertions)
        && let Some((wished, left)) = ARMED.get()
        && wished == name
        && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_err()
    {
        std::process::abort();
    }
}
