//! The JSON Schemas for editors: they are current, and every bundled file matches its schema.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value as Json, json};

use crate::support::{bundled_vendors, entries, is_blessing, path, standin, standin_in, stdout};
use standin::base::duration::{self, DurationRange};

/// A schema with its validator, which takes seconds to build in a debug build.
struct Schema {
    json: Json,
    validator: jsonschema::Validator,
}

impl Schema {
    fn new(json: Json) -> Self {
        let validator = jsonschema::validator_for(&json).unwrap();
        Self { json, validator }
    }
}

impl Deref for Schema {
    type Target = Json;

    fn deref(&self) -> &Json {
        &self.json
    }
}

/// The schema of a format, built once for all tests.
fn schema(of: &str) -> Arc<Schema> {
    static SCHEMAS: Mutex<BTreeMap<String, Arc<Schema>>> = Mutex::new(BTreeMap::new());
    // Built under the lock, so that tests that run at the same time build each one once. A test that
    // fails here must not fail the others.
    let mut schemas = SCHEMAS.lock().unwrap_or_else(PoisonError::into_inner);
    let build = || {
        let json = serde_json::from_str(&stdout(&standin(&["schema", of]))).unwrap();
        Arc::new(Schema::new(json))
    };
    Arc::clone(schemas.entry(of.to_owned()).or_insert_with(build))
}

/// The violations of a schema by a TOML text.
fn schema_errors(schema: &Schema, text: &str) -> Vec<String> {
    let instance: Json = toml::from_str(text).unwrap();
    let told =
        |error: jsonschema::ValidationError<'_>| format!("{}: {error}", error.instance_path());
    schema.validator.iter_errors(&instance).map(told).collect()
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
    for of in ["scenario", "shared", "config", "vendor"] {
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
    for file in entries("scenarios").iter().filter(|file| file.is_file()) {
        assert_valid(file, "scenario");
    }
    for file in entries("scenarios/shared") {
        assert_valid(&file, "shared");
    }
    assert_valid(&path("config.example.toml"), "config");
    for folder in entries("templates").into_iter().chain(entries("tests/vendors")) {
        assert_valid(&folder.join("vendor.toml"), "vendor");
    }
}

#[test]
fn the_data_of_emitted_events_is_described_and_typed() {
    let schema = schema("scenario");
    let wrong = |data: &str| schema_errors(&schema, &format!("[[step]]\nemit = {{ {data} }}\n"));
    assert_eq!(wrong("type = 'sla_breach', data = { minutes = 30 }"), [""; 0]);
    assert!(!wrong("type = 'sla_breach', data = { minutes = [30] }").is_empty());
    // Variables can have any name.
    assert_eq!(wrong("type = 'variables', data = { minutes = [30] }"), [""; 0]);
    let minutes = &schema["definitions"]["emit"]["properties"]["data"]["properties"]["minutes"];
    let about = minutes["description"].as_str().unwrap();
    assert!(about.contains("sla_breach") && about.contains("Default: `15`"), "{about}");
}

#[test]
fn a_step_has_exactly_one_action_and_no_unknown_key() {
    let schema = schema("scenario");
    let wrong = |step: &str| schema_errors(&schema, &format!("[[step]]\n{step}\n"));
    assert!(!wrong("say = { by = 'visitor', text = 'Hello', anything = 1 }").is_empty());
    assert!(!wrong("after = '1s'").is_empty());
    assert!(!wrong("open = {}\nclose = { by = 'bot' }").is_empty());
    assert!(!wrong("opne = {}").is_empty());
    assert!(!wrong("open = { chanel = 'web' }").is_empty());
    assert_eq!(wrong("open = {}\nfor = { ebbot = { close = { by = 'bot' } } }"), [""; 0]);
    for file in ["", "name = 'x'\n", "step = []\n"] {
        assert!(!schema_errors(&schema, file).is_empty(), "{file}");
    }
}

#[test]
fn the_schema_lists_message_kinds_and_describes_every_key() {
    let schema = schema("scenario");
    let definitions = &schema["definitions"];
    let known = definitions["say"]["properties"]["kind"]["enum"].as_array().unwrap();
    for vendor in &bundled_vendors() {
        assert!(vendor.kinds.keys().all(|kind| known.contains(&json!(kind))), "{}", vendor.id);
    }
    let about = definitions["say"]["properties"]["layout"]["description"].as_str().unwrap();
    let parts = ["Data of: buttons.", "Arrangement", "horizontal", "Default"];
    assert!(parts.iter().all(|part| about.contains(part)), "{about}");
    assert_eq!(definitions["close"]["description"], "The conversation is closed, or its survey.");
    let steps = schema["definitions"]["step"]["properties"].as_object().unwrap();
    for (key, step) in steps.iter().chain(definitions.as_object().unwrap()) {
        let step = if step.get("$ref").is_some() { &definitions[key] } else { step };
        assert!(step["description"].as_str().is_some_and(|about| about.len() > 5), "{key}");
    }
}

#[test]
fn names_and_numbers_that_check_refuses_are_refused_by_the_schema() {
    let schema = schema("scenario");
    let errors = |text: &str| schema_errors(&schema, text);
    let step = "[[step]]\nopen = {}\n";
    for valid in [
        format!("vendors = ['ebbot', 'erxes@0.23']\n{step}"),
        format!("{step}only = ['wotnot']\n"),
        format!("locale = 'sv'\n[cast.ada]\nrole = 'agent'\nlocale = 'de'\n{step}"),
        format!("{step}[verify]\nstatus = ['2xx', '410', 'any']\n"),
        format!("{step}[verify]\nwithin = '2s'\nsignature = 'probe'\n"),
        format!(
            "{step}want = {{ status = ['200'], within = '1s', attempts = 1, body = {{ '/a' = 1, '' = {{ length = 2, gt = 1.5 }} }}, headers = {{ X-A = {{ absent = true }} }} }}\n"
        ),
        format!("{step}[[step]]\nrate = {{ score = 5 }}\n"),
        format!("{step}[[step]]\nsay = {{ by = 'ada', text = 'Hello' }}\n"),
        format!(
            "{step}[[step]]\nsay = {{ by = 'bot', kind = 'slider', min = 2, max = '${{vars.x}}' }}\n"
        ),
        format!(
            "{step}[[step]]\nsay = {{ by = 'bot', kind = 'buttons', options = ['A', {{ label = 'B', url = 'u' }}] }}\n"
        ),
        format!(
            "{step}[[step]]\ncreate = {{ kind = 'customer', as = 'x', with = {{ firstName = 'A', sex = {{ null = true }} }} }}\n"
        ),
    ] {
        assert_eq!(errors(&valid), [""; 0], "{valid}");
    }
    for invalid in [
        format!("vendors = ['ebot']\n{step}"),
        format!("vendors = ['ebbot@9']\n{step}"),
        format!("{step}only = ['ebot']\n"),
        format!("{step}[step.for.ebot]\nskip = 'x'\n"),
        format!("{step}[subscribe]\nebot = ['*']\n"),
        format!("locale = 'xx'\n{step}"),
        format!("[cast.ada]\nrole = 'agnet'\n{step}"),
        format!("{step}[verify]\nstatus = ['20x']\n"),
        format!("{step}[verify]\n"),
        format!("{step}[verify]\nsignature = 'prob'\n"),
        format!("{step}want = {{}}\n"),
        format!("{step}want = {{ attempts = 0 }}\n"),
        format!("{step}want = {{ status = ['20x'] }}\n"),
        format!("{step}want = {{ body = {{ 'ok' = true }} }}\n"),
        format!("{step}want = {{ body = {{ '/ok' = {{ contain = 'x' }} }} }}\n"),
        format!("{step}want = {{ body = {{ '/ok' = {{ gt = '1' }} }} }}\n"),
        format!("{step}want = {{ headers = {{ 'X A' = 1 }} }}\n"),
        format!("{step}repeat = {{ times = 0 }}\n"),
        format!("{step}[[step]]\nrate = {{ score = 6 }}\n"),
        format!("{step}[[step]]\nsay = {{ by = 'bot', kind = 'button' }}\n"),
        format!("{step}[[step]]\nsay = {{ by = 'bot', kind = 'slider', min = 'two' }}\n"),
        format!("{step}[[step]]\nsay = {{ by = 'bot', kind = 'slider', options = ['A'] }}\n"),
        format!(
            "{step}[[step]]\nsay = {{ by = 'bot', kind = 'buttons', options = [{{ lable = 'B' }}] }}\n"
        ),
        format!("{step}[[step]]\ncreate = {{ kind = 'customr', as = 'x' }}\n"),
        format!(
            "{step}[[step]]\ncreate = {{ kind = 'customer', as = 'x', with = {{ primaryName = 'A' }} }}\n"
        ),
        format!("{step}[[step]]\nemit = {{ type = 'chat.crate' }}\n"),
    ] {
        assert_ne!(errors(&invalid), [""; 0], "{invalid}");
    }
    assert!(
        !schema_errors(
            &self::schema("config"),
            "[[endpoint]]\nvendor = 'ebot'\nurl = 'http://x'\n"
        )
        .is_empty()
    );
}

#[test]
fn durations_of_the_schema_are_those_of_the_parser() {
    let schema = schema("scenario");
    for text in [
        "2s",
        "250ms",
        "1m 30s",
        "1m30s",
        "1.5h",
        "2 minutes",
        "1 hour, 2 mins",
        "PT5M",
        "00:01:30",
        " 2s ",
        "1s..3s",
        "1s .. 3s",
        "1m 30s..2m",
        "10us",
        "3 nanos",
        "",
        "5",
        "s",
        "-5s",
        "1d",
        "1 day",
        "2 weeks",
        "1s..",
        "..3s",
        "1s...3s",
        "nan",
        "1e9s",
        "2 parsecs",
        "2s ago",
        "abc",
        "1h-2h",
        "1s,2",
        "1s to 3s",
    ] {
        let is_valid = DurationRange::parse(text).is_ok();
        let step = format!("[[step]]\nopen = {{}}\nafter = \"{text}\"\n");
        assert_eq!(schema_errors(&schema, &step).is_empty(), is_valid, "`{text}`");
        let accept = format!("[[step]]\nassign = {{ to = 'agent', accept = \"{text}\" }}\n");
        let is_valid = duration::parse(text).is_ok();
        assert_eq!(schema_errors(&schema, &accept).is_empty(), is_valid, "`{text}`");
    }
}

#[test]
fn the_schema_of_a_users_vendors_lists_them() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("own")).unwrap();
    let vendor = "id = 'own'\nname = 'Own'\nextends = 'ebbot'\n";
    fs::write(folder.path().join("own/vendor.toml"), vendor).unwrap();
    let arguments = ["schema", "scenario", "--templates", "."];
    let json = serde_json::from_str(&stdout(&standin_in(folder.path(), &arguments))).unwrap();
    let schema = Schema::new(json);
    assert_eq!(schema_errors(&schema, "vendors = ['own']\n[[step]]\nopen = {}\n"), [""; 0]);
}
