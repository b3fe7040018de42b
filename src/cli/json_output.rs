//! `--json`: records as lines of JSON, on standard output or in a file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use tokio::task::JoinHandle;

use super::exit::CommandError;
use super::output::OrderedOutput;
use super::progress::Progress;
use crate::diag::{Problem, code};
use crate::record::RecordLog;
use crate::report::JsonLines;

/// The option `--json`.
#[derive(Debug, Args)]
pub(super) struct JsonArgs {
    /// Print every record as one line of JSON, or write the lines to FILE beside the usual output
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true,
          default_missing_value = STANDARD_OUTPUT)]
    json: Option<PathBuf>,
}

/// Name of standard output among files.
const STANDARD_OUTPUT: &str = "-";

impl JsonArgs {
    /// Returns whether standard output has lines of JSON only.
    pub(super) fn is_console(&self) -> bool {
        self.json.as_deref() == Some(Path::new(STANDARD_OUTPUT))
    }

    /// Reports `--json` together with an option for the text that it replaces.
    pub(super) fn check(&self, is_text_chosen: bool) -> Result<(), Problem> {
        if !self.is_console() || !is_text_chosen {
            return Ok(());
        }
        let message = "`--json` replaces the text that `--quiet` and `--verbose` choose";
        let problem = Problem::anywhere(code::CONTRADICTION, message);
        Err(problem.help("remove one of them, or write `--json=FILE` to have both"))
    }

    /// Creates the file, if one is named.
    pub(super) fn create(&self) -> Result<Option<File>, CommandError> {
        let Some(path) = self.json.as_deref().filter(|_| !self.is_console()) else {
            return Ok(None);
        };
        let file = File::create(path);
        let file = file.with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(Some(file))
    }

    /// Opens the file for this many runs, if one is named.
    pub(super) fn open(&self, runs: usize) -> Result<Option<JsonFile>, CommandError> {
        let Some(file) = self.create()? else { return Ok(None) };
        let output = OrderedOutput::new(runs, Box::new(file));
        Ok(Some(JsonFile { output, progress: Arc::new(Progress::new(runs, false)) }))
    }
}

/// A file that gets the records of all runs.
pub(super) struct JsonFile {
    output: Arc<OrderedOutput>,
    /// Not shown: that of standard output is.
    progress: Arc<Progress>,
}

impl JsonFile {
    /// Writes the records of a run (numbered from 0) as they come.
    pub(super) fn follow(&self, run: usize, log: &RecordLog) -> JoinHandle<std::io::Result<()>> {
        self.output.follow(run, log, Box::new(JsonLines), &self.progress)
    }

    /// Ends the output of a run that was not started.
    pub(super) fn skip(&self, run: usize) -> std::io::Result<()> {
        self.output.skip(run)
    }
}
