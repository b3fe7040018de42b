//! Properties that hold for every vendor, bundled or invented.

use standin::conversation::{EventKind, Role};
use standin::platform::{Account, Coverage};
use standin::record::{RecordKind, Verdict};

use crate::support::{Receiver, Reply, play, revisions, vendors};

#[test]
fn handover_passes_at_every_vendor() {
    assert_eq!((vendors().len(), revisions().len()), (11, 20));
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
                let about = vendor.field_about(owner, field);
                if !about.ends_with('.') || about.len() < 5 {
                    missing.insert(format!("{}: {owner}.{field}", vendor.full_id()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
