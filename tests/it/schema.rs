//! The JSON Schemas for editors: they are current, and every bundled file matches its schema.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use crate::support::{entries, is_blessing, path, standin, stdout, vendors};

fn schema(of: &str) -> Json {
    serde_json::from_str(&stdout(&standin(&["schema", of]))).unwrap()
}

/// The violations of a schema by a TOML text.
fn schema_errors(schema: &Json, text: &str) -> Vec<String> {
    let instance: Json = toml::from_str(text).unwrap();
    let schema = jsonschema::validator_for(schema).unwrap();
    let told =
        |error: jsonschema::ValidationError<'_>| format!("{}: {error}", error.instance_path());
    schema.iter_errors(&instance).map(told).collect()
}

/// The schema that the first line of a file names, relative to the file.
fn named_schema(file: &Path, text: &str) -> PathBuf {
    let line = text.lines().next().unwrap();
    let named =
        line.strip_prefix("#:schema ").unwrap_or_else(|| panic!("{}: {line}", file.display()));
    fs::canonicalize(file.parent().unwrap().join(named)).unwrap()
}

fn assert_valid(file: &Path, of: &str) {
    let text = fs::read_to_string(file).unwrap();
    let departures = schema_errors(&schema(of), &text);
    assert!(departures.is_empty(), "{}: {}", file.display(), departures.join("\n"));
    assert_eq!(
        named_schema(file, &text),
        fs::canonicalize(path(&format!("schemas/{of}.json"))).unwrap()
    );
}

#[test]
fn the_committed_schemas_are_current() {
    for of in ["scenario", "config", "vendor"] {
        let file = path(&format!("schemas/{of}.json"));
        let current = stdout(&standin(&["schema", of]));
        if is_blessing() {
            fs::write(&file, &current).unwrap();
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), current, "STANDIN_BLESS=1 rewrites it");
    }
}

#[test]
fn every_bundled_file_matches_its_schema() {
    for file in entries("scenarios") {
        assert_valid(&file, "scenario");
    }
    assert_valid(&path("config.example.toml"), "config");
    for folder in entries("templates").into_iter().chain(entries("tests/vendors")) {
        assert_valid(&folder.join("vendor.toml"), "vendor");
    }
}

#[test]
fn a_step_has_exactly_one_action_and_no_unknown_key() {
    let schema = schema("scenario");
    let wrong = |step: &str| schema_errors(&schema, &format!("[[step]]\n{step}\n"));
    assert_eq!(wrong("say = { by = 'visitor', text = 'Hello', anything = 1 }"), [""; 0]);
    assert!(!wrong("after = '1s'").is_empty());
    assert!(!wrong("open = {}\nclose = { by = 'bot' }").is_empty());
    assert!(!wrong("opne = {}").is_empty());
    assert!(!wrong("open = { chanel = 'web' }").is_empty());
    assert_eq!(wrong("open = {}\nfor = { ebbot = { close = { by = 'bot' } } }"), [""; 0]);
}

#[test]
fn the_schema_lists_message_kinds_and_describes_every_key() {
    let schema = schema("scenario");
    let kind = &schema["properties"]["step"]["items"]["properties"]["say"]["properties"]["kind"];
    let known = kind["anyOf"][0]["enum"].as_array().unwrap();
    for vendor in vendors().iter().filter(|vendor| vendor.id != "parlour") {
        assert!(vendor.kinds.keys().all(|kind| known.contains(&json!(kind))), "{}", vendor.id);
    }
    let steps = &schema["properties"]["step"]["items"]["properties"];
    let about = &steps["say"]["properties"]["options"]["description"];
    assert_eq!(about, "Data of: buttons.");
    assert_eq!(steps["close"]["description"], "The conversation is closed.");
    for (key, step) in steps.as_object().unwrap() {
        assert!(step["description"].as_str().is_some_and(|about| about.len() > 5), "{key}");
    }
}
