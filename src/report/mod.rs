//! Reports: presentations of records for people and programs.

mod advice;
mod console;
mod json;
mod rerun;
mod timestamp_hint;

use std::io::{self, Write};

use crate::record::Record;

pub use console::{ConsoleReport, Detail};
pub use json::JsonLines;
pub use rerun::{RerunCommand, start_receiver_hint};

/// Presentation of records, one at a time in the order in which they happen.
pub trait Report: Send {
    /// Writes one record to `out`.
    fn record(&mut self, record: &Record, out: &mut dyn Write) -> io::Result<()>;

    /// Writes what follows the last record.
    fn finish(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
