//! Rules of the code base that the compiler does not check: layers, sizes, names, vendors as data.

mod declarations;
mod imports;
mod tokens;
mod words;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use standin::platform::{Catalog, VendorRef};

use crate::support::path;

/// The layers, lowest first. Modules of one layer do not import one another.
const LAYERS: &[&[&str]] = &[
    &["base"],
    &["diag"],
    &["fault"],
    &["config", "template", "record"],
    &["policy", "conversation", "matcher"],
    &["platform"],
    &["scenario", "delivery", "journal", "report"],
    &["emulator"],
    &["run", "fidelity"],
    &["server"],
    &["listen"],
    &["cli"],
];

/// Imports that are forbidden although they go down: module, imported module, reason.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("delivery", "platform", "delivery sees a payload, a policy and an endpoint, never a vendor"),
    ("template", "config", "the paths of placeholders are passed to templates as a table"),
];

/// Most lines of a source file, tests included: longer ones are split by responsibility.
const MAX_FILE: usize = 700;

/// Most terms of the glossary: more are not learned before reading the code.
const MAX_GLOSSARY: usize = 40;

struct SourceFile {
    /// Path from the root of the repository.
    name: String,
    /// Top-level module.
    module: String,
    /// The whole text.
    text: String,
    /// The text without its test module, which is last.
    code: String,
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every file of `src/`.
fn sources() -> Vec<SourceFile> {
    let root = path("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    assert!(found.len() > 100, "only {} files", found.len());
    let source = |file: PathBuf| {
        let inside = file.strip_prefix(&root).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
        SourceFile {
            name: format!("src/{}", inside.display()),
            module: first.trim_end_matches(".rs").to_owned(),
            text,
            code,
        }
    };
    found.into_iter().map(source).collect()
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Each line that violates a rule, as `file:line: message`.
fn violations(rule: impl Fn(&SourceFile, &str) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    for file in sources() {
        for (number, line) in (1..).zip(file.code.lines()) {
            let message = rule(&file, line);
            found.extend(message.map(|message| format!("{}:{number}: {message}", file.name)));
        }
    }
    found
}

fn assert_empty(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn imports_go_down_only() {
    assert_empty(&violations(|file, line| {
        let importing = layer(&file.module)?;
        line.match_indices("crate::").find_map(|(at, _)| {
            let behind = &line[at + "crate::".len()..];
            let end =
                behind.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(behind.len());
            let module = &behind[..end];
            let imported = layer(module)?;
            let forbidden =
                FORBIDDEN.iter().find(|(from, to, _)| *from == file.module && *to == module);
            if let Some((_, _, why)) = forbidden {
                return Some(format!("{} imports {module}: {why}", file.module));
            }
            (module != file.module && imported >= importing)
                .then(|| format!("{} imports {module}", file.module))
        })
    }));
}

#[test]
fn every_module_has_a_layer() {
    let unknown: Vec<String> = sources()
        .into_iter()
        .filter(|file| {
            !["lib", "main"].contains(&file.module.as_str()) && layer(&file.module).is_none()
        })
        .map(|file| file.name)
        .collect();
    assert_empty(&unknown);
}

#[test]
fn every_file_has_a_module_header() {
    let missing = sources().into_iter().filter(|file| !file.code.starts_with("//!"));
    assert_empty(&missing.map(|file| file.name).collect::<Vec<_>>());
}

/// The lengths that exceed the limit, as messages.
fn too_long<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let lines = files.into_iter().map(|(file, text)| (file, text.lines().count()));
    let long = lines.filter(|(_, lines)| *lines > MAX_FILE);
    long.map(|(file, lines)| format!("{file}: {lines} lines, at most {MAX_FILE}")).collect()
}

#[test]
fn files_stay_below_the_size_limit() {
    let files = sources();
    let files = files.iter().map(|file| (file.name.as_str(), file.text.as_str()));
    assert_empty(&too_long(files));
    let (longest, longer) = ("\n".repeat(MAX_FILE), "\n".repeat(MAX_FILE + 1));
    let found = too_long([("a.rs", longest.as_str()), ("b.rs", longer.as_str())]);
    assert_eq!(found, ["b.rs: 701 lines, at most 700"]);
}

/// The lines between a heading of `ARCHITECTURE.md` and the next one.
fn section(heading: &str) -> Vec<String> {
    let document = fs::read_to_string(path("ARCHITECTURE.md")).unwrap();
    let lines = document.lines().skip_while(|line| *line != heading).skip(1);
    lines.take_while(|line| !line.starts_with("## ")).map(str::to_owned).collect()
}

/// The layers that the document lists, lowest first: indented lines of modules and their purpose.
fn documented_layers() -> Vec<BTreeSet<String>> {
    let mut layers: Vec<BTreeSet<String>> = Vec::new();
    for line in section("## Layers") {
        let Some((number, rest)) = line.strip_prefix("    ").and_then(|line| line.split_once("  "))
        else {
            continue;
        };
        let module = rest.split_whitespace().next().unwrap().to_owned();
        if number.trim().is_empty() {
            layers.last_mut().unwrap().insert(module);
        } else {
            layers.push(BTreeSet::from([module]));
        }
    }
    layers.reverse();
    layers
}

#[test]
fn documented_layers_agree_with_the_checked_layers() {
    let checked = LAYERS.iter().map(|layer| layer.iter().map(ToString::to_string).collect());
    assert_eq!(documented_layers(), checked.collect::<Vec<BTreeSet<String>>>());
}

#[test]
fn the_glossary_is_short() {
    let rows = section("## Glossary").into_iter().filter(|line| line.starts_with("| ")).skip(1);
    let terms: usize = rows.map(|row| row.split('|').nth(1).unwrap().split(',').count()).sum();
    assert!((20..=MAX_GLOSSARY).contains(&terms), "{terms} terms");
}

#[test]
fn files_named_in_the_architecture_document_exist() {
    let mut missing = Vec::new();
    for line in section("## Where do I change …?") {
        for name in line.split('`').skip(1).step_by(2).filter(|name| name.contains('/')) {
            let is_placeholder = name.contains(['<', '*']) || name.contains("NAME");
            if !is_placeholder && !path(name).exists() && !path("src").join(name).exists() {
                missing.push(name.to_owned());
            }
        }
    }
    assert_empty(&missing);
}

#[test]
fn no_rust_file_names_a_vendor() {
    let catalog = Catalog::bundled();
    let ids: Vec<&str> = catalog.ids().collect();
    assert!(ids.len() >= 5);
    assert_empty(&violations(|_, line| {
        let line = line.to_lowercase();
        ids.iter().find(|id| line.contains(**id)).map(|id| format!("names {id}"))
    }));
}

#[test]
fn no_rust_file_names_a_message_kind_except_text() {
    let catalog = Catalog::bundled();
    let vendors: Vec<_> =
        catalog.ids().map(|id| catalog.load(&VendorRef::parse(id)).unwrap()).collect();
    let kinds: Vec<String> = vendors
        .iter()
        .flat_map(|vendor| vendor.kinds.keys())
        // Words with another meaning: a file on disk, an encoding of bodies, and what calls read.
        .filter(|kind| !["text", "file", "form", "list", "document"].contains(&kind.as_str()))
        .map(|kind| format!("\"{kind}\""))
        .collect();
    assert_empty(&violations(|_, line| {
        kinds.iter().find(|kind| line.contains(*kind)).map(|kind| format!("names {kind}"))
    }));
}

#[test]
fn serde_attributes_keep_source_spans() {
    let banned = ["serde(flatten", "serde(untagged", "serde(tag", ", flatten", "untagged)"];
    assert_empty(&violations(|file, line| {
        // Records are not written by hand, so that no problem has a place in them.
        let is_record = file.name.starts_with("src/record/");
        let found = banned.iter().find(|word| !is_record && line.contains(**word));
        found.map(|word| format!("`{word}`"))
    }));
}

#[test]
fn imports_are_at_the_top_and_explicit() {
    assert_empty(&violations(|_, line| {
        let indented = line.starts_with(' ') && line.trim_start().starts_with("use ");
        let glob = line.starts_with("use ") && line.ends_with("::*;");
        let tree = line.contains("crate::{");
        (indented || glob || tree).then(|| line.trim().to_owned())
    }));
}

#[test]
fn no_unfinished_work_is_marked() {
    // Written in pieces, so that a search for the markers does not find this file.
    let markers =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!"), "unimplemented!", "dbg!"];
    assert_empty(&violations(|_, line| {
        markers.iter().find(|word| line.contains(**word)).map(ToString::to_string)
    }));
}

#[test]
fn expect_is_rare_and_unwrap_is_not_used() {
    let calls = violations(|_, line| line.contains(".expect(").then(|| line.trim().to_owned()));
    assert!(calls.len() <= 10, "\n{}", calls.join("\n"));
    assert_empty(&violations(|_, line| line.contains(".unwrap()").then(|| line.trim().to_owned())));
}
