//! The control API for what people do after a run: find it, send its deliveries again, hand it over.

use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::support::{
    ReceivedRequest, Receiver, Reply, SLOW, Server, standin, standin_in, stderr, stdout,
};

/// Plays a run at a vendor to its end, and returns its number.
fn play(server: &Server, vendor: &str, scenario: &str) -> u64 {
    let run = server.run(&json!({
        "vendor": vendor, "scenario": scenario, "clock": "virtual", "seed": 7
    }));
    server.ended(run);
    run
}

fn last_delivery(server: &Server) -> String {
    let list = server.get("/api/v1/deliveries?limit=1");
    list["items"][0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_delivery_is_sent_again_edited_and_with_a_fault() {
    let receiver = Receiver::accepting();
    let to = format!("liveperson={}", receiver.url());
    let server = Server::start(&["--to", &to]);
    play(&server, "liveperson", "handover");
    let id = last_delivery(&server);
    let redeliver = |body: &Json| {
        server.call(&format!("POST /api/v1/deliveries/{id}/redeliver"), &body.to_string())
    };
    let signature = |request: &ReceivedRequest| request.header("x-liveperson-signature").unwrap();
    let count = receiver.count();
    let edited = redeliver(&json!({"body": "{\"edited\": true}"}));
    assert_eq!(edited.status, 201, "{}", edited.body);
    server.ended(edited.json()["run"].as_u64().unwrap());
    let sent = receiver.requests()[count].clone();
    assert_eq!(sent.body, "{\"edited\": true}");
    // Signed anew: the verification of the server passes.
    let again = last_delivery(&server);
    let verified = server.get(&format!("/api/v1/deliveries/{again}/verification"));
    assert_eq!(
        (&verified["passed"], &verified["signatures"][0]["matches"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(verified["signatures"][0]["received"], format!("{}", signature(&sent)));

    // The receiver accepts a wrong signature, which fails.
    let count = receiver.count();
    let wrong = redeliver(&json!({"faults": ["wrong_token"]}));
    let ended = server.ended(wrong.json()["run"].as_u64().unwrap());
    assert_eq!(ended["result"]["verdict"], "failed", "{ended}");
    // After a control, which it has to accept.
    assert_eq!(receiver.count(), count + 2);
    let faulty = server.get(&format!("/api/v1/deliveries/{}", last_delivery(&server)));
    assert_eq!(faulty["delivery"]["faults"], json!(["wrong_token"]));
    let huge = redeliver(&json!({"faults": ["huge:2KiB", "slow_body"]}));
    assert_eq!(huge.status, 201, "{}", huge.body);
    server.ended(huge.json()["run"].as_u64().unwrap());
    assert!(receiver.requests().last().unwrap().body.len() > 2048);

    for (faults, status, part) in [
        (json!(["wrong"]), 400, "unknown fault `wrong`"),
        (json!(["drop"]), 422, "cannot have the fault `drop`"),
        (json!(["slow_body", "chunked"]), 422, "second fault of the group `wire`"),
    ] {
        let refused = redeliver(&json!({"faults": faults}));
        assert_eq!(refused.status, status, "{}", refused.body);
        assert!(refused.body.contains(part), "{}", refused.body);
    }
    assert_eq!(redeliver(&json!({"fault": "drop"})).status, 400);
    let offered = server.get("/api/v1/vendors/liveperson")["faults"].clone();
    let names: Vec<&str> =
        offered.as_array().unwrap().iter().map(|fault| fault["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"wrong_token") && !names.contains(&"stale"), "{names:?}");
}

#[test]
fn an_old_run_is_found_and_handed_over() {
    let server = Server::start(&["--vendor", "ebbot,wotnot"]);
    let first = play(&server, "ebbot", "handover");
    play(&server, "wotnot", "handover");
    let found = |query: &str| -> Vec<u64> {
        let list = server.get(&format!("/api/v1/runs?{query}"));
        list["items"].as_array().unwrap().iter().map(|run| run["run"].as_u64().unwrap()).collect()
    };
    assert_eq!(found("vendor=ebbot"), [first]);
    assert_eq!(found("text=HANDOVER&limit=1"), [first + 1]);
    assert_eq!(found("text=7"), [first + 1, first]);
    assert_eq!(found("verdict=passed"), [0; 0]);
    assert_eq!(found("text=nothing"), [0; 0]);
    assert_eq!(server.call("GET /api/v1/runs?verdict=green", "").status, 400);
    let report = server.call(&format!("GET /api/v1/runs/{first}/report"), "");
    assert_eq!(report.status, 200, "{}", report.body);
    assert!(report.head.contains("text/html"), "{}", report.head);
    assert!(report.head.contains(&format!("filename=\"run-{first}.html\"")), "{}", report.head);
    assert!(
        report.body.to_lowercase().starts_with("<!doctype html>")
            && report.body.contains("handover")
    );
    let markdown = server.call(&format!("GET /api/v1/runs/{first}/report?format=md"), "");
    assert!(markdown.head.contains("text/markdown"), "{}", markdown.head);
    assert_eq!(server.call("GET /api/v1/runs/99/report", "").status, 404);
    assert_eq!(server.call("GET /api/v1/runs/1/report?format=pdf", "").status, 400);
}

#[test]
fn subscriptions_handshakes_and_the_certainty_of_facts_are_shown() {
    let refusing = Receiver::responding(|_, _| Reply::Status(500, "{}".into()));
    let accepting = Receiver::accepting();
    let (one, two) = (format!("wotnot={}", refusing.url()), format!("ebbot={}", accepting.url()));
    let server = Server::start(&["--to", &one, "--to", &two]);
    let endpoint = |vendor: &str| {
        let list = server.get("/api/v1/endpoints");
        let mut all = list["items"].as_array().unwrap().iter();
        all.find(|endpoint| endpoint["vendor"] == vendor).unwrap().clone()
    };
    assert_eq!(endpoint("wotnot")["subscribed"], Json::Null);
    play(&server, "wotnot", "handover");
    play(&server, "ebbot", "handover");
    let refused = endpoint("wotnot");
    assert_eq!(refused["handshake"]["status"], 500, "{refused}");
    assert_eq!(refused["handshake"]["continues"], false);
    assert_eq!(endpoint("ebbot")["handshake"], Json::Null);
    assert!(!endpoint("ebbot")["subscribed"].as_array().unwrap().is_empty());

    let vendor = server.get("/api/v1/vendors/ebbot");
    let certainty = ["documented", "observed", "inferred", "assumed"];
    for source in vendor["sources"].as_array().unwrap() {
        assert!(certainty.contains(&source["certainty"].as_str().unwrap()), "{source}");
    }
    let silent = vendor["not_sent"].as_array().unwrap();
    assert!(silent.iter().all(|event| !event["reason"].as_str().unwrap().is_empty()));
    assert!(!silent.is_empty());
}

/// The steps that a run has done, in order, without repetition.
fn steps_done(server: &Server, run: u64) -> Vec<u64> {
    let records = server.call(&format!("GET /api/v1/records?run={run}"), "").body;
    let mut steps: Vec<u64> = records
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap()["record"].clone())
        .filter(|record| record["kind"] == "action.done")
        .filter_map(|record| record["step"].as_u64())
        .collect();
    steps.dedup();
    steps
}

/// Asserts that a run does these steps. Its records can be read after they have been stored.
fn assert_steps_done(server: &Server, run: u64, expected: &[u64]) {
    let start = Instant::now();
    while steps_done(server, run) != expected && start.elapsed() < Duration::from_secs(20) {
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(steps_done(server, run), expected);
}

#[test]
fn a_run_is_played_again_from_a_step_and_jumps_to_another() {
    let receiver = Receiver::accepting();
    let to = format!("ebbot={}", receiver.url());
    let server = Server::start(&["--to", &to]);
    let run = server.run(&json!({"vendor": "ebbot", "source": SLOW, "clock": "virtual"}));
    server.ended(run);
    let again = server.call(&format!("POST /api/v1/runs/{run}/restart"), r#"{"step": 3}"#);
    assert_eq!(again.status, 201, "{}", again.body);
    let again = again.json();
    let number = again["run"].as_u64().unwrap();
    let original = server.get(&format!("/api/v1/runs/{run}"));
    assert_eq!((&again["phase"], &again["seed"]), (&json!("paused"), &original["seed"]));
    assert_steps_done(&server, number, &[1, 2]);
    let detail = || server.get(&format!("/api/v1/conversations/{number}-1"));
    assert_eq!(
        (&detail()["next"]["step"], &detail()["next"]["action"]),
        (&json!(3), &json!("assign"))
    );
    let jumped = server.call(&format!("POST /api/v1/runs/{number}/jump"), r#"{"step": 4}"#);
    assert_eq!((jumped.status, &jumped.json()["phase"]), (200, &json!("paused")));
    assert_steps_done(&server, number, &[1, 2, 3]);
    let due_in_ms = 600_000;
    let next = json!({"step": 4, "action": "say", "by": "grace", "text": "second", "due_in_ms": due_in_ms});
    assert_eq!(detail()["next"], next);
    let back = server.call(&format!("POST /api/v1/runs/{number}/jump"), r#"{"step": 2}"#);
    assert_eq!((back.status, back.code()), (409, "conflict".into()), "{}", back.body);
    assert!(back.body.contains("restart"), "{}", back.body);
    for (path, body, status) in [
        ("jump", "{}", 400),
        ("jump", r#"{"step": 9}"#, 422),
        ("restart", r#"{"step": 0}"#, 422),
        ("restart", r#"{"stop": 1}"#, 400),
    ] {
        let refused = server.call(&format!("POST /api/v1/runs/{number}/{path}"), body);
        assert_eq!(refused.status, status, "{path} {body}: {}", refused.body);
    }
    assert_eq!(server.call("POST /api/v1/runs/99/restart", "").status, 404);
}

/// A receiver whose response to the handshake takes a while.
fn hesitating() -> Receiver {
    Receiver::responding(|number, _| match number {
        0 => Reply::Late(Duration::from_millis(1_500), Box::new(Reply::good())),
        _ => Reply::good(),
    })
}

#[test]
fn faults_that_are_set_during_a_handshake_are_kept() {
    let receiver = hesitating();
    let to = format!("erxes={}", receiver.url());
    let server = Server::start(&["--to", &to]);
    let run = server.run(&json!({"vendor": "erxes", "scenario": "handover", "clock": "virtual"}));
    let path = format!("POST /api/v1/runs/{run}/faults");
    let set = server.call(&path, r#"{"faults": ["drop"]}"#);
    assert_eq!((set.status, &set.json()["faults"]), (200, &json!(["drop"])), "{}", set.body);
    let records = || server.call(&format!("GET /api/v1/records?run={run}"), "").body;
    server.ended(run);
    assert!(records().contains("\"run.steered\""), "{}", records());
}

#[test]
fn a_run_has_one_fault_of_each_group() {
    let server = Server::start(&["--vendor", "wotnot"]);
    let run = server.run(&json!({"vendor": "wotnot", "source": SLOW}));
    let set = |faults: &str| server.call(&format!("POST /api/v1/runs/{run}/faults"), faults);
    let both = set(r#"{"faults": ["reset", "length"]}"#);
    assert_eq!((both.status, both.code()), (422, "invalid_input".into()), "{}", both.body);
    assert_eq!(set(r#"{"faults": ["reset"]}"#).status, 200);
}

#[test]
fn faults_of_a_run_are_turned_on_and_off_and_survive_a_restart() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::accepting());
    let to = format!("liveperson={}", receiver.url());
    let server = Server::start_in(folder.path(), &["--to", &to]);
    let run = server.run(&json!({"vendor": "liveperson", "source": SLOW}));
    let path = format!("/api/v1/conversations/{run}-1");
    let say = |server: &Server, text: &str| {
        let action = json!({"say": {"by": "ada", "text": text}}).to_string();
        let mut said = server.call(&format!("POST {path}/actions"), &action);
        for _ in 0..200 {
            // It does not exist before the script has begun.
            if ![404, 409].contains(&said.status) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
            said = server.call(&format!("POST {path}/actions"), &action);
        }
        assert_eq!(said.status, 200, "{}", said.body);
    };
    let turn = |server: &Server, faults: &Json| {
        let body = json!({"faults": faults}).to_string();
        server.call(&format!("POST /api/v1/runs/{run}/faults"), &body)
    };
    let faults_of = |server: &Server, text: &str| -> Json {
        for _ in 0..200 {
            let list = server.get(&format!("/api/v1/deliveries?run={run}"));
            let found = list["items"].as_array().unwrap().iter().find_map(|delivery| {
                let id = delivery["id"].as_str().unwrap();
                let detail = server.get(&format!("/api/v1/deliveries/{id}"));
                detail.to_string().contains(text).then(|| delivery["faults"].clone())
            });
            if let Some(found) = found {
                return found;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("nothing was sent for `{text}`");
    };
    say(&server, "before");
    let on = turn(&server, &json!(["wrong_token"]));
    assert_eq!((on.status, &on.json()["faults"]), (200, &json!(["wrong_token"])), "{}", on.body);
    say(&server, "meanwhile");
    assert_eq!(faults_of(&server, "meanwhile"), json!(["wrong_token"]));
    assert_eq!(faults_of(&server, "before"), json!([]));
    server.process.kill();

    let server = Server::start_in(folder.path(), &["--to", &to]);
    let listed = server.get(&format!("/api/v1/runs/{run}"));
    assert_eq!((&listed["faults"], &listed["reason"]), (&json!(["wrong_token"]), &Json::Null));
    say(&server, "still");
    assert_eq!(faults_of(&server, "still"), json!(["wrong_token"]));
    assert_eq!(turn(&server, &json!([])).json()["faults"], json!([]));
    say(&server, "after");
    assert_eq!(faults_of(&server, "after"), json!([]));
    assert_eq!(turn(&server, &json!(["stale"])).status, 422);
    assert_eq!(turn(&server, &json!(["nothing"])).status, 400);
    assert_eq!(server.call(&format!("POST /api/v1/runs/{run}/cancel"), "").status, 200);
    assert_eq!(turn(&server, &json!([])).status, 409);
}

#[test]
fn a_request_with_an_idempotency_key_is_handled_once() {
    let server = Server::start(&["--vendor", "ebbot"]);
    let body = json!({"vendor": "ebbot", "source": SLOW}).to_string();
    let start = |key: &str, body: &str| {
        let headers = format!(
            "Authorization: Bearer {}\r\nContent-Type: application/json\r\nIdempotency-Key: {key}\r\n",
            server.token
        );
        server.request("POST /api/v1/runs", &headers, body)
    };
    let first = start("one", &body);
    let again = start("one", &body);
    assert_eq!((first.status, again.status), (201, 201), "{}", again.body);
    assert_eq!(first.json()["run"], again.json()["run"]);
    assert!(again.head.to_lowercase().contains("idempotency-replayed: true"), "{}", again.head);
    assert!(!first.head.to_lowercase().contains("idempotency-replayed"), "{}", first.head);
    assert_eq!(start("two", &body).json()["run"], 2);
    let other = start("one", &json!({"vendor": "ebbot", "scenario": "handover"}).to_string());
    assert_eq!((other.status, other.code()), (409, "conflict".into()));
    // A refusal is repeated as well.
    assert_eq!((start("three", "{").status, start("three", "{").status), (400, 400));
    assert_eq!(start(&"x".repeat(300), &body).status, 400);
    assert_eq!(server.get("/api/v1/runs")["items"].as_array().unwrap().len(), 2);
    let unauthorized = "Authorization: Bearer no\r\nIdempotency-Key: one\r\n";
    assert_eq!(server.request("POST /api/v1/runs", unauthorized, &body).status, 401);
}

#[test]
fn a_request_whose_client_has_hung_up_can_be_sent_again() {
    let receiver = hesitating();
    let server = Server::start(&["--to", &format!("erxes={}", receiver.url())]);
    let run = server.run(&json!({"vendor": "erxes", "source": SLOW}));
    let line = format!("POST /api/v1/runs/{run}/faults");
    let (body, token) = (r#"{"faults":["drop"]}"#, &server.token);
    let headers = format!(
        "Authorization: Bearer {token}\r\nContent-Type: application/json\r\nIdempotency-Key: one\r\n"
    );
    let (address, length) = (&server.address, body.len());
    let mut stream = TcpStream::connect(address).unwrap();
    // It waits for the end of the handshake. The unread response makes the client reset the connection.
    write!(
        stream,
        "GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n{line} HTTP/1.1\r\nHost: {address}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.request(&line, &headers, body).status, 409, "it is being handled");
    drop(stream);
    std::thread::sleep(Duration::from_millis(300));
    let again = server.request(&line, &headers, body);
    assert_eq!(again.status, 200, "{}", again.body);
    assert!(!again.head.to_lowercase().contains("idempotency-replayed"), "{}", again.head);
}

#[test]
fn the_body_of_a_request_with_an_idempotency_key_must_arrive_in_time() {
    let server = Server::start(&["--vendor", "ebbot"]);
    let (address, token) = (&server.address, &server.token);
    let response = server.raw(&format!(
        "POST /api/v1/runs HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nIdempotency-Key: one\r\nConnection: close\r\n\
         Content-Length: 100\r\n\r\n{{"
    ));
    assert_eq!((response.status, response.code()), (408, "timeout".into()), "{}", response.body);
}

#[test]
fn scenarios_are_uploaded_replaced_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_in(folder.path(), &["--vendor", "ebbot"]);
    let put = |server: &Server, name: &str, source: &str| {
        let body = json!({"source": source}).to_string();
        server.call(&format!("PUT /api/v1/scenarios/{name}"), &body)
    };
    let created = put(&server, "mine", SLOW);
    assert_eq!((created.status, &created.json()["vendors"]), (201, &json!(["ebbot"])));
    assert_eq!(put(&server, "mine", &SLOW.replace("second", "third")).status, 200);
    let invalid = put(&server, "mine", "[[step]]\nopn = {}\n");
    let line = &invalid.json()["error"]["problems"][0]["line"];
    assert_eq!((invalid.status, line), (422, &json!(2)));
    assert_eq!(put(&server, "handover", SLOW).status, 409);
    assert_eq!(put(&server, "a%20b", SLOW).status, 422);
    server.process.kill();

    let server = Server::start_in(folder.path(), &["--vendor", "ebbot"]);
    assert!(server.call("GET /api/v1/scenarios/mine", "").body.contains("third"));
    let run = server.run(&json!({"vendor": "ebbot", "scenario": "mine", "clock": "virtual"}));
    server.ended(run);
    assert_eq!(server.call("DELETE /api/v1/scenarios/mine", "").status, 204);
    assert_eq!(server.call("DELETE /api/v1/scenarios/mine", "").status, 404);
    assert_eq!(server.call("DELETE /api/v1/scenarios/handover", "").status, 404);
    assert_eq!(server.call("GET /api/v1/scenarios/mine", "").status, 404);
    assert_eq!(
        server.get(&format!("/api/v1/conversations/{run}-1"))["messages"][1]["text"],
        "third"
    );
}

#[test]
fn run_plays_scenarios_at_a_server() {
    let receiver = Receiver::accepting();
    let to = format!("ebbot={}", receiver.url());
    let server = Server::start(&["--to", &to]);
    let page = format!("http://{}/#token={}", server.address, server.token);
    let passed = standin(&["run", "handover", "--seed", "5", "--server", &page]);
    assert_eq!(passed.status.code(), Some(0), "{}{}", stdout(&passed), stderr(&passed));
    assert!(stdout(&passed).contains("at ebbot") && stdout(&passed).contains(": passed, "));
    assert!(receiver.count() > 0);
    let listed = server.get("/api/v1/runs");
    let run = &listed["items"][0];
    assert_eq!((&run["file"], &run["seed"]), (&json!("handover"), &json!(5)));
    // A revision that the server does not play, and a vendor that it does not have.
    for (vendor, expected) in [("ebbot@none", "start it with"), ("nobody", "it has ebbot")] {
        let refused = standin(&["run", "handover", "--vendor", vendor, "--server", &page]);
        let text = stderr(&refused);
        assert_eq!(refused.status.code(), Some(2), "{vendor}: {text}");
        assert!(text.contains(expected), "{vendor}: {text}");
    }
    let both = ["run", "customer", "--vendor", "ebbot,erxes", "--server", &page];
    let skipped = standin(&both);
    assert!(stderr(&skipped).contains("cannot run at ebbot"), "{}", stderr(&skipped));
    let all = standin(&["run", "customer", "--vendor", "all", "--server", &page]);
    assert!(!stderr(&all).contains("cannot run"), "{}", stderr(&all));
    // Without a receiver, the run is inconclusive.
    let untested = standin(&["run", "handover", "--vendor", "wotnot", "--server", &page]);
    assert_eq!(untested.status.code(), Some(1), "{}{}", stdout(&untested), stderr(&untested));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.toml"), "[[step]]\nopn = {}\n").unwrap();
    let invalid = standin_in(folder.path(), &["run", "bad.toml", "--server", &page]);
    assert_eq!(invalid.status.code(), Some(2), "{}", stderr(&invalid));
    assert!(stderr(&invalid).contains("bad.toml:2:"), "{}", stderr(&invalid));
    drop(server);
    assert_eq!(standin(&["run", "handover", "--server", &page]).status.code(), Some(3));
}
