//! `standin report`: works on reports that other commands have written.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::exit::{CommandError, ExitStatus};
use super::reports::{ReportArg, ReportFiles};
use super::terminal::print;
use crate::base::text::count;
use crate::diag::{Problem, Problems, code};
use crate::report::{ReportTotals, read_json_report};

/// Merge the reports of several commands into one
#[derive(Debug, Args)]
pub(super) struct ReportCommandArgs {
    #[command(subcommand)]
    command: ReportCommand,
}

#[derive(Debug, Subcommand)]
enum ReportCommand {
    /// Write reports about all runs of several reports in JSON, such as those of `run --shard`
    Merge {
        /// Reports in JSON, written with `--report json=FILE`, in the order of the merged report
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Report to write: KIND is `junit`, `html`, `json`, `har` or `md`. Can be repeated
        #[arg(long = "report", value_name = "KIND=FILE", value_parser = ReportArg::parse,
              required = true)]
        reports: Vec<ReportArg>,
    },
}

pub(super) fn report(args: &ReportCommandArgs) -> Result<ExitStatus, CommandError> {
    match &args.command {
        ReportCommand::Merge { files, reports } => merge(files, reports),
    }
}

/// Writes reports about the runs of all files. Every file is read first, so that all problems are
/// reported at once and nothing is written if there is one.
fn merge(files: &[PathBuf], reports: &[ReportArg]) -> Result<ExitStatus, CommandError> {
    let mut totals = ReportTotals::default();
    let mut problems = Problems::new();
    for file in files {
        let read = read(file, &mut |run| {
            totals.add(&run);
            Ok(())
        });
        problems.note(read);
    }
    problems.into_result(Some(()))?;
    let written = ReportFiles::open(reports)?;
    let mut index = 0;
    for file in files {
        read(file, &mut |run| {
            written.add(index, Some(run))?;
            index += 1;
            Ok(())
        })?;
    }
    written.finish()?;
    let ReportTotals { runs, passed, .. } = totals;
    let (files, runs) = (count(files.len(), "report", "reports"), count(runs, "run", "runs"));
    print(format_args!("merged {files}: {passed} of {runs} passed\n"))?;
    Ok(ExitStatus::Passed)
}

fn read(
    path: &Path,
    each: &mut dyn FnMut(crate::report::RunReport) -> io::Result<()>,
) -> Result<(), Problem> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    read_json_report(BufReader::new(file), each).map_err(|error| {
        let help = "write reports for merging with `--report json=FILE`";
        unreadable(path, &error).help(help)
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let message = format!("cannot read report `{}`: {error}", path.display());
    Problem::anywhere(code::FILE_UNREADABLE, message)
}
