//! All vendors: the bundled ones, and those of a directory of the user's.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::folder::{MAIN, PlatformFolder, revisions};
use super::{DOCS, Platform, check, coverage, overlay};
use crate::base::limits::MAX_TEMPLATE;
use crate::diag::{
    NodeContent, Problem, Problems, Source, SourceSpan, SyntaxNode, Table, code, json, toml,
};

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

    /// Whether this is that vendor, as far as both say which revision of it is meant.
    pub fn covers(&self, other: &Self) -> bool {
        let same = match (&self.revision, &other.revision) {
            (Some(own), Some(other)) => own == other,
            _ => true,
        };
        same && self.id == other.id
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
    folders: BTreeMap<String, PlatformFolder>,
}

impl Catalog {
    /// The bundled vendors.
    pub fn bundled() -> Self {
        Self { folders: PlatformFolder::bundled() }
    }

    /// The same with the vendors of a directory: one of the same id replaces a bundled one.
    pub fn with_directory(mut self, directory: &Path) -> Result<Self, Problems> {
        let own = PlatformFolder::inside(directory)?;
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
        self.folders.get(id).map(PlatformFolder::revisions).unwrap_or_default()
    }

    /// The problem with an id that no vendor has.
    pub fn unknown(&self, id: &str) -> Problem {
        Problem::anywhere(code::UNKNOWN_VENDOR, format!("unknown vendor `{id}`"))
            .known(id, self.ids())
    }

    /// Loads a vendor and checks all of it.
    pub fn load(&self, reference: &VendorRef) -> Result<Arc<Platform>, Problems> {
        let Some(folder) = self.folders.get(&reference.id) else {
            return Err(self.unknown(&reference.id).into());
        };
        self.load_folder(folder, reference.revision.as_deref().unwrap_or(DOCS))
    }

    /// Loads a folder that need not be in the catalog, as `check` does.
    pub fn load_folder(
        &self,
        folder: &PlatformFolder,
        revision: &str,
    ) -> Result<Arc<Platform>, Problems> {
        let mut problems = Problems::new();
        let mut extended = Vec::new();
        let Some((node, mut files)) = self.layered(folder, &mut extended, &mut problems) else {
            return Err(problems);
        };
        let id = node.as_table().and_then(|table| table.get("id")?.as_text()).unwrap_or_default();
        let (id, seen) = (id.to_owned(), Vec::new());
        let mut revised = LayeredFolder { id, files: &mut files, seen, problems: &mut problems };
        let node = revised.over(node, revision, None);
        let Some(node) = node.filter(|_| !problems.broke_parsing()) else { return Err(problems) };
        let templates = read_templates(&files, &mut problems);
        let vendor = check::check(&node, revision, &templates, &mut problems);
        let samples = if revision == DOCS { samples(folder, &files) } else { BTreeMap::new() };
        problems.or(vendor.map(|vendor| Arc::new(Platform { samples, ..vendor })))
    }

    /// A vendor's file laid over the one it extends, and the files of both.
    fn layered(
        &self,
        folder: &PlatformFolder,
        extended: &mut Vec<String>,
        problems: &mut Problems,
    ) -> Option<(SyntaxNode, BTreeMap<String, Arc<Source>>)> {
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
            let problem = |what| Problem::at(&below.span, code::EXTENDS, format!("`{id}` {what}"));
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
        Some((overlay::over(base, node, problems), files))
    }
}

/// The documented samples: the folder's own, since those of another vendor are not its
/// documentation. How they come about may be said by the one it extends.
fn samples(
    folder: &PlatformFolder,
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

/// A vendor's file in the making, as a revision has it.
struct LayeredFolder<'a> {
    id: String,
    files: &'a mut BTreeMap<String, Arc<Source>>,
    seen: Vec<String>,
    problems: &'a mut Problems,
}

impl LayeredFolder<'_> {
    /// A revision laid over the vendor's file, or over the revision that it extends; `named` is
    /// where it is named, if in a file.
    fn over(
        &mut self,
        vendor: SyntaxNode,
        revision: &str,
        named: Option<&SourceSpan>,
    ) -> Option<SyntaxNode> {
        if revision == DOCS {
            self.check_instead(&vendor);
            return Some(vendor);
        }
        let prefix = format!("revisions/{revision}/");
        let source = self.files.get(&format!("{prefix}overlay.toml")).cloned();
        let Some(source) = source.filter(|_| !self.seen.iter().any(|seen| seen == revision)) else {
            self.unknown(revision, named);
            return None;
        };
        self.seen.push(revision.to_owned());
        let node = read_toml(&source, self.problems);
        coverage::check_own_sources(&node, self.problems);
        self.check_instead(&node);
        let below = node.as_table().and_then(|table| table.get("extends"));
        let below = below.and_then(|node| Some((node.as_text()?.to_owned(), node.span.clone())));
        let lower = match below {
            Some((below, span)) => self.over(vendor, &below, Some(&span))?,
            None => vendor,
        };
        let own = self.files.iter().filter_map(|(name, source)| {
            Some((name.strip_prefix(&prefix)?.to_owned(), Arc::clone(source)))
        });
        let own: Vec<_> = own.collect();
        self.files.extend(own);
        Some(overlay::over(overlay::without(lower, "revision"), node, self.problems))
    }

    /// The revision that is named as better is one.
    fn check_instead(&mut self, node: &SyntaxNode) {
        let revision = node.as_table().and_then(|table| table.get("revision"));
        let instead = revision.and_then(|node| node.as_table()?.get("instead"));
        if let Some((node, name)) = instead.and_then(|node| Some((node, node.as_text()?)))
            && !revisions(self.files.keys()).iter().any(|known| known == name)
        {
            self.unknown(name, Some(&node.span));
        }
    }

    fn unknown(&mut self, revision: &str, named: Option<&SourceSpan>) {
        let problem = |message| Problem::anywhere(code::UNKNOWN_REVISION, message);
        let problem = if self.seen.iter().any(|seen| seen == revision) {
            problem(format!("the revision `{revision}` extends itself"))
                .help("one of them must stand on the vendor's own file")
        } else {
            let known = revisions(self.files.keys());
            problem(format!("`{}` has no revision `{revision}`", self.id))
                .known(revision, known.iter().map(String::as_str))
        };
        self.problems.push(Problem { span: named.cloned(), ..problem });
    }
}

fn read_toml(source: &Arc<Source>, problems: &mut Problems) -> SyntaxNode {
    let (node, others) = toml::parse(source);
    problems.extend(others);
    node
}

/// The templates of a folder. One that cannot be read stands there empty, so that only its reading is
/// told. Samples are not templates, and a revision's are read as its shadows.
fn read_templates(
    files: &BTreeMap<String, Arc<Source>>,
    problems: &mut Problems,
) -> BTreeMap<String, Arc<SyntaxNode>> {
    let is_template = |name: &str| {
        is_json(name) && !name.starts_with("samples/") && !name.starts_with("revisions/")
    };
    let mut templates = BTreeMap::new();
    for (name, source) in files.iter().filter(|(name, _)| is_template(name)) {
        let node = read_template(source, problems).unwrap_or_else(|| SyntaxNode {
            span: source.span(0..0),
            content: NodeContent::Table(Table::default()),
        });
        templates.insert(name.clone(), Arc::new(node));
    }
    templates
}

fn read_template(source: &Arc<Source>, problems: &mut Problems) -> Option<SyntaxNode> {
    if source.text.len() > MAX_TEMPLATE {
        let message = format!("the template is larger than {} KiB", MAX_TEMPLATE / 1024);
        let problem = Problem::at(&source.span(0..0), code::TOO_MANY, message);
        problems.push(problem.help("put parts of it into files of their own, with `$include`"));
        return None;
    }
    let (node, others) = json::parse(source);
    problems.extend(others);
    node
}
