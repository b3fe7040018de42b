//! `standin init`: a story to begin with, and the schema that editors complete it from.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::schema::{SchemaKind, of};
use super::setup::Setup;
use super::{CommandError, ExitStatus, Global, print};
use crate::diag::{Problem, code};
use crate::platform::Platform;

/// Writes a commented scenario that passes, and its schema, for you to go on from
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The vendor that it is for
    vendor: String,
    /// The file
    #[arg(default_value = "scenario.toml")]
    file: PathBuf,
}

/// The story, with words in capitals where the vendor differs.
const STORY: &str = include_str!("init.toml");

/// The schema's file, beside the story.
const SCHEMA: &str = "scenario.schema.json";

pub(super) fn init(args: &InitArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    let vendor = setup.vendor(&args.vendor)?;
    write_new(&args.file, &story(&vendor, &args.file))?;
    let schema = args.file.with_file_name(SCHEMA);
    fs::write(&schema, format!("{:#}\n", of(SchemaKind::Scenario)))
        .with_context(|| format!("cannot write `{}`", schema.display()))?;
    let file = args.file.display();
    let schema = schema.display();
    print(format_args!("wrote {file} and {schema}\nNext: standin check {file}\n"))?;
    Ok(ExitStatus::Passed)
}

fn story(vendor: &Platform, file: &Path) -> String {
    STORY
        .replace("VENDOR_NAME", &vendor.name)
        .replace("VENDOR", &vendor.full_id())
        .replace("FILE", &file.display().to_string())
}

/// The problem with a file that is to be written and is there.
pub(super) fn there_already(path: &Path) -> Problem {
    let message = format!("`{}` is there already", path.display());
    Problem::anywhere(code::FILE_EXISTS, message).help("name another file")
}

/// Writes a file that is not there yet; what somebody wrote is never overwritten.
pub(super) fn write_new(path: &Path, text: &str) -> Result<(), CommandError> {
    let opened = OpenOptions::new().write(true).create_new(true).open(path);
    match opened.and_then(|mut file| file.write_all(text.as_bytes())) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(there_already(path).into())
        }
        written => Ok(written.with_context(|| format!("cannot write `{}`", path.display()))?),
    }
}
