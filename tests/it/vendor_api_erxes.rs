//! The GraphQL API of erxes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use standin::diag::Source;
use standin::scenario;

use crate::support::{
    ApiResponse, LiveApi, ReceivedRequest, Receiver, Reply, request, wait_for_events,
    websocket_handshake,
};

/// Sends a query with variables, and the cookie of a session or the token of an app.
fn send(api: &LiveApi, cookie: &str, query: &str, variables: &Json) -> ApiResponse {
    let token = api.account.secrets.get("app_token").map_or("", |secret| secret.expose());
    let head = format!(
        "POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\nCookie: {cookie}\r\n\
         erxes-app-token: {token}"
    );
    request(&api.address, &head, &json!({"query": query, "variables": variables}).to_string())
}

/// A client that has logged in.
pub(crate) struct Client<'a> {
    api: &'a LiveApi,
    cookie: String,
}

impl<'a> Client<'a> {
    /// Returns a client that may do everything: one with the token of an app, or one that has logged in.
    pub(crate) fn of(api: &'a LiveApi) -> Self {
        if api.account.secrets.contains_key("app_token") {
            return Self::unknown(api);
        }
        Self::log_in(api)
    }

    /// Returns a client without a session.
    pub(crate) fn unknown(api: &'a LiveApi) -> Self {
        Self { api, cookie: String::new() }
    }

    pub(crate) fn log_in(api: &'a LiveApi) -> Self {
        let query = "mutation login($email: String!, $password: String!, $device: String) {
            login(email: $email, password: $password, deviceToken: $device)
        }";
        let user = &api.account.values["user_email"];
        let variables = json!({"email": user, "password": api.secret("password")});
        let response = send(api, "", query, &variables);
        assert_eq!(response.json(), json!({"data": {"login": "loggedIn"}}), "{response:?}");
        let cookie = response.head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = cookie.unwrap_or_else(|| panic!("{}", response.head));
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { api, cookie }
    }

    pub(crate) fn send(&self, query: &str, variables: &Json) -> Json {
        let response = send(self.api, &self.cookie, query, variables);
        assert_eq!(response.status, 200, "{response:?}");
        response.json()
    }

    /// Returns the value of the only field of a query that succeeds.
    pub(crate) fn field(&self, query: &str, variables: &Json) -> Json {
        let body = self.send(query, variables);
        assert!(body.get("errors").is_none(), "{query}: {body}");
        body["data"].as_object().unwrap().values().next().unwrap().clone()
    }

    /// Returns the message of the only error of a query.
    pub(crate) fn error(&self, query: &str, variables: &Json) -> String {
        let body = self.send(query, variables);
        let errors = body["errors"].as_array().unwrap_or_else(|| panic!("{query}: {body}"));
        assert_eq!(errors.len(), 1, "{body}");
        errors[0]["message"].as_str().unwrap().to_owned()
    }
}

const ADD: &str = "mutation webhooksAdd($url: String!, $actions: [WebhookActionInput]) {
    webhooksAdd(url: $url, actions: $actions) { _id url token status actions { type action label } }
}";

const EDIT: &str =
    "mutation webhooksEdit($_id: String!, $url: String!, $actions: [WebhookActionInput]) {
    webhooksEdit(_id: $_id, url: $url, actions: $actions) { _id url }
}";

const REMOVE: &str = "mutation webhooksRemove($_id: String!) { webhooksRemove(_id: $_id) }";
const DETAIL: &str = "query($_id: String!) { webhookDetail(_id: $_id) { _id url status } }";
const REPLY: &str = "mutation($conversationId: String, $content: String, $internal: Boolean) {
    conversationMessageAdd(conversationId: $conversationId, content: $content, internal: $internal) {
        _id content conversationId internal userId createdAt
    }
}";

fn play(api: &LiveApi, number: u32, text: &str) {
    let parsed = scenario::read(&Source::new("visitor.toml", text)).unwrap();
    let script = scenario::check(parsed, &[Arc::clone(&api.account.platform)], &[]).unwrap();
    api.play(number, script, 1);
}

/// Plays a conversation in which the visitor says something, and returns its id.
fn open(api: &LiveApi, run: u32) -> String {
    let script = "[[step]]\nopen = {}\n[[step]]\nsay = { by = \"visitor\", text = \"Hello\" }\n";
    play(api, run, script);
    let client = Client::log_in(api);
    let query = "{ conversations { _id messageCount } }";
    for _ in 0..500 {
        let found = client.field(query, &json!({}));
        let all = found.as_array().unwrap();
        if let Some(one) = all.iter().find(|one| one["messageCount"] == 1) {
            return one["_id"].as_str().unwrap().to_owned();
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("no conversation");
}

#[test]
fn a_query_that_selects_too_many_fields_is_refused_at_once() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("erxes@0.23", &receiver);
    let names: Vec<String> = (0..6_000).map(|n| format!("f{n}: __typename")).collect();
    // Each fragment doubles the fields of the next one.
    let doubled = |n: usize| format!("fragment F{n} on Query {{ ...F{m} ...F{m} }}", m = n + 1);
    let doubled: Vec<String> = (0..20).map(doubled).collect();
    let bomb = format!("{{ ...F0 }} {} fragment F20 on Query {{ __typename }}", doubled.join(" "));
    for large in [format!("{{ {} }}", names.join(" ")), bomb] {
        let begun = Instant::now();
        let body = send(&api, "", &large, &json!({})).json();
        // The body of a query that was executed is too long to print.
        assert_eq!(body["errors"][0]["message"], "Query is too complex.");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}

#[test]
fn a_webhook_that_a_client_adds_is_tested_and_gets_the_events_of_its_actions() {
    let (operator, hook) = (Receiver::accepting(), Receiver::accepting());
    let api = LiveApi::start("erxes@0.23", &operator);
    let client = Client::log_in(&api);
    let actions = json!([{"type": "userMessages", "action": "create", "label": "Admin messages"}]);
    let added = client.field(ADD, &json!({"url": hook.url(), "actions": actions, "extra": 1}));
    assert_eq!((&added["status"], &added["actions"]), (&json!("unavailable"), &actions));
    let test = hook.requests()[0].clone();
    assert_eq!(test.header("erxes-token").unwrap(), added["token"].as_str().unwrap());
    assert!(test.json()["text"].to_string().contains("You have successfully connected"));
    let id = json!({"_id": added["_id"]});
    assert_eq!(client.field(DETAIL, &id)["status"], "available");
    assert_eq!(client.field("{ webhooksTotalCount }", &json!({})), 1);

    let conversation = open(&api, 2);
    let reply = json!({"conversationId": conversation, "content": "<p>How can I <b>help</b>?</p>"});
    let replied = client.field(REPLY, &reply);
    assert_eq!(replied["conversationId"], json!(conversation));
    let note = json!({"conversationId": conversation, "content": "a note", "internal": true});
    assert_eq!(client.field(REPLY, &note)["internal"], true);
    let sent = wait_for_events(&hook, 1);
    assert_eq!((&sent[0]["type"], &sent[0]["action"]), (&json!("userMessages"), &json!("create")));
    let data: Json = serde_json::from_str(sent[0]["data"].as_str().unwrap()).unwrap();
    assert_eq!(data["_id"], replied["_id"]);
    assert!(data["content"].as_str().unwrap().contains("How can I help?"), "{data}");
    // The subscription of the operator has its own token, and other events.
    wait_for_events(&operator, 3);
    assert_eq!(operator.events()[0].header("erxes-token").unwrap(), api.secret("token"));

    // Other actions at the same URL.
    let actions = json!([{"type": "customerMessages", "action": "create"}]);
    let edit = json!({"_id": added["_id"], "url": hook.url(), "actions": actions});
    assert_eq!(client.field(EDIT, &edit)["_id"], added["_id"]);
    client.field(REPLY, &reply);
    open(&api, 3);
    wait_for_events(&hook, 2);
    assert_eq!(hook.events()[1].json()["type"], "customerMessages");
    assert_eq!(client.field(REMOVE, &id), json!({"n": 1, "ok": 1, "deletedCount": 1}));
    assert_eq!(client.field("{ webhooks { _id } }", &json!({})), json!([]));
    client.field(REPLY, &reply);
    wait_for_events(&operator, 7);
    assert_eq!(hook.events().len(), 2);
    assert_eq!(hook.count(), 3, "only the first one is tested");
}

#[test]
fn webhooks_are_validated_with_the_messages_of_the_vendor() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("erxes@0.23", &receiver);
    let client = Client::log_in(&api);
    let failing = Receiver::responding(|_, _| Reply::Status(500, String::new()));
    let first = client.field(ADD, &json!({"url": failing.url()}));
    assert_eq!(client.field(DETAIL, &json!({"_id": first["_id"]}))["status"], "unavailable");
    let second = client.field(ADD, &json!({"url": receiver.url(), "actions": []}));
    assert_ne!(first["_id"], second["_id"]);
    let duplicate = client.error(ADD, &json!({"url": failing.url()}));
    assert!(duplicate.starts_with("E11000 duplicate key error collection"), "{duplicate}");
    let moved = json!({"_id": second["_id"], "url": failing.url()});
    assert!(client.error(EDIT, &moved).starts_with("E11000"));
    let unknown = json!({"_id": "none", "url": "https://127.0.0.1:1/"});
    assert_eq!(client.error(EDIT, &unknown), "Webhook not found");
    assert_eq!(client.error(REMOVE, &unknown), "Webhook not found");
    assert_eq!(client.field(DETAIL, &json!({"_id": "none"})), Json::Null);
    assert!(client.error(ADD, &json!({"url": "https://8.8.8.8/"})).contains("8.8.8.8"));

    let nobody = Client { api: &api, cookie: "auth-token=forged-by-somebody".to_owned() };
    let body = nobody.send(ADD, &json!({"url": receiver.url()}));
    assert_eq!(body["data"], json!({"webhooksAdd": null}));
    let error = &body["errors"][0];
    assert_eq!(
        (&error["message"], &error["path"]),
        (&json!("Login required"), &json!(["webhooksAdd"]))
    );
    assert_eq!(error["extensions"]["code"], "INTERNAL_SERVER_ERROR");
    assert_eq!(nobody.field("{ webhooksTotalCount }", &json!({})), 2);
    let wrong = "mutation { login(email: \"x\", password: \"y-and-a-long-one\") }";
    assert_eq!(nobody.error(wrong, &json!({})), "Invalid login");
    let text = format!("{:?}", api.calls(10));
    assert!(!text.contains("forged-by-somebody") && !text.contains("y-and-a-long-one"), "{text}");
    client.field("mutation { logout }", &json!({}));
    assert_eq!(client.error("{ webhooks { _id } }", &json!({})), "Login required");
}

#[test]
fn conversations_are_read_assigned_closed_and_reopened() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("erxes@0.23", &receiver);
    let conversation = open(&api, 2);
    let client = Client::log_in(&api);
    let id = json!({"_id": conversation});
    let reply = json!({"conversationId": conversation, "content": "<p>one</p>"});
    let user = client.field(REPLY, &reply)["userId"].clone();
    client.field(REPLY, &json!({"conversationId": conversation, "content": "two"}));

    let messages = "query($id: String!, $limit: Int, $first: Boolean) {
        conversationMessages(conversationId: $id, limit: $limit, getFirst: $first) { content customerId userId }
    }";
    let read = |limit: Json, first: Json| {
        let variables = json!({"id": conversation, "limit": limit, "first": first});
        let all = client.field(messages, &variables);
        let texts = all.as_array().unwrap().iter().map(|message| {
            let content = message["content"].as_str().unwrap();
            content.trim_start_matches("<p>").trim_end_matches("</p>").to_owned()
        });
        texts.collect::<Vec<_>>()
    };
    assert_eq!(read(Json::Null, Json::Null), ["Hello", "one", "two"]);
    assert_eq!(read(json!(2), Json::Null), ["one", "two"]);
    assert_eq!(read(json!(2.0), Json::Null), ["one", "two"], "JSON knows one kind of number");
    assert_eq!(read(json!(2), json!(true)), ["Hello", "one"]);

    let assign = "mutation($ids: [String]!, $user: String) {
        conversationsAssign(conversationIds: $ids, assignedUserId: $user) { _id assignedUserId }
    }";
    let assigned = client.field(assign, &json!({"ids": [conversation], "user": user}));
    assert_eq!(assigned, json!([{"_id": conversation, "assignedUserId": user}]));
    let one = json!({"ids": conversation, "user": "nobody"});
    assert_eq!(client.error(assign, &one), "User not found with id nobody");
    let lost = json!({"ids": ["none"], "user": user});
    assert_eq!(client.error(assign, &lost), "Conversation not found.");
    let change = "mutation($ids: [String]!, $status: String!) {
        conversationsChangeStatus(_ids: $ids, status: $status) { status }
    }";
    let status = |status: &str| {
        client.field(change, &json!({"ids": [conversation], "status": status}))[0]["status"].clone()
    };
    assert_eq!((status("closed"), status("closed")), (json!("closed"), json!("closed")));
    let closed = client.error(REPLY, &reply);
    assert!(closed.contains("closed"), "{closed}");
    assert_eq!(status("open"), "open");
    let detail = "query($_id: String!) { conversationDetail(_id: $_id) {
        _id status assignedUserId messageCount messages { content }
    } }";
    let found = client.field(detail, &id);
    assert_eq!((&found["status"], &found["messageCount"]), (&json!("open"), &json!(3)));
    assert_eq!(found["messages"].as_array().unwrap().len(), 3);
    assert_eq!(client.field(detail, &json!({"_id": "none"})), Json::Null);
    let open_ones = "{ conversations(status: \"closed\") { _id } conversationsTotalCount }";
    let body = client.send(open_ones, &json!({}));
    assert_eq!(body["data"], json!({"conversations": [], "conversationsTotalCount": 1}));

    for (content, id, message) in [
        ("<p> </p>", conversation.as_str(), "Content is required"),
        ("x", "none", "Conversation not found with id none"),
    ] {
        let variables = json!({"conversationId": id, "content": content});
        assert_eq!(client.error(REPLY, &variables), message);
    }
    let sent: Vec<Json> = receiver.events().iter().map(ReceivedRequest::json).collect();
    let kinds: Vec<String> =
        sent.iter().map(|body| format!("{}.{}", body["type"], body["action"])).collect();
    assert!(kinds.contains(&"\"conversation\".\"update\"".to_owned()), "{kinds:?}");
}

/// Makes a request that is not valid, and returns the message and the code of its first error.
fn refusal(api: &LiveApi, query: &str, variables: &Json) -> (String, Json) {
    let response = send(api, "", query, variables);
    assert_eq!(response.status, 400, "{query} {response:?}");
    let body = response.json();
    let error = body["errors"][0].clone();
    assert!(body.get("data").is_none(), "{body}");
    (error["message"].as_str().unwrap().to_owned(), error["extensions"]["code"].clone())
}

#[test]
fn arguments_directives_fragments_and_syntax_get_the_messages_of_the_reference_implementation() {
    let api = LiveApi::start("erxes@0.23", &Receiver::accepting());
    for (query, variables, message) in [
        (
            "{ users(pge: 1) { _id } }",
            json!({}),
            "Unknown argument \"pge\" on field \"Query.users\". Did you mean \"page\"?",
        ),
        (
            "query($x: Int) { webhookDetail(_id: $x) { _id } }",
            json!({}),
            "Variable \"$x\" of type \"Int\" used in position expecting type \"String!\".",
        ),
        (
            "query Q($x: [WebhookActionInput]) { ...F } fragment F on Query { webhooks { _id @skip(if: $x) } }",
            json!({}),
            "Variable \"$x\" of type \"[WebhookActionInput]\" used in position expecting type \"Boolean!\".",
        ),
        (
            "mutation($u: String!, $a: Int) { webhooksAdd(url: $u, actions: [{ action: $a }]) { _id } }",
            json!({"u": "https://x.test/"}),
            "Variable \"$a\" of type \"Int\" used in position expecting type \"String\".",
        ),
        ("{ webhooksTotalCount @hide }", json!({}), "Unknown directive \"@hide\"."),
        (
            "{ webhooksTotalCount @skip }",
            json!({}),
            "Directive \"@skip\" argument \"if\" of type \"Boolean!\" is required, but it was not provided.",
        ),
        (
            "query Q($x: Webhook) { webhooksTotalCount @skip(if: $x) }",
            json!({}),
            "Variable \"$x\" cannot be non-input type \"Webhook\".",
        ),
        (
            "{ webhooks { ...W } } fragment W on Webhook { _id ...V } fragment V on Webhook { ...W }",
            json!({}),
            "Cannot spread fragment \"W\" within itself via \"V\".",
        ),
        (
            "{ webhooks { ...W } } fragment W on Webhook { ...W }",
            json!({}),
            "Cannot spread fragment \"W\" within itself.",
        ),
        (
            "query($x: Int, $x: Int) { users(page: $x) { _id } }",
            json!({}),
            "There can be only one variable named \"$x\".",
        ),
        (
            "{ users(page: 1, page: 2) { _id } }",
            json!({}),
            "There can be only one argument named \"page\".",
        ),
        (
            "{ webhooksTotalCount } { webhooksTotalCount }",
            json!({}),
            "This anonymous operation must be the only defined operation.",
        ),
        (
            "query A { webhooksTotalCount } query A { webhooksTotalCount }",
            json!({}),
            "There can be only one operation named \"A\".",
        ),
        ("{ webhooks {\n", json!({}), "Syntax Error: Expected Name, found <EOF>."),
        ("{ webhooks { } }", json!({}), "Syntax Error: Expected Name, found \"}\"."),
        ("{ users(page: ) }", json!({}), "Syntax Error: Unexpected \")\"."),
        ("webhooks", json!({}), "Syntax Error: Unexpected Name \"webhooks\"."),
        (
            "{ users(page: 1 \"b\", other: \"c\") { _id } }",
            json!({}),
            "Syntax Error: Expected Name, found String \"b\".",
        ),
    ] {
        assert_eq!(refusal(&api, query, &variables).0, message, "{query}");
    }
}

#[test]
fn queries_that_are_not_valid_get_the_messages_of_the_reference_implementation() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("erxes@0.23", &receiver);
    let errors = |query: &str, variables: Json| refusal(&api, query, &variables);
    let detail = "query Q($_id: String!) { webhookDetail(_id: $_id) { _id } }";
    for (query, variables, message) in [
        ("{ nothing }", json!({}), "Cannot query field \"nothing\" on type \"Query\"."),
        (
            "{ webhooks { _id color } }",
            json!({}),
            "Cannot query field \"color\" on type \"Webhook\".",
        ),
        (
            "{ webhooks }",
            json!({}),
            "Field \"webhooks\" of type \"[Webhook]\" must have a selection of subfields. Did you mean \"webhooks { ... }\"?",
        ),
        (
            "{ webhookDetail { _id } }",
            json!({}),
            "Field \"webhookDetail\" argument \"_id\" of type \"String!\" is required, but it was not provided.",
        ),
        (detail, json!({}), "Variable \"$_id\" of required type \"String!\" was not provided."),
        (
            detail,
            json!({"_id": null}),
            "Variable \"$_id\" of non-null type \"String!\" must not be null.",
        ),
        (
            detail,
            json!({"_id": 5}),
            "Variable \"$_id\" got invalid value 5; String cannot represent a non string value: 5",
        ),
        (
            ADD,
            json!({"url": "x", "actions": [{"typo": 1}]}),
            "Variable \"$actions\" got invalid value { typo: 1 } at \"actions[0]\"; Field \"typo\" is not defined by type \"WebhookActionInput\".",
        ),
        (
            "query Q { webhookDetail(_id: $x) { _id } }",
            json!({"x": "1"}),
            "Variable \"$x\" is not defined by operation \"Q\".",
        ),
        (
            "query Q($x: String) { webhooksTotalCount }",
            json!({}),
            "Variable \"$x\" is never used in operation \"Q\".",
        ),
        (
            "query A { webhooksTotalCount } query B { webhooksTotalCount }",
            json!({}),
            "Must provide operation name if query contains multiple operations.",
        ),
        ("", json!({}), "Must provide query string."),
    ] {
        assert_eq!(errors(query, variables).0, message, "{query}");
    }
    let (message, code) = errors("{ webhooks {", json!({}));
    assert!(message.starts_with("Syntax Error: ") && code == "GRAPHQL_PARSE_FAILED", "{message}");
    assert_eq!(errors("{ nothing }", json!({})).1, "GRAPHQL_VALIDATION_FAILED");
    for (levels, message) in [
        (40, "The recursion depth of the query cannot be greater than `32`."),
        (100, "Query is too complex."), // more than the parser reads
    ] {
        let deep = "{ a".repeat(levels) + &" }".repeat(levels);
        assert_eq!(errors(&deep, json!({})).0, message);
    }
    let fields: Vec<String> = (0..6_000).map(|n| format!("f{n}: webhooksTotalCount")).collect();
    let wide = format!("{{ {} }}", fields.join(" "));
    assert!(errors(&wide, json!({})).0.contains("complex"));

    let calls = api.calls(3);
    assert!(calls.iter().all(|call| call.error.as_deref() == Some("bad_body")), "{calls:?}");
    assert!(calls[0].why.as_deref().unwrap().contains("Cannot query field"), "{calls:?}");
}

#[test]
fn requests_come_in_several_forms_and_subscriptions_are_refused() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("erxes@0.23", &receiver);
    let count = json!({"data": {"webhooksTotalCount": 0}});
    let get = "GET /graphql?query=%7BwebhooksTotalCount%7D&variables=%7B%7D HTTP/1.1";
    assert_eq!(request(&api.address, get, "").json(), count);
    let named = json!({"query": "query A { webhooksTotalCount } query B { webhooks { _id } }", "operationName": "A", "variables": null});
    let post = "POST /graphql HTTP/1.1\r\nContent-Type: application/json";
    assert_eq!(request(&api.address, post, &named.to_string()).json(), count);
    for body in
        ["[]", "", "{", "null", "{\"query\":5}", "{\"query\":\"{webhooks{_id}}\",\"variables\":5}"]
    {
        assert_eq!(request(&api.address, post, body).status, 400, "{body}");
    }
    let refused = websocket_handshake(&api.address, "/graphql");
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("subscriptions over WebSocket are not served"), "{refused:?}");
    let subscribed = send(&api, "", "subscription { anything }", &json!({}));
    assert_eq!(subscribed.status, 400);
    assert!(subscribed.body.contains("ubscriptions are not supported"), "{subscribed:?}");

    let introspection = "{ __schema { queryType { name } mutationType { name } types { name kind fields { name args { name type { kind name ofType { name } } } } } } }";
    let schema = send(&api, "", introspection, &json!({})).json();
    let types = schema["data"]["__schema"]["types"].as_array().unwrap();
    let webhook = types.iter().find(|known| known["name"] == "Webhook").unwrap();
    assert_eq!(webhook["fields"].as_array().unwrap().len(), 5);
    let aliases =
        send(&api, "", "{ a: webhooksTotalCount b: webhooksTotalCount __typename }", &json!({}));
    assert_eq!(aliases.json()["data"], json!({"a": 0, "b": 0, "__typename": "Query"}));
}

#[test]
fn customers_and_companies_are_created_changed_and_removed_with_their_webhooks() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("erxes@0.23", &receiver);
    let client = Client::log_in(&api);
    let add = "mutation($name: String, $email: String, $code: String) {
        customersAdd(firstName: $name, primaryEmail: $email, code: $code) { _id firstName lastName primaryEmail code }
    }";
    let ada = client.field(add, &json!({"name": "Ada", "email": "ada@example.test"}));
    assert_eq!((&ada["firstName"], &ada["lastName"]), (&json!("Ada"), &Json::Null));
    let twin = json!({"name": "Twin", "email": "ada@example.test"});
    assert_eq!(client.error(add, &twin), "Duplicated email");
    let grace = client.field(add, &json!({"name": "Grace", "code": "g-1"}));
    assert_ne!(ada["_id"], grace["_id"]);
    let edit = "mutation($_id: String!, $last: String, $email: String) {
        customersEdit(_id: $_id, lastName: $last, primaryEmail: $email) { _id firstName lastName }
    }";
    let edited = client.field(edit, &json!({"_id": ada["_id"], "last": "Lovelace"}));
    assert_eq!((&edited["firstName"], &edited["lastName"]), (&json!("Ada"), &json!("Lovelace")));
    let taken = json!({"_id": grace["_id"], "email": "ada@example.test"});
    assert_eq!(client.error(edit, &taken), "Duplicated email");
    assert_eq!(client.error(edit, &json!({"_id": "none"})), "Customer not found");
    let names = |sort: &str| {
        let query = format!("{{ customers(page: 1{sort}) {{ firstName lastName }} }}");
        let all = client.field(&query, &json!({}));
        all.as_array().unwrap().iter().map(|one| one["firstName"].clone()).collect::<Vec<_>>()
    };
    let known = "{ customers(searchValue: \"love\") { firstName lastName } }";
    let ada_only = json!([{"firstName": "Ada", "lastName": "Lovelace"}]);
    assert_eq!(client.field(known, &json!({})), ada_only);
    // The newest first, unless the call says otherwise.
    let orders = [
        "",
        ", sortDirection: -1",
        ", sortField: \"firstName\"",
        ", sortField: \"createdAt\", sortDirection: -1",
    ];
    assert!(orders.iter().all(|order| names(order) == ["Grace", "Ada"]), "{orders:?}");
    for order in ["sortDirection: 1", "sortField: \"firstName\", sortDirection: 1"] {
        assert_eq!(names(&format!(", {order}")), ["Ada", "Grace"], "{order}");
    }
    let remove = "mutation($ids: [String]) { customersRemove(customerIds: $ids) }";
    let ids = json!([ada["_id"], grace["_id"]]);
    assert_eq!(client.field(remove, &json!({"ids": ids})), ids);
    let detail = "query($_id: String!) { customerDetail(_id: $_id) { firstName } }";
    assert_eq!(client.field(detail, &json!({"_id": ada["_id"]})), Json::Null);

    let company = "mutation { companiesAdd(primaryName: \"Example\") { _id primaryName } }";
    let company = client.field(company, &json!({}));
    let detail = "query($_id: String!) { companyDetail(_id: $_id) { primaryName } }";
    let found = client.field(detail, &json!({"_id": company["_id"]}));
    assert_eq!(found, json!({"primaryName": "Example"}));
    let sent = wait_for_events(&receiver, 6);
    let mut kinds: Vec<String> = sent
        .iter()
        .map(|body| {
            format!("{}.{}", body["type"].as_str().unwrap(), body["action"].as_str().unwrap())
        })
        .collect();
    kinds.sort();
    let expected = [
        "company.create",
        "customer.create",
        "customer.create",
        "customer.delete",
        "customer.delete",
        "customer.update",
    ];
    assert_eq!(kinds, expected);
    let created = sent.iter().find(|body| body["action"] == "create").unwrap();
    let data: Json = serde_json::from_str(created["data"].as_str().unwrap()).unwrap();
    assert_eq!(data["object"]["_id"], ada["_id"]);
}
