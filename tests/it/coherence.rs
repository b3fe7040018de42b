//! Coherence of a whole run, read only from what the receiver's socket got.

use serde_json::Value as Json;

use crate::support::{Came, Receiver, play};

fn run(scenario: &str, vendor: &str, seed: u64) -> Vec<Json> {
    let receiver = Receiver::agreeing();
    play(scenario).at(vendor).seed(seed).to(&receiver);
    receiver.events().iter().map(Came::json).collect()
}

fn each_run(vendor: &str, check: impl Fn(&str, Vec<Json>)) {
    for scenario in standin::scenario::bundled_names() {
        for seed in [1, 2, 3] {
            check(&format!("{scenario} at {vendor}, seed {seed}"), run(&scenario, vendor, seed));
        }
    }
}

fn is_one<'a>(run: &str, values: impl Iterator<Item = &'a Json>) {
    let mut values: Vec<String> = values.map(ToString::to_string).collect();
    values.dedup();
    assert_eq!(values.len(), 1, "{run}: {values:?}");
}

fn grows<T: PartialOrd + std::fmt::Debug>(run: &str, values: &[T]) {
    let falls = values.windows(2).find(|pair| pair[0] > pair[1]);
    assert!(falls.is_none(), "{run}: {falls:?}");
}

#[test]
fn liveperson_counts_sequences_and_reads_what_was_said() {
    each_run("liveperson", |run, events| {
        let changes: Vec<&Json> = events.iter().map(|event| &event["body"]["changes"][0]).collect();
        let id = |change: &'static str| move |c: &&Json| !c[change].is_null();
        is_one(run, changes.iter().filter(|c| !c["dialogId"].is_null()).map(|c| &c["dialogId"]));
        is_one(
            run,
            changes.iter().filter(|c| !c["result"].is_null()).map(|c| &c["result"]["convId"]),
        );

        let sequences: Vec<i64> = changes
            .iter()
            .copied()
            .filter(id("sequence"))
            .map(|c| c["sequence"].as_i64().unwrap())
            .collect();
        assert!((0..).zip(&sequences).all(|(place, number)| place == *number), "{run}");

        let mut said = Vec::new();
        for change in &changes {
            match change["event"]["type"].as_str() {
                Some("ContentEvent" | "RichContentEvent") => said.push(change["sequence"].clone()),
                Some("AcceptStatusEvent") => {
                    let named = change["event"]["sequenceList"].as_array().unwrap();
                    assert!(!named.is_empty() && named.iter().all(|n| said.contains(n)), "{run}");
                }
                Some("ChatStateEvent") => {
                    assert!(change["sequence"].is_null() && change["serverTimestamp"].is_null());
                }
                _ => assert!(change["sequence"].is_null()),
            }
        }

        let states: Vec<&Json> = changes
            .iter()
            .filter(|c| !c["result"].is_null())
            .map(|c| &c["result"]["conversationDetails"])
            .collect();
        let updates: Vec<i64> =
            states.iter().map(|state| state["metaDataLastUpdateTs"].as_i64().unwrap()).collect();
        grows(run, &updates);
        is_one(run, states.iter().map(|state| &state["startTs"]));
        let times: Vec<i64> =
            changes.iter().filter_map(|change| change["serverTimestamp"].as_i64()).collect();
        grows(run, &times);
    });
}

#[test]
fn liveperson_has_at_most_one_assigned_agent_who_speaks_as_one() {
    each_run("liveperson", |run, events| {
        let mut assigned: Option<String> = None;
        for event in &events {
            let change = &event["body"]["changes"][0];
            if let Some(people) = change["result"]["conversationDetails"]["participants"].as_array()
            {
                let mut now = people.iter().filter(|person| person["role"] == "ASSIGNED_AGENT");
                assigned = now.next().map(|person| person["id"].as_str().unwrap().to_owned());
                assert!(now.next().is_none(), "{run}");
                let consumers = people.iter().filter(|person| person["role"] == "CONSUMER").count();
                assert_eq!(consumers, 1, "{run}");
            } else if change["originatorMetadata"]["role"] == "ASSIGNED_AGENT" {
                assert_eq!(change["originatorId"].as_str(), assigned.as_deref(), "{run}");
            }
        }
        let last = &events.last().unwrap()["body"]["changes"][0]["result"]["conversationDetails"];
        assert_eq!(last["state"], "CLOSE", "{run}");
    });
}

#[test]
fn wotnot_and_swiftsell_hand_over_from_who_has_it() {
    for vendor in ["wotnot", "swiftsell"] {
        each_run(vendor, |run, events| {
            let events: Vec<&Json> = events.iter().map(|event| &event["events"][0]).collect();
            is_one(run, events.iter().map(|event| &event["conversation"]));
            is_one(run, events.iter().map(|event| &event["visitor"]));
            is_one(run, events.iter().map(|event| &event["account"]));
            let times: Vec<&str> =
                events.iter().map(|e| e["timestamp"].as_str().unwrap()).collect();
            grows(run, &times);
            let created = &events[0]["event"]["payload"];
            assert_eq!(created["external_key"], events[0]["conversation"]["key"]);
            let mut assignee = created["assigned_to_user"]["id"].clone();
            for event in &events {
                let payload = &event["event"]["payload"];
                if event["event"]["type"] == "assignee_change" {
                    assert_eq!(payload["from"]["id"], assignee, "{run}");
                    assignee = payload["to"]["id"].clone();
                }
            }
        });
    }
}

#[test]
fn ebbot_closes_with_every_message_in_order() {
    each_run("ebbot", |run, events| {
        let chat = |event: &Json| -> Json {
            let ids = ["/data/chatId", "/data/id", "/chat/id"];
            ids.iter().find_map(|id| event.pointer(id)).unwrap().clone()
        };
        let chats: Vec<Json> = events.iter().map(chat).collect();
        is_one(run, chats.iter());
        let mut said = Vec::new();
        for event in &events {
            assert_eq!(event["context"]["request_id"], event["requestId"], "{run}");
            if event["topic"].as_str().unwrap().ends_with(".message") {
                let data = &event["data"];
                said.push(
                    ["id", "sender", "type", "value", "timestamp"].map(|key| data[key].clone()),
                );
            }
            if event["topic"] == "chat.close" {
                let transcript = event["data"]["conversation"].as_array().unwrap().iter();
                let transcript = transcript.map(|line| {
                    ["id", "sender", "type", "value", "timestamp"].map(|key| line[key].clone())
                });
                assert_eq!(transcript.collect::<Vec<_>>(), said, "{run}");
            }
        }
        let times: Vec<i64> = events.iter().map(|e| e["timestamp"].as_i64().unwrap()).collect();
        grows(run, &times);
    });
}

#[test]
fn ebbot_updates_agree_with_who_handles_the_chat() {
    let events = run("handover", "ebbot", 1);
    let updates: Vec<&Json> = events.iter().filter(|e| e["topic"] == "chat.update").collect();
    let told = |update: &Json| {
        let chat = &update["chat"];
        (
            chat["handled_by"].clone(),
            chat["status"].clone(),
            chat["handledByAgentTimestamp"].is_string(),
        )
    };
    assert_eq!(told(updates[0]), ("agent".into(), "ongoing".into(), true));
    assert_eq!(told(updates[1]), ("agent".into(), "chat_closed".into(), true));
    let times = updates.iter().map(|update| &update["chat"]["handledByAgentTimestamp"]);
    is_one("handover", times);
}

#[test]
fn ebbot_sends_each_message_twice_to_whoever_ticks_both_topics() {
    let receiver = Receiver::agreeing();
    play("handover").at("ebbot").subscribing(&["chat.message", "chat.user.message"]).to(&receiver);
    let events: Vec<Json> = receiver.events().iter().map(Came::json).collect();
    let of = |topic: &str| -> Vec<(Json, Json)> {
        let events = events.iter().filter(|event| event["topic"] == topic);
        events.map(|event| (event["data"]["id"].clone(), event["requestId"].clone())).collect()
    };
    let (all, visitors) = (of("chat.message"), of("chat.user.message"));
    assert!(visitors.len() == 3 && all.len() > 3);
    assert!(visitors.iter().all(|message| all.contains(message)));
}

#[test]
fn erxes_tells_a_conversation_with_its_first_message() {
    each_run("erxes", |run, events| {
        let conversation =
            &events.iter().find(|event| event["type"] == "conversation").unwrap()["data"];
        let first = events.iter().position(|event| event["type"] == "customerMessages").unwrap();
        assert_eq!(events[first - 1]["type"], "conversation", "{run}");
        assert_eq!(events[first]["data"]["content"], conversation["content"], "{run}");
        assert_eq!(conversation["messageCount"], 0);
        let messages = events.iter().filter(|event| event["type"] != "conversation");
        let ids: Vec<&Json> =
            messages.clone().map(|event| &event["data"]["conversationId"]).collect();
        assert!(ids.iter().all(|id| **id == conversation["_id"]), "{run}");
        let times: Vec<&str> = messages.map(|e| e["data"]["createdAt"].as_str().unwrap()).collect();
        grows(run, &times);
    });
}

#[test]
fn the_invented_vendor_counts_per_dialog_and_per_conversation() {
    let events = run("handover", "parlour", 1);
    is_one("parlour", events.iter().map(|event| &event["room"]));
    let lines: Vec<i64> = events.iter().filter_map(|event| event["line"].as_i64()).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5, 6]);
    let said = events.iter().filter(|event| event["what"] == "line.said");
    assert!(said.clone().all(|event| event["line"] == event["same"]));
    let numbers: Vec<i64> = events.iter().filter_map(|event| event["number"].as_i64()).collect();
    assert_eq!(numbers, [100, 101, 102, 103, 104]);
}
