//! Files that commands read: scenarios, and the other kinds of TOML files beside them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::terminal::note;
use crate::base::file::{self, ReadError, check_inside};
use crate::base::text::{escape, nearest};
use crate::config::Config;
use crate::diag::{Key, Problem, Problems, Source, code, toml};
use crate::scenario::{ScenarioForm, SharedForm, bundled, bundled_names};

/// File that makes its folder a vendor folder.
const VENDOR: &str = "vendor.toml";

/// Reads a source file.
pub(super) fn read(path: &Path) -> Result<Arc<Source>, Problem> {
    Source::read(path).map_err(|error| unreadable_file(path, &error))
}

pub(super) fn unreadable_file(path: &Path, error: &ReadError) -> Problem {
    let problem = unreadable(path, error);
    match error.help() {
        Some(advice) => problem.help(advice),
        None => problem,
    }
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Problem {
    let message = format!("cannot read `{}`: {error}", path.display());
    Problem::anywhere(code::FILE_UNREADABLE, message)
}

/// Value of `--vendor` for every vendor that can run a scenario.
pub(super) const ALL_VENDORS: &str = "all";

/// Returns the vendors of `--vendor`; `None` for every vendor.
///
/// # Errors
/// `all` is combined with other vendors, or written in another way.
pub(super) fn vendor_names(names: &[String]) -> Result<Option<Vec<&str>>, Problem> {
    let names: Vec<&str> = names.iter().map(|name| name.trim()).collect();
    let is_all = |name: &&str| *name == ALL_VENDORS;
    let is_meant =
        |name: &&str| matches!(name.to_lowercase().as_str(), "all" | "any" | "every" | "*");
    if let Some(other) = names.iter().find(|name| !is_all(name) && is_meant(name)) {
        let problem = Problem::anywhere(code::UNKNOWN_VENDOR, format!("unknown vendor `{other}`"));
        return Err(problem.help(format!("`--vendor {ALL_VENDORS}` selects every vendor")));
    }
    if !names.iter().any(is_all) {
        return Ok(Some(names));
    }
    match names.iter().find(|name| !is_all(name)) {
        None => Ok(None),
        Some(other) => {
            let message = format!("`--vendor {ALL_VENDORS}` cannot be combined with `{other}`");
            let problem = Problem::anywhere(code::UNKNOWN_VENDOR, message);
            Err(problem.help("list the vendors instead, separated by commas"))
        }
    }
}

/// Name of standard input among paths.
pub(super) const STANDARD_INPUT: &str = "-";

/// A file of a scenario.
pub(super) enum ScenarioFile {
    /// A bundled scenario, or one of standard input.
    Text(Arc<Source>),
    /// A file. Its text is read when it is needed, so that memory does not grow with their number.
    Path(PathBuf),
}

impl ScenarioFile {
    /// Returns the text.
    pub(super) fn source(&self) -> Result<Arc<Source>, Problem> {
        match self {
            Self::Text(source) => Ok(Arc::clone(source)),
            Self::Path(path) => read(path),
        }
    }
}

/// Reads scenarios by path or by the name of a bundled one.
pub(super) fn scenarios(names: &[String]) -> Result<Vec<Arc<Source>>, Problems> {
    let files = scenario_files(names)?;
    Ok(files.iter().map(ScenarioFile::source).collect::<Result<_, _>>()?)
}

/// Returns the bundled scenarios, and those of these names.
pub(super) fn offered(names: &[String]) -> Result<Vec<Arc<Source>>, Problems> {
    let mut sources = scenarios(names)?;
    sources.extend(scenarios(&bundled_names())?);
    let mut known = BTreeSet::new();
    sources.retain(|source| known.insert(source.name.clone()));
    Ok(sources)
}

/// Finds scenarios by path or by the name of a bundled one; `-` is standard input. A folder stands for
/// all its scenarios; other TOML files in it are skipped, with a note.
pub(super) fn scenario_files(names: &[String]) -> Result<Vec<ScenarioFile>, Problems> {
    let mut problems = Problems::new();
    let mut files = Vec::new();
    for name in names {
        let path = Path::new(name);
        if name == STANDARD_INPUT {
            files.extend(problems.note(standard_input()).map(ScenarioFile::Text));
        } else if path.is_dir() {
            files.extend(problems.note(scenarios_of_folder(path)).unwrap_or_default());
        } else if path.exists() {
            files.extend(problems.note(scenario_file(path)));
        } else if let Some(source) = bundled(name) {
            files.push(ScenarioFile::Text(source));
        } else {
            problems.push(unknown_scenario(name));
        }
    }
    problems.into_result(Some(files))
}

/// Reads a scenario from standard input.
fn standard_input() -> Result<Arc<Source>, Problem> {
    let text = file::read_text(io::stdin().lock());
    let text = text.map_err(|error| unreadable_file(Path::new(STANDARD_INPUT), &error))?;
    Ok(Source::new(STANDARD_INPUT, text))
}

/// Reads a file that is named as a scenario. Another known kind of file is an error.
fn scenario_file(path: &Path) -> Result<ScenarioFile, Problem> {
    let source = read(path)?;
    // A scenario may lie in the folder of a vendor. Only `vendor.toml` itself cannot be one.
    let is_vendor = is_vendor_file(path);
    let kind = if is_vendor { FileKind::Vendor } else { FileKind::by_keys(&source) };
    let help = match kind {
        FileKind::Scenario | FileKind::Other => {
            // A pipe, such as `<(generate)`, can be read once.
            let is_file = path.is_file();
            return Ok(if is_file {
                ScenarioFile::Path(path.to_owned())
            } else {
                ScenarioFile::Text(source)
            });
        }
        FileKind::Configuration => "name a scenario, and pass the configuration with `--config`",
        FileKind::Shared => "name a scenario that includes it, or add `[[step]]` tables",
        FileKind::Vendor => {
            "name a scenario, and pass the folder of the vendors with `--templates`"
        }
    };
    let message = format!("`{}` is {kind}, not a scenario", path.display());
    Err(Problem::anywhere(code::NOTHING_TO_RUN, message).help(help))
}

fn scenarios_of_folder(folder: &Path) -> Result<Vec<ScenarioFile>, Problems> {
    let mut problems = Problems::new();
    let (mut files, mut skipped) = (Vec::new(), Vec::new());
    for file in toml_files(folder)? {
        let Some(source) = problems.note(read(&file)) else { continue };
        match FileKind::of(&source, folder) {
            FileKind::Scenario => files.push(ScenarioFile::Path(file)),
            kind => skipped.push(format!("{} ({kind})", file.display())),
        }
    }
    if files.is_empty() && problems.is_empty() {
        let message = format!("no scenario in `{}`", folder.display());
        let help = format!("found only {}", skipped.join(", "));
        problems.push(Problem::anywhere(code::NOTHING_TO_RUN, message).help(help));
    } else if !skipped.is_empty() {
        note_skipped(&skipped);
    }
    problems.into_result(Some(files))
}

/// Reports the files of a folder that are not checked or run.
pub(super) fn note_skipped(files: &[String]) {
    note(format_args!("note: skipped {}", escape(&files.join(", "))));
}

/// Kind of a TOML file, judged by its keys and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    /// A scenario, or a file with syntax errors.
    Scenario,
    /// A configuration of standin.
    Configuration,
    /// A file of a vendor folder.
    Vendor,
    /// A file that scenarios include.
    Shared,
    /// A file of another program.
    Other,
}

impl FileKind {
    /// Guesses the kind of a file in `root` or a folder below it. It belongs to a vendor if one of
    /// these folders contains a `vendor.toml`, unless it has steps.
    fn of(source: &Arc<Source>, root: &Path) -> Self {
        let path = Path::new(&source.name);
        let mut folders = path.ancestors().skip(1);
        let is_vendor =
            folders.any(|folder| folder.starts_with(root) && folder.join(VENDOR).is_file());
        if is_vendor && (is_vendor_file(path) || !has_steps(source)) {
            return Self::Vendor;
        }
        Self::by_keys(source)
    }

    /// Guesses the kind of a file outside vendor folders.
    pub(super) fn by_keys(source: &Arc<Source>) -> Self {
        let name = Path::new(&source.name).file_name().map(OsStr::to_string_lossy);
        let is_config =
            name.is_some_and(|name| name == "standin.toml" || name.starts_with("config."));
        if Config::is_configuration(source, ScenarioForm::KEYS, is_config) {
            return Self::Configuration;
        }
        let (node, problems) = toml::parse(source);
        let is_known = |key: &Key| nearest(&key.name, ScenarioForm::KEYS.iter().copied()).is_some();
        match node.as_table() {
            // An empty scenario is an error. Skipping it would hide it.
            Some(table) if problems.is_empty() && !table.0.is_empty() => {
                let is_shared = |key: &Key| SharedForm::KEYS.contains(&key.name.as_str());
                if table.0.iter().all(|(key, _)| is_shared(key)) {
                    Self::Shared
                } else if table.0.iter().any(|(key, _)| is_known(key)) {
                    Self::Scenario
                } else {
                    Self::Other
                }
            }
            _ => Self::Scenario,
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Scenario => "a scenario",
            Self::Configuration => "a configuration",
            Self::Shared => "shared parts of scenarios",
            Self::Vendor => "part of a vendor folder",
            Self::Other => "not a scenario",
        })
    }
}

/// Returns the vendor folder to which the path belongs. A scenario in such a folder belongs to none.
pub(super) fn vendor_of(path: &Path) -> Option<PathBuf> {
    let folder = path.ancestors().find(|folder| folder.join(VENDOR).is_file())?;
    let is_scenario = path.is_file()
        && !is_vendor_file(path)
        && Source::read(path).is_ok_and(|source| has_steps(&source));
    // The parent of a plain file name is an empty path, which cannot be read.
    let folder = if folder == Path::new("") { Path::new(".") } else { folder };
    (!is_scenario).then(|| folder.to_owned())
}

fn is_vendor_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == VENDOR)
}

/// Returns true if the file has `step` at its top. No file of a vendor folder has.
fn has_steps(source: &Arc<Source>) -> bool {
    toml::parse(source).0.as_table().is_some_and(|table| table.get("step").is_some())
}

/// Returns the path of a TOML file beside a missing one, if its name is similar.
fn similar_file(name: &str) -> Option<String> {
    let path = Path::new(name);
    let requested = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?.flatten();
    let is_toml = |name: &String| Path::new(name).extension().is_some_and(|end| end == "toml");
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let names: Vec<String> = names.filter(is_toml).collect();
    // Without the endings: what they have in common would make all short names similar.
    let stem = |name: &str| Path::new(name).file_stem().map(|stem| stem.display().to_string());
    let stems: Vec<String> = names.iter().filter_map(|name| stem(name)).collect();
    let found = nearest(&stem(requested)?, stems.iter().map(String::as_str))?;
    let file = names.get(stems.iter().position(|stem| stem == found)?)?;
    Some(folder.map_or(file.into(), |folder| folder.join(file)).display().to_string())
}

pub(super) fn unknown_scenario(name: &str) -> Problem {
    let names = bundled_names();
    let message = format!("no file and no bundled scenario is named `{name}`");
    let problem = Problem::anywhere(code::UNKNOWN_SCENARIO, message);
    let mut parts = name.split([',', ';', ' ']).map(str::trim);
    if name.contains([',', ';', ' ']) && parts.all(|part| bundled(part).is_some()) {
        return problem.help("write several scenarios as separate arguments, without commas");
    }
    if name.contains(['*', '?']) {
        return problem.help("no file matches the pattern; a folder stands for all its scenarios");
    }
    if let Some(file) = similar_file(name) {
        return problem.help(format!("did you mean `{file}`?"));
    }
    problem.suggest_or_list(name, names.iter().map(String::as_str))
}

/// Returns the TOML files of a folder and its subfolders, sorted by name. None is an error.
pub(super) fn toml_files(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let mut files = Vec::new();
    collect_toml_files(folder, &mut files)?;
    for file in &files {
        check_inside(folder, file).map_err(|error| unreadable_file(file, &error))?;
    }
    if files.is_empty() {
        let message = format!("no `.toml` file in `{}`", folder.display());
        let problem = Problem::anywhere(code::NOTHING_TO_RUN, message);
        return Err(problem.help(match other_format(folder) {
            Some(file) => format!("`{file}` is in another format: scenarios are TOML files"),
            None => "name a scenario or a folder that contains scenarios".to_owned(),
        }));
    }
    Ok(files)
}

/// Returns the first file of a folder in a format in which other programs keep scenarios.
fn other_format(folder: &Path) -> Option<String> {
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let is_other = |path: &PathBuf| {
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        matches!(extension.to_lowercase().as_str(), "yaml" | "yml" | "json" | "json5" | "jsonc")
    };
    entries.filter(is_other).min().map(|path| escape(&path.display().to_string()))
}

fn collect_toml_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Problem> {
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // `file_type` does not follow symbolic links: linked folders can form a cycle.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect_toml_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    Ok(())
}
