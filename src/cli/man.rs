//! `standin man`: the manual's pages, out of the command line itself.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};

use super::{CliArgs, CommandError, ExitStatus, print};

/// Writes the manual's pages, one for each command
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The folder that they are written to
    #[arg(default_value = ".")]
    folder: PathBuf,
}

pub(super) fn man(args: &ManArgs) -> Result<ExitStatus, CommandError> {
    let folder = args.folder.display();
    fs::create_dir_all(&args.folder).with_context(|| format!("cannot make `{folder}`"))?;
    clap_mangen::generate_to(CliArgs::command(), &args.folder)
        .with_context(|| format!("cannot write to `{folder}`"))?;
    print(format_args!("wrote the pages to {folder}; read one with `man {folder}/standin.1`\n"))?;
    Ok(ExitStatus::Passed)
}
