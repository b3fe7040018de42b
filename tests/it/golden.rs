//! Golden wire bytes: a whole run of each vendor, byte for byte, whatever the clock.
//!
//! `STANDIN_BLESS=1 cargo test golden` writes them anew; a change of them is a change of what
//! receivers get, and belongs in the changelog.

use std::env;
use std::fs;

use crate::support::{Came, Receiver, path, play, vendors};

/// Every request as it came, with the receiver's port left out.
fn wire(came: &[Came]) -> String {
    let request = |came: &Came| {
        let host = came.header("host").unwrap();
        format!("{}\r\n\r\n{}\r\n\r\n", came.head.replace(&host, "receiver"), came.body)
    };
    came.iter().map(request).collect()
}

fn golden(name: &str, bytes: &str) {
    let file = path(&format!("tests/golden/{name}.http"));
    if env::var_os("STANDIN_BLESS").is_some() {
        fs::write(&file, bytes).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    let differs = expected.lines().zip(bytes.lines()).find(|(old, new)| old != new);
    assert!(expected == bytes, "{name} differs from its golden bytes, first here: {differs:#?}");
}

#[test]
fn a_whole_run_of_each_vendor_is_as_it_was() {
    for vendor in vendors() {
        let receiver = Receiver::agreeing();
        play("handover").at(&vendor.id).to(&receiver);
        golden(&vendor.id, &wire(&receiver.came()));
    }
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
