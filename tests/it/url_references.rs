//! The URL of a receiver as a reference, `env:NAME` or `file:PATH`: it is used, and never shown.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{Receiver, Reply, Server, code, stderr, stdout};

/// Part of every secret of these tests.
const CANARY: &str = "canary";

fn standin_with(folder: &Path, hook: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_standin"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOOK_URL", hook)
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    stdout(output) + &stderr(output)
}

/// A receiver that rejects a message, with its own path in the response.
fn failing() -> Receiver {
    Receiver::responding(|_, request| {
        let path = request.head.split(' ').nth(1).unwrap_or_default();
        let status = if request.body.contains("message") { 500 } else { 200 };
        Reply::Status(status, format!("{{\"error\": \"no route {path}\"}}"))
    })
}

const CONFIG: &str = "[[endpoint]]\nvendor = 'ebbot'\nurl = 'env:HOOK_URL'\n";

#[test]
fn no_output_has_a_url_that_is_a_reference() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), failing());
    let hook = format!("{}canary-path/x?k=canary-query", receiver.url().trim_end_matches("hooks"));
    fs::write(folder.path().join("standin.toml"), CONFIG).unwrap();
    fs::write(folder.path().join("url.txt"), format!("{hook}\n")).unwrap();
    let kinds = ["junit", "html", "json", "har", "md"];
    let reports: Vec<String> =
        kinds.iter().map(|kind| format!("--report={kind}=report.{kind}")).collect();
    let reports: Vec<&str> = reports.iter().map(String::as_str).collect();
    let files = ["--json=records.jsonl", "--journal", "runs.db", "--wait-ready", "5s", "-v"];
    for (to, shown) in [
        (&[][..], "${env:HOOK_URL}"),
        (&["--to", "env:HOOK_URL"], "${env:HOOK_URL}"),
        (&["--to", "ebbot=file:url.txt"], "${file:url.txt}"),
    ] {
        let run = ["run", "handover", "--vendor", "ebbot"];
        let output = standin_with(folder.path(), &hook, &[&run[..], to, &files, &reports].concat());
        assert_eq!(code(&output), 1, "{}", told(&output));
        assert!(told(&output).contains(shown), "{}", told(&output));
        assert!(told(&output).contains("no route"), "{}", told(&output));
        assert!(!told(&output).contains(CANARY), "{}", told(&output));
        let names = kinds.iter().map(|kind| format!("report.{kind}"));
        for name in names.chain(["records.jsonl".to_owned(), "runs.db".to_owned()]) {
            let bytes = fs::read(folder.path().join(&name)).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(CANARY), "{name}");
            assert!(name == "report.md" || text.contains(shown), "{name} has no {shown}");
        }
        for format in [&["--dry-run", "-v"][..], &["--curl"], &["--dry-run", "--json"]] {
            let dry = standin_with(folder.path(), &hook, &[&run[..], to, format].concat());
            assert_eq!(code(&dry), 0, "{}", told(&dry));
            assert!(!told(&dry).contains(CANARY), "{}", told(&dry));
        }
    }
    let before = receiver.requests().len();
    let redeliver = ["journal", "redeliver", "runs.db", "1-1", "--run", "1"];
    let output = standin_with(folder.path(), &hook, &redeliver);
    assert_eq!(receiver.requests().len(), before + 1, "{}", told(&output));
    assert!(!told(&output).contains(CANARY), "{}", told(&output));
    fs::remove_file(folder.path().join("standin.toml")).unwrap();
    let output = standin_with(folder.path(), &hook, &redeliver);
    assert_eq!(code(&output), 2, "{}", told(&output));
    assert!(stderr(&output).contains("a secret that is not in the journal"), "{}", stderr(&output));
}

#[test]
fn no_error_has_a_url_that_is_a_reference() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("standin.toml"), CONFIG).unwrap();
    let run = ["run", "handover", "--vendor", "ebbot", "--fail-fast"];
    for (hook, exit, part) in [
        ("canary.example.test/path", 2, "`env:HOOK_URL` does not contain the URL of a receiver"),
        ("http://93.184.216.34/canary-path", 2, "its host is a public address"),
        ("http://canary-host.example.invalid/canary-path", 1, "cannot be resolved"),
        ("http://127.0.0.1:1/canary-path", 1, "no server listens there"),
        ("", 2, "the environment variable `HOOK_URL` is empty"),
    ] {
        let output = standin_with(folder.path(), hook, &run);
        assert_eq!(code(&output), exit, "{}", told(&output));
        assert!(told(&output).contains(part), "no `{part}` in {}", told(&output));
        assert!(!told(&output).contains(CANARY), "{}", told(&output));
    }
    let waits = [&run[..], &["--wait-ready", "1s"]].concat();
    let output = standin_with(folder.path(), "http://127.0.0.1:1/canary-path", &waits);
    assert_eq!(code(&output), 3, "{}", told(&output));
    assert!(
        stderr(&output).contains("no server is listening on ${env:HOOK_URL}"),
        "{}",
        told(&output)
    );
    let unset = Command::new(env!("CARGO_BIN_EXE_standin"))
        .args(run)
        .current_dir(folder.path())
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(code(&unset), 2);
    assert!(stderr(&unset).contains("standin.toml:3:7"), "{}", stderr(&unset));
    assert!(stderr(&unset).contains("`HOOK_URL` is not set"), "{}", stderr(&unset));
}

#[test]
fn a_server_shows_the_reference_and_finds_its_endpoint_again_after_a_restart() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::accepting());
    let hook = format!("{}/canary-path", receiver.url());
    fs::write(folder.path().join("url.txt"), hook).unwrap();
    for _ in 0..2 {
        let server = Server::start_in(folder.path(), &["--to", "ebbot=file:url.txt"]);
        let listed = server.get("/api/v1/endpoints");
        assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
        assert_eq!(listed["items"][0]["url"], "${file:url.txt}");
        let request = serde_json::json!({"vendor": "ebbot", "url": "file:url.txt"});
        // References are read for operators only, not for clients of the control API.
        let refused = server.call("POST /api/v1/endpoints", &request.to_string());
        assert_eq!(refused.status, 422, "{}", refused.body);
    }
    let journal = fs::read(folder.path().join("standin.db")).unwrap();
    assert!(!journal.windows(6).any(|part| part == CANARY.as_bytes()));
}
