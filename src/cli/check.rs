//! `standin check`: every problem of scenarios, vendor folders and configuration.

use std::path::Path;
use std::sync::Arc;

use clap::Args;

use super::setup::{Setup, read, scenarios};
use super::{Exit, Failure, Global};
use crate::base::text::count;
use crate::config::Config;
use crate::diag::{Problem, Problems, Source, code};
use crate::scenario;
use crate::vendor::{Folder, Vendor, VendorRef};

/// Checks scenarios, vendor folders and configuration
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Scenarios (files, folders or bundled names), vendor folders, or a configuration; everything
    /// bundled without any
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// What a problem's code means, such as E011
    #[arg(long, value_name = "CODE", exclusive = true)]
    explain: Option<String>,
}

pub(super) fn check(args: &CheckArgs, global: &Global) -> Result<Exit, Failure> {
    if let Some(code) = &args.explain {
        return explain(code);
    }
    let setup = Setup::read(global)?;
    let mut problems = Problems::new();
    let mut checked = 0;
    if args.paths.is_empty() {
        for id in setup.catalog.ids() {
            let loaded = setup.vendor(&VendorRef::parse(id));
            loaded.err().into_iter().for_each(|others| problems.extend(others));
            checked += 1;
        }
        let names = scenario::bundled_names();
        for source in scenarios(&names)? {
            check_scenario(&source, &setup, &mut problems);
            checked += 1;
        }
    }
    for path in &args.paths {
        checked += check_path(path, &setup, &mut problems)?;
    }
    problems.or(Some(()))?;
    anstream::println!("{} checked, no problems", count(checked, "file", "files"));
    Ok(Exit::Passed)
}

fn explain(text: &str) -> Result<Exit, Failure> {
    let Some(code) = code::Code::parse(text) else {
        let known: Vec<String> = code::CODES.iter().map(|(code, _)| code.to_string()).collect();
        let problem = Problem::anywhere(code::UNKNOWN_WORD, format!("there is no code `{text}`"));
        return Err(problem.known(text, known.iter().map(String::as_str)).into());
    };
    anstream::println!("{code}: {}", code.explanation());
    Ok(Exit::Passed)
}

fn check_path(path: &str, setup: &Setup, problems: &mut Problems) -> Result<usize, Failure> {
    let folder = Path::new(path);
    if folder.join("vendor.toml").is_file() {
        check_vendor(folder, setup, problems);
        return Ok(1);
    }
    let vendors =
        if folder.is_dir() { Folder::inside(folder).unwrap_or_default() } else { [].into() };
    if !vendors.is_empty() {
        for name in vendors.keys() {
            check_vendor(&folder.join(name), setup, problems);
        }
        return Ok(vendors.len());
    }
    if is_configuration(path) {
        let read = Config::read(Some(&read(folder)?));
        read.err().into_iter().for_each(|others| problems.extend(others));
        return Ok(1);
    }
    let sources = scenarios(&[path.to_owned()])?;
    for source in &sources {
        check_scenario(source, setup, problems);
    }
    Ok(sources.len())
}

/// A configuration is told by its name: `standin.toml`, `config.example.toml`.
fn is_configuration(path: &str) -> bool {
    let name = Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned());
    name.is_some_and(|name| name == "standin.toml" || name.starts_with("config."))
}

fn check_vendor(folder: &Path, setup: &Setup, problems: &mut Problems) {
    match Folder::read(folder) {
        Ok(folder) => {
            for revision in folder.revisions() {
                let loaded = setup.catalog.load_folder(&folder, &revision);
                loaded.err().into_iter().for_each(|others| problems.extend(others));
            }
        }
        Err(others) => problems.extend(others),
    }
}

/// Checks a scenario against the vendors it names, or against all of them.
fn check_scenario(source: &Arc<Source>, setup: &Setup, problems: &mut Problems) {
    let checked = scenario::read(source).and_then(|draft| {
        let vendors = played_at(&draft.form, setup)?;
        scenario::check(draft, &vendors, &setup.vendors())
    });
    checked.err().into_iter().for_each(|others| problems.extend(others));
}

/// The vendors that a scenario names, or all of them.
pub(super) fn played_at(
    form: &scenario::ScenarioForm,
    setup: &Setup,
) -> Result<Vec<Arc<Vendor>>, Problems> {
    let Some(named) = &form.vendors else {
        return setup.catalog.ids().map(|id| setup.vendor(&VendorRef::parse(id))).collect();
    };
    let mut problems = Problems::new();
    let mut vendors = Vec::new();
    for name in named {
        let reference = VendorRef::parse(name);
        if !setup.catalog.contains(&reference.id) {
            let message = format!("unknown vendor `{}`", reference.id);
            let problem = Problem::at(&name.place, code::UNKNOWN_VENDOR, message);
            problems.push(problem.known(&reference.id, setup.catalog.ids()));
            continue;
        }
        match setup.vendor(&reference) {
            Ok(vendor) => vendors.push(vendor),
            Err(others) => problems.extend(others),
        }
    }
    problems.or(Some(vendors))
}
