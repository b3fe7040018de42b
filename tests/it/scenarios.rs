//! The bundled scenarios: each is worth telling, plays green, and tells what its name says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value as Json;
use standin::conversation::Action;
use standin::diag::Source;
use standin::record::{RecordKind, Verdict};
use standin::scenario::{self, StepOutcome, bundled_names};

use crate::support::{Came, Receiver, holds, path, play, revisions, vendors};

/// What is wrong with a scenario, for every vendor there is.
fn problems(text: &str) -> Vec<String> {
    let draft = scenario::read(&Source::new("test.toml", text));
    let checked = draft.and_then(|draft| scenario::check(draft, &vendors(), &[]));
    let told = |problem: standin::diag::Problem| {
        let span = problem.span.unwrap().short();
        format!("{} {}", span.strip_prefix("test.toml:").unwrap(), problem.message)
    };
    checked.unwrap_err().sorted().into_iter().map(told).collect()
}

/// Everything that was said at the invented vendor.
fn said(receiver: &Receiver) -> Vec<String> {
    let words = |event: Json| event["said"].as_str().map(str::to_owned);
    receiver.events().iter().map(Came::json).filter_map(words).collect()
}

#[test]
fn every_bundled_scenario_plays_green_at_every_vendor() {
    assert!(bundled_names().len() >= 12);
    for name in bundled_names() {
        for vendor in vendors() {
            let playing = play(&name).at(&vendor.id);
            if !playing.can_be() {
                continue;
            }
            let receiver = Receiver::agreeing();
            let played = playing.to(&receiver);
            let finished = played.finished;
            assert_eq!(finished.verdict, Verdict::Passed, "{name} at {}: {finished:?}", vendor.id);
        }
    }
}

/// Without sockets: what differs on the wire is seen in `revisions`.
#[test]
fn every_bundled_scenario_can_be_told_at_every_revision() {
    let mut tellable = BTreeSet::new();
    for name in bundled_names() {
        for vendor in revisions().iter().map(|vendor| vendor.full_id()) {
            if !play(&name).at(&vendor).can_be() {
                continue;
            }
            let mut told = 0;
            for scene in play(&name).at(&vendor).subscribing(&["*"]).scenes() {
                match scene.outcome {
                    StepOutcome::Done { happened, .. } => told += happened.payloads.len(),
                    StepOutcome::Dropped { reason, .. } => panic!("{name} at {vendor}: {reason}"),
                    StepOutcome::Skipped { .. } => {}
                }
            }
            let silent = (name.as_str(), vendor.as_str()) == ("form", "erxes@2"); // no forms there
            assert_eq!(told == 0, silent, "{name} at {vendor}");
            tellable.insert(vendor);
        }
    }
    assert_eq!(tellable.len(), revisions().len());
}

/// What a whole list of things lacks of another.
fn lacking<'a>(all: impl Iterator<Item = &'a str>, some: &BTreeSet<String>) -> Vec<&'a str> {
    all.filter(|one| !some.contains(*one)).collect()
}

#[test]
fn together_they_send_every_type_and_say_every_kind_of_every_vendor() {
    for vendor in revisions().iter().filter(|vendor| vendor.id != "parlour") {
        let id = &vendor.full_id();
        let (mut sent, mut said, mut about) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for name in bundled_names().iter().filter(|name| play(name).at(id).can_be()) {
            for scene in play(name).at(id).subscribing(&["*"]).scenes() {
                let StepOutcome::Done { action, happened, .. } = scene.outcome else { continue };
                sent.extend(happened.payloads.into_iter().map(|payload| payload.event_type));
                match action {
                    Action::Say { kind, .. } => said.insert(kind),
                    Action::Create { kind, .. } => about.insert(kind),
                    _ => false,
                };
            }
        }
        let kinds = vendor.kinds.keys().map(String::as_str);
        let entities = vendor.entities.keys().map(String::as_str);
        assert_eq!(lacking(vendor.event_types().into_iter(), &sent), [""; 0], "types of {id}");
        assert_eq!(lacking(kinds, &said), [""; 0], "kinds of {id}");
        assert_eq!(lacking(entities, &about), [""; 0], "entities of {id}");
    }
}

#[test]
fn each_begins_with_what_it_shows_and_what_a_receiver_should_do() {
    for name in bundled_names() {
        let text = &scenario::bundled(&name).unwrap().text;
        let header: String =
            text.lines().take_while(|line| line.starts_with('#')).collect::<Vec<_>>().join(" ");
        assert!(header.contains("receiver"), "{name}: {header}");
        assert!(text.contains("\nname") && text.contains("\nabout"), "{name}");
    }
}

#[test]
fn the_documentation_lists_them() {
    let mut table = "| name | what happens | what it is good for |\n|---|---|---|\n".to_owned();
    for name in bundled_names() {
        let form = scenario::read(&scenario::bundled(&name).unwrap()).unwrap().form;
        let (told, about) = (form.name.unwrap().value, form.about.unwrap().value);
        table += &format!("| `{name}` | {told} | {about} |\n");
    }
    holds("docs/scenarios.md", "<!-- the stories; a test writes them -->\n", &table);
}

/// Every key that a schema knows, and every kind of message. Their data is `standin vendors`' to tell.
fn keys<'a>(schema: &'a Json, found: &mut BTreeSet<&'a str>) {
    match schema {
        Json::Object(table) => {
            let own = schema["properties"].as_object().into_iter().flatten();
            let is_data = |schema: &Json| {
                schema["description"].as_str().is_some_and(|about| about.starts_with("Data of: "))
            };
            let own = own.filter(|(_, schema)| !is_data(schema));
            found.extend(own.map(|(key, _)| key.as_str()));
            let kinds = schema["kind"]["anyOf"][0]["enum"].as_array().into_iter().flatten();
            found.extend(kinds.filter_map(Json::as_str));
            table.values().for_each(|part| keys(part, found));
        }
        Json::Array(parts) => parts.iter().for_each(|part| keys(part, found)),
        _ => {}
    }
}

#[test]
fn the_documentation_has_every_key_and_kind() {
    let schema = fs::read_to_string(path("schemas/scenario.json")).unwrap();
    let schema: Json = serde_json::from_str(&schema).unwrap();
    let told = fs::read_to_string(path("docs/scenarios.md")).unwrap();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let told: BTreeSet<&str> = told.split(|c| !is_word(c)).collect();
    let mut known = BTreeSet::new();
    keys(&schema, &mut known);
    assert!(known.len() > 60, "{known:?}");
    let untold: Vec<&&str> = known.iter().filter(|key| !told.contains(**key)).collect();
    assert_eq!(untold, [&""; 0]);
}

#[test]
fn no_two_scenarios_send_the_same() {
    for vendor in vendors() {
        let mut seen: BTreeMap<Vec<String>, String> = BTreeMap::new();
        for name in bundled_names().iter().filter(|name| play(name).at(&vendor.id).can_be()) {
            let mut sent = Vec::new();
            for scene in play(name).at(&vendor.id).scenes() {
                let StepOutcome::Done { happened, .. } = scene.outcome else { continue };
                let payloads = happened.payloads.into_iter().filter(|p| p.body.is_some());
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
fn texts_name_what_was_created() {
    let story = "[[step]]\nopen = {}\n\
        [[step]]\ncreate = { kind = 'lamp', as = 'lantern', with = { oil = 3 } }\n\
        [[step]]\nsay = { by = 'visitor', text = 'Is ${entity.lantern.oil} drops enough?' }\n\
        [[step]]\nupdate = { entity = 'lantern', with = { oil = 9 } }\n\
        [[step]]\nsay = { by = 'visitor', text = 'Or ${entity.lantern.oil} for ${entity.lantern.uid}?' }\n";
    let receiver = Receiver::agreeing();
    play(story).at("parlour").to(&receiver);
    let events: Vec<Json> = receiver.events().iter().map(Came::json).collect();
    let made = events.iter().find(|event| event["what"] == "thing.made").unwrap();
    let uid = made["thing"].as_str().unwrap_or_else(|| panic!("{made}"));
    let last = format!("Or 9 for {uid}?");
    assert_eq!(said(&receiver), ["Is 3 drops enough?", &last]);

    let elsewhere = Receiver::agreeing();
    let played = play(story).at("ebbot").to(&elsewhere);
    let skipped = |what: &RecordKind| match what {
        RecordKind::ActionSkipped { action, reason } if action == "say" => Some(reason.clone()),
        _ => None,
    };
    let reason = played.find(skipped).unwrap();
    assert_eq!(reason, "it names `lantern`, which was not created there");
}

#[test]
fn a_text_names_only_what_an_earlier_step_created() {
    let text = "[[step]]\nopen = {}\n\
        [[step]]\nsay = { by = 'visitor', text = '${entity.lantern.oil}' }\n\
        [[step]]\ncreate = { kind = 'lamp', as = 'lantern' }\n\
        [[step]]\nsay = { by = 'visitor', text = '${entity.lantren.oil} ${entity.lantern.wick} ${entity.lantern.shade}' }\n";
    assert_eq!(
        problems(text),
        [
            "4:42 `entity` has no `lantern`",
            "8:42 `entity` has no `lantren`",
            "8:72 `entity.lantern` has no `wick`",
            "8:78 `entity.lantern.shade` is not always there"
        ]
    );
}

#[test]
fn steps_happen_in_rounds() {
    let story = "[[step]]\nopen = {}\n\
        [[step]]\nid = 'box'\nsay = { by = 'visitor', text = 'Box ${round}' }\n\
        [[step]]\nsay = { by = 'bot', text = 'Noted' }\nrepeat = { from = 'box', times = 2 }\n\
        [[step]]\nsay = { by = 'visitor', text = 'Pallet ${round}' }\nrepeat = { times = 3 }\n";
    let receiver = Receiver::agreeing();
    play(story).at("parlour").to(&receiver);
    let expected = ["Box 1", "Noted", "Box 2", "Noted", "Pallet 1", "Pallet 2", "Pallet 3"];
    assert_eq!(said(&receiver), expected);
    let uids: BTreeSet<String> =
        receiver.events().iter().map(|came| came.json()["uid"].to_string()).collect();
    assert!(uids.len() >= expected.len(), "every round has ids of its own: {uids:?}");
}

#[test]
fn rounds_that_make_no_sense_are_refused() {
    let text = "[[step]]\nopen = {}\n\
        [[step]]\nid = 'a'\nsay = { by = 'visitor', text = '${fake.nothing}' }\nrepeat = { times = 3 }\n\
        [[step]]\ntyping = { by = 'visitor' }\nrepeat = { times = 0 }\n\
        [[step]]\ntyping = { by = 'visitor' }\nrepeat = { times = 20000 }\n\
        [[step]]\ntyping = { by = 'visitor' }\nrepeat = { from = 'aa', times = 2 }\n\
        [[step]]\ntyping = { by = 'visitor' }\nrepeat = { from = 'a', times = 2 }\n";
    assert_eq!(
        problems(text),
        [
            "5:40 `fake` has no `nothing`",
            "9:20 0 rounds are none",
            "12:20 more than 10000 steps",
            "15:19 no step up to here has the id `aa`",
            "18:19 rounds within rounds"
        ]
    );
}

#[test]
fn reading_goes_up_to_a_step_whatever_the_vendor_leaves_out() {
    let story = "[cast.grace]\nrole = 'agent'\n[[step]]\nopen = { assignee = 'grace' }\n\
        [[step]]\nonly = ['ebbot']\nsay = { by = 'visitor', text = 'One' }\n\
        [[step]]\nid = 'two'\nsay = { by = 'visitor', text = 'Two' }\n\
        [[step]]\nsay = { by = 'visitor', text = 'Three' }\n\
        [[step]]\nread = { by = 'grace', upto = 'two' }\n\
        [[step]]\nread = { by = 'grace' }\n";
    let receiver = Receiver::agreeing();
    play(story).at("parlour").to(&receiver);
    let events = receiver.events().into_iter().map(|came| came.json());
    let read: Vec<Json> = events.filter_map(|mut e| e.get_mut("lines").map(Json::take)).collect();
    assert_eq!(read, [serde_json::json!([1]), serde_json::json!([2])]);
}
