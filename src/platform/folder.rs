//! A vendor's folder of files: bundled in the binary, or a directory of the user's.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rust_embed::RustEmbed;

use crate::diag::{Problem, Problems, Source, code};

/// The name of a vendor's main file.
pub(super) const MAIN: &str = "vendor.toml";

#[derive(RustEmbed)]
#[folder = "templates/"]
struct BundledTemplates;

/// The files of one vendor, by their path inside the folder, with `/` between the parts.
#[derive(Clone, Debug, Default)]
pub struct PlatformFolder {
    /// The folder's name, for messages.
    pub name: String,
    /// The files.
    pub files: BTreeMap<String, Arc<Source>>,
}

impl PlatformFolder {
    /// The bundled folders, by vendor.
    pub fn bundled() -> BTreeMap<String, Self> {
        let mut folders: BTreeMap<String, Self> = BTreeMap::new();
        for path in BundledTemplates::iter() {
            let Some((vendor, file)) = path.split_once('/') else { continue };
            let Some(embedded) = BundledTemplates::get(&path) else { continue };
            let text = String::from_utf8_lossy(&embedded.data).into_owned();
            let name = format!("templates/{path}");
            let folder = folders.entry(vendor.to_owned()).or_default();
            folder.name = format!("templates/{vendor}");
            folder.files.insert(file.to_owned(), Source::new(name, text));
        }
        folders
    }

    /// The folders inside a directory, by name; a directory without `vendor.toml` is none.
    pub fn inside(directory: &Path) -> Result<BTreeMap<String, Self>, Problems> {
        let mut folders = BTreeMap::new();
        let mut problems = Problems::new();
        for (name, path) in entries(directory)? {
            if path.join(MAIN).is_file() {
                folders.extend(problems.note(Self::read(&path)).map(|folder| (name, folder)));
            }
        }
        problems.or(Some(folders))
    }

    /// Reads one folder, its subfolders too.
    pub fn read(directory: &Path) -> Result<Self, Problems> {
        let mut folder = Self { name: directory.display().to_string(), files: BTreeMap::new() };
        let mut problems = Problems::new();
        folder.gather(directory, "", &mut problems)?;
        problems.or(Some(folder))
    }

    /// The names of its revisions, the documentation's first.
    pub fn revisions(&self) -> Vec<String> {
        revisions(self.files.keys())
    }

    fn gather(
        &mut self,
        directory: &Path,
        prefix: &str,
        problems: &mut Problems,
    ) -> Result<(), Problems> {
        for (name, path) in entries(directory)? {
            if path.is_dir() {
                self.gather(&path, &format!("{prefix}{name}/"), problems)?;
            } else if path.extension().is_some_and(|end| end == "json" || end == "toml") {
                let source = Source::read(&path).map_err(|error| unreadable(&path, &error));
                let source = problems.note(source);
                self.files.extend(source.map(|source| (format!("{prefix}{name}"), source)));
            }
        }
        Ok(())
    }
}

/// The names of the revisions among these files, the documentation's first.
pub(super) fn revisions<'a>(files: impl Iterator<Item = &'a String>) -> Vec<String> {
    let overlay = |name: &'a String| name.strip_prefix("revisions/")?.strip_suffix("/overlay.toml");
    let named = files.filter_map(overlay).map(str::to_owned);
    [super::DOCS.to_owned()].into_iter().chain(named).collect()
}

/// The entries of a directory by name.
fn entries(directory: &Path) -> Result<BTreeMap<String, std::path::PathBuf>, Problems> {
    let read = std::fs::read_dir(directory).map_err(|error| unreadable(directory, &error))?;
    let entries = read
        .flatten()
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
    Ok(entries.collect())
}

fn unreadable(path: &Path, error: &dyn std::error::Error) -> Problem {
    Problem::anywhere(code::FILE_UNREADABLE, format!("cannot read `{}`: {error}", path.display()))
}
