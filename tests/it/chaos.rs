//! Chaos: faults that standin chooses, and the fewest that make a run fail.

use std::process::Output;

use serde_json::Value as Json;

use crate::support::{
    Background, Receiver, Reply, configured, path, standin, standin_in, stderr, stdout,
};

/// Starts the bundled receiver for a vendor. Returns it with its URL.
fn start_listen(vendor: &str) -> (Background, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut receiver = Background::start(folder.path(), &["listen", vendor, "--port", "0"]);
    let told = receiver.read_stderr_until("Press Ctrl-C to stop");
    let address = told.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    (receiver, address.to_owned())
}

#[test]
fn the_bundled_receiver_handles_every_chaos_profile() {
    for vendor in ["wotnot", "liveperson", "erxes"] {
        let (_receiver, to) = start_listen(vendor);
        for profile in ["gentle", "order", "auth", "payload"] {
            for seed in ["1", "2", "3"] {
                let run = ["run", "handover", "--vendor", vendor, "--to", &to, "--seed", seed];
                let output = standin(&[&run[..], &["--chaos", profile, "--quiet"]].concat());
                let told = stdout(&output) + &stderr(&output);
                assert_eq!(
                    output.status.code(),
                    Some(0),
                    "{profile} at {vendor}, seed {seed}: {told}"
                );
            }
        }
    }
}

#[test]
fn the_seed_determines_the_chaos_schedule() {
    let receiver = Receiver::accepting();
    let to = receiver.url();
    let drawn = |profile: &str, seed: &str| {
        let run = ["run", "handover", "--vendor", "wotnot", "--to", &to, "--json"];
        let output = standin(&[&run[..], &["--chaos", profile, "--seed", seed]].concat());
        let started: Json = serde_json::from_str(stdout(&output).lines().next().unwrap()).unwrap();
        let chaos = &started["data"]["chaos"];
        assert_eq!(chaos["profile"], profile);
        chaos["schedule"].clone()
    };
    for profile in ["order", "auth"] {
        let schedules: Vec<Json> =
            (1..=4).map(|seed: u8| drawn(profile, &seed.to_string())).collect();
        assert_eq!(drawn(profile, "1"), schedules[0]);
        assert!(schedules.iter().all(|schedule| schedule[0]["step"].is_u64()), "{schedules:?}");
        assert!(schedules[1..].iter().any(|other| *other != schedules[0]), "{schedules:?}");
    }
}

#[test]
fn shrink_writes_a_scenario_that_fails_the_same_way() {
    // This receiver fails on unknown fields .
    let receiver = Receiver::responding_to_events(|_, received| {
        Reply::Status(if received.body.contains("standin_") { 500 } else { 200 }, String::new())
    });
    let to = receiver.url();
    let inline = "# A story on one line.\nstep = [{ open = {} }, { say = { by = \"visitor\", text = \"One\" } }, { say = { by = \"visitor\", text = \"Two\" } }, { say = { by = \"visitor\", text = \"Three\" } }]\n";
    let handover = std::fs::read_to_string(path("scenarios/handover.toml")).unwrap();
    for (text, vendor) in [(handover.as_str(), "wotnot"), (inline, "ebbot")] {
        let folder = configured("");
        std::fs::write(folder.path().join("story.toml"), text).unwrap();
        let run = |file: &str, more: &[&str]| {
            let words = ["run", file, "--vendor", vendor, "--to", &to];
            standin_in(folder.path(), &[&words[..], more].concat())
        };
        let chaos = |seed: &str| {
            let words = ["--chaos", "payload", "--seed", seed, "--shrink", "least.toml"];
            run("story.toml", &words)
        };
        let failed = (1..=20).map(|seed: u8| (seed.to_string(), chaos(&seed.to_string())));
        let (seed, output) = failed.into_iter().find(|(_, o)| o.status.code() == Some(1)).unwrap();
        let told = stderr(&output);
        assert!(told.contains("reduced ") && told.contains(" to 1 in "), "{told}");
        assert!(stdout(&output).contains("--chaos payload"), "{}", stdout(&output));
        let least = std::fs::read_to_string(folder.path().join("least.toml")).unwrap();
        assert_eq!(least.matches("fault = ").count(), 1, "{least}");
        let comments = |text: &str| text.lines().filter(|line| line.starts_with("# ")).count();
        assert_eq!(comments(&least), comments(text) + 2, "{least}");
        assert!(!least.contains("#:schema"), "the schema is not beside the new file: {least}");
        let alone = run("least.toml", &["--seed", &seed]);
        assert_eq!(alone.status.code(), Some(1), "{}", stdout(&alone));
        let reason = |output: &Output| {
            let told = stdout(output);
            let reason = told.split("with the fault ").nth(1).unwrap_or_else(|| panic!("{told}"));
            reason.lines().next().unwrap().to_owned()
        };
        assert!(reason(&alone).contains("status 500"), "{}", reason(&alone));
        let again = chaos(&seed);
        assert_eq!(again.status.code(), Some(2), "what is there is not overwritten");
    }
}

#[test]
fn shrink_removes_every_fault_if_none_is_needed() {
    let receiver = Receiver::responding_to_events(|_, _| Reply::Status(500, String::new()));
    let folder = configured("");
    let run =
        ["run", "handover", "--vendor", "ebbot", "--to", &receiver.url(), "--chaos", "gentle"];
    let output = standin_in(folder.path(), &[&run[..], &["--shrink", "least.toml"]].concat());
    assert!(stderr(&output).contains(" to 0 in 1 run: no fault"), "{}", stderr(&output));
    let least = std::fs::read_to_string(folder.path().join("least.toml")).unwrap();
    assert!(!least.contains("fault ="), "{least}");
}
