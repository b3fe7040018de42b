//! Fidelity: what is sent has the structure of the vendors' documented samples.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value as Json};
use standin::base::fake::LOCALES;
use standin::conversation::EventKind;
use standin::diag::render::render;
use standin::fidelity::{DocumentedSample, compare, samples};
use standin::platform::{Account, EventQuery, EventRule, FieldDefaults, Platform};
use standin::scenario::Script;

use crate::support::vendors;

const START: &str = "2026-01-05T09:00:00Z";

fn samples_of(vendor: &Arc<Platform>) -> Vec<DocumentedSample> {
    samples(vendor).unwrap_or_else(|problems| panic!("{}", render(problems)))
}

fn sent_bodies(sample: &DocumentedSample, vendor: &Arc<Platform>) -> Json {
    let account = Arc::new(Account::test(vendor));
    let sent = sample.sent(&account, 1, START.parse().unwrap());
    let sent = sent.unwrap_or_else(|| panic!("{}: nothing is sent", sample.documented.name));
    serde_json::from_str(&sent).unwrap()
}

/// Differences between what is sent for each sample and a document of the same name, and the
/// number of documents.
fn differences(
    document: impl Fn(&Platform, &DocumentedSample) -> Option<String>,
) -> (usize, Vec<String>) {
    let (mut compared, mut told) = (0, Vec::new());
    for vendor in vendors() {
        for sample in samples_of(&vendor) {
            let Some(document) = document(&vendor, &sample) else { continue };
            compared += 1;
            let document = serde_json::from_str(&document).unwrap();
            for difference in compare(&document, &sent_bodies(&sample, &vendor)) {
                told.push(format!("{} {difference}", sample.documented.name));
            }
        }
    }
    (compared, told)
}

#[test]
fn payloads_have_the_structure_of_every_sample() {
    let (_, told) = differences(|_, sample| Some(sample.documented.text.to_string()));
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[test]
fn every_sample_file_is_in_its_index() {
    for vendor in vendors() {
        let named = samples_of(&vendor).len();
        let files = vendor.samples.keys().filter(|name| *name != "index.toml").count();
        assert_eq!(named, files, "{}", vendor.id);
    }
}

/// The folder of the original samples, which may not be distributed with this repository.
fn originals() -> PathBuf {
    let folder = std::env::var_os("STANDIN_ORIGINALS");
    folder.unwrap_or_else(|| panic!("STANDIN_ORIGINALS must name a folder of samples")).into()
}

fn original(originals: &Path, vendor: &Platform, sample: &DocumentedSample) -> Option<String> {
    let file = sample.documented.name.rsplit('/').next()?;
    std::fs::read_to_string(originals.join(&vendor.id).join("samples").join(file)).ok()
}

#[test]
#[ignore = "requires STANDIN_ORIGINALS, the folder of the original samples"]
fn payloads_have_the_structure_of_every_original() {
    let originals = originals();
    let (compared, told) = differences(|vendor, sample| original(&originals, vendor, sample));
    assert!(told.is_empty(), "{} differences:\n{}", told.len(), told.join("\n"));
    assert_eq!(compared, 89, "the documentation has 89 samples");
}

/// Collects every leaf of a document by its JSON pointer.
fn leaves(pointer: &str, value: &Json, out: &mut BTreeMap<String, Json>) {
    match value {
        Json::Object(table) if !table.is_empty() => {
            table.iter().for_each(|(key, value)| leaves(&format!("{pointer}/{key}"), value, out));
        }
        Json::Array(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                leaves(&format!("{pointer}/{at}"), item, out);
            }
        }
        leaf => drop(out.insert(pointer.to_owned(), leaf.clone())),
    }
}

fn leaves_of(text: &str) -> BTreeMap<String, Json> {
    let mut out = BTreeMap::new();
    leaves("", &serde_json::from_str(text).unwrap(), &mut out);
    out
}

/// A copy with every value changed.
fn changed(value: &Json) -> Json {
    match value {
        Json::String(text) => format!("other {}", text.replace("${", "")).into(),
        Json::Number(number) => (number.as_i64().unwrap_or_default() + 3).into(),
        Json::Bool(value) => (!value).into(),
        Json::Array(items) => items.iter().map(changed).collect(),
        Json::Object(table) => table.iter().map(|(k, v)| (k.clone(), changed(v))).collect(),
        Json::Null => Json::Null,
    }
}

/// Data that differs from the data of the folder and of the sample.
fn other_data(sample: &DocumentedSample, vendor: &Platform, rule: &EventRule) -> Map<String, Json> {
    let written =
        |data: &FieldDefaults| data.defaults.iter().map(|(k, v)| (k.clone(), changed(v))).collect();
    if rule.on == EventKind::VariablesSet {
        let changed_data = sample.query.data.iter().filter(|(key, _)| *key != "type");
        return changed_data.map(|(key, value)| (format!("other_{key}"), changed(value))).collect();
    }
    let kind = sample.query.kind.clone().or_else(|| rule.first_kind());
    let of_kind = kind
        .as_ref()
        .and_then(|kind| vendor.entities.get(kind).or_else(|| Some(&vendor.kinds.get(kind)?.data)));
    let mut data: Map<String, Json> = of_kind.or(rule.data.as_ref()).map_or_else(Map::new, written);
    if rule.on == EventKind::MessageSent {
        data.entry("text").or_insert("Another text".into());
    } else if data.is_empty() {
        let others = [("text", "Another"), ("name", "Another"), ("label", "another")];
        data.extend(others.map(|(key, value)| (key.to_owned(), value.into())));
        data.extend(sample.query.data.get("on").map(|on| ("on".to_owned(), on.clone())));
    }
    data
}

/// The sample with a different cast and, if a single action causes the event, different data.
fn with_other_data(sample: &DocumentedSample, vendor: &Arc<Platform>) -> DocumentedSample {
    let mut sample = sample.clone();
    let rule = vendor.rule(&sample.event_type, &sample.query).unwrap();
    if !sample.has_scenario {
        let data = other_data(&sample, vendor, rule);
        sample.script =
            Script::for_event(vendor, rule, &EventQuery { data, ..sample.query.clone() }).into();
    }
    for (member, locale) in
        Arc::make_mut(&mut sample.script).cast.iter_mut().zip(LOCALES.iter().cycle().skip(3))
    {
        member.locale = locale;
        member.is_new = !member.is_new;
    }
    sample
}

/// The leaves of a sample's webhook that do not depend on seed, time, cast and data.
fn constants(sample: &DocumentedSample, vendor: &Arc<Platform>) -> BTreeMap<String, Json> {
    let account = Arc::new(Account::test(vendor));
    let mut constant = leaves_of(&sample.sent(&account, 1, START.parse().unwrap()).unwrap());
    let others = [
        sample.sent(&account, 2, "2027-11-30T22:59:59Z".parse().unwrap()),
        with_other_data(sample, vendor).sent(&account, 3, "2026-06-15T01:02:03Z".parse().unwrap()),
    ];
    for other in others {
        let other = leaves_of(&other.unwrap());
        constant.retain(|pointer, value| other.get(pointer) == Some(value));
    }
    constant.retain(|_, value| !is_empty_value(value));
    constant
}

/// A value too simple to have been copied, such as an empty string or a small number.
fn is_empty_value(value: &Json) -> bool {
    match value {
        Json::String(text) => text.is_empty(),
        Json::Number(number) => number.as_i64().is_some_and(|number| (-1..=1).contains(&number)),
        _ => true,
    }
}

/// The text of all files of a vendor's folder and of the vendor it extends, except samples.
fn text_of_folder(vendor: &Platform) -> String {
    let folder = |id: &str| standin::platform::PlatformFolder::bundled().remove(id);
    let own = folder(&vendor.id).unwrap_or_default();
    let base = own.files["vendor.toml"]
        .text
        .lines()
        .find_map(|line| folder(line.strip_prefix("extends = ")?.trim_matches('"')));
    let files = own.files.into_iter().chain(base.unwrap_or_default().files);
    let files = files.filter(|(name, _)| !(name.starts_with("samples/") && name.ends_with("json")));
    files.map(|(_, source)| source.text.clone()).collect()
}

/// Defaults of standin (the channel, the visited shop), and names derived from variables that the
/// scenarios of the samples set.
const DEFAULTS: &[&str] = &["web", "https://shop.example.test", "visitor_age", "visitor_plan"];

/// A value from elsewhere is generated, and thus not constant. A constant value must come from the
/// folder, the account or the scenario of the sample; any other one is a bug.
#[test]
fn constant_values_are_written_in_the_vendor_folder() {
    let mut faults = Vec::new();
    for vendor in vendors() {
        let account = Account::test(&vendor);
        let known: Vec<String> = [&account.values, &account.brand]
            .into_iter()
            .flat_map(|table| table.values())
            .map(|value| value.to_string().trim_matches('"').to_owned())
            .filter(|value| !value.is_empty())
            .collect();
        for sample in samples_of(&vendor) {
            let written = text_of_folder(&vendor);
            for (pointer, value) in constants(&sample, &vendor) {
                let text = value.to_string();
                let is_known = known.iter().any(|known| text.contains(known.as_str()))
                    || sample.event_type.split('.').any(|half| value == half);
                if !is_known
                    && !DEFAULTS.contains(&value.as_str().unwrap_or_default())
                    && !written.contains(&text)
                {
                    faults.push(format!("{} {pointer} {text}", sample.documented.name));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Fixed terms of vendors that look like data.
const WORDS: &[&str] = &["as defined", "MM/DD/YYYY"];

/// Fields that the vendor computes from others: equal inputs give the value of the original sample.
const COMPUTED: &[&str] = &["profileScore"];

/// Whether a value is a fixed term, such as `ASSIGNED_AGENT`, and no id, name, time or sentence.
fn is_word(value: &Json) -> bool {
    let Some(text) = value.as_str() else { return false };
    let digits = text.chars().filter(char::is_ascii_digit).count();
    WORDS.contains(&text) || (digits < 3 && !text.contains([' ', '@', '<']))
}

/// A value that is constant and equal to the original sample must be a fixed term of the vendor, not
/// a name or a text of the sample.
#[test]
#[ignore = "requires STANDIN_ORIGINALS, the folder of the original samples"]
fn no_value_is_copied_from_an_original() {
    let originals = originals();
    let (mut faults, mut compared) = (Vec::new(), 0);
    for vendor in vendors() {
        for sample in samples_of(&vendor) {
            let Some(original) = original(&originals, &vendor, &sample) else { continue };
            compared += 1;
            let original = leaves_of(&original);
            for (pointer, value) in constants(&sample, &vendor) {
                let is_computed = COMPUTED.iter().any(|field| pointer.ends_with(field));
                if original.get(&pointer) == Some(&value) && !is_word(&value) && !is_computed {
                    faults.push(format!("{} {pointer} {value}", sample.documented.name));
                }
            }
        }
    }
    assert_eq!(compared, 89, "the documentation has 89 samples");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
