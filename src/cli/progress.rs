//! How far a long command is: a bar on a terminal, a calm line now and then elsewhere.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use indicatif::{ProgressBar, ProgressStyle};

use super::terminal::note;
use crate::base::clock::Stopwatch;
use crate::record::{Record, RecordKind};

/// How often a line is written where there is no terminal, in milliseconds.
const EVERY: u64 = 10_000;

/// Counts runs and deliveries, and shows them on standard error.
pub(super) struct Progress {
    bar: ProgressBar,
    runs: usize,
    watch: Stopwatch,
    finished: AtomicUsize,
    deliveries: AtomicU64,
    lines: AtomicU64,
    shown: bool,
}

impl Progress {
    /// Of so many runs; shown only where nothing else tells that something goes on.
    pub(super) fn new(runs: usize, shown: bool) -> Self {
        let bar = if shown { ProgressBar::new(runs as u64) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} of {len} runs, {msg}") {
            bar.set_style(style);
        }
        Self {
            bar,
            runs,
            watch: Stopwatch::start(),
            finished: AtomicUsize::new(0),
            deliveries: AtomicU64::new(0),
            lines: AtomicU64::new(0),
            shown,
        }
    }

    /// Counts a record.
    pub(super) fn count(&self, record: &Record) {
        // Relaxed: the numbers are only shown, nothing depends on their order.
        match record.kind {
            RecordKind::DeliverySettled(_) => drop(self.deliveries.fetch_add(1, Relaxed)),
            RecordKind::RunFinished(_) => {
                self.finished.fetch_add(1, Relaxed);
                self.bar.inc(1);
            }
            _ => return,
        }
        self.bar.set_message(format!("{} deliveries", self.deliveries.load(Relaxed)));
        // On a terminal the bar moves. In a log of CI, a line now and then shows that it still works.
        let lines = self.watch.millis() / EVERY;
        if self.shown && self.bar.is_hidden() && lines > self.lines.swap(lines, Relaxed) {
            let (finished, runs) = (self.finished.load(Relaxed), self.runs);
            note(format_args!(
                "{finished} of {runs} runs, {} deliveries",
                self.deliveries.load(Relaxed)
            ));
        }
    }

    /// Writes something else without the bar in its way.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        if self.bar.is_hidden() { write() } else { self.bar.suspend(write) }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
