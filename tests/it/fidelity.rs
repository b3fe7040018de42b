//! Fidelity: what is sent has the shape of what the vendors document.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value as Json};
use standin::base::fake::LOCALES;
use standin::conversation::EventKind;
use standin::diag::render::render;
use standin::fidelity::{Sample, compare, samples};
use standin::platform::{Account, EventQuery, EventRule, FieldDefaults, Platform};
use standin::scenario::Script;

use crate::support::{skipped, vendors};

const START: &str = "2026-01-05T09:00:00Z";

fn samples_of(vendor: &Arc<Platform>) -> Vec<Sample> {
    samples(vendor).unwrap_or_else(|problems| panic!("{}", render(problems)))
}

fn sent(sample: &Sample, vendor: &Arc<Platform>) -> Json {
    let account = Arc::new(Account::test(vendor));
    let sent = sample.sent(&account, 1, START.parse().unwrap());
    let sent = sent.unwrap_or_else(|| panic!("{}: nothing is sent", sample.documented.name));
    serde_json::from_str(&sent).unwrap()
}

/// How what is sent for each sample differs from a document of the same name.
fn differences(document: impl Fn(&Platform, &Sample) -> Option<String>) -> (usize, Vec<String>) {
    let (mut compared, mut told) = (0, Vec::new());
    for vendor in vendors() {
        for sample in samples_of(&vendor) {
            let Some(document) = document(&vendor, &sample) else { continue };
            compared += 1;
            let document = serde_json::from_str(&document).unwrap();
            for difference in compare(&document, &sent(&sample, &vendor)) {
                told.push(format!("{} {difference}", sample.documented.name));
            }
        }
    }
    (compared, told)
}

#[test]
fn what_is_sent_has_the_shape_of_every_sample() {
    let (_, told) = differences(|_, sample| Some(sample.documented.text.clone()));
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

/// The folder of the documentation's own samples, which are not ours to carry.
fn originals() -> Option<PathBuf> {
    let folder = std::env::var_os("STANDIN_ORIGINALS").map(PathBuf::from);
    if folder.is_none() {
        skipped("STANDIN_ORIGINALS names no folder of original samples");
    }
    folder
}

fn original(originals: &Path, vendor: &Platform, sample: &Sample) -> Option<String> {
    let file = sample.documented.name.rsplit('/').next()?;
    std::fs::read_to_string(originals.join(&vendor.id).join("samples").join(file)).ok()
}

#[test]
fn what_is_sent_has_the_shape_of_every_original() {
    let Some(originals) = originals() else { return };
    let (compared, told) = differences(|vendor, sample| original(&originals, vendor, sample));
    assert!(told.is_empty(), "{} differences:\n{}", told.len(), told.join("\n"));
    assert_eq!(compared, 89, "the documentation has 89 samples");
}

/// Every leaf of a document, by its pointer.
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

/// The data of an event with every value of it changed.
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

/// Data that differs from what the folder and the sample have.
fn other_data(sample: &Sample, vendor: &Platform, rule: &EventRule) -> Map<String, Json> {
    let written =
        |data: &FieldDefaults| data.written.iter().map(|(k, v)| (k.clone(), changed(v))).collect();
    if rule.on == EventKind::VariablesSet {
        let given = sample.wanted.data.iter().filter(|(key, _)| *key != "type");
        return given.map(|(key, value)| (format!("other_{key}"), changed(value))).collect();
    }
    let kind = sample.wanted.kind.clone().or_else(|| rule.first_kind());
    let of_kind = kind
        .as_ref()
        .and_then(|kind| vendor.entities.get(kind).or_else(|| Some(&vendor.kinds.get(kind)?.data)));
    let mut data: Map<String, Json> = of_kind.or(rule.data.as_ref()).map_or_else(Map::new, written);
    if rule.on == EventKind::MessageSent {
        data.entry("text").or_insert("Another text".into());
    } else if data.is_empty() {
        let others = [("text", "Another"), ("name", "Another"), ("label", "another")];
        data.extend(others.map(|(key, value)| (key.to_owned(), value.into())));
        data.extend(sample.wanted.data.get("on").map(|on| ("on".to_owned(), on.clone())));
    }
    data
}

/// The same sample with another cast, and with other data where one act leads to it.
fn varied(sample: &Sample, vendor: &Arc<Platform>) -> Sample {
    let mut sample = sample.clone();
    let rule = vendor.rule(&sample.event_type, &sample.wanted).unwrap();
    if !sample.told {
        let data = other_data(&sample, vendor, rule);
        sample.script =
            Script::sending(vendor, rule, &EventQuery { data, ..sample.wanted.clone() });
    }
    for (member, locale) in sample.script.cast.iter_mut().zip(LOCALES.iter().cycle().skip(3)) {
        member.locale = locale;
        member.is_new = !member.is_new;
    }
    sample
}

/// The leaves of a sample's webhook that are the same whatever the seed, the time, the cast and
/// the data are.
fn constants(sample: &Sample, vendor: &Arc<Platform>) -> BTreeMap<String, Json> {
    let account = Arc::new(Account::test(vendor));
    let mut constant = leaves_of(&sample.sent(&account, 1, START.parse().unwrap()).unwrap());
    let others = [
        sample.sent(&account, 2, "2027-11-30T22:59:59Z".parse().unwrap()),
        varied(sample, vendor).sent(&account, 3, "2026-06-15T01:02:03Z".parse().unwrap()),
    ];
    for other in others {
        let other = leaves_of(&other.unwrap());
        constant.retain(|pointer, value| other.get(pointer) == Some(value));
    }
    constant.retain(|_, value| !is_plain(value));
    constant
}

/// Nothing that could have come from somewhere.
fn is_plain(value: &Json) -> bool {
    match value {
        Json::String(text) => text.is_empty(),
        Json::Number(number) => number.as_i64().is_some_and(|number| (-1..=1).contains(&number)),
        _ => true,
    }
}

/// All that stands in a vendor's folder, and in that of the vendor it extends; samples aside.
fn written(vendor: &Platform) -> String {
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

/// What standin gives where nobody says anything else: the channel, the shop that everybody visits;
/// and names that are made of a variable's, which the sample's story sets.
const OURS: &[&str] = &["web", "https://shop.example.test", "visitor_age", "visitor_plan"];

/// What does not come from the folder, the account or the sample's own story is either drawn, and
/// so changes, or a fault of ours.
#[test]
fn what_never_changes_is_written_in_the_folder() {
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
            let written = written(&vendor);
            for (pointer, value) in constants(&sample, &vendor) {
                let text = value.to_string();
                let is_known = known.iter().any(|known| text.contains(known.as_str()))
                    || sample.event_type.split('.').any(|half| value == half);
                if !is_known
                    && !OURS.contains(&value.as_str().unwrap_or_default())
                    && !written.contains(&text)
                {
                    faults.push(format!("{} {pointer} {text}", sample.documented.name));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Vendors' own words that look like something else.
const WORDS: &[&str] = &["as defined", "MM/DD/YYYY"];

/// A word of the vendor's own, such as `ASSIGNED_AGENT`: no id, no name, no time, no sentence.
fn is_word(value: &Json) -> bool {
    let Some(text) = value.as_str() else { return false };
    let digits = text.chars().filter(char::is_ascii_digit).count();
    WORDS.contains(&text) || (digits < 3 && !text.contains([' ', '@', '<']))
}

/// What is the same in every webhook and in the documentation's sample is the vendor's word, not
/// something that somebody once said or was called.
#[test]
fn nothing_is_copied_from_an_original() {
    let Some(originals) = originals() else { return };
    let mut faults = Vec::new();
    for vendor in vendors() {
        for sample in samples_of(&vendor) {
            let Some(original) = original(&originals, &vendor, &sample) else { continue };
            let original = leaves_of(&original);
            for (pointer, value) in constants(&sample, &vendor) {
                if original.get(&pointer) == Some(&value) && !is_word(&value) {
                    faults.push(format!("{} {pointer} {value}", sample.documented.name));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
