//! Calls that find a conversation by its visitor, belong to none, or carry a credential in any header.

use serde_json::{Value as Json, json};

use crate::support::{ApiResponse, LiveApi, Receiver, request, wait_for_events};

/// POSTs JSON to a path of the house, with one more header.
fn post(api: &LiveApi, path: &str, header: &str, body: &Json) -> ApiResponse {
    let house = api.account.values["house"].as_str().unwrap();
    let head = format!("POST /{house}/{path} HTTP/1.1\r\n{header}");
    request(&api.address, &head, &body.to_string())
}

#[test]
fn a_credential_is_accepted_in_any_header() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("parlour", &receiver);
    let door = api.secret("door");
    let strike = |header: &str| post(&api, "clock", header, &json!({"hour": 7})).status;
    assert_eq!(strike(&format!("X-Anything: {door}")), 204);
    assert_eq!(strike(&format!("Accept: {door}")), 204);
    assert_eq!(strike("X-Anything: another text"), 403);
    assert_eq!(strike(&format!("X-Anything: {door}, and more")), 403);
    let calls = format!("{:?}", api.calls(4));
    assert!(!calls.contains(door), "{calls}");
}

#[test]
fn an_event_of_a_call_needs_no_conversation() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("parlour", &receiver);
    let header = format!("X-Key: {}", api.secret("door"));
    assert_eq!(post(&api, "clock", &header, &json!({"hour": 7})).status, 204);
    let sent = wait_for_events(&receiver, 1);
    assert_eq!(sent[0]["what"], "clock.struck");
    assert_eq!(sent[0]["hour"], 7);
}

#[test]
fn a_call_finds_the_newest_open_conversation_of_a_visitor() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("parlour", &receiver);
    let house = api.account.values["house"].as_str().unwrap();
    let header = format!("X-Door: {}", api.secret("door"));
    let enter = || {
        let rooms = format!("rooms?hint={house}");
        post(&api, &rooms, &header, &json!({"guest": {"key": "g7"}})).json()
    };
    let (older, newer) = (enter(), enter());
    let hat = &older["guest"]["hat"];
    assert!(hat.is_number(), "{older}");
    let again = || post(&api, &format!("guests/{hat}"), &header, &json!({"text": "here again"}));
    assert_eq!(again().json()["room"], newer["room"]);
    let room = format!("/{house}/rooms/{}", newer["room"].as_str().unwrap());
    assert_eq!(api.post("token", &room, &json!({"what": "leave"})).status, 200);
    assert_eq!(again().json()["room"], older["room"], "the newer one is closed");
    let stranger = post(&api, "guests/0", &header, &json!({"text": "here again"}));
    assert_eq!(stranger.json()["error"], "unknown.conversation");
}
