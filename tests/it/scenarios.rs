//! The bundled scenarios: each passes, is documented, and adds coverage.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use serde_json::Value as Json;
use standin::conversation::ActionKind;
use standin::diag::Source;
use standin::emulator::StepOutcome;
use standin::listen::{BundledReceiver, serve};
use standin::platform::{Account, Platform};
use standin::record::{RecordKind, RunFinished, Verdict};
use standin::scenario::{self, bundled_names};

use crate::support::{
    NEEDING_CALLS, ReceivedRequest, Receiver, assert_document_contains, bundled_revisions,
    bundled_vendors, path, play, revisions, vendors,
};

/// The problems of a scenario, checked against every vendor.
fn problems(text: &str) -> Vec<String> {
    let draft = scenario::read(&Source::new("test.toml", text));
    let checked = draft.and_then(|draft| scenario::check(draft, &vendors(), &[]));
    let told = |problem: standin::diag::Problem| {
        let span = problem.span.unwrap().short();
        format!("{} {}", span.strip_prefix("test.toml:").unwrap(), problem.message)
    };
    checked.unwrap_err().sorted().into_iter().map(told).collect()
}

/// The texts of all messages at the invented vendor.
fn texts_of(receiver: &Receiver) -> Vec<String> {
    let words = |event: Json| event["said"].as_str().map(str::to_owned);
    receiver.events().iter().map(ReceivedRequest::json).filter_map(words).collect()
}

fn play_at_bundled_receiver(name: &str, vendor: &Arc<Platform>) -> RunFinished {
    let account = Arc::new(Account::test(vendor));
    // The server needs a runtime that outlives the run, which has its own.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let receiver = BundledReceiver::new(vec![account], Vec::new());
    let serving = runtime.block_on(async { serve(receiver, 0, |_| {}).unwrap() });
    let url = format!("http://{}/", serving.address);
    let played = play(name).at(&vendor.full_id()).against(&url);
    runtime.block_on(serving.stop());
    played.finished
}

#[test]
fn every_bundled_scenario_passes_at_every_vendor() {
    assert!(bundled_names().len() >= 12);
    for name in bundled_names() {
        let is_playable = |vendor: &Arc<Platform>| play(&name).at(&vendor.full_id()).is_playable();
        // A scenario may show what only a revision can do; the golden digests play those.
        assert!(revisions().iter().any(is_playable), "no vendor can play {name}");
        for vendor in vendors().into_iter().filter(is_playable) {
            let id = vendor.full_id();
            if NEEDING_CALLS.contains(&name.as_str()) {
                continue; // `echo` plays them against a receiver that calls back
            }
            let finished = if name == "orders" {
                // It waits for the state of the bundled receiver.
                play_at_bundled_receiver(&name, &vendor)
            } else {
                play(&name).at(&id).to(&Receiver::accepting()).finished
            };
            assert_eq!(finished.verdict, Verdict::Passed, "{name} at {id}: {finished:?}");
        }
    }
}

/// Without sockets: `revisions` tests the differences on the wire.
#[test]
fn every_bundled_scenario_can_be_played_at_every_revision() {
    let mut tellable = BTreeSet::new();
    for name in bundled_names() {
        for vendor in revisions().iter().map(|vendor| vendor.full_id()) {
            if !play(&name).at(&vendor).is_playable() {
                continue;
            }
            let mut told = 0;
            for scene in play(&name).at(&vendor).subscribing(&["*"]).step_outputs() {
                match scene.outcome {
                    StepOutcome::Done { result, .. } => told += result.payloads.len(),
                    StepOutcome::Dropped { reason, .. } => panic!("{name} at {vendor}: {reason}"),
                    StepOutcome::Skipped { .. } | StepOutcome::Expected(_) => {}
                }
            }
            let silent = (name.as_str(), vendor.as_str()) == ("form", "erxes@2"); // no forms there
            assert_eq!(told == 0, silent, "{name} at {vendor}");
            tellable.insert(vendor);
        }
    }
    assert_eq!(tellable.len(), revisions().len());
}

/// The items of a list that anotherlist does not contain.
fn missing_from<'a>(all: impl Iterator<Item = &'a str>, some: &BTreeSet<String>) -> Vec<&'a str> {
    all.filter(|one| !some.contains(*one)).collect()
}

#[test]
fn bundled_scenarios_cover_every_event_type_and_message_kind() {
    for vendor in &bundled_revisions() {
        let id = &vendor.full_id();
        let (mut sent, mut said, mut about) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for name in bundled_names().iter().filter(|name| play(name).at(id).is_playable()) {
            for scene in play(name).at(id).subscribing(&["*"]).step_outputs() {
                let StepOutcome::Done { action, result, .. } = scene.outcome else { continue };
                sent.extend(result.payloads.into_iter().map(|payload| payload.event_type));
                match action.kind {
                    ActionKind::Say { kind, .. } => said.insert(kind),
                    ActionKind::Create { kind, .. } => about.insert(kind),
                    _ => false,
                };
            }
        }
        let kinds = vendor.kinds.keys().map(String::as_str);
        let entities = vendor.entities.keys().map(String::as_str);
        assert_eq!(missing_from(vendor.event_types().into_iter(), &sent), [""; 0], "types of {id}");
        assert_eq!(missing_from(kinds, &said), [""; 0], "kinds of {id}");
        assert_eq!(missing_from(entities, &about), [""; 0], "entities of {id}");
    }
}

#[test]
fn each_scenario_starts_with_a_description() {
    for name in bundled_names() {
        let text = &scenario::bundled(&name).unwrap().text;
        let header: String =
            text.lines().take_while(|line| line.starts_with('#')).collect::<Vec<_>>().join(" ");
        assert!(header.contains("receiver"), "{name}: {header}");
        assert!(text.contains("\nname") && text.contains("\nabout"), "{name}");
    }
}

#[test]
fn the_documentation_lists_every_scenario() {
    let mut table = "| name | what happens | what it is good for |\n|---|---|---|\n".to_owned();
    for name in bundled_names() {
        let form = scenario::read(&scenario::bundled(&name).unwrap()).unwrap().form;
        let (told, about) = (form.name.unwrap().value, form.about.unwrap().value);
        table += &format!("| `{name}` | {told} | {about} |\n");
    }
    assert_document_contains(
        "docs/scenarios.md",
        "<!-- the stories; a test writes them -->\n",
        &table,
    );
}

/// Collects every key of a schema and every message kind , without the data of kinds.
fn keys<'a>(schema: &'a Json, found: &mut BTreeSet<&'a str>) {
    match schema {
        Json::Object(table) => {
            let keys_here = schema["properties"].as_object().into_iter().flatten();
            let is_data = |schema: &Json| {
                schema["description"].as_str().is_some_and(|about| about.starts_with("Data of: "))
            };
            let keys_here = keys_here.filter(|(_, schema)| !is_data(schema));
            found.extend(keys_here.map(|(key, _)| key.as_str()));
            let kinds = schema["kind"]["enum"].as_array().into_iter().flatten();
            found.extend(kinds.filter_map(Json::as_str));
            // The data of a kind has definitions of its own, and conditions on the kind use them.
            let is_of_kind = |key: &str| key.contains('.') || key == "then";
            let parts = table.iter().filter(|(key, _)| !is_of_kind(key));
            parts.for_each(|(_, part)| keys(part, found));
        }
        Json::Array(parts) => parts.iter().for_each(|part| keys(part, found)),
        _ => {}
    }
}

#[test]
fn the_documentation_describes_every_key_and_kind() {
    let schema = fs::read_to_string(path("schemas/scenario.json")).unwrap();
    let schema: Json = serde_json::from_str(&schema).unwrap();
    let told = fs::read_to_string(path("docs/scenarios.md")).unwrap();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let told: BTreeSet<&str> = told.split(|c| !is_word(c)).collect();
    let mut known = BTreeSet::new();
    keys(&schema, &mut known);
    assert!(known.len() > 60, "{known:?}");
    let undocumented: Vec<&&str> = known.iter().filter(|key| !told.contains(**key)).collect();
    assert_eq!(undocumented, [&""; 0]);
}

#[test]
fn no_two_scenarios_send_the_same_events() {
    for vendor in bundled_vendors() {
        let mut seen: BTreeMap<Vec<String>, String> = BTreeMap::new();
        // Without the receiver's calls, those that wait for them send only a part of their events.
        let waits = |name: &str| NEEDING_CALLS.contains(&name);
        for name in bundled_names()
            .iter()
            .filter(|name| !waits(name) && play(name).at(&vendor.id).is_playable())
        {
            let mut sent = Vec::new();
            for scene in play(name).at(&vendor.id).step_outputs() {
                let StepOutcome::Done { result, .. } = scene.outcome else { continue };
                let payloads = result.payloads.into_iter().filter(|p| p.body.is_some());
                sent.extend(payloads.map(|payload| payload.event_type));
            }
            sent.sort();
            if let Some(other) = seen.insert(sent, name.clone()) {
                panic!("`{name}` and `{other}` send the same at {}", vendor.id);
            }
        }
    }
}

#[test]
fn texts_can_name_created_entities() {
    let story = "[[step]]\nopen = {}\n\
        [[step]]\ncreate = { kind = 'lamp', as = 'lantern', with = { oil = 3 } }\n\
        [[step]]\nsay = { by = 'visitor', text = 'Is ${entity.lantern.oil} drops enough?' }\n\
        [[step]]\nupdate = { entity = 'lantern', with = { oil = 9 } }\n\
        [[step]]\nsay = { by = 'visitor', text = 'Or ${entity.lantern.oil} for ${entity.lantern.uid}?' }\n";
    let receiver = Receiver::accepting();
    play(story).at("parlour").to(&receiver);
    let events: Vec<Json> = receiver.events().iter().map(ReceivedRequest::json).collect();
    let made = events.iter().find(|event| event["what"] == "thing.made").unwrap();
    let uid = made["thing"].as_str().unwrap_or_else(|| panic!("{made}"));
    let last = format!("Or 9 for {uid}?");
    assert_eq!(texts_of(&receiver), ["Is 3 drops enough?", &last]);

    let elsewhere = Receiver::accepting();
    let played = play(story).at("ebbot").to(&elsewhere);
    let skipped = |what: &RecordKind| match what {
        RecordKind::ActionSkipped { action, reason } if action == "say" => Some(reason.clone()),
        _ => None,
    };
    let reason = played.find(skipped).unwrap();
    assert_eq!(reason, "it uses entity `lantern`, which was not created at this vendor");
}

#[test]
fn a_text_can_name_only_entities_of_earlier_steps() {
    let text = "[[step]]\nopen = {}\n\
        [[step]]\nsay = { by = 'visitor', text = '${entity.lantern.oil}' }\n\
        [[step]]\ncreate = { kind = 'lamp', as = 'lantern' }\n\
        [[step]]\nsay = { by = 'visitor', text = '${entity.lantren.oil} ${entity.lantern.wick} ${entity.lantern.shade}' }\n";
    assert_eq!(
        problems(text),
        [
            "4:42 `entity` has no field `lantern`",
            "8:42 `entity` has no field `lantren`",
            "8:72 `entity.lantern` has no field `wick`",
            "8:78 `entity.lantern.shade` can be absent"
        ]
    );
}

#[test]
fn steps_repeat_in_order() {
    let story = "[[step]]\nopen = {}\n\
        [[step]]\nid = 'box'\nsay = { by = 'visitor', text = 'Box ${round}' }\n\
        [[step]]\nsay = { by = 'bot', text = 'Noted' }\nrepeat = { from = 'box', times = 2 }\n\
        [[step]]\nsay = { by = 'visitor', text = 'Pallet ${round}' }\nrepeat = { times = 3 }\n";
    let receiver = Receiver::accepting();
    play(story).at("parlour").to(&receiver);
    let expected = ["Box 1", "Noted", "Box 2", "Noted", "Pallet 1", "Pallet 2", "Pallet 3"];
    assert_eq!(texts_of(&receiver), expected);
    let uids: BTreeSet<String> =
        receiver.events().iter().map(|received| received.json()["uid"].to_string()).collect();
    assert!(uids.len() >= expected.len(), "every round has ids of its own: {uids:?}");
}

#[test]
fn invalid_repeats_are_refused() {
    let text = "[[step]]\nopen = {}\n\
        [[step]]\nid = 'a'\nsay = { by = 'visitor', text = '${fake.nothing}' }\nrepeat = { times = 3 }\n\
        [[step]]\ntyping = { by = 'visitor' }\nrepeat = { times = 0 }\n\
        [[step]]\ntyping = { by = 'visitor' }\nrepeat = { times = 20000 }\n\
        [[step]]\ntyping = { by = 'visitor' }\nrepeat = { from = 'aa', times = 2 }\n\
        [[step]]\ntyping = { by = 'visitor' }\nrepeat = { from = 'a', times = 2 }\n";
    assert_eq!(
        problems(text),
        [
            "5:40 `fake` has no field `nothing`",
            "9:20 `times` must be at least 1, found 0",
            "12:20 the scenario has more than 10000 steps",
            "15:19 no earlier step has the id `aa`",
            "18:19 repetitions cannot be nested"
        ]
    );
}

#[test]
fn read_upto_a_step_ignores_steps_skipped_at_the_vendor() {
    let story = "[cast.grace]\nrole = 'agent'\n[[step]]\nopen = { assignee = 'grace' }\n\
        [[step]]\nonly = ['ebbot']\nsay = { by = 'visitor', text = 'One' }\n\
        [[step]]\nid = 'two'\nsay = { by = 'visitor', text = 'Two' }\n\
        [[step]]\nsay = { by = 'visitor', text = 'Three' }\n\
        [[step]]\nread = { by = 'grace', upto = 'two' }\n\
        [[step]]\nread = { by = 'grace' }\n";
    let receiver = Receiver::accepting();
    play(story).at("parlour").to(&receiver);
    let events = receiver.events().into_iter().map(|received| received.json());
    let read: Vec<Json> = events.filter_map(|mut e| e.get_mut("lines").map(Json::take)).collect();
    assert_eq!(read, [serde_json::json!([1]), serde_json::json!([2])]);
}
