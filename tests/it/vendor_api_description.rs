//! What describes the APIs of vendors agrees with them: documents, examples and credentials.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};
use standin::base::clock::Clock;
use standin::emulator::{check_examples, describe_api, examples};
use standin::platform::Account;
use standin::platform::api::CallBody;

use crate::support::{
    LiveApi, Receiver, configured, request, revisions, standin_in, stderr, stdout,
};

#[test]
fn every_kind_of_credential_is_verified() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("parlour", &receiver);
    let house = api.account.values["house"].as_str().unwrap().to_owned();
    let door = api.secret("door").to_owned();
    let post = |target: &str, headers: &str, body: &str| {
        request(&api.address, &format!("POST {target} HTTP/1.1{headers}"), body)
    };
    // Parameters of the query and the body together.
    let gate = |query: &str, body: &str| post(&format!("/{house}/in?polite=yes{query}"), "", body);
    let riddle = format!("question={house}&answer={door}");
    assert_eq!(post(&format!("/{house}/in?{riddle}"), "", "").status, 404, "not polite");
    assert_eq!(post(&format!("/{house}/out?polite=yes&{riddle}"), "", "").status, 404);
    assert_eq!(gate("", "").json()["error"], "missing.riddle");
    assert_eq!(gate(&format!("&question={house}"), "answer=xy").json()["error"], "invalid.riddle");
    let json = json!({"question": house, "answer": door, "guest": "g7"}).to_string();
    let mixed = format!("&question={house}");
    assert_eq!(gate(&mixed, &format!("answer={door}")).json()["guest"], "nobody");
    assert_eq!(gate(&format!("&{riddle}"), "").json()["way"], "in");
    let entered = gate("", &json).json();
    assert_eq!(entered["guest"], "g7");
    assert!(entered["left"].as_i64().unwrap() <= 2, "{entered}");
    let pass = entered["pass"].as_str().unwrap().to_owned();

    // User and password, or anything after another scheme.
    let stamps = format!("/{house}/stamps");
    let basic = |user: &str| BASE64.encode(format!("{user}:{door}"));
    let stamp = |scheme: &str, value: &str| {
        post(&stamps, &format!("\r\nAuthorization: {scheme} {value}"), "")
    };
    assert_eq!(post(&stamps, "", "").json()["error"], "missing.porter");
    assert_eq!(stamp("Basic", &basic("butler")).json()["error"], "invalid.porter");
    assert_eq!(stamp("Bow", "deep").json()["error"], "invalid.porter");
    assert_eq!(stamp("Nod", "canary-nobody-checks").status, 200);
    let stamped = stamp("basic", &basic("porter")).json()["stamp"].as_str().unwrap().to_owned();

    // Tokens: made up, of another account, revoked, expired.
    let room = |method: &str, pass: &str, stamp: &str| {
        let target = format!("/{house}/cloakroom?stamp={stamp}");
        request(&api.address, &format!("{method} {target} HTTP/1.1\r\nX-Pass: {pass}"), "").json()
    };
    assert_eq!(room("GET", &pass, &stamped), json!({"guest": "g7"}));
    let errand = |scheme: &str| {
        let head = format!("GET /{house}/errand HTTP/1.1\r\nAuthorization: {scheme}{pass}");
        request(&api.address, &head, "")
    };
    assert_eq!(errand("Page ").body, "for g7");
    assert_eq!(errand("").json()["error"], "invalid.page");
    assert_eq!(room("GET", &pass, "")["error"], "missing.stamp");
    assert_eq!(room("GET", &pass, "canary-made-up")["error"], "invalid.stamp");
    assert_eq!(room("GET", "canary.made.up", &stamped)["error"], "invalid.pass");
    assert_eq!(room("DELETE", &pass, &stamped), json!({}));
    assert_eq!(room("GET", &pass, &stamped)["error"], "invalid.pass");
    let again = gate("", &json).json();
    let pass = again["pass"].as_str().unwrap();
    assert_eq!(room("GET", pass, &stamped)["error"], "invalid.stamp");
    std::thread::sleep(Duration::from_millis(2_100));
    assert_eq!(room("GET", pass, &stamped)["error"], "expired.pass");

    let calls = api.calls(20);
    let auth = |index: usize| calls[index].auth.as_str();
    assert_eq!(
        [auth(2), auth(3), auth(4), auth(10)],
        ["missing", "invalid", "valid", "not_verified"]
    );
    for record in &*api.records.lock().unwrap() {
        let text = serde_json::to_string(&**record).unwrap();
        for secret in [pass, &stamped, &door, &basic("porter"), "canary", "answer=xy"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[test]
fn the_examples_of_every_vendor_succeed() {
    let mut checked = 0;
    for platform in revisions() {
        let account = Arc::new(Account::test(&platform));
        let problems = check_examples(&account);
        assert!(problems.is_empty(), "{problems:?}");
        for example in examples(&account, Clock::System.now()) {
            checked += 1;
            assert!(matches!(example.call.body, CallBody::Whole(_)), "{}", example.operation);
        }
    }
    assert!(checked > 40, "{checked}");
}

/// The pointers to all values inside a document.
fn pointers(json: &Json, prefix: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Json)> = match json {
        Json::Object(table) => table.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Json::Array(items) => items.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
        _ => Vec::new(),
    };
    for (key, value) in children {
        let pointer = format!("{prefix}/{}", key.replace('~', "~0").replace('/', "~1"));
        pointers(value, &pointer, found);
        found.push(pointer);
    }
}

/// The document with another value at each of its places.
fn malformed(json: &Json) -> Vec<Json> {
    let mut places = vec![String::new()];
    pointers(json, "", &mut places);
    let values = [
        json!(null),
        json!(true),
        json!(-1.5e300),
        json!(""),
        json!("${secret.token} \u{0}\u{202e}"),
        json!([[], {}, null]),
        json!({"": {"a": [1]}}),
    ];
    let with = |place: &String, value: &Json| {
        let mut changed = json.clone();
        *changed.pointer_mut(place).unwrap() = value.clone();
        changed
    };
    places.iter().flat_map(|place| values.iter().map(|value| with(place, value))).collect()
}

#[test]
fn malformed_calls_get_a_response_that_the_description_of_the_api_has() {
    for vendor in ["wotnot", "parlour", "liveperson"] {
        let receiver = Receiver::accepting();
        let api = LiveApi::start(vendor, &receiver);
        let description = describe_api(&api.account, "http://127.0.0.1");
        let paths = description["paths"].as_object().unwrap();
        let mut sent = 0;
        for example in examples(&api.account, Clock::System.now()) {
            let CallBody::Whole(body) = &example.call.body else { panic!("no body") };
            let Ok(body) = serde_json::from_slice::<Json>(body) else { continue };
            let parts: Vec<&str> = example.call.path.split('/').collect();
            let is_path = |path: &&String| {
                let known: Vec<&str> = path.split('/').collect();
                let is_same = |(a, b): (&&str, &&str)| a == b || a.starts_with('{');
                known.len() == parts.len() && known.iter().zip(&parts).all(is_same)
            };
            let method = example.call.method.to_lowercase();
            let path = paths.keys().find(is_path).unwrap();
            let responses = &description["paths"][path][&method]["responses"];
            let mut headers = String::new();
            for (name, value) in &example.call.headers {
                headers += &format!("\r\n{name}: {value}");
            }
            let (method, path, query) =
                (&example.call.method, &example.call.path, &example.call.query);
            let head = format!("{method} {path}?{query} HTTP/1.1{headers}");
            for body in malformed(&body) {
                sent += 1;
                let response = request(&api.address, &head, &body.to_string());
                let status = response.status.to_string();
                assert!(responses.get(&status).is_some(), "{head}\n{body}\n{response:?}");
            }
        }
        assert!(sent > 200, "{sent}");
    }
}

#[test]
fn commands_describe_the_api_and_show_no_configured_credential() {
    let config = "[vendor.wotnot]\nport = 8123\nsecret.api_token = 'file:token.txt'\n";
    let folder = configured(config);
    std::fs::write(folder.path().join("token.txt"), "canary-of-the-operator").unwrap();
    let run = |arguments: &[&str]| {
        let output = standin_in(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let text = stdout(&output);
        assert!(!text.contains("canary"), "{text}");
        text
    };
    let operations = run(&["vendors", "wotnot", "--api"]);
    assert!(operations.contains("agent_text (send_message), documented"), "{operations}");
    assert!(operations.contains("http://127.0.0.1:8123/api/v1/conversation/"), "{operations}");
    assert!(operations.contains("Bearer ${secret.api_token}"), "{operations}");
    let description: Json = serde_json::from_str(&run(&["schema", "api", "wotnot"])).unwrap();
    let bots = &description["paths"]["/v1/accounts/{account}/bots"]["get"];
    assert_eq!(bots["parameters"][0]["name"], "account");
    assert_eq!(bots["security"], json!([{"token": []}]));
    assert!(run(&["secrets", "wotnot"]).contains("vendors wotnot --api"));
    // A vendor without an API.
    let more = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vendors");
    for arguments in [["vendors", "till", "--api"], ["schema", "api", "till"]] {
        let arguments = [&["--templates", more], &arguments[..]].concat();
        let output = standin_in(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            stderr(&output).contains(
                "vendors with an API: ebbot, erxes, liveperson, office, parlour, replycx"
            ),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn routes_with_the_same_path_and_method_are_one_operation_of_the_description() {
    let platform = revisions().into_iter().find(|known| known.full_id() == "parlour").unwrap();
    let described = describe_api(&Arc::new(Account::test(&platform)), "http://127.0.0.1:1");
    let salon = &described["paths"]["/{house}/salon"]["get"];
    assert_eq!(salon["summary"], "salon, dance");
    let parameters = salon["parameters"].as_array().unwrap();
    let dance = parameters.iter().find(|parameter| parameter["name"] == "dance").unwrap();
    assert_eq!(dance["required"], false);
    assert_eq!(parameters.iter().filter(|parameter| parameter["name"] == "house").count(), 1);
}

#[test]
fn a_status_of_the_description_names_all_its_conditions() {
    let platform = revisions().into_iter().find(|known| known.full_id() == "wotnot").unwrap();
    let described = describe_api(&Arc::new(Account::test(&platform)), "http://127.0.0.1:1");
    let operation = &described["paths"]["/api/v1/conversations"]["post"];
    let invalid = operation["responses"]["400"]["description"].as_str().unwrap();
    for condition in ["bad_body", "missing_field", "refused"] {
        assert!(invalid.contains(condition), "{invalid}");
    }
}
