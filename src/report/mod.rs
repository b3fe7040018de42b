//! Reports: presentations of records for people and programs.

mod advice;
mod calls;
mod caveats;
mod console;
mod file_format;
mod har;
mod html;
mod json;
mod json_file;
mod junit;
mod likely_cause;
mod markdown;
mod read;
mod rerun;
mod run_report;
mod step_case;
mod timestamp_hint;
mod totals;

use std::io::{self, Write};

use crate::record::Record;

pub use caveats::Caveats;
pub use console::{ConsoleReport, Detail};
pub use file_format::ReportFormat;
pub use json::{JsonLines, write_json_line};
pub use read::read_json_report;
pub use rerun::{RerunCommand, start_receiver_hint};
pub use run_report::{
    DeliveryReport, EntryContent, ExchangeReport, ReportEntry, RunCollector, RunReport, TestReport,
};
pub use step_case::{CaseFailure, StepCase};
pub use totals::ReportTotals;

/// Presentation of records, one at a time in the order in which they happen.
pub trait Report: Send {
    /// Writes one record to `out`.
    fn record(&mut self, record: &Record, out: &mut dyn Write) -> io::Result<()>;

    /// Writes what follows the last record.
    fn finish(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
