//! Golden wire bytes: whole runs, byte for byte, whatever the clock.
//!
//! `STANDIN_BLESS=1 cargo test golden` writes them anew; a change of them is a change of what
//! receivers get, and belongs in the changelog. Each `tests/golden/STORY.VENDOR.http` is a run: an
//! empty file of such a name is a new one. `bodies.txt` has a digest of each story at each vendor.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;

use ring::digest;
use standin::scenario::{StepOutcome, bundled_names};

use crate::support::{Came, Receiver, path, play, revisions, vendors};

/// Every request as it came, with the receiver's port left out.
fn wire(came: &[Came]) -> String {
    let request = |came: &Came| {
        let host = came.header("host").unwrap();
        format!("{}\r\n\r\n{}\r\n\r\n", came.head.replace(&host, "receiver"), came.body)
    };
    came.iter().map(request).collect()
}

fn golden(file: &Path, bytes: &str) {
    if env::var_os("STANDIN_BLESS").is_some() {
        fs::write(file, bytes).unwrap();
    }
    let expected = fs::read_to_string(file).unwrap_or_default();
    let differs = expected.lines().zip(bytes.lines()).find(|(old, new)| old != new);
    let file = file.display();
    assert!(expected == bytes, "{file} differs from what is sent, first here: {differs:#?}");
}

/// The runs that have golden bytes: the handover at each vendor, and every file there is.
fn runs() -> BTreeSet<(String, String)> {
    let files = fs::read_dir(path("tests/golden")).unwrap().flatten();
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    let run = |name: &str| {
        let (story, vendor) = name.strip_suffix(".http")?.split_once('.')?;
        Some((story.to_owned(), vendor.to_owned()))
    };
    let handovers = revisions().into_iter().map(|vendor| ("handover".to_owned(), vendor.full_id()));
    names.filter_map(|name| run(&name)).chain(handovers).collect()
}

#[test]
fn whole_runs_are_as_they_were() {
    for (story, vendor) in runs() {
        let receiver = Receiver::agreeing();
        play(&story).at(&vendor).to(&receiver);
        let file = path(&format!("tests/golden/{story}.{vendor}.http"));
        golden(&file, &wire(&receiver.came()));
    }
}

#[test]
fn every_story_has_the_bodies_it_had() {
    let mut digests = String::new();
    for story in bundled_names() {
        let names = revisions().into_iter().map(|vendor| vendor.full_id());
        for name in names.filter(|name| play(&story).at(name).can_be()) {
            let mut bodies = Vec::new();
            for scene in play(&story).at(&name).subscribing(&["*"]).scenes() {
                let StepOutcome::Done { happened, .. } = scene.outcome else { continue };
                bodies.extend(happened.payloads.into_iter().filter_map(|payload| payload.body));
            }
            let digest = digest::digest(&digest::SHA256, bodies.join("\n").as_bytes());
            let (many, digest) = (bodies.len(), &hex::encode(digest)[..16]);
            digests += &format!("{story:<12} {name:<15} {many:>4} {digest}\n");
        }
    }
    golden(&path("tests/golden/bodies.txt"), &digests);
}

#[test]
fn the_clock_changes_no_byte() {
    for vendor in vendors() {
        let jumping = Receiver::agreeing();
        play("handover").at(&vendor.id).seed(7).to(&jumping);
        let passing = Receiver::agreeing();
        play("handover").at(&vendor.id).seed(7).in_real_time(200.0).to(&passing);
        assert_eq!(wire(&jumping.came()), wire(&passing.came()), "{}", vendor.id);
    }
}

#[test]
fn another_seed_sends_other_bytes_and_the_same_seed_the_same() {
    let sent = |seed: u64| {
        let receiver = Receiver::agreeing();
        play("handover").at("ebbot").seed(seed).to(&receiver);
        wire(&receiver.came())
    };
    assert_eq!(sent(3), sent(3));
    assert_ne!(sent(3), sent(4));
}

#[test]
fn adding_a_step_does_not_reshuffle_the_others() {
    let story = |extra: &str| {
        format!(
            "[[step]]\nopen = {{}}\n{extra}[[step]]\nsay = {{ by = 'visitor', text = '${{fake.sentence}}' }}\n\
             [[step]]\nclose = {{ by = 'system' }}\n"
        )
    };
    let said = |scenario: &str| {
        let receiver = Receiver::agreeing();
        play(scenario).at("ebbot").to(&receiver);
        let events = receiver.events();
        let said =
            events.iter().map(Came::json).find(|event| event["topic"] == "chat.user.message");
        let data = said.unwrap()["data"].clone();
        (data["id"].clone(), data["value"].clone(), data["chatId"].clone())
    };
    let note = "[[step]]\nsay = { by = 'bot', text = 'Welcome!' }\n";
    assert_eq!(said(&story("")), said(&story(note)));
}
