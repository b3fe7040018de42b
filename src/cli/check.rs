//! `standin check`: reports every problem of scenarios, vendor folders and configuration files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::exit::{CommandError, ExitStatus};
use super::global::Global;
use super::inputs::{FileKind, note_skipped, read, scenarios, toml_files, vendor_of};
use super::scenario_reader::ScenarioReader;
use super::setup::Setup;
use super::terminal::print;
use super::variables::VariableArgs;
use super::watch::watch;
use crate::base::text::count;
use crate::config::Config;
use crate::diag::{Problem, Problems, Source, code};
use crate::emulator::check_examples;
use crate::fidelity;
use crate::platform::{Account, Platform, PlatformFolder};
use crate::run::check_patches;
use crate::scenario::{self, check_names, read_shared};

/// Check scenarios, vendor folders and configuration; report every problem with its source line
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Scenarios (files, folders or bundled names), vendor folders or configuration files
    /// [default: everything bundled]
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    #[command(flatten)]
    variables: VariableArgs,
    /// Check again whenever a file changes, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// Explain an error code, such as E011
    #[arg(long, value_name = "CODE", exclusive = true)]
    explain: Option<String>,
}

pub(super) fn check(args: &CheckArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    match &args.explain {
        Some(code) => explain(code),
        None if args.watch => watch(&args.paths, global, |files| once(args, global, files)),
        None => once(args, global, &mut BTreeSet::new()),
    }
}

fn explain(text: &str) -> Result<ExitStatus, CommandError> {
    let Some(explained) = code::Code::parse(text).and_then(code::Code::explanation) else {
        let codes: Vec<String> = code::CODES.iter().map(|known| known.code.to_string()).collect();
        let problem =
            Problem::anywhere(code::UNKNOWN_VALUE, format!("unknown error code `{text}`"));
        return Err(problem.suggest_or_list(text, codes.iter().map(String::as_str)).into());
    };
    let indented = |example: &str| example.replace('\n', "\n    ");
    let (wrong, right) = (indented(explained.invalid), indented(explained.valid));
    print(format_args!(
        "{}: {}\n\ninvalid:\n    {wrong}\n\nvalid:\n    {right}\n",
        explained.code, explained.about
    ))?;
    Ok(ExitStatus::Passed)
}

/// Checks once. `files` gets the files that the scenarios name.
fn once(
    args: &CheckArgs,
    global: &Global,
    files: &mut BTreeSet<PathBuf>,
) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    let inputs = args.variables.inputs(&setup.config);
    let mut check = CheckRun {
        setup: &setup,
        reader: ScenarioReader::new(inputs, files),
        problems: Problems::new(),
        checked: 0,
    };
    if args.paths.is_empty() {
        check.bundled();
    }
    for path in &args.paths {
        check.path(path);
    }
    // A file that cannot be read may have the variable.
    if check.problems.is_empty() {
        check.problems.extend(check_names(&check.reader.inputs, &check.reader.names));
    }
    check.problems.into_result(Some(()))?;
    print(format_args!("{} checked, no problems\n", count(check.checked, "file", "files")))?;
    Ok(ExitStatus::Passed)
}

/// One execution of the check, with the problems found so far.
struct CheckRun<'a> {
    setup: &'a Setup,
    reader: ScenarioReader<'a>,
    problems: Problems,
    checked: usize,
}

impl CheckRun<'_> {
    fn bundled(&mut self) {
        for id in self.setup.ids() {
            for revision in self.setup.catalog.revisions(id) {
                let vendor = self.setup.vendor(&format!("{id}@{revision}"));
                if let Some(vendor) = self.problems.note(vendor) {
                    self.platform(&vendor);
                }
            }
            self.checked += 1;
        }
        let sources = scenarios(&scenario::bundled_names());
        for source in self.problems.note(sources).unwrap_or_default() {
            self.scenario(&source);
        }
    }

    /// Checks a vendor folder, a folder of files, a file, or a bundled scenario by its name.
    fn path(&mut self, name: &str) {
        let path = Path::new(name);
        // The folder of a vendor can contain scenarios too.
        if let Some(folder) = vendor_of(path).filter(|folder| folder != path) {
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
        let (mut vendors, mut skipped) = (Vec::new(), Vec::new());
        for file in files {
            match vendor_of(&file) {
                // Every TOML file of a vendor folder leads here; the folder is checked once.
                Some(vendor) if vendors.contains(&vendor) => {}
                Some(vendor) => {
                    self.vendor(&vendor);
                    vendors.push(vendor);
                }
                None => {
                    let kind = self.file_in_folder(&file);
                    skipped.extend(kind.map(|kind| format!("{} ({kind})", file.display())));
                }
            }
        }
        if !skipped.is_empty() {
            note_skipped(&skipped);
        }
    }

    fn file(&mut self, path: &Path) {
        let Some(source) = self.problems.note(read(path)) else { return };
        match FileKind::by_keys(&source) {
            FileKind::Configuration => self.configuration(&source),
            FileKind::Shared => self.shared(&source),
            _ => self.scenario(&source),
        }
    }

    /// Checks a file that scenarios include, by itself.
    fn shared(&mut self, source: &Arc<Source>) {
        self.checked += 1;
        self.problems.note(read_shared(source));
    }

    /// Checks a file of a folder. Returns its kind if it is skipped.
    fn file_in_folder(&mut self, path: &Path) -> Option<FileKind> {
        let source = self.problems.note(read(path))?;
        match FileKind::by_keys(&source) {
            FileKind::Configuration => self.configuration(&source),
            FileKind::Shared => self.shared(&source),
            FileKind::Other => return Some(FileKind::Other),
            _ => self.scenario(&source),
        }
        None
    }

    fn configuration(&mut self, source: &Arc<Source>) {
        self.checked += 1;
        let (config, problems) = Config::read_partial(Some(source));
        self.problems.extend(problems);
        if let Some(config) = config {
            let setup = Setup::new(config, self.setup.catalog.clone());
            self.problems.extend(setup.check_config());
            self.problems.extend(setup.check_on_open());
        }
    }

    /// Checks every revision of a vendor folder.
    fn vendor(&mut self, folder: &Path) {
        self.checked += 1;
        // The vendor may extend one in a sibling folder.
        let beside = folder.parent().filter(|parent| *parent != Path::new(""));
        let catalog = self.setup.catalog.clone().with_directory(beside.unwrap_or(Path::new(".")));
        // Problems of a sibling folder are not problems of this vendor.
        let catalog = catalog.unwrap_or_else(|_| self.setup.catalog.clone());
        let Some(folder) = self.problems.note(PlatformFolder::read(folder)) else { return };
        for revision in folder.revisions() {
            if let Some(vendor) = self.problems.note(catalog.load_folder(&folder, &revision)) {
                self.platform(&vendor);
            }
        }
    }

    /// Checks what needs a platform without problems: its samples and the examples of its API.
    fn platform(&mut self, vendor: &Arc<Platform>) {
        self.problems.note(fidelity::samples(vendor));
        self.problems.extend_new(check_examples(&Arc::new(Account::test(vendor))));
    }

    /// Checks a scenario for the vendors it names, or for all vendors.
    fn scenario(&mut self, source: &Arc<Source>) {
        self.checked += 1;
        let setup = self.setup;
        let drafts = self.reader.drafts(source);
        for mut draft in self.problems.note(drafts).into_iter().flatten() {
            let vendors = setup.vendors_of(&mut draft);
            let checked = scenario::check(draft, &vendors, setup.vendors());
            let checked =
                checked.map(|script| check_patches(&Arc::new(script), &setup.accounts(&vendors)));
            let problems = checked.unwrap_or_else(|problems| problems);
            self.problems.extend_new(setup.naming_revisions(problems));
        }
    }
}
