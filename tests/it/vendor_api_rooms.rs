//! Calls that find a conversation by its visitor, belong to none, or carry a credential in any header.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use standin::platform::Account;

use crate::support::{ApiResponse, LiveApi, Receiver, request, revisions, wait_for_events};

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
fn webhooks_are_sent_after_the_response_to_their_call() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("parlour", &receiver);
    let header = format!("X-Key: {}", api.secret("door"));
    let started = Instant::now();
    thread::scope(|scope| {
        let call = scope.spawn(|| post(&api, "clock", &header, &json!({"hour": 7})).status);
        wait_for_events(&receiver, 1);
        // The vendor delays the response.
        assert!(started.elapsed() >= Duration::from_millis(100), "{:?}", started.elapsed());
        assert_eq!(call.join().unwrap(), 204);
    });
}

#[test]
fn a_limit_counts_graphql_requests_by_the_credentials_of_their_fields() {
    let receiver = Receiver::accepting();
    let platform = revisions().into_iter().find(|known| known.full_id() == "parlour").unwrap();
    let mut account = Account::test(&platform);
    account.options.insert("hash".to_owned(), json!("hmac-sha1"));
    let api = LiveApi::of(account, &receiver);
    let status = |biscuit: &str| {
        let head = format!("POST /hall/of/questions HTTP/1.1\r\nCookie: biscuit={biscuit}");
        request(&api.address, &head, &json!({"query": "{ curios { name } }"}).to_string()).status
    };
    assert_eq!(["one", "two", "one", "one", "two"].map(status), [200, 200, 200, 429, 200]);
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

#[test]
fn a_client_chooses_the_id_of_the_conversation_that_it_opens() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("parlour", &receiver);
    let house = api.account.values["house"].as_str().unwrap();
    let header = format!("X-Door: {}", api.secret("door"));
    let enter = |room: &Json| {
        let body = json!({"guest": {"key": "g7"}, "words": [{"said": "hello"}], "room": room});
        post(&api, &format!("rooms?hint={house}"), &header, &body)
    };
    assert_eq!(enter(&json!("blue")).json()["room"], "blue");
    let text = format!("{:?}", wait_for_events(&receiver, 2));
    assert!(text.contains("blue#main"), "the ids of dialogs use it: {text}");
    // Its id is taken, and a generated one replaces an empty one.
    let again = enter(&json!("blue"));
    assert_eq!((again.status, &again.json()["sorry"]), (409, &json!("refused.open")));
    assert_eq!(enter(&json!(7)).json()["room"], "7");
    assert_eq!(enter(&json!(7)).status, 409);
    let generated = enter(&json!("")).json()["room"].as_str().unwrap().to_owned();
    assert!(generated.starts_with(house), "{generated}");
    assert_eq!(enter(&json!(["blue"])).status, 422);
    let said = json!({"what": "say", "text": "still here"});
    assert_eq!(api.post("token", &format!("/{house}/rooms/blue"), &said).status, 200);
}

#[test]
fn a_hidden_conversation_causes_no_webhook_and_is_found_by_no_call() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("parlour", &receiver);
    let house = api.account.values["house"].as_str().unwrap();
    let header = format!("X-Door: {}", api.secret("door"));
    let enter = |unseen: Json| {
        let guest = json!({"guest": {"key": "g7"}, "words": [{"said": "hello"}], "unseen": unseen});
        post(&api, &format!("rooms?hint={house}"), &header, &guest).json()
    };
    let hidden = enter(json!(true));
    let room = hidden["room"].as_str().unwrap();
    let said = json!({"what": "say", "text": "still here"});
    assert_eq!(api.post("token", &format!("/{house}/rooms/{room}"), &said).status, 404);
    let back = format!("guests/{}", hidden["guest"]["hat"]);
    assert_eq!(post(&api, &back, &header, &json!({"text": "here again"})).status, 403);
    let list = format!("GET /{house}/guests HTTP/1.1");
    assert_eq!(request(&api.address, &list, "").json(), json!([]));
    assert!(enter(json!("true"))["room"].is_string());
    assert_eq!(request(&api.address, &list, "").json().as_array().unwrap().len(), 1);
    let text = format!("{:?}", wait_for_events(&receiver, 2));
    assert!(!text.contains(room), "{text}");
}

#[test]
fn a_list_has_the_order_that_a_call_wants() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("parlour", &receiver);
    let house = api.account.values["house"].as_str().unwrap();
    let header = format!("X-Door: {}", api.secret("door"));
    for room in ["blue", "Amber", "crimson"] {
        let body = json!({"guest": {"key": room}, "room": room});
        post(&api, &format!("rooms?hint={house}"), &header, &body);
    }
    for (query, expected) in [
        ("", ["blue", "Amber", "crimson"]),
        ("?order=desc", ["crimson", "Amber", "blue"]),
        ("?sort=name", ["Amber", "blue", "crimson"]),
        ("?sort=name&order=-1", ["crimson", "blue", "Amber"]),
        ("?sort=opened_at&order=asc", ["blue", "Amber", "crimson"]),
        ("?sort=opened_at&order=DESC", ["crimson", "Amber", "blue"]),
        ("?sort=unknown", ["blue", "Amber", "crimson"]),
    ] {
        let list = format!("GET /{house}/guests{query} HTTP/1.1");
        let rooms = request(&api.address, &list, "").json();
        let rooms: Vec<&str> =
            rooms.as_array().unwrap().iter().map(|room| room["room"].as_str().unwrap()).collect();
        assert_eq!(rooms, expected, "{query}");
    }
}
