//! Reports about runs in files, to hand over.

use super::LiveServer;
use super::error::LiveError;
use super::past::unreadable;
use crate::journal::Journal;
use crate::report::{ReportFormat, ReportTotals, RunCollector};

impl LiveServer {
    /// Returns a report about a run. This takes time: do not call it on a thread that other requests
    /// need.
    ///
    /// # Errors
    /// There is no such run, its records are not known any more, or the journal cannot be read.
    pub fn report(&self, number: u32, format: ReportFormat) -> Result<Vec<u8>, LiveError> {
        self.look_up(number)?;
        let mut collector = RunCollector::default();
        match &self.journal {
            Some(journal) => {
                // Another connection: reading a long run takes time.
                let file = Journal::open(journal.path()).map_err(|error| unreadable(&error))?;
                for record in file.records(i64::from(number)) {
                    collector.record(&record.map_err(|error| unreadable(&error))?);
                }
            }
            None => {
                let records = self.history.records_of(number);
                records.iter().for_each(|record| collector.record(record));
            }
        }
        let report = collector.finish().ok_or_else(|| {
            let message = format!("the beginning of run {number} is no longer in memory");
            LiveError::conflict(message, "start the server with a journal")
        })?;
        let (mut totals, mut parts, mut document) =
            (ReportTotals::default(), Vec::new(), Vec::new());
        let mut write = || -> std::io::Result<()> {
            format.write_run(&report, true, &mut totals, &mut parts)?;
            totals.add(&report);
            format.write_head(&totals, &mut document)?;
            document.append(&mut parts);
            format.write_tail(&mut document)
        };
        // Writing to memory fails only if a value cannot be formatted.
        write().map_err(|error| LiveError::conflict(error.to_string(), "use another format"))?;
        Ok(document)
    }
}
