//! `standin man`: generates man pages from the definition of the command line.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Command};

use super::exit::{CommandError, ExitStatus};
use super::terminal::print;

/// Write the man pages, one per command
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Folder to write them to; it is created if necessary
    #[arg(default_value = ".")]
    folder: PathBuf,
}

pub(super) fn man(args: &ManArgs, command: Command) -> Result<ExitStatus, CommandError> {
    let folder = args.folder.display();
    fs::create_dir_all(&args.folder).with_context(|| format!("cannot create `{folder}`"))?;
    clap_mangen::generate_to(command, &args.folder)
        .with_context(|| format!("cannot write to `{folder}`"))?;
    print(format_args!(
        "wrote the man pages to {folder}. Read one with `man {folder}/standin.1`\n"
    ))?;
    Ok(ExitStatus::Passed)
}
