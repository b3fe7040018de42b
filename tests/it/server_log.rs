//! `serve --log json`.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::support::Server;

#[test]
fn the_log_has_json_lines_about_requests_runs_and_problems_and_no_secrets() {
    let arguments = ["--no-journal", "--vendor", "ebbot", "--log", "json"];
    let mut server = Server::start_in(Path::new("/"), &arguments);
    let run = json!({"vendor": "ebbot", "scenario": "handover", "clock": "virtual", "seed": 3});
    server.ended(server.run(&run));
    server.request("GET /api/v1/runs?token=a-private-token", "", "");
    let log = server.process.read_stderr_until("\"status\":401");
    let lines: Vec<Json> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let find = |message: &str| {
        let found = lines.iter().find(|line| line["message"] == message);
        found.unwrap_or_else(|| panic!("no {message}: {log}"))
    };
    assert_eq!(
        (&find("ready")["level"], &find("ready")["address"]),
        (&json!("INFO"), &json!(server.address))
    );
    let started = find("run started");
    assert_eq!(
        (&started["run"], &started["vendor"], &started["seed"]),
        (&json!(1), &json!("ebbot"), &json!(3))
    );
    assert!(find("run ended")["verdict"].is_string(), "{log}");
    let request = find("request");
    assert_eq!(
        (&request["method"], &request["path"], &request["status"]),
        (&json!("POST"), &json!("/api/v1/runs"), &json!(201))
    );
    for line in &lines {
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
    }
    assert!(!log.contains(&server.token) && !log.contains("a-private-token"), "{log}");
}
