//! The summary of a run on the console: causes of failures, what to do next, and caveats.

use std::fs;

use crate::support::{Receiver, Reply, accept, code, path, standin, standin_in, stderr, stdout};

#[test]
fn each_failed_delivery_is_reported_with_the_line_of_its_step() {
    let receiver = Receiver::responding(|_, _| Reply::Status(500, "broken".into()));
    let url = receiver.url();
    let output = standin(&["run", "handover", "--vendor", "ebbot", "--to", &url, "--quiet"]);
    let told = stdout(&output);
    let scenario = fs::read_to_string(path("scenarios/handover.toml")).unwrap();
    let line = 1 + scenario.lines().position(|line| line.starts_with("open = ")).unwrap();
    let first =
        format!("First: handover:{line} `chat.create` (delivery 1-1): status 500, expected");
    assert!(told.contains(&first), "{told}");
    assert_eq!(told.lines().filter(|line| line.starts_with("  handover:")).count(), 4);
    assert!(told.contains(" `chat.user.message` (delivery 1-2, 3 of 3): status 500"), "{told}");
    assert!(told.contains("request body: {\"topic\":\"chat.create\","), "{told}");
    assert_eq!(told.matches("request body: ").count(), 1, "{told}");
    assert!(!told.contains("--events"), "{told}");
}

#[test]
fn a_rejected_event_type_and_rejected_credentials_are_put_in_context() {
    let page =
        "<!DOCTYPE html><html><head><title>401</title></head><body><h1>Who?</h1></body></html>";
    let receiver = Receiver::responding(move |_, request| {
        let is_update = request.body.contains("\"chat.update\"");
        if is_update { Reply::Status(401, page.into()) } else { accept(request) }
    });
    let folder = tempfile::tempdir().unwrap();
    let url = receiver.url();
    let arguments = ["run", "handover", "--vendor", "ebbot", "--to", &url, "-q"];
    let output = standin_in(folder.path(), &[&arguments[..], &["--journal", "runs.db"]].concat());
    let told = stdout(&output);
    assert_eq!(code(&output), 1);
    assert!(told.contains("response body: 401 Who?\n"), "{told}");
    assert!(told.contains("accepted the same credentials of 10 other deliveries"), "{told}");
    assert!(!told.contains("standin secrets"), "{told}");
    assert!(told.contains("add `--events '!chat.update'`"), "{told}");
    let again = told.lines().find_map(|line| line.strip_prefix("redeliver: standin ")).unwrap();
    let again: Vec<&str> = again.split(' ').collect();
    let output = standin_in(folder.path(), &again);
    assert_eq!(code(&output), 1, "{}{}", stdout(&output), stderr(&output));
    let sent = receiver.requests();
    assert_eq!(
        sent[12].body,
        sent.iter().find(|request| request.body.contains("chat.update")).unwrap().body
    );
}

#[test]
fn events_are_excluded_only_after_responses_and_from_the_default_subscription() {
    let run = |receiver: &Receiver| {
        let to = receiver.url();
        stdout(&standin(&["run", "handover", "--vendor", "ebbot", "--to", &to, "-q"]))
    };
    // Without a response, the receiver may have crashed.
    let crashing = Receiver::responding(|_, request| {
        if request.body.contains("\"chat.update\"") { Reply::Close } else { accept(request) }
    });
    let told = run(&crashing);
    assert!(told.contains("(reset)") && !told.contains("--events"), "{told}");
    // `chat.message` stays excluded, as it is by default.
    let rejecting = Receiver::responding(|_, request| {
        let is_update = request.body.contains("\"chat.update\"");
        if is_update { Reply::Status(500, String::new()) } else { accept(request) }
    });
    let told = run(&rejecting);
    assert!(told.contains("add `--events '!chat.update'`"), "{told}");
    let to = rejecting.url();
    let own = ["--events", "chat.*,!chat.message", "-q"];
    let arguments = ["run", "handover", "--vendor", "ebbot", "--to", &to];
    let told = stdout(&standin(&[&arguments[..], &own].concat()));
    assert!(told.contains("add `--events 'chat.*,!chat.message,!chat.update'`"), "{told}");
}

#[test]
fn caveats_come_last_and_once_for_all_runs() {
    let receiver = Receiver::accepting();
    let url = receiver.url();
    let arguments =
        ["run", "handover", "transfer", "--vendor", "liveperson", "--to", &url, "--quiet"];
    let told = stdout(&standin(&arguments));
    let lines: Vec<&str> = told.lines().rev().take(2).collect();
    assert!(lines[0].starts_with("note: real servers also send"), "{told}");
    assert!(lines[1].starts_with("not tested: whether the receiver checks signatures"), "{told}");
    assert_eq!(told.matches("not tested: ").count() + told.matches("note: ").count(), 2, "{told}");
}
