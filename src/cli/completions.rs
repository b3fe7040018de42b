//! `standin completions`: what a shell knows of the command line.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{CliArgs, CommandError, ExitStatus, print};

/// Prints the completions of a shell: `standin completions bash > …/bash_completion.d/standin`
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn completions(args: &CompletionsArgs) -> Result<ExitStatus, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut CliArgs::command(), "standin", &mut script);
    print(String::from_utf8_lossy(&script))?;
    Ok(ExitStatus::Passed)
}
