//! Golden bytes: whole runs, byte for byte, independent of the clock.
//!
//! `STANDIN_BLESS=1 cargo test golden` records them. Receivers get these bytes, so a change belongs
//! in the changelog. Each `tests/golden/SCENARIO.VENDOR.http` is a run; create an empty file to add
//! one. `bodies.txt` has a digest of each scenario at each vendor.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ring::digest;
use standin::emulator::StepOutcome;
use standin::platform::Platform;
use standin::scenario::bundled_names;

use crate::support::{
    ReceivedRequest, Receiver, entries, is_blessing, path, play, revisions, vendors,
};

/// The bytes of all requests, with a placeholder for the address of the receiver.
fn request_bytes(received: &[ReceivedRequest]) -> String {
    let request = |received: &ReceivedRequest| {
        let host = received.header("host").unwrap();
        format!("{}\r\n\r\n{}\r\n\r\n", received.head.replace(&host, "receiver"), received.body)
    };
    received.iter().map(request).collect()
}

fn assert_golden(file: &Path, bytes: &str) {
    if is_blessing() {
        fs::write(file, bytes).unwrap();
    }
    let expected = fs::read_to_string(file).unwrap_or_default();
    let differs = expected.lines().zip(bytes.lines()).find(|(old, new)| old != new);
    let file = file.display();
    assert!(expected == bytes, "{file} differs from what is sent, first here: {differs:#?}");
}

/// The runs with golden bytes, as scenario and vendor: `handover` everywhere, and every file.
fn golden_runs() -> BTreeSet<(String, String)> {
    let names = entries("tests/golden").into_iter();
    let names = names.filter_map(|file| file.file_name()?.to_str().map(str::to_owned));
    let run = |name: &str| {
        let (story, vendor) = name.strip_suffix(".http")?.split_once('.')?;
        Some((story.to_owned(), vendor.to_owned()))
    };
    let handovers = revisions().into_iter().map(|vendor| ("handover".to_owned(), vendor.full_id()));
    names.filter_map(|name| run(&name)).chain(handovers).collect()
}

#[test]
fn whole_runs_match_their_golden_bytes() {
    for (story, vendor) in golden_runs() {
        let receiver = Receiver::accepting();
        play(&story).at(&vendor).to(&receiver);
        let file = path(&format!("tests/golden/{story}.{vendor}.http"));
        assert_golden(&file, &request_bytes(&receiver.requests()));
    }
}

#[test]
fn every_scenario_matches_its_golden_digest() {
    let mut digests = String::new();
    for story in bundled_names() {
        let names = revisions().into_iter().map(|vendor| vendor.full_id());
        for name in names.filter(|name| play(&story).at(name).is_playable()) {
            let mut bodies = Vec::new();
            for scene in play(&story).at(&name).subscribing(&["*"]).step_outputs() {
                let StepOutcome::Done { result, .. } = scene.outcome else { continue };
                bodies.extend(result.payloads.into_iter().filter_map(|payload| payload.body));
            }
            let digest = digest::digest(&digest::SHA256, bodies.join("\n").as_bytes());
            let (many, digest) = (bodies.len(), &hex::encode(digest)[..16]);
            digests += &format!("{story:<12} {name:<15} {many:>4} {digest}\n");
        }
    }
    assert_golden(&path("tests/golden/bodies.txt"), &digests);
}

#[test]
fn the_clock_changes_no_byte() {
    // The time of sending is that of the clock.
    let is_timed = |vendor: &Platform| ["courier", "hive", "till"].contains(&vendor.id.as_str());
    for vendor in vendors().into_iter().filter(|vendor| !is_timed(vendor)) {
        let jumping = Receiver::accepting();
        play("handover").at(&vendor.id).seed(7).to(&jumping);
        let passing = Receiver::accepting();
        play("handover").at(&vendor.id).seed(7).in_real_time(200.0).to(&passing);
        assert_eq!(
            request_bytes(&jumping.requests()),
            request_bytes(&passing.requests()),
            "{}",
            vendor.id
        );
    }
}

#[test]
fn the_seed_determines_the_bytes() {
    let sent = |seed: u64| {
        let receiver = Receiver::accepting();
        play("handover").at("ebbot").seed(seed).to(&receiver);
        request_bytes(&receiver.requests())
    };
    assert_eq!(sent(3), sent(3));
    assert_ne!(sent(3), sent(4));
}

#[test]
fn adding_a_step_does_not_change_other_values() {
    let story = |extra: &str| {
        format!(
            "[[step]]\nopen = {{}}\n{extra}[[step]]\nsay = {{ by = 'visitor', text = '${{fake.sentence}}' }}\n\
             [[step]]\nclose = {{ by = 'system' }}\n"
        )
    };
    let said = |scenario: &str| {
        let receiver = Receiver::accepting();
        play(scenario).at("ebbot").to(&receiver);
        let events = receiver.events();
        let said = events
            .iter()
            .map(ReceivedRequest::json)
            .find(|event| event["topic"] == "chat.user.message");
        let data = said.unwrap()["data"].clone();
        (data["id"].clone(), data["value"].clone(), data["chatId"].clone())
    };
    let note = "[[step]]\nsay = { by = 'bot', text = 'Welcome!' }\n";
    assert_eq!(said(&story("")), said(&story(note)));
}
