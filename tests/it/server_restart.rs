//! `standin serve` with a journal: restarts, kills and a journal that is full.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::support::{
    ApiResponse, Receiver, SLOW, Server, request, standin, standin_in, stderr, stdout,
};

fn start(folder: &Path, receiver: &Receiver) -> Server {
    Server::start_in(folder, &["--to", &format!("ebbot={}", receiver.url())])
}

fn slow(server: &Server, paused: bool) -> u64 {
    server.run(&json!({"vendor": "ebbot", "source": SLOW, "paused": paused}))
}

fn act(server: &Server, conversation: &str, actions: &Json) -> u16 {
    let path = format!("POST /api/v1/conversations/{conversation}/actions");
    server.call(&path, &actions.to_string()).status
}

fn say(server: &Server, conversation: &str, text: &str) -> u16 {
    act(server, conversation, &json!({"say": {"by": "ada", "text": text}}))
}

fn detail(server: &Server, conversation: &str) -> Json {
    let response = server.call(&format!("GET /api/v1/conversations/{conversation}"), "");
    if response.status == 200 { response.json() } else { Json::Null }
}

fn texts(server: &Server, conversation: &str) -> Vec<String> {
    let detail = detail(server, conversation);
    let messages = detail["messages"].as_array().into_iter().flatten();
    messages.map(|message| message["text"].as_str().unwrap().to_owned()).collect()
}

/// All records of the server, from the first.
fn records(server: &Server) -> Vec<Json> {
    let response = server.call("GET /api/v1/records?after=0", "");
    assert_eq!(response.status, 200, "{}", response.body);
    response.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Whether the journal has the action of a run that has this text.
fn is_stored(server: &Server, run: u64, text: &str) -> bool {
    let all = records(server);
    let mut records = all.iter().map(|numbered| &numbered["record"]);
    records.any(|record| {
        record["run"] == run
            && record["kind"] == "action.done"
            && record["data"].to_string().contains(text)
    })
}

/// Waits until something holds; fails after twenty seconds.
fn eventually(what: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if what() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("it does not hold after twenty seconds");
}

/// Checks the journal with the command.
fn doctor(folder: &Path) {
    let examined = standin_in(folder, &["journal", "doctor", "standin.db"]);
    assert_eq!(examined.status.code(), Some(0), "{}{}", stdout(&examined), stderr(&examined));
}

#[test]
fn a_killed_server_continues_runs_conversations_and_numbers() {
    let (folder, receiver) = (TempDir::new().unwrap(), Receiver::accepting());
    let server = start(folder.path(), &receiver);
    let run = slow(&server, false);
    let conversation = format!("{run}-1");
    eventually(|| texts(&server, &conversation) == ["first"]);
    assert_eq!(say(&server, &conversation, "and \"more\""), 200);
    let ended = server.run(&json!({"vendor": "ebbot", "source": SLOW, "clock": "virtual"}));
    let verdict = server.ended(ended)["result"].clone();
    let (before, said) = (detail(&server, &conversation), texts(&server, &conversation));
    eventually(|| {
        server.get(&format!("/api/v1/deliveries?run={run}&state=passed"))["items"]
            .as_array()
            .unwrap()
            .len()
            > 2
    });
    let stored = records(&server);
    let received = receiver.count();
    server.process.kill();

    let server = start(folder.path(), &receiver);
    assert_eq!(records(&server)[..stored.len()], stored[..], "the numbers stay");
    let runs = server.get("/api/v1/runs");
    let numbers: Vec<&Json> =
        runs["items"].as_array().unwrap().iter().map(|run| &run["run"]).collect();
    assert_eq!(numbers, [&json!(ended), &json!(run)]);
    assert_eq!(server.get(&format!("/api/v1/runs/{ended}"))["result"], verdict);
    assert_eq!(texts(&server, &conversation), said);
    let after = detail(&server, &conversation);
    for key in ["ids", "cast", "assignee", "messages", "channel", "state"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert_eq!(server.get("/api/v1/endpoints")["items"].as_array().unwrap().len(), 1);
    // People go on, in the conversation of the finished run too, and the script ends.
    assert_eq!(say(&server, &conversation, "after the restart"), 200);
    let path = format!("POST /api/v1/conversations/{ended}-1/actions");
    let closed = server.call(&path, r#"{"close":{"by":"grace"}}"#);
    assert_eq!(closed.status, 200, "{}", closed.body);
    let fast = json!({"speed": 100_000}).to_string();
    assert_eq!(server.call(&format!("POST /api/v1/runs/{run}/speed"), &fast).status, 200);
    let finished = server.ended(run);
    assert_eq!(finished["result"]["verdict"], "passed", "{finished}");
    assert_eq!(texts(&server, &conversation)[2..], ["after the restart", "second"]);
    assert!(receiver.count() > received);
    let all = records(&server);
    let numbers: Vec<u64> = all.iter().map(|record| record["id"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=all.len() as u64).collect::<Vec<_>>());
    // A client of the stream resumes after its last number.
    let last = stored.len();
    let (next, _) = server.stream(&format!("Last-Event-ID: {last}\r\n"), "").record();
    assert_eq!(next, last as u64 + 1);
    // Every event was sent once.
    let bodies: Vec<String> = receiver.requests().iter().map(|sent| sent.body.clone()).collect();
    assert_eq!(bodies.iter().collect::<BTreeSet<_>>().len(), bodies.len());
    let exited = server.process.terminate();
    assert_eq!(exited.code, Some(0), "{}", exited.stderr);
    assert!(!folder.path().join("standin.db-wal").exists(), "the journal is one file again");
    doctor(folder.path());
    let listed = stdout(&standin_in(folder.path(), &["journal", "list", "standin.db"]));
    assert_eq!(listed.matches(": passed, ").count(), 2, "{listed}");
}

#[test]
fn a_stopped_server_continues_paused_and_cancelled_runs_as_they_were() {
    let (folder, receiver) = (TempDir::new().unwrap(), Receiver::accepting());
    let server = start(folder.path(), &receiver);
    let (paused, cancelled) = (slow(&server, true), slow(&server, false));
    eventually(|| texts(&server, &format!("{cancelled}-1")) == ["first"]);
    eventually(|| !detail(&server, &format!("{paused}-1")).is_null());
    for _ in 0..3 {
        assert_eq!(server.call(&format!("POST /api/v1/runs/{paused}/step"), "").status, 200);
    }
    assert_eq!(server.call(&format!("POST /api/v1/runs/{cancelled}/cancel"), "").status, 200);
    server.ended(cancelled);
    // Run time passes a hundred times as fast.
    let running = slow(&server, false);
    let fast = json!({"speed": 100}).to_string();
    assert_eq!(server.call(&format!("POST /api/v1/runs/{running}/speed"), &fast).status, 200);
    eventually(|| texts(&server, &format!("{running}-1")) == ["first"]);
    thread::sleep(Duration::from_millis(500));
    let exited = server.process.terminate();
    assert_eq!(exited.code, Some(0), "{}", exited.stderr);

    let server = start(folder.path(), &receiver);
    // The clock stands where it stood: at least 50 s after the start.
    assert_eq!(say(&server, &format!("{running}-1"), "hello"), 200);
    let started = server.get(&format!("/api/v1/runs/{running}"))["start"].clone();
    let said = detail(&server, &format!("{running}-1"))["messages"][1]["at"].clone();
    let time = |text: &Json| text.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(time(&said).duration_since(time(&started)).as_secs() >= 50, "{started} {said}");
    let phase = |run: u64| server.get(&format!("/api/v1/runs/{run}"))["phase"].clone();
    assert_eq!((phase(paused), phase(cancelled)), (json!("paused"), json!("cancelled")));
    assert_eq!(texts(&server, &format!("{paused}-1")), ["first"]);
    assert_eq!(texts(&server, &format!("{cancelled}-1")), ["first"]);
    assert_eq!(say(&server, &format!("{cancelled}-1"), "late"), 409);
    // An offer, and its acceptance.
    for _ in 0..2 {
        assert_eq!(server.call(&format!("POST /api/v1/runs/{paused}/step"), "").status, 200);
    }
    assert_eq!(detail(&server, &format!("{paused}-1"))["assignee"], "grace");
    drop(server);
    doctor(folder.path());
}

#[test]
fn endpoints_of_the_api_survive_a_restart() {
    let (folder, receiver) = (TempDir::new().unwrap(), Receiver::accepting());
    let server = Server::start_in(folder.path(), &[]);
    let add = |server: &Server, url: &str, vendor: &str| {
        let body = json!({"vendor": vendor, "url": url, "events": ["*"]}).to_string();
        let added = server.call("POST /api/v1/endpoints", &body);
        assert_eq!(added.status, 201, "{}", added.body);
        added.json()["number"].as_u64().unwrap()
    };
    let removed = add(&server, &receiver.url(), "ebbot");
    assert_eq!(server.call(&format!("DELETE /api/v1/endpoints/ebbot/{removed}"), "").status, 204);
    let kept = add(&server, &receiver.url(), "ebbot");
    add(&server, &format!("{}?key=a-private-key", receiver.url()), "wotnot");
    server.process.kill();

    let mut server = Server::start_in(folder.path(), &[]);
    let list = server.get("/api/v1/endpoints")["items"].clone();
    let expected = json!([{
        "vendor": "ebbot", "number": kept, "url": receiver.url(), "events": ["*"],
        "subscribed": ["*"], "handshake": null, "subscribed_by_call": false
    }]);
    assert_eq!(list, expected);
    // A secret is not in the journal, so that the endpoint is reported, and not used.
    let note = server.process.read_stderr_until("is not used");
    assert!(note.contains("wotnot") && !note.contains("a-private-key"), "{note}");
    let run = server.run(&json!({"vendor": "ebbot", "scenario": "handover", "clock": "virtual"}));
    assert_eq!(server.ended(run)["result"]["verdict"], "passed");
    assert_eq!(add(&server, &receiver.url(), "ebbot"), kept + 1, "numbers are not used again");
    server.process.kill();

    let server = Server::start_in(folder.path(), &["--to", "ebbot=http://127.0.0.1:9/new"]);
    let list = server.get("/api/v1/endpoints")["items"].clone();
    let numbers: Vec<&Json> = list.as_array().unwrap().iter().map(|one| &one["number"]).collect();
    assert_eq!(numbers, [&json!(kept), &json!(kept + 1), &json!(kept + 2)], "{list}");
}

#[test]
fn nothing_that_was_acknowledged_is_lost_by_kills_under_load() {
    kills_under_load(5);
}

#[test]
#[ignore = "takes minutes; run it with `--ignored`"]
fn nothing_that_was_acknowledged_is_lost_by_twenty_kills() {
    kills_under_load(20);
}

/// Endpoints that were added and removed under load, by what was acknowledged.
#[derive(Default)]
struct ChangedEndpoints {
    kept: BTreeSet<u64>,
    removed: BTreeSet<u64>,
}

impl ChangedEndpoints {
    /// Adds endpoints, and removes all but the newest, until the server is killed.
    fn change(&mut self, server: &Server, is_over: &AtomicBool) {
        while !is_over.load(Ordering::SeqCst) {
            let body = json!({"vendor": "wotnot", "url": "http://127.0.0.1:9/"}).to_string();
            let added = server.call("POST /api/v1/endpoints", &body);
            if added.status != 201 {
                continue;
            }
            // Neither kept nor removed while it is not known whether the removal was stored.
            for number in std::mem::take(&mut self.kept) {
                let path = format!("DELETE /api/v1/endpoints/wotnot/{number}");
                if server.call(&path, "").status == 204 {
                    self.removed.insert(number);
                }
            }
            self.kept.insert(added.json()["number"].as_u64().unwrap());
        }
    }

    fn check(&self, server: &Server) {
        let listed = server.get("/api/v1/endpoints")["items"].clone();
        let all = listed.as_array().unwrap().iter().filter(|one| one["vendor"] == "wotnot");
        let listed: BTreeSet<u64> = all.map(|one| one["number"].as_u64().unwrap()).collect();
        assert!(self.kept.is_subset(&listed), "{:?} of {listed:?}", self.kept);
        assert!(self.removed.is_disjoint(&listed), "{:?} of {listed:?}", self.removed);
    }
}

fn kills_under_load(kills: usize) {
    let mut endpoints = ChangedEndpoints::default();
    let (folder, receiver) = (TempDir::new().unwrap(), Receiver::accepting());
    let mut acknowledged: Vec<(String, String)> = Vec::new();
    let mut runs = 0;
    for kill in 0..kills {
        let server = start(folder.path(), &receiver);
        endpoints.check(&server);
        let listed = server.get("/api/v1/runs?limit=500")["items"].as_array().unwrap().len();
        assert!(listed >= runs, "{listed} of {runs} runs after kill {kill}");
        let all: BTreeSet<String> = acknowledged.iter().map(|(at, _)| at.clone()).collect();
        for conversation in all {
            let found = texts(&server, &conversation);
            let said: Vec<&String> = acknowledged
                .iter()
                .filter(|(at, _)| *at == conversation)
                .map(|(_, text)| text)
                .collect();
            let kept: Vec<&String> = found.iter().filter(|text| said.contains(text)).collect();
            assert_eq!(kept, said, "{conversation} after kill {kill}");
        }
        let (is_over, counted) = (AtomicBool::new(false), AtomicUsize::new(runs));
        let acts = AtomicUsize::new(0);
        let more = thread::scope(|scope| {
            scope.spawn(|| endpoints.change(&server, &is_over));
            let workers: Vec<_> = (0..4)
                .map(|worker| {
                    let (server, is_over, counted, acts) = (&server, &is_over, &counted, &acts);
                    scope.spawn(move || {
                        let (mut own, mut number) = (Vec::new(), 0);
                        let body = json!({"vendor": "ebbot", "source": SLOW}).to_string();
                        let started = server.call("POST /api/v1/runs", &body);
                        if started.status != 201 {
                            return own;
                        }
                        counted.fetch_add(1, Ordering::SeqCst);
                        let conversation = format!("{}-1", started.json()["run"]);
                        while !is_over.load(Ordering::SeqCst) {
                            number += 1;
                            let text = format!("kill {kill} worker {worker} text {number}");
                            if say(server, &conversation, &text) == 200 {
                                own.push((conversation.clone(), text));
                                acts.fetch_add(1, Ordering::SeqCst);
                            }
                        }
                        own
                    })
                })
                .collect();
            eventually(|| acts.load(Ordering::SeqCst) > 4);
            thread::sleep(Duration::from_millis(100 + 137 * (kill as u64 % 5)));
            let pid = server.process.id().to_string();
            assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
            is_over.store(true, Ordering::SeqCst);
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
        });
        runs = counted.into_inner();
        assert!(!more.is_empty(), "nothing happened before kill {kill}");
        acknowledged.extend(more);
        drop(server);
        doctor(folder.path());
    }
    let server = start(folder.path(), &receiver);
    endpoints.check(&server);
    assert!(!endpoints.removed.is_empty(), "no endpoint was removed");
    for (conversation, text) in &acknowledged {
        assert!(texts(&server, conversation).contains(text), "{conversation}: {text}");
    }
    let numbers: Vec<u64> =
        records(&server).iter().map(|record| record["id"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    // What was not sent before a kill is sent after it.
    eventually(|| {
        let pending = server.get("/api/v1/deliveries?state=pending&limit=500");
        pending["items"].as_array().unwrap().is_empty()
    });
}

#[cfg(unix)]
#[test]
fn a_full_journal_stops_new_runs_and_readiness() {
    let (folder, receiver) = (TempDir::new().unwrap(), Receiver::accepting());
    let to = format!("ebbot={}", receiver.url());
    // In blocks of 512 bytes.
    let limit = "ulimit -f 600; exec \"$0\" \"$@\"";
    let server = Server::start_with(folder.path(), Some(limit), &["--to", &to]);
    let ready = |server: &Server| server.request("GET /readyz", "", "");
    assert_eq!(ready(&server).status, 200);
    let body = json!({"vendor": "ebbot", "scenario": "handover", "clock": "virtual"}).to_string();
    let refused = (0..200).find_map(|_| {
        let started = server.call("POST /api/v1/runs", &body);
        (started.status != 201).then_some(started)
    });
    let refused = refused.expect("the journal does not fill up");
    assert_eq!((refused.status, refused.code()), (503, "unavailable".into()), "{}", refused.body);
    let found = ready(&server);
    assert_eq!(found.status, 503);
    assert!(found.body.contains("nothing can be stored"), "{}", found.body);
    // What is stored can still be read.
    assert!(!server.get("/api/v1/runs")["items"].as_array().unwrap().is_empty());
    let exited = server.process.terminate();
    assert_eq!(exited.code, Some(3), "{}", exited.stderr);
}

#[test]
fn a_run_that_cannot_be_continued_is_reported_and_not_lost() {
    let (folder, receiver) = (TempDir::new().unwrap(), Receiver::accepting());
    let server = start(folder.path(), &receiver);
    let run = slow(&server, false);
    let conversation = format!("{run}-1");
    eventually(|| is_stored(&server, run, "first"));
    server.process.kill();

    let mut server = Server::start_in(folder.path(), &["--vendor", "erxes"]);
    let note = server.process.read_stderr_until("cannot be continued");
    assert!(note.contains("its vendor is not served"), "{note}");
    let listed = server.get(&format!("/api/v1/runs/{run}"));
    assert_eq!((&listed["phase"], &listed["vendor"]), (&json!("interrupted"), &json!("ebbot")));
    assert!(listed["reason"].as_str().unwrap().contains("not served"), "{listed}");
    let read = server.call(&format!("GET /api/v1/conversations/{conversation}"), "");
    assert_eq!(read.status, 409, "{}", read.body);
    server.process.kill();

    let server = start(folder.path(), &receiver);
    assert_eq!(texts(&server, &conversation), ["first"]);
}

#[test]
fn old_runs_are_deleted_and_their_numbers_are_not_used_again() {
    let (folder, receiver) = (TempDir::new().unwrap(), Receiver::accepting());
    let server = start(folder.path(), &receiver);
    let virtually = json!({"vendor": "ebbot", "source": SLOW, "clock": "virtual"});
    let ended = server.run(&virtually);
    assert_eq!(server.ended(ended)["result"]["verdict"], "passed");
    let running = slow(&server, false);
    eventually(|| is_stored(&server, running, "first"));
    let last = records(&server).last().unwrap()["id"].clone();
    server.process.kill();

    let to = format!("ebbot={}", receiver.url());
    let mut server = Server::start_in(folder.path(), &["--to", &to, "--keep", "1ms"]);
    server.process.read_stderr_until("deleted 1 run");
    let listed = server.get("/api/v1/runs");
    let numbers: Vec<&Json> =
        listed["items"].as_array().unwrap().iter().map(|run| &run["run"]).collect();
    assert_eq!(numbers, [&json!(running)]);
    assert_eq!(server.call(&format!("GET /api/v1/runs/{ended}"), "").status, 404);
    assert_eq!(server.call(&format!("GET /api/v1/conversations/{ended}-1"), "").status, 404);
    assert_eq!(texts(&server, &format!("{running}-1")), ["first"]);
    assert_eq!(server.run(&virtually), running + 1);
    let first = records(&server)[0]["record"]["run"].clone();
    assert_eq!(first, json!(running));
    let new = records(&server);
    let new = new.iter().find(|kept| kept["record"]["run"] == json!(running + 1)).unwrap();
    assert!(new["id"].as_u64() > last.as_u64(), "{new}");
    drop(server);
    doctor(folder.path());
    let refused = standin_in(folder.path(), &["serve", "--keep", "soon"]);
    assert!(stderr(&refused).contains("such as `30d`"), "{}", stderr(&refused));
}

/// Calls an API of a server, with the credentials that the command prints.
fn call_wotnot(server: &Server, path: &str, body: &Json) -> ApiResponse {
    let vendors = server.get("/api/v1/vendors");
    let mut vendors = vendors["items"].as_array().unwrap().iter();
    let api = vendors.find(|vendor| vendor["id"] == "wotnot").unwrap()["api"].clone();
    let api = api.as_str().unwrap();
    let printed = stdout(&standin(&["vendors", "wotnot", "--api"]));
    let (_, token) = printed.split_once("-H 'Authorization: Bearer ").unwrap();
    let token = token.split('\'').next().unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}"
    );
    request(api.strip_prefix("http://").unwrap(), &head, &body.to_string())
}

#[test]
fn clients_open_conversations_without_a_run_and_continue_them_after_a_kill() {
    let (folder, receiver) = (TempDir::new().unwrap(), Receiver::accepting());
    let to = format!("wotnot={}", receiver.url());
    let server = Server::start_in(folder.path(), &["--to", &to]);
    let message = |text: &str| json!({"type": "text", "data": {"body": text}});
    let from = json!({"user_external_id": "visitor-7", "type": "VISITOR"});
    let open = json!({"channel": "API", "message": message("first"), "from": from});
    let opened = call_wotnot(&server, "/api/v1/conversations", &open);
    assert_eq!(opened.status, 200, "{}", opened.body);
    let opened: Json = serde_json::from_str(&opened.body).unwrap();
    let id = opened["conversation"]["id"].as_str().unwrap().to_owned();
    let said = |server: &Server| texts(server, "1-1");
    assert_eq!(said(&server), ["first"]);
    server.process.kill();

    let server = Server::start_in(folder.path(), &["--to", &to]);
    let path = format!("/api/v1/conversation/{id}/messages");
    let body = json!({"message": message("second"), "user": {"type": "VISITOR"}});
    let sent = call_wotnot(&server, &path, &body);
    assert_eq!(sent.status, 200, "{}", sent.body);
    assert_eq!(said(&server), ["first", "second"]);
    // A person can act in it too.
    let by = detail(&server, "1-1")["cast"][0]["name"].clone();
    assert_eq!(act(&server, "1-1", &json!({"say": {"by": by, "text": "third"}})), 200);
    // Also as staff, though no script names any.
    for (by, text) in [("agent", "fourth"), ("bot", "fifth")] {
        assert_eq!(act(&server, "1-1", &json!({"say": {"by": by, "text": text}})), 200, "{by}");
    }
    let all = ["first", "second", "third", "fourth", "fifth"];
    assert_eq!(said(&server), all);
    eventually(|| {
        all.iter().all(|text| receiver.events().iter().any(|event| event.body.contains(text)))
    });
    assert_eq!(server.get("/api/v1/runs")["items"].as_array().unwrap().len(), 1);
    drop(server);
    doctor(folder.path());
}
