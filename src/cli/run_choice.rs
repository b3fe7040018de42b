//! Which of the planned runs a command plays: `--filter`, `--tag`, `--shard` and `--rerun-failed`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Deserialize;

use super::annotations::{command_annotation, is_on_github};
use super::exit::{CommandError, ExitStatus};
use super::terminal::note;
use crate::diag::{Problem, code};
use crate::record::Verdict;
use crate::run::RunPlan;

/// Arguments that choose runs.
#[derive(Debug, Default, Args)]
pub(super) struct RunChoiceArgs {
    /// Run only what has this text in its scenario, file or vendor name; can be repeated
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Run only scenarios with this tag; `!TAG` excludes those with it. Can be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Run the K-th of N parts, such as `1/3`: the parts can be played on several machines
    #[arg(long, value_name = "K/N", value_parser = Shard::parse)]
    shard: Option<Shard>,
    /// Run only what did not pass in this report (`--report json=FILE`)
    #[arg(long, value_name = "FILE")]
    rerun_failed: Option<PathBuf>,
    /// Result if these arguments leave nothing to run: exit code 1 or 0
    #[arg(long, value_name = "RESULT", default_value = "fail")]
    no_runs: NoRuns,
}

/// Result of a command that has nothing to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum NoRuns {
    /// Exit code 1
    #[default]
    Fail,
    /// Exit code 0
    Pass,
}

/// One of several parts of the runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shard {
    /// From 1.
    number: usize,
    count: usize,
}

impl Shard {
    /// Parses `K/N`. clap prints the error.
    fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(number, count)| {
            Some(Self { number: number.parse().ok()?, count: count.parse().ok()? })
        });
        let is_valid = |shard: &Self| (1..=shard.count).contains(&shard.number);
        parts.filter(is_valid).ok_or_else(|| {
            "expected K/N with K from 1 to N, such as `1/3` for the first of three parts".to_owned()
        })
    }
}

/// The runs of a report, as far as they identify runs that did not pass.
#[derive(Debug, Deserialize)]
struct EarlierReport {
    runs: Vec<EarlierRun>,
}

/// A run of a report.
#[derive(Debug, Deserialize)]
struct EarlierRun {
    started: EarlierStart,
    finished: Option<EarlierEnd>,
}

#[derive(Debug, Deserialize)]
struct EarlierStart {
    scenario: String,
    file: String,
    vendor: String,
}

#[derive(Debug, Deserialize)]
struct EarlierEnd {
    verdict: Verdict,
}

/// Chooses runs, one after the other.
#[derive(Debug)]
pub(super) struct RunChoice<'a> {
    args: &'a RunChoiceArgs,
    /// The runs that did not pass in an earlier report.
    failed: Option<Vec<EarlierStart>>,
    /// Number of runs so far that match everything but the shard.
    matching: usize,
}

impl RunChoiceArgs {
    /// Begins to choose.
    ///
    /// # Errors
    ///
    /// The report of `--rerun-failed` cannot be read.
    pub(super) fn begin(&self) -> Result<RunChoice<'_>, CommandError> {
        let failed = self.rerun_failed.as_deref().map(failed_runs).transpose()?;
        Ok(RunChoice { args: self, failed, matching: 0 })
    }

    /// Ends a command that has nothing to run, although it has planned runs.
    pub(super) fn end_without_runs(&self) -> ExitStatus {
        let flags = [
            ("--filter", !self.filter.is_empty()),
            ("--tag", !self.tags.is_empty()),
            ("--shard", self.shard.is_some()),
            ("--rerun-failed", self.rerun_failed.is_some()),
        ];
        let given = flags.into_iter().filter(|(_, is_given)| *is_given);
        let given: Vec<String> = given.map(|(flag, _)| format!("`{flag}`")).collect();
        let message = format!("no run matches {}", given.join(" and "));
        note(&message);
        match self.no_runs {
            NoRuns::Fail => {
                if is_on_github() {
                    note(command_annotation(&message));
                }
                ExitStatus::Failed
            }
            NoRuns::Pass => ExitStatus::Passed,
        }
    }
}

impl RunChoice<'_> {
    /// Returns whether the next run is played.
    pub(super) fn takes(&mut self, plan: &RunPlan) -> bool {
        if !self.matches_filter(plan) || !self.matches_tags(plan) || !self.has_failed(plan) {
            return false;
        }
        self.matching += 1;
        self.args.shard.is_none_or(|Shard { number, count }| {
            // In turns, so that similar runs, such as the rows of a table, are spread.
            (self.matching - 1) % count == number - 1
        })
    }

    fn matches_filter(&self, plan: &RunPlan) -> bool {
        let filter = &self.args.filter;
        let names = [&plan.script.name, &plan.script.file, &plan.account.platform.full_id()];
        let names = names.map(|name| name.to_lowercase());
        let matches = |text: &String| names.iter().any(|name| name.contains(&text.to_lowercase()));
        filter.is_empty() || filter.iter().any(matches)
    }

    fn matches_tags(&self, plan: &RunPlan) -> bool {
        let has = |tag: &str| plan.script.tags.iter().any(|own| own == tag);
        let mut excluded = self.args.tags.iter().filter_map(|tag| tag.strip_prefix('!'));
        if excluded.any(has) {
            return false;
        }
        let mut requested = self.args.tags.iter().filter(|tag| !tag.starts_with('!')).peekable();
        requested.peek().is_none() || requested.any(|tag| has(tag))
    }

    fn has_failed(&self, plan: &RunPlan) -> bool {
        let Some(failed) = &self.failed else { return true };
        let (script, vendor) = (&plan.script, plan.account.platform.full_id());
        failed.iter().any(|run| {
            run.scenario == script.name && run.file == script.file && run.vendor == vendor
        })
    }
}

/// Reads the runs that did not pass from a report.
fn failed_runs(path: &Path) -> Result<Vec<EarlierStart>, Problem> {
    let unreadable = |reason: String| {
        let message = format!("`{}` {reason}", path.display());
        let problem = Problem::anywhere(code::FILE_UNREADABLE, message);
        problem.help("`--report json=FILE` writes a report")
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| unreadable(format!("cannot be read: {error}")))?;
    let report: EarlierReport = serde_json::from_str(&text)
        .map_err(|error| unreadable(format!("is not a report in JSON: {error}")))?;
    let has_passed = |run: &EarlierRun| {
        run.finished.as_ref().is_some_and(|finished| finished.verdict == Verdict::Passed)
    };
    let failed = report.runs.into_iter().filter(|run| !has_passed(run));
    Ok(failed.map(|run| run.started).collect())
}
