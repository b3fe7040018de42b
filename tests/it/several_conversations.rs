//! Scenarios with several conversations, which are played interleaved.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use standin::record::{RecordKind, Verdict};

use crate::support::{Receiver, Reply, RunOutcome, play};

const PEOPLE: &str = "[cast.ada]\nrole = 'visitor'\n[cast.bo]\nrole = 'visitor'\n";

fn run(steps: &str, receiver: &Receiver) -> RunOutcome {
    play(&format!("{PEOPLE}{steps}")).at("ebbot").to(receiver)
}

/// The texts of the messages that the receiver got, each with the id of its conversation.
fn messages(receiver: &Receiver) -> Vec<(String, String)> {
    let message = |data: &serde_json::Value| {
        let text = |key: &str| Some(data[key].as_str()?.to_owned());
        Some((text("value")?, text("chatId")?))
    };
    let bodies = receiver.events().into_iter().map(|received| received.json());
    bodies.filter_map(|body| message(&body["data"])).collect()
}

#[test]
fn steps_happen_in_the_order_of_the_file_each_in_its_conversation() {
    let story = std::fs::read_to_string(crate::support::path("scenarios/parallel.toml")).unwrap();
    let receiver = Receiver::accepting();
    let played = play(&story).at("ebbot").times(2).to(&receiver);
    assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished);
    let done = |record: &&standin::record::Record| {
        matches!(record.kind, RecordKind::ActionDone(_)) && record.conversation < Some(3)
    };
    let steps: Vec<_> = played.records.iter().filter(done).collect();
    let numbers: Vec<_> = steps.iter().map(|record| record.step.unwrap()).collect();
    assert_eq!(numbers, (1..=13).collect::<Vec<_>>());
    let conversations: Vec<_> = steps.iter().map(|record| record.conversation.unwrap()).collect();
    assert_eq!(conversations, [1, 2, 1, 2, 2, 1, 2, 1, 1, 2, 1, 2, 2]);

    // Both plays have the same words, in conversations with other ids.
    let questions: Vec<_> = messages(&receiver)
        .into_iter()
        .filter(|(text, _)| text == "Hello, is anybody there?")
        .map(|(_, chat)| chat)
        .collect();
    assert_eq!(questions.iter().collect::<BTreeSet<_>>().len(), 4, "{questions:?}");
    let people: BTreeSet<String> = receiver
        .events()
        .iter()
        .map(crate::support::ReceivedRequest::json)
        .filter(|body| body["topic"] == "chat.create")
        .map(|body| body["data"]["user"].to_string())
        .collect();
    assert_eq!(people.len(), 4, "{people:?}");
}

#[test]
fn a_visitor_can_have_several_conversations() {
    let receiver = Receiver::accepting();
    let steps = "[[step]]\nopen = { by = 'bo' }\n[[step]]\nclose = { by = 'bot' }\n[[step]]\n\
                 conversation = 'again'\nopen = { by = 'bo' }";
    assert_eq!(run(steps, &receiver).finished.verdict, Verdict::Passed);
    let opened: Vec<_> = receiver
        .events()
        .iter()
        .map(crate::support::ReceivedRequest::json)
        .filter(|body| body["topic"] == "chat.create")
        .collect();
    assert_eq!(opened.len(), 2);
    assert_eq!(opened[0]["data"]["user"], opened[1]["data"]["user"]);
    assert_ne!(opened[0]["data"]["id"], opened[1]["data"]["id"]);
}

#[test]
fn values_of_one_conversation_are_used_in_another() {
    let receiver = Receiver::responding_to_events(|_, received| {
        // The response to the step that captures is late.
        let is_question = received.body.contains("Where is it?");
        let delay = Duration::from_millis(if is_question { 150 } else { 0 });
        Reply::Status(200, json!({"ticket": "T-7"}).to_string()).after(delay)
    });
    let steps = "[[step]]\nopen = { by = 'ada' }\n[[step]]\nconversation = 'second'\nopen = { by = 'bo' }\n\
                 [[step]]\nsay = { by = 'ada', text = 'Where is it?' }\ncapture = { ticket = '/ticket' }\n\
                 example = { ticket = 'T-1' }\n[[step]]\nconversation = 'second'\nsay = { by = 'bo', text = \
                 'Like ${captured.ticket}' }";
    let played = run(steps, &receiver);
    assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished);
    let texts: Vec<String> = messages(&receiver).into_iter().map(|(text, _)| text).collect();
    assert!(texts.contains(&"Like T-7".to_owned()), "{texts:?}");
}

#[test]
fn an_expectation_waits_for_the_deliveries_of_all_conversations() {
    let receiver = Receiver::responding(|_, received| {
        if received.head.starts_with("GET ") {
            return Reply::Status(200, "{}".into());
        }
        Reply::good().after(Duration::from_millis(150))
    });
    let steps = "[[step]]\nopen = { by = 'ada' }\n[[step]]\nconversation = 'second'\nopen = { by = 'bo' }\n\
                 [[step]]\nrequest = { get = '/state' }\n[[step]]\nconversation = 'second'\n\
                 say = { by = 'bo', text = 'Hello' }";
    let played = run(steps, &receiver);
    assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished);
    let position = |is: &dyn Fn(&RecordKind) -> bool| {
        played.records.iter().position(|record| is(&record.kind)).unwrap()
    };
    let expected = position(&|kind| matches!(kind, RecordKind::ExpectationFinished(_)));
    let settled = |kind: &RecordKind| matches!(kind, RecordKind::DeliverySettled(_));
    let before = played.records[..expected].iter().filter(|record| settled(&record.kind)).count();
    let opened = |request: &crate::support::ReceivedRequest| request.body.contains("chat.create");
    assert_eq!(before, receiver.requests().iter().filter(|one| opened(one)).count());
}

#[test]
fn a_real_clock_keeps_the_order_too() {
    let story = std::fs::read_to_string(crate::support::path("scenarios/parallel.toml")).unwrap();
    let receiver = Receiver::accepting();
    let played = play(&story).at("liveperson").in_real_time(200.0).to(&receiver);
    assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished);
    assert_eq!(played.finished.deliveries, 15);
}
