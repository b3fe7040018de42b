//! `standin serve` while its files change.

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::support::Server;

/// A scenario of two steps, with this text.
fn scenario(text: &str) -> String {
    format!("[[step]]\nopen = {{}}\n[[step]]\nsay = {{ by = \"visitor\", text = \"{text}\" }}\n")
}

/// Waits until something holds; fails after twenty seconds.
fn eventually(what: impl Fn() -> bool) {
    for _ in 0..400 {
        if what() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("it does not hold after twenty seconds");
}

#[test]
fn scenarios_are_reloaded_and_a_run_keeps_its_version() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("own.toml");
    fs::write(&file, scenario("one")).unwrap();
    let arguments = ["own.toml", "--no-journal", "--vendor", "ebbot"];
    let mut server = Server::start_in(folder.path(), &arguments);
    let start = |paused: bool| {
        let clock = if paused { "real" } else { "virtual" };
        let request = json!({
            "vendor": "ebbot", "scenario": "own.toml", "clock": clock, "paused": paused
        });
        server.run(&request)
    };
    let text_of = |run: u64| {
        let detail = server.get(&format!("/api/v1/conversations/{run}-1"));
        detail["messages"][0]["text"].clone()
    };
    let early = start(true);
    fs::write(&file, scenario("number two")).unwrap();
    let source = || server.call("GET /api/v1/scenarios/own.toml", "").body;
    eventually(|| source().contains("number two"));
    let late = start(false);
    server.ended(late);
    assert_eq!(text_of(late), "number two");
    assert_eq!(server.call(&format!("POST /api/v1/runs/{early}/resume"), "").status, 200);
    server.ended(early);
    assert_eq!(text_of(early), "one");

    // A file with problems is reported with its place, and the previous version stays.
    fs::write(&file, scenario("three").replace("visitor", "nobody")).unwrap();
    eventually(|| !server.get("/api/v1/scenarios")["invalid"].as_array().unwrap().is_empty());
    let invalid = server.get("/api/v1/scenarios")["invalid"][0].clone();
    assert_eq!(
        (&invalid["name"], &invalid["problems"][0]["line"]),
        (&json!("own.toml"), &json!(4))
    );
    let again = start(false);
    server.ended(again);
    assert_eq!(text_of(again), "number two");
    fs::write(&file, scenario("the fourth")).unwrap();
    eventually(|| server.get("/api/v1/scenarios")["invalid"].as_array().unwrap().is_empty());
    assert!(source().contains("the fourth"));
    let reported = server.process.read_stderr_until("the previous version stays active");
    assert!(reported.contains("own.toml:4:"), "{reported}");
}

#[test]
fn a_changed_configuration_is_checked_and_named() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("standin.toml");
    fs::write(&file, "").unwrap();
    let mut server = Server::start_in(folder.path(), &["--no-journal", "--vendor", "ebbot"]);
    fs::write(&file, "[vendor.ebbot]\ncolour = 3\n").unwrap();
    let reported = server.process.read_stderr_until("stay as they were at the start");
    assert!(reported.contains("standin.toml:2:"), "{reported}");
    fs::write(&file, "seed = 4711\n").unwrap();
    server.process.read_stderr_until("restart the server to use it");
}
