//! Malformed calls, made by Schemathesis from the `OpenAPI` description of each API: a property-based test.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value as Json, json};
use standin::emulator::describe_api;

use crate::support::{LiveApi, Receiver, Server, free_port, request};

/// Operations whose responses Schemathesis checks.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance";

/// The valid values of the credentials of an API, by name.
fn credentials(api: &LiveApi) -> Vec<(&'static str, String)> {
    let account = &api.account.values;
    let post = |path: &str, header: &str, body: &Json| {
        let head = format!("POST {path} HTTP/1.1\r\nContent-Type: application/json{header}");
        request(&api.address, &head, &body.to_string()).json()
    };
    let token = |json: &Json, key: &str| json[key].as_str().unwrap().to_owned();
    match api.account.platform.id.as_str() {
        "liveperson" => {
            let id = account["id"].as_str().unwrap();
            let (client, secret) = (&account["client_id"], api.secret("client_secret"));
            let password = api.secret("user_password");
            let app =
                format!("/sentinel/api/account/{id}/app/token?v=1.0&grant_type=client_credentials");
            let app = post(&app, "", &json!({"client_id": client, "client_secret": secret}));
            let app = token(&app, "access_token");
            let header = format!("\r\nAuthorization: {app}");
            let consumer = format!("/api/account/{id}/consumer");
            let consumer = post(&consumer, &header, &json!({"ext_consumer_id": "fuzzer"}));
            let agent = json!({"username": account["user_name"], "password": password});
            let agent = post(&format!("/api/account/{id}/login"), "", &agent);
            vec![
                ("app_jwt", app),
                ("consumer_jws", token(&consumer, "token")),
                ("agent_bearer", token(&agent, "bearer")),
                ("app_secret", secret.to_owned()),
                ("agent_login", password.to_owned()),
            ]
        }
        "parlour" => vec![
            ("door", api.secret("door").to_owned()),
            ("guest", api.secret("token").to_owned()),
            ("hint", account["house"].as_str().unwrap().to_owned()),
        ],
        "ebbot" => {
            let session = post("/api/asyngular/init", "", &json!({"botId": account["bot_id"]}));
            let session = session["data"]["token"].as_str().unwrap().to_owned();
            vec![("session", session), ("api_key", api.secret("api_key").to_owned())]
        }
        _ => vec![("token", api.secret("api_token").to_owned())],
    }
}

/// Runs Schemathesis against the API of a vendor.
fn fuzz(program: &str, vendor: &str) {
    let receiver = Receiver::accepting();
    let api = LiveApi::start(vendor, &receiver);
    let url = format!("http://{}", api.address);
    let folder = tempfile::tempdir().unwrap();
    let described = describe_api(&api.account, &url);
    fs::write(folder.path().join("api.json"), described.to_string()).unwrap();
    let schemes = &described["components"]["securitySchemes"];
    let mut config = String::new();
    for (name, value) in credentials(&api) {
        let key = if schemes[name]["type"] == "http" { "bearer" } else { "api_key" };
        writeln!(config, "[auth.openapi.{name}]\n{key} = {}", json!(value)).unwrap();
    }
    fs::write(folder.path().join("schemathesis.toml"), config).unwrap();
    // A limit that hangs is no response that could be checked.
    let hangs = ["--exclude-path-regex", "/company_chats"];
    let more = if vendor == "ebbot" { &hangs[..] } else { &[] };
    run(program, &url, folder.path(), more);
}

/// Runs Schemathesis with the description `api.json` in a folder.
fn run(program: &str, url: &str, folder: &Path, more: &[&str]) {
    let seed = env::var("STANDIN_FUZZ_SEED").unwrap_or_else(|_| "1".to_owned());
    let arguments = [
        "run",
        "api.json",
        "--url",
        url,
        "--checks",
        CHECKS,
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        "30",
        "--seed",
        &seed,
        "--no-color",
        "--warnings",
        "off",
    ];
    let output =
        Command::new(program).args(arguments).args(more).current_dir(folder).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "seed {seed}:\n{told}");
    assert!(told.contains("Test cases:"), "{told}");
}

#[test]
#[ignore = "requires Schemathesis, whose program STANDIN_SCHEMATHESIS names"]
fn schemathesis_finds_no_response_that_the_description_lacks() {
    let program = env::var("STANDIN_SCHEMATHESIS").unwrap();
    for vendor in ["wotnot", "swiftsell", "liveperson", "ebbot", "parlour"] {
        fuzz(&program, vendor);
    }
}

/// Values of the scalars that erxes adds to those of GraphQL.
const SCALARS: &str = "import schemathesis\n\
    from hypothesis import strategies as st\n\
    from hypothesis_graphql import nodes\n\
    for name in ('JSON', 'Date'):\n    schemathesis.graphql.scalar(name, st.text().map(nodes.String))\n";

#[test]
#[ignore = "requires Schemathesis, whose program STANDIN_SCHEMATHESIS names"]
fn schemathesis_finds_no_failure_of_graphql() {
    let program = env::var("STANDIN_SCHEMATHESIS").unwrap();
    let seed = env::var("STANDIN_FUZZ_SEED").unwrap_or_else(|_| "1".to_owned());
    for vendor in ["erxes@0.23", "erxes@2"] {
        let receiver = Receiver::accepting();
        let api = LiveApi::start(vendor, &receiver);
        let header = match api.account.secrets.get("app_token") {
            Some(token) => format!("erxes-app-token: {}", token.expose()),
            None => format!("Cookie: auth-token={}", erxes_cookie(&api)),
        };
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("scalars.py"), SCALARS).unwrap();
        let url = format!("http://{}/graphql", api.address);
        let output = Command::new(&program)
            .args(["run", &url, "--no-color", "--warnings", "off", "--header", &header])
            // An error of a field is a response like others. The statuses are checked below.
            .args(["--checks", "content_type_conformance", "--max-response-time", "10"])
            .args(["--max-examples", "5", "--seed", &seed, "--exclude-name", "Mutation.logout"])
            .env("SCHEMATHESIS_HOOKS", "scalars.py")
            .current_dir(folder.path())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{vendor}, seed {seed}:\n{told}");
        assert!(told.contains("Test cases:"), "{told}");
        let calls = api.calls(100);
        assert!(calls.iter().any(|call| call.error.is_none() && call.acts), "nothing succeeded");
        let failed: Vec<_> = calls.iter().filter(|call| call.status >= 500).collect();
        assert!(failed.is_empty(), "{vendor}, seed {seed}: {failed:?}");
    }
}

/// Logs in, and returns the token of the cookie.
fn erxes_cookie(api: &LiveApi) -> String {
    let email = api.account.values["user_email"].as_str().unwrap();
    let password = api.secret("password");
    let query = format!("mutation {{ login(email: \"{email}\", password: \"{password}\") }}");
    let head = "POST /graphql HTTP/1.1\r\nContent-Type: application/json";
    let response = request(&api.address, head, &json!({"query": query}).to_string());
    let (_, cookie) = response.head.split_once("auth-token=").unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

#[test]
#[ignore = "requires Schemathesis, whose program STANDIN_SCHEMATHESIS names"]
fn schemathesis_finds_nothing_in_the_control_api() {
    let program = env::var("STANDIN_SCHEMATHESIS").unwrap();
    // Another server of this machine may serve files at the default port.
    let port = free_port().to_string();
    let server = Server::start(&["--files-port", &port]);
    // So that the numbers 1 and 1-1 mean something.
    let first = json!({"vendor": "ebbot", "scenario": "handover", "clock": "virtual"});
    server.ended(server.run(&first));
    let folder = tempfile::tempdir().unwrap();
    let described = server.get("/api/openapi.json");
    fs::write(folder.path().join("api.json"), described.to_string()).unwrap();
    let authorization = format!("Authorization: Bearer {}", server.token);
    // A request can wait for a minute, and a stream does not end.
    fs::write(folder.path().join("schemathesis.toml"), "[parameters]\n\"query.wait\" = 1\n")
        .unwrap();
    let more = ["--header", &authorization, "--exclude-path", "/api/v1/records/stream"];
    run(&program, &format!("http://{}", server.address), folder.path(), &more);
    assert_eq!(server.request("GET /readyz", "", "").status, 200);
}
