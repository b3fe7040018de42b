//! Reports: records told to people and to programs. They never run anything.

mod console;
mod json;
mod rerun;

use std::io::{self, Write};

use crate::record::Record;

pub use console::{ConsoleReport, Detail};
pub use json::JsonLines;
pub use rerun::{RerunCommand, start_one};

/// Something that tells records as they come.
pub trait Report: Send {
    /// Tells one record.
    fn record(&mut self, record: &Record, out: &mut dyn Write) -> io::Result<()>;

    /// Writes what follows the last record.
    fn finish(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
