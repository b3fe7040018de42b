//! `standin completions`: prints the completion script for a shell.

use clap::{Args, Command};
use clap_complete::Shell;

use super::exit::{CommandError, ExitStatus};
use super::terminal::print;

/// Print the completion script for a shell, such as `standin completions bash > FILE`
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Shell to generate the script for
    shell: Shell,
}

pub(super) fn completions(
    args: &CompletionsArgs,
    mut command: Command,
) -> Result<ExitStatus, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "standin", &mut script);
    print(String::from_utf8_lossy(&script))?;
    Ok(ExitStatus::Passed)
}
