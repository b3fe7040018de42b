//! Every word of the vendor format is used by a vendor below `tests/vendors`, and documented.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use crate::support::{path, standin, stdout};

/// The tables of the format, by their keys: one of their places, and the keys that files use. A table
/// that stands in several places, such as `reply`, has the same keys there and is one.
type Tables = BTreeMap<Vec<String>, (String, BTreeSet<String>)>;

fn keys(properties: &Map<String, Json>) -> Vec<String> {
    properties.keys().cloned().collect()
}

/// Adds the tables of a schema.
fn add_tables(tables: &mut Tables, schema: &Json, place: &str) {
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            add_tables(tables, &schema[inner], place);
        }
    }
    let Some(properties) = schema["properties"].as_object() else { return };
    tables.entry(keys(properties)).or_insert_with(|| (place.to_owned(), BTreeSet::new()));
    for (key, schema) in properties {
        let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
        add_tables(tables, schema, &place);
    }
}

/// Marks the keys of a value as used.
fn mark(tables: &mut Tables, schema: &Json, value: &Json) {
    if let Json::Array(items) = value {
        items.iter().for_each(|item| mark(tables, &schema["items"], item));
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        let properties = schema["properties"].as_object();
        let known = properties.and_then(|properties| Some((properties, properties.get(key)?)));
        let Some((properties, of_key)) = known else {
            mark(tables, &schema["additionalProperties"], value);
            continue;
        };
        tables.get_mut(&keys(properties)).unwrap().1.insert(key.clone());
        mark(tables, of_key, value);
    }
}

/// The files of a folder with one of these endings, at any depth.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|entry| entry.is_dir());
    let is = |file: &PathBuf| {
        file.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known))
    };
    let inner = folders.iter().flat_map(|folder| self::files(folder, endings));
    files.into_iter().filter(is).chain(inner).collect()
}

/// Whether a text has a word, which is no part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

/// The words in the first column of a table of the document.
fn column<'d>(document: &'d str, head: &str) -> Vec<&'d str> {
    let rows = document.split(head).nth(1).unwrap().lines().skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    // `\|` is a sign of the word.
    let first = rows.map(|row| row.trim_start_matches("| ").split(" | ").next().unwrap());
    first.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn every_key_of_the_vendor_format_is_used_in_tests_and_documented() {
    let schema: Json = serde_json::from_str(&stdout(&standin(&["schema", "vendor"]))).unwrap();
    let mut tables = Tables::new();
    add_tables(&mut tables, &schema, "");
    for file in files(&path("tests/vendors"), &["toml"]) {
        mark(&mut tables, &schema, &toml::from_str(&fs::read_to_string(file).unwrap()).unwrap());
    }
    let document = fs::read_to_string(path("docs/vendors.md")).unwrap();
    let mut missing = Vec::new();
    for (keys, (place, used)) in &tables {
        for key in keys {
            let name = [place.as_str(), key].join(".");
            if !used.contains(key) {
                missing.push(format!("no vendor in tests/vendors uses `{name}`"));
            }
            if !has_word(&document, key) {
                missing.push(format!("docs/vendors.md does not name `{name}`"));
            }
        }
    }
    assert!(tables.len() > 60, "{} tables", tables.len());
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_filter_of_the_templates_is_used_in_tests() {
    let document = fs::read_to_string(path("docs/vendors.md")).unwrap();
    let used: String = files(&path("tests/vendors"), &["toml", "json"])
        .into_iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let filters = column(&document, "| filter | takes | result |");
    let unused =
        |filter: &&&str| !used.contains(&format!("| {}", filter.split(':').next().unwrap()));
    assert!(filters.contains(&"instant"), "{filters:?}");
    assert_eq!(filters.iter().filter(unused).collect::<Vec<_>>(), [&""; 0]);
}
