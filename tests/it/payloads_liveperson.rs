//! Payloads of the vendor `liveperson`: participants, timeouts, and everything that the documentation names.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};
use standin::emulator::StepOutcome;
use standin::record::Verdict;
use standin::scenario::bundled_names;

use crate::support::{Receiver, Reply, play, standin, stderr, stdout, vendors};

const REVISIONS: [&str; 3] = ["liveperson", "liveperson@2019", "liveperson@2022"];

/// The bodies that a scenario sends to an endpoint that subscribes to everything.
fn bodies(scenario: &str, vendor: &str) -> Vec<Json> {
    let mut bodies = Vec::new();
    for output in play(scenario).at(vendor).subscribing(&["*"]).step_outputs() {
        match output.outcome {
            StepOutcome::Done { result, .. } => {
                bodies.extend(result.payloads.into_iter().filter_map(|payload| payload.body));
            }
            StepOutcome::Dropped { reason, .. } => panic!("dropped: {reason}"),
            StepOutcome::Skipped { .. } | StepOutcome::Expected(_) => {}
        }
    }
    bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect()
}

/// The first changes of the bodies of a scenario with an agent called Mara.
fn changes(steps: &str, vendor: &str) -> Vec<Json> {
    let scenario = format!(
        "[cast.mara]\nrole = 'agent'\n[[step]]\nopen = {{}}\n[[step]]\nassign = {{ to = 'mara' }}\n{steps}"
    );
    bodies(&scenario, vendor).iter().map(|body| body["body"]["changes"][0].clone()).collect()
}

/// The last change of a scenario with these actions.
fn last_change(actions: &[&str], vendor: &str) -> Json {
    let steps: Vec<String> = actions.iter().map(|action| format!("[[step]]\n{action}\n")).collect();
    changes(&steps.concat(), vendor).pop().unwrap()
}

fn keys(json: &Json) -> Vec<&str> {
    json.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn an_attempt_ends_after_five_seconds() {
    let vendor = vendors().into_iter().find(|vendor| vendor.id == "liveperson").unwrap();
    assert_eq!([vendor.policy.connect, vendor.policy.total].map(|limit| limit.as_secs()), [5, 5]);
}

#[test]
fn a_slow_response_passes_with_a_note() {
    let sent = |delay: u64| {
        let receiver = Receiver::responding_to_events(move |_, _| {
            Reply::good().after(Duration::from_millis(delay))
        });
        let event = "ms.MessagingEventNotification.ChatStateEvent";
        let output = standin(&["send", "liveperson", event, "--to", &receiver.url()]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let note = "note: 1 response took longer than 2.5 s: LivePerson may disable an app";
    assert!(sent(2_700).contains(note));
    assert!(!sent(0).contains("took longer"));
}

#[test]
fn the_originator_of_an_event_is_a_participant() {
    for vendor in REVISIONS {
        for name in bundled_names().iter().filter(|name| play(name).at(vendor).is_playable()) {
            // By conversation, whose id is that of its main dialog too. The dialog of a survey has
            // another id; the conversation is the last one then.
            let mut all: BTreeMap<String, Json> = BTreeMap::new();
            let mut last = Json::Null;
            for body in bodies(name, vendor) {
                let change = &body["body"]["changes"][0];
                let known = &change["result"]["conversationDetails"]["participants"];
                if known.is_array() {
                    all.insert(change["result"]["convId"].to_string(), known.clone());
                    last = known.clone();
                } else {
                    let sender = &change["originatorMetadata"];
                    let dialog = change["dialogId"].to_string();
                    let participants = all.get(&dialog).unwrap_or(&last);
                    let is_known = participants.as_array().unwrap().contains(sender);
                    assert!(is_known, "{name} at {vendor}: {sender} is not in {participants}");
                }
            }
        }
    }
}

#[test]
fn a_bot_and_the_controller_join_before_they_speak() {
    for vendor in REVISIONS {
        for (actor, role) in [("bot", "AGENT"), ("system", "CONTROLLER")] {
            let scenario =
                format!("[[step]]\nopen = {{}}\n[[step]]\nsay = {{ by = '{actor}', text = 'Hi' }}");
            let bodies = bodies(&scenario, vendor);
            let change = |index: usize| &bodies[index]["body"]["changes"][0];
            let joined = &change(1)["result"]["conversationDetails"]["participants"];
            let has_role = |person: &Json| person["role"] == role;
            assert!(joined.as_array().unwrap().iter().any(has_role), "{vendor}: {joined}");
            assert_eq!(change(2)["originatorMetadata"]["role"], role);
        }
    }
}

#[test]
fn every_chat_state_can_be_sent() {
    let event = "ms.MessagingEventNotification.ChatStateEvent";
    for vendor in REVISIONS {
        for state in ["PAUSE", "INACTIVE", "GONE", "ACTIVE"] {
            let emit = format!(
                "emit = {{ type = '{event}', by = 'visitor', data = {{ chatState = '{state}' }} }}"
            );
            let change = last_change(&[&emit], vendor);
            assert_eq!(change["event"], json!({"type": "ChatStateEvent", "chatState": state}));
            assert_eq!(change["originatorMetadata"]["role"], "CONSUMER");
            assert!(change["sequence"].is_null());
        }
    }
}

#[test]
fn every_accept_status_can_be_sent() {
    let event = "ms.MessagingEventNotification.AcceptStatusEvent";
    let say = "say = { by = 'mara', text = 'Here it is' }";
    for vendor in REVISIONS {
        for status in ["NACK", "ACCESS", "ACTION", "VIEWED"] {
            let emit = format!("emit = {{ type = '{event}', data = {{ status = '{status}' }} }}");
            let change = last_change(&[say, &emit], vendor);
            assert_eq!(change["event"]["status"], status);
            assert_eq!(change["event"]["sequenceList"], json!([0]));
            assert_eq!(change["sequence"], 1);
            assert_eq!(change["originatorMetadata"]["role"], "ASSIGNED_AGENT");
        }
        // Staff accepts what the visitor has said, not its own message.
        let ask = "say = { by = 'visitor', text = 'And this?' }";
        let emit = format!("emit = {{ type = '{event}', data = {{ status = 'READ' }} }}");
        let change = last_change(&[say, ask, say, &emit], vendor);
        assert_eq!(change["event"]["sequenceList"], json!([1]), "{vendor}: {change}");
        let emit = format!(
            "emit = {{ type = '{event}', by = 'visitor', data = {{ status = 'ACTION', sequenceList = [0, 1], \
             metadata = [{{ type = 'ExternalId', id = 'card-1' }}] }} }}"
        );
        let change = last_change(&[say, say, &emit], vendor);
        assert_eq!(change["event"]["sequenceList"], json!([0, 1]));
        assert_eq!(change["metadata"], json!([{"type": "ExternalId", "id": "card-1"}]));
    }
}

#[test]
fn messages_have_quick_replies_and_metadata() {
    let extra = "quick_replies = ['Yes', 'No'], metadata = [{ type = 'ExternalId', id = 'q-7' }]";
    for vendor in REVISIONS {
        for kind in ["text", "buttons", "carousel", "image", "document", "external_file"] {
            let say = format!("say = {{ by = 'mara', kind = '{kind}', text = 'Is it?', {extra} }}");
            let change = last_change(&[&say], vendor);
            let replies = &change["event"]["quickReplies"];
            assert_eq!(keys(replies), ["type", "itemsPerRow", "replies"], "{kind}");
            assert_eq!(replies["replies"][1]["title"], "No");
            assert_eq!(
                replies["replies"][1]["click"]["actions"],
                json!([{"type": "publishText", "text": "No"}])
            );
            assert_eq!(change["metadata"], json!([{"type": "ExternalId", "id": "q-7"}]));
        }
        let plain = last_change(&["say = { by = 'mara', text = 'Hi' }"], vendor);
        assert!(plain["event"]["quickReplies"].is_null() && plain["metadata"].is_null());
    }
    let say = format!("say = {{ by = 'mara', text = 'Is it?', {extra} }}");
    let change = last_change(&[&say], "liveperson@2022");
    assert_eq!(
        keys(&change)[4..],
        ["event", "conversationId", "dialogId", "metadata", "messageAudience"]
    );
}

#[test]
fn a_secure_form_is_submitted_with_the_id_of_its_invitation() {
    let invite = "say = { by = 'mara', kind = 'secure_form', title = 'Card', form_number = 2 }";
    let submit = "say = { by = 'visitor', kind = 'secure_form_response', form_number = 2 }";
    for vendor in REVISIONS {
        let invited = last_change(&[invite], vendor)["event"].clone();
        assert_eq!(invited["contentType"], "forms/secure-invitation");
        assert_eq!(keys(&invited["message"]), ["invitationId", "title"]);
        let steps = format!("[[step]]\n{invite}\n[[step]]\n{submit}\n");
        let events = changes(&steps, vendor);
        let form = |word: &str| {
            let is = |change: &&Json| change["event"]["contentType"] == word;
            events.iter().find(is).unwrap()["event"]["message"].clone()
        };
        let (invited, submitted) =
            (form("forms/secure-invitation"), form("forms/secure-submission"));
        let alone = ["send", vendor, "ms.MessagingEventNotification.ContentEvent"];
        let kind = ["--kind", "secure_form_response", "--dry-run", "-v"];
        let told = stdout(&standin(&[&alone[..], &kind].concat()));
        assert!(told.contains("CONSUMER"), "the visitor submits it: {told}");
        assert_eq!(keys(&submitted), ["invitationId", "submissionId"]);
        assert_eq!(submitted["invitationId"], invited["invitationId"]);
        assert!(invited["invitationId"].as_str().unwrap().ends_with("-2"));
    }
}

#[test]
fn hosted_files_have_a_date_and_images_a_preview() {
    for vendor in REVISIONS {
        let image = &last_change(&["say = { by = 'mara', kind = 'image' }"], vendor)["event"];
        let message = &image["message"];
        assert_eq!(keys(message), ["caption", "relativePath", "fileType", "preview"]);
        assert!(message["preview"].as_str().unwrap().starts_with("data:image/png;base64,"));
        let path = message["relativePath"].as_str().unwrap();
        let date = path.rsplit_once("_05-01-2026_09-00-").map(|(_, rest)| rest).unwrap();
        assert!(date.len() == "00-000.PNG".len() && &date[6..] == ".PNG", "{path}");
        let file = &last_change(&["say = { by = 'mara', kind = 'document' }"], vendor)["event"];
        assert_eq!(keys(&file["message"]), ["caption", "relativePath", "fileType"]);
    }
}

#[test]
fn a_rating_is_in_the_conversation() {
    for vendor in REVISIONS {
        let rate = ["close = { by = 'mara' }", "rate = { score = 4 }"];
        let details = &last_change(&rate, vendor)["result"]["conversationDetails"];
        let csat = json!({
            "field": "CSATRate", "csatRate": 4, "csatResolutionConfirmation": true, "status": "FILLED",
        });
        assert_eq!(details["csat"], csat, "{vendor}");
    }
}

#[test]
fn changed_fields_of_a_conversation_are_kept() {
    let event = "cqm.ExConversationChangeNotification";
    let fields = |vendor: &str| {
        // Only notifications with the whole state of a conversation have a cause.
        let cause = if vendor == "liveperson" { "" } else { ", closedCause = 'Completed'" };
        format!(
            "emit = {{ type = '{event}', by = 'mara', data = {{ ttr = {{ ttrType = 'URGENT', value = 300 }}, \
             delay = {{ type = 'NIGHT', tillWhen = 1767650400000 }}, manualETTR = 1767650500000{cause} }} }}"
        )
    };
    let say = "say = { by = 'visitor', text = 'Hello?' }";
    for vendor in REVISIONS {
        let change = fields(vendor);
        let changed = last_change(&[say, &change], vendor);
        assert_eq!(changed["type"], "UPSERT");
        let details = |change: &Json| change["result"]["conversationDetails"].clone();
        let before = last_change(&[], vendor);
        assert!(details(&before)["delay"].is_null() && details(&before)["manualETTR"].is_null());
        let updated = |change: &Json| details(change)["metaDataLastUpdateTs"].as_i64().unwrap();
        assert!(updated(&changed) > updated(&before));
        let closed = last_change(&[say, &change, "close = { by = 'mara' }"], vendor);
        for change in [&changed, &closed] {
            let details = details(change);
            assert_eq!(details["ttr"], json!({"ttrType": "URGENT", "value": 300}));
            assert_eq!(
                details["delay"],
                json!({"type": "NIGHT", "tillWhen": 1_767_650_400_000_i64})
            );
            assert_eq!(details["manualETTR"], 1_767_650_500_000_i64);
        }
        if vendor != "liveperson" {
            assert_eq!(changed["result"]["effectiveTTR"], 1_767_650_500_000_i64);
            assert_eq!(closed["result"]["effectiveTTR"], -1);
            assert_eq!(details(&closed)["dialogs"][0]["closedCause"], "Completed");
            assert!(details(&changed)["dialogs"][0]["closedCause"].is_null());
        }
    }
    let delete = format!("emit = {{ type = '{event}', data = {{ change = 'DELETE' }} }}");
    assert_eq!(last_change(&[&delete], "liveperson@2022")["type"], "DELETE");
}

#[test]
fn several_changes_are_sent_in_one_body() {
    let event = "ms.MessagingEventNotification.ContentEvent";
    let scenario = format!(
        "[cast.mara]\nrole = 'agent'\n[[step]]\nopen = {{}}\n[[step]]\nassign = {{ to = 'mara' }}\n\
         [[step]]\nsay = {{ by = 'mara', text = 'One' }}\n[[step]]\nsay = {{ by = 'mara', kind = 'buttons', text = 'Two' }}\n\
         [[step]]\nsay = {{ by = 'mara', text = 'Three' }}\n\
         [[step]]\nemit = {{ type = '{event}', data = {{ replay = true }} }}\n\
         [[step]]\nsay = {{ by = 'mara', text = 'Four' }}"
    );
    for vendor in REVISIONS {
        let bodies = bodies(&scenario, vendor);
        let [.., replay, last] = bodies.as_slice() else { panic!() };
        let changes = replay["body"]["changes"].as_array().unwrap();
        let said: Vec<_> = changes
            .iter()
            .map(|change| (change["sequence"].as_i64(), change["event"]["message"].as_str()))
            .collect();
        assert_eq!(said, [(Some(0), Some("One")), (Some(2), Some("Three"))]);
        assert_eq!(last["body"]["changes"][0]["sequence"], 3, "a replay takes no number");
    }
}

#[test]
fn a_replay_has_the_quick_replies_and_the_metadata_of_the_messages() {
    let steps = "[[step]]\nsay = { by = 'mara', text = 'One', quick_replies = ['Yes'], metadata = [{ type = 'ExternalId', id = '7' }] }\n\
        [[step]]\nsay = { by = 'mara', text = 'Two' }\n\
        [[step]]\nemit = { type = 'ms.MessagingEventNotification.ContentEvent', data = { replay = true } }\n";
    let scenario = format!(
        "[cast.mara]\nrole = 'agent'\n[[step]]\nopen = {{}}\n[[step]]\nassign = {{ to = 'mara' }}\n{steps}"
    );
    for vendor in REVISIONS {
        let bodies = bodies(&scenario, vendor);
        let content = |body: &&Json| body["body"]["changes"][0]["event"]["type"] == "ContentEvent";
        let sent: Vec<&Json> = bodies.iter().filter(content).collect();
        let [one, two, replay] = sent.as_slice() else { panic!("{sent:?}") };
        assert!(one["body"]["changes"][0]["event"]["quickReplies"].is_object());
        for (at, original) in [one, two].into_iter().enumerate() {
            let (original, again) =
                (&original["body"]["changes"][0], &replay["body"]["changes"][at]);
            for key in ["event", "metadata", "dialogId", "messageAudience", "conversationId"] {
                assert_eq!(original.get(key), again.get(key), "{key} at {vendor}");
            }
        }
    }
}

#[test]
fn a_ttr_is_built_from_its_type() {
    for vendor in REVISIONS {
        for (ttr, expected) in [
            ("'URGENT'", json!({"ttrType": "URGENT", "value": 300})),
            ("{ ttrType = 'NORMAL' }", json!({"ttrType": "NORMAL", "value": 3600})),
            ("{ ttrType = 'CUSTOM', value = 7 }", json!({"ttrType": "CUSTOM", "value": 7})),
            ("{ value = 7 }", json!({"ttrType": "CUSTOM", "value": 7})),
        ] {
            let change = format!(
                "emit = {{ type = 'cqm.ExConversationChangeNotification', data = {{ ttr = {ttr} }} }}"
            );
            let say = "say = { by = 'visitor', text = 'Hello?' }";
            let changed = last_change(&[say, &change], vendor)["result"].clone();
            assert_eq!(changed["conversationDetails"]["ttr"], expected, "{ttr} at {vendor}");
            if vendor != "liveperson" {
                let due = changed["effectiveTTR"].as_i64().unwrap();
                let asked = due - expected["value"].as_i64().unwrap() * 1000;
                let opened = changed["conversationDetails"]["startTs"].as_i64().unwrap();
                assert!((opened..opened + 60_000).contains(&asked), "{changed}");
            }
        }
    }
}

#[test]
fn a_cause_of_closing_is_refused_where_it_is_not_sent() {
    let send = |vendor: &str| {
        let event = "cqm.ExConversationChangeNotification";
        standin(&["send", vendor, event, "--set", "closedCause=Completed", "--dry-run"])
    };
    assert_eq!(send("liveperson").status.code(), Some(2));
    assert!(stderr(&send("liveperson")).contains("closedCause"), "{}", stderr(&send("liveperson")));
    assert_eq!(send("liveperson@2019").status.code(), Some(0));
}

#[test]
fn a_kind_that_the_event_does_not_have_is_refused() {
    for vendor in REVISIONS {
        for (event, kind) in [
            ("ContentEvent", "carousel"),
            ("ContentEvent", "buttons"),
            ("RichContentEvent", "text"),
            ("ChatStateEvent", "carousel"),
        ] {
            let event = format!("ms.MessagingEventNotification.{event}");
            let output = standin(&["send", vendor, &event, "--kind", kind, "--dry-run"]);
            assert!(stderr(&output).contains("E072"), "{vendor} {event} {kind}: {output:?}");
        }
    }
    let output = standin(&["send", "erxes", "customer.create", "--kind", "text", "--dry-run"]);
    assert!(stderr(&output).contains("E072"), "{output:?}");
}

#[test]
fn every_variant_can_be_sent_alone() {
    let ms = |name: &str| format!("ms.MessagingEventNotification.{name}");
    for (event, set, expected) in [
        (ms("ChatStateEvent"), "chatState=GONE", "\"chatState\":\"GONE\""),
        (ms("AcceptStatusEvent"), "status=NACK", "\"status\":\"NACK\",\"sequenceList\":["),
        (ms("ContentEvent"), "replay=true", "\"sequence\":0"),
        (ms("ContentEvent"), "quick_replies=[\"Yes\"]", "\"quickReplies\":"),
        ("cqm.ExConversationChangeNotification".into(), "change=DELETE", "\"type\":\"DELETE\""),
    ] {
        for vendor in REVISIONS {
            let arguments = ["send", vendor, &event, "--set", set, "--dry-run", "--verbose"];
            let output = standin(&arguments);
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
            assert!(stdout(&output).contains(expected), "{set}: {}", stdout(&output));
        }
    }
}

/// Whatever passes `check` can be played: each event type of each vendor, by `emit`, at any time.
#[test]
fn every_event_type_can_be_emitted_at_any_time() {
    for vendor in crate::support::revisions() {
        let opening = "[cast.mara]\nrole = 'agent'\n[[step]]\nopen = {}\n";
        let emits: Vec<String> = vendor
            .event_types()
            .iter()
            .map(|event| format!("[[step]]\nemit = {{ type = '{event}' }}\n"))
            .collect();
        let emits = emits.concat();
        let closing = "[[step]]\nclose = { by = 'system' }\n";
        let scenario = format!("{opening}{emits}{emits}{closing}{emits}");
        let name = vendor.full_id();
        let played = play(&scenario).at(&name).subscribing(&["*"]).to(&Receiver::accepting());
        assert_eq!(played.finished.verdict, Verdict::Passed, "{name}: {:?}", played.finished);
    }
}

#[test]
fn an_emitted_event_has_the_fields_of_its_action() {
    let check = |steps: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("emit.toml");
        std::fs::write(&file, format!("vendors = ['liveperson']\n{steps}")).unwrap();
        stderr(&standin(&["check", file.to_str().unwrap()]))
    };
    let event = "ms.MessagingEventNotification.ContentEvent";
    let early = check(&format!("[[step]]\nemit = {{ type = '{event}' }}\n"));
    assert!(early.contains("the conversation has not been opened"), "{early}");
    let state = "ms.MessagingEventNotification.ChatStateEvent";
    let mixed = check(&format!(
        "[[step]]\nopen = {{}}\n[[step]]\nemit = {{ type = '{state}', data = {{ chatState = 'GONE', on = false }} }}\n"
    ));
    assert!(mixed.contains("with all of these fields"), "{mixed}");
    for (data, problem) in [
        ("kind = 'carousel'", "no vendor sends `ms.MessagingEventNotification.ContentEvent`"),
        ("kind = 'text', replies = 2", "has no field `replies`"),
        ("kind = 2", "expected"),
    ] {
        let emit = format!(
            "[[step]]\nopen = {{}}\n[[step]]\nemit = {{ type = '{event}', data = {{ {data} }} }}\n"
        );
        let reported = check(&emit);
        assert!(reported.contains(problem), "{data}: {reported}");
    }
}

#[test]
fn changes_of_ttr_and_delay_move_the_effective_ttr() {
    let event = "cqm.ExConversationChangeNotification";
    let ttr = format!(
        "emit = {{ type = '{event}', data = {{ ttr = {{ ttrType = 'URGENT', value = 300 }} }} }}"
    );
    let till = 1_767_650_400_000_i64;
    let delay = format!(
        "emit = {{ type = '{event}', data = {{ delay = {{ type = 'NIGHT', tillWhen = {till} }} }} }}"
    );
    let say = "say = { by = 'visitor', text = 'Hello?' }";
    for vendor in ["liveperson@2019", "liveperson@2022"] {
        let effective =
            |steps: &[&str]| last_change(steps, vendor)["result"]["effectiveTTR"].as_i64().unwrap();
        let emit = format!("emit = {{ type = '{event}', data = {{ change = 'UPSERT' }} }}");
        let usual = effective(&[say, &emit]);
        assert_eq!(effective(&[say, &ttr]), usual - 300_000, "{vendor}");
        assert_eq!(effective(&[say, &delay]), till + 600_000, "{vendor}");
        assert_eq!(effective(&[say, &ttr, &delay]), till + 300_000, "{vendor}");
    }
}

#[test]
fn a_survey_is_a_dialog_of_its_own_that_keeps_the_conversation_open() {
    let all = changes(
        "[[step]]\nsay = { by = 'visitor', text = 'Hi' }\n\
         [[step]]\nsay = { by = 'mara', text = 'Hello' }\n\
         [[step]]\nclose = { by = 'visitor', survey = true }\n\
         [[step]]\nsay = { by = 'bot', in = 'survey', text = 'How was it?' }\n\
         [[step]]\nemit = { type = 'ms.MessagingEventNotification.AcceptStatusEvent', by = 'visitor', data = { status = 'ACTION' } }\n\
         [[step]]\nsay = { by = 'visitor', in = 'survey', text = '5' }\n\
         [[step]]\nrate = { score = 5 }\n\
         [[step]]\nread = { by = 'bot', in = 'survey' }\n\
         [[step]]\nclose = { by = 'bot' }\n",
        "liveperson@2022",
    );
    let from =
        all.iter().position(|change| change["result"]["conversationDetails"]["state"] == "CLOSE");
    let [started, asked, clicked, answered, rated, read, ended] = &all[from.unwrap()..] else {
        panic!("other webhooks: {all:#?}");
    };
    let details = |change: &Json| change["result"]["conversationDetails"].clone();
    let ([main, survey], open) = (dialogs(started), details(started));
    assert_eq!(
        [&open["state"], &open["stage"], &open["closeReason"], &open["endTs"]],
        [&json!("CLOSE"), &json!("OPEN"), &json!("CONSUMER"), &Json::Null]
    );
    assert_eq!([&main["dialogType"], &main["state"]], ["MAIN", "CLOSE"]);
    assert_eq!([&survey["dialogType"], &survey["state"]], ["POST_SURVEY", "OPEN"]);
    let roles = |people: &Json| -> Vec<String> {
        people.as_array().unwrap().iter().map(|one| one["role"].as_str().unwrap().into()).collect()
    };
    assert_eq!(roles(&survey["participantsDetails"]), ["CONSUMER", "AGENT", "READER"]);
    assert_eq!(roles(&main["participantsDetails"]), ["CONSUMER", "ASSIGNED_AGENT"]);
    assert!(roles(&open["participants"]).contains(&"READER".to_owned()), "{open}");
    let id = survey["dialogId"].as_str().unwrap();
    assert!(id.len() == 22 && main["dialogId"] != id, "{id}");

    let numbered = [asked, clicked, answered, read];
    assert_eq!(numbered.map(|change| change["sequence"].as_i64().unwrap()), [0, 1, 2, 3]);
    assert!(numbered.iter().all(|change| change["dialogId"] == id), "{numbered:#?}");
    assert_eq!(asked["originatorMetadata"]["role"], "AGENT");
    assert_eq!(clicked["event"]["sequenceList"], json!([0]));
    // Nobody but the survey bot acknowledges an answer, and only what the survey contains.
    assert_eq!(read["event"]["sequenceList"], json!([2]));
    assert_eq!(details(rated)["csat"]["csatRate"], 5);
    assert_eq!(
        [&details(rated)["stage"], &rated["result"]["effectiveTTR"]],
        [&json!("OPEN"), &json!(-1)]
    );

    let ([main, survey], closed) = (dialogs(ended), details(ended));
    assert_eq!(
        [&closed["state"], &closed["stage"], &closed["closeReason"]],
        ["CLOSE", "CLOSE", "CONSUMER"]
    );
    assert_eq!([&survey["closedBy"], &survey["closedCause"]], ["AGENT", "Completed"]);
    assert_eq!(closed["endTs"], survey["endTs"]);
    assert_eq!(main["closedBy"], "CONSUMER");
}

/// The main dialog and the survey of a change.
fn dialogs(change: &Json) -> [Json; 2] {
    let dialogs = change["result"]["conversationDetails"]["dialogs"].as_array().unwrap();
    dialogs.clone().try_into().unwrap()
}

#[test]
fn a_survey_after_another_one_begins_again() {
    let steps = "[[step]]\nclose = { by = 'mara', survey = true }\n\
         [[step]]\nsay = { by = 'bot', in = 'survey', text = 'How was it?' }\n\
         [[step]]\nclose = { by = 'bot' }\n\
         [[step]]\nreopen = { by = 'visitor' }\n";
    let all = changes(&[steps, steps].concat(), "liveperson@2022");
    let asked: Vec<_> = all.iter().filter(|change| change["event"].is_object()).collect();
    let [first, second] = asked.as_slice() else { panic!("{asked:#?}") };
    assert_eq!([&first["sequence"], &second["sequence"]], [0, 0]);
    assert_ne!(first["dialogId"], second["dialogId"]);
    let last = &all.last().unwrap()["result"]["conversationDetails"];
    assert_eq!([&last["state"], &last["stage"]], ["OPEN", "OPEN"]);
}
