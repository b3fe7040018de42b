//! A fault shows something only if the receiver accepts the same requests without it: the control.

use standin::fault::{FaultGroup, FaultKind};
use standin::platform::{Account, FaultInjector};
use standin::record::{RecordKind, Verdict};

use crate::support::{
    Receiver, Reply, RunOutcome, configured, free_port, play, standin_in, stderr, stdout, vendors,
};

/// The URL of a port on which no server listens.
fn closed_port() -> String {
    format!("http://127.0.0.1:{}/", free_port())
}

/// A conversation whose deliveries all have this fault.
fn faulty(fault: &str) -> String {
    format!(
        "name = \"faulty\"\n[faults]\nevery = \"{fault}\"\n[[step]]\nopen = {{ assignee = \"bot\" }}\n\
         [[step]]\nsay = {{ by = \"visitor\", text = \"One\" }}\n"
    )
}

/// A conversation whose second message has this fault.
fn partly_faulty(fault: &str) -> String {
    let say = "say = { by = \"visitor\", text = \"One\" }\n";
    format!(
        "name = \"partly\"\n[[step]]\nopen = {{ assignee = \"bot\" }}\n[[step]]\n{say}[[step]]\n\
         fault = \"{fault}\"\n{say}"
    )
}

fn controls(played: &RunOutcome) -> Vec<String> {
    let planned = played.records.iter().filter_map(|record| match &record.kind {
        RecordKind::DeliveryPlanned { delivery, control: true, faults, .. } => {
            assert!(faults.is_empty(), "{faults}");
            Some(delivery.clone())
        }
        _ => None,
    });
    planned.collect()
}

fn sent_faults() -> impl Iterator<Item = FaultKind> {
    FaultKind::ALL.iter().copied().filter(|kind| kind.group() != FaultGroup::Receiver)
}

#[test]
fn no_fault_passes_at_a_port_on_which_nothing_listens() {
    for vendor in vendors().into_iter().filter(|vendor| vendor.id == "liveperson") {
        let account = Account::test(&vendor);
        let is_possible =
            |kind: &FaultKind| FaultInjector::of(&account).unsupported(*kind).is_none();
        for kind in sent_faults().filter(is_possible) {
            let told = format!("{kind} at {}", vendor.id);
            for scenario in [faulty(kind.as_str()), partly_faulty(kind.as_str())] {
                let run = play(&scenario).at(&vendor.id);
                let played = run.against(&closed_port());
                assert_ne!(played.finished.verdict, Verdict::Passed, "{told}");
                assert_eq!(played.finished.passed, 0, "{told}");
            }
        }
    }
}

#[test]
fn no_fault_passes_without_a_connection_whatever_the_reason() {
    // The receiver does not speak TLS, the name does not resolve, and the address is blocked.
    let no_tls = Receiver::accepting().url().replace("http:", "https:");
    for url in [&no_tls, "http://receiver.invalid/", "http://169.254.169.254/"] {
        for fault in ["reset", "length", "body_cut"] {
            let played = play(&partly_faulty(fault)).at("ebbot").against(url);
            let passed = played.find(|kind| match kind {
                RecordKind::DeliverySettled(settled) if settled.passed => {
                    Some(settled.faults.to_string())
                }
                _ => None,
            });
            assert_eq!(passed, None, "{fault} to {url}");
        }
    }
}

#[test]
fn only_a_status_that_refuses_a_token_counts_as_a_refusal() {
    for kind in sent_faults().filter(|kind| kind.group() == FaultGroup::Token) {
        for status in [400, 401, 403, 422, 404, 405, 410, 429] {
            let receiver = Receiver::responding_to_events(move |number, _| {
                // The last request is the one with the fault.
                Reply::Status(if number == 0 { 200 } else { status }, String::new())
            });
            let run = play(&partly_faulty(kind.as_str())).at("liveperson");
            let played = run.subscribing(&["*.ContentEvent"]).to(&receiver);
            assert_eq!(receiver.count(), 2);
            let passes = matches!(status, 400 | 401 | 403 | 422);
            let verdict = if passes { Verdict::Passed } else { Verdict::Failed };
            assert_eq!(played.finished.verdict, verdict, "{kind}, {status}: {:?}", played.finished);
        }
    }
}

#[test]
fn the_first_delivery_is_sent_without_its_fault_if_all_have_one() {
    for fault in
        ["wrong_token", "no_token", "deep", "missing_field", "straggler", "reset", "length"]
    {
        let receiver = Receiver::accepting();
        let run = play(&faulty(fault)).at("liveperson").subscribing(&["*.ContentEvent"]);
        let played = run.to(&receiver);
        assert_eq!(controls(&played), ["1-1.control"], "{fault}");
    }
    let run = play(&partly_faulty("deep")).at("liveperson").subscribing(&["*.ContentEvent"]);
    assert_eq!(controls(&run.to(&Receiver::accepting())), [""; 0]);
    // These must be accepted like a delivery without a fault, so that each is its own control.
    for fault in ["duplicate", "delay", "extra_field", "chunked"] {
        let run = play(&faulty(fault)).at("liveperson").subscribing(&["*.ContentEvent"]);
        assert_eq!(controls(&run.to(&Receiver::accepting())), [""; 0], "{fault}");
    }
    // A delivery that is never sent needs no control.
    let played = play(&faulty("drop")).at("liveperson").to(&Receiver::accepting());
    assert_eq!(controls(&played), [""; 0]);
    assert_eq!(played.finished.verdict, Verdict::Inconclusive);
}

#[test]
fn a_control_is_sent_once_and_its_failure_makes_the_run_inconclusive() {
    for status in [401, 404, 400] {
        let receiver =
            Receiver::responding_to_events(move |_, _| Reply::Status(status, String::new()));
        let run = play(&faulty("wrong_token")).at("liveperson").times(3);
        let played = run.subscribing(&["*.ContentEvent"]).to(&receiver);
        assert_eq!(controls(&played), ["1-1.control"]);
        assert_eq!(played.finished.verdict, Verdict::Inconclusive, "{status}");
        let reason = played.finished.reason.unwrap();
        assert!(
            reason.starts_with("the control failed, so the faults show nothing: ")
                && reason.contains(&format!("status {status}, expected 2")),
            "{reason}"
        );
    }
    // `verify` holds for the control.
    let verify =
        faulty("wrong_token").replace("[faults]", "verify = { status = [\"202\"] }\n[faults]");
    let receiver = Receiver::accepting();
    let played = play(&verify).at("liveperson").subscribing(&["*.ContentEvent"]).to(&receiver);
    assert_eq!(played.finished.verdict, Verdict::Inconclusive, "{:?}", played.finished);
}

#[test]
fn each_endpoint_has_a_control_of_its_own() {
    let good = Receiver::accepting();
    let closed = Receiver::responding_to_events(|_, _| Reply::Status(401, String::new()));
    let folder = configured("");
    std::fs::write(folder.path().join("story.toml"), faulty("deep")).unwrap();
    let to = [good.url(), closed.url()];
    let run = ["run", "story.toml", "--vendor", "wotnot", "--to", &to[0], "--to", &to[1]];
    let output = standin_in(folder.path(), &run);
    assert_eq!(output.status.code(), Some(1), "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("inconclusive"), "{}", stdout(&output));
    assert_eq!(stdout(&output).matches("(control)").count(), 2, "{}", stdout(&output));
    let dry = stdout(&standin_in(folder.path(), &[&run[..], &["--dry-run"]].concat()));
    assert_eq!(dry.matches("  control\n").count(), 2, "{dry}");
}

#[test]
fn chaos_that_leaves_no_step_without_a_fault_needs_a_control() {
    let folder = configured("");
    let story = "[[step]]\nopen = {}\n[[step]]\nsay = { by = \"visitor\", text = \"One\" }\n";
    std::fs::write(folder.path().join("story.toml"), story).unwrap();
    let refuses = Receiver::responding(|_, _| Reply::Status(401, String::new()));
    let to = refuses.url();
    for seed in ["1", "2", "3", "4", "5", "6"] {
        let run = ["run", "story.toml", "--vendor", "liveperson", "--to", &to, "--seed", seed];
        let more = ["--events", "*.ContentEvent", "--chaos", "auth"];
        let output = standin_in(folder.path(), &[&run[..], &more].concat());
        assert_eq!(output.status.code(), Some(1), "{}{}", stdout(&output), stderr(&output));
    }
}
