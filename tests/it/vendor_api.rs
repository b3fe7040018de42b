//! The APIs of emulated vendors: a receiver that calls back over real sockets.

use std::sync::mpsc::{self, Receiver as Channel, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use standin::diag::Source;
use standin::record::RecordKind;
use standin::scenario;

use crate::support::{
    ApiResponse, Background, LiveApi, Receiver, Reply, accept, request, standin_in, stdout,
    wait_for_events,
};

pub(crate) fn open_message(text: &str) -> Json {
    json!({
        "channel": "API",
        "message": {"type": "text", "data": {"body": text}},
        "from": {"user_external_id": "visitor-7", "type": "VISITOR"},
    })
}

/// Opens a conversation, and returns its id.
fn open(api: &LiveApi) -> String {
    let opened = api.post("api_token", "/api/v1/conversations", &open_message("Hello"));
    assert_eq!(opened.status, 200, "{opened:?}");
    opened.json()["conversation"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_conversation_that_a_call_opens_causes_the_webhooks_of_the_vendor() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("wotnot", &receiver);
    let key = open(&api);
    let messages = format!("/api/v1/conversation/{key}/messages");
    let events = format!("/api/v1/conversation/{key}/events");
    let agent = json!({"by": "grace@example.test"});
    let reply = json!({"message": {"text": "documented spelling"}, "user": agent});
    let reply = api.post("api_token", &messages, &reply);
    let assign = json!({"user": {"by": "grace@example.test", "to": "ada@example.test"}});
    assert_eq!(api.post("api_token", &events, &assign).status, 200);
    let set = json!({"variables": [{"name": "order", "type": "text", "value": "44295"}]});
    let account = &api.account.values["id"];
    let variables = format!("/v1/accounts/{account}/conversations/{key}/variables");
    assert_eq!(api.post("api_token", &variables, &set).status, 200);
    assert_eq!(api.post("api_token", &events, &json!({"user": agent})).status, 200);

    let sent = wait_for_events(&receiver, 6);
    let part = |pointer: &str| -> Vec<&Json> {
        sent.iter().map(|body| body.pointer(pointer).unwrap_or(&Json::Null)).collect()
    };
    assert_eq!(
        part("/events/0/event/type"),
        ["conversation_create", "message", "message", "assignee_change", "variables", "status"]
    );
    assert!(part("/events/0/conversation/key").iter().all(|id| **id == json!(key)));
    assert_eq!(sent[2].pointer("/events/0/event/payload/message_by/email"), Some(&agent["by"]));
    assert_eq!(
        sent[2].pointer("/events/0/event/payload/message/text"),
        Some(&json!("documented spelling"))
    );
    let id = reply.json();
    assert!(id["id"].is_string() && id["id"] == id["message_id"], "{id}");
}

#[test]
fn a_call_that_fails_gets_the_error_of_the_vendor_and_changes_nothing() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("wotnot", &receiver);
    let key = open(&api);
    let messages = format!("/api/v1/conversation/{key}/messages");
    let events = format!("/api/v1/conversation/{key}/events");
    let agent = json!({"user": {"by": "grace@example.test"}});
    assert_eq!(api.post("api_token", &events, &agent).status, 200);
    wait_for_events(&receiver, 3);

    let token = api.secret("api_token").to_owned();
    let with = |method: &str, path: &str, token: &str, body: &str| {
        let head = format!("{method} {path} HTTP/1.1\r\nAuthorization: {token}");
        let response = request(&api.address, &head, body);
        (response.status, response.json()["error"].clone())
    };
    let bearer = format!("Bearer {token}");
    let text = r#"{"message":{"type":"text","data":{"body":"x"}},"user":{"type":"VISITOR"}}"#;
    let unknown = "/api/v1/conversation/none/messages";
    let foreign = "/v1/accounts/1/bots";
    for (method, path, token, body, status, error) in [
        ("POST", messages.as_str(), bearer.as_str(), text, 400, "BAD_REQUEST"),
        ("POST", unknown, &bearer, text, 404, "NOT_FOUND"),
        ("GET", "/v1/acounts/1/bots", &bearer, "", 404, "NOT_FOUND"),
        ("DELETE", &messages, &bearer, "", 404, "NOT_FOUND"),
        ("GET", foreign, &bearer, "", 404, "ACCOUNT_DETAILS_NOT_FOUND"),
        ("POST", &messages, "Bearer made-up-by-nobody", text, 401, "JWT_SIGNATURE_EXCEPTION"),
        ("POST", &messages, &token, text, 401, "JWT_SIGNATURE_EXCEPTION"),
        ("POST", &messages, "", text, 401, "JWT_SIGNATURE_EXCEPTION"),
        ("POST", &messages, &bearer, "{not json", 400, "BAD_REQUEST"),
        ("POST", &messages, &bearer, "\u{0}\u{7f}", 400, "BAD_REQUEST"),
        ("POST", &messages, &bearer, "[]", 400, "BAD_REQUEST"),
        ("POST", &messages, &bearer, r#"{"message":{"type":"nothing"}}"#, 400, "BAD_REQUEST"),
        ("POST", "/v1/conversations", &bearer, r#"{"channel":"SMS","to":{}}"#, 400, "BAD_REQUEST"),
        (
            "POST",
            "/v1/conversations",
            &bearer,
            r#"{"channel":"API","from":{"type":"VISITOR","user_external_id":"v"},"bot_key":"other","message":{"data":{"body":"x"}}}"#,
            400,
            "CONVERSATION_CREATION_ERROR",
        ),
    ] {
        assert_eq!(
            with(method, path, token, body),
            (status, json!(error)),
            "{method} {path} {body}"
        );
    }
    let large = format!(r#"{{"message":"{}"}}"#, "x".repeat(1024 * 1024));
    assert_eq!(with("POST", &messages, &bearer, &large).0, 413);
    assert_eq!(receiver.events().len(), 3);

    let calls = api.calls(17);
    let condition = |index: usize| calls[index].error.clone().unwrap_or_default();
    assert_eq!(condition(2), "refused.closed");
    assert_eq!(condition(3), "unknown.conversation");
    assert_eq!(calls[4].nearest.as_deref(), Some("GET /v1/accounts/{account}/bots"));
    assert_eq!(calls[2].call.as_deref(), Some("send_message"));
    assert_eq!(calls[2].fields["text"], "x");
}

#[test]
fn a_subscription_of_a_call_is_tested_used_and_replaced() {
    let (first, second) = (Receiver::accepting(), Receiver::accepting());
    let api = LiveApi::start("wotnot", &first);
    let account = api.account.values["id"].clone();
    let path = format!("/v1/accounts/{account}/webhook");
    let subscribe = |api: &LiveApi, url: &str, token: &str, enabled: bool| {
        let body = json!({"webhook_url": url, "token": token, "is_enabled": enabled});
        api.post("api_token", &path, &body)
    };
    let saved = subscribe(&api, &second.url(), "canary-of-the-receiver", true);
    assert_eq!((saved.status, &saved.json()["code"]), (200, &json!("WEBHOOK_SUCCESS_MESSAGE")));
    assert_eq!(second.requests()[0].token().unwrap(), "canary-of-the-receiver");
    open(&api);
    wait_for_events(&second, 2);
    assert_eq!(second.events()[0].header("authorization").unwrap(), "canary-of-the-receiver");
    // The endpoint that the operator configured keeps the credentials of the account.
    wait_for_events(&first, 2);
    assert_eq!(first.events()[0].header("authorization").unwrap(), api.secret("token"));

    // A URL that fails the test does not replace it.
    let failing = Receiver::responding(|_, _| Reply::Status(500, String::new()));
    let refused = subscribe(&api, &failing.url(), "canary-of-the-receiver", true);
    assert_eq!(refused.json()["error"], "WEBHOOK_VERIFICATION_FAILED");
    // Nor does an address that may not be sent to, or something that is no URL.
    for url in ["http://169.254.169.254/latest", "http://8.8.8.8/", "ftp://localhost/", "nothing"] {
        assert_eq!(subscribe(&api, url, "canary-of-the-receiver", true).status, 400, "{url}");
    }
    open(&api);
    wait_for_events(&second, 4);
    assert_eq!(failing.count(), 1);

    // A later run sends to it too.
    let source = Source::new("later.toml", "[[step]]\nopen = {}\n");
    let parsed = scenario::read(&source).unwrap();
    let later = scenario::check(parsed, &[Arc::clone(&api.account.platform)], &[]).unwrap();
    api.play(2, later, 1);
    wait_for_events(&second, 5);
    let sent = second.events()[4].clone();
    assert_eq!(sent.header("authorization").unwrap(), "canary-of-the-receiver");

    // Switched off, it gets nothing more.
    assert_eq!(subscribe(&api, &second.url(), "canary-of-the-receiver", false).status, 200);
    open(&api);
    wait_for_events(&first, 7);
    assert_eq!(second.events().len(), 5);

    api.calls(10);
    for record in &*api.records.lock().unwrap() {
        let text = serde_json::to_string(&**record).unwrap();
        assert!(!text.contains("canary-of-the-receiver"), "{text}");
    }
}

#[test]
fn every_word_of_the_vocabulary_has_an_effect() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("parlour", &receiver);
    let house = api.account.values["house"].as_str().unwrap().to_owned();
    let door = api.secret("door").to_owned();
    let welcome = request(&api.address, "GET /?name=Ada HTTP/1.1", "");
    assert_eq!(welcome.body, "welcome, Ada");
    assert!(welcome.head.to_lowercase().contains(&format!("x-house: {}", house.to_lowercase())));
    let lost = request(&api.address, "GET /nowhere/at/all HTTP/1.1", "");
    assert_eq!((lost.status, lost.body.as_str()), (404, "there is no such door: /nowhere/at/all"));
    assert_eq!(request(&api.address, "GET /ears/left HTTP/1.1", "").status, 405);
    let sour = request(&api.address, "GET / HTTP/1.1\r\nX-Mood: sour", "");
    assert_eq!((sour.status, sour.body.as_str()), (418, ""));
    assert_eq!(request(&api.address, &format!("GET / HTTP/1.1\r\nX-Mood: {door}"), "").status, 418);

    let enter = |query: &str, body: &Json| {
        let head = format!("POST /{house}/rooms{query} HTTP/1.1\r\nX-Door: {door}");
        request(&api.address, &head, &body.to_string())
    };
    let hint = format!("?hint={house}");
    let guest = json!({
        "guest": {"key": "g7", "name": "Ada Lovelace", "phone": "+15550100", "facts": {"tea": true}},
        "host": "grace@example.test",
        "words": [{"said": "hello"}, {"said": "???"}, {"said": "again"}],
    });
    assert_eq!(enter("", &guest).json()["error"], "missing.hint");
    assert_eq!(enter("?hint=other", &guest).json()["error"], "invalid.hint");
    let entered = enter(&hint, &guest);
    assert_eq!(entered.status, 201, "{entered:?}");
    assert!(entered.head.contains("/rooms/"), "{}", entered.head);
    let entered = entered.json();
    assert_eq!(entered["guest"]["name"], "Ada Lovelace");
    // The same person in another conversation: ids belong to the account and the key.
    let again = enter(&hint, &json!({"guest": {"key": "g7"}})).json();
    assert_eq!(again["guest"]["hat"], entered["guest"]["hat"]);
    assert_ne!(again["room"], entered["room"]);
    assert_eq!(enter(&hint, &json!({"guest": {"key": ""}})).json()["error"], "a guest has a key");
    let large = json!({"guest": {"key": "g7"}, "size": 5});
    assert_eq!(enter(&hint, &large).status, 405);
    assert_eq!(enter(&hint, &json!({"people": [{"key": "g8"}, {"name": "nobody"}]})).status, 422);

    let room = format!("/{house}/rooms/{}", entered["room"].as_str().unwrap());
    let say = json!({"what": "say", "text": "from the bot", "bot": "clock@example.test"});
    assert_eq!(api.post("token", &room, &say).json()["done"], "say");
    assert_eq!(api.post("token", &room, &json!({"what": "leave"})).status, 200);
    let late = api.post("token", &room, &json!({"what": "leave"}));
    assert_eq!((late.status, &late.json()["polite"]), (409, &json!(false)));
    assert_eq!(api.post("token", &room, &json!({})).json()["sorry"], "missing_field");

    let body =
        json!({"url": receiver.url(), "word": "a-word-of-its-own", "types": ["room.closed"]});
    let ear = request(&api.address, "PUT /ears/left HTTP/1.1", &body.to_string());
    assert_eq!(ear.json(), json!({"ear": 2}));
    let calls = api.calls(17);
    assert!(calls.iter().all(|call| !format!("{call:?}").contains("a-word-of-its-own")));
}

#[test]
fn documents_and_conversations_are_listed_and_changed() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("parlour", &receiver);
    let house = api.account.values["house"].as_str().unwrap().to_owned();
    let door = format!("\r\nX-Door: {}", api.secret("door"));
    let call = |method: &str, target: &str, headers: &str, body: &str| {
        let head = format!("{method} /{house}/{target} HTTP/1.1{door}{headers}");
        request(&api.address, &head, body)
    };
    let list = |query: &str| call("GET", &format!("curios?{query}"), "", "");
    assert_eq!(list("").json()["curios"][0]["of"], json!({"name": "clock"}));
    let mut tags = Vec::new();
    for name in ["teapot", "lamp"] {
        let added = call("POST", "curios", "", &json!({"name": name}).to_string());
        assert_eq!(added.status, 201);
        tags.push(added.json()["tag"].as_str().unwrap().to_owned());
    }
    assert_ne!(tags[0], tags[1]);
    let page = list("from=1").json();
    assert_eq!((&page["total"], &page["from"], &page["size"]), (&json!(3), &json!(1), &json!(2)));
    assert_eq!(page["curios"][1]["of"]["name"], "lamp");
    assert_eq!(list("size=1").json()["size"], 1);
    assert_eq!(list(&format!("tag={}", tags[0])).json()["curios"][0]["of"]["name"], "teapot");
    assert!(list("").head.to_lowercase().contains("x-revision: 3"));

    let path = format!("curios/{}", tags[0]);
    let change = json!({"name": "samovar"}).to_string();
    assert_eq!(call("PUT", &path, "", &change).status, 412);
    assert_eq!(call("PUT", &path, "\r\nIf-Match: 2", &change).status, 412);
    assert_eq!(
        call("PUT", "curios/none", "\r\nIf-Match: 3", &change).json()["error"],
        "unknown.found"
    );
    let changed = call("PUT", &path, "\r\nIf-Match: 3", &change).json();
    assert_eq!(changed, json!({"tag": tags[0], "of": {"name": "samovar"}, "revision": 4}));
    assert_eq!(call("DELETE", &path, "\r\nIf-Match: 4", "").status, 204);
    assert_eq!(list("").json()["total"], 2);

    let rooms = json!([{"do": "enter", "guest": "g1"}, {"do": "enter", "guest": "g2"}]).to_string();
    let room = call("POST", "letters", "", &rooms).json()[0]["room"].as_str().unwrap().to_owned();
    let guests = |query: &str| call("GET", &format!("guests?{query}"), "", "").json();
    assert_eq!(guests("").as_array().unwrap().len(), 2);
    assert_eq!(guests("mood=quiet"), json!([]));
    assert_eq!(
        guests(&format!("mood=merry&room={room}")),
        json!([{"room": room, "mood": "merry"}])
    );
    for query in ["card=none", "voice=none", "host=none", "waits=true"] {
        assert_eq!(guests(query), json!([]), "{query}");
    }
    assert_eq!(guests("host=&waits=false").as_array().unwrap().len(), 2);
    // The run begins on 5 January. What is no date limits nothing.
    for (query, count) in [
        ("since=2026-01-05", 2),
        ("since=2026-01-06", 0),
        ("until=2026-01-05T09:00:00Z", 2),
        ("until=2026-01-04", 0),
        ("since=2026-01-04&until=2026-01-06", 2),
        ("since=yesterday", 2),
    ] {
        assert_eq!(guests(query).as_array().unwrap().len(), count, "{query}");
    }
    let counted = |query: &str| call("GET", &format!("headcount?{query}"), "", "").json();
    assert_eq!(counted(""), json!({"merry": 2, "quiet": 0, "waiting": 0}));
    let one = format!("mood=quiet&room={room}");
    assert_eq!(counted(&one), json!({"merry": 1, "quiet": 0, "waiting": 0}));
}

#[test]
fn a_call_can_name_a_conversation_and_gets_what_follows_in_it() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("parlour", &receiver);
    let script = r#"
        [[step]]
        expect = { call = "send_message" }
        [[step]]
        say = { by = "bot", text = "Who is there?" }
    "#;
    let parsed = scenario::read(&Source::new("knock.toml", script)).unwrap();
    let script = scenario::check(parsed, &[Arc::clone(&api.account.platform)], &[]).unwrap();
    api.play(2, script, 1);
    let knock = |door: &str, body: &Json| {
        let head = format!("POST /back/{door}/knock HTTP/1.1");
        request(&api.address, &head, &body.to_string())
    };
    let door = api.secret("door");
    let first = knock(door, &json!({"who": "g1", "text": "knock knock"})).json();
    assert_eq!(first["heard"], json!(["Who is there?"]));
    assert_eq!(first["door"], json!(format!("http://{}", api.address)));
    let room = &first["room"];
    let ribbons = json!(["red", "old"]);
    let again = json!({"who": "g1", "text": "me", "room": room, "tune": "waltz-1", "tie": ribbons});
    let second = knock(door, &again).json();
    assert_eq!((&second["room"], &second["heard"]), (room, &json!([])));
    assert_eq!((&first["known"], &second["known"]), (&json!(false), &json!(true)));
    assert_ne!(first["slip"], second["slip"]);
    let untie = json!({"who": "g1", "text": "thanks", "room": room, "untie": "red"});
    assert_eq!(knock(door, &untie).status, 200);
    assert_ne!(knock(door, &untie).status, 200, "the ribbon is not tied any more");
    let lost = knock(door, &json!({"who": "g1", "text": "me", "room": "none"}));
    assert_eq!(lost.json()["error"], "no such room");
    assert_eq!(knock("another-door", &again).json()["error"], "invalid.key");
    let tunes = |body: &Json| body["what"] == "tune.begun" && body.to_string().contains("waltz-1");
    let sent = wait_for_events(&receiver, 9);
    assert!(sent.iter().any(tunes), "{sent:#?}");
    let ribbons = sent.iter().filter(|body| body["what"] == "ribbon.tied");
    let ribbons: Vec<(&Json, &Json)> = ribbons.map(|body| (&body["how"], &body["all"])).collect();
    let [first, second] = [json!(["red", "old"]), json!(["old"])];
    assert_eq!(ribbons, [(&json!("added"), &first), (&json!("removed"), &second)]);

    let shelf = |query: &str| {
        let house = api.account.values["house"].as_str().unwrap();
        request(&api.address, &format!("GET /{house}/shelf?{query} HTTP/1.1"), "").json()
    };
    let tags = json!(["000001"]);
    assert_eq!(shelf(""), json!({"page": 1, "limit": 2, "total": 1, "tags": tags}));
    assert_eq!(shelf("page=3&size=1"), json!({"page": 3, "limit": 1, "total": 1, "tags": []}));
}

/// Makes calls about all conversations of an account, and about those who are in them.
fn each_open_room_is_tidied(
    receiver: &Receiver,
    send: &dyn Fn(&str, &str, Json) -> ApiResponse,
    door: &str,
    rooms: &[Json],
) {
    let field = |query: &str, variables: Json| {
        let body = send(door, query, variables).json();
        assert!(body.get("errors").is_none(), "{query}: {body}");
        body["data"].as_object().unwrap().values().next().unwrap().clone()
    };
    let unread = || field("query($r: String!) { unread(room: $r) }", json!({"r": rooms[0]}));
    // The guest has said something, and the butler has dusted twice.
    assert_eq!(unread(), json!([2, 1]));
    let margins = || {
        let sent = receiver.events();
        sent.iter().filter(|sent| sent.json()["what"] == "margin.written").count()
    };
    // The notes of the calls before were not quiet, and may be on their way.
    let (start, before) = (Instant::now(), 3);
    while margins() < before {
        assert!(start.elapsed() < Duration::from_secs(20), "{}", margins());
        std::thread::sleep(Duration::from_millis(5));
    }
    let tidy_all = "mutation { tidyAll(note: \"quietly\") }";
    assert_eq!(field(tidy_all, json!({})), 2);
    let shut = send("stale-and-old", tidy_all, json!({})).json();
    assert_eq!(shut["data"]["tidyAll"], Json::Null, "{shut}");
    let visit = "mutation($r: String!) { a: visit(room: $r, leaves: true) b: visit(room: $r) c: visit(room: $r) }";
    let visited = send(door, visit, json!({"r": rooms[0]})).json();
    assert_eq!(visited["data"], json!({"a": true, "b": true, "c": null}), "{visited}");
    assert_eq!(margins(), before, "the notes were quiet");

    let hosts = |variables: Json| {
        field("query($n: String, $a: String) { hosts(name: $n, about: $a) }", variables)
    };
    assert_eq!(hosts(json!({"a": "BUTLER@"})).as_array().unwrap().len(), 1);
    assert_eq!(hosts(json!({"a": "nobody at all"})), json!([]));
    let all = hosts(json!({"a": ""}));
    assert!(!all.as_array().unwrap().is_empty(), "{all}");
    assert_eq!(hosts(json!({"n": all[0]})), json!([all[0]]));
    let found = "query($a: String) { curios(about: $a) { name } }";
    assert_eq!(field(found, json!({"a": "NOTH"})), json!([{"name": "nothing"}]));
    assert_eq!(field(found, json!({"a": "a lamp"})), json!([]));
}

#[test]
fn fields_of_graphql_are_calls() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("parlour", &receiver);
    let send = |cookie: &str, query: &str, variables: Json| {
        let head = format!("POST /hall/of/questions HTTP/1.1\r\nCookie: x=1; biscuit={cookie}");
        let body = json!({"query": query, "variables": variables});
        request(&api.address, &head, &body.to_string())
    };
    let door = api.secret("door").to_owned();
    let all =
        "query($name: String, $mood: Mood) { curios(name: $name, mood: $mood) { name story } }";
    let seen = send(&door, all, json!({}));
    assert!(seen.head.to_lowercase().contains("x-seen: 1"), "{}", seen.head);
    let house = &api.account.values["house"];
    let story = json!(format!("The clock of {}", house.as_str().unwrap()));
    assert_eq!(seen.json()["data"]["curios"], json!([{"name": "clock", "story": story}]));
    let shut = send("stale-and-old", all, json!({"name": "clock", "mood": "merry"})).json();
    assert_eq!(shut["data"]["curios"][0], json!({"name": "clock", "story": null}));
    let error = &shut["errors"][0];
    assert_eq!(error["path"], json!(["curios", 0, "story"]));
    assert_eq!(error["extensions"]["code"], "NOT_AT_HOME");
    let mood = send(&door, all, json!({"mood": "sour"}));
    let text = "Variable \"$mood\" got invalid value \"sour\"; Value \"sour\" does not exist in \"Mood\" enum.";
    assert_eq!((mood.status, &mood.json()["errors"][0]["message"]), (422, &json!(text)));

    // Mutations are performed one after the other.
    let swap = "mutation($first: String!) {
        a: swap(name: $first, other: \"lamp\") { name }
        b: swap(name: \"lamp\") { name tag }
        c: swap(name: \"lamp\", other: \"x\") { name }
        d: swap(name: \"nothing\", hush: true) { name }
    }";
    let swapped = send(&door, swap, json!({"first": "clock"})).json();
    let tag = "000001";
    assert_eq!(
        swapped["data"],
        json!({"a": {"name": "lamp"}, "b": {"name": "nothing", "tag": tag}, "c": null, "d": {"name": "hush"}})
    );
    assert_eq!(swapped["errors"].as_array().map(Vec::len), Some(1));
    assert_eq!(swapped["errors"][0]["message"], "there is no lamp");
    let ribbon = "query($ribbon: Ribbon) { curios(ribbon: $ribbon) { name } }";
    let tied = send("", ribbon, json!({"ribbon": {"colour": "red", "length": 3}})).json();
    assert_eq!(tied["data"]["curios"], json!([{"name": "nothing"}]));

    let rooms: Vec<Json> = ["g1", "g2"]
        .iter()
        .map(|guest| {
            let head = format!("POST /back/{door}/knock HTTP/1.1");
            let body = json!({"who": guest, "text": "hello"});
            request(&api.address, &head, &body.to_string()).json()["room"].clone()
        })
        .collect();
    let tidy = "mutation($rooms: [String!]!) { tidy(rooms: $rooms, note: \"<p>1 &lt; 2</p>\") { room line } }";
    let tidied = send("", tidy, json!({"rooms": rooms})).json();
    let expected: Vec<Json> =
        rooms.iter().map(|room| json!({"room": room, "line": "1 < 2"})).collect();
    assert_eq!(tidied["data"]["tidy"], json!(expected), "{tidied}");
    let one = send("", tidy, json!({"rooms": rooms[0]})).json();
    assert_eq!(one["data"]["tidy"][0]["room"], rooms[0]);
    let lines = "query($room: String!) { lines(room: $room) }";
    let last = send("", lines, json!({"room": rooms[1]})).json();
    assert_eq!(last["data"]["lines"], json!(["1 < 2"]));
    let since = "query($room: String!) { all: lines(room: $room, from: 0) none: lines(room: $room, from: 9000) }";
    let since = send("", since, json!({"room": rooms[1]})).json();
    assert_eq!(since["data"], json!({"all": ["1 < 2"], "none": []}));
    each_open_room_is_tidied(&receiver, &send, &door, &rooms);
    lamps_and_candles_are_lit(&send);
    let ear = "mutation($url: String!) { ear(url: $url) }";
    assert_eq!(send("", ear, json!({"url": receiver.url()})).json()["data"]["ear"], Json::Null);
    assert!(receiver.requests().iter().all(|sent| !sent.is_ping()));
    let calls = api.calls(21);
    assert!(!format!("{calls:?}").contains("stale-and-old"));
    assert!(calls.iter().any(|call| call.element == Some(2)), "{calls:?}");
}

/// Entities, whose operations are repeated for two kinds.
fn lamps_and_candles_are_lit(send: &dyn Fn(&str, &str, Json) -> ApiResponse) {
    let lamps = "mutation { a: light(owner: \"Ada\") b: light(owner: \"Ada\") c: light(owner: \"Grace\")
        d: polish(owner: \"Ada\", glass: \"blue\") e: snuff(owner: \"Grace\") f: snuff(owner: \"Grace\") }";
    let lit = send("", lamps, json!({})).json();
    assert_eq!(
        lit["data"],
        json!({"a": "Ada", "b": null, "c": "Grace", "d": "blue", "e": true, "f": null})
    );
    let messages: Vec<&Json> =
        lit["errors"].as_array().unwrap().iter().map(|e| &e["path"]).collect();
    assert_eq!(messages, [&json!(["b"]), &json!(["f"])]);
    let candles =
        "mutation { a: kindle(owner: \"Ada\") b: kindle(owner: \"Ada\") c: blow(owner: \"Ada\")
        d: blow(owner: \"Ada\") }";
    let lit = send("", candles, json!({})).json();
    assert_eq!(lit["data"], json!({"a": "Ada", "b": null, "c": true, "d": null}));
    assert_eq!(lit["errors"][0]["message"], "one candle each");
    let blue = send("", "{ lamps(glass: \"blue\") other: lamps(glass: \"clear\") }", json!({}));
    assert_eq!(blue.json()["data"], json!({"lamps": ["Ada"], "other": []}));
}

#[test]
fn a_subscription_of_a_call_has_its_own_headers_and_ends() {
    let (first, second) = (Receiver::accepting(), Receiver::accepting());
    let api = LiveApi::start("parlour", &first);
    let listen = |marks: Json| {
        let body = json!({"url": second.url(), "word": "a-word-of-its-own", "types": ["room.opened"], "marks": marks});
        request(&api.address, "PUT /ears/left HTTP/1.1", &body.to_string())
    };
    let token = json!([{"name": "X-Ear-Token", "value": "canary-of-the-ear"}]);
    assert_eq!(listen(json!([{"name": "no header", "value": "x"}])).status, 422);
    assert_eq!(listen(token).status, 200);
    let house = api.account.values["house"].as_str().unwrap().to_owned();
    let head = format!("POST /{house}/letters HTTP/1.1\r\nX-Door: {}", api.secret("door"));
    let enter = |guest: &str| {
        let body = json!([{"do": "enter", "guest": guest}]).to_string();
        assert_eq!(request(&api.address, &head, &body).status, 201);
    };
    enter("g1");
    wait_for_events(&second, 1);
    assert_eq!(second.events()[0].header("x-ear-token").unwrap(), "canary-of-the-ear");
    assert_eq!(request(&api.address, "DELETE /ears/left HTTP/1.1", "").status, 204);
    enter("g2");
    wait_for_events(&first, 2);
    assert_eq!(second.events().len(), 1);
    api.calls(5);
    for record in &*api.records.lock().unwrap() {
        let text = serde_json::to_string(&**record).unwrap();
        assert!(!text.contains("canary-of-the-ear"), "{text}");
    }
}

#[test]
fn each_element_of_a_batch_is_a_call_of_its_own() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("parlour", &receiver);
    let house = api.account.values["house"].as_str().unwrap().to_owned();
    let head = format!("POST /{house}/letters HTTP/1.1\r\nX-Door: {}", api.secret("door"));
    let send = |body: &Json| request(&api.address, &head, &body.to_string());
    let enter = |guest: &str| json!({"do": "enter", "guest": guest, "desk": "tea"});
    let entered = send(&json!([enter("g1"), enter("g1"), {"do": "dance"}, enter("g2")]));
    assert_eq!(entered.status, 409);
    let parts = entered.json();
    assert_eq!(parts[1], "g1 is here");
    assert_eq!((&parts[3]["of"], &parts[3]["desk"]), (&json!(4), &json!("tea")));
    assert_eq!(send(&json!([enter("g3")])).status, 201);
    let thread = format!("{}#main", parts[0]["room"].as_str().unwrap());
    let say = json!({
        "do": "say", "guest": "g1", "thread": thread, "said": ["hello", "unheard"], "pause": true,
        "heard": true, "stars": 4, "why": "tea", "hour": 5, "loud": true,
    });
    let said = send(&json!([say]));
    assert_eq!((said.status, said.json()), (200, json!([{"line": 101}])));
    let mut other = say.clone();
    other["guest"] = json!("g2");
    assert_eq!(send(&json!([other])).json()[0]["error"], "another guest's room");
    for (key, value) in [("stars", json!(6)), ("thread", json!("none")), ("said", json!([]))] {
        let mut wrong = say.clone();
        wrong[key] = value;
        assert_eq!(send(&json!([wrong])).status, 409, "{key}");
    }
    assert_eq!(send(&json!([])).status, 422);
    let sent = wait_for_events(&receiver, 10);
    let what: Vec<&Json> = sent.iter().map(|body| &body["what"]).collect();
    for event in
        ["room.opened", "pen.moved", "line.said", "line.read", "guestbook.signed", "door.in"]
    {
        assert!(what.contains(&&json!(event)), "{event} {what:?}");
    }
    let calls = api.calls(11);
    let elements: Vec<_> = calls.iter().map(|call| call.element).collect();
    assert_eq!(elements[..6], [Some(1), Some(2), Some(3), Some(4), Some(1), Some(1)]);
    assert_eq!(calls[1].error.as_deref(), Some("refused.open"));
    assert_eq!(calls[5].warnings, ["the house pretends not to hear"]);
}

#[test]
fn a_batch_is_json_although_an_element_is_not() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("parlour", &receiver);
    let house = api.account.values["house"].as_str().unwrap();
    let door = api.secret("door");
    let head = format!("POST /{house}/letters HTTP/1.1\r\nX-Door: {door}");
    for body in [r#"[{"do":"enter","guest":"g"},{"do":"enter","guest":"g"}]"#, "[{}]"] {
        let response = request(&api.address, &head, body);
        assert!(response.head.contains("content-type: application/json"), "{response:?}");
        assert!(response.json().is_array());
    }
}

/// Tells the handler of a receiver where the API is.
fn api_address() -> (Sender<String>, Mutex<Channel<String>>) {
    let (sender, channel) = mpsc::channel();
    (sender, Mutex::new(channel))
}

#[test]
fn a_receiver_calls_back_during_a_run_of_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = stdout(&standin_in(folder.path(), &["secrets", "wotnot", "--env"]));
    let token = secrets.lines().find_map(|line| line.strip_prefix("WOTNOT_API_TOKEN=")).unwrap();
    let token = token.trim_matches('\'').to_owned();
    let (address, known) = api_address();
    let mine = token.clone();
    // A bot that answers the first message of the visitor from its webhook handler.
    let receiver = Receiver::responding(move |_, received| {
        let event =
            received.body.contains("\"type\": \"visitor\"") && received.body.contains("Hi!");
        if event && let Ok(address) = known.lock().unwrap().recv_timeout(Duration::from_secs(20)) {
            let body: Json = serde_json::from_str(&received.body).unwrap();
            let key = body.pointer("/events/0/conversation/key").unwrap().as_str().unwrap();
            let path = format!("/api/v1/conversation/{key}/messages");
            for (token, expected) in [("canary-made-up-token", 401), (mine.as_str(), 200)] {
                let head = format!("POST {path} HTTP/1.1\r\nAuthorization: Bearer {token}");
                let reply = r#"{"message":{"text":"Hello from the bot"},"user":{"by":"grace@example.test"}}"#;
                assert_eq!(request(&address, &head, reply).status, expected);
            }
        }
        accept(received)
    });
    let scenario = "name = 'a visitor asks'\n[[step]]\nopen = {}\n[[step]]\nsay = { by = 'visitor', text = 'Hi!' }\n";
    std::fs::write(folder.path().join("story.toml"), scenario).unwrap();
    let url = receiver.url();
    let arguments = ["run", "story.toml", "--vendor", "wotnot", "--to", &url, "--listen", "--json"];
    let mut run = Background::start(folder.path(), &arguments);
    let line = run.read_stderr_until("WotNot API: http://");
    let api = line.trim().rsplit_once("http://").unwrap().1.to_owned();
    address.send(api).unwrap();
    let ended = run.wait();
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let sent: Vec<String> = receiver.events().iter().map(|event| event.body.clone()).collect();
    assert_eq!(sent.len(), 3, "{sent:?}");
    assert!(sent[2].contains("Hello from the bot") && sent[2].contains("grace@example.test"));
    let calls: Vec<Json> = ended
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Json>(line).ok())
        .filter(|record| record["kind"] == "call.received")
        .map(|record| record["data"].clone())
        .collect();
    let outcome = |call: &Json| json!([call["operation"], call["auth"], call["status"]]);
    assert_eq!(outcome(&calls[0]), json!([null, "invalid", 401]));
    assert_eq!(outcome(&calls[1]), json!(["agent_text", "valid", 200]));
    assert!(!ended.stdout.contains("canary-made-up-token") && !ended.stderr.contains("canary"));
}

#[test]
fn an_unscripted_conversation_of_another_run_meets_an_expectation() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("wotnot", &receiver);
    let key = open(&api);
    // The first run has the conversation, the second one waits for a call in any.
    let text =
        "[[step]]\nopen = {}\n[[step]]\nexpect = { call = 'send_message', within = '20s' }\n";
    let draft = scenario::read(&Source::new("wait.toml", text)).unwrap();
    let vendor = Arc::clone(&api.account.platform);
    api.play(2, scenario::check(draft, &[vendor], &[]).unwrap(), 1);
    let wait_for = |is_it: fn(&RecordKind) -> bool| {
        let started = Instant::now();
        loop {
            let records = api.records.lock().unwrap().clone();
            let mut of_second = records.into_iter().filter(|record| record.run == 2);
            if let Some(found) = of_second.find(|record| is_it(&record.kind)) {
                return found;
            }
            assert!(started.elapsed() < Duration::from_secs(15), "there is no such record");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    // Then the script waits. A call that comes earlier is recorded in the run of its conversation.
    wait_for(|kind| matches!(kind, RecordKind::DeliverySettled(_)));
    let said = json!({"message": {"text": "hello"}, "user": {"by": "grace@example.test"}});
    assert_eq!(
        api.post("api_token", &format!("/api/v1/conversation/{key}/messages"), &said).status,
        200
    );
    let finished = wait_for(|kind| matches!(kind, RecordKind::ExpectationFinished(_)));
    let RecordKind::ExpectationFinished(settled) = &finished.kind else { unreachable!() };
    assert!(settled.passed, "{settled:?}");
    let records = api.records.lock().unwrap().clone();
    let call = records.iter().find(|record| {
        matches!(&record.kind, RecordKind::CallReceived(call) if call.call.as_deref() == Some("send_message"))
    });
    let call = call.unwrap();
    assert_eq!(
        (call.run, call.conversation),
        (2, None),
        "the conversation belongs to the first run"
    );
}
