//! Several endpoints of one account: a conversation is played once, and its events reach each
//! endpoint that subscribes to them, in the order of the actions.

use std::collections::BTreeSet;

use standin::platform::{Catalog, VendorRef};

use crate::support::{Receiver, Reply, configured, standin, standin_in, stderr, stdout};

const VENDOR: &str = "liveperson";

fn event_types() -> Vec<String> {
    let catalog = Catalog::bundled();
    let platform = catalog.load(&VendorRef::parse(VENDOR)).unwrap();
    platform.event_types().into_iter().map(str::to_owned).collect()
}

/// A configuration with one endpoint per event type, in this order, each with its own path.
fn configuration(types: &[String], url: &str) -> String {
    let endpoint = |event_type: &String| {
        format!(
            "[[endpoint]]\nvendor = \"{VENDOR}\"\nurl = \"{url}/{event_type}\"\n\
             events = [\"{event_type}\"]\nheaders = {{ \"X-For\" = \"{event_type}\" }}\n"
        )
    };
    types.iter().map(endpoint).collect()
}

/// The paths and bodies that a receiver gets from a run with these endpoints.
fn received(types: &[String], scenario: &str) -> Vec<(String, String)> {
    let receiver = Receiver::accepting();
    let root = receiver.url().trim_end_matches("/hooks").to_owned();
    let folder = configured(&configuration(types, &root));
    let output = standin_in(folder.path(), &["run", scenario, "--vendor", VENDOR]);
    assert!(output.status.success(), "{}", stdout(&output));
    let request = |request: &crate::support::ReceivedRequest| {
        let path = request.head.split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
        assert_eq!(request.header("X-For").unwrap(), path, "the header of its own endpoint");
        (path, request.body.clone())
    };
    receiver.requests().iter().map(request).collect()
}

#[test]
fn five_endpoints_get_the_events_of_one_in_the_same_order_whatever_their_order() {
    for scenario in ["handover", "menu"] {
        let receiver = Receiver::accepting();
        let to = receiver.url();
        let folder = configured("");
        standin_in(folder.path(), &["run", scenario, "--vendor", VENDOR, "--to", &to]);
        let single: Vec<String> =
            receiver.requests().iter().map(|request| request.body.clone()).collect();
        assert!(single.len() > 5, "{scenario}");

        let mut types = event_types();
        for _ in 0..types.len() {
            types.rotate_left(1);
            let several = received(&types, scenario);
            let bodies: Vec<&String> = several.iter().map(|(_, body)| body).collect();
            assert_eq!(bodies, single.iter().collect::<Vec<_>>(), "{scenario}: {types:?}");
        }
        types.reverse();
        let several = received(&types, scenario);
        assert_eq!(several.len(), single.len(), "each event is sent once");
        let paths: BTreeSet<&String> = several.iter().map(|(path, _)| path).collect();
        assert!(paths.len() > 1, "{scenario}: {paths:?}");
    }
}

#[test]
fn two_endpoints_with_the_same_subscription_both_get_every_event() {
    let (one, two) = (Receiver::accepting(), Receiver::accepting());
    let (first, second) = (one.url(), two.url());
    let folder = configured("");
    let arguments = ["run", "handover", "--vendor", VENDOR, "--to", &first, "--to", &second];
    let output = standin_in(folder.path(), &arguments);
    assert!(output.status.success(), "{}", stdout(&output));
    let bodies = |receiver: &Receiver| -> Vec<String> {
        receiver.requests().iter().map(|request| request.body.clone()).collect()
    };
    assert_eq!(bodies(&one), bodies(&two));
    assert!(!bodies(&one).is_empty());
}

#[test]
fn a_failed_delivery_names_its_endpoint() {
    let (good, bad) =
        (Receiver::accepting(), Receiver::responding(|_, _| Reply::Status(500, String::new())));
    let (first, second) = (good.url(), bad.url());
    let folder = configured("");
    let arguments = ["run", "handover", "--vendor", "ebbot", "--to", &first, "--to", &second];
    let output = stdout(&standin_in(folder.path(), &arguments));
    let failed: Vec<&str> = output.lines().filter(|line| line.contains('✗')).collect();
    assert!(!failed.is_empty(), "{output}");
    assert!(failed.iter().all(|line| line.contains(&format!("→ {second}"))), "{output}");
    assert_eq!(good.requests().len(), bad.requests().len());
}

#[test]
fn a_vendor_that_a_scenario_lists_is_not_left_out_without_a_receiver() {
    let receiver = Receiver::accepting();
    let folder = configured("");
    let story = "vendors = [\"ebbot\", \"erxes\"]\n[[step]]\nopen = {}\n[[step]]\nsay = { by = 'visitor' }\n";
    std::fs::write(folder.path().join("story.toml"), story).unwrap();
    let to = format!("ebbot={}", receiver.url());
    let run = |more: &[&str]| {
        let output = standin_in(folder.path(), &[&["run", "story.toml"], more].concat());
        (output.status.code(), stdout(&output) + &stderr(&output))
    };
    let (code, told) = run(&["--to", &to]);
    assert_eq!(code, Some(2), "{told}");
    assert!(
        told.contains("no receiver is configured for erxes, at which `story.toml` runs"),
        "{told}"
    );
    let config = format!("[[endpoint]]\nvendor = \"ebbot\"\nurl = \"{}\"\n", receiver.url());
    std::fs::write(folder.path().join("standin.toml"), config).unwrap();
    assert_eq!(run(&[]).0, Some(2));
    assert_eq!(run(&["--vendor", "all"]).0, Some(2));
    assert_eq!(receiver.count(), 0);
    assert_eq!(run(&["--vendor", "ebbot"]).0, Some(0));
    // Without `vendors`, a scenario runs at every vendor that has a receiver.
    std::fs::write(folder.path().join("story.toml"), story.split_once('\n').unwrap().1).unwrap();
    assert_eq!(run(&[]).0, Some(0));
}

#[test]
fn a_receiver_to_which_nothing_is_sent_is_an_error() {
    let receiver = Receiver::accepting();
    let (to, other) = (receiver.url(), format!("erxes={}", receiver.url()));
    for command in [
        &["run", "handover", "--vendor", "ebbot", "--to", &to, "--to", &other][..],
        &["run", "handover", "--vendor", "ebbot", "--to", &other, "--dry-run"],
        &["run", "handover", "--vendor", "erxes", "--to", &to, "--to", &other],
        &["send", "ebbot", "chat.user.message", "--to", &to, "--to", &other],
    ] {
        let output = standin(command);
        assert_eq!(output.status.code(), Some(2), "{command:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("nothing is sent to the receiver of "), "{command:?}");
    }
    assert_eq!(receiver.count(), 0);
}
