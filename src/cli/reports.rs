//! Reports in files: `--report` of `run` and `send`, `journal report`, and what GitHub Actions shows.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek as _, Write};
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use clap::Args;
use tempfile::NamedTempFile;
use tokio::task::{JoinHandle, spawn_blocking};

use super::annotations::{is_on_github, write_annotations};
use super::exit::CommandError;
use crate::base::text::one_of;
use crate::record::RecordLog;
use crate::report::{ReportFormat, ReportTotals, RunCollector, RunReport};

/// Reports that a command writes to files.
#[derive(Debug, Default, Args)]
pub(super) struct ReportArgs {
    /// Also write a report to FILE; KIND is `junit`, `html`, `json`, `har` or `md`. Can be repeated
    #[arg(long = "report", value_name = "KIND=FILE", value_parser = ReportArg::parse,
          conflicts_with_all = ["dry_run", "curl"])]
    reports: Vec<ReportArg>,
}

/// A report that goes to a file.
#[derive(Clone, Debug)]
pub(super) struct ReportArg {
    format: ReportFormat,
    path: PathBuf,
}

impl ReportArg {
    /// Parses `KIND=FILE`. clap prints the error.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let kinds = one_of(ReportFormat::NAMES.iter().copied());
        let (kind, path) = text
            .split_once('=')
            .filter(|(_, path)| !path.is_empty())
            .ok_or_else(|| format!("expected KIND=FILE, with {kinds} as KIND"))?;
        let format = ReportFormat::from_name(kind)
            .ok_or_else(|| format!("unknown kind of report `{kind}`, expected {kinds}"))?;
        Ok(Self { format, path: PathBuf::from(path) })
    }
}

/// The reports of a command while its runs are played.
///
/// Runs are added in their order. A file is complete once [`ReportFiles::finish`] has returned, and
/// does not change before.
pub(super) struct ReportFiles(Mutex<ReportState>);

struct ReportState {
    files: Vec<ReportFile>,
    /// Whether failures are printed as annotations of GitHub Actions.
    annotates: bool,
    /// Number of annotations so far.
    annotations: usize,
    /// Index of the run whose part comes next.
    next: usize,
    /// Later runs that have ended already; `None` if a run was not started.
    waiting: BTreeMap<usize, Option<RunReport>>,
}

struct ReportFile {
    format: ReportFormat,
    target: ReportTarget,
    /// The parts of the runs so far.
    parts: BufWriter<File>,
    totals: ReportTotals,
}

enum ReportTarget {
    /// Replaces the file at this path.
    Replace(PathBuf, NamedTempFile),
    /// Is appended to a file, such as the step summary of GitHub Actions.
    Append(File),
}

impl ReportArgs {
    /// Returns whether the command writes reports about its runs.
    pub(super) fn is_needed(&self) -> bool {
        is_on_github() || !self.reports.is_empty()
    }

    /// Opens the files, so that a file that cannot be written is reported before anything is sent.
    pub(super) fn open(&self) -> Result<Arc<ReportFiles>, CommandError> {
        let on_github = is_on_github();
        let mut files = open_all(&self.reports)?;
        let summary = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty());
        if let Some(path) = summary.filter(|_| on_github) {
            files.push(ReportFile::append(ReportFormat::Md, Path::new(&path))?);
        }
        Ok(ReportFiles::new(files, on_github))
    }
}

/// Opens the files of reports.
fn open_all(reports: &[ReportArg]) -> Result<Vec<ReportFile>, CommandError> {
    let open = |arg: &ReportArg| ReportFile::replace(arg.format, &arg.path);
    reports.iter().map(open).collect()
}

impl ReportFiles {
    fn new(files: Vec<ReportFile>, annotates: bool) -> Arc<Self> {
        let waiting = BTreeMap::new();
        let state = ReportState { files, annotates, annotations: 0, next: 0, waiting };
        Arc::new(Self(Mutex::new(state)))
    }

    /// Opens the files of reports about runs that have ended.
    pub(super) fn open(reports: &[ReportArg]) -> Result<Arc<Self>, CommandError> {
        Ok(Self::new(open_all(reports)?, false))
    }

    /// Collects the records of a run (numbered from 0) and adds it when it has ended.
    pub(super) fn follow(
        self: &Arc<Self>,
        run: usize,
        log: &RecordLog,
    ) -> JoinHandle<io::Result<()>> {
        let (files, records) = (Arc::clone(self), log.subscribe(1));
        let is_needed = self.is_needed();
        tokio::spawn(async move {
            let (true, Ok(mut records)) = (is_needed, records) else { return Ok(()) };
            let mut collector = RunCollector::default();
            while let Some(record) = records.next().await {
                collector.record(&record);
            }
            // Formatting and writing may take a while.
            let adding = spawn_blocking(move || files.add(run, collector.finish()));
            adding.await.map_err(io::Error::other)?
        })
    }

    /// Adds a run (numbered from 0); `None` if it was not started.
    pub(super) fn add(&self, run: usize, report: Option<RunReport>) -> io::Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting.insert(run, report);
        while let Some(report) = {
            let next = state.next;
            state.waiting.remove(&next)
        } {
            state.next += 1;
            if let Some(report) = report {
                state.write(&report)?;
            }
        }
        Ok(())
    }

    /// Completes the files.
    pub(super) fn finish(&self) -> Result<(), CommandError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.files).into_iter().try_for_each(ReportFile::finish)
    }

    fn is_needed(&self) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.annotates || !state.files.is_empty()
    }
}

impl ReportState {
    fn write(&mut self, report: &RunReport) -> io::Result<()> {
        for file in &mut self.files {
            file.add(report)?;
        }
        if self.annotates {
            write_annotations(report, &mut self.annotations, &mut io::stderr().lock())?;
        }
        Ok(())
    }
}

impl ReportFile {
    fn replace(format: ReportFormat, path: &Path) -> Result<Self, CommandError> {
        let open = || {
            let folder = match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder,
                _ => Path::new("."),
            };
            fs::create_dir_all(folder)?;
            if path.is_dir() {
                return Err(io::Error::from(io::ErrorKind::IsADirectory));
            }
            // Created where the report will be: renaming it into place cannot fail half-way.
            let mut builder = tempfile::Builder::new();
            // Like any new file, unlike a temporary one: CI systems read it as another user.
            #[cfg(unix)]
            builder.permissions(fs::Permissions::from_mode(0o666));
            builder.prefix(".standin-report").tempfile_in(folder)
        };
        let file = open().with_context(|| format!("cannot write report `{}`", path.display()))?;
        Self::new(format, ReportTarget::Replace(path.to_owned(), file))
    }

    fn append(format: ReportFormat, path: &Path) -> Result<Self, CommandError> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.with_context(|| format!("cannot write report `{}`", path.display()))?;
        Self::new(format, ReportTarget::Append(file))
    }

    fn new(format: ReportFormat, target: ReportTarget) -> Result<Self, CommandError> {
        let parts = BufWriter::new(tempfile::tempfile()?);
        Ok(Self { format, target, parts, totals: ReportTotals::default() })
    }

    fn add(&mut self, report: &RunReport) -> io::Result<()> {
        let is_first = self.totals.runs == 0;
        self.totals.add(report);
        self.format.write_run(report, is_first, &mut self.totals, &mut self.parts)
    }

    fn finish(self) -> Result<(), CommandError> {
        let mut parts = self.parts.into_inner().map_err(io::IntoInnerError::into_error)?;
        parts.rewind()?;
        let (format, totals) = (self.format, self.totals);
        let mut write = |out: &mut dyn Write| {
            format.write_head(&totals, out)?;
            io::copy(&mut parts, out)?;
            format.write_tail(out)?;
            out.flush()
        };
        match self.target {
            ReportTarget::Append(mut file) => write(&mut file)?,
            ReportTarget::Replace(path, mut file) => {
                write(&mut file)?;
                file.persist(&path)
                    .with_context(|| format!("cannot write report `{}`", path.display()))?;
            }
        }
        Ok(())
    }
}
