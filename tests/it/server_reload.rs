//! `standin serve` while its files change.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::support::{ReceivedRequest, Receiver, Server, path};

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

/// Replaces a file at once, as editors do. A file that is written in place is empty for a moment.
fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, file).unwrap();
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
    replace(&file, &scenario("number two"));
    let source = || server.call("GET /api/v1/scenarios/own.toml", "").body;
    eventually(|| source().contains("number two"));
    let late = start(false);
    server.ended(late);
    assert_eq!(text_of(late), "number two");
    assert_eq!(server.call(&format!("POST /api/v1/runs/{early}/resume"), "").status, 200);
    server.ended(early);
    assert_eq!(text_of(early), "one");

    // A file with problems is reported with its place, and the previous version stays.
    replace(&file, &scenario("three").replace("visitor", "nobody"));
    eventually(|| !server.get("/api/v1/scenarios")["invalid"].as_array().unwrap().is_empty());
    let invalid = server.get("/api/v1/scenarios")["invalid"][0].clone();
    assert_eq!(
        (&invalid["name"], &invalid["problems"][0]["line"]),
        (&json!("own.toml"), &json!(4)),
        "{invalid}"
    );
    let again = start(false);
    server.ended(again);
    assert_eq!(text_of(again), "number two");
    replace(&file, &scenario("the fourth"));
    eventually(|| server.get("/api/v1/scenarios")["invalid"].as_array().unwrap().is_empty());
    assert!(source().contains("the fourth"));
    let reported = server.process.read_stderr_until("the previous version stays active");
    assert!(reported.contains("own.toml:4:"), "{reported}");
}

#[test]
fn a_changed_configuration_is_used_for_new_runs() {
    let (old, new) = (Receiver::accepting(), Receiver::accepting());
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("standin.toml");
    let config = |receiver: &Receiver| {
        format!("[[endpoint]]\nvendor = \"ebbot\"\nurl = \"{}\"\n", receiver.url())
    };
    fs::write(&file, config(&old)).unwrap();
    let mut server = Server::start_in(folder.path(), &["--no-journal", "--vendor", "ebbot"]);
    fs::write(&file, "[vendor.ebbot]\ncolour = 3\n").unwrap();
    let reported = server.process.read_stderr_until("stays active");
    assert!(reported.contains("standin.toml:2:"), "{reported}");
    let play = |server: &Server| {
        let body = json!({"vendor": "ebbot", "scenario": "handover", "clock": "virtual"});
        let ended = server.ended(server.run(&body));
        assert_eq!(ended["result"]["verdict"], "passed", "{ended}");
    };
    play(&server);
    let before = old.count();
    assert!(before > 0);
    fs::write(&file, config(&new)).unwrap();
    server.process.read_stderr_until("reloaded the configuration");
    play(&server);
    assert_eq!((old.count(), new.count()), (before, before));
    let listed = server.get("/api/v1/endpoints")["items"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed[0]["url"], new.url());
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(path, to.join(name)).unwrap();
        }
    }
}

#[test]
fn a_run_in_progress_keeps_the_version_of_its_vendor() {
    let receiver = Receiver::accepting();
    let folder = TempDir::new().unwrap();
    let own = folder.path().join("own");
    copy(&path("templates/ebbot"), &own.join("ebbot"));
    let edit = |file: &str, from: &str, to: &str| {
        let file = own.join("ebbot").join(file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&file, text.replace(from, to)).unwrap();
    };
    let to = format!("ebbot={}", receiver.url());
    let arguments = ["--templates", "own", "--no-journal", "--vendor", "ebbot", "--to", &to];
    let mut server = Server::start_in(folder.path(), &arguments);
    let request = |clock: &str, paused: bool| json!({"vendor": "ebbot", "scenario": "handover", "clock": clock, "paused": paused});
    let early = server.run(&request("virtual", true));
    eventually(|| server.call(&format!("GET /api/v1/conversations/{early}-1"), "").status == 200);
    edit("vendor.toml", "axios/1.7.9", "axios/9.9.9");
    edit("chat.create.json", "\"type\"", "\"kind\"");
    server.process.read_stderr_until("reloaded the configuration and the templates");
    let versions = |receiver: &Receiver| {
        let of = |sent: &ReceivedRequest| {
            let is_new = sent.header("user-agent").unwrap() == "axios/9.9.9";
            (is_new, sent.json()["data"].get("kind").is_some())
        };
        let created = receiver.requests();
        let created = created.iter().filter(|sent| sent.json()["topic"] == "chat.create");
        created.map(of).collect::<Vec<_>>()
    };
    assert_eq!(server.call(&format!("POST /api/v1/runs/{early}/resume"), "").status, 200);
    assert_eq!(server.ended(early)["result"]["verdict"], "passed");
    assert_eq!(versions(&receiver), [(false, false)]);
    let late = server.run(&request("virtual", false));
    server.ended(late);
    assert_eq!(versions(&receiver), [(false, false), (true, true)]);

    // A template with problems is reported with its place, and the previous version stays.
    edit("vendor.toml", "[ids]", "[colours]\n[ids]");
    let reported = server.process.read_stderr_until("stays active");
    assert!(reported.contains("ebbot/vendor.toml:"), "{reported}");
    let again = server.run(&request("virtual", false));
    server.ended(again);
    assert_eq!(versions(&receiver).len(), 3);
}
