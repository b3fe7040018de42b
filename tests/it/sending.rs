//! `standin send`, and the output of `--dry-run` and `--curl`.

use std::process::Command;

use crate::support::{
    ReceivedRequest, Receiver, bundled_vendors, configured, standin, standin_in, stderr, stdout,
};

/// Sends one webhook to a new receiver. Returns the received requests.
fn send(arguments: &[&str]) -> Vec<ReceivedRequest> {
    let receiver = Receiver::accepting();
    let url = receiver.url();
    let output = standin(&[&["send"], arguments, &["--to", &url]].concat());
    assert_eq!(
        output.status.code(),
        Some(0),
        "{arguments:?}: {}{}",
        stdout(&output),
        stderr(&output)
    );
    receiver.events()
}

#[test]
fn every_event_type_of_every_vendor_can_be_sent() {
    for vendor in &bundled_vendors() {
        for event_type in vendor.event_types() {
            assert_eq!(send(&[&vendor.id, event_type]).len(), 1, "{} {event_type}", vendor.id);
        }
    }
}

#[test]
fn a_message_kind_and_its_data_can_be_requested() {
    let received = send(&[
        "ebbot",
        "chat.bot.message",
        "--kind",
        "buttons",
        "--set",
        "text=Well?",
        "--set",
        "options=['A', 'B']",
    ]);
    let value = &received[0].json()["data"]["value"];
    assert_eq!(value["description"], "Well?");
    assert_eq!([&value["urls"][0]["label"], &value["urls"][1]["label"]], ["A", "B"]);
    let options =
        r#"options=[{"label": "A", "url": "https://shop.example.test/"}, {"label": "B"}]"#;
    let received = send(&["ebbot", "chat.bot.message", "--kind", "buttons", "--set", options]);
    let urls = &received[0].json()["data"]["value"]["urls"];
    assert_eq!(urls.as_array().unwrap().len(), 2, "JSON does as well as TOML: {urls}");
    assert_eq!(urls[1]["label"], "B");
    let received = send(&["erxes", "customer.update", "--set", "lastName=Doe"]);
    assert_eq!(received[0].json()["data"]["newData"]["lastName"], "Doe");
    let received = send(&["wotnot", "note", "--set", "text=It is = 5"]);
    assert!(received[0].body.contains("It is = 5"), "{}", received[0].body);
}

#[test]
fn a_kind_that_is_sent_as_another_can_be_requested() {
    let content = "ms.MessagingEventNotification.ContentEvent";
    for kind in ["document", "file", "upload_response"] {
        let received = send(&["liveperson@2022", content, "--kind", kind]);
        let event = received[0].json()["body"]["changes"][0]["event"].clone();
        assert_eq!(event["contentType"], "hosted/file", "{kind}");
        let received = send(&["erxes", "customerMessages.create", "--kind", kind]);
        assert!(received[0].json()["data"]["attachments"][0]["url"].is_string(), "{kind}");
    }
    let output = standin(&["send", "liveperson", content, "--kind", "carousel"]);
    assert_eq!(output.status.code(), Some(2));
    let rich = "`carousel` is sent as `ms.MessagingEventNotification.RichContentEvent`";
    assert!(stderr(&output).contains(rich), "{}", stderr(&output));
}

#[test]
fn what_leads_to_a_requested_event_has_happened() {
    let transcript = send(&["ebbot", "chat.close"])[0].json()["data"]["conversation"].clone();
    let senders: Vec<&str> =
        transcript.as_array().unwrap().iter().map(|m| m["sender"].as_str().unwrap()).collect();
    assert_eq!(senders, ["user", "agent"]);
    let data = send(&["ebbot", "chat.data.update"])[0].json()["data"].clone();
    assert_ne!(data["user_last_input"], "");
    let status = send(&["wotnot", "status"]);
    assert_eq!(status[0].json()["events"][0]["event"]["payload"]["closed_by"]["type"], "user");
}

#[test]
fn the_cause_of_an_event_can_be_requested() {
    let chat = |arguments: &[&str]| {
        send(&[&["ebbot", "chat.update"], arguments].concat())[0].json()["chat"].clone()
    };
    assert_eq!(chat(&["--on", "conversation.closed"])["status"], "chat_closed");
    assert_eq!(chat(&["--on", "conversation.rated", "--set", "score=2"])["rating"], 2);
    assert_eq!(chat(&["--on", "conversation.reopened"])["status"], "ongoing");
    assert!(chat(&["--set", "skill=returns"])["transferSkillId"].is_string());
    assert_eq!(chat(&[])["handled_by"], "agent");
    let output = standin(&["send", "ebbot", "chat.update", "--on", "conversation.clozed"]);
    assert_eq!(output.status.code(), Some(2));
    let told = stdout(&standin(&["vendors", "ebbot", "chat.update"]));
    assert!(told.contains("conversation.rated") && told.contains("--on"), "{told}");
}

#[test]
fn a_set_table_with_type_and_value_is_a_typed_variable() {
    let sets = ["--set", "x={type=\"date\",value=\"2026-01-02\"}", "--set", "n=1"];
    let received = send(&[&["wotnot", "variables"], &sets[..]].concat());
    let event = received[0].json()["events"][0]["event"].clone();
    let x = serde_json::json!({"type": "date", "name": "visitor_x", "value": "2026-01-02"});
    assert_eq!(event["payload"]["variables"][0], x);
    assert_eq!(event["payload"]["variables"][1]["type"], "number");
}

#[test]
fn different_messages_have_different_ids() {
    let id = |text: &str| {
        let set = format!("text={text}");
        let received = send(&["ebbot", "chat.user.message", "--set", &set]);
        let data = received[0].json()["data"].clone();
        (data["id"].as_str().unwrap().to_owned(), data["chatId"].as_str().unwrap().to_owned())
    };
    assert_ne!(id("A").0, id("B").0);
    assert_eq!(id("A").1, id("B").1, "both are in one conversation");
    assert_eq!(id("A"), id("A"), "the same request sends the same bytes");
}

#[test]
fn a_set_text_stays_a_string() {
    for (set, text) in [
        ("text=42", "42"),
        ("text=true", "true"),
        ("text=1e999", "1e999"),
        ("text=[1]", "[1]"),
        ("text={\"a\":1}", "{\"a\":1}"),
        ("text=\"quoted\"", "quoted"),
        ("text=", ""),
    ] {
        let received = send(&["ebbot", "chat.bot.message", "--set", set]);
        assert_eq!(received[0].json()["data"]["value"], text, "{set}");
    }
}

#[test]
fn an_impossible_request_is_an_error_before_sending() {
    for (arguments, told) in [
        (&["ebbot", "chat.crate"][..], "did you mean `chat.create`?"),
        (&["ebbot", "chat.bot.message", "--kind", "butons"], "did you mean `buttons`?"),
        (&["ebbot", "chat.bot.message", "--set", "txt=A"], "did you mean `text`?"),
        (
            &["ebbot", "chat.bot.message", "--kind", "buttons", "--set", "options=5"],
            "expected a list",
        ),
        (
            &["ebbot", "chat.bot.message", "--kind", "buttons", "--set", "options=[{'label' 'A'}]"],
            "the default is `[{\"label\":\"Yes\"",
        ),
        (
            &["ebbot", "chat.user.message", "--by", "agent"],
            "sends no `chat.user.message` for this kind",
        ),
        (&["ebot", "chat.create"], "did you mean `ebbot`?"),
        (&["ebbot", "chat.create", "--set", "text"], "`text` is not in the form PATH=VALUE"),
    ] {
        let receiver = Receiver::accepting();
        let url = receiver.url();
        let output = standin(&[&["send"], arguments, &["--to", &url]].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(told), "{arguments:?}: {}", stderr(&output));
        assert!(receiver.requests().is_empty());
    }
}

/// The body sizes in the lines of a timeline.
fn sizes(told: &str) -> Vec<usize> {
    let lines = told.lines().filter(|line| line.ends_with(" bytes"));
    lines.map(|line| line.split(' ').rev().nth(1).unwrap().parse().unwrap()).collect()
}

#[test]
fn a_dry_run_prints_what_a_run_sends() {
    for vendor in ["wotnot", "liveperson", "erxes"] {
        let told = stdout(&standin(&["run", "handover", "--vendor", vendor, "--dry-run"]));
        let receiver = Receiver::accepting();
        let url = receiver.url();
        assert_eq!(
            standin(&["run", "handover", "--vendor", vendor, "--to", &url]).status.code(),
            Some(0)
        );
        let sent: Vec<usize> =
            receiver.requests().iter().map(|received| received.body.len()).collect();
        assert_eq!(sizes(&told), sent, "{vendor}: {told}");
        assert!(told.contains("nothing was sent"), "{told}");
    }
}

#[test]
fn a_dry_run_reports_skipped_and_silent_events_as_a_run_does() {
    let arguments = ["run", "handover", "--vendor", "erxes", "--events", "customer*"];
    let dry = stdout(&standin(&[&arguments[..], &["--dry-run"]].concat()));
    let receiver = Receiver::accepting();
    let run = stdout(&standin(&[&arguments[..], &["--to", &receiver.url()]].concat()));
    let after = |told: &str, mark: &str| -> Vec<String> {
        let lines = told.lines().filter_map(|line| Some(line.split_once(mark)?.1.to_owned()));
        lines.collect()
    };
    let differs = after(&run, "note: ");
    assert!(!differs.is_empty() && after(&dry, "note: ") == differs, "{dry}{run}");
    let silent = after(&run, "no webhook: ");
    assert!(!silent.is_empty() && after(&dry, " sends nothing: ") == silent, "{dry}{run}");
    let unsubscribed =
        after(&run, "- ").into_iter().filter(|line| line.ends_with("(no subscription)"));
    let unsubscribed: Vec<String> = unsubscribed.collect();
    assert!(!unsubscribed.is_empty(), "{run}");
    let dry_unsubscribed: Vec<String> =
        after(&dry, "- ").into_iter().filter(|line| line.ends_with("(no subscription)")).collect();
    assert_eq!(dry_unsubscribed, unsubscribed);
    let curl = stdout(&standin(&[&arguments[..], &["--curl"]].concat()));
    assert!(after(&curl, " sends nothing: ") == silent, "{curl}");
}

#[test]
#[ignore = "requires curl"]
fn a_curl_command_sends_the_same_bytes() {
    for vendor in ["wotnot", "liveperson"] {
        let receiver = Receiver::accepting();
        let url = receiver.url();
        let arguments = ["run", "handover", "--vendor", vendor, "--to", &url];
        let script = stdout(&standin(&[&arguments[..], &["--curl"]].concat()));
        assert!(receiver.requests().is_empty());
        assert!(Command::new("sh").args(["-c", &script]).output().unwrap().status.success());
        let by_curl: Vec<String> =
            receiver.requests().into_iter().map(|received| received.body).collect();
        let receiver = Receiver::accepting();
        let url = receiver.url();
        standin(&["run", "handover", "--vendor", vendor, "--to", &url]);
        let by_us: Vec<String> =
            receiver.requests().into_iter().map(|received| received.body).collect();
        assert_eq!(by_curl, by_us, "{vendor}");
    }
}

#[test]
fn a_curl_command_reads_the_users_secret_from_a_variable() {
    let folder = configured("[vendor.wotnot]\nsecret = { token = 'quiet-heron-77' }\n");
    let told = stdout(&standin_in(folder.path(), &["send", "wotnot", "note", "--curl"]));
    assert!(told.contains(r#"'Authorization: '"$WOTNOT_TOKEN"''"#), "{told}");
    assert!(!told.contains("quiet-heron-77"), "{told}");
}
