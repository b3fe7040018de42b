//! `standin serve`: the control API through its socket.

use serde_json::{Value as Json, json};

use crate::support::{Receiver, Reply, SLOW, Server, fetch, standin, stderr, stdout};

fn slow(server: &Server, paused: bool) -> u64 {
    server.run(&json!({"vendor": "ebbot", "source": SLOW, "paused": paused}))
}

fn texts(server: &Server, conversation: &str) -> Vec<String> {
    // It does not exist before the handshakes of its run have ended.
    let detail = server.call(&format!("GET /api/v1/conversations/{conversation}"), "").json();
    let messages = detail["messages"].as_array().into_iter().flatten();
    messages.map(|message| message["text"].as_str().unwrap().to_owned()).collect()
}

/// Waits until something holds; fails after ten seconds.
fn eventually(what: impl Fn() -> bool) {
    for _ in 0..500 {
        if what() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("it does not hold after ten seconds");
}

#[test]
fn a_run_is_started_and_judged_through_the_api() {
    let receiver = Receiver::accepting();
    let to = format!("ebbot={}", receiver.url());
    let server = Server::start(&["--to", &to]);
    let request = json!({"vendor": "ebbot", "scenario": "handover", "seed": 7, "clock": "virtual"});
    let run = server.run(&request);
    let ended = server.ended(run);
    assert_eq!((&ended["phase"], &ended["seed"]), (&json!("finished"), &json!(7)));
    assert_eq!(ended["result"]["verdict"], "passed", "{ended}");

    let list = server.get("/api/v1/conversations");
    assert_eq!(list["items"][0]["id"], format!("{run}-1"));
    assert_eq!(list["items"][0]["deliveries"]["passed"], receiver.count());
    // The newest first, in pages.
    let first = server.get("/api/v1/deliveries?limit=5&state=passed");
    let before = first["next"].as_u64().unwrap();
    let second = server.get(&format!("/api/v1/deliveries?limit=500&before={before}"));
    let (first, second) = (first["items"].as_array().unwrap(), second["items"].as_array().unwrap());
    assert_eq!((first.len(), second.len()), (5, receiver.count() - 5));

    let id = second[0]["id"].as_str().unwrap();
    let detail = server.get(&format!("/api/v1/deliveries/{id}"));
    let kinds = detail["records"].as_array().unwrap().iter().map(|kept| &kept["record"]["kind"]);
    let kinds: Vec<&Json> = kinds.collect();
    let expected = ["delivery.planned", "attempt.started", "attempt.finished", "delivery.settled"];
    assert_eq!(kinds, expected.map(Json::from).iter().collect::<Vec<_>>());
}

#[test]
fn the_server_names_differing_documentation_and_shows_a_run_with_a_receiver() {
    for (vendor, to, expected) in [
        ("liveperson,ebbot", "ebbot=http://127.0.0.1:1", true),
        ("liveperson@2022", "http://127.0.0.1:1", false),
    ] {
        let mut server = Server::start(&["--vendor", vendor, "--to", to]);
        let mut welcome = String::new();
        while !welcome.contains("Press Ctrl-C") {
            welcome += &server.process.line();
        }
        assert_eq!(welcome.contains("real servers of liveperson differ"), expected, "{welcome}");
        assert_eq!(welcome.contains(r#"--json '{"vendor":"ebbot""#), expected, "{welcome}");
    }
}

#[test]
fn a_paused_run_is_stepped_and_resumed() {
    let server = Server::start(&["--vendor", "ebbot"]);
    let run = slow(&server, true);
    let conversation = format!("{run}-1");
    let steer = |command: &str| server.call(&format!("POST /api/v1/runs/{run}/{command}"), "");
    eventually(|| !server.get("/api/v1/conversations")["items"].as_array().unwrap().is_empty());
    assert_eq!(texts(&server, &conversation), [""; 0]);
    // Opening implies an assignment to the bot.
    for _ in 0..3 {
        assert_eq!(steer("step").json()["phase"], "paused");
    }
    assert_eq!(texts(&server, &conversation), ["first"]);
    assert_eq!(
        server.call(&format!("POST /api/v1/runs/{run}/speed"), r#"{"speed":100000}"#).status,
        200
    );
    assert_eq!(steer("resume").status, 200);
    server.ended(run);
    assert_eq!(texts(&server, &conversation), ["first", "second"]);
    assert_eq!(steer("dance").status, 404);
    let too_fast = server.call(&format!("POST /api/v1/runs/{run}/speed"), r#"{"speed":0}"#);
    assert_eq!((too_fast.status, too_fast.code()), (422, "invalid_input".into()));
}

#[test]
fn people_act_in_a_running_conversation_and_after_it() {
    let receiver = Receiver::accepting();
    let to = format!("ebbot={}", receiver.url());
    let server = Server::start(&["--to", &to]);
    let run = slow(&server, false);
    let conversation = format!("{run}-1");
    let act = |body: Json| {
        server
            .call(&format!("POST /api/v1/conversations/{conversation}/actions"), &body.to_string())
    };
    eventually(|| texts(&server, &conversation) == ["first"]);
    // The placeholders are those of scenarios.
    let said = act(json!({"say": {"by": "ada", "text": "I am ${cast.ada.name}"}}));
    assert_eq!(said.status, 200, "{}", said.body);
    let taken = act(json!([{"assign": {"to": "grace"}}, {"say": {"by": "grace", "text": "Hi"}}]));
    assert_eq!(taken.status, 200, "{}", taken.body);
    assert_eq!(texts(&server, &conversation), ["first", "I am Ada Test", "Hi"]);
    eventually(|| receiver.requests().iter().any(|request| request.body.contains("I am Ada Test")));

    // All of them or none, and the problems are those of scenario files.
    let closed = act(json!([{"close": {"by": "grace"}}, {"say": {"by": "ada", "text": "Late"}}]));
    assert_eq!((closed.status, closed.code()), (409, "conflict".into()));
    let invalid = act(json!([{"say": {"by": "adda", "text": "${cast.ad.name}"}}, {"dance": {}}]));
    let error = &invalid.json()["error"];
    assert_eq!((invalid.status, &error["pointer"]), (422, &json!("/0/say/by")));
    assert_eq!(error["hint"], "did you mean `ada`?");
    let pointers = error["problems"].as_array().unwrap().iter().map(|problem| &problem["pointer"]);
    let pointers: Vec<&Json> = pointers.collect();
    assert_eq!(pointers, [&json!("/0/say/by"), &json!("/0/say/text"), &json!("/1/dance")]);
    for invalid in ["", "{}", "[]", "3", "{\"say\":", "{\"close\":{\"by\":\"ada\"},\"close\":{}}"] {
        let refused =
            server.call(&format!("POST /api/v1/conversations/{conversation}/actions"), invalid);
        assert!([400, 422].contains(&refused.status), "{invalid}: {}", refused.body);
    }
    assert_eq!(texts(&server, &conversation).len(), 3, "nothing of it happened");

    server.call(&format!("POST /api/v1/runs/{run}/speed"), r#"{"speed":100000}"#);
    server.ended(run);
    assert_eq!(act(json!({"close": {"by": "grace"}})).status, 200);
    assert_eq!(server.get("/api/v1/conversations")["items"][0]["state"], "closed");
}

#[test]
fn a_cancelled_run_can_still_be_read() {
    let server = Server::start(&["--vendor", "ebbot"]);
    let run = slow(&server, false);
    let conversation = format!("{run}-1");
    eventually(|| texts(&server, &conversation) == ["first"]);
    let cancelled = server.call(&format!("POST /api/v1/runs/{run}/cancel"), "");
    assert_eq!(cancelled.json()["phase"], "cancelled");
    assert_eq!(server.ended(run)["result"]["verdict"], "interrupted");
    assert_eq!(texts(&server, &conversation), ["first"]);
    let late = json!({"say": {"by": "ada", "text": "late"}}).to_string();
    let path = format!("POST /api/v1/conversations/{conversation}/actions");
    assert_eq!(server.call(&path, &late).status, 409);
}

#[test]
fn endpoints_are_added_and_removed_through_the_api() {
    let (receiver, server) = (Receiver::accepting(), Server::start(&[]));
    let add = |url: &str| {
        let body = json!({"vendor": "ebbot", "url": url}).to_string();
        server.call("POST /api/v1/endpoints", &body)
    };
    for (url, part) in [
        (format!("http://{}/", server.address), "is this server"),
        ("http://8.8.8.8/".to_owned(), "public"),
        ("http://169.254.169.254/".to_owned(), "link-local"),
        ("ftp://localhost/".to_owned(), "scheme"),
    ] {
        let refused = add(&url);
        assert_eq!(refused.status, 422, "{url}: {}", refused.body);
        assert!(refused.body.contains(part), "{url}: {}", refused.body);
    }
    let added = add(&receiver.url());
    assert_eq!((added.status, &added.json()["number"]), (201, &json!(1)));
    let play = || {
        let run =
            server.run(&json!({"vendor": "ebbot", "scenario": "handover", "clock": "virtual"}));
        server.ended(run)["result"].clone()
    };
    assert_eq!(play()["verdict"], "passed");
    let received = receiver.count();
    assert_eq!(server.call("DELETE /api/v1/endpoints/ebbot/1", "").status, 204);
    assert_eq!(server.call("DELETE /api/v1/endpoints/ebbot/1", "").status, 404);
    assert_eq!(play()["verdict"], "inconclusive");
    assert_eq!(receiver.count(), received);
}

#[test]
fn a_handshake_that_fails_keeps_events_from_an_endpoint() {
    let receiver = Receiver::responding(|_, _| Reply::Status(500, "{}".into()));
    let to = format!("wotnot={}", receiver.url());
    let server = Server::start(&["--to", &to]);
    let run = server.run(&json!({"vendor": "wotnot", "scenario": "handover", "clock": "virtual"}));
    assert_eq!(server.ended(run)["result"]["verdict"], "failed");
    assert_eq!(receiver.count(), 1, "only the handshake");
}

#[test]
fn a_failed_delivery_is_explained_and_sent_again() {
    let receiver = Receiver::responding(|number, _| {
        if number == 2 { Reply::Status(500, "{}".into()) } else { Reply::good() }
    });
    let to = format!("liveperson={}", receiver.url());
    let server = Server::start(&["--to", &to]);
    let request = json!({"vendor": "liveperson", "scenario": "handover", "clock": "virtual"});
    let run = server.run(&request);
    assert_eq!(server.ended(run)["result"]["verdict"], "failed");
    let failed = server.get("/api/v1/deliveries?state=failed")["items"][0].clone();
    assert!(failed["why"].as_str().unwrap().contains("500"), "{failed}");
    let id = failed["id"].as_str().unwrap();

    let verification = server.get(&format!("/api/v1/deliveries/{id}/verification"));
    let signature = &verification["signatures"][0];
    assert_eq!(verification["passed"], true, "{verification}");
    assert_eq!(
        (&signature["algorithm"], &signature["matches"]),
        (&json!("hmac-sha1"), &json!(true))
    );
    assert!(
        signature["received"].as_str().unwrap().contains(signature["computed"].as_str().unwrap())
    );

    let again = server.call(&format!("POST /api/v1/deliveries/{id}/redeliver"), "");
    assert_eq!(again.status, 201, "{}", again.body);
    let again = again.json()["run"].as_u64().unwrap();
    assert_eq!(server.ended(again)["result"]["verdict"], "passed");
    // It is listed with the original conversation.
    let path = format!("/api/v1/deliveries?conversation={run}-1&run={again}");
    let listed = server.get(&path)["items"][0].clone();
    assert_eq!((&listed["redelivery_of"], &listed["state"]), (&json!(id), &json!("passed")));
    assert_eq!(server.call("POST /api/v1/deliveries/9-1-1/redeliver", "").status, 404);
}

#[test]
fn a_stream_continues_after_the_last_record_of_the_client() {
    let server = Server::start(&["--vendor", "ebbot"]);
    let mut live = server.stream("", "");
    let request = json!({"vendor": "ebbot", "scenario": "handover", "clock": "virtual"});
    let run = server.run(&request);
    server.ended(run);
    let (first, record) = live.record();
    assert_eq!((first, &record["record"]["kind"]), (1, &json!("run.started")));
    let (second, _) = live.record();
    // Reconnected.
    let mut later = server.stream(&format!("Last-Event-ID: {second}\r\n"), "?run=1");
    let (third, record) = later.record();
    assert_eq!(third, second + 1);
    assert_eq!((live.record().0, &record["vendor"]), (third, &json!("ebbot")));

    let lines = server.call(&format!("GET /api/v1/records?conversation={run}-1"), "").body;
    let lines: Vec<Json> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() > 10);
    assert!(lines.iter().all(|line| line["conversation"] == format!("{run}-1")));
}

#[test]
fn scenarios_are_listed_read_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.toml"), SLOW).unwrap();
    let server = Server::start_in(folder.path(), &["own.toml"]);
    let list = server.get("/api/v1/scenarios");
    let names: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"own.toml") && names.contains(&"handover"), "{names:?}");
    assert_eq!(server.call("GET /api/v1/scenarios/own.toml", "").body, SLOW);
    assert_eq!(server.call("GET /api/v1/scenarios/nothing", "").code(), "not_found");
    let check = |source: &str| {
        let body = json!({"source": source}).to_string();
        server.call("POST /api/v1/scenarios/check", &body).json()
    };
    assert_eq!(check(SLOW)["problems"], json!([]));
    let invalid = check("[[step]]\nsay = { by = \"nobody\", text = \"x\" }\n");
    assert_eq!((&invalid["problems"][0]["line"], &invalid["vendors"]), (&json!(2), &json!([])));
    let refused =
        server.call("POST /api/v1/runs", r#"{"vendor":"ebbot","source":"[[step]]\nopn = {}"}"#);
    assert_eq!((refused.status, &refused.json()["error"]["problems"][0]["line"]), (422, &json!(2)));
}

#[test]
fn commands_act_in_a_running_server() {
    let server = Server::start(&["--vendor", "ebbot"]);
    let run = slow(&server, false);
    let conversation = format!("{run}-1");
    eventually(|| texts(&server, &conversation) == ["first"]);
    let page = format!("http://{}/#token={}", server.address, server.token);
    let said = standin(&["say", "It costs $5", "--as", "ada", "--server", &page]);
    assert_eq!(said.status.code(), Some(0), "{}", stderr(&said));
    assert!(stdout(&said).contains("“It costs $5”"), "{}", stdout(&said));
    assert_eq!(texts(&server, &conversation), ["first", "It costs $5"]);

    let action = r#"{"say": {"by": "adda", "text": "x"}}"#;
    let invalid = standin(&["act", action, "--conversation", &conversation, "--server", &page]);
    assert_eq!(invalid.status.code(), Some(2));
    let reported = stderr(&invalid);
    assert!(reported.contains("at `/say/by`") && reported.contains("`ada`"), "{reported}");

    let listed = stdout(&standin(&["runs", "--server", &page]));
    assert!(listed.contains("running") && listed.contains("ebbot"), "{listed}");
    let cancelled = standin(&["runs", &run.to_string(), "cancel", "--server", &page]);
    assert!(stdout(&cancelled).contains("cancelled"), "{}", stderr(&cancelled));
    let late = standin(&["act", r#"{"close": {"by": "ada"}}"#, "--server", &page]);
    assert_eq!(late.status.code(), Some(2), "{}", stderr(&late));
    // Without the token, and without a server.
    let origin = format!("http://{}/", server.address);
    assert_eq!(standin(&["runs", "--server", &origin]).status.code(), Some(2));
    drop(server);
    assert_eq!(standin(&["runs", "--server", &page]).status.code(), Some(3));
}

#[test]
fn calls_to_the_api_of_a_vendor_belong_to_its_run() {
    let server = Server::start(&["--vendor", "wotnot"]);
    let run = server.run(&json!({"vendor": "wotnot", "source": SLOW}));
    eventually(|| !server.get("/api/v1/conversations")["items"].as_array().unwrap().is_empty());
    let vendor = server.get("/api/v1/vendors/wotnot");
    let api = vendor["vendor"]["api"].as_str().unwrap();
    let (head, _) = fetch("GET", &format!("{api}/no/such/route"));
    assert!(head.contains(" 404 "), "{head}");
    let records = || server.call(&format!("GET /api/v1/records?run={run}"), "").body;
    eventually(|| records().contains("call.received"));
    assert!(records().contains("/no/such/route"));
    // The API of a vendor cannot be an endpoint.
    let body = json!({"vendor": "wotnot", "url": api}).to_string();
    assert_eq!(server.call("POST /api/v1/endpoints", &body).status, 422);
}

#[test]
#[ignore = "requires `script`, which provides a terminal"]
fn demo_on_a_terminal_opens_a_server_with_the_page() {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    let command = format!("{} demo --no-open --speed 1000", env!("CARGO_BIN_EXE_standin"));
    let mut demo = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let url = lines.map_while(Result::ok).find(|line| line.contains("#token=")).unwrap();
    let page = url.trim().split("/#").next().unwrap().to_owned();
    let (head, body) = fetch("GET", &format!("{page}/"));
    demo.kill().unwrap();
    demo.wait().unwrap();
    assert!(head.contains(" 200 "), "{head}");
    assert!(String::from_utf8(body).unwrap().contains("app.js"));
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_server_with_exit_code_0() {
    let server = Server::start(&["--vendor", "ebbot"]);
    slow(&server, false);
    let address = server.address.clone();
    let healthy = ["healthcheck", "--address", &address];
    assert_eq!(standin(&healthy).status.code(), Some(0));
    assert_eq!(server.process.terminate().code, Some(0));
    let gone = standin(&healthy);
    assert_eq!(gone.status.code(), Some(3), "{}", stderr(&gone));
}
