//! The documentation matches the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::support::{
    Background, Receiver, Reply, free_port, path, request, standin, standin_in, stderr, stdout,
    wait_for_events,
};

/// The code blocks between a marker of a document and the next `<!-- end -->`.
fn blocks(document: &str, from: &str) -> Vec<String> {
    let text = fs::read_to_string(path(document)).unwrap();
    let text = text.split(from).nth(1).unwrap().split("<!-- end -->").next().unwrap();
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        match line.strip_prefix("    ") {
            Some(code) => *blocks.last_mut().unwrap() += &format!("{code}\n"),
            None if line.is_empty() => {}
            None => blocks.push(String::new()),
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

#[test]
fn the_smallest_vendor_works_and_every_line_is_required() {
    let blocks = blocks("docs/vendors.md", "<!-- the smallest vendor; a test checks it -->");
    let [vendor, template] = blocks.as_slice() else { panic!("{blocks:?}") };
    let folder = tempfile::tempdir().unwrap();
    let vendor_folder = folder.path().join("acme");
    fs::create_dir(&vendor_folder).unwrap();
    fs::write(vendor_folder.join("message.json"), template).unwrap();
    let check = |vendor: &str| {
        fs::write(vendor_folder.join("vendor.toml"), vendor).unwrap();
        standin_in(folder.path(), &["check", "acme"])
    };
    let output = check(vendor);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let receiver = Receiver::accepting();
    let to = receiver.url();
    let run = ["run", "handover", "--vendor", "acme", "--to", &to, "--templates", "."];
    assert_eq!(standin_in(folder.path(), &run).status.code(), Some(0));
    assert_eq!(receiver.requests()[0].json()["type"], "message");
    for required in ["id ", "name ", "json ", "success ", "redirects", "timeout", "kind ="] {
        let without: Vec<&str> =
            vendor.lines().filter(|line| !line.starts_with(required)).collect();
        assert_eq!(check(&without.join("\n")).status.code(), Some(2), "without {required}");
    }
}

/// Writes the smallest vendor with the small API of the document.
fn write_vendor_with_api(folder: &Path) {
    let vendor = blocks("docs/vendors.md", "<!-- the smallest vendor; a test checks it -->");
    let api = blocks("docs/vendors.md", "<!-- a small API; a test checks it -->");
    let ([vendor, template], [api]) = (vendor.as_slice(), api.as_slice()) else {
        panic!("{vendor:?} {api:?}")
    };
    let vendor_folder = folder.join("acme");
    fs::create_dir(&vendor_folder).unwrap();
    let files = [("message.json", template), ("vendor.toml", vendor), ("api.toml", api)];
    for (name, text) in files {
        fs::write(vendor_folder.join(name), text).unwrap();
    }
}

/// The story of the tests of the small API. Its calls come from outside.
const STORY: &str = "name = 'calls'\n\
    [[step]]\nexpect = { call = 'open_conversation', within = '60s' }\n\
    [[step]]\nexpect = { call = 'send_message', within = '60s' }\n\
    [[step]]\nsay = { by = 'bot', text = 'Goodbye' }\n\
    [[step]]\nexpect = { call = 'reopen', within = '60s' }\n";

#[test]
fn the_small_api_works() {
    let folder = tempfile::tempdir().unwrap();
    write_vendor_with_api(folder.path());
    let output = standin_in(folder.path(), &["check", "acme"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    fs::write(folder.path().join("story.toml"), STORY).unwrap();
    let secrets = ["secrets", "acme", "--env", "--templates", "."];
    let secrets = stdout(&standin_in(folder.path(), &secrets));
    let token = secrets.lines().find_map(|line| line.strip_prefix("ACME_API_TOKEN=")).unwrap();
    let receiver = Receiver::accepting();
    let to = receiver.url();
    let arguments =
        ["run", "story.toml", "--vendor", "acme", "--templates", ".", "--to", &to, "--listen"];
    let mut run = Background::start(folder.path(), &arguments);
    let told = run.read_stderr_until("API: http://");
    let address = told.rsplit("http://").next().unwrap().trim().to_owned();
    let call = |line: &str, body: Json| {
        let head = format!("{line} HTTP/1.1\r\nAuthorization: Bearer {token}");
        request(&address, &head, &body.to_string())
    };
    let without = request(&address, "POST /conversations HTTP/1.1", "{}");
    assert_eq!(without.status, 401, "{without:?}");
    let unknown = call("GET /nowhere", Json::Null);
    assert_eq!(unknown.status, 404, "{unknown:?}");
    assert!(unknown.json()["request"].is_string(), "a call without a route has no id: {unknown:?}");
    let opened = call("POST /conversations", json!({"visitor": "ada-7", "text": "Hello"}));
    assert_eq!(opened.status, 201, "{opened:?}");
    let conversation = opened.json()["conversation"].as_str().unwrap().to_owned();
    let messages = format!("POST /conversations/{conversation}/messages");
    let said = json!({"agent": "grace@example.test", "text": "Hi!"});
    assert_eq!(call(&messages, said.clone()).status, 201);
    assert_eq!(call(&messages, json!({"agent": "grace@example.test"})).status, 400);
    wait_for_events(&receiver, 3); // the script speaks before the conversation is closed
    let change = format!("PATCH /conversations/{conversation}");
    let closed = call(&change, json!({"state": "closed"}));
    assert_eq!((closed.status, &closed.json()["state"]), (200, &json!("closed")));
    assert_eq!(call(&messages, said).status, 400, "the conversation is closed");
    assert_eq!(call(&change, json!({"state": "snoozed"})).status, 400);
    assert_eq!(call(&change, json!({"state": "open"})).json()["state"], "open");
    let ended = run.wait();
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let texts: Vec<Json> =
        receiver.requests().iter().map(|request| request.json()["text"].clone()).collect();
    assert_eq!(texts, ["Hello", "Hi!", "Goodbye"]);
}

#[test]
fn the_bot_of_the_small_api_responds() {
    let folder = tempfile::tempdir().unwrap();
    write_vendor_with_api(folder.path());
    let story = "name = 'echo'\n[[step]]\nopen = {}\n\
                 [[step]]\nsay = { by = 'visitor', text = 'Hello' }\n\
                 [[step]]\nexpect = { call = 'send_message', match = { text = 'You said: Hello' }, within = '60s' }\n";
    fs::write(folder.path().join("story.toml"), story).unwrap();
    let port = free_port();
    let program = env!("CARGO_BIN_EXE_standin");
    let bot = format!("exec {program} --templates . listen acme --echo --port {port}");
    let to = format!("http://127.0.0.1:{port}/");
    let arguments = ["run", "story.toml", "--vendor", "acme", "--templates", ".", "--to", &to];
    let arguments = [&arguments[..], &["--listen", "--exec", &bot]].concat();
    let output = standin_in(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
}

#[test]
fn every_kind_of_record_and_every_key_is_documented() {
    let document = fs::read_to_string(path("docs/json.md")).unwrap();
    let mut names = BTreeSet::new();
    let receiver = Receiver::responding(|_, _| Reply::Status(500, String::new()));
    for (vendor, story) in [("erxes", "handover"), ("wotnot", "handover"), ("ebbot", "attachments")]
    {
        let to = receiver.url();
        let run = ["run", story, "--vendor", vendor, "--to", &to, "--json", "--events", "*"];
        for line in stdout(&standin(&run)).lines() {
            let record: Json = serde_json::from_str(line).unwrap();
            names.insert(record["kind"].as_str().unwrap().to_owned());
            let data = record["data"].as_object().unwrap();
            names.extend(record.as_object().unwrap().keys().chain(data.keys()).cloned());
            let inner = ["result", "files"].iter().filter_map(|key| data.get(*key)?.as_object());
            names.extend(inner.flat_map(|inner| inner.keys().cloned()));
        }
    }
    assert!(names.len() > 40, "{names:?}");
    let missing: Vec<&String> =
        names.iter().filter(|name| !document.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/json.md lacks {missing:?}");
}
