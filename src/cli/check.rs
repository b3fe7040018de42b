//! `standin check`: every problem of scenarios, vendor folders and configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::setup::{Setup, read, scenarios, toml_files};
use super::watch::watch;
use super::{CommandError, ExitStatus, Global, print};
use crate::base::text::count;
use crate::config::Config;
use crate::diag::{Problem, Problems, Source, code};
use crate::fidelity;
use crate::platform::PlatformFolder;
use crate::scenario::{self, ScenarioForm};

/// Checks scenarios, vendor folders and configuration
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Scenarios (files, folders or bundled names), vendor folders, or a configuration; everything
    /// bundled without any
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// Check again whenever a file changes, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// What a problem's code means, such as E011
    #[arg(long, value_name = "CODE", exclusive = true)]
    explain: Option<String>,
}

pub(super) fn check(args: &CheckArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    match &args.explain {
        Some(code) => explain(code),
        None if args.watch => watch(&args.paths, global, || once(&args.paths, global)),
        None => once(&args.paths, global),
    }
}

fn explain(text: &str) -> Result<ExitStatus, CommandError> {
    let Some(explained) = code::Code::parse(text).and_then(code::Code::explained) else {
        let known: Vec<String> = code::CODES.iter().map(|known| known.code.to_string()).collect();
        let problem = Problem::anywhere(code::UNKNOWN_WORD, format!("there is no code `{text}`"));
        return Err(problem.known(text, known.iter().map(String::as_str)).into());
    };
    let indented = |example: &str| example.replace('\n', "\n    ");
    let (wrong, right) = (indented(explained.wrong), indented(explained.right));
    print(format_args!(
        "{}: {}\n\nwrong:\n    {wrong}\n\nright:\n    {right}\n",
        explained.code, explained.about
    ))?;
    Ok(ExitStatus::Passed)
}

fn once(paths: &[String], global: &Global) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    let mut check = CheckRun { setup: &setup, problems: Problems::new(), checked: 0 };
    if paths.is_empty() {
        check.bundled();
    }
    for path in paths {
        check.path(path);
    }
    check.problems.or(Some(()))?;
    print(format_args!("{} checked, no problems\n", count(check.checked, "file", "files")))?;
    Ok(ExitStatus::Passed)
}

/// One check of everything that was asked for.
struct CheckRun<'a> {
    setup: &'a Setup,
    problems: Problems,
    checked: usize,
}

impl CheckRun<'_> {
    fn bundled(&mut self) {
        for id in self.setup.ids() {
            for revision in self.setup.catalog.revisions(id) {
                let vendor = self.setup.vendor(&format!("{id}@{revision}"));
                if let Some(vendor) = self.problems.note(vendor) {
                    self.problems.note(fidelity::samples(&vendor));
                }
            }
            self.checked += 1;
        }
        let sources = scenarios(&scenario::bundled_names());
        for source in self.problems.note(sources).unwrap_or_default() {
            self.scenario(&source);
        }
    }

    /// A folder of vendors or of files, a file, or the name of a bundled scenario.
    fn path(&mut self, name: &str) {
        let path = Path::new(name);
        if let Some(folder) = vendor_of(path) {
            return self.vendor(&folder);
        }
        if path.is_dir() {
            return self.folder(path);
        }
        if path.exists() {
            return self.file(path);
        }
        for source in self.problems.note(scenarios(&[name.to_owned()])).unwrap_or_default() {
            self.scenario(&source);
        }
    }

    fn folder(&mut self, folder: &Path) {
        let Some(files) = self.problems.note(toml_files(folder)) else { return };
        let mut vendors = Vec::new();
        for file in files {
            match vendor_of(&file) {
                Some(vendor) if vendors.contains(&vendor) => {}
                Some(vendor) => {
                    self.vendor(&vendor);
                    vendors.push(vendor);
                }
                None => self.file(&file),
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let Some(source) = self.problems.note(read(path)) else { return };
        if is_configuration(&source) {
            self.configuration(&source);
        } else {
            self.scenario(&source);
        }
    }

    fn configuration(&mut self, source: &Arc<Source>) {
        self.checked += 1;
        let (config, problems) = Config::draft(Some(source));
        self.problems.extend(problems);
        if let Some(config) = config {
            let own = Setup::new(config, self.setup.catalog.clone());
            self.problems.extend(own.check_config());
        }
    }

    /// Checks every revision of a vendor's folder.
    fn vendor(&mut self, folder: &Path) {
        self.checked += 1;
        // It may extend the vendors beside it.
        let beside = folder.parent().filter(|parent| *parent != Path::new(""));
        let catalog = self.setup.catalog.clone().with_directory(beside.unwrap_or(Path::new(".")));
        let catalog = catalog.unwrap_or_else(|_| self.setup.catalog.clone());
        let Some(folder) = self.problems.note(PlatformFolder::read(folder)) else { return };
        for revision in folder.revisions() {
            if let Some(vendor) = self.problems.note(catalog.load_folder(&folder, &revision)) {
                self.problems.note(fidelity::samples(&vendor));
            }
        }
    }

    /// Checks a scenario against the vendors it names, or against all of them.
    fn scenario(&mut self, source: &Arc<Source>) {
        self.checked += 1;
        let setup = self.setup;
        let checked = scenario::read(source).and_then(|mut draft| {
            let vendors = setup.vendors_of(&mut draft);
            scenario::check(draft, &vendors, setup.vendors())
        });
        self.problems.note(checked);
    }
}

/// The vendor's folder that a path is, or that a file lies in.
fn vendor_of(path: &Path) -> Option<PathBuf> {
    path.ancestors().find(|folder| folder.join("vendor.toml").is_file()).map(Path::to_owned)
}

/// A configuration is told by what it holds; where that says nothing, by its name.
fn is_configuration(source: &Arc<Source>) -> bool {
    let name = Path::new(&source.name).file_name().map(|name| name.to_string_lossy().into_owned());
    let named = name.is_some_and(|name| name == "standin.toml" || name.starts_with("config."));
    Config::is_meant(source, ScenarioForm::KEYS, named)
}
