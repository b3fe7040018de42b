//! How a command ends: its exit code, and the error that ended it.

use std::process::ExitCode;

use crate::diag::{Problem, Problems};
use crate::record::Verdict;

/// Exit code of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// The command succeeded and every run passed.
    Passed = 0,
    /// A run failed or was inconclusive.
    Failed = 1,
    /// Arguments, configuration, a scenario or a vendor folder are invalid. Nothing was sent.
    // clap also exits with 2 when it rejects an argument.
    InvalidInput = 2,
    /// standin could not work: no receiver, a port in use, a full disk, a damaged journal.
    CannotWork = 3,
    /// Ctrl-C or SIGTERM ended the command.
    Interrupted = 4,
}

impl From<ExitStatus> for ExitCode {
    fn from(exit: ExitStatus) -> Self {
        Self::from(exit as u8)
    }
}

impl From<Verdict> for ExitStatus {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Passed => Self::Passed,
            Verdict::Failed | Verdict::Inconclusive => Self::Failed,
            Verdict::Interrupted => Self::Interrupted,
        }
    }
}

/// Error that ends a command.
#[derive(Debug)]
pub(super) enum CommandError {
    /// Invalid input, reported with its place in the file: exit code 2.
    Input(Problems),
    /// Failure of the environment, such as the network or the disk: exit code 3.
    Environment(anyhow::Error),
}

impl CommandError {
    /// Returns the message in a line.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Input(problems) => {
                let problems = problems.clone().sorted().into_iter();
                let messages: Vec<String> = problems.map(|problem| problem.message).collect();
                messages.join("; ")
            }
            Self::Environment(error) => format!("{error:#}"),
        }
    }
}

impl From<Problems> for CommandError {
    fn from(problems: Problems) -> Self {
        Self::Input(problems)
    }
}

impl From<Problem> for CommandError {
    fn from(problem: Problem) -> Self {
        Self::Input(problem.into())
    }
}

impl From<anyhow::Error> for CommandError {
    fn from(error: anyhow::Error) -> Self {
        Self::Environment(error)
    }
}

impl From<std::io::Error> for CommandError {
    fn from(error: std::io::Error) -> Self {
        Self::Environment(error.into())
    }
}
