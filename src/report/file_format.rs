//! Formats of reports in files, about any number of runs.
//!
//! A file is written in parts, one for each run, so that memory does not grow with their number: the
//! part of a run is final when the run has ended. What depends on all of them comes from the totals.

use std::io::{self, Write};

use super::run_report::RunReport;
use super::totals::ReportTotals;
use super::{har, html, json_file, junit, markdown};

crate::string_enum! {
    /// Format of a report in a file.
    pub enum ReportFormat {
        /// `JUnit` XML, for CI systems.
        Junit = "junit",
        /// A web page in one file, for people.
        Html = "html",
        /// JSON with a schema, for programs.
        Json = "json",
        /// An HTTP archive, for the network tools of browsers.
        Har = "har",
        /// Markdown, for summaries and comments.
        Md = "md",
    }
}

impl ReportFormat {
    /// Writes the part of a run. `is_first` says that no other run comes before it.
    ///
    /// # Errors
    /// The part cannot be written.
    pub fn write_run(
        self,
        run: &RunReport,
        is_first: bool,
        totals: &mut ReportTotals,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match self {
            Self::Junit => junit::write_run(run, totals, out),
            Self::Html => html::write_run(run, out),
            Self::Json => json_file::write_run(run, is_first, out),
            Self::Har => har::write_run(run, is_first, out),
            Self::Md => markdown::write_run(run, out),
        }
    }

    /// Writes what comes before the first run.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_head(self, totals: &ReportTotals, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Junit => junit::write_head(totals, out),
            Self::Html => html::write_head(totals, out),
            Self::Json => json_file::write_head(totals, out),
            Self::Har => har::write_head(out),
            Self::Md => markdown::write_head(totals, out),
        }
    }

    /// Writes what comes after the last run.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_tail(self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(
            match self {
                Self::Junit => junit::TAIL,
                Self::Html => html::TAIL,
                Self::Json => json_file::TAIL,
                Self::Har => har::TAIL,
                Self::Md => "",
            }
            .as_bytes(),
        )
    }
}
