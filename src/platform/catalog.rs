//! The catalog of vendors: the bundled ones and those of a user's directory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::definition::Platform;
use super::folder::{API, MAIN, PlatformFolder, revisions};
use super::vendor_ref::{DOCS, VendorRef};
use super::{check, coverage, overlay, variants};
use crate::base::limits::MAX_TEMPLATE;
use crate::diag::{
    NodeContent, Problem, Problems, Source, SourceSpan, SyntaxNode, Table, code, json, toml,
};

/// Vendor folders by id. A folder is checked when it is loaded.
#[derive(Clone, Debug)]
pub struct Catalog {
    folders: BTreeMap<String, PlatformFolder>,
}

impl Catalog {
    /// Returns the catalog of bundled vendors.
    pub fn bundled() -> Self {
        Self { folders: PlatformFolder::bundled() }
    }

    /// Adds the vendors of a directory. A vendor with the same id replaces the bundled one. Fails if
    /// the directory has no vendor folder.
    pub fn with_directory(mut self, directory: &Path) -> Result<Self, Problems> {
        let folders = PlatformFolder::inside(directory)?;
        if folders.is_empty() {
            let message = format!("no folder in `{}` contains a `{MAIN}`", directory.display());
            let problem = Problem::anywhere(code::VENDOR_FOLDER, message);
            let help = if directory.join(MAIN).is_file() {
                "this is a vendor's folder: specify its parent directory"
            } else {
                "specify a directory with one folder per vendor"
            };
            return Err(problem.help(help).into());
        }
        self.folders.extend(folders);
        Ok(self)
    }

    /// Returns the ids of all vendors, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.folders.keys().map(String::as_str)
    }

    /// Returns true if there is a vendor with this id.
    pub fn contains(&self, id: &str) -> bool {
        self.folders.contains_key(id)
    }

    /// Returns the names of a vendor's revisions, `docs` first; empty for an unknown vendor.
    pub fn revisions(&self, id: &str) -> Vec<String> {
        self.folders.get(id).map(PlatformFolder::revisions).unwrap_or_default()
    }

    /// Returns the problem for an unknown vendor id, with the most similar id as suggestion.
    pub fn unknown(&self, id: &str) -> Problem {
        if id.trim().is_empty() {
            let problem = Problem::anywhere(code::UNKNOWN_VENDOR, "the id of the vendor is empty");
            return problem.help("remove it, or the comma before it");
        }
        let problem = Problem::anywhere(code::UNKNOWN_VENDOR, format!("unknown vendor `{id}`"));
        let is_separator = |c: char| c.is_whitespace() || ";,|+&".contains(c);
        let mut parts = id.split(is_separator).filter(|part| !part.is_empty());
        if id.contains(is_separator) && parts.all(|part| self.contains(&VendorRef::parse(part).id))
        {
            return problem.help("separate several vendors with commas");
        }
        let revision = id.split_once([':', '/', '#', '=']).filter(|(id, _)| self.contains(id));
        match revision {
            Some((id, revision)) => problem.help(format!("did you mean `{id}@{revision}`?")),
            None => problem.suggest_or_list(id, self.ids()),
        }
    }

    /// Loads a vendor and checks its whole folder. Reports all problems at once.
    pub fn load(&self, reference: &VendorRef) -> Result<Arc<Platform>, Problems> {
        let Some(folder) = self.folders.get(&reference.id) else {
            return Err(self.unknown(&reference.id).into());
        };
        self.load_folder(folder, reference.revision.as_deref().unwrap_or(DOCS))
    }

    /// Loads a folder, which need not be in the catalog. It may extend a vendor of the catalog.
    pub fn load_folder(
        &self,
        folder: &PlatformFolder,
        revision: &str,
    ) -> Result<Arc<Platform>, Problems> {
        let mut problems = Problems::new();
        let mut visited = Vec::new();
        let Some((node, mut files)) = self.merged(folder, &mut visited, &mut problems) else {
            return Err(problems);
        };
        let id = node.as_table().and_then(|table| table.get("id")?.as_text()).unwrap_or_default();
        let (id, visited) = (id.to_owned(), Vec::new());
        let mut folder_layers =
            LayeredFolder { id, files: &mut files, visited, problems: &mut problems };
        let node = folder_layers.with_revision(node, revision, None);
        // After a syntax error, most other problems would be consequences of it.
        let Some(node) = node.filter(|_| !problems.broke_parsing()) else { return Err(problems) };
        let node = variants::repeat(node, &mut problems);
        let templates = read_templates(&files, &mut problems);
        let platform = check::check(&node, revision, &templates, &mut problems);
        // The samples are those of the documentation, so they say nothing about other revisions.
        let samples = if revision == DOCS { samples(folder, &files) } else { BTreeMap::new() };
        problems.into_result(platform.map(|platform| Arc::new(Platform { samples, ..platform })))
    }

    /// Returns a vendor's file merged into the one it extends, and the files of both folders.
    /// `visited` lists the vendors on the way, to detect cycles.
    fn merged(
        &self,
        folder: &PlatformFolder,
        visited: &mut Vec<String>,
        problems: &mut Problems,
    ) -> Option<(SyntaxNode, BTreeMap<String, Arc<Source>>)> {
        let Some(source) = folder.files.get(MAIN) else {
            let message = format!("`{}` has no `{MAIN}`", folder.name);
            problems.push(Problem::anywhere(code::VENDOR_FOLDER, message));
            return None;
        };
        let mut node = read_toml(source, problems);
        // A second file with sections of the same definition: vendors with an API are long.
        if let Some(api) = folder.files.get(API) {
            node = overlay::merge(node, read_toml(api, problems), problems);
        }
        let below = node.as_table().and_then(|table| table.get("extends"));
        let Some((below, id)) = below.and_then(|node| Some((node, node.as_text()?))) else {
            return Some((node, folder.files.clone()));
        };
        let is_cycle = visited.iter().any(|name| name == id);
        let Some(base) = self.folders.get(id).filter(|_| !is_cycle) else {
            let problem = |message| Problem::at(&below.span, code::EXTENDS, message);
            problems.push(if is_cycle {
                problem(format!("`extends` forms a cycle at vendor `{id}`"))
                    .help("remove `extends` from one of the vendors")
            } else {
                problem(format!("unknown vendor `{id}`")).suggest_or_list(id, self.ids())
            });
            return None;
        };
        visited.push(id.to_owned());
        let (base, mut files) = self.merged(base, visited, problems)?;
        files.extend(folder.files.clone());
        Some((overlay::merge(base, node, problems), files))
    }
}

/// Returns the documented samples of a folder. JSON files of an extended vendor do not count: they
/// are that vendor's documentation. Its index does, because it describes the same events.
fn samples(
    folder: &PlatformFolder,
    files: &BTreeMap<String, Arc<Source>>,
) -> BTreeMap<String, Arc<Source>> {
    let is_own = |name: &str| folder.files.contains_key(name) || !is_json(name);
    let sample = |(name, source): (&String, &Arc<Source>)| {
        let file = name.strip_prefix("samples/").filter(|_| is_own(name))?;
        Some((file.to_owned(), Arc::clone(source)))
    };
    files.iter().filter_map(sample).collect()
}

fn is_json(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "json")
}

/// Returns whether a file is the schema of a GraphQL API. Files of revisions were copied over the
/// vendor's files before.
fn is_schema(name: &str) -> bool {
    let extension = Path::new(name).extension();
    extension.is_some_and(|extension| extension == "graphql") && !name.starts_with("revisions/")
}

/// A vendor's file to which revisions are applied.
struct LayeredFolder<'a> {
    id: String,
    files: &'a mut BTreeMap<String, Arc<Source>>,
    /// Revisions applied so far, to detect cycles.
    visited: Vec<String>,
    problems: &'a mut Problems,
}

impl LayeredFolder<'_> {
    /// Merges a revision into the vendor's file or into the revision that it extends. `named` is
    /// the location of the revision's name, if a file names it.
    fn with_revision(
        &mut self,
        base: SyntaxNode,
        revision: &str,
        named: Option<&SourceSpan>,
    ) -> Option<SyntaxNode> {
        if revision == DOCS {
            self.check_instead(&base);
            return Some(base);
        }
        let prefix = format!("revisions/{revision}/");
        let source = self.files.get(&format!("{prefix}overlay.toml")).cloned();
        let Some(source) =
            source.filter(|_| !self.visited.iter().any(|visited| visited == revision))
        else {
            self.unknown(revision, named);
            return None;
        };
        self.visited.push(revision.to_owned());
        let node = read_toml(&source, self.problems);
        coverage::check_overlay_sources(&node, self.problems);
        self.check_instead(&node);
        let below = node.as_table().and_then(|table| table.get("extends"));
        let below = below.and_then(|node| Some((node.as_text()?.to_owned(), node.span.clone())));
        let lower = match below {
            Some((below, span)) => self.with_revision(base, &below, Some(&span))?,
            None => base,
        };
        // A file of the revision replaces the vendor's file of the same name.
        let own = self.files.iter().filter_map(|(name, source)| {
            Some((name.strip_prefix(&prefix)?.to_owned(), Arc::clone(source)))
        });
        let own: Vec<_> = own.collect();
        self.files.extend(own);
        // `[revision]` describes one revision only, so it is not inherited.
        Some(overlay::merge(overlay::without(lower, "revision"), node, self.problems))
    }

    /// Checks that `revision.instead` names a revision.
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
        let problem = if self.visited.iter().any(|visited| visited == revision) {
            problem(format!("`extends` forms a cycle at revision `{revision}`"))
                .help("remove `extends` from one of the revisions")
        } else {
            let known = revisions(self.files.keys());
            problem(format!("`{}` has no revision `{revision}`", self.id))
                .suggest_or_list(revision, known.iter().map(String::as_str))
        };
        self.problems.push(Problem { span: named.cloned(), ..problem });
    }
}

fn read_toml(source: &Arc<Source>, problems: &mut Problems) -> SyntaxNode {
    let (node, others) = toml::parse(source);
    problems.extend(others);
    node
}

/// Parses the templates of a folder. Samples are not templates; files of revisions were copied over
/// the vendor's files before.
fn read_templates(
    files: &BTreeMap<String, Arc<Source>>,
    problems: &mut Problems,
) -> BTreeMap<String, Arc<SyntaxNode>> {
    let is_template = |name: &str| {
        is_json(name) && !name.starts_with("samples/") && !name.starts_with("revisions/")
    };
    let mut templates = BTreeMap::new();
    for (name, source) in files.iter().filter(|(name, _)| is_schema(name)) {
        let (span, content) = (source.span(0..0), NodeContent::Text(source.text.to_string()));
        templates.insert(name.clone(), Arc::new(SyntaxNode { span, content }));
    }
    for (name, source) in files.iter().filter(|(name, _)| is_template(name)) {
        // An invalid template becomes an empty one, so that only its syntax error is reported.
        let node = read_template(source, problems).unwrap_or_else(|| SyntaxNode {
            span: source.span(0..0),
            content: NodeContent::Table(Table::default()),
        });
        templates.insert(name.clone(), Arc::new(node));
    }
    templates
}

fn read_template(source: &Arc<Source>, problems: &mut Problems) -> Option<SyntaxNode> {
    // Checked before parsing, which needs a multiple of the file's size in memory.
    if source.text.len() > MAX_TEMPLATE {
        let message = format!("the template is larger than {} KiB", MAX_TEMPLATE / 1024);
        let problem = Problem::at(&source.span(0..0), code::TOO_MANY, message);
        problems.push(problem.help("move parts of it to other files and `$include` them"));
        return None;
    }
    let (node, others) = json::parse(source);
    problems.extend(others);
    node
}
