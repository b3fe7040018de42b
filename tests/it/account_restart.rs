//! What calls have made at the accounts of `standin serve` survives a kill: tokens, subscriptions,
//! documents and files.

use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::support::{ApiResponse, Receiver, Server, request, standin_in, stdout, wait_for_events};

const ADD: &str = "mutation($url: String!, $actions: [WebhookActionInput]) {
    webhooksAdd(url: $url, actions: $actions) { _id token }
}";

const COUNT: &str = "{ webhooksTotalCount }";

/// Address of the API of a vendor.
fn api(server: &Server, vendor: &str) -> String {
    let listed = server.get("/api/v1/vendors");
    let mut all = listed["items"].as_array().unwrap().iter();
    let found = all.find(|known| known["id"] == vendor).unwrap();
    found["api"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned()
}

fn graphql(server: &Server, cookie: &str, query: &str, variables: &Json) -> ApiResponse {
    let head =
        format!("POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\nCookie: {cookie}");
    let body = json!({"query": query, "variables": variables}).to_string();
    request(&api(server, "erxes"), &head, &body)
}

/// Logs in at erxes, and returns the cookie.
fn log_in(server: &Server, account: &Json) -> String {
    let query = "mutation($email: String!, $password: String!) { login(email: $email, password: $password) }";
    let response = graphql(server, "", query, account);
    let cookie = response.head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = cookie.unwrap_or_else(|| panic!("{response:?}"));
    cookie.split(';').next().unwrap().to_owned()
}

/// The user of the test account of erxes.
fn user() -> Json {
    let platform = crate::support::revisions().into_iter().rfind(|known| known.id == "erxes");
    let account = standin::platform::Account::test(&platform.unwrap());
    json!({"email": account.values["user_email"], "password": account.secrets["password"].expose()})
}

fn play(server: &Server) -> Json {
    let body = json!({"vendor": "erxes", "scenario": "handover", "clock": "virtual"});
    let run = server.run(&body);
    server.ended(run)
}

fn as_text(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
}

#[test]
fn a_login_and_a_subscription_survive_a_kill() {
    let (folder, receiver) = (TempDir::new().unwrap(), Receiver::accepting());
    let server = Server::start_in(folder.path(), &["--vendor", "erxes"]);
    let cookie = log_in(&server, &user());
    let variables = json!({
        "url": receiver.url(),
        "actions": [{"type": "userMessages", "action": "create", "label": "a"},
                    {"type": "customerMessages", "action": "create", "label": "b"}],
    });
    let added = graphql(&server, &cookie, ADD, &variables);
    assert_eq!(added.status, 200, "{added:?}");
    let added = added.json()["data"]["webhooksAdd"].clone();
    let token = added["token"].as_str().unwrap().to_owned();
    play(&server);
    let before = receiver.events().len();
    assert!(before > 0);
    let endpoints = server.get("/api/v1/endpoints")["items"].clone();
    assert_eq!(endpoints[0]["subscribed_by_call"], true, "{endpoints}");
    assert_eq!(endpoints[0]["handshake"]["error"], Json::Null, "{endpoints}");
    server.process.kill();

    let server = Server::start_in(folder.path(), &["--vendor", "erxes"]);
    assert_eq!(server.get("/api/v1/endpoints")["items"], endpoints);
    let count = graphql(&server, &cookie, COUNT, &json!({})).json();
    assert_eq!(count, json!({"data": {"webhooksTotalCount": 1}}));
    let ended = play(&server);
    let sent = wait_for_events(&receiver, 2 * before).len();
    assert_eq!(sent, 2 * before, "{ended}");
    assert_eq!(receiver.events()[sent - 1].header("erxes-token").unwrap(), token);
    // The runs from before the restart are there, with their conversations.
    assert_eq!(server.call("GET /api/v1/conversations/2-1", "").status, 200);
    // The end of the subscription survives as well, and so does a log-out.
    let remove = "mutation($id: String!) { webhooksRemove(_id: $id) }";
    let id = json!({"id": added["_id"]});
    assert_eq!(graphql(&server, &cookie, remove, &id).status, 200);
    graphql(&server, &cookie, "mutation { logout }", &json!({}));
    server.process.kill();

    let server = Server::start_in(folder.path(), &["--vendor", "erxes"]);
    assert_eq!(server.get("/api/v1/endpoints")["items"], json!([]));
    let refused = graphql(&server, &cookie, COUNT, &json!({})).json();
    let listed = graphql(&server, &cookie, "{ webhooks { _id } }", &json!({})).json();
    assert_eq!(listed["errors"][0]["message"], "Login required", "{listed} {refused}");
    assert_eq!(server.call("GET /api/v1/conversations/2-1", "").status, 200);
    drop(server);
    let session = cookie.split_once('=').unwrap().1;
    let exported = standin_in(folder.path(), &["journal", "export", "standin.db"]);
    for text in [as_text(&folder.path().join("standin.db")), stdout(&exported)] {
        assert!(!text.contains(&token) && !text.contains(session), "a secret is in the journal");
    }
}

#[test]
fn only_the_newest_ended_subscriptions_are_kept() {
    let (folder, receiver) = (TempDir::new().unwrap(), Receiver::accepting());
    let server = Server::start_in(folder.path(), &["--vendor", "erxes"]);
    let cookie = log_in(&server, &user());
    let actions = json!([{"type": "userMessages", "action": "create", "label": "a"}]);
    let add = |server: &Server| {
        let variables = json!({"url": receiver.url(), "actions": actions.clone()});
        graphql(server, &cookie, ADD, &variables).json()["data"]["webhooksAdd"]["_id"].clone()
    };
    let id = add(&server);
    let remove = "mutation($id: String!) { webhooksRemove(_id: $id) }";
    assert_eq!(graphql(&server, &cookie, remove, &json!({"id": id})).status, 200);
    server.process.kill();

    // The same as more than a thousand clients that subscribe and unsubscribe.
    let file = folder.path().join("standin.db.accounts");
    let database = rusqlite::Connection::open(&file).unwrap();
    let copy =
        "WITH RECURSIVE number(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM number WHERE n < 1200)
        INSERT INTO item SELECT account, kind, n, value FROM item, number
        WHERE kind IN ('subscription', 'ended subscription')";
    assert_eq!(database.execute(copy, []).unwrap(), 2 * 1_199);
    drop(database);

    let server = Server::start_in(folder.path(), &["--vendor", "erxes"]);
    assert_eq!(server.get("/api/v1/endpoints")["items"], json!([]));
    add(&server);
    let listed = server.get("/api/v1/endpoints")["items"].clone();
    assert_eq!(listed[0]["number"], 1_201, "numbers are not used again: {listed}");
    server.process.kill();
    let database = rusqlite::Connection::open(&file).unwrap();
    let kept = |kind: &str| -> (i64, i64, i64) {
        let query = "SELECT count(*), min(CAST(key AS INTEGER)), max(CAST(key AS INTEGER))
            FROM item WHERE kind = ?1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        database.query_row(query, [kind], read).unwrap()
    };
    assert_eq!(kept("ended subscription"), (1_000, 201, 1_200));
    assert_eq!(kept("subscription"), (1_001, 201, 1_201));
}

#[test]
fn a_session_and_a_file_survive_a_kill() {
    let folder = TempDir::new().unwrap();
    let server = Server::start_in(folder.path(), &["--vendor", "ebbot"]);
    let json_head = |path: &str, session: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nContent-Type: application/json\r\nAuthorization: Bearer {session}"
        )
    };
    let catalog = crate::support::revisions();
    let platform = catalog.iter().rfind(|known| known.id == "ebbot").unwrap();
    let bot = standin::platform::Account::test(platform).values["bot_id"].clone();
    let body = json!({"botId": bot}).to_string();
    let session =
        request(&api(&server, "ebbot"), &json_head("/api/asyngular/init", ""), &body).json();
    let token = session["data"]["token"].as_str().unwrap().to_owned();
    let presign = |server: &Server| {
        let body = json!({"mimetype": "text/plain", "filename": "note.txt"}).to_string();
        request(&api(server, "ebbot"), &json_head("/api/files/presign-url", &token), &body)
    };
    let link = presign(&server).json()["data"].as_str().unwrap().to_owned();
    let target = link.splitn(4, '/').nth(3).unwrap().to_owned();
    let (file, _) = target.split_once('?').unwrap();
    let head = format!("PUT /{target} HTTP/1.1\r\nContent-Type: text/plain");
    assert_eq!(request(&api(&server, "ebbot"), &head, "the content").status, 200);
    server.process.kill();

    let server = Server::start_in(folder.path(), &["--vendor", "ebbot"]);
    let loaded = request(&api(&server, "ebbot"), &format!("GET /{file} HTTP/1.1"), "");
    assert_eq!((loaded.status, loaded.body.as_str()), (200, "the content"));
    assert!(loaded.head.contains("text/plain"), "{}", loaded.head);
    assert_eq!(presign(&server).status, 200);
    // The link is still valid.
    let head = format!("PUT /{target} HTTP/1.1\r\nContent-Type: text/plain");
    assert_eq!(request(&api(&server, "ebbot"), &head, "another content").status, 200);
    server.process.kill();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let accounts = fs::metadata(folder.path().join("standin.db.accounts")).unwrap();
        assert_eq!(accounts.permissions().mode() & 0o777, 0o600);
    }

    // A new journal does not begin with the sessions of another one.
    for name in ["standin.db", "standin.db-wal", "standin.db-shm"] {
        let _ = fs::remove_file(folder.path().join(name));
    }
    let server = Server::start_in(folder.path(), &["--vendor", "ebbot"]);
    let gone = request(&api(&server, "ebbot"), &format!("GET /{file} HTTP/1.1"), "");
    assert_eq!(gone.status, 403, "a file that never was");
}

#[test]
fn what_one_call_does_in_several_conversations_survives_a_kill() {
    let folder = TempDir::new().unwrap();
    let server = Server::start_in(folder.path(), &["--vendor", "erxes"]);
    let cookie = log_in(&server, &user());
    let ask = |server: &Server, query: &str, variables: Json| {
        let body = graphql(server, &cookie, query, &variables).json();
        assert!(body.get("errors").is_none(), "{query}: {body}");
        body["data"].as_object().unwrap().values().next().unwrap().clone()
    };
    let say = "mutation { widgetsInsertMessage(integrationId: \"x\", visitorId: \"v1\", message: \"Hi\") { conversationId customerId } }";
    let said = ask(&server, say, json!({}));
    let add = "mutation($name: String) { customersAdd(firstName: $name) { _id } }";
    let ada = ask(&server, add, json!({"name": "Ada"}))["_id"].clone();
    // The user is known from another conversation than that of the reply.
    let reply = "mutation($id: String) { conversationMessageAdd(conversationId: $id, content: \"Yes?\") { _id } }";
    ask(&server, reply, json!({"id": said["conversationId"]}));
    let merge = "mutation($ids: [String]) { customersMerge(customerIds: $ids, customerFields: {firstName: \"Ada\"}) { _id } }";
    let merged = ask(&server, merge, json!({"ids": [ada, said["customerId"]]}))["_id"].clone();
    let check = |server: &Server| {
        assert_eq!(ask(server, "{ customers { _id } }", json!({})), json!([{"_id": merged}]));
        let talk = "query($id: String!) { conversationDetail(_id: $id) { customerId messages { content customerId } } }";
        let seen = ask(server, talk, json!({"id": said["conversationId"]}));
        let messages = json!([
            {"content": "Hi", "customerId": merged}, {"content": "<p>Yes?</p>", "customerId": null}
        ]);
        assert_eq!(seen, json!({"customerId": merged, "messages": messages}));
    };
    check(&server);
    server.process.kill();
    let server = Server::start_in(folder.path(), &["--vendor", "erxes"]);
    check(&server);
    assert_eq!(ask(&server, add, json!({"name": "Kim"}))["_id"].as_str().map(str::len), Some(17));
}
