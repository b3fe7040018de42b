//! Revisions: what each changes, read from the receiver's socket, and how to select one.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value as Json;
use standin::record::{RecordKind, RunStarted, Verdict};

use crate::support::{ReceivedRequest, Receiver, Reply, play, standin, standin_in, stderr, stdout};

/// The requests that a scenario sends.
fn requests_of(story: &str, vendor: &str) -> Vec<ReceivedRequest> {
    let receiver = Receiver::accepting();
    play(story).at(vendor).to(&receiver);
    receiver.requests()
}

/// The bodies of the events of a scenario.
fn events_of(story: &str, vendor: &str) -> Vec<Json> {
    let receiver = Receiver::accepting();
    play(story).at(vendor).to(&receiver);
    receiver.events().iter().map(ReceivedRequest::json).collect()
}

/// The first event with this `type.action`.
fn event_named(events: &[Json], name: &str) -> Json {
    let is = |event: &&Json| {
        let word = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        format!("{}.{}", word("type"), word("action")) == name
    };
    events.iter().find(is).unwrap_or_else(|| panic!("no {name} in {events:#?}")).clone()
}

fn keys(json: &Json) -> Vec<&str> {
    json.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The parsed content of `data`, which is a string of JSON.
fn parsed_data(event: &Json) -> Json {
    serde_json::from_str(event["data"].as_str().unwrap()).unwrap()
}

/// The event types that a scenario sends to an endpoint with these subscriptions.
fn sent_types(story: &str, vendor: &str, subscriptions: &[&str]) -> BTreeSet<String> {
    let scenes = play(story).at(vendor).subscribing(subscriptions).step_outputs();
    let payloads = scenes.into_iter().flat_map(|scene| match scene.outcome {
        standin::emulator::StepOutcome::Done { result, .. } => result.payloads,
        _ => Vec::new(),
    });
    payloads.filter(|payload| payload.body.is_some()).map(|payload| payload.event_type).collect()
}

#[test]
fn erxes_wraps_json_text_in_an_envelope() {
    let outside: [(&str, &[&str]); 5] = [
        ("erxes@0.19", &["data", "action", "type"]),
        ("erxes@0.22", &["data", "text", "action", "type"]),
        ("erxes@0.23", &["data", "text", "content", "url", "action", "type"]),
        ("erxes@1.3", &["data", "text", "content", "url", "action", "type"]),
        ("erxes@2", &["data", "text", "content", "url", "action", "type"]),
    ];
    for (vendor, outside) in outside {
        for story in ["handover", "customer"] {
            for event in events_of(story, vendor) {
                assert_eq!(keys(&event), outside, "{story} at {vendor}");
                assert!(parsed_data(&event).is_object());
            }
        }
    }
    assert!(events_of("handover", "erxes").iter().all(|event| event["data"].is_object()));
}

#[test]
fn erxes_describes_the_change_in_text_content_and_url() {
    let said = |vendor: &str, name: &str| {
        let event = event_named(&events_of("customer", vendor), name);
        let part = |key: &str| event[key].as_str().unwrap_or("-").to_owned();
        let id = parsed_data(&event)["object"]["_id"].as_str().unwrap().to_owned();
        [part("text"), part("content"), part("url")].map(|part| part.replace(&id, "ID"))
    };
    let base_url = "https://erxes.example.test";
    assert_eq!(
        said("erxes@0.22", "customer.create")[0],
        format!("<{base_url}/contacts/details/ID|erxes: Customer has been created>")
    );
    assert_eq!(said("erxes@0.22", "customer.delete")[0], "erxes: Customer has been deleted");
    let url = format!("{base_url}/contacts/details/ID");
    let sentence = "Customer has been updated".to_owned();
    assert_eq!(
        said("erxes@0.23", "customer.update"),
        [format!("<{url}|{sentence}>"), sentence, url.clone()]
    );
    assert_eq!(
        said("erxes@0.23", "customer.delete"),
        [String::new(), "Customer has been deleted".into(), url]
    );
    let url = format!("{base_url}/company/details/ID");
    assert_eq!(said("erxes@1.3", "contacts:company.create")[2], url);
    let nowhere = format!("{base_url}undefined");
    assert_eq!(
        said("erxes@2", "core:company.create"),
        [format!("<{nowhere}|>"), String::new(), nowhere]
    );
}

#[test]
fn erxes_subscribes_to_all_combinations_until_0_22() {
    let subscriptions = ["customer.create", "company.delete"];
    let crossed = ["company.create", "company.delete", "customer.create", "customer.delete"];
    let pairs = ["company.delete", "customer.create"];
    for vendor in ["erxes@0.19", "erxes@0.22"] {
        assert_eq!(
            sent_types("customer", vendor, &subscriptions),
            crossed.map(String::from).into(),
            "{vendor}"
        );
    }
    for vendor in ["erxes", "erxes@0.23"] {
        assert_eq!(
            sent_types("customer", vendor, &subscriptions),
            pairs.map(String::from).into(),
            "{vendor}"
        );
    }
    let pairs = ["contacts:company.delete", "contacts:customer.create"];
    assert_eq!(sent_types("customer", "erxes@1.3", &subscriptions), pairs.map(String::from).into());
}

#[test]
fn erxes_sends_no_deleted_articles_since_0_22() {
    let deleted = |vendor: &str| {
        let events = events_of("customer", vendor);
        let is = |event: &&Json| event["action"] == "delete";
        events.iter().filter(is).filter(|e| e["type"].to_string().contains("Article")).count()
    };
    let told = ["0.19", "0.22", "0.23", "0.24", "1.3", "2"].map(|r| deleted(&format!("erxes@{r}")));
    assert_eq!(told, [1, 0, 0, 0, 0, 0]);
    let played = play("customer").at("erxes@1.3").to(&Receiver::accepting());
    let silent = |what: &RecordKind| match what {
        RecordKind::ActionSilent { reason, .. } => reason.contains("needs the category"),
        _ => false,
    };
    assert_eq!(played.count(silent), 1);
}

#[test]
fn erxes_handshake_has_a_text_since_0_22() {
    let ping = |vendor: &str| requests_of("handover", vendor)[0].body.clone();
    let text = "{\"text\":\"You have successfully connected erxes webhook\"}";
    let pings = ["0.19", "0.22", "0.23", "1.3", "2"].map(|r| ping(&format!("erxes@{r}")));
    assert_eq!(pings, ["{}", text, text, text, text]);
}

#[test]
fn erxes_2_sends_node_fetch_headers_and_accepts_any_handshake_response() {
    let names = |vendor: &str| -> Vec<String> {
        let received = requests_of("handover", vendor);
        let lines = received[0].head.lines().skip(1);
        lines.map(|line| line.split(':').next().unwrap().to_owned()).collect()
    };
    let requestify = [
        "User-Agent",
        "Accept",
        "Content-Type",
        "Content-Length",
        "Erxes-token",
        "Host",
        "Connection",
    ];
    assert_eq!(names("erxes@0.19"), requestify);
    assert_eq!(names("erxes@1.3"), requestify);
    let node_fetch = [
        "Erxes-token",
        "Content-Type",
        "Accept",
        "Content-Length",
        "User-Agent",
        "Accept-Encoding",
        "Connection",
        "Host",
    ];
    assert_eq!(names("erxes@2"), node_fetch);

    let wrong = |vendor: &str| {
        let receiver = Receiver::responding(|_, _| Reply::Status(500, "no".into()));
        let played = play("handover").at(vendor).to(&receiver);
        assert_eq!(played.finished.verdict, Verdict::Failed, "{vendor}");
        let answered = |what: &RecordKind| match what {
            RecordKind::HandshakeFinished { error: wrong, .. } => Some(wrong.clone()),
            _ => None,
        };
        played.find(answered).unwrap()
    };
    assert!(wrong("erxes@2").unwrap().contains("this vendor counts it as success"));
    assert!(wrong("erxes@1.3").unwrap().contains("status 500"));
}

#[test]
fn erxes_ids_are_longer_since_2_and_the_token_is_the_same() {
    let lengths = |vendor: &str| {
        let received = requests_of("handover", vendor);
        let token = received[0].header("erxes-token").unwrap();
        let event =
            received.iter().find(|received| received.body.contains("userMessages")).unwrap().json();
        let data = parsed_data(&event);
        let ids = ["_id", "conversationId", "userId"].map(|key| data[key].as_str().unwrap().len());
        (token, BTreeSet::from(ids))
    };
    let token = requests_of("handover", "erxes")[0].header("erxes-token").unwrap();
    for revision in ["0.19", "0.22", "0.23", "1.3"] {
        assert_eq!(
            lengths(&format!("erxes@{revision}")),
            (token.clone(), [17].into()),
            "{revision}"
        );
    }
    assert_eq!(lengths("erxes@2"), (token, [21].into()));
}

#[test]
fn erxes_prefixes_types_with_the_service_since_0_24() {
    for (vendor, name) in [
        ("erxes@0.23", "customer.create"),
        ("erxes@0.24", "contacts:customer.create"),
        ("erxes@1.3", "contacts:customer.create"),
        ("erxes@2", "core:customer.create"),
    ] {
        let event = event_named(&events_of("customer", vendor), name);
        let inside = parsed_data(&event);
        assert_eq!(inside["type"], event["type"], "{vendor}");
        let described = inside.get("description").map(|text| text.as_str().unwrap());
        let expected = match vendor {
            "erxes@0.23" => None,
            "erxes@2" => Some(""),
            _ => Some("\"Ottilie\" has been created"),
        };
        assert_eq!(described, expected, "{vendor}");
        assert_eq!(inside["object"]["emails"][0].is_object(), vendor == "erxes@2");
    }
}

#[test]
fn dragging_an_item_sends_the_move_first() {
    let story = "vendors = ['erxes@0.23', 'erxes@1.3', 'erxes@2']\n\
        [[step]]\ncreate = { kind = 'deal', as = 'felt', with = { name = 'Felt' } }\n\
        [[step]]\nupdate = { entity = 'felt', with = { name = 'Green felt' } }\n\
        [[step]]\nupdate = { entity = 'felt', with = { stage = 'Won' } }\n";
    for (vendor, kind, sentence) in [
        ("erxes@0.23", "deal", "deal has been created"),
        ("erxes@1.3", "cards:deal", "deal with name Green felt has moved from New to Won"),
        ("erxes@2", "sales:deal", "deal with name Green felt has moved from New to Won"),
    ] {
        let events = events_of(story, vendor);
        let actions: Vec<&str> = events.iter().map(|e| e["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["create", "update", "createBoardItemMovementLog", "update"]);
        let moved = &events[2];
        assert_eq!(
            (moved["type"].as_str(), moved["content"].as_str()),
            (Some(kind), Some(sentence))
        );
        let log = parsed_data(moved)["data"]["activityLogContent"].clone();
        assert_eq!(log["text"], "New to Won");
        assert_eq!(log["oldStageId"], parsed_data(&events[0])["object"]["stageId"]);
        assert_eq!(
            log["destinationStageId"],
            parsed_data(&events[3])["updatedDocument"]["stageId"]
        );
        assert_ne!(log["oldStageId"], log["destinationStageId"]);
    }
}

#[test]
fn emit_accepts_the_documented_event_name_at_every_revision() {
    for (vendor, kind) in [("erxes@0.19", "engageMessages"), ("erxes@2", "engages:engageMessages")]
    {
        let event = event_named(&events_of("campaign", vendor), &format!("{kind}.create"));
        assert_eq!(parsed_data(&event)["title"], "Felt week");
        let url = event.get("url").and_then(Json::as_str);
        let edit = "https://erxes.example.test/campaigns/edit/undefined";
        assert_eq!(url, (vendor == "erxes@2").then_some(edit));
    }
}

/// The change notifications with the state of a conversation.
fn states(story: &str, vendor: &str) -> Vec<Json> {
    let events = events_of(story, vendor).into_iter();
    events.filter(|e| e["type"] == "cqm.ExConversationChangeNotification").collect()
}

fn change(event: &Json) -> &Json {
    &event["body"]["changes"][0]
}

#[test]
fn liveperson_sends_the_whole_conversation_since_2019() {
    for (vendor, body) in [
        ("liveperson", vec!["changes"]),
        ("liveperson@2019", vec!["subscriptionId", "changes"]),
        ("liveperson@2022", vec!["sentTs", "changes"]),
    ] {
        let states = states("handover", vendor);
        assert_eq!(keys(&states[0]["body"]), body, "{vendor}");
        let result = &change(&states[0])["result"];
        if vendor == "liveperson" {
            assert_eq!(keys(result), ["convId", "conversationDetails"]);
            continue;
        }
        assert_eq!(keys(result), ["convId", "effectiveTTR", "conversationDetails"]);
        let details = &result["conversationDetails"];
        let expected = [
            "skillId",
            "participants",
            "dialogs",
            "brandId",
            "state",
            "stage",
            "startTs",
            "metaDataLastUpdateTs",
            "ttr",
            "conversationHandlerDetails",
        ];
        assert_eq!(keys(details), expected, "{vendor}");
        let started = details["startTs"].as_i64().unwrap();
        assert_eq!(result["effectiveTTR"], started + 600_000);
        let app = details["dialogs"][0]["metaData"]["appInstallId"].is_string();
        assert_eq!(app, vendor == "liveperson@2022");

        let last = &change(states.last().unwrap())["result"];
        assert_eq!(last["effectiveTTR"], -1);
        let details = &last["conversationDetails"];
        assert_eq!((details["stage"].as_str(), details["endTs"].as_i64()), (Some("CLOSE"), None));
        let dialog = &details["dialogs"][0];
        assert_eq!(
            (dialog["state"].as_str(), dialog["closedBy"].as_str()),
            (Some("CLOSE"), Some("AGENT"))
        );
        assert_eq!(dialog["endTs"], details["metaDataLastUpdateTs"]);
    }
    let subscriptions: Vec<Json> = states("handover", "liveperson@2019")
        .iter()
        .map(|s| s["body"]["subscriptionId"].clone())
        .collect();
    assert_ne!(subscriptions[0], subscriptions[1], "each notification has another");
}

#[test]
fn liveperson_messages_name_the_conversation_since_2019_and_the_audience_since_2022() {
    for (vendor, behind) in [
        ("liveperson", vec!["dialogId"]),
        ("liveperson@2019", vec!["conversationId", "dialogId"]),
        ("liveperson@2022", vec!["conversationId", "dialogId", "messageAudience"]),
    ] {
        for event in events_of("handover", vendor)
            .iter()
            .filter(|e| e["type"] == "ms.MessagingEventNotification")
        {
            let keys = keys(change(event));
            let base_url = keys.iter().position(|key| *key == "event").unwrap();
            assert_eq!(keys[base_url + 1..], behind, "{vendor}");
        }
    }
}

#[test]
fn liveperson_shows_the_suggested_agent_and_the_queue() {
    let states = states("transfer", "liveperson@2022");
    let part = |state: &Json, pointer: &str| change(state).pointer(pointer).cloned().unwrap();
    let people = "/result/conversationDetails/dialogs/0/participantsDetails";
    let suggested = |state: &&Json| part(state, people).to_string().contains("\"SUGGESTED\"");
    assert!(states.iter().any(|state| suggested(&state)));
    assert!(!suggested(&states.last().unwrap()), "whoever accepted takes part");
    let skills: BTreeSet<String> =
        states.iter().map(|s| part(s, "/result/conversationDetails/skillId").to_string()).collect();
    assert_eq!(skills.len(), 2, "another queue has another skill: {skills:?}");
    for state in &states {
        let handled = part(state, "/result/conversationDetails/conversationHandlerDetails/skillId");
        assert_eq!(handled, part(state, "/result/conversationDetails/skillId"));
    }
}

#[test]
fn liveperson_sends_notes_since_2022() {
    let notes = |vendor: &str| -> Vec<Json> {
        let events = events_of("backstage", vendor);
        let is = |e: &&Json| change(e)["messageAudience"] == "AGENTS_AND_MANAGERS";
        events.iter().filter(is).cloned().collect()
    };
    assert!(notes("liveperson").is_empty() && notes("liveperson@2019").is_empty());
    let notes = notes("liveperson@2022");
    assert!(!notes.is_empty());
    assert!(notes.iter().all(|note| change(note)["sequence"].is_i64()));
}

#[test]
fn a_revision_is_selected_by_flag_configuration_or_scenario() {
    let receiver = Receiver::accepting();
    let url = receiver.url();
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut all = vec!["run", "--to", &url, "--json"];
        all.extend(arguments);
        let output = standin_in(folder.path(), &all);
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        let first: Json = serde_json::from_str(stdout(&output).lines().next().unwrap()).unwrap();
        first["data"]["vendor"].as_str().unwrap().to_owned()
    };
    assert_eq!(run(&["handover", "--vendor", "erxes@0.23"]), "erxes@0.23");
    let story = "vendors = ['erxes@1.3']\n[[step]]\nopen = {}\n\
                 [[step]]\nsay = { by = 'visitor', text = 'Hello' }\n";
    fs::write(folder.path().join("story.toml"), story).unwrap();
    assert_eq!(run(&["story.toml"]), "erxes@1.3");
    fs::write(folder.path().join("standin.toml"), "[vendor.erxes]\nrevision = '0.22'\n").unwrap();
    assert_eq!(run(&["handover", "--vendor", "erxes"]), "erxes@0.22");
    assert_eq!(run(&["handover", "--vendor", "erxes@docs"]), "erxes");
}

#[test]
fn a_scenario_limited_to_revisions_is_skipped_at_others() {
    let receiver = Receiver::accepting();
    let output =
        standin(&["run", "pipeline", "handover", "--vendor", "erxes", "--to", &receiver.url()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = format!("{}{}", stdout(&output), stderr(&output));
    assert!(told.contains("scenario `pipeline` cannot run at"), "{told}");
    let output = standin(&["run", "pipeline", "--to", &receiver.url()]);
    assert!(
        stderr(&output).contains("`erxes@0.23`, `erxes@0.24`, `erxes@1.3` or `erxes@2`"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_scenario_for_several_revisions_runs_at_one_that_lacks_something() {
    let receiver = Receiver::accepting();
    // Purchases exist since 1.3.
    for vendor in ["erxes@0.23", "erxes@1.3"] {
        let output = standin(&["run", "pipeline", "--vendor", vendor, "--to", &receiver.url()]);
        assert_eq!(output.status.code(), Some(0), "{vendor}: {}", stderr(&output));
        let skipped = stdout(&output).contains("skipped");
        assert_eq!(skipped, vendor == "erxes@0.23", "{}", stdout(&output));
    }
}

#[test]
fn a_run_at_a_revision_that_differs_names_the_matching_one() {
    for (vendor, instead) in [("erxes", "`erxes@2`"), ("liveperson", "`liveperson@2022`")] {
        let receiver = Receiver::accepting();
        let output = standin(&["run", "handover", "--vendor", vendor, "--to", &receiver.url()]);
        let told = stdout(&output);
        let note = told.lines().find(|line| line.starts_with("note: ")).unwrap();
        assert!(note.contains(instead), "{note}");
        let output = standin(&["demo", &format!("{vendor}@docs"), "--speed", "1000"]);
        assert!(stdout(&output).contains(note), "{}", stdout(&output));
        let shown = stdout(&standin(&["vendors", vendor]));
        assert!(shown.contains(note), "{shown}");
    }
    let started = |what: &RecordKind| match what {
        RecordKind::RunStarted(RunStarted { differs, .. }) => Some(differs.clone()),
        _ => None,
    };
    for vendor in ["erxes@0.19", "erxes@2", "liveperson@2022"] {
        let played = play("handover").at(vendor).to(&Receiver::accepting());
        assert_eq!(played.find(started).unwrap(), None, "{vendor}");
    }
}

#[test]
fn vendors_lists_revisions_and_describes_one() {
    let told = stdout(&standin(&["vendors"]));
    let line = told.lines().find(|line| line.starts_with("erxes ")).unwrap();
    assert!(line.ends_with("docs, 0.19, 0.22, 0.23, 0.24, 1.3, 2"), "{line}");
    let told = stdout(&standin(&["vendors", "erxes@2", "deal.delete"]));
    assert!(told.contains("\"type\": \"sales:deal\""), "{told}");
    let told = stdout(&standin(&["vendors", "erxes@0.22", "--fidelity"]));
    assert!(told.starts_with("erxes (erxes@0.22)\n  no documented samples"), "{told}");
    assert!(told.contains("since 0.22.0; 0.21 still sends `{}`"), "{told}");
}

#[test]
fn a_revision_can_cross_subscriptions_rename_events_and_end_silence() {
    let story = "[[step]]\nopen = {}\n\
        [[step]]\ncreate = { kind = 'lamp', as = 'lantern', with = { owner = 'Ada' } }\n\
        [[step]]\nupdate = { entity = 'lantern', with = { shade = 'green' } }\n\
        [[step]]\nupdate = { entity = 'lantern', with = { oil = 9, owner = 'Eve' } }\n\
        [[step]]\nupdate = { entity = 'lantern', with = { oil = 8 } }\n\
        [[step]]\ndelete = { entity = 'lantern' }\n";
    let whats = |vendor: &str| -> Vec<String> {
        let events = events_of(story, vendor);
        events.iter().map(|event| event["what"].as_str().unwrap().to_owned()).collect()
    };
    let rest = [
        "curio:thing.changed",
        "curio:thing.changed",
        "lamp.filled",
        "curio:thing.changed",
        "lamp.filled",
    ];
    assert_eq!(whats("parlour@1901")[1..], [&["curio:thing.made"], &rest[..]].concat());
    assert_eq!(whats("parlour@1920")[1..], [&["parlour.thing"], &rest[..]].concat());
    let filled: Vec<Json> = events_of(story, "parlour@1901")
        .into_iter()
        .filter(|e| e["what"] == "lamp.filled")
        .collect();
    assert_eq!(filled[0]["deed"], "filled");
    assert_eq!((&filled[0]["kind"], &filled[0]["whole"]), (&"lamp".into(), &"lamp.filled".into()));
    assert!(filled[0]["shelf"].as_str().unwrap().starts_with("shelf "));
    assert_eq!(filled[0]["shelf"], filled[1]["shelf"], "the same whenever it occurs");

    let played = play(story).at("parlour@1901").to(&Receiver::accepting());
    let silent = |what: &RecordKind| match what {
        RecordKind::ActionSilent { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    assert_eq!(played.find(silent).unwrap(), "a lamp goes out by itself");

    let crossed = ["curio:thing.changed", "curio:thing.made"].map(String::from);
    assert_eq!(
        sent_types(story, "parlour@1901", &["thing.made", "curio:thing.changed"]),
        crossed.clone().into()
    );
    assert_eq!(sent_types(story, "parlour@1901", &["thing.changed"]), [crossed[0].clone()].into());
}
