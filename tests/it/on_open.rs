//! Scenarios of conversations that clients open at `standin serve`: `on_open` of the configuration.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::support::{ApiResponse, Server, request, standin, standin_in, stderr, stdout};

const BOT: &str = r#"
[cast.helper]
role = "bot"

[[step]]
expect = { call = "open_conversation", within = "5s" }

[[step]]
say = { by = "helper", text = "How can I help?" }
"#;

/// A folder with a configuration in which these vendors play `bot.toml`.
fn folder(vendors: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("bot.toml"), BOT).unwrap();
    let settings = vendors.iter().map(|id| format!("[vendor.{id}]\non_open = \"bot.toml\"\n"));
    fs::write(folder.path().join("standin.toml"), settings.collect::<String>()).unwrap();
    folder
}

fn start(folder: &Path, vendors: &str) -> Server {
    Server::start_in(folder, &["--no-journal", "--vendor", vendors])
}

/// A client program of a vendor.
struct Client {
    api: String,
    /// The curl command that `standin vendors --api` prints for an operation.
    curl: String,
}

impl Client {
    fn new(server: &Server, vendor: &str, operation: &str) -> Self {
        let listed = server.get("/api/v1/vendors");
        let mut vendors = listed["items"].as_array().unwrap().iter();
        let api = vendors.find(|one| one["id"] == vendor).unwrap()["api"].clone();
        let api = api.as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
        let printed = stdout(&standin(&["vendors", vendor, "--api"]));
        let start = printed.find(&format!("\n  {operation} (")).unwrap();
        let curl = printed[start..].lines().find(|line| line.contains("curl")).unwrap().to_owned();
        Self { api, curl }
    }

    /// The value of a header in the printed command.
    fn header(&self, name: &str) -> String {
        let (_, value) = self.curl.split_once(&format!("'{name}: ")).unwrap();
        value.split('\'').next().unwrap().to_owned()
    }

    fn post(&self, path: &str, headers: &[&str], body: &Json) -> ApiResponse {
        let mut head = format!("POST {path} HTTP/1.1\r\nContent-Type: application/json");
        for name in headers {
            head += &format!("\r\n{name}: {}", self.header(name));
        }
        request(&self.api, &head, &body.to_string())
    }

    /// Opens a conversation at `WotNot`. Returns its id there.
    fn open_at_wotnot(&self, visitor: &str) -> String {
        let message = json!({"type": "text", "data": {"body": "first"}});
        let from = json!({"user_external_id": visitor, "type": "VISITOR"});
        let body = json!({"channel": "API", "message": message, "from": from});
        let opened = self.post("/api/v1/conversations", &["Authorization"], &body);
        assert_eq!(opened.status, 200, "{}", opened.body);
        let opened: Json = serde_json::from_str(&opened.body).unwrap();
        opened["conversation"]["id"].as_str().unwrap().to_owned()
    }
}

/// The texts of all conversations, as soon as there are `count` in all, sorted.
fn conversations(server: &Server, count: usize) -> Vec<Vec<String>> {
    let read = || {
        let listed = server.get("/api/v1/conversations")["items"].clone();
        let texts = listed.as_array().unwrap().iter().map(|one| {
            let id = one["id"].as_str().unwrap();
            let detail = server.get(&format!("/api/v1/conversations/{id}"));
            let messages = detail["messages"].as_array().unwrap().iter();
            messages.map(|message| message["text"].as_str().unwrap().to_owned()).collect()
        });
        let mut texts: Vec<Vec<String>> = texts.collect();
        texts.sort();
        texts
    };
    for _ in 0..200 {
        let texts = read();
        if texts.iter().map(Vec::len).sum::<usize>() == count {
            return texts;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("{:?}", read());
}

#[test]
fn each_conversation_of_a_client_plays_the_scenario_in_a_run_of_its_own() {
    let folder = folder(&["wotnot"]);
    let server = start(folder.path(), "wotnot");
    let client = Client::new(&server, "wotnot", "open_by_visitor");
    // At the same time: none of them takes the script of another one.
    thread::scope(|scope| {
        for number in 1..=4 {
            let client = &client;
            scope.spawn(move || client.open_at_wotnot(&format!("visitor-{number}")));
        }
    });
    let texts = conversations(&server, 8);
    assert_eq!(texts, vec![["first", "How can I help?"]; 4]);
    for _ in 0..100 {
        if server.get("/api/v1/runs").to_string().matches("\"verdict\":\"passed\"").count() == 4 {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    let runs = server.get("/api/v1/runs")["items"].clone();
    let runs = runs.as_array().unwrap();
    let of_bot = runs.iter().filter(|run| run["scenario"] == "bot.toml");
    let verdicts: Vec<&Json> = of_bot.map(|run| &run["result"]["verdict"]).collect();
    assert_eq!(verdicts, ["passed"; 4], "{runs:?}");

    // The client goes on after the script has ended.
    let id = client.open_at_wotnot("visitor-5");
    conversations(&server, 10);
    let body = json!({
        "message": {"type": "text", "data": {"body": "more"}}, "user": {"type": "VISITOR"}
    });
    let path = format!("/api/v1/conversation/{id}/messages");
    assert_eq!(client.post(&path, &["Authorization"], &body).status, 200);
    conversations(&server, 11);

    // A run that expects the call comes first.
    let waiting = BOT.replace("How can I help?", "I have waited for you.");
    server.run(&json!({"vendor": "wotnot", "source": waiting, "clock": "real"}));
    client.open_at_wotnot("visitor-6");
    let texts = conversations(&server, 13);
    let texts: Vec<&String> = texts.iter().filter_map(|texts| texts.get(1)).collect();
    assert_eq!(texts.iter().filter(|text| text.contains("waited")).count(), 1, "{texts:?}");

    // Another version is used from the next conversation on.
    fs::write(folder.path().join("bot.toml"), BOT.replace("How can", "What can")).unwrap();
    for _ in 0..200 {
        if server.call("GET /api/v1/scenarios/bot.toml", "").body.contains("What can") {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    client.open_at_wotnot("visitor-7");
    let texts = conversations(&server, 15);
    assert!(texts.contains(&vec!["first".to_owned(), "What can I help?".to_owned()]), "{texts:?}");
}

#[test]
fn a_request_with_several_parts_plays_the_scenario_once() {
    let folder = folder(&["liveperson", "erxes"]);
    let server = start(folder.path(), "liveperson,erxes");
    let client = Client::new(&server, "liveperson", "request_conversation");
    let (_, account) = client.curl.split_once("/api/account/").unwrap();
    let account = account.split('/').next().unwrap();
    let profile = json!({
        "kind": "req", "id": "1,", "type": "userprofile.SetUserProfile", "body": {"firstName": "Ada"}
    });
    let open = json!({
        "kind": "req", "id": "2,", "type": "cm.ConsumerRequestConversation",
        "body": {"brandId": account}
    });
    let path = format!("/api/account/{account}/messaging/consumer/conversation?v=3");
    let headers = ["Authorization", "X-LP-ON-BEHALF"];
    let opened = client.post(&path, &headers, &json!([profile, open]));
    assert_eq!(opened.status, 200, "{}", opened.body);
    assert_eq!(conversations(&server, 1), [["How can I help?"]]);

    let client = Client::new(&server, "erxes", "widget_first_message");
    let (_, integration) = client.curl.split_once("integrationId").unwrap();
    let mut integration = integration.split(|c: char| !c.is_ascii_alphanumeric());
    let integration = integration.find(|part| !part.is_empty()).unwrap();
    let field = |name: &str, visitor: &str| {
        format!(
            "{name}: widgetsInsertMessage(integrationId: \"{integration}\", visitorId: \"{visitor}\", message: \"{name}\") {{ _id }} "
        )
    };
    let query = format!("mutation {{ {}{} }}", field("a", "v1"), field("b", "v2"));
    let opened = client.post("/graphql", &[], &json!({"query": query}));
    assert!(opened.status == 200 && !opened.body.contains("errors"), "{}", opened.body);
    let texts = conversations(&server, 5);
    assert_eq!(texts[1..], [["a", "How can I help?"], ["b", "How can I help?"]]);
}

#[test]
fn a_scenario_of_the_emulated_revision_does_not_prevent_a_reload() {
    let folder = folder(&["liveperson"]);
    let scenario = format!("vendors = [\"liveperson@2022\"]\n{BOT}");
    fs::write(folder.path().join("bot.toml"), scenario).unwrap();
    let mut server = start(folder.path(), "liveperson@2022");
    let file = folder.path().join("standin.toml");
    let settings = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("seed = 5\n{settings}")).unwrap();
    // The message that the previous version stays active has these words too.
    let told = server.process.read_stderr_until("the configuration and");
    assert!(told.contains("reloaded"), "{told}");
}

#[test]
fn a_scenario_that_cannot_be_played_is_reported_at_its_name() {
    let folder = folder(&["wotnot"]);
    let path = folder.path();
    let problem = |settings: &str| {
        fs::write(path.join("standin.toml"), settings).unwrap();
        let vendors = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vendors");
        let checked = standin_in(path, &["check", "standin.toml", "--templates", vendors]);
        assert_eq!(checked.status.code(), Some(2), "{}", stderr(&checked));
        let serve = ["serve", "--no-journal", "--port", "0", "--templates", vendors];
        let served = standin_in(path, &serve);
        assert_eq!(served.status.code(), Some(2), "{}", stderr(&served));
        let told = stderr(&served);
        assert!(told.contains("standin.toml:2:"), "{told}");
        let first = told.lines().find(|line| line.contains("error")).unwrap();
        assert!(stderr(&checked).contains(first), "{} {told}", stderr(&checked));
        told
    };
    let told = problem("[vendor.wotnot]\non_open = \"handover\"\n");
    assert!(told.contains("`handover` does not wait for a client"), "{told}");
    assert!(told.contains("expect = { call = \"open_conversation\" }"), "{told}");
    let told = problem("[vendor.till]\non_open = \"bot.toml\"\n");
    assert!(told.contains("clients of till open no conversations"), "{told}");
    let told = problem("[vendor.wotnot]\non_open = \"conector\"\n");
    assert!(told.contains("connector"), "{told}");
    let told = problem("[vendor.wotnot]\non_open = \"connector\"\n");
    assert!(told.contains("its `vendors` does not list it"), "{told}");
    // The path is relative to the configuration.
    fs::write(path.join("standin.toml"), "[vendor.wotnot]\non_open = \"bot.toml\"\n").unwrap();
    let file = path.join("standin.toml");
    let checked = standin_in(path.parent().unwrap(), &["check", file.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
}
