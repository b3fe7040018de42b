//! All vendors: the bundled ones, and those of a directory of the user's.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::folder::{Folder, MAIN};
use super::{Vendor, check, overlay};
use crate::base::limits::MAX_TEMPLATE;
use crate::diag::{Content, Node, Problem, Problems, Source, Table, code, json, toml};

/// The revision that is the vendor's documentation as published.
pub(super) const DOCS: &str = "docs";

/// A vendor by id, perhaps with a revision: `vendor@docs`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VendorRef {
    /// The id.
    pub id: String,
    /// The revision; the documentation's without it.
    pub revision: Option<String>,
}

impl VendorRef {
    /// Reads a reference.
    pub fn parse(text: &str) -> Self {
        match text.split_once('@') {
            Some((id, revision)) => Self { id: id.into(), revision: Some(revision.into()) },
            None => Self { id: text.into(), revision: None },
        }
    }
}

impl fmt::Display for VendorRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.revision {
            Some(revision) => write!(formatter, "{}@{revision}", self.id),
            None => formatter.write_str(&self.id),
        }
    }
}

/// All vendors, by id.
#[derive(Clone, Debug)]
pub struct Catalog {
    folders: BTreeMap<String, Folder>,
}

impl Catalog {
    /// The bundled vendors.
    pub fn bundled() -> Self {
        Self { folders: Folder::bundled() }
    }

    /// The same with the vendors of a directory: one of the same id replaces a bundled one.
    pub fn with_directory(mut self, directory: &Path) -> Result<Self, Problems> {
        let own = Folder::inside(directory)?;
        if own.is_empty() {
            let message = format!("`{}` holds no folder with a `{MAIN}`", directory.display());
            let problem = Problem::anywhere(code::VENDOR_FOLDER, message);
            let help = if directory.join(MAIN).is_file() {
                "this is a vendor's own folder: give the one that it lies in"
            } else {
                "give a folder that holds a folder for each vendor"
            };
            return Err(problem.help(help).into());
        }
        self.folders.extend(own);
        Ok(self)
    }

    /// The ids of all vendors.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.folders.keys().map(String::as_str)
    }

    /// Whether there is such a vendor.
    pub fn contains(&self, id: &str) -> bool {
        self.folders.contains_key(id)
    }

    /// The names of a vendor's revisions, the documentation's first.
    pub fn revisions(&self, id: &str) -> Vec<String> {
        self.folders.get(id).map(Folder::revisions).unwrap_or_default()
    }

    /// The problem with an id that no vendor has.
    pub fn unknown(&self, id: &str) -> Problem {
        Problem::anywhere(code::UNKNOWN_VENDOR, format!("unknown vendor `{id}`"))
            .known(id, self.ids())
    }

    /// Loads a vendor and checks all of it.
    pub fn load(&self, reference: &VendorRef) -> Result<Arc<Vendor>, Problems> {
        let Some(folder) = self.folders.get(&reference.id) else {
            return Err(self.unknown(&reference.id).into());
        };
        self.load_folder(folder, reference.revision.as_deref().unwrap_or(DOCS))
    }

    /// Loads a folder that need not be in the catalog, as `check` does.
    pub fn load_folder(&self, folder: &Folder, revision: &str) -> Result<Arc<Vendor>, Problems> {
        let mut problems = Problems::new();
        let mut extended = Vec::new();
        let Some((node, mut files)) = self.layered(folder, &mut extended, &mut problems) else {
            return Err(problems);
        };
        let node = if revision == DOCS {
            node
        } else {
            let prefix = format!("revisions/{revision}/");
            let Some(source) = files.get(&format!("{prefix}overlay.toml")).cloned() else {
                return Err(unknown_revision(&node, revision, &files).into());
            };
            let shadows: Vec<(String, Arc<Source>)> = files
                .iter()
                .filter_map(|(name, source)| {
                    Some((name.strip_prefix(&prefix)?.into(), source.clone()))
                })
                .collect();
            files.extend(shadows);
            overlay::lay(node, read_toml(&source, &mut problems))
        };
        if problems.broke_parsing() {
            return Err(problems);
        }
        let templates = read_templates(&files, &mut problems);
        let vendor = check::check(&node, revision, &templates, &mut problems);
        let samples = samples(folder, &files);
        problems.or(vendor.map(|vendor| Arc::new(Vendor { samples, ..vendor })))
    }

    /// A vendor's file laid over the one it extends, and the files of both.
    fn layered(
        &self,
        folder: &Folder,
        extended: &mut Vec<String>,
        problems: &mut Problems,
    ) -> Option<(Node, BTreeMap<String, Arc<Source>>)> {
        let Some(source) = folder.files.get(MAIN) else {
            let message = format!("`{}` has no `{MAIN}`", folder.name);
            problems.push(Problem::anywhere(code::VENDOR_FOLDER, message));
            return None;
        };
        let node = read_toml(source, problems);
        let below = node.as_table().and_then(|table| table.get("extends"));
        let Some((below, id)) = below.and_then(|node| Some((node, node.as_text()?))) else {
            return Some((node, folder.files.clone()));
        };
        let loops = extended.iter().any(|name| name == id);
        let Some(base) = self.folders.get(id).filter(|_| !loops) else {
            let problem = |what| Problem::at(&below.place, code::EXTENDS, format!("`{id}` {what}"));
            problems.push(if loops {
                problem("extends itself").help("one of them must stand on its own")
            } else {
                problem("is not a vendor").known(id, self.ids())
            });
            return None;
        };
        extended.push(id.to_owned());
        let (base, mut files) = self.layered(base, extended, problems)?;
        files.extend(folder.files.clone());
        Some((overlay::lay(base, node), files))
    }
}

/// The documented samples: the folder's own, since those of another vendor are not its
/// documentation. How they come about may be said by the one it extends.
fn samples(
    folder: &Folder,
    files: &BTreeMap<String, Arc<Source>>,
) -> BTreeMap<String, Arc<Source>> {
    let own = |name: &str| folder.files.contains_key(name) || !is_json(name);
    let sample = |(name, source): (&String, &Arc<Source>)| {
        let file = name.strip_prefix("samples/").filter(|_| own(name))?;
        Some((file.to_owned(), Arc::clone(source)))
    };
    files.iter().filter_map(sample).collect()
}

fn is_json(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "json")
}

fn unknown_revision(
    vendor: &Node,
    revision: &str,
    files: &BTreeMap<String, Arc<Source>>,
) -> Problem {
    let known = files.keys().filter_map(|name| name.strip_prefix("revisions/")?.split('/').next());
    let mut known: Vec<&str> = known.collect();
    known.dedup();
    known.push(DOCS);
    let id = vendor.as_table().and_then(|table| table.get("id")?.as_text()).unwrap_or_default();
    let message = format!("`{id}` has no revision `{revision}`");
    Problem::anywhere(code::UNKNOWN_REVISION, message).known(revision, known)
}

fn read_toml(source: &Arc<Source>, problems: &mut Problems) -> Node {
    let (node, others) = toml::parse(source);
    problems.extend(others);
    node
}

/// The templates of a folder. One that cannot be read stands there empty, so that only its reading is
/// told. Samples are not templates, and a revision's are read as its shadows.
fn read_templates(
    files: &BTreeMap<String, Arc<Source>>,
    problems: &mut Problems,
) -> BTreeMap<String, Arc<Node>> {
    let is_template = |name: &str| {
        is_json(name) && !name.starts_with("samples/") && !name.starts_with("revisions/")
    };
    let mut templates = BTreeMap::new();
    for (name, source) in files.iter().filter(|(name, _)| is_template(name)) {
        let node = read_template(source, problems).unwrap_or_else(|| Node {
            place: source.place(0..0),
            content: Content::Table(Table::default()),
        });
        templates.insert(name.clone(), Arc::new(node));
    }
    templates
}

fn read_template(source: &Arc<Source>, problems: &mut Problems) -> Option<Node> {
    if source.text.len() > MAX_TEMPLATE {
        let message = format!("the template is larger than {} KiB", MAX_TEMPLATE / 1024);
        let problem = Problem::at(&source.place(0..0), code::TOO_MANY, message);
        problems.push(problem.help("put parts of it into files of their own, with `$include`"));
        return None;
    }
    let (node, others) = json::parse(source);
    problems.extend(others);
    node
}
