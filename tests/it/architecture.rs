//! The house rules that no compiler checks: layers, headers, sizes, and that vendors are data.

use std::fs;
use std::path::{Path, PathBuf};

use standin::platform::{Catalog, VendorRef};

use crate::support::path;

/// The layers, the lowest first; modules on one line do not import one another.
const LAYERS: &[&[&str]] = &[
    &["base"],
    &["diag"],
    &["fault"],
    &["config", "template", "record"],
    &["policy", "conversation"],
    &["platform"],
    &["scenario", "delivery", "journal", "report"],
    &["run", "fidelity"],
    &["server"],
    &["listen"],
    &["cli"],
];

/// What a module does not import although it lies lower, and why.
const APART: &[(&str, &str, &str)] = &[
    ("delivery", "platform", "delivery sees a payload, a policy and an endpoint, never a vendor"),
    ("template", "config", "what a hole may name is given to templates as a table"),
];

const MAX_FILE: usize = 700;

struct SourceFile {
    name: String,
    module: String,
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

/// Every file of `src/`, without its tests.
fn sources() -> Vec<SourceFile> {
    let root = path("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    let source = |file: PathBuf| {
        let inside = file.strip_prefix(&root).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
        SourceFile {
            name: format!("src/{}", inside.display()),
            module: first.trim_end_matches(".rs").to_owned(),
            code,
        }
    };
    found.into_iter().map(source).collect()
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Each line that breaks a rule, as `file:line: what`.
fn broken(rule: impl Fn(&SourceFile, &str) -> Option<String>) -> Vec<String> {
    let mut broken = Vec::new();
    for file in sources() {
        for (number, line) in (1..).zip(file.code.lines()) {
            broken.extend(rule(&file, line).map(|what| format!("{}:{number}: {what}", file.name)));
        }
    }
    broken
}

fn none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn imports_go_down_only() {
    none(&broken(|file, line| {
        let own = layer(&file.module)?;
        line.match_indices("crate::").find_map(|(at, _)| {
            let behind = &line[at + "crate::".len()..];
            let end =
                behind.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(behind.len());
            let module = &behind[..end];
            let other = layer(module)?;
            let apart = APART.iter().find(|(from, to, _)| *from == file.module && *to == module);
            if let Some((_, _, why)) = apart {
                return Some(format!("{} imports {module}: {why}", file.module));
            }
            (module != file.module && other >= own)
                .then(|| format!("{} imports {module}", file.module))
        })
    }));
}

#[test]
fn every_module_has_a_layer() {
    let odd: Vec<String> = sources()
        .into_iter()
        .filter(|file| {
            !["lib", "main"].contains(&file.module.as_str()) && layer(&file.module).is_none()
        })
        .map(|file| file.name)
        .collect();
    none(&odd);
}

#[test]
fn every_file_says_what_it_is() {
    let silent = sources().into_iter().filter(|file| !file.code.starts_with("//!"));
    none(&silent.map(|file| file.name).collect::<Vec<_>>());
}

#[test]
fn files_stay_small() {
    let size = |file: &SourceFile| file.code.lines().count();
    let large = sources().into_iter().filter(|file| size(file) > MAX_FILE);
    none(&large.map(|file| format!("{}: {} lines", file.name, size(&file))).collect::<Vec<_>>());
}

#[test]
fn no_rust_file_names_a_vendor() {
    let catalog = Catalog::bundled();
    let ids: Vec<&str> = catalog.ids().collect();
    assert!(ids.len() >= 5);
    none(&broken(|_, line| {
        let line = line.to_lowercase();
        ids.iter().find(|id| line.contains(**id)).map(|id| format!("names {id}"))
    }));
}

#[test]
fn no_rust_file_names_a_kind_of_message_but_text() {
    let catalog = Catalog::bundled();
    let vendors: Vec<_> =
        catalog.ids().map(|id| catalog.load(&VendorRef::parse(id)).unwrap()).collect();
    let kinds: Vec<String> = vendors
        .iter()
        .flat_map(|vendor| vendor.kinds.keys())
        .filter(|kind| !["text", "file"].contains(&kind.as_str())) // files are also on disks
        .map(|kind| format!("\"{kind}\""))
        .collect();
    none(&broken(|_, line| {
        kinds.iter().find(|kind| line.contains(*kind)).map(|kind| format!("names {kind}"))
    }));
}

#[test]
fn serde_keeps_places() {
    let banned = ["serde(flatten", "serde(untagged", "serde(tag", ", flatten", "untagged)"];
    none(&broken(|_, line| {
        banned.iter().find(|word| line.contains(**word)).map(|word| format!("`{word}`"))
    }));
}

#[test]
fn imports_stand_at_the_top_and_name_what_they_bring() {
    none(&broken(|_, line| {
        let indented = line.starts_with(' ') && line.trim_start().starts_with("use ");
        let glob = line.starts_with("use ") && line.ends_with("::*;");
        let tree = line.contains("crate::{");
        (indented || glob || tree).then(|| line.trim().to_owned())
    }));
}

#[test]
fn nothing_is_left_for_later() {
    let left =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!"), "unimplemented!", "dbg!"];
    none(&broken(|_, line| {
        left.iter().find(|word| line.contains(**word)).map(ToString::to_string)
    }));
}

#[test]
fn few_things_are_expected_and_each_with_a_reason() {
    let expected = broken(|_, line| line.contains(".expect(").then(|| line.trim().to_owned()));
    assert!(expected.len() <= 10, "\n{}", expected.join("\n"));
    none(&broken(|_, line| line.contains(".unwrap()").then(|| line.trim().to_owned())));
}
