//! Vendor folders: bundled in the binary, or read from a directory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rust_embed::RustEmbed;

use super::vendor_ref::DOCS;
use crate::base::file::{ReadError, check_inside};
use crate::diag::{Problem, Problems, Source, code};

/// Name of a vendor's main file.
pub(super) const MAIN: &str = "vendor.toml";

/// Extensions of the files of a vendor. Others, such as a README, are not part of the definition.
const PARTS: [&str; 3] = ["json", "toml", "graphql"];

/// Name of the file with the sections about the vendor's API.
pub(super) const API: &str = "api.toml";

#[derive(RustEmbed)]
#[folder = "templates/"]
struct BundledTemplates;

/// The files of one vendor.
#[derive(Clone, Debug, Default)]
pub struct PlatformFolder {
    /// Name of the folder, for messages.
    pub name: String,
    /// Files by path relative to the folder, with `/` as the separator on every system.
    pub files: BTreeMap<String, Arc<Source>>,
}

impl PlatformFolder {
    /// Returns the bundled folders, by vendor id.
    pub fn bundled() -> BTreeMap<String, Self> {
        let mut folders: BTreeMap<String, Self> = BTreeMap::new();
        for path in BundledTemplates::iter() {
            let Some((vendor, file)) = path.split_once('/') else { continue };
            let Some(embedded) = BundledTemplates::get(&path) else { continue };
            let text = match embedded.data {
                Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
                Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
            };
            let name = format!("templates/{path}");
            let folder = folders.entry(vendor.to_owned()).or_default();
            // The path in the repository, where a user can look up a bundled file.
            folder.name = format!("templates/{vendor}");
            folder.files.insert(file.to_owned(), Source::embedded(name, text));
        }
        folders
    }

    /// Reads the vendor folders in a directory, by name. Skips folders without `vendor.toml`.
    pub fn inside(directory: &Path) -> Result<BTreeMap<String, Self>, Problems> {
        let mut folders = BTreeMap::new();
        let mut problems = Problems::new();
        for (name, path) in entries(directory)? {
            if path.join(MAIN).is_file() {
                let folder = problems.note(Self::read_within(directory, &path));
                folders.extend(folder.map(|folder| (name, folder)));
            }
        }
        problems.into_result(Some(folders))
    }

    /// Reads the files of one folder and its subfolders.
    pub fn read(directory: &Path) -> Result<Self, Problems> {
        Self::read_within(directory, directory)
    }

    /// Reads a folder that is in `root` or is `root`. Links must not lead out of `root`.
    fn read_within(root: &Path, directory: &Path) -> Result<Self, Problems> {
        let mut folder = Self { name: directory.display().to_string(), files: BTreeMap::new() };
        let mut found = Vec::new();
        gather(directory, "", &mut found)?;
        let mut problems = Problems::new();
        for (name, path) in found {
            let source = check_inside(root, &path).and_then(|()| Source::read(&path));
            let source = problems.note(source.map_err(|error| unreadable_file(&path, &error)));
            folder.files.extend(source.map(|source| (name, source)));
        }
        problems.into_result(Some(folder))
    }

    /// Returns the names of the revisions, `docs` first.
    pub fn revisions(&self) -> Vec<String> {
        revisions(self.files.keys())
    }
}

/// Collects the files of a folder and its subfolders that are part of the definition.
fn gather(
    directory: &Path,
    prefix: &str,
    found: &mut Vec<(String, PathBuf)>,
) -> Result<(), Problems> {
    for (name, path) in entries(directory)? {
        // Such as the folders of version control
        if name.starts_with('.') {
            continue;
        }
        let is_linked_folder = path.is_dir() && path.is_symlink();
        if path.is_dir() && !is_linked_folder {
            gather(&path, &format!("{prefix}{name}/"), found)?;
        // A linked folder can form a cycle. It is an error when it is read as a file.
        } else if is_linked_folder
            || path.extension().is_some_and(|end| PARTS.iter().any(|part| end == *part))
        {
            found.push((format!("{prefix}{name}"), path));
        }
    }
    Ok(())
}

/// Returns the names of the revisions that have an overlay among these files, `docs` first.
pub(super) fn revisions<'a>(files: impl Iterator<Item = &'a String>) -> Vec<String> {
    let overlay = |name: &'a String| name.strip_prefix("revisions/")?.strip_suffix("/overlay.toml");
    let named = files.filter_map(overlay).map(str::to_owned);
    [DOCS.to_owned()].into_iter().chain(named).collect()
}

/// Returns the entries of a directory. Sorting by name keeps the order of problems stable.
fn entries(directory: &Path) -> Result<BTreeMap<String, PathBuf>, Problems> {
    let read = std::fs::read_dir(directory).map_err(|error| unreadable(directory, &error))?;
    // An entry that cannot be read was deleted meanwhile.
    let entries = read
        .flatten()
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
    Ok(entries.collect())
}

fn unreadable_file(path: &Path, error: &ReadError) -> Problem {
    let problem = unreadable(path, error);
    match error.help() {
        Some(help) => problem.help(help),
        None => problem,
    }
}

fn unreadable(path: &Path, error: &dyn std::error::Error) -> Problem {
    Problem::anywhere(code::FILE_UNREADABLE, format!("cannot read `{}`: {error}", path.display()))
}
