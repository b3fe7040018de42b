//! The API of `LivePerson`, called as public client programs do.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value as Json, json};

use standin::platform::Account;

use crate::support::{LiveApi, Receiver, accept, request, revisions, wait_for_events};

/// A client with the credentials of an account.
struct Client<'a> {
    api: &'a LiveApi,
    account: String,
    app: String,
    consumer: String,
}

impl<'a> Client<'a> {
    /// Logs in as the app, then as a consumer.
    fn log_in(api: &'a LiveApi, key: &str) -> Self {
        let account = api.account.values["id"].as_str().unwrap().to_owned();
        let (app, consumer) = (String::new(), String::new());
        let mut client = Client { api, account, app, consumer };
        let credentials = client.credentials();
        let query = format!("?v=1.0&grant_type=client_credentials&{credentials}");
        let token = client.post(&format!("/sentinel/api/account/{{}}/app/token{query}"), "");
        client.app = token["access_token"].as_str().unwrap().into();
        let body = json!({"ext_consumer_id": key}).to_string();
        let token = client.post("/api/account/{}/consumer?v=1.0", &body);
        client.consumer = token["token"].as_str().unwrap().into();
        client
    }

    fn credentials(&self) -> String {
        let id = self.api.account.values["client_id"].as_str().unwrap();
        format!("client_id={id}&client_secret={}", self.api.secret("client_secret"))
    }

    /// Sends a request with both tokens. `{}` in the target is the account.
    fn call(&self, method: &str, target: &str, body: &str) -> (u16, Json) {
        let target = target.replace("{}", &self.account);
        let mut head = format!("{method} {target} HTTP/1.1\r\nContent-Type: application/json");
        for (name, token) in [("Authorization", &self.app), ("X-LP-ON-BEHALF", &self.consumer)] {
            if !token.is_empty() {
                head += &format!("\r\n{name}: {token}");
            }
        }
        let response = request(&self.api.address, &head, body);
        (response.status, serde_json::from_str(&response.body).unwrap_or(Json::Null))
    }

    fn post(&self, target: &str, body: &str) -> Json {
        let (status, json) = self.call("POST", target, body);
        assert!(status < 300, "{target} {status} {json}");
        json
    }
}

fn claims(token: &str) -> Json {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

const CONVERSATION: &str = "/api/account/{}/messaging/consumer/conversation?v=3";
const SEND: &str = "/api/account/{}/messaging/consumer/conversation/send?v=3";

impl Client<'_> {
    /// Requests a conversation. Returns the responses to the profile and to the request.
    fn request_conversation(&self, more: &Json) -> Json {
        let profile = json!({"kind": "req", "id": "1,", "type": "userprofile.SetUserProfile", "body": {"firstName": "Ada"}});
        let body = json!({"brandId": self.account, "ttrDefName": "NORMAL", "channelType": "MESSAGING", "skillId": "123"});
        let mut open = json!({"kind": "req", "id": "2,", "type": "cm.ConsumerRequestConversation", "body": body});
        open.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post(CONVERSATION, &json!([profile, open]).to_string())
    }

    #[expect(clippy::needless_pass_by_value, reason = "bodies are written where they are sent")]
    fn send(&self, kind: &str, body: Json) -> (u16, Json) {
        let request = json!({"kind": "req", "id": 3, "type": kind, "body": body});
        self.call("POST", SEND, &request.to_string())
    }

    #[expect(clippy::needless_pass_by_value, reason = "events are written where they are sent")]
    fn publish(&self, conversation: &str, event: Json) -> (u16, Json) {
        self.send("ms.PublishEvent", json!({"dialogId": conversation, "event": event}))
    }
}

fn text(message: &str) -> Json {
    json!({"type": "ContentEvent", "contentType": "text/plain", "message": message})
}

#[test]
fn a_conversation_is_opened_used_and_closed() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("liveperson@2022", &receiver);
    let client = Client::log_in(&api, "visitor-7");
    let opened = client.request_conversation(&json!({"skillId": "9"}));
    assert_eq!(opened[0]["reqId"], "1,");
    assert_eq!((&opened[1]["code"], &opened[1]["reqId"]), (&json!("OK"), &json!("2,")));
    let id = opened[1]["body"]["conversationId"].as_str().unwrap().to_owned();
    let second = client.request_conversation(&json!({}));
    let consumer = claims(&client.consumer)["lp_consumer_id"].as_str().unwrap().to_owned();
    let message = format!(
        "Consumer request conversation failed: User {consumer} already has open conversation. Can't open another one."
    );
    assert_eq!(
        (&second[1]["code"], &second[1]["body"]["msg"]),
        (&json!("BAD_REQUEST"), &json!(message))
    );

    let ok =
        |sequence: i64| (200, json!({"reqId": "3", "code": "OK", "body": {"sequence": sequence}}));
    assert_eq!(client.publish(&id, text("Hello")), ok(0));
    let rich =
        json!({"type": "vertical", "elements": [{"type": "text", "text": "x", "tooltip": "x"}]});
    assert_eq!(client.publish(&id, json!({"type": "RichContentEvent", "content": rich})), ok(1));
    for state in ["COMPOSING", "ACTIVE", "PAUSE"] {
        assert_eq!(
            client.publish(&id, json!({"type": "ChatStateEvent", "chatState": state})),
            ok(0)
        );
    }
    let accept = json!({"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [0, 1]});
    assert_eq!(client.publish(&id, accept), ok(2));
    let field = json!({"field": "ConversationStateField", "conversationState": "CLOSE"});
    let close = json!({"conversationId": id, "conversationField": field});
    let closed = client.send("cm.UpdateConversationField", close.clone());
    assert_eq!(
        (closed.0, &closed.1["body"]["msg"]),
        (200, &json!("OK Conversation resolved successfully"))
    );
    let refused = (
        400,
        json!({"code": "BAD_REQUEST", "body": {"msg": "Bad Request, Conversation is close"}, "reqId": "3"}),
    );
    assert_eq!(client.publish(&id, text("late")), refused);
    assert_eq!(client.send("cm.UpdateConversationField", close), refused);

    let sent = wait_for_events(&receiver, 8);
    let part = |pointer: &str| -> Vec<Json> {
        sent.iter().map(|body| body.pointer(pointer).cloned().unwrap_or_default()).collect()
    };
    let details = "/body/changes/0/result/conversationDetails";
    assert_eq!(part(&format!("{details}/skillId"))[0], "123");
    assert_eq!(part(&format!("{details}/participants/0/id"))[0], consumer.as_str());
    assert_eq!(part(&format!("{details}/state"))[7], "CLOSE");
    assert_eq!(part("/body/changes/0/event/message")[1], "Hello");
    assert_eq!(part("/body/changes/0/originatorMetadata/role")[1], "CONSUMER");
    assert_eq!(part("/body/changes/0/event/content")[2], rich);
    assert_eq!(part("/body/changes/0/event/chatState")[3..6], ["COMPOSING", "ACTIVE", "PAUSE"]);
    assert_eq!(part("/body/changes/0/event/sequenceList")[6], json!([0, 1]));
    assert_eq!(part("/body/changes/0/sequence")[6], 2);
    let ids = sent.iter().map(|body| {
        let change = &body["body"]["changes"][0];
        change["result"]["convId"].as_str().or(change["conversationId"].as_str()).map(str::to_owned)
    });
    assert!(ids.into_iter().all(|found| found.as_ref() == Some(&id)));

    // Now that it is closed, the consumer can open another one, and close it by its dialog.
    let again = client.request_conversation(&json!({}));
    let dialog = json!({"dialogId": again[1]["body"]["conversationId"], "state": "CLOSE"});
    let change = json!([{"field": "DialogChange", "type": "UPDATE", "dialog": dialog}]);
    let closed = client.send("cm.UpdateConversationField", json!({"conversationField": change}));
    assert_eq!(closed.0, 200, "{closed:?}");
    let warnings: Vec<String> = api.calls(5).into_iter().flat_map(|call| call.warnings).collect();
    assert_eq!(warnings, ["`skillId` stands outside `body`, so that the vendor ignores it"]);
}

#[test]
fn the_webhook_of_a_message_arrives_after_the_response() {
    // The socket of the client, for a look at it when the webhook arrives.
    let socket: Arc<Mutex<Option<TcpStream>>> = Arc::default();
    let has_response: Arc<Mutex<Vec<bool>>> = Arc::default();
    let (looked, found) = (Arc::clone(&socket), Arc::clone(&has_response));
    let receiver = Receiver::responding(move |_, received| {
        if let Some(client) = &*looked.lock().unwrap() {
            let has_data = client.peek(&mut [0]).is_ok_and(|length| length > 0);
            found.lock().unwrap().push(has_data);
        }
        accept(received)
    });
    let api = LiveApi::start("liveperson", &receiver);
    let client = Client::log_in(&api, "visitor-7");
    let opened = client.request_conversation(&json!({}));
    let id = opened[1]["body"]["conversationId"].as_str().unwrap();
    wait_for_events(&receiver, 1);
    let body = json!({"kind": "req", "id": "1", "type": "ms.PublishEvent", "body": {"dialogId": id, "event": text("x")}});
    let body = body.to_string();
    let target = SEND.replace("{}", &client.account);
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nX-LP-ON-BEHALF: {}\r\nContent-Length: {}\r\n\r\n",
        client.app,
        client.consumer,
        body.len()
    );
    for round in 1..=20 {
        let mut stream = TcpStream::connect(&api.address).unwrap();
        let copy = stream.try_clone().unwrap();
        copy.set_nonblocking(true).unwrap();
        *socket.lock().unwrap() = Some(copy);
        write!(stream, "{head}{body}").unwrap();
        wait_for_events(&receiver, 1 + round);
    }
    assert_eq!(*has_response.lock().unwrap(), [true; 20]);
}

#[test]
fn a_file_is_uploaded_published_and_downloaded() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("liveperson", &receiver);
    let client = Client::log_in(&api, "visitor-7");
    let opened = client.request_conversation(&json!({}));
    let id = opened[1]["body"]["conversationId"].as_str().unwrap();
    let url = |kind: &str, body: Json| {
        let (status, found) = client.send(kind, body);
        assert_eq!(status, 200, "{found}");
        let parameters = &found["body"]["queryParams"];
        let path = found["body"]["relativePath"].as_str().unwrap().to_owned();
        let signature = parameters["temp_url_sig"].as_str().unwrap();
        let expires = parameters["temp_url_expires"].as_str().unwrap();
        (path, format!("temp_url_sig={signature}&temp_url_expires={expires}"))
    };
    let upload = "ms.GenerateURLForUploadFile";
    let (path, query) = url(upload, json!({"fileSize": "1000", "fileType": "PNG"}));
    assert!(
        path.starts_with("/v1/AUTH_async-images/") && path.strip_suffix(".PNG").is_some(),
        "{path}"
    );
    let message = json!({"caption": "look", "relativePath": path, "fileType": "PNG"});
    let event = json!({"type": "ContentEvent", "contentType": "hosted/file", "message": message});
    assert_eq!(client.publish(id, event.clone()).0, 400, "not uploaded yet");
    let transfer = |method: &str, query: &str, body: &str| {
        let head = format!("{method} {path}?{query} HTTP/1.1\r\nContent-Type: image/png");
        request(&api.address, &head, body)
    };
    assert_eq!(transfer("PUT", "temp_url_sig=made-up&temp_url_expires=1", "pixels").status, 401);
    assert_eq!(transfer("PUT", &query, "pixels").status, 201);
    assert_eq!(client.publish(id, event.clone()).0, 200);
    let sent = wait_for_events(&receiver, 2);
    assert_eq!(sent[1]["body"]["changes"][0]["event"]["message"], message);
    let (same, query) = url("ms.GenerateURLForDownloadFile", json!({"relativePath": path}));
    assert_eq!(same, path);
    let found = transfer("GET", &query, "");
    assert_eq!((found.status, found.body.as_str()), (200, "pixels"));
    assert_eq!(transfer("GET", "", "").status, 401);
    for body in [
        json!({"fileSize": "1000", "fileType": "EXE"}),
        json!({"fileSize": "3145729", "fileType": "PNG"}),
        json!({}),
    ] {
        assert_eq!(client.send(upload, body.clone()).0, 400, "{body}");
    }
    let none = json!({"relativePath": "/v1/AUTH_async-images/none"});
    assert_eq!(client.send("ms.GenerateURLForDownloadFile", none).0, 400);
}

#[test]
fn wrong_calls_get_the_errors_of_the_vendor() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("liveperson", &receiver);
    let (ada, grace) = (Client::log_in(&api, "visitor-7"), Client::log_in(&api, "visitor-8"));
    let opened = ada.request_conversation(&json!({}));
    let id = opened[1]["body"]["conversationId"].as_str().unwrap();
    // Another consumer's conversation, and one that does not exist.
    let foreign = grace.publish(id, text("x"));
    assert_eq!((foreign.0, &foreign.1["body"]["errorCode"]), (401, &json!(40103)));
    let bad = (400, json!({"code": "BAD_REQUEST", "body": {"msg": "Bad Request"}, "reqId": "3"}));
    assert_eq!(ada.publish("none", text("x")), bad);
    assert_eq!(ada.publish(id, text(&"x".repeat(5_000))), bad);
    assert_eq!(ada.send("ms.Unknown", json!({})), bad);
    assert_eq!(ada.call("POST", SEND, "{not json").0, 400);
    assert_eq!(ada.call("POST", CONVERSATION, "{}").0, 400);
    let other_brand =
        json!([{"id": 7, "type": "cm.ConsumerRequestConversation", "body": {"brandId": "1"}}]);
    let refused = grace.post(CONVERSATION, &other_brand.to_string());
    assert_eq!((&refused[0]["code"], &refused[0]["reqId"]), (&json!("BAD_REQUEST"), &json!("7")));
    // The version, the tokens.
    assert_eq!(ada.call("POST", &SEND.replace("v=3", "v=2"), "{}").0, 404);
    let with = |app: &str, consumer: &str| {
        let (app, consumer) = (app.to_owned(), consumer.to_owned());
        let client = Client { api: &api, account: ada.account.clone(), app, consumer };
        client.publish(id, text("x")).1["body"]["errorCode"].clone()
    };
    assert_eq!(with("", &ada.consumer), 40105);
    assert_eq!(with(&ada.app, ""), 40104);
    assert_eq!(with("canary.made.up", &ada.consumer), 40102);
    assert_eq!(with(&ada.app, "canary.made.up"), 40103);
    assert_eq!(with(&ada.app, &ada.app), 40103);
    wait_for_events(&receiver, 1);
    assert_eq!(receiver.events().len(), 1);
    api.calls(19);
    for record in &*api.records.lock().unwrap() {
        let text = serde_json::to_string(&**record).unwrap();
        for secret in [ada.app.as_str(), &ada.consumer, "canary", api.secret("client_secret")] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn domains_are_looked_up_in_all_forms() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("liveperson", &receiver);
    let account = api.account.values["id"].as_str().unwrap();
    let get = |path: &str, body: &str| {
        let head = format!("GET /api/account/{path} HTTP/1.1\r\nContent-Type: application/json");
        request(&api.address, &head, body)
    };
    for list in ["baseURI.json?version=1.0", "baseURI?version=1.0", "baseURI"] {
        let found = get(&format!("{account}/service/{list}"), "[object Object]").json();
        let services = found["baseURIs"].as_array().unwrap();
        assert_eq!(services.len(), 10, "{found}");
        for service in services {
            assert_eq!(service["account"], account);
            assert_eq!(service["baseURI"], api.address.as_str());
            let name = service["service"].as_str().unwrap();
            for end in [".json?version=1.0", ""] {
                let one = get(&format!("{account}/service/{name}/baseURI{end}"), "").json();
                assert_eq!(&one, service);
            }
        }
    }
    assert_eq!(get(&format!("{account}/service/sentinel/baseuri.json"), "").status, 404);
    assert_eq!(get(&format!("{account}/service/Sentinel/baseURI.json"), "").status, 404);
    let unknown = get("1/service/baseURI.json", "");
    assert_eq!((unknown.status, &unknown.json()["body"]["errorCode"]), (400, &json!(40001)));
    assert_eq!(unknown.json()["type"], ".ReqBody$ErrorResp");
}

#[test]
fn an_app_logs_in_with_credentials_in_any_place() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("liveperson", &receiver);
    let client = Client::log_in(&api, "visitor-7");
    let anonymous = Client { app: String::new(), consumer: String::new(), ..client };
    let credentials = anonymous.credentials();
    let (id, secret) = credentials.split_once('&').unwrap();
    let grant = "grant_type=client_credentials";
    let json = json!({"client_id": &id[10..], "client_secret": &secret[14..]}).to_string();
    for (query, body) in [
        (format!("{grant}&{credentials}"), String::new()),
        (format!("{grant}&{credentials}"), "{}".to_owned()),
        (grant.to_owned(), credentials.clone()),
        (String::new(), format!("{grant}&{credentials}")),
        (format!("{grant}&{id}"), secret.to_owned()),
        (grant.to_owned(), json),
    ] {
        for version in ["api", "api/v2"] {
            let target = format!("/sentinel/{version}/account/{{}}/app/token?v=1.0&{query}");
            let found = anonymous.post(&target, &body);
            let claims = claims(found["access_token"].as_str().unwrap());
            assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
            assert_eq!(
                (&claims["iss"], &claims["scope"]),
                (&json!("Sentinel"), &json!("msg.consumer"))
            );
            assert!(found["expires_in"].as_i64().unwrap() > 3500, "{found}");
        }
    }
    let target = format!("/sentinel/api/account/{{}}/app/token?v=1.0&{grant}&{id}");
    let refused = (401, json!({"error": "invalid_client"}));
    assert_eq!(anonymous.call("POST", &target, "client_secret=canary-made-up"), refused);
    assert_eq!(anonymous.call("POST", &target, ""), refused);
    let target = format!("/sentinel/api/account/{{}}/app/token?{credentials}");
    assert_eq!(anonymous.call("POST", &target, "").1, json!({"error": "unsupported_grant_type"}));
    let text = format!("{:?}", api.calls(17));
    for secret in [&secret[14..], "canary-made-up", &id[10..]] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[test]
fn a_consumer_gets_the_same_id_every_time() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("liveperson", &receiver);
    let first = Client::log_in(&api, "visitor-7");
    let again = Client::log_in(&api, "visitor-7");
    let other = Client::log_in(&api, "visitor-8");
    let (one, two) = (claims(&first.consumer), claims(&other.consumer));
    assert_eq!(first.consumer, again.consumer);
    assert_eq!(one["lp_consumer_id"].as_str().unwrap().len(), 64);
    assert_ne!(one["lp_consumer_id"], two["lp_consumer_id"]);
    assert!(one.get("exp").is_none());
    // Without `v`, and in another run.
    let another = LiveApi::start("liveperson", &receiver);
    let later = Client { api: &another, ..first };
    let body = json!({"ext_consumer_id": "visitor-7"}).to_string();
    let token = later.post("/api/account/{}/consumer", &body);
    assert_eq!(claims(token["token"].as_str().unwrap()), one);
    assert_eq!(later.call("POST", "/api/account/{}/consumer", "{}").0, 400);
    let wrong = |app: String| Client {
        app,
        account: later.account.clone(),
        ..Client::log_in(&another, "v")
    };
    let code = |client: &Client<'_>| {
        let (status, json) = client.call("POST", "/api/account/{}/consumer?v=1.0", &body);
        (status, json["body"]["errorCode"].clone())
    };
    assert_eq!(code(&wrong(String::new())), (401, json!(40105)));
    assert_eq!(code(&wrong(format!("Bearer {}", later.app))), (401, json!(40102)));
    assert_eq!(code(&wrong(later.consumer.clone())), (401, json!(40102)));
    assert_eq!(code(&wrong("made.up.token".to_owned())), (401, json!(40102)));
}

/// The dialogs of the last webhook about the conversation, and its state and stage.
fn last_state(receiver: &Receiver) -> (Vec<Json>, [Json; 2]) {
    let bodies = receiver.requests().into_iter().map(|request| request.json());
    let mut details = bodies.filter_map(|body| {
        let details = &body["body"]["changes"][0]["result"]["conversationDetails"];
        details.is_object().then(|| details.clone())
    });
    let last = details.next_back().unwrap();
    let state = [last["state"].clone(), last["stage"].clone()];
    (last["dialogs"].as_array().unwrap().clone(), state)
}

#[test]
fn a_client_that_closes_the_dialog_gets_a_survey_if_the_account_has_one() {
    let receiver = Receiver::accepting();
    let platform = revisions().into_iter().find(|known| known.full_id() == "liveperson@2022");
    let mut account = Account::test(&platform.unwrap());
    account.options.insert("survey".into(), "on".into());
    let api = LiveApi::of(account, &receiver);
    let client = Client::log_in(&api, "visitor-9");
    let opened = client.request_conversation(&json!({}));
    let id = opened[1]["body"]["conversationId"].as_str().unwrap().to_owned();
    let close = |dialog: &str| {
        let change = json!({"dialogId": dialog, "state": "CLOSE"});
        let field = json!({"field": "DialogChange", "type": "UPDATE", "dialog": change});
        let body = json!({"conversationId": id, "conversationField": field});
        client.send("cm.UpdateConversationField", body).0
    };
    assert_eq!(close(&id), 200);
    wait_for_events(&receiver, 2);
    let (dialogs, state) = last_state(&receiver);
    assert_eq!(state, ["CLOSE", "OPEN"]);
    let survey = dialogs[1]["dialogId"].as_str().unwrap().to_owned();
    assert_eq!((close(&id), client.publish(&id, text("late")).0), (400, 400));

    let published = client.publish(&survey, text("5"));
    assert_eq!((published.0, &published.1["body"]["sequence"]), (200, &json!(0)));
    let click = json!({"type": "AcceptStatusEvent", "status": "ACTION", "sequenceList": [0]});
    assert_eq!(client.publish(&survey, click).1["body"]["sequence"], 1);
    let typing = json!({"type": "ChatStateEvent", "chatState": "COMPOSING"});
    assert_eq!(client.publish(&survey, typing).0, 400);
    assert_eq!(close(&survey), 200);
    wait_for_events(&receiver, 5);
    assert_eq!(last_state(&receiver).1, ["CLOSE", "CLOSE"]);
}

#[test]
fn no_survey_follows_if_a_client_closes_the_whole_conversation() {
    let receiver = Receiver::accepting();
    let platform = revisions().into_iter().find(|known| known.full_id() == "liveperson@2022");
    let mut account = Account::test(&platform.unwrap());
    account.options.insert("survey".into(), "on".into());
    let api = LiveApi::of(account, &receiver);
    let client = Client::log_in(&api, "visitor-9");
    let opened = client.request_conversation(&json!({}));
    let id = opened[1]["body"]["conversationId"].clone();
    let field = json!({"field": "Stage", "conversationState": "CLOSE"});
    let body = json!({"conversationId": id, "conversationField": field});
    assert_eq!(client.send("cm.UpdateConversationField", body).0, 200);
    wait_for_events(&receiver, 2);
    let (dialogs, state) = last_state(&receiver);
    assert_eq!((dialogs.len(), state), (1, ["CLOSE".into(), "CLOSE".into()]));
}

#[test]
fn the_first_message_can_come_with_the_request_of_a_conversation() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("liveperson@2022", &receiver);
    let client = Client::log_in(&api, "visitor-11");
    let event = text("Hello");
    let request = |id: &str, kind: &str, body: Json| json!({"kind": "req", "id": id, "type": kind, "body": body});
    let publish = request("3", "ms.PublishEvent", json!({"event": event}));
    let early = client.call("POST", CONVERSATION, &json!([publish.clone()]).to_string()).1;
    assert_eq!(early[0]["code"], "BAD_REQUEST", "there is no conversation: {early}");
    let all = json!([
        request("2,", "userprofile.SetUserProfile", json!({"firstName": "Ada"})),
        request("1,", "cm.ConsumerRequestConversation", json!({"brandId": client.account})),
        publish,
    ]);
    let responses = client.post(CONVERSATION, &all.to_string());
    let published = json!({"reqId": "3", "code": "OK", "body": {"sequence": 0}});
    assert_eq!(responses[2], published, "{responses}");
    let events = wait_for_events(&receiver, 2);
    let change = &events[1]["body"]["changes"][0];
    assert_eq!(change["event"]["message"], "Hello");
    assert_eq!(change["conversationId"], responses[1]["body"]["conversationId"]);
}

#[test]
fn all_conversations_are_searched_by_their_state() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("liveperson@2022", &receiver);
    let first = Client::log_in(&api, "visitor-12").request_conversation(&json!({}));
    let client = Client::log_in(&api, "visitor-13");
    let second = client.request_conversation(&json!({}))[1]["body"]["conversationId"].clone();
    let field = json!({"field": "ConversationStateField", "conversationState": "CLOSE"});
    let close = json!({"conversationId": second, "conversationField": field});
    assert_eq!(client.send("cm.UpdateConversationField", close).0, 200);
    let login = json!({
        "username": api.account.values["user_name"],
        "password": api.secret("user_password"),
    });
    let bearer = client.post("/api/account/{}/login?v=1.3", &login.to_string())["bearer"].clone();
    let search_sorted = |status: Json, from: i64, sort: &str| {
        let path = format!(
            "/messaging_history/api/account/{}/conversations/search?offset=0&limit=50{sort}",
            client.account
        );
        let head =
            format!("POST {path} HTTP/1.1\r\nAuthorization: Bearer {}", bearer.as_str().unwrap());
        let start = json!({"from": from, "to": 9_999_999_999_999_i64});
        let body = json!({"start": start, "status": status});
        let found = request(&api.address, &head, &body.to_string()).json();
        let records = found["conversationHistoryRecords"].as_array().unwrap().clone();
        assert_eq!(found["_metadata"]["count"], records.len());
        records.iter().map(|record| record["info"]["conversationId"].clone()).collect::<Vec<_>>()
    };
    let search = |status: Json| search_sorted(status, 0, "");
    let both = || json!(["OPEN", "CLOSE"]);
    let mut ascending = search_sorted(both(), 0, "&sort=start:asc");
    ascending.reverse();
    assert_eq!(search_sorted(both(), 0, "&sort=start:desc"), ascending);
    assert_eq!(search_sorted(both(), 9_999_999_999_998, ""), Vec::<Json>::new());
    assert_eq!(search(json!(["OPEN"])), [first[1]["body"]["conversationId"].clone()]);
    assert_eq!(search(json!(["CLOSE"])), [second]);
    assert_eq!(search(json!(["OPEN", "CLOSE"])).len(), 2);
}

#[test]
fn tokens_are_signed_with_rsa() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("liveperson", &receiver);
    let client = Client::log_in(&api, "visitor-14");
    let document = STANDARD.decode(api.secret("token_key")).unwrap();
    let key = RsaKeyPair::from_pkcs8(&document).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public().as_ref());
    for token in [&client.app, &client.consumer] {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let header = URL_SAFE_NO_PAD.decode(signed.split('.').next().unwrap()).unwrap();
        let header: Json = serde_json::from_slice(&header).unwrap();
        assert_eq!((&header["alg"], &header["typ"]), (&json!("RS256"), &json!("JWT")));
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        public.verify(signed.as_bytes(), &signature).unwrap();
    }
    // Signed with what everybody can know.
    let (signed, _) = client.app.rsplit_once('.').unwrap();
    let (_, claims) = signed.split_once('.').unwrap();
    let head = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "typ": "JWT"}).to_string());
    let made_up = format!("{head}.{claims}");
    let secret = hmac::Key::new(hmac::HMAC_SHA256, key.public().as_ref());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&secret, made_up.as_bytes()));
    let forged = Client {
        app: format!("{made_up}.{signature}"),
        consumer: client.consumer.clone(),
        account: client.account.clone(),
        api: &api,
    };
    assert_eq!(forged.call("POST", CONVERSATION, "[]").0, 401);
}

#[test]
fn programs_without_webhooks_poll_for_messages() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("liveperson@2022", &receiver);
    let client = Client::log_in(&api, "visitor-15");
    let opened = client.request_conversation(&json!({}));
    let id = opened[1]["body"]["conversationId"].as_str().unwrap().to_owned();
    for message in ["first", "second"] {
        assert_eq!(client.publish(&id, text(message)).0, 200);
    }
    let get = |consumer: &str, path: &str| {
        let head = format!(
            "GET /messaging/v1/conversations/{path} HTTP/1.1\r\nAuthorization: {}\r\nLP-ON-BEHALF: {consumer}",
            client.app
        );
        let response = request(&api.address, &head, "");
        (response.status, serde_json::from_str(&response.body).unwrap_or(Json::Null))
    };
    let (status, found): (u16, Json) = get(&client.consumer, &id);
    let dialog = &found["dialogs"][0];
    assert_eq!(
        (status, &dialog["dialogType"], &dialog["state"]),
        (200, &json!("MAIN"), &json!("OPEN"))
    );
    let messages = format!("{id}/dialogs/{}/messages", dialog["id"].as_str().unwrap());
    let texts = |query: &str| {
        let (status, page) = get(&client.consumer, &format!("{messages}{query}"));
        assert_eq!(status, 200, "{page}");
        let texts = page["data"].as_array().unwrap().iter();
        texts.map(|one| one["content"]["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(texts(""), ["first", "second"]);
    assert_eq!(texts("?newerThanSequence=1&limit=100"), ["second"]);
    assert_eq!(texts("?newerThanSequence=2"), [""; 0]);
    assert_eq!(texts("?limit=1"), ["first"]);
    let (_, page) = get(&client.consumer, &messages);
    let last = &page["data"][1];
    assert_eq!((&last["sequence"], &last["originator"]["role"]), (&json!(1), &json!("CONSUMER")));
    assert_eq!(get("made.up.token", &id).0, 401);
    let other = Client::log_in(&api, "visitor-16");
    assert_eq!(get(&other.consumer, &id).0, 401);
    assert_eq!(get(&client.consumer, "unknown").0, 404);
    assert_eq!(get(&client.consumer, &format!("{id}/dialogs/unknown/messages")).0, 404);
}
