//! Reads scenarios with the files that they name: included files, tables and attachments.
//!
//! A scenario may come from somebody else, so that it reads files below its own folder only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::inputs::{read, unreadable_file};
use crate::base::attachment::Attachment;
use crate::base::file::{check_inside, read_bytes};
use crate::diag::{Problem, Problems, Source, Spanned, code};
use crate::scenario::{self, ParsedScenario, VariableInputs};

/// Reads scenarios for one command.
pub(super) struct ScenarioReader<'a> {
    /// Values from outside for their variables.
    pub(super) inputs: VariableInputs,
    /// The variables of the scenarios so far.
    pub(super) names: BTreeSet<String>,
    /// The files that the scenarios so far name, found or not.
    files: &'a mut BTreeSet<PathBuf>,
}

impl<'a> ScenarioReader<'a> {
    pub(super) fn new(inputs: VariableInputs, files: &'a mut BTreeSet<PathBuf>) -> Self {
        Self { inputs, names: BTreeSet::new(), files }
    }

    /// Reads a scenario, once for every row of its table.
    pub(super) fn drafts(
        &mut self,
        source: &Arc<Source>,
    ) -> Result<impl Iterator<Item = ParsedScenario> + use<>, Problems> {
        let folder = ScenarioFolder::of(source);
        let mut parsed = scenario::read(source)?.with_included(&mut |path, from| {
            let file = folder.locate(path, from)?;
            self.read(&file)
        });
        let mut read = BTreeMap::new();
        if parsed.attachments.is_none() {
            parsed = parsed.with_attachments(&mut |path| self.attachment(path, &folder, &mut read));
        }
        self.names.extend(parsed.form.vars.names().map(str::to_owned));
        parsed.inputs = self.inputs.clone();
        let table = self.table(&parsed, &folder)?;
        parsed.into_rows(table.as_ref())
    }

    /// Reads the CSV file of a scenario.
    fn table(
        &mut self,
        parsed: &ParsedScenario,
        folder: &ScenarioFolder,
    ) -> Result<Option<Arc<Source>>, Problem> {
        // With `[[row]]`, the file is not needed to report that there are two tables.
        let rows = parsed.form.rows.as_ref().filter(|_| parsed.form.row.is_empty());
        let Some(rows) = rows else { return Ok(None) };
        self.read(&folder.locate(rows, &parsed.source)?).map(Some)
    }

    /// Reads a file that a message links to. `known` has those of the scenario so far.
    fn attachment(
        &mut self,
        written: &Spanned<String>,
        folder: &ScenarioFolder,
        known: &mut BTreeMap<PathBuf, Arc<Attachment>>,
    ) -> Result<Arc<Attachment>, Problem> {
        if written.trim().is_empty() {
            let problem = Problem::at(&written.span, code::FILE_UNREADABLE, "the path is empty");
            return Err(
                problem.help("write the path of a file, or remove the key for a sample file")
            );
        }
        let file = folder.locate(written, &written.span.source)?;
        if let Some(attachment) = known.get(&file.path) {
            return Ok(Arc::clone(attachment));
        }
        self.files.insert(file.path.clone());
        file.check()?;
        let bytes = read_bytes(&file.path);
        let bytes = bytes.map_err(|error| file.placed(unreadable_file(&file.path, &error)))?;
        let attachment = Arc::new(Attachment::new(&file.path, bytes));
        known.insert(file.path, Arc::clone(&attachment));
        Ok(attachment)
    }

    fn read(&mut self, file: &NamedFile<'_>) -> Result<Arc<Source>, Problem> {
        self.files.insert(file.path.clone());
        file.check()?;
        read(&file.path).map_err(|problem| file.placed(problem))
    }
}

/// The folder of a scenario, below which lie all files that it names.
pub(super) struct ScenarioFolder(PathBuf);

/// A file that a scenario names.
pub(super) struct NamedFile<'a> {
    /// The path, with the folder of the scenario.
    pub(super) path: PathBuf,
    folder: &'a Path,
    written: &'a Spanned<String>,
}

impl ScenarioFolder {
    pub(super) fn of(scenario: &Source) -> Self {
        Self(parent(scenario))
    }

    /// Returns the file at a path that is written in `from`, and relative to it. The file system is
    /// not asked: a path that leads out must not reach another machine or a device.
    pub(super) fn locate<'a>(
        &'a self,
        written: &'a Spanned<String>,
        from: &Source,
    ) -> Result<NamedFile<'a>, Problem> {
        let text = written.as_str();
        let is_drive = text.as_bytes().get(1) == Some(&b':');
        if text.starts_with(['/', '\\'])
            || is_drive
            || text.contains("://")
            || text.starts_with("file:")
        {
            return Err(outside(written));
        }
        let base = parent(from);
        let base = base.strip_prefix(&self.0).unwrap_or(Path::new(""));
        let mut path = PathBuf::new();
        for component in base.components().chain(Path::new(text).components()) {
            match component {
                Component::Normal(name) => path.push(name),
                Component::CurDir => {}
                Component::ParentDir if path.pop() => {}
                _ => return Err(outside(written)),
            }
        }
        let mut path = self.0.join(path);
        if path == Path::new("") {
            path.push("."); // the folder itself, which is not a file
        }
        Ok(NamedFile { path, folder: &self.0, written })
    }
}

fn outside(written: &Spanned<String>) -> Problem {
    let message = format!("`{}` is not below the folder of the scenario", written.value);
    let problem = Problem::at(&written.span, code::FILE_UNREADABLE, message);
    problem.help("write a path relative to this file, such as `shared/people.toml`")
}

impl NamedFile<'_> {
    /// Checks that the file is below the folder after all symbolic links are followed.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let folder = if self.folder == Path::new("") { Path::new(".") } else { self.folder };
        if self.path.exists() && check_inside(folder, &self.path).is_err() {
            let message =
                format!("`{}` leads out of the folder of the scenario", self.written.value);
            let problem = Problem::at(&self.written.span, code::FILE_UNREADABLE, message);
            return Err(problem.help("copy the file into the folder instead of linking to it"));
        }
        Ok(())
    }

    /// Places a problem of the file at its path in the scenario.
    pub(super) fn placed(&self, problem: Problem) -> Problem {
        let help = problem.help.clone();
        let help = help.unwrap_or_else(|| "the path is relative to this file".to_owned());
        Problem { span: Some(self.written.span.clone()), ..problem }.help(help)
    }
}

/// Returns the folder of a file; empty for the current one.
fn parent(source: &Source) -> PathBuf {
    Path::new(&source.name).parent().map(Path::to_owned).unwrap_or_default()
}
