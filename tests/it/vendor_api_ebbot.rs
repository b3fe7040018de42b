//! The API of Ebbot: incoming webhooks, chats, sessions of the widget and uploads.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use standin::diag::Source;
use standin::scenario;

use crate::support::{
    ApiResponse, LiveApi, Receiver, request, wait_for_events, websocket_handshake,
};

/// Calls the incoming webhook.
fn incoming(api: &LiveApi, body: &Json) -> ApiResponse {
    let webhook = api.secret("webhook_id");
    let head = format!("POST /api/webhooks/{webhook} HTTP/1.1\r\nContent-Type: application/json");
    request(&api.address, &head, &body.to_string())
}

fn say(api: &LiveApi, chat: Option<&str>, text: &str) -> Json {
    let mut body = json!({"type": "text", "sandbox": false, "value": text});
    if let Some(chat) = chat {
        body["chatId"] = chat.into();
    }
    let response = incoming(api, &body);
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

fn play(api: &LiveApi, number: u32, text: &str) {
    let source = Source::new("bot.toml", text);
    let parsed = scenario::read(&source).unwrap();
    let script = scenario::check(parsed, &[Arc::clone(&api.account.platform)], &[]).unwrap();
    api.play(number, script, 1);
}

/// Waits for this many webhooks, and returns those that are not also sent as `chat.message`.
fn webhooks(receiver: &Receiver, count: usize) -> Vec<Json> {
    let mut sent = wait_for_events(receiver, count);
    sent.retain(|body| body["topic"] != "chat.message");
    sent
}

fn answers(response: &Json) -> Vec<&Json> {
    let answers = response["data"]["answers"].as_array().unwrap();
    answers.iter().map(|answer| &answer["value"]).collect()
}

#[test]
fn the_response_of_an_incoming_webhook_contains_what_the_bot_of_a_script_says() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("ebbot", &receiver);
    let script = r#"
        [[step]]
        expect = { call = "send_message", match = { text = "Hello" } }
        [[step]]
        say = { by = "bot", text = "Hi, I am the bot" }
        [[step]]
        say = { by = "bot", kind = "buttons", text = "Shall I look?" }
        [[step]]
        expect = { call = "send_message", within = "20s" }
        [[step]]
        say = { by = "bot", text = "As you like" }
    "#;
    play(&api, 2, script);
    let first = say(&api, None, "Hello");
    let chat = first["data"]["chatId"].as_str().unwrap().to_owned();
    let all = answers(&first);
    assert_eq!(all.len(), 2, "{first:#}");
    assert_eq!(*all[0], "Hi, I am the bot");
    assert_eq!(all[1]["urls"].as_array().unwrap().len(), 2);
    assert_eq!(first["data"]["answers"][1]["type"], "url");
    assert_eq!(answers(&say(&api, Some(&chat), "Yes")), ["As you like"]);
    // The script has ended.
    assert_eq!(answers(&say(&api, Some(&chat), "Thanks")), Vec::<&Json>::new());

    let sent = webhooks(&receiver, 13);
    let sent: Vec<(&Json, &Json)> =
        sent.iter().map(|body| (&body["topic"], &body["data"]["value"])).collect();
    assert_eq!(sent[0].0, "chat.create");
    assert_eq!(sent[1], (&json!("chat.user.message"), &json!("Hello")));
    assert_eq!(sent[2], (&json!("chat.bot.message"), &json!("Hi, I am the bot")));
    assert_eq!(sent[6], (&json!("chat.user.message"), &json!("Thanks")));
}

#[test]
fn reactions_respond_and_a_response_waits_no_longer_than_the_vendor() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("ebbot", &receiver);
    let script = r#"
        [[step]]
        expect = { call = "send_message" }
        [[step]]
        expect = { call = "log_out", within = "30s" }
        [[on]]
        call = "send_message"
        match = { text = { contains = "order" } }
        do = [{ say = { by = "bot", text = "Which order?" } }]
    "#;
    play(&api, 2, script);
    let start = Instant::now();
    let first = say(&api, None, "my order");
    assert_eq!(answers(&first), ["Which order?"]);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());

    // A script that does something else first.
    let script = r#"
        [[step]]
        expect = { call = "set_variables" }
        [[step]]
        eventually = { get = "/none", within = "10s", status = ["201"] }
        [[step]]
        say = { by = "bot", text = "too late" }
    "#;
    play(&api, 3, script);
    let set = json!({"type": "variable", "value": {"name": "order", "value": 44295}});
    let start = Instant::now();
    let late = incoming(&api, &set);
    assert_eq!(late.status, 200, "{late:?}");
    assert_eq!(answers(&late.json()), Vec::<&Json>::new());
    assert!(start.elapsed() >= Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn an_incoming_webhook_sets_variables_starts_scenarios_and_refuses_what_it_does_not_know() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("ebbot", &receiver);
    let opened = say(&api, None, "Hello");
    let chat = &opened["data"]["chatId"];
    assert_ne!(say(&api, None, "Hello")["data"]["chatId"], *chat);
    // Webhooks of different chats have no order.
    wait_for_events(&receiver, 6);
    let set = json!({"type": "variable", "chatId": chat, "value": {"name": "button", "value": "Button value"}});
    assert_eq!(incoming(&api, &set).json()["data"]["chatId"], *chat);
    let start =
        json!({"type": "scenario", "chatId": chat, "value": {"scenario": "1_2", "state": "3"}});
    assert_eq!(incoming(&api, &start).json()["data"]["scenario"]["id"], "1_2");
    let sent = webhooks(&receiver, 8);
    let topics: Vec<&Json> = sent.iter().map(|body| &body["topic"]).collect();
    assert_eq!(topics[4..], ["chat.data.update", "chat.scenario.run"]);
    assert_eq!(sent[5]["data"]["scenario"]["id"], "1_2");

    for (body, status) in [
        (json!({"type": "text", "value": "x", "chatId": "none"}), 404),
        (json!({"type": "text"}), 400),
        (json!({"type": "variable", "value": "x"}), 400),
        (json!({"type": "dance", "value": "x"}), 400),
        (json!({"type": "dance", "value": "x", "sandbox": true}), 400),
        (json!([]), 400),
    ] {
        assert_eq!(incoming(&api, &body).status, status, "{body}");
    }
    let unknown = request(&api.address, "POST /api/webhooks/a-made-up-webhook HTTP/1.1", "{}");
    assert_eq!((unknown.status, &unknown.json()["message"]), (404, &json!("Webhook not found")));
    assert_eq!(receiver.events().len(), 8);

    let calls = api.calls(11);
    let text = format!("{calls:?}");
    assert!(!text.contains(api.secret("webhook_id")) && !text.contains("a-made-up-webhook"));
    assert_eq!(calls[0].call.as_deref(), Some("send_message"));
}

#[test]
fn the_bot_responds_in_sandbox_mode_and_nothing_else_has_a_trace_of_the_chat() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("ebbot", &receiver);
    let script = r#"
        [[step]]
        expect = { call = "send_message", match = { text = "Hello" } }
        [[step]]
        say = { by = "bot", text = "Hi, I am the bot" }
    "#;
    let stored = say(&api, None, "Is it stored?")["data"]["chatId"].clone();
    wait_for_events(&receiver, 3);
    for number in [2, 3] {
        play(&api, number, script);
        // In sandbox mode, there is no chat to continue.
        let body = json!({"type": "text", "sandbox": true, "value": "Hello", "chatId": stored});
        let response = incoming(&api, &body).json();
        assert_eq!(answers(&response), ["Hi, I am the bot"], "{response:#}");
        let data = &response["data"];
        assert_eq!(data["sandbox"], true);
        assert!(data.get("chatId").is_none() && data["answers"][0].get("chatId").is_none());
    }
    for (kind, value) in
        [("variable", json!({"name": "a", "value": 1})), ("scenario", json!({"scenario": "1_2"}))]
    {
        let response = incoming(&api, &json!({"type": kind, "sandbox": true, "value": value}));
        assert_eq!((response.status, &response.json()["data"]["sandbox"]), (200, &json!(true)));
    }
    let get =
        format!("GET /api/chats/company_chats HTTP/1.1\r\nx-api-key: {}", api.secret("api_key"));
    let list = request(&api.address, &get, "").json();
    assert_eq!((&list["total"], &list["data"][0]["id"]), (&json!(1), &stored), "{list:#}");
    say(&api, stored.as_str(), "Is it stored now?");
    let sent = wait_for_events(&receiver, 5);
    let about = |body: &Json| body["data"]["id"] == stored || body["data"]["chatId"] == stored;
    assert!(sent.len() == 5 && sent.iter().all(about), "{sent:#?}");
}

#[test]
fn chats_are_listed_by_page_and_have_transcripts() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("ebbot", &receiver);
    let chats: Vec<Json> =
        (0..3).map(|n| say(&api, None, &format!("text {n}"))["data"]["chatId"].clone()).collect();
    let get = |target: &str, key: &str| {
        request(&api.address, &format!("GET /api/chats/company_chats{target} HTTP/1.1{key}"), "")
    };
    let key = format!("\r\nx-api-key: {}", api.secret("api_key"));
    let page = |query: &str| get(query, &key).json();
    let ids = |page: &Json| -> Vec<Json> {
        page["data"].as_array().unwrap().iter().map(|chat| chat["id"].clone()).collect()
    };
    let all = page("");
    assert_eq!((ids(&all), &all["limit"]), (chats.clone(), &json!(15)));
    let second = page("?page=2&limit=2");
    assert_eq!(ids(&second), chats[2..]);
    assert_eq!((&second["page"], &second["total"]), (&json!(2), &json!(3)));
    assert_eq!(ids(&page("?page=0&limit=1000")), chats);
    assert_eq!(ids(&page("?page=x&limit=x")), chats);
    let transcript = get(&format!("/{}/transcript", chats[1].as_str().unwrap()), &key).json();
    assert_eq!(transcript["data"]["conversation"][0]["value"], "text 1");
    assert_eq!(transcript["data"]["id"], chats[1]);
    assert_eq!(get("/none/transcript", &key).status, 404);
    for key in ["", "\r\nx-api-key: public.secret", "\r\nx-api-key: "] {
        assert_eq!(get("", key).status, 401);
    }
}

#[test]
fn a_session_of_the_widget_uploads_files() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("ebbot", &receiver);
    let bot = &api.account.values["bot_id"];
    let start =
        |body: &Json| request(&api.address, "POST /api/asyngular/init HTTP/1.1", &body.to_string());
    let fresh = start(&json!({"botId": bot, "chatId": ""})).json();
    let session = &fresh["data"]["session"];
    assert_eq!((&fresh["existing"], &session["botId"]), (&json!(false), bot));
    let again = start(&json!({"botId": bot, "chatId": session["chatId"]})).json();
    assert_eq!(again["existing"], true);
    assert_eq!(again["data"]["session"]["chatId"], session["chatId"]);
    assert_ne!(again["data"]["token"], fresh["data"]["token"]);
    // The official client chooses the id.
    let chosen = json!({"botId": bot, "chatId": "1767603600000-5e3f"});
    for existing in [false, true] {
        let own = start(&chosen).json();
        assert_eq!(own["data"]["session"]["chatId"], "1767603600000-5e3f");
        assert_eq!(own["existing"], existing);
    }
    assert_eq!(start(&json!({"botId": "eb0", "chatId": null})).json()["message"], "Bot not found");
    let sent = wait_for_events(&receiver, 2);
    assert!(sent.iter().any(|body| body["data"]["id"] == "1767603600000-5e3f"), "{sent:?}");
    let transcript = format!(
        "GET /api/chats/company_chats/1767603600000-5e3f/transcript HTTP/1.1\r\nx-api-key: {}",
        api.secret("api_key")
    );
    assert_eq!(request(&api.address, &transcript, "").json()["data"]["id"], "1767603600000-5e3f");

    let token = fresh["data"]["token"].as_str().unwrap();
    let presign = |token: &str| {
        let head = format!("POST /api/files/presign-url HTTP/1.1\r\nAuthorization: {token}");
        request(&api.address, &head, r#"{"mimetype":"image/png","filename":"a.png"}"#)
    };
    let url = presign(token).json()["data"].as_str().unwrap().to_owned();
    let origin = format!("http://{}", api.address);
    let target = url.strip_prefix(&origin).unwrap_or_else(|| panic!("{url}"));
    let form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\
                Content-Type: image/png\r\n\r\npixels\r\n--b--\r\n";
    let head = |target: &str| {
        format!("POST {target} HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b")
    };
    // The official client reads `filepath`, and sends it as the key of the image.
    let (path, _) = target.split_once('?').unwrap();
    let uploaded = request(&api.address, &head(target), form).json();
    assert_eq!(uploaded, json!({"filepath": path.trim_start_matches('/')}));
    assert_eq!(request(&api.address, &head(path), form).status, 400);
    let forged = format!("{path}?signature=forged");
    assert_eq!(request(&api.address, &head(&forged), form).status, 403);
    let file = request(&api.address, &format!("GET {path} HTTP/1.1"), "");
    assert_eq!((file.status, file.body.as_str()), (200, "pixels"));
    assert!(file.head.to_lowercase().contains("content-type: image/png"), "{}", file.head);

    let end = format!("GET /api/asyngular/end HTTP/1.1\r\nAuthorization: Bearer {token}");
    assert_eq!(request(&api.address, &end, "").status, 200);
    assert_eq!(request(&api.address, &end, "").status, 401);
    assert_eq!(presign(token).status, 401);
    let text = format!("{:?}", api.calls(10));
    assert!(!text.contains(token), "{text}");
}

#[test]
fn the_widget_gets_its_configuration_and_no_websocket() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("ebbot", &receiver);
    let bot = api.account.values["bot_id"].as_str().unwrap();
    for (folder, name, status) in
        [("", bot, 200), ("/v1/AUTH_1/production", bot, 200), ("", "eb0", 404)]
    {
        let head = format!("GET {folder}/configs/{name}.json?t=1767603600000 HTTP/1.1");
        let response = request(&api.address, &head, "");
        assert_eq!(response.status, status, "{head}");
        assert_eq!(response.json()["scenario"]["answers"].is_array(), status == 200);
    }
    let target = format!("/api/asyngular/?botId={bot}&chatId=1");
    assert_eq!(websocket_handshake(&api.address, &target).status, 404);
    let why = api.calls(4)[3].why.clone().unwrap_or_default();
    assert!(why.contains("WebSocket connections are not served"), "{why}");
}

#[test]
fn a_call_beyond_the_limit_gets_no_response() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("ebbot", &receiver);
    play(&api, 1, "[[step]]\nopen = {}\n[[step]]\nafter = '1h'\nclose = { by = 'bot' }");
    let head =
        format!("GET /api/chats/company_chats HTTP/1.1\r\nx-api-key: {}", api.secret("api_key"));
    for number in 1..=20 {
        let response = request(&api.address, &head, "");
        assert_eq!(response.status, 200, "call {number}: {response:?}");
    }
    let mut stream = TcpStream::connect(&api.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    write!(stream, "{head}\r\nHost: {}\r\n\r\n", api.address).unwrap();
    let error = stream.read(&mut [0; 16]).expect_err("call 21 has a response");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    // Other calls have no limit.
    say(&api, None, "Hello");
}
