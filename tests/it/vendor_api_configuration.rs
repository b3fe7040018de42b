//! The configuration of an account at `LivePerson`, read and changed as public client programs do.

use serde_json::{Value as Json, json};

use crate::support::{LiveApi, Receiver, request, wait_for_events};

const INSTALLATIONS: &str = "configuration/app-install/installations";

/// A client with the token of an agent.
struct Agent<'a> {
    api: &'a LiveApi,
    token: String,
}

/// The parts of a response that tests read.
struct Answer {
    status: u16,
    head: String,
    json: Json,
}

impl<'a> Agent<'a> {
    fn log_in(api: &'a LiveApi) -> Self {
        let mut agent = Agent { api, token: String::new() };
        let name = &api.account.values["user_name"];
        let body = json!({"username": name, "password": api.secret("user_password")});
        let login = agent.call("POST", "login?v=1.3", "", &body.to_string());
        assert_eq!(login.status, 200, "{}", login.json);
        let config = &login.json["config"];
        assert_eq!((&config["isAdmin"], &config["loginName"]), (&json!(true), name));
        let services = login.json["csdsCollectionResponse"]["baseURIs"].as_array().unwrap();
        assert_eq!(services[0]["baseURI"], api.address.as_str());
        agent.token = login.json["bearer"].as_str().unwrap().into();
        agent
    }

    fn account(&self) -> &str {
        self.api.account.values["id"].as_str().unwrap()
    }

    /// Sends a request to a path below the account's.
    fn call(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let target = format!("/api/account/{}/{path}", self.account());
        self.send(method, &target, headers, body)
    }

    fn send(&self, method: &str, target: &str, headers: &str, body: &str) -> Answer {
        let token = &self.token;
        let head = format!("{method} {target} HTTP/1.1\r\nAuthorization: Bearer {token}{headers}");
        let response = request(&self.api.address, &head, body);
        let json = serde_json::from_str(&response.body).unwrap_or(Json::Null);
        Answer { status: response.status, head: response.head.to_lowercase(), json }
    }

    /// Returns the revision of the installations, as the header has it.
    fn revision(&self) -> String {
        let head = self.call("GET", INSTALLATIONS, "", "").head;
        let line = head.lines().find_map(|line| line.strip_prefix("ac-revision: "));
        line.unwrap().to_owned()
    }
}

/// Opens a conversation as a consumer, and says a text in it.
fn converse(api: &LiveApi, consumer: &str) {
    let account = api.account.values["id"].as_str().unwrap();
    let client = api.account.values["client_id"].as_str().unwrap();
    let secret = api.secret("client_secret");
    let post = |target: &str, headers: &str, body: &Json| {
        let head = format!("POST {target} HTTP/1.1{headers}");
        let response = request(&api.address, &head, &body.to_string());
        assert!(response.status < 300, "{response:?}");
        response.json()
    };
    let token = format!(
        "/sentinel/api/account/{account}/app/token?grant_type=client_credentials&client_id={client}&client_secret={secret}"
    );
    let app = post(&token, "", &json!({}))["access_token"].as_str().unwrap().to_owned();
    let app = format!("\r\nAuthorization: {app}");
    let target = format!("/api/account/{account}/consumer");
    let consumer = post(&target, &app, &json!({"ext_consumer_id": consumer}));
    let both = format!("{app}\r\nX-LP-ON-BEHALF: {}", consumer["token"].as_str().unwrap());
    let target = format!("/api/account/{account}/messaging/consumer/conversation");
    let open = json!([{"id": "1", "type": "cm.ConsumerRequestConversation", "body": {"brandId": account}}]);
    let opened = post(&format!("{target}?v=3"), &both, &open);
    let event = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "Hello"});
    let body = json!({"dialogId": opened[0]["body"]["conversationId"], "event": event});
    let publish = json!({"id": "2", "type": "ms.PublishEvent", "body": body});
    post(&format!("{target}/send?v=3"), &both, &publish);
}

#[test]
fn an_app_registers_its_webhook_urls() {
    let (first, second) = (Receiver::accepting(), Receiver::accepting());
    let api = LiveApi::start("liveperson", &first);
    let agent = Agent::log_in(&api);
    let client = api.account.values["client_id"].as_str().unwrap().to_owned();
    let path = format!("{INSTALLATIONS}/{client}");
    // The body of a GET is not read.
    let json = "\r\nContent-Type: application/json";
    let found = agent.call("GET", &format!("{path}?v=1"), json, "[object Object]");
    assert_eq!((found.status, &found.json["id"]), (200, &json!(client)));
    assert_eq!(found.json["client_secret"], api.secret("client_secret"));
    let list = agent.call("GET", &format!("{INSTALLATIONS}/?v=1.0"), "", "");
    assert_eq!(list.json, json!([found.json]));

    let mut app = found.json.clone();
    let headers = json!([{"header_name": "X-Hook-Token", "header_value": "canary-of-the-hook"}]);
    let content = json!({"endpoint": second.url(), "max_retries": 1, "headers": headers});
    let webhooks = json!({
        "ms.MessagingEventNotification.ContentEvent": content,
        "cqm.ExConversationChangeNotification": {"endpoint": second.url(), "headers": headers},
        "retry": {"retention_time": 0},
    });
    app["capabilities"]["webhooks"] = webhooks;
    let put = |agent: &Agent<'_>, revision: &str, app: &Json| {
        let headers = format!("\r\nIf-Match: {revision}\r\nX-HTTP-Method-Override: PUT");
        agent.call("PUT", &path, &headers, &app.to_string())
    };
    assert_eq!(put(&agent, "0", &app).status, 412);
    let saved = put(&agent, &agent.revision(), &app);
    assert_eq!((saved.status, &saved.json["capabilities"]), (200, &app["capabilities"]));
    converse(&api, "visitor-1");
    let sent = wait_for_events(&second, 2);
    assert_eq!(sent[0]["type"], "cqm.ExConversationChangeNotification");
    assert_eq!(sent[1]["body"]["changes"][0]["event"]["message"], "Hello");
    assert_eq!(second.events()[1].header("x-hook-token").unwrap(), "canary-of-the-hook");
    wait_for_events(&first, 2);

    // Another app, and an address that may not be sent to.
    app["capabilities"]["webhooks"]["cqm.ExConversationChangeNotification"]["endpoint"] =
        json!("http://169.254.169.254/");
    let revision = agent.revision();
    assert_eq!(put(&agent, &revision, &app).status, 400);
    assert_eq!(agent.revision(), revision);
    let other = agent.call("POST", INSTALLATIONS, "", &json!({"client_name": "other"}).to_string());
    assert_eq!((other.status, &other.json["client_name"]), (201, &json!("other")));
    assert_ne!(other.json["id"], json!(client));
    let unknown = agent.call("GET", &format!("{INSTALLATIONS}/none"), "", "");
    assert_eq!(unknown.status, 404);

    // Its subscriptions end with the app.
    assert_eq!(agent.call("DELETE", &path, "\r\nIf-Match: 1", "").status, 412);
    let header = format!("\r\nIf-Match: {}", agent.revision());
    assert_eq!(agent.call("DELETE", &path, &header, "").status, 204);
    assert_eq!(agent.call("GET", &path, "", "").status, 404);
    converse(&api, "visitor-2");
    wait_for_events(&first, 4);
    assert_eq!(second.events().len(), 2);

    api.calls(20);
    let canaries = [agent.token.as_str(), api.secret("user_password"), "canary-of-the-hook"];
    for record in &*api.records.lock().unwrap() {
        let text = serde_json::to_string(&**record).unwrap();
        for canary in canaries {
            assert!(!text.contains(canary), "{text}");
        }
    }
}

#[test]
fn an_agent_reads_grants_history_and_names() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("liveperson", &receiver);
    let agent = Agent::log_in(&api);
    let grants = agent.call("GET", "configuration/provision/featureGrants?v=1.0", "", "").json;
    let data =
        &grants["appDataList"][0]["accountList"]["accountList"][0]["itemsCollection"]["data"];
    assert_eq!(data[0]["compoundFeatureID"], "Common.Async_Messaging");
    assert_eq!(data[0]["value"]["value"], true);
    assert_eq!(agent.call("GET", "configuration/le-users/users/none?v=6.0", "", "").status, 404);

    converse(&api, "visitor-1");
    // Conversations have no order among each other.
    wait_for_events(&receiver, 2);
    converse(&api, "visitor-2");
    let sent = wait_for_events(&receiver, 4);
    let id = |index: usize| sent[index]["body"]["changes"][0]["result"]["convId"].clone();
    let consumer = &sent[1]["body"]["changes"][0]["originatorId"];
    let history = |agent: &Agent<'_>, scheme: &str, what: &str, body: &Json| {
        let account = agent.account();
        let target = format!(
            "/messaging_history/api/account/{account}/conversations/{what}/search?offset=0&limit=100"
        );
        let head = format!("POST {target} HTTP/1.1\r\nAuthorization: {scheme}");
        let response = request(&api.address, &head, &body.to_string());
        (response.status, serde_json::from_str::<Json>(&response.body).unwrap_or_default())
    };
    let by_consumer = json!({"consumer": consumer, "status": ["OPEN"]});
    let (status, found) = history(&agent, "OAuth oauth_token=\"x\"", "consumer", &by_consumer);
    assert_eq!((status, &found["_metadata"]["count"]), (200, &json!(1)));
    let record = &found["conversationHistoryRecords"][0];
    assert_eq!(record["info"]["conversationId"], id(0));
    assert_eq!(record["messageRecords"][0]["messageData"]["msg"]["text"], "Hello");
    let closed = json!({"consumer": consumer, "status": ["CLOSE"]});
    let bearer = format!("Bearer {}", agent.token);
    assert_eq!(history(&agent, &bearer, "consumer", &closed).1["_metadata"]["count"], 0);
    let by_id = json!({"conversationId": id(2), "contentToRetrieve": ["messageRecords"]});
    let (_, found) = history(&agent, &bearer, "conversation", &by_id);
    assert_eq!(found["conversationHistoryRecords"][0]["info"]["conversationId"], id(2));
    for scheme in ["Bearer made-up", "", "Basic x"] {
        assert_eq!(history(&agent, scheme, "conversation", &by_id).0, 401, "{scheme}");
    }
    let wrong = json!({"username": api.account.values["user_name"], "password": "canary-wrong"});
    for body in [wrong.to_string(), "{}".to_owned(), "{not json".to_owned(), String::new()] {
        assert_eq!(agent.call("POST", "login", "", &body).status, 401, "{body}");
    }
    let calls = format!("{:?}", api.calls(18));
    assert!(!calls.contains("canary-wrong"), "{calls}");
}

#[test]
fn programs_log_in_with_an_api_key() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("liveperson", &receiver);
    let mut agent = Agent { api: &api, token: String::new() };
    let (values, secret) = (&api.account.values, |name: &str| api.secret(name).to_owned());
    let key = json!({
        "username": values["user_name"], "appKey": values["app_key"], "secret": secret("app_secret"),
        "accessToken": values["access_token"], "accessTokenSecret": secret("access_token_secret"),
    });
    let login = agent.call("POST", "login?v=1.3", "", &key.to_string());
    assert_eq!(login.status, 200, "{}", login.json);
    agent.token = login.json["bearer"].as_str().unwrap().into();
    assert_eq!(agent.call("GET", INSTALLATIONS, "", "").status, 200);
    for name in ["secret", "accessTokenSecret", "appKey"] {
        let mut wrong = key.clone();
        wrong[name] = json!("canary-wrong");
        assert_eq!(agent.call("POST", "login", "", &wrong.to_string()).status, 401, "{name}");
    }
    let calls = format!("{:?}", api.calls(5));
    for canary in ["canary-wrong", &secret("app_secret"), &secret("access_token_secret")] {
        assert!(!calls.contains(canary), "{calls}");
    }
}
