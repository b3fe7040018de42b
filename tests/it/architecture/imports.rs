//! No import cycles between files: `use` items and paths are resolved to the declaring files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::tokens::{Token, TokenKind, closing, code};
use super::{assert_empty, sources};

/// A module of the crate: a file, or an inline module of a file.
#[derive(Default)]
struct Module {
    file: String,
    declared: BTreeSet<String>,
    /// Imported names with their paths.
    imports: BTreeMap<String, Vec<String>>,
    /// The imported names that are re-exported: an edge only where the file uses them too.
    public: BTreeSet<String>,
    /// Every path in the code, also those of one segment.
    paths: BTreeSet<Vec<String>>,
}

/// The modules of a crate by their paths; the root has an empty path.
#[derive(Default)]
struct ModuleTree {
    modules: BTreeMap<Vec<String>, Module>,
    /// Exported macros, which are called by a path from the root: name and file.
    macros: BTreeMap<String, String>,
}

/// The imports that a check of cycles considers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edges {
    /// Every import, also of a child by its parent, `mod.rs`.
    All,
    /// Imports of a child by its parent are ignored.
    BetweenSiblings,
}

impl ModuleTree {
    fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut tree = Self::default();
        for (file, source) in files {
            tree.read(file, module_path(file), &code(source));
        }
        tree
    }

    fn read(&mut self, file: &str, path: Vec<String>, tokens: &[Token]) {
        let mut module = Module { file: file.to_owned(), ..Module::default() };
        // Open brackets; `true` for those whose content is not at module level.
        let mut brackets: Vec<bool> = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let token = &tokens[at];
            let at_top = !brackets.contains(&true);
            let next = tokens.get(at + 1);
            let name = next.filter(|next| next.kind == TokenKind::Word);
            let previous = at.checked_sub(1).map(|before| &tokens[before]);
            if at_top && token.is_word("use") {
                let end = (at..tokens.len()).find(|end| tokens[*end].is_sign(";")).unwrap();
                let public = previous.is_some_and(|t| t.is_word("pub") || t.is_sign(")"));
                module.import(&tokens[at + 1..end], &[], public);
                at = end;
            } else if at_top && token.is_word("mod") && tokens[at + 2].is_sign("{") {
                let end = closing(tokens, at + 2);
                let inner = [path.clone(), vec![tokens[at + 1].text.clone()]].concat();
                self.read(file, inner, &tokens[at + 3..end]);
                at = end;
            } else if token.is_word("macro_rules") {
                self.macros.insert(tokens[at + 2].text.clone(), file.to_owned());
                module.declared.insert(tokens[at + 2].text.clone());
                at += 2;
            } else if token.kind == TokenKind::Sign {
                match token.text.as_str() {
                    // Declarations in a macro call at the top, such as `form!`, are at the top.
                    "{" => brackets.push(!previous.is_some_and(|t| t.is_sign("!")) || !at_top),
                    "}" => drop(brackets.pop()),
                    _ => {}
                }
            } else if let (true, Some(name)) = (at_top && declares(token), name) {
                module.declared.insert(name.text.clone());
                at += 1;
            } else if token.kind == TokenKind::Word
                && !previous.is_some_and(|t| t.is_sign(".") || t.is_sign("::"))
            {
                let mut segments = vec![token.text.clone()];
                while tokens.get(at + 1).is_some_and(|t| t.is_sign("::"))
                    && tokens.get(at + 2).is_some_and(|t| t.kind == TokenKind::Word)
                {
                    segments.push(tokens[at + 2].text.clone());
                    at += 2;
                }
                module.paths.insert(segments);
            }
            at += 1;
        }
        self.modules.insert(path, module);
    }

    /// The file that declares what a path in a module names; none for other crates and modules.
    fn resolve(&self, from: &[String], path: &[String]) -> Option<&str> {
        let mut at = from.to_vec();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => (at, rest) = (Vec::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            first => {
                let known = self.modules[from].imports.contains_key(first)
                    || self.modules.contains_key(&[from, &path[..1]].concat());
                if !known {
                    return None;
                }
            }
        }
        self.descend(at, rest)
    }

    fn descend(&self, mut at: Vec<String>, mut rest: &[String]) -> Option<&str> {
        while let Some((name, behind)) = rest.split_first() {
            let module = &self.modules[&at];
            let child = [at.clone(), vec![name.clone()]].concat();
            let is_module = self.modules.contains_key(&child);
            // A function may be re-exported under the name of its module: `check::check`.
            let import = module.imports.get(name).filter(|_| behind.is_empty() || !is_module);
            if module.declared.contains(name) {
                return Some(&module.file);
            } else if let Some(import) = import.filter(|import| import.as_slice() != rest) {
                return self.resolve(&at, &[import, behind].concat());
            } else if is_module {
                (at, rest) = (child, behind);
            } else if at.is_empty() {
                return self.macros.get(name).map(String::as_str);
            } else {
                return Some(&module.file);
            }
        }
        None
    }

    /// The files that each file imports.
    fn edges(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (at, module) in &self.modules {
            let imports = module.imports.iter().filter(|(name, _)| !module.public.contains(*name));
            let paths = imports.map(|(_, path)| path).chain(&module.paths);
            let files = paths.filter_map(|path| self.resolve(at, path));
            let imported = edges.entry(&module.file).or_default();
            imported.extend(files.filter(|file| *file != module.file));
        }
        edges
    }

    /// The shortest cycle through each file that is in one, each cycle once.
    fn cycles(&self, edges: Edges) -> BTreeSet<String> {
        let mut files = self.edges();
        if edges == Edges::BetweenSiblings {
            for (file, imported) in &mut files {
                let folder = file.strip_suffix("mod.rs").or(file.strip_suffix("lib.rs"));
                imported.retain(|other| folder.is_none_or(|folder| !other.starts_with(folder)));
            }
        }
        let edges = files;
        let mut seen = BTreeSet::new();
        let mut cycles = BTreeSet::new();
        for start in edges.keys() {
            if let Some(cycle) = shortest_cycle(&edges, start) {
                let members: BTreeSet<&str> = cycle.iter().copied().collect();
                if seen.insert(members) {
                    cycles.insert(cycle.join(" → "));
                }
            }
        }
        cycles
    }
}

impl Module {
    /// Reads the tree of a `use` item.
    fn import(&mut self, tree: &[Token], prefix: &[String], public: bool) {
        let mut path = prefix.to_vec();
        let mut at = 0;
        while at < tree.len() {
            let token = &tree[at];
            if token.is_sign("{") {
                for part in tree[at + 1..closing(tree, at)].groups() {
                    self.import(part, &path, public);
                }
                return;
            } else if token.is_word("as") {
                let alias = tree[at + 1].text.clone();
                return self.add_import(alias, path, public);
            } else if token.kind == TokenKind::Word && (path.is_empty() || !token.is_word("self")) {
                path.push(token.text.clone());
            }
            at += 1;
        }
        if let Some(name) = path.last().cloned() {
            self.add_import(name, path, public);
        }
    }

    fn add_import(&mut self, mut name: String, path: Vec<String>, public: bool) {
        if name == "_" {
            // Several traits may be imported as `_`; each is an edge.
            name = path.join("::");
        }
        if public {
            self.public.insert(name.clone());
        }
        self.imports.insert(name, path);
    }
}

/// Splits a group of a `use` tree at its commas.
trait Groups {
    fn groups(&self) -> Vec<&[Token]>;
}

impl Groups for [Token] {
    fn groups(&self) -> Vec<&[Token]> {
        let (mut groups, mut start, mut depth) = (Vec::new(), 0, 0_i32);
        for (index, token) in self.iter().enumerate() {
            depth += i32::from(token.is_sign("{")) - i32::from(token.is_sign("}"));
            if token.is_sign(",") && depth == 0 {
                groups.push(&self[start..index]);
                start = index + 1;
            }
        }
        groups.push(&self[start..]);
        groups.retain(|group| !group.is_empty());
        groups
    }
}

fn declares(keyword: &Token) -> bool {
    let keywords = ["fn", "struct", "enum", "trait", "type", "const", "static", "union"];
    keyword.kind == TokenKind::Word && keywords.contains(&keyword.text.as_str())
}

/// The module path of a file: `src/diag/form.rs` is `diag::form`, `src/diag/mod.rs` is `diag`.
fn module_path(file: &str) -> Vec<String> {
    let inside = file.trim_start_matches("src/").trim_end_matches(".rs");
    let mut path: Vec<String> = inside.split('/').map(str::to_owned).collect();
    if path.last().is_some_and(|name| name == "mod" || name == "lib") {
        path.pop();
    }
    path
}

fn shortest_cycle<'a>(
    edges: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    start: &'a str,
) -> Option<Vec<&'a str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for next in edges.get(file).into_iter().flatten() {
            if *next == start {
                let mut cycle = vec![start, file];
                while let Some(before) = came_from.get(cycle[cycle.len() - 1]) {
                    cycle.push(before);
                }
                cycle.reverse();
                return Some(cycle);
            }
            if !came_from.contains_key(next) {
                came_from.insert(next, file);
                queue.push_back(next);
            }
        }
    }
    None
}

fn cycles_of_the_crate(edges: Edges) -> Vec<String> {
    let files = sources();
    let files = files.iter().map(|file| (file.name.as_str(), file.code.as_str()));
    ModuleTree::new(files).cycles(edges).into_iter().collect()
}

#[test]
fn sibling_files_do_not_import_each_other_in_cycles() {
    assert_empty(&cycles_of_the_crate(Edges::BetweenSiblings));
}

#[test]
fn parent_modules_and_their_files_do_not_import_each_other_in_cycles() {
    assert_empty(&cycles_of_the_crate(Edges::All));
}

#[test]
fn cycles_are_found_through_every_kind_of_import() {
    let cycles = |files: &[(&str, &str)]| -> Vec<String> {
        ModuleTree::new(files.iter().copied()).cycles(Edges::All).into_iter().collect()
    };
    let root = ("src/lib.rs", "pub mod a;");
    let expected = ["src/a/x.rs → src/a/y.rs → src/a/x.rs"];
    let re_export =
        ("src/a/mod.rs", "mod x;\nmod y;\npub use x::{X, self as other};\npub use y::Y;");
    let y = ("src/a/y.rs", "use super::X;\npub struct Y(X);");
    for import in [
        "use super::y::Y;\npub struct X(Y);",
        "use super::Y;\npub struct X(Y);",
        "use crate::a::{Y as Why};\npub struct X(Why);",
        "use super::y;\npub struct X(y::Y);",
        "pub struct X(crate::a::Y);",
        "form! { struct X { y: super::y::Y, } }",
    ] {
        assert_eq!(cycles(&[root, re_export, ("src/a/x.rs", import), y]), expected, "{import}");
    }
    let one_way = ("src/a/x.rs", "// use super::y::Y;\npub struct X;");
    assert_eq!(cycles(&[root, re_export, one_way, y]), [""; 0]);
    // A file that uses what it re-exports depends on it.
    let child = ("src/a/x.rs", "use super::Shared;\npub struct X(Shared);");
    let parent = "mod x;\npub use x::X;\npub struct Shared;";
    assert_eq!(cycles(&[root, ("src/a/mod.rs", parent), child]), [""; 0]);
    let parent = format!("{parent}\nfn f(x: X) {{}}");
    assert_eq!(cycles(&[root, ("src/a/mod.rs", &parent), child]).len(), 1);
}
