//! What a server with a journal lists when most of its runs are not in memory.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::support::{Receiver, SLOW, Server, standin, stderr, stdout};

/// A scenario of one step.
const SHORT: &str = "[[step]]\nopen = { by = \"visitor\" }\n";

fn short(server: &Server, vendor: &str) -> u64 {
    server.run(&json!({"vendor": vendor, "source": SHORT, "clock": "virtual"}))
}

/// All entries of a list, page by page, and the number of pages.
fn pages(server: &Server, path: &str) -> (Vec<Json>, usize) {
    let (mut items, mut before, mut count) = (Vec::new(), String::new(), 0);
    loop {
        let page = server.get(&format!("{path}{before}"));
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        count += 1;
        let next = match &page["next"] {
            Json::Null => return (items, count),
            Json::String(next) => next.clone(),
            other => other.to_string(),
        };
        before = format!("&before={next}");
    }
}

#[test]
fn runs_beyond_the_memory_are_listed_and_restored() {
    let (folder, receiver) = (TempDir::new().unwrap(), Receiver::accepting());
    let (wotnot, ebbot) =
        (format!("wotnot={}", receiver.url()), format!("ebbot={}", receiver.url()));
    let start = || Server::start_in(folder.path(), &["--to", &wotnot, "--to", &ebbot]);
    let server = start();
    let first = short(&server, "wotnot");
    assert_eq!(server.ended(first)["result"]["verdict"], "passed");
    let runs: Vec<u64> = (0..230).map(|_| short(&server, "ebbot")).collect();
    server.ended(runs[229]);
    // A page of runs without conversations of their own does not end the list.
    let sent = server.get("/api/v1/deliveries?limit=1")["items"][0]["id"].clone();
    let path = format!("POST /api/v1/deliveries/{}/redeliver", sent.as_str().unwrap());
    for _ in 0..25 {
        assert_eq!(server.call(&path, "").status, 201);
    }
    let all = |server: &Server| {
        let (items, _) = pages(server, "/api/v1/conversations?limit=40");
        let ids: Vec<String> =
            items.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
        ids
    };
    assert_eq!(all(&server).len(), 231);
    server.process.kill();

    let server = start();
    let ids = all(&server);
    assert_eq!((ids.len(), ids.last().unwrap()), (231, &format!("{first}-1")));
    // The subscription of the first run is the last one of its vendor.
    let count = receiver.count();
    let path = format!("POST /api/v1/conversations/{first}-1/actions");
    let said = server.call(&path, r#"{"say":{"by":"visitor","text":"still here"}}"#);
    assert_eq!(said.status, 200, "{}", said.body);
    let is_sent = || receiver.requests().iter().any(|sent| sent.body.contains("still here"));
    for _ in 0..200 {
        if is_sent() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(is_sent(), "{} requests before, {} after", count, receiver.count());
}

#[test]
fn a_search_through_many_deliveries_is_done_in_pages() {
    let (folder, receiver) = (TempDir::new().unwrap(), Receiver::accepting());
    let to = format!("ebbot={}", receiver.url());
    let server = Server::start_in(folder.path(), &["--to", &to]);
    let request = json!({
        "vendor": "ebbot", "scenario": "handover", "clock": "virtual", "conversations": 100
    });
    let run = server.run(&request);
    server.ended(run);
    let before = server.get("/api/v1/conversations?limit=1")["items"][0]["deliveries"].clone();
    assert_eq!(server.process.terminate().code, Some(0));

    let server = Server::start_in(folder.path(), &["--to", &to]);
    let (found, count) = pages(&server, "/api/v1/deliveries?limit=5&event_type=nothing");
    assert!(found.is_empty() && count > 1, "{} entries on {count} pages", found.len());
    let (found, _) = pages(&server, "/api/v1/deliveries?limit=500&state=passed");
    assert_eq!(found.len(), receiver.count());
    let after = server.get("/api/v1/conversations?limit=1")["items"][0]["deliveries"].clone();
    assert_eq!(after["deliveries"], before["deliveries"]);
    assert_eq!(after["passed"], after["deliveries"], "{after}");
    // A delivery that is sent again is another one, which is not a part of the conversation.
    let id = found[0]["id"].as_str().unwrap();
    assert_eq!(server.call(&format!("POST /api/v1/deliveries/{id}/redeliver"), "").status, 201);
    let records = server.call("GET /api/v1/records?after=0", "");
    assert!(records.head.to_ascii_lowercase().contains("transfer-encoding: chunked"));
    let numbers: Vec<u64> = records
        .body
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap()["id"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_journal_that_cannot_be_read_is_reported() {
    let (folder, receiver) = (TempDir::new().unwrap(), Receiver::accepting());
    let to = format!("ebbot={}", receiver.url());
    let server = Server::start_in(folder.path(), &["--to", &to]);
    // More runs than a start restores.
    let runs: Vec<u64> = (0..60).map(|_| short(&server, "ebbot")).collect();
    server.ended(runs[59]);
    server.process.kill();

    let server = Server::start_in(folder.path(), &["--to", &to]);
    let file = fs::OpenOptions::new().write(true).open(folder.path().join("standin.db")).unwrap();
    // The first page has the schema.
    file.set_len(16 * 1024).unwrap();
    // Readers notice a change, and read the file again. It may fail.
    let body = json!({"vendor": "ebbot", "source": SHORT, "clock": "virtual"}).to_string();
    server.call("POST /api/v1/runs", &body);
    for path in [
        "/api/v1/records?after=0",
        "/api/v1/deliveries?limit=500",
        "/api/v1/conversations?limit=500",
        "/api/v1/conversations/1-1",
        "/api/v1/runs/1",
    ] {
        let refused = server.call(&format!("GET {path}"), "");
        let found = (refused.status, refused.code());
        assert_eq!(found, (503, "unavailable".into()), "{path}: {}", refused.body);
    }
}

#[test]
fn a_conversation_in_which_somebody_said_a_secret_is_restored() {
    let (folder, receiver) = (TempDir::new().unwrap(), Receiver::accepting());
    let config = "[vendor.liveperson]\nsecret = { client_secret = 'my-own-key-123456' }\n";
    fs::write(folder.path().join("standin.toml"), config).unwrap();
    let to = format!("liveperson={}", receiver.url());
    let server = Server::start_in(folder.path(), &["--to", &to]);
    let source = SLOW.replace("\"first\"", "\"first, my-own-key-123456\"");
    let run = server.run(&json!({"vendor": "liveperson", "source": source}));
    let path = format!("/api/v1/conversations/{run}-1");
    let say = |server: &Server, text: &str| {
        let action = json!({"say": {"by": "ada", "text": text}}).to_string();
        let said = server.call(&format!("POST {path}/actions"), &action);
        assert_eq!(said.status, 200, "{}", said.body);
    };
    let texts = |server: &Server| -> Vec<String> {
        let detail = server.call(&format!("GET {path}"), "").json();
        let messages = detail["messages"].as_array().into_iter().flatten();
        messages.map(|message| message["text"].as_str().unwrap().to_owned()).collect()
    };
    while texts(&server).is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let said =
        "the key is my-own-key-123456, not $${secret.client_secret} or $${'secret.client_secret'}";
    say(&server, said);
    let before = texts(&server);
    server.process.kill();
    let stored = fs::read(folder.path().join("standin.db")).unwrap();
    let wal = fs::read(folder.path().join("standin.db-wal")).unwrap_or_default();
    let stored = String::from_utf8_lossy(&[stored, wal].concat()).into_owned();
    assert!(!stored.contains("my-own-key-123456"));

    let server = Server::start_in(folder.path(), &["--to", &to]);
    assert_eq!(texts(&server), before);
    say(&server, "on we go");
    assert_eq!(texts(&server).len(), before.len() + 1);
}

#[test]
fn the_id_of_a_conversation_is_checked_before_it_becomes_a_path() {
    for id in ["../runs/1", "1", "1-1/actions", "+1-1", "-1"] {
        let refused = standin(&["say", "hello", &format!("--conversation={id}")]);
        assert_eq!(refused.status.code(), Some(2), "{}", stdout(&refused));
        assert!(stderr(&refused).contains("such as `3-1`"), "{}", stderr(&refused));
    }
}

#[test]
fn a_reset_deletes_all_runs_and_keeps_the_endpoints() {
    let (folder, receiver) = (TempDir::new().unwrap(), Receiver::accepting());
    let to = format!("ebbot={}", receiver.url());
    for journal in [&["--no-journal"][..], &[]] {
        let arguments = [&["--vendor", "ebbot", "--to", &to], journal].concat();
        let server = Server::start_in(folder.path(), &arguments);
        let request = json!({"vendor": "ebbot", "scenario": "handover", "clock": "virtual"});
        let ended = server.run(&request);
        server.ended(ended);
        let active = server.run(&json!({"vendor": "ebbot", "source": SLOW}));
        let reset = server.call("POST /api/v1/reset", "");
        assert_eq!((reset.status, &reset.json()["runs"]), (200, &json!(2)), "{}", reset.body);
        for list in ["runs", "conversations", "deliveries"] {
            let listed = server.get(&format!("/api/v1/{list}"));
            assert_eq!(listed["items"], json!([]), "{list}");
        }
        for run in [ended, active] {
            let path = format!("GET /api/v1/runs/{run}");
            assert_eq!(server.call(&path, "").status, 404, "run {run}");
        }
        let records = server.call("GET /api/v1/records", "");
        assert_eq!((records.status, records.body.as_str()), (200, ""));
        assert_eq!(server.get("/api/v1/endpoints")["items"].as_array().unwrap().len(), 1);
        // The numbers continue.
        let next = server.run(&request);
        assert!(next > active, "{next}");
        assert_eq!(server.ended(next)["result"]["verdict"], "passed");
        assert_eq!(server.get("/api/v1/runs")["items"].as_array().unwrap().len(), 1);
        if journal.is_empty() {
            server.process.terminate();
            let again = Server::start_in(folder.path(), &arguments);
            assert_eq!(again.get("/api/v1/runs")["items"].as_array().unwrap().len(), 1);
        }
    }
}

fn eventually(is_true: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !is_true() {
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "not after five seconds");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn a_run_that_begins_during_a_reset_keeps_its_records() {
    let server = Server::start(&["--vendor", "ebbot"]);
    let run = json!({"vendor": "ebbot", "source": SLOW});
    for _ in 0..8 {
        std::thread::scope(|scope| {
            let reset = scope.spawn(|| server.call("POST /api/v1/reset", "").status);
            for _ in 0..3 {
                server.run(&run);
            }
            assert_eq!(reset.join().unwrap(), 200);
        });
        for left in server.get("/api/v1/runs")["items"].as_array().unwrap() {
            let path = format!("GET /api/v1/records?run={}", left["run"]);
            eventually(|| server.call(&path, "").body.contains("run.started"));
        }
    }
}
