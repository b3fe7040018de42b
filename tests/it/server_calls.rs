//! The calls of receivers in the control API: requests and responses, filters and pages, also after a
//! restart.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::support::{ApiResponse, Server, request, standin, stdout};

/// A value that `standin secrets` prints.
fn printed(vendor: &str, name: &str) -> String {
    let printed = stdout(&standin(&["secrets", vendor]));
    let value = printed.lines().find_map(|line| line.trim_start().strip_prefix(name));
    value.unwrap().split_whitespace().next().unwrap().to_owned()
}

fn call(server: &Server, vendor: &str, target: &str, body: &str) -> ApiResponse {
    let found = server.get(&format!("/api/v1/vendors/{vendor}"));
    let address = found["vendor"]["api"].as_str().unwrap().strip_prefix("http://").unwrap();
    let head = format!("POST {target} HTTP/1.1\r\nContent-Type: application/json");
    request(address, &head, body)
}

fn calls(server: &Server, query: &str) -> Vec<Json> {
    server.get(&format!("/api/v1/calls{query}"))["items"].as_array().unwrap().clone()
}

fn outlines(calls: &[Json]) -> Vec<Json> {
    calls.iter().map(|call| json!([call["name"], call["status"]])).collect()
}

#[test]
fn calls_are_listed_with_requests_and_responses_also_after_a_restart() {
    let (folder, began) = (TempDir::new().unwrap(), Instant::now());
    let start = || Server::start_in(folder.path(), &["--vendor", "liveperson,ebbot"]);
    let server = start();
    let key = printed("liveperson", "client_secret");
    let (id, client) =
        (printed("liveperson", "account id"), printed("liveperson", "account client_id"));
    let target = format!(
        "/sentinel/api/account/{id}/app/token?v=1.0&grant_type=client_credentials&client_id={client}"
    );
    let log_in =
        |key: &str| call(&server, "liveperson", &format!("{target}&client_secret={key}"), "");
    let token = log_in(&key).json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(log_in("a-wrong-secret").status, 401);
    let webhook = format!("/api/webhooks/{}", printed("ebbot", "webhook_id"));
    let said = json!({"type": "text", "sandbox": false, "value": "Is my parcel lost?"});
    let settled = call(&server, "ebbot", &webhook, &said.to_string());
    assert_eq!(settled.status, 200, "{settled:?}");

    let all = calls(&server, "");
    let expected = json!([["send_message", 200], [null, 401], ["log_in", 200]]);
    assert_eq!(json!(outlines(&all)), expected, "{all:#?}");
    let [send, refused, logged_in] = &all[..] else { unreachable!() };
    assert_ne!(refused["at"], logged_in["at"], "calls outside a conversation have their own times");
    let details =
        |server: &Server, call: &Json| server.get(&format!("/api/v1/calls/{}", call["number"]));
    let found = details(&server, logged_in);
    let data = &found["records"][0]["record"]["data"];
    let body = data["response"]["body"].as_str().unwrap();
    assert!(body.contains("${call.secret}") && body.contains("Bearer"), "{body}");
    assert!(!found.to_string().contains(&token) && !found.to_string().contains(&key), "{found}");
    assert_eq!(data["response"]["headers"][0][0], "Content-Type");
    let names: Vec<&str> =
        data["headers"].as_array().unwrap().iter().map(|pair| pair[0].as_str().unwrap()).collect();
    assert!(names.is_sorted() && names.contains(&"content-type"), "{names:?}");
    let body = &details(&server, refused)["records"][0]["record"]["data"]["response"]["body"];
    assert_eq!(*body, "{\"error\":\"invalid_client\"}");
    // The response that waits for the conversation has a separate record, which follows it.
    let found = loop {
        let found = details(&server, send);
        if found["records"].as_array().unwrap().len() > 1 {
            break found;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{found:#}");
        std::thread::sleep(Duration::from_millis(10));
    };
    let kinds: Vec<&Json> =
        found["records"].as_array().unwrap().iter().map(|kept| &kept["record"]["kind"]).collect();
    assert_eq!(kinds, ["call.received", "call.responded"], "{found:#}");
    assert_eq!(found["records"][1]["record"]["data"]["response"]["body"], settled.body);

    let conversation = send["conversation"].as_str().unwrap();
    let run = &send["run"];
    let filters = [
        ("?failed=true".to_owned(), json!([[null, 401]])),
        ("?vendor=ebbot".to_owned(), json!([["send_message", 200]])),
        (format!("?conversation={conversation}&run={run}"), json!([["send_message", 200]])),
        ("?operation=log_in".to_owned(), json!([["log_in", 200]])),
        ("?operation=app_token".to_owned(), json!([[null, 401], ["log_in", 200]])),
        ("?operation=app_token&failed=false".to_owned(), json!([["log_in", 200]])),
        ("?vendor=wotnot".to_owned(), json!([])),
    ];
    let check = |server: &Server| {
        for (query, expected) in &filters {
            assert_eq!(json!(outlines(&calls(server, query))), *expected, "{query}");
        }
        let first = server.get("/api/v1/calls?limit=2");
        assert_eq!(first["items"], json!(all[..2]));
        let next = server.get(&format!("/api/v1/calls?limit=2&before={}", first["next"]));
        assert_eq!(next["items"], json!(all[2..]));
        assert_eq!(details(server, send)["records"], found["records"]);
        for (path, status) in [("/9999", 404), ("/x", 404), ("?unknown=1", 400)] {
            assert_eq!(server.call(&format!("GET /api/v1/calls{path}"), "").status, status);
        }
    };
    check(&server);
    server.process.kill();
    let server = start();
    check(&server);
    let records = server.call("GET /api/v1/records?after=0", "").body;
    assert!(!records.contains(&token) && !records.contains(&key));
}

#[test]
fn credentials_in_requests_that_cannot_be_executed_are_not_recorded() {
    let server = Server::start(&["--vendor", "erxes"]);
    let refuse = |query: &str, variables: &Json| {
        let body = json!({"query": query, "variables": variables}).to_string();
        let response = call(&server, "erxes", "/graphql", &body);
        assert_eq!(response.status, 400);
        response.body
    };
    let login = "mutation($p: String!) { login(email: \"a@b.example\", password: $p) { none } }";
    refuse(login, &json!({"p": "of-a-variable"}));
    let login = "mutation { login(email: \"a@b.example\", password: \"in-the-text\") { none }";
    let sent = refuse(login, &json!({"token": "by-its-key"}));
    let last = server.get(&format!("/api/v1/calls/{}", calls(&server, "")[0]["number"]));
    assert_eq!(last["records"][0]["record"]["data"]["response"]["body"], sent);
    let records = server.call("GET /api/v1/records?after=0", "").body;
    assert_eq!(records.matches("\"call.received\"").count(), 2, "{records}");
    for secret in ["of-a-variable", "in-the-text", "by-its-key"] {
        assert!(!records.contains(secret), "{secret}: {records}");
    }
}
