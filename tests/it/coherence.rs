//! Consistency of whole runs, checked on the received bytes only: every scenario at every vendor
//! that can play it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde_json::{Map, Value as Json};
use standin::scenario::bundled_names;

use crate::support::{NEEDING_CALLS, ReceivedRequest, Receiver, play};

/// The events that a scenario sends.
struct SentEvents {
    scenario: String,
    /// Scenario, vendor and seed, for messages.
    run: String,
    events: Vec<Json>,
}

/// Every scenario that the vendor can play. Each is played once for all tests.
fn runs_at(vendor: &'static str) -> &'static [SentEvents] {
    static RUNS: OnceLock<BTreeMap<&str, OnceLock<Vec<SentEvents>>>> = OnceLock::new();
    let vendors = ["liveperson", "wotnot", "swiftsell", "replycx", "ebbot", "erxes", "parlour"];
    let runs = RUNS.get_or_init(|| vendors.map(|id| (id, OnceLock::new())).into());
    runs[vendor].get_or_init(|| {
        let playable = bundled_names().into_iter().filter(|name| {
            !NEEDING_CALLS.contains(&name.as_str()) && play(name).at(vendor).is_playable()
        });
        let sent = playable.zip(1..).map(|(name, seed)| send_events(&name, vendor, seed));
        sent.flat_map(
            |sent| if sent.scenario == SEVERAL { split(sent, vendor) } else { vec![sent] },
        )
        .collect()
    })
}

/// Plays a scenario with all events subscribed to.
fn send_events(scenario: &str, vendor: &str, seed: u64) -> SentEvents {
    let receiver = Receiver::accepting();
    play(scenario).at(vendor).seed(seed).subscribing(&["*"]).to(&receiver);
    let events = receiver.events().iter().map(ReceivedRequest::json).collect();
    let run = format!("{scenario} at {vendor}, seed {seed}");
    SentEvents { scenario: scenario.to_owned(), run, events }
}

/// The scenario with several conversations.
const SEVERAL: &str = "parallel";

/// The events of each conversation; nothing if some events do not have the id of theirs.
fn split(sent: SentEvents, vendor: &str) -> Vec<SentEvents> {
    let rule = RULES.iter().find(|rule| rule.vendor == vendor).unwrap();
    let mut conversations: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for event in sent.events {
        let Some(id) = parts(&event, rule.conversation).first().map(ToString::to_string) else {
            return Vec::new();
        };
        conversations.entry(id).or_default().push(event);
    }
    assert_eq!(conversations.len(), 2, "{}", sent.run);
    let of_conversation = |(id, events)| SentEvents {
        scenario: sent.scenario.clone(),
        run: format!("{}, conversation {id}", sent.run),
        events,
    };
    conversations.into_iter().map(of_conversation).collect()
}

/// The events of one scenario.
fn story(scenario: &str, vendor: &'static str) -> &'static [Json] {
    &runs_at(vendor).iter().find(|told| told.scenario == scenario).unwrap().events
}

fn assert_single<'a>(run: &str, values: impl Iterator<Item = &'a Json>) {
    let values: BTreeSet<String> = values.map(ToString::to_string).collect();
    assert!(values.len() <= 1, "{run}: {values:?}");
}

fn assert_increasing<T: PartialOrd + std::fmt::Debug>(run: &str, values: &[T]) {
    let falls = values.windows(2).find(|pair| pair[0] > pair[1]);
    assert!(falls.is_none(), "{run}: {falls:?}");
}

/// The values at these JSON pointers that exist and are not null.
fn parts<'a>(event: &'a Json, pointers: &[&str]) -> Vec<&'a Json> {
    let parts = pointers.iter().filter_map(|pointer| event.pointer(pointer));
    parts.filter(|part| !part.is_null()).collect()
}

fn list(json: &Json) -> &[Json] {
    json.as_array().map_or(&[], Vec::as_slice)
}

/// JSON pointers to the conversation, the time and the message of a vendor's events.
struct Rule {
    vendor: &'static str,
    conversation: &'static [&'static str],
    at: &'static [&'static str],
    message: &'static [&'static str],
}

const RULES: &[Rule] = &[
    Rule {
        vendor: "liveperson",
        conversation: &["/body/changes/0/result/convId", "/body/changes/0/dialogId"],
        at: &[
            "/body/changes/0/serverTimestamp",
            "/body/changes/0/result/conversationDetails/metaDataLastUpdateTs",
        ],
        message: &["/body/changes/0/sequence"],
    },
    Rule { vendor: "wotnot", conversation: FAMILY, at: &["/events/0/timestamp"], message: &[] },
    Rule { vendor: "swiftsell", conversation: FAMILY, at: &["/events/0/timestamp"], message: &[] },
    Rule { vendor: "replycx", conversation: FAMILY, at: &["/events/0/timestamp"], message: &[] },
    Rule {
        vendor: "ebbot",
        conversation: &["/data/chatId", "/chat/id"],
        at: &["/timestamp"],
        message: &[],
    },
    Rule {
        vendor: "erxes",
        conversation: &["/data/conversationId"],
        at: &["/data/createdAt"],
        message: &["/data/_id"],
    },
    Rule { vendor: "parlour", conversation: &["/room"], at: &["/when"], message: &["/line"] },
];

const FAMILY: &[&str] = &["/events/0/conversation/key"];

#[test]
fn each_run_has_one_conversation_with_increasing_times() {
    for rule in RULES {
        for SentEvents { scenario, run, events } in runs_at(rule.vendor) {
            // A survey is a dialog with its own id; the main dialog has that of the conversation.
            let ids =
                if scenario == "survey" { &rule.conversation[..1] } else { rule.conversation };
            assert_single(run, events.iter().flat_map(|event| parts(event, ids)));
            for pointer in rule.at {
                let times = events.iter().filter_map(|event| event.pointer(pointer));
                let texts: Vec<&str> = times.clone().filter_map(Json::as_str).collect();
                let numbers: Vec<i64> = times.filter_map(Json::as_i64).collect();
                assert_increasing(run, &texts);
                assert_increasing(run, &numbers);
            }
            // Messages are counted in each dialog.
            let dialog = |event: &Json| event.pointer("/body/changes/0/dialogId").cloned();
            let told = events.iter().flat_map(|event| {
                parts(event, rule.message)
                    .into_iter()
                    .map(move |id| format!("{id} {:?}", dialog(event)))
            });
            let told: Vec<String> = told.collect();
            let different: BTreeSet<&String> = told.iter().collect();
            assert_eq!(different.len(), told.len(), "{run}: a message is told twice");
        }
    }
}

#[test]
fn liveperson_sequences_have_no_gaps_and_read_marks_match() {
    for SentEvents { run, events, .. } in runs_at("liveperson") {
        let changes = || events.iter().map(|event| &event["body"]["changes"][0]);
        let (mut next, mut said) = (BTreeMap::new(), BTreeSet::new());
        for change in changes() {
            if let Some(sequence) = change["sequence"].as_i64() {
                let next = next.entry(change["dialogId"].to_string()).or_insert(0);
                assert_eq!(sequence, *next, "{run}: sequences of a dialog have no gaps");
                *next += 1;
            }
            match change["event"]["type"].as_str() {
                Some("ContentEvent" | "RichContentEvent") => {
                    said.insert(change["sequence"].as_i64().unwrap());
                }
                Some("AcceptStatusEvent") => {
                    let named = list(&change["event"]["sequenceList"]);
                    let was_said = |n: &Json| said.contains(&n.as_i64().unwrap());
                    assert!(!named.is_empty() && named.iter().all(was_said), "{run}");
                }
                Some("ChatStateEvent") => {
                    assert!(change["sequence"].is_null() && change["serverTimestamp"].is_null());
                }
                _ => assert!(change["sequence"].is_null()),
            }
        }
        let states = changes().map(|change| &change["result"]["conversationDetails"]);
        assert_single(run, states.filter(|state| !state.is_null()).map(|state| &state["startTs"]));
    }
}

#[test]
fn liveperson_has_at_most_one_assigned_agent() {
    for SentEvents { run, events, .. } in runs_at("liveperson") {
        let mut assigned: Option<&str> = None;
        for event in events {
            let change = &event["body"]["changes"][0];
            let people = list(&change["result"]["conversationDetails"]["participants"]);
            if !people.is_empty() {
                let mut now = people.iter().filter(|person| person["role"] == "ASSIGNED_AGENT");
                assigned = now.next().map(|person| person["id"].as_str().unwrap());
                assert!(now.next().is_none(), "{run}");
                let consumers = people.iter().filter(|person| person["role"] == "CONSUMER").count();
                assert_eq!(consumers, 1, "{run}");
            } else if change["originatorMetadata"]["role"] == "ASSIGNED_AGENT" {
                assert_eq!(change["originatorId"].as_str(), assigned, "{run}");
            }
        }
        let states = events
            .iter()
            .rev()
            .filter_map(|event| event.pointer("/body/changes/0/result/conversationDetails/state"));
        assert_eq!(states.clone().next(), Some(&Json::from("CLOSE")), "{run}");
    }
}

/// The payloads of one event type of `wotnot` and the vendors that extend it.
fn payloads<'a>(events: &'a [Json], of: &'static str) -> impl Iterator<Item = &'a Json> {
    let events = events.iter().map(|event| &event["events"][0]["event"]);
    events.filter(move |event| event["type"] == of).map(|event| &event["payload"])
}

const LABELS: [&str; 3] = ["wotnot", "swiftsell", "replycx"];

#[test]
fn wotnot_assignees_and_closed_conversations_are_consistent() {
    for SentEvents { run, events, .. } in LABELS.into_iter().flat_map(runs_at) {
        assert_single(run, events.iter().map(|event| &event["events"][0]["visitor"]));
        assert_single(run, events.iter().map(|event| &event["events"][0]["account"]));
        let created = &events[0]["events"][0]["event"]["payload"];
        assert_eq!(created["external_key"], events[0]["events"][0]["conversation"]["key"]);
        assert_eq!(
            (payloads(events, "conversation_create").count(), &created["is_closed"]),
            (1, &0.into())
        );
        let mut assignee = &created["assigned_to_user"]["id"];
        for change in payloads(events, "assignee_change") {
            assert_eq!(&change["from"]["id"], assignee, "{run}");
            assignee = &change["to"]["id"];
        }
        let states: Vec<&Json> =
            payloads(events, "status").map(|status| &status["status"]).collect();
        let turns = ["Close", "Open"].into_iter().cycle().take(states.len());
        assert!(
            states.iter().copied().eq(turns.map(Json::from).collect::<Vec<_>>().iter()),
            "{run}: {states:?}"
        );
    }
}

#[test]
fn wotnot_replies_match_the_questions() {
    let mut answered = BTreeSet::new();
    for SentEvents { run, events, .. } in LABELS.into_iter().flat_map(runs_at) {
        let mut asked: BTreeMap<&str, &Json> = BTreeMap::new();
        for message in payloads(events, "message").map(|payload| &payload["message"]) {
            let (kind, payload) = (message["type"].as_str().unwrap(), &message["payload"]);
            let last = |kind: &str| *asked.get(kind).unwrap_or_else(|| panic!("{run}: no {kind}"));
            match kind {
                "form.response" => {
                    let keys =
                        |field: &Json| ["label", "type", "variable"].map(|key| field[key].clone());
                    let of = |fields: &Json| list(fields).iter().map(keys).collect::<Vec<_>>();
                    assert_eq!(of(&payload["fields"]), of(&last("form")["fields"]), "{run}");
                }
                "button.response" => {
                    let titles = list(&last("button")["buttons"]).iter().map(|b| &b["title"]);
                    assert!(titles.collect::<Vec<_>>().contains(&&payload["body"]), "{run}");
                }
                "slider.response" => {
                    let bound = |name: &str| last("slider")[name].as_i64().unwrap();
                    let value = payload["value"].as_i64().unwrap();
                    assert!((bound("min")..=bound("max")).contains(&value), "{run}");
                    assert_eq!(payload["text"], value.to_string());
                }
                "appointment_booking.response" => {
                    let asked = last("appointment_booking");
                    let (id, title) = (&asked["event_id"], &asked["title"]);
                    assert_eq!(
                        (&payload["event_id"], &payload["event_name"]),
                        (id, title),
                        "{run}"
                    );
                }
                "file_upload.response" => {
                    let name = payload["payload"]["file_name"].as_str().unwrap();
                    let allowed = list(&last("file_upload")["allow_extensions"]);
                    assert!(
                        allowed.iter().any(|end| name.ends_with(end.as_str().unwrap())),
                        "{run}"
                    );
                }
                "calendly.response" => drop(last("calendar")),
                "javascript.response" => drop(last("javascript")),
                _ => drop(asked.insert(kind, payload)),
            }
            answered.extend(kind.ends_with(".response").then(|| kind.to_owned()));
        }
    }
    assert_eq!(answered.len(), 7, "every answer is in a story: {answered:?}");
}

#[test]
fn wotnot_removes_only_labels_that_were_added() {
    let mut seen = 0;
    for SentEvents { run, events, .. } in LABELS.into_iter().flat_map(runs_at) {
        let mut on = BTreeSet::new();
        for change in payloads(events, "conversation_labels") {
            let ids = list(&change["labels"]).iter().map(|label| label["id"].to_string());
            for id in ids {
                let changed =
                    if change["action"] == "added" { on.insert(id) } else { on.remove(&id) };
                assert!(changed, "{run}: {change}");
                seen += 1;
            }
        }
    }
    assert!(seen > 0);
}

/// The values of these keys, in order.
fn values<const N: usize>(json: &Json, keys: [&str; N]) -> [Json; N] {
    keys.map(|key| json[key].clone())
}

const STATUS: [&str; 4] = ["id", "status", "type", "supervised"];
const LINE: [&str; 5] = ["id", "sender", "type", "value", "timestamp"];

#[test]
fn ebbot_closes_with_every_message_in_order() {
    for SentEvents { run, events, .. } in runs_at("ebbot") {
        let (mut said, mut all) = (Vec::new(), Vec::new());
        for event in events {
            assert_eq!(event["context"]["request_id"], event["requestId"], "{run}");
            match event["topic"].as_str().unwrap() {
                "chat.message" => all.push(values(&event["data"], LINE)),
                topic if topic.ends_with(".message") => said.push(values(&event["data"], LINE)),
                "chat.close" => {
                    let transcript = list(&event["data"]["conversation"]).iter();
                    let transcript: Vec<_> = transcript.map(|line| values(line, LINE)).collect();
                    assert_eq!(transcript, said, "{run}");
                }
                _ => {}
            }
        }
        assert_eq!(all, said, "{run}: chat.message has every message once more");
    }
}

#[test]
fn ebbot_updates_match_the_state_of_the_chat() {
    for SentEvents { run, events, .. } in runs_at("ebbot") {
        let data = |topic: &str| events.iter().find(|e| e["topic"] == topic).map(|e| &e["data"]);
        let user = &data("chat.create").unwrap()["user"];
        let (mut status, mut last_said) = (Json::Null, Json::Null);
        let mut updates = Vec::new();
        for event in events {
            let (data, chat) = (&event["data"], &event["chat"]);
            match event["topic"].as_str().unwrap() {
                "chat.status.change" => {
                    status = values(data, STATUS).into_iter().collect();
                }
                "chat.message" => last_said = data["timestamp"].clone(),
                "chat.update" => {
                    let told: Json = values(chat, STATUS).into_iter().collect();
                    assert!(status.is_null() || status == told, "{run}: {status} {told}");
                    assert!(last_said.is_null() || last_said == chat["last_message"], "{run}");
                    let info: Json =
                        serde_json::from_str(chat["chat_user"]["info"].as_str().unwrap()).unwrap();
                    assert_eq!(info, *user, "{run}");
                    assert_eq!(chat["chatUserId"], chat["chat_user"]["id"], "{run}");
                    let by_agent = chat["handled_by"] == "agent";
                    assert_eq!(chat["handledByAgentTimestamp"].is_string(), by_agent, "{run}");
                    assert_eq!(chat["userId"].is_string(), by_agent, "{run}");
                    updates.push(chat);
                }
                "chat.user.update" => {
                    assert_eq!(data["user"]["first_name"], user["first_name"], "{run}");
                }
                _ => {}
            }
        }
        assert_single(run, updates.iter().map(|chat| &chat["createdAt"]));
        assert_single(run, updates.iter().map(|chat| &chat["chatUserId"]));
        let changed: Vec<&str> =
            updates.iter().map(|c| c["statusTimestamp"].as_str().unwrap()).collect();
        assert_increasing(run, &changed);
    }
    let rated: Vec<&Json> = story("rating", "ebbot")
        .iter()
        .filter(|e| e["topic"] == "chat.update")
        .map(|e| &e["chat"]["rating"])
        .collect();
    assert_eq!(rated, [&Json::from(2), &Json::from(2), &Json::from(5)]);
}

#[test]
fn ebbot_keeps_variables_and_names_the_clicked_button() {
    let (mut known, mut clicked) = (0, 0);
    for SentEvents { run, events, .. } in runs_at("ebbot") {
        let (mut variables, mut last_input) = (Map::new(), Json::from(""));
        let (mut ways, mut way) = (BTreeSet::new(), None);
        for event in events {
            let data = &event["data"];
            match (event["topic"].as_str().unwrap(), data["type"].as_str()) {
                ("chat.data.update", _) => {
                    let told = data.as_object().unwrap();
                    let kept = variables.keys().all(|key: &String| told.contains_key(key));
                    assert!(kept, "{run}: {variables:?} is known, and {told:?} is told");
                    assert_eq!(told["user_last_input"], last_input, "{run}");
                    variables = told.clone();
                    known += 1;
                }
                ("chat.bot.message", Some("url")) => {
                    let urls = list(&data["value"]["urls"]).iter();
                    ways.extend(urls.map(|url| url["next"]["scenario"].to_string()));
                }
                ("chat.user.message", Some("scenario")) => {
                    assert!(ways.contains(&data["value"]["scenario"].to_string()), "{run}");
                    way = Some(&data["value"]["scenario"]);
                    clicked += 1;
                }
                ("chat.scenario.run", _) => {
                    let led_to = way.take().unwrap_or(&data["scenario"]["id"]);
                    assert_eq!(&data["scenario"]["id"], led_to, "{run}");
                }
                ("chat.user.message", Some("text")) => last_input = data["value"].clone(),
                _ => {}
            }
        }
    }
    assert!(known > 0 && clicked > 0);
}

#[test]
fn erxes_announces_a_conversation_with_the_first_customer_message() {
    for SentEvents { run, events, .. } in runs_at("erxes") {
        let of = |kind: &str| events.iter().position(|event| event["type"] == kind);
        let Some(told) = of("conversation") else {
            assert!(of("customerMessages").is_none(), "{run}");
            continue;
        };
        let (conversation, first) = (&events[told]["data"], &events[told + 1]);
        assert_eq!(conversation["messageCount"], 0);
        let by = conversation["customerId"].clone();
        match first["type"].as_str().unwrap() {
            "customerMessages" => assert_eq!(first["data"]["customerId"], by, "{run}"),
            other => {
                assert_eq!(other, "popupSubmitted", "{run}");
                assert_eq!(first["data"]["cachedCustomerId"], by, "{run}");
            }
        }
        let ids = events.iter().filter_map(|event| event.pointer("/data/conversationId"));
        assert_single(run, ids.chain([&conversation["_id"]]));
        let customers = events.iter().filter_map(|event| event.pointer("/data/customerId"));
        assert_single(run, customers);
    }
}

#[test]
fn erxes_creates_the_customer_from_the_submitted_form() {
    let popup = story("form", "erxes").iter().find(|e| e["type"] == "popupSubmitted").unwrap();
    let data = &popup["data"];
    let of = |kind: &str| {
        let mut submissions = list(&data["submissions"]).iter();
        submissions.find(|s| s["type"] == kind).map(|s| s["value"].clone()).unwrap()
    };
    let customer = &data["customer"];
    assert_eq!(
        (&customer["primaryEmail"], &customer["primaryPhone"]),
        (&of("email"), &of("phone"))
    );
    assert_eq!(customer["emails"], Json::from(vec![of("email")]));
    assert_eq!(customer["phones"], Json::from(vec![of("phone")]));
}

/// Keys of an update that the document does not store.
const NOT_KEPT: [&str; 2] = ["subdomain", "categoryIds"];
/// Keys of a document that change although no update names them.
const BY_ITSELF: [&str; 3] = ["modifiedAt", "modifiedDate", "searchText"];

#[test]
fn erxes_documents_change_only_as_the_steps_say() {
    let (mut updates, mut deleted) = (0, 0);
    for SentEvents { run, events, .. } in runs_at("erxes") {
        let mut documents: BTreeMap<String, Map<String, Json>> = BTreeMap::new();
        for data in
            events.iter().map(|event| &event["data"]).filter(|data| data["object"].is_object())
        {
            let id = data["object"]["_id"].to_string();
            let object = data["object"].as_object().unwrap();
            match data["action"].as_str().unwrap() {
                "create" => {
                    let mut stored = object.clone();
                    stored.insert("__v".into(), 0.into());
                    assert!(documents.insert(id, stored).is_none(), "{run}");
                }
                "update" => {
                    let before = documents.get_mut(&id).unwrap_or_else(|| panic!("{run}: {id}"));
                    assert_eq!(object, before, "{run}: `object` is what was there");
                    let mut expected = before.clone();
                    let kept = data["newData"].as_object().unwrap().iter();
                    let kept = kept.filter(|(key, _)| !NOT_KEPT.contains(&key.as_str()));
                    expected.extend(kept.map(|(key, value)| (key.clone(), value.clone())));
                    let updated = data["updatedDocument"].as_object().unwrap();
                    for (key, value) in &mut expected {
                        if BY_ITSELF.contains(&key.as_str()) {
                            value.clone_from(&updated[key]);
                        }
                    }
                    assert_eq!(*updated, expected, "{run}: `updatedDocument` is what is there now");
                    *before = expected;
                    updates += 1;
                }
                _ => {
                    assert_eq!(object.len(), 1, "{run}");
                    assert!(documents.remove(&id).is_some(), "{run}: {id}");
                    deleted += 1;
                }
            }
        }
    }
    assert!(updates >= 4 && deleted >= 3);
}

#[test]
fn erxes_texts_contain_the_id_of_the_created_entity() {
    let events = story("customer", "erxes");
    let created = events.iter().map(|event| &event["data"]);
    let article = created.clone().find(|data| data["type"] == "knowledgeBaseArticle").unwrap();
    let said = events.iter().find(|event| event["type"] == "userMessages").unwrap();
    let said = said["data"]["content"].as_str().unwrap();
    assert!(said.contains(article["object"]["_id"].as_str().unwrap()), "{said}");
}

#[test]
fn parlour_counters_reset_per_dialog_and_conversation() {
    let events = story("handover", "parlour");
    let lines: Vec<i64> = events.iter().filter_map(|event| event["line"].as_i64()).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5, 6]);
    let mut said = events.iter().filter(|event| event["what"] == "line.said");
    assert!(said.all(|event| event["line"] == event["same"]));
    let numbers: Vec<i64> = events.iter().filter_map(|event| event["number"].as_i64()).collect();
    assert_eq!(numbers, [100, 101, 102, 103, 104]);
}

#[test]
fn ebbot_sends_each_message_twice_with_both_topics() {
    let events = story("handover", "ebbot");
    let of = |topic: &str| -> Vec<(&Json, &Json)> {
        let events = events.iter().filter(|event| event["topic"] == topic);
        events.map(|event| (&event["data"]["id"], &event["requestId"])).collect()
    };
    let (all, visitors) = (of("chat.message"), of("chat.user.message"));
    assert!(visitors.len() == 3 && all.len() > 3);
    assert!(visitors.iter().all(|message| all.contains(message)));
}

#[test]
fn fields_set_by_a_scenario_appear_in_payloads() {
    let mut updates =
        story("backstage", "ebbot").iter().filter(|e| e["topic"] == "chat.data.update");
    let known = &updates.next_back().unwrap()["data"];
    assert_eq!([&known["plan"], &known["Interest"]], ["silver", "gold plan"]);
    assert_eq!([&known["seats"], &known["discount"]], [30, 10]);
    for label in LABELS {
        let told = payloads(story("backstage", label), "variables");
        let told = told.flat_map(|payload| list(&payload["variables"]));
        let told: Vec<_> = told.map(|v| values(v, ["name", "type", "value"])).collect();
        assert_eq!(told[0], ["visitor_seats", "number", "30"].map(Json::from));
        assert_eq!(told[1], ["visitor_interest", "text", "gold plan"].map(Json::from));
        assert_eq!(told[2], ["discount", "number", "10"].map(Json::from));
        assert_eq!(told[3][..2], ["decides_on", "date"].map(Json::from));
    }
}
