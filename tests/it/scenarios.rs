//! The bundled scenarios: each is worth telling, plays green, and tells what its name says.

use std::collections::BTreeMap;

use standin::record::{Verdict, What};
use standin::scenario::bundled_names;

use crate::support::{Receiver, play, vendors};

#[test]
fn every_bundled_scenario_plays_green_at_every_vendor() {
    assert!(bundled_names().len() >= 3);
    for name in bundled_names() {
        for vendor in vendors() {
            let playing = play(&name).at(&vendor.id);
            if !playing.can_be() {
                continue;
            }
            let receiver = Receiver::agreeing();
            let played = playing.to(&receiver);
            let finished = played.finished;
            assert_eq!(finished.verdict, Verdict::Passed, "{name} at {}: {finished:?}", vendor.id);
        }
    }
}

#[test]
fn no_two_scenarios_send_the_same() {
    for vendor in vendors() {
        let mut seen: BTreeMap<Vec<String>, String> = BTreeMap::new();
        for name in bundled_names() {
            let playing = play(&name).at(&vendor.id);
            if !playing.can_be() {
                continue;
            }
            let receiver = Receiver::agreeing();
            let played = playing.to(&receiver);
            let sent = |what: &What| match what {
                What::DeliveryPlanned { event_type, .. } => Some(event_type.clone()),
                _ => None,
            };
            let mut sent: Vec<String> =
                played.records.iter().filter_map(|r| sent(&r.what)).collect();
            sent.sort();
            if let Some(other) = seen.insert(sent, name.clone()) {
                panic!("`{name}` and `{other}` send the same at {}", vendor.id);
            }
        }
    }
}
