//! `signature = "probe"`: two requests that the receiver must reject.

use std::sync::Arc;

use serde_json::Value as Json;
use standin::platform::{Account, Verifier};
use standin::record::{RecordKind, Verdict};

use crate::support::{
    ReceivedRequest, Receiver, Reply, RunOutcome, configured, play, standin, standin_in, stdout,
    vendors,
};

const STORY: &str = "[verify]\nsignature = 'probe'\n[[step]]\nopen = {}\n\
                     [[step]]\nsay = { by = 'visitor', text = 'Hello' }\n";

fn account(vendor: &str) -> Account {
    Account::test(&vendors().into_iter().find(|own| own.id == vendor).unwrap())
}

/// A receiver that verifies what `read` makes of the body.
fn verifying(vendor: &str, read: fn(&str) -> String) -> Receiver {
    let account = account(vendor);
    Receiver::responding_to_events(move |_, received| {
        let body = read(&received.body);
        let report = Verifier::of(&account).verify(&body, &|name| received.header(name));
        Reply::Status(if report.passed() { 200 } else { 401 }, "{}".into())
    })
}

/// `JSON.stringify(JSON.parse(body))`.
fn stringify(body: &str) -> String {
    serde_json::from_str::<Json>(body).unwrap().to_string()
}

/// The faults of the probes, each with whether it passed.
fn probes(played: &RunOutcome) -> Vec<(String, bool)> {
    let finished = played.records.iter().filter_map(|record| match &record.kind {
        RecordKind::ProbeFinished { fault, passed, why, .. } => {
            assert_eq!(*passed, why.is_none());
            Some((fault.to_string(), *passed))
        }
        _ => None,
    });
    finished.collect()
}

fn skipped(played: &RunOutcome) -> Vec<String> {
    let skipped = played.records.iter().filter_map(|record| match &record.kind {
        RecordKind::ProbeSkipped { fault, reason, .. } => Some(format!("{fault}: {reason}")),
        _ => None,
    });
    skipped.collect()
}

#[test]
fn a_receiver_that_verifies_the_bytes_passes() {
    for vendor in ["liveperson", "parlour"] {
        let receiver = verifying(vendor, str::to_owned);
        let played = play(STORY).at(vendor).to(&receiver);
        assert_eq!(played.finished.reason, None, "{vendor}");
        let expected = [("wrong_token".to_owned(), true), ("re_serialised".to_owned(), true)];
        assert_eq!(probes(&played), expected, "{vendor}");
        assert_eq!(played.finished.probes, 2);
        assert_eq!(played.finished.untested, [""; 0], "{vendor}");
        let requests = u64::try_from(receiver.events().len()).unwrap();
        assert_eq!(played.finished.attempts + 2, requests, "{vendor}");
    }
}

#[test]
fn the_probes_come_first_and_share_no_body_with_an_event() {
    let receiver = verifying("liveperson", str::to_owned);
    play(STORY).at("liveperson").to(&receiver);
    let events = receiver.events();
    let same = |one: &ReceivedRequest, other: &ReceivedRequest| {
        stringify(&one.body) == stringify(&other.body)
    };
    let [wrong, re_serialised, rest @ ..] = &events[..] else { panic!("{events:?}") };
    assert!(same(wrong, re_serialised) && wrong.body != re_serialised.body);
    assert!(!rest.is_empty() && !rest.iter().any(|event| same(event, wrong)));
}

#[test]
fn a_receiver_that_checks_nothing_fails_with_every_delivery_passed() {
    for vendor in ["liveperson", "wotnot", "swiftsell", "parlour"] {
        let played = play(STORY).at(vendor).to(&Receiver::accepting());
        assert_eq!(played.finished.verdict, Verdict::Failed, "{vendor}");
        assert_eq!(played.finished.passed, played.finished.deliveries, "{vendor}");
        let reason = played.finished.reason.unwrap();
        let expected = "the signature probe failed: `wrong_token`: status 200; a correct receiver rejects it with 400, 401, 403 or 422";
        assert_eq!(reason, expected, "{vendor}");
    }
}

#[test]
fn a_receiver_that_verifies_the_serialised_body_fails() {
    let receiver = verifying("liveperson", stringify);
    let without = STORY.replace("[verify]\nsignature = 'probe'\n", "");
    assert_eq!(play(&without).at("liveperson").to(&receiver).finished.reason, None);
    let played = play(STORY).at("liveperson").to(&receiver);
    let expected = [("wrong_token".to_owned(), true), ("re_serialised".to_owned(), false)];
    assert_eq!(probes(&played), expected);
    assert_eq!(played.finished.verdict, Verdict::Failed);
    // The fault of the same name exposes it as well.
    let fault = format!("{without}fault = 're_serialised'\n");
    assert_eq!(play(&fault).at("liveperson").to(&receiver).finished.verdict, Verdict::Failed);
}

#[test]
fn other_responses_than_a_rejection_fail() {
    for (status, passes) in
        [(400, true), (403, true), (422, true), (404, false), (500, false), (302, false)]
    {
        let account = Arc::new(account("liveperson"));
        let receiver = Receiver::responding_to_events(move |_, received| {
            let report =
                Verifier::of(&account).verify(&received.body, &|name| received.header(name));
            Reply::Status(if report.passed() { 200 } else { status }, "{}".into())
        });
        let played = play(STORY).at("liveperson").to(&receiver);
        assert_eq!(played.finished.verdict == Verdict::Passed, passes, "{status}");
    }
    let account = account("liveperson");
    let receiver = Receiver::responding_to_events(move |_, received| {
        let report = Verifier::of(&account).verify(&received.body, &|name| received.header(name));
        if report.passed() { Reply::good() } else { Reply::Close }
    });
    let reason = play(STORY).at("liveperson").to(&receiver).finished.reason.unwrap();
    assert!(reason.contains("`wrong_token`: no response (reset)"), "{reason}");
}

#[test]
fn what_a_vendor_does_not_have_is_not_applicable() {
    let played = play(STORY).at("wotnot").to(&verifying("wotnot", str::to_owned));
    assert_eq!(played.finished.reason, None);
    assert_eq!(probes(&played), [("wrong_token".to_owned(), true)]);
    assert_eq!(skipped(&played), ["re_serialised: WotNot signs no body"]);
    let played = play(STORY).at("ebbot").to(&Receiver::accepting());
    assert_eq!(played.finished.verdict, Verdict::Passed);
    assert_eq!((probes(&played), played.finished.probes), (vec![], 0));
    assert_eq!(skipped(&played), ["wrong_token: Ebbot sends neither a token nor a signature"]);
    assert_eq!(played.finished.untested, [""; 0]);
}

#[test]
fn a_run_without_a_probe_says_that_signatures_were_not_tested() {
    let receiver = Receiver::accepting();
    let url = receiver.url();
    let told =
        |vendor: &str| stdout(&standin(&["run", "handover", "--vendor", vendor, "--to", &url]));
    let note = "not tested: whether the receiver checks signatures";
    assert_eq!(told("liveperson").matches(note).count(), 1);
    assert_eq!(told("ebbot").matches(note).count(), 0);
    let send = ["send", "liveperson", "ms.MessagingEventNotification.ContentEvent", "--to", &url];
    assert!(!stdout(&standin(&send)).contains(note));
}

#[test]
fn the_console_the_dry_run_and_json_show_the_probe() {
    let folder = configured("");
    std::fs::write(folder.path().join("story.toml"), STORY).unwrap();
    let receiver = Receiver::accepting();
    let url = receiver.url();
    let run = |more: &[&str]| {
        let fixed = ["run", "story.toml", "--vendor", "liveperson", "--to", &url];
        stdout(&standin_in(folder.path(), &[&fixed, more].concat()))
    };
    let told = run(&[]);
    assert!(told.contains("✗ signature probe (injected fault: wrong_token)"), "{told}");
    assert!(
        told.contains("status 200; a correct receiver rejects it with 400, 401, 403 or 422"),
        "{told}"
    );
    assert!(told.contains("2 signature probes and "), "{told}");
    let dry = run(&["--dry-run"]);
    assert_eq!(dry.matches("signature probe with ").count(), 2, "{dry}");
    let json = run(&["--json"]);
    assert_eq!(json.matches("\"kind\":\"probe.sent\"").count(), 2);
    assert_eq!(json.matches("\"kind\":\"probe.finished\"").count(), 2);
}

#[test]
fn a_private_secret_is_not_in_the_records_of_the_probe() {
    let secret = "s3cr3t-Canary-0123456789";
    let folder = configured(&format!("[vendor.wotnot]\nsecret = {{ token = \"{secret}\" }}\n"));
    std::fs::write(folder.path().join("story.toml"), STORY).unwrap();
    let receiver = Receiver::accepting();
    let run = ["run", "story.toml", "--vendor", "wotnot", "--to", &receiver.url(), "--json"];
    let told = stdout(&standin_in(folder.path(), &run));
    let probe = &receiver.events()[0];
    let sent = probe.header("authorization").unwrap();
    assert!(sent != secret && !told.contains(&sent) && !told.contains("Canary"), "{told}");
    assert!(told.contains("${secret.token.wrong_token}"), "{told}");
}

#[test]
fn a_resumed_run_judges_the_stored_result_of_a_probe() {
    let folder = configured("");
    std::fs::write(folder.path().join("story.toml"), STORY).unwrap();
    let receiver = Receiver::accepting();
    let url = receiver.url();
    let resume = |crash: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_standin"))
            .args(["run", "story.toml", "--vendor", "liveperson", "--to", &url])
            .args(["--journal", "j.db", "--resume"])
            .current_dir(folder.path())
            .env("STANDIN_CRASH_AT", crash)
            .output()
            .unwrap();
        (output.status.code(), stdout(&output))
    };
    resume("intent");
    assert_eq!(receiver.count(), 2, "only the probes were sent");
    let (code, told) = resume("");
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("the signature probe failed: `wrong_token`: status 200"), "{told}");
    let probe = &receiver.events()[0].body;
    let again = receiver.events().iter().filter(|event| event.body == *probe).count();
    assert_eq!(again, 1, "a probe with a result is not sent again");
}
