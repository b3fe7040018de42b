//! `standin init`: writes a scenario to start from, and the schema that editors use to complete it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::exit::{CommandError, ExitStatus};
use super::global::Global;
use super::schema::{SchemaKind, of};
use super::setup::Setup;
use super::terminal::print;
use crate::diag::{Problem, code};
use crate::platform::Platform;

/// Write a commented scenario to start from, and its JSON Schema
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Vendor that the scenario is for
    vendor: String,
    /// File to write; it must not exist
    #[arg(default_value = "scenario.toml")]
    file: PathBuf,
}

/// Template of the scenario. Words in capitals are placeholders.
const TEMPLATE: &str = include_str!("init.toml");

/// Name of the schema file, which is written to the folder of the scenario.
const SCHEMA: &str = "scenario.schema.json";

pub(super) fn init(args: &InitArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    let vendor = setup.observed_vendor(&args.vendor)?;
    write_new(&args.file, &scenario(&vendor, &args.file))?;
    let schema = args.file.with_file_name(SCHEMA);
    // The schema is generated and holds nothing of the user's, so it may be overwritten.
    fs::write(&schema, format!("{:#}\n", of(SchemaKind::Scenario, &setup.catalog)))
        .with_context(|| format!("cannot write `{}`", schema.display()))?;
    let file = args.file.display();
    let schema = schema.display();
    print(format_args!("wrote {file} and {schema}\nNext: standin check {file}\n"))?;
    Ok(ExitStatus::Passed)
}

fn scenario(vendor: &Platform, file: &Path) -> String {
    TEMPLATE
        // The longer placeholder first: `VENDOR` is a prefix of it.
        .replace("VENDOR_NAME", &vendor.name)
        .replace("VENDOR", &vendor.full_id())
        .replace("FILE", &file.display().to_string())
}

/// Returns the problem of an output file that already exists.
pub(super) fn file_exists(path: &Path) -> Problem {
    let message = format!("`{}` already exists", path.display());
    Problem::anywhere(code::FILE_EXISTS, message).help("choose another file")
}

/// Writes a new file. An existing file is an error and stays unchanged.
pub(super) fn write_new(path: &Path, text: &str) -> Result<(), CommandError> {
    // `create_new` checks and creates in one step, so that no file created meanwhile is lost.
    let opened = OpenOptions::new().write(true).create_new(true).open(path);
    match opened.and_then(|mut file| file.write_all(text.as_bytes())) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(file_exists(path).into()),
        written => Ok(written.with_context(|| format!("cannot write `{}`", path.display()))?),
    }
}
