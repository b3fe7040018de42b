//! `capture` and `when`: values from responses, and steps that depend on them.

use std::time::Duration;

use serde_json::json;
use standin::record::{RecordKind, Verdict};

use crate::support::{Receiver, Reply, RunOutcome, play, standin_in, stdout};

const STORY: &str = r#"
[vars]
plan = "gold"

[[step]]
open = {}

[[step]]
say     = { by = "visitor", text = "Where is my order?" }
capture = { ticket = "/id", urgent = "/urgent" }
example = { ticket = "T-1", urgent = true }

[[step]]
after = "10s"
say = { by = "bot", text = "Ticket ${captured.ticket}" }

[[step]]
when = { captured.urgent = true, vars.plan = { one_of = ["gold", "silver"] } }
say  = { by = "bot", text = "That is urgent" }

[[step]]
when = { "captured.urgent" = { one_of = [false] } }
say  = { by = "bot", text = "That can wait" }
"#;

fn run(scenario: &str, receiver: &Receiver) -> RunOutcome {
    play(scenario).at("parlour").to(receiver)
}

/// The texts that the receiver got, in order.
fn texts(receiver: &Receiver) -> Vec<String> {
    let bodies = receiver.requests().into_iter().map(|request| request.body);
    let texts = ["Ticket ", "That is urgent", "That can wait"];
    let text_of = |body: String| {
        let start = texts.iter().find_map(|text| body.find(text))?;
        Some(body[start..].split(['"', '<']).next()?.to_owned())
    };
    let mut texts: Vec<String> = bodies.filter_map(text_of).collect();
    // Several events of the vendor have the text.
    texts.dedup();
    texts
}

fn skipped(played: &RunOutcome) -> Vec<String> {
    let reasons = played.records.iter().filter_map(|record| match &record.kind {
        RecordKind::ActionSkipped { reason, .. } | RecordKind::ActionDropped { reason, .. } => {
            Some(reason.clone())
        }
        _ => None,
    });
    reasons.collect()
}

fn responding(body: serde_json::Value) -> Receiver {
    Receiver::responding_to_events(move |_, _| Reply::Status(200, body.to_string()))
}

#[test]
fn later_steps_use_what_the_receiver_responded() {
    let receiver = responding(json!({"id": "A-77", "urgent": true}));
    let played = run(STORY, &receiver);
    assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished);
    assert_eq!(texts(&receiver), ["Ticket A-77", "That is urgent"]);
    let expected = "`when` does not hold: `captured.urgent`: expected one of false, found true";
    assert_eq!(skipped(&played), [expected]);

    let receiver = responding(json!({"id": "A-78", "urgent": false}));
    let played = run(STORY, &receiver);
    assert_eq!(texts(&receiver), ["Ticket A-78", "That can wait"]);
    assert_eq!(played.finished.skipped, 1);
}

#[test]
fn a_step_waits_until_the_response_has_come_even_after_retries() {
    let receiver = Receiver::responding_to_events(|_, received| {
        let is_question = received.body.contains("Where is my order");
        let reply = Reply::Status(200, json!({"id": "late", "urgent": true}).to_string());
        if is_question { reply.after(Duration::from_millis(300)) } else { Reply::good() }
    });
    let played = run(STORY, &receiver);
    assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished);
    assert_eq!(texts(&receiver), ["Ticket late", "That is urgent"]);

    // The first attempt of each delivery fails, so that the value comes from the second one.
    let receiver = Receiver::responding_to_events(|_, received| {
        let attempt = received.header("X-Parlour-Attempt").unwrap_or_default();
        let body = json!({"id": format!("attempt {attempt}"), "urgent": true}).to_string();
        Reply::Status(if attempt == "1" { 503 } else { 200 }, body)
    });
    run(STORY, &receiver);
    assert!(texts(&receiver).contains(&"Ticket attempt 2".to_owned()), "{:?}", texts(&receiver));
}

#[test]
fn every_conversation_has_its_own_values() {
    let receiver = Receiver::responding_to_events(|number, _| {
        Reply::Status(200, json!({"id": format!("n{number}"), "urgent": true}).to_string())
    });
    let played = play(STORY).at("parlour").times(20).to(&receiver);
    assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished);
    let mut tickets = texts(&receiver);
    tickets.retain(|text| text.starts_with("Ticket "));
    tickets.sort();
    tickets.dedup();
    assert_eq!(tickets.len(), 20, "{tickets:?}");
}

#[test]
fn a_response_without_the_value_fails_the_run_once() {
    for (body, why) in [
        (json!({"ok": true}), "expected a value for `ticket`, found nothing"),
        (json!({"id": null}), "expected a value for `ticket`, found nothing"),
        (json!({"id": 17}), "expected a text as in the example for `ticket`, found 17"),
    ] {
        let receiver = responding(body);
        let played = run(STORY, &receiver);
        assert_eq!(played.finished.verdict, Verdict::Failed);
        let reason = played.finished.reason.unwrap();
        let expected = format!(
            "test.toml:15 `say` could not be played: `captured.ticket` has no value in the \
             responses to step 2: body `/id`: {why}"
        );
        assert_eq!(reason, expected);
        assert_eq!(texts(&receiver), Vec::<String>::new());
    }
}

#[test]
fn a_repeated_step_captures_again() {
    let scenario =
        STORY.replace("after = \"10s\"\n", "repeat = { times = 3, from = \"question\" }\n");
    let scenario = scenario.replacen("say     =", "id = \"question\"\nsay     =", 1);
    let receiver = Receiver::responding_to_events(|number, _| {
        Reply::Status(200, json!({"id": format!("n{number}"), "urgent": true}).to_string())
    });
    let played = run(&scenario, &receiver);
    assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished);
    let mut tickets = texts(&receiver);
    tickets.retain(|text| text.starts_with("Ticket "));
    let number = |text: &String| text.trim_start_matches("Ticket n").parse::<usize>().unwrap();
    let numbers: Vec<usize> = tickets.iter().map(number).collect();
    assert!(numbers.len() == 3 && numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
}

#[test]
fn a_dry_run_uses_the_examples() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("story.toml"), STORY).unwrap();
    for flag in ["--curl", "--dry-run"] {
        let arguments = ["run", "story.toml", "--vendor", "ebbot", flag];
        let output = standin_in(folder.path(), &arguments);
        assert!(output.status.success(), "{output:?}");
        let text = stdout(&output);
        assert_eq!(text.contains("Ticket T-1"), flag == "--curl", "{text}");
        assert!(text.contains("`say` skipped: `when` does not hold"), "{text}");
    }
}

#[test]
fn a_resumed_run_takes_the_values_from_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("story.toml"), STORY).unwrap();
    let receiver = Receiver::responding_to_events(|number, _| {
        Reply::Status(200, json!({"id": format!("n{number}"), "urgent": true}).to_string())
    });
    let url = receiver.url();
    let fixed = ["run", "story.toml", "--vendor", "ebbot", "--to", &url, "--journal", "j.db"];
    let arguments = [&fixed[..], &["--resume"]].concat();
    let crash = |point: &str| {
        std::process::Command::new(env!("CARGO_BIN_EXE_standin"))
            .args(&arguments)
            .current_dir(folder.path())
            .env("STANDIN_CRASH_AT", point)
            .output()
            .unwrap()
    };
    let _ = crash("intent:4");
    let output = standin_in(folder.path(), &arguments);
    assert!(output.status.success(), "{}", stdout(&output));
    let mut tickets = texts(&receiver);
    tickets.retain(|text| text.starts_with("Ticket "));
    assert_eq!(tickets.len(), 1, "{tickets:?}");
    let question = receiver.requests().iter().position(|request| request.body.contains("Where is"));
    assert_eq!(tickets[0], format!("Ticket n{}", question.unwrap()));
}
