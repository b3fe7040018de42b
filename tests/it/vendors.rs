//! Properties that hold for every vendor, bundled or invented.

use std::fs;
use std::path::Path;

use standin::conversation::{EventKind, Role};
use standin::platform::{Account, Coverage};
use standin::record::{RecordKind, Verdict};

use crate::support::{
    Receiver, Reply, entries, play, revisions, standin_in, stderr, stdout, vendors,
};

#[test]
fn handover_passes_at_every_vendor() {
    assert_eq!((vendors().len(), revisions().len()), (12, 22));
    for vendor in revisions() {
        let receiver = Receiver::accepting();
        let played = play("handover").at(&vendor.full_id()).to(&receiver);
        assert_eq!(
            played.finished.verdict,
            Verdict::Passed,
            "{}: {:?}",
            vendor.full_id(),
            played.finished
        );
        assert_eq!(
            played.finished.attempts,
            receiver.events().len() as u64,
            "{}",
            vendor.full_id()
        );
    }
}

#[test]
fn status_500_fails_at_every_vendor() {
    for vendor in revisions() {
        let receiver = Receiver::responding_to_events(|_, _| Reply::Status(500, "broken".into()));
        let played = play("handover").at(&vendor.full_id()).to(&receiver);
        assert_eq!(played.finished.verdict, Verdict::Failed, "{}", vendor.full_id());
        let reason = played.finished.reason.unwrap();
        assert!(reason.contains("status 500, expected 2"), "{}: {reason}", vendor.full_id());
    }
}

#[test]
fn only_subscribed_events_are_sent() {
    for vendor in revisions() {
        for event_type in vendor.event_types() {
            let receiver = Receiver::accepting();
            let played =
                play("handover").at(&vendor.full_id()).subscribing(&[event_type]).to(&receiver);
            let sent = |what: &RecordKind| match what {
                RecordKind::DeliveryPlanned { event_type, .. } => Some(event_type.clone()),
                _ => None,
            };
            let sent: Vec<String> = played.records.iter().filter_map(|r| sent(&r.kind)).collect();
            assert!(sent.iter().all(|sent| sent == event_type), "{}: {sent:?}", vendor.full_id());
            assert_eq!(receiver.events().len(), sent.len(), "{}", vendor.full_id());
        }
    }
}

#[test]
fn every_event_is_sent_silent_or_unsupported() {
    for vendor in revisions() {
        for on in EventKind::ALL.iter().filter(|on| **on != EventKind::Emitted) {
            for role in Role::ALL {
                let sends = vendor.events.iter().any(|rule| rule.on == *on);
                match vendor.coverage(*on, *role) {
                    Coverage::Sends => assert!(sends, "{} {on} {role}", vendor.full_id()),
                    Coverage::Silent(reason) | Coverage::Cannot(reason) => {
                        assert!(!reason.is_empty());
                    }
                }
            }
        }
    }
}

#[test]
fn the_test_account_is_constant() {
    for vendor in vendors() {
        let (one, two) = (Account::test(&vendor), Account::test(&vendor));
        assert_eq!((&one.values, &one.secrets), (&two.values, &two.secrets));
    }
}

#[test]
fn an_unsupported_step_is_skipped_with_a_reason() {
    let story = "[[step]]\nopen = {}\n[[step]]\nclose = { by = 'system' }\n\
                 [[step]]\nreopen = { by = 'visitor' }\n";
    let receiver = Receiver::accepting();
    let played = play(story).at("parlour").to(&receiver);
    let reason = played.find(|what| match what {
        RecordKind::ActionSkipped { action, reason } if action == "reopen" => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(reason.as_deref(), Some("a room that has closed stays closed"));
}

#[test]
fn every_field_that_a_step_can_set_is_described() {
    let mut missing = std::collections::BTreeSet::new();
    for vendor in revisions().iter().filter(|vendor| vendor.id != "parlour") {
        let kinds = vendor.kinds.iter().map(|(kind, rule)| (kind.as_str(), &rule.data));
        let entities = vendor.entities.iter().map(|(kind, data)| (kind.as_str(), data));
        let events = vendor.events.iter();
        let events =
            events.filter_map(|rule| Some((rule.event_type.as_str(), rule.data.as_ref()?)));
        for (owner, data) in kinds.chain(entities).chain(events) {
            for field in data.keys() {
                let info = vendor.field_info(owner, field);
                let about = info.map_or("", |info| info.about.as_str());
                if !about.ends_with('.') || about.len() < 5 {
                    missing.insert(format!("{}: {owner}.{field}", vendor.full_id()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Writes a vendor that extends the plain one into a folder beside it.
fn write_over_plain(folder: &Path, files: &[(&str, &str)]) {
    for (vendor, from) in [("plain", Some("tests/minimal/plain")), ("own", None)] {
        let into = folder.join(vendor);
        fs::create_dir(&into).unwrap();
        for file in from.map(entries).unwrap_or_default() {
            fs::copy(&file, into.join(file.file_name().unwrap())).unwrap();
        }
    }
    for (name, text) in files {
        fs::write(folder.join("own").join(name), text).unwrap();
    }
}

#[test]
fn events_of_labels_and_later_messages_have_types_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let rule = |on: &str, when: &str, name: &str| {
        format!(
            "[[event]]\non = '{on}'\nwhen = {{ {when} }}\ntype = '{name}'\ntemplate = 'room.json'\n"
        )
    };
    let vendor = [
        "id = 'own'\nname = 'Own'\nextends = 'plain'\ndrop = ['line.said']\n".to_owned(),
        rule("labels.changed", "action = ['added']", "label.on"),
        rule("labels.changed", "action = ['removed']", "label.off"),
        rule("message.sent", "first = true", "line.first"),
        rule("message.sent", "first = false", "line.later"),
        "[silent]\n'typing.changed:bot' = 'bots do not type'\n".to_owned(),
        rule("typing.changed", "by = ['visitor']", "typing"),
        "[source]\nevent = { status = 'assumed' }\nsilent = { status = 'assumed' }\n".to_owned(),
    ];
    write_over_plain(folder.path(), &[("vendor.toml", &vendor.concat())]);
    let checked = standin_in(folder.path(), &["check", "own", "--templates", "."]);
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    for name in ["label.on", "label.off", "line.first", "line.later", "typing"] {
        let sample = standin_in(folder.path(), &["vendors", "own", name, "--templates", "."]);
        let told = stdout(&sample);
        assert!(
            told.contains(&format!("\"what\": \"{name}\"")),
            "{name}: {told}{}",
            stderr(&sample)
        );
    }
    let story = "name = 'labels'\n[cast.grace]\nrole = 'agent'\n[[step]]\nopen = {}\n\
                 [[step]]\nlabel = { by = 'grace', add = ['vip'] }\n\
                 [[step]]\nlabel = { by = 'grace', remove = ['vip'] }\n\
                 [[step]]\ntyping = { by = 'bot' }\n";
    fs::write(folder.path().join("story.toml"), story).unwrap();
    let run = ["run", "story.toml", "--vendor", "own", "--templates", ".", "--dry-run"];
    let told = stdout(&standin_in(folder.path(), &run));
    let at = |part: &str| told.find(part).unwrap_or_else(|| panic!("no {part} in {told}"));
    assert!(at("label.on") < at("label.off"), "{told}");
    assert!(told.contains("bots do not type"), "{told}");
}
