//! `listen --echo`: the bundled receiver plays a bot that responds through the vendor's API.

use std::fs;
use std::path::Path;

use crate::support::{Background, code, free_port, path, standin, standin_in, stderr, stdout};

/// Runs a scenario with the bot as its receiver. Returns the output of both.
fn run_with_bot(folder: &Path, scenario: &str, options: &[&str], vendor: &str) -> (i32, String) {
    let port = free_port();
    let program = env!("CARGO_BIN_EXE_standin");
    let templates = path("tests/vendors").display().to_string();
    let command =
        format!("exec {program} --templates '{templates}' listen {vendor} --port {port} --echo");
    let url = format!("http://127.0.0.1:{port}/");
    let fixed = [
        "--templates",
        &templates,
        "run",
        scenario,
        "--vendor",
        vendor,
        "--to",
        &url,
        "--listen",
        "--exec",
        &command,
    ];
    let arguments = [&fixed[..], options].concat();
    let output = standin_in(folder, &arguments);
    (code(&output), stdout(&output) + &stderr(&output))
}

#[test]
fn a_bot_answers_assigns_and_closes() {
    let folder = tempfile::tempdir().unwrap();
    let (exit, told) = run_with_bot(folder.path(), "handback", &[], "wotnot");
    assert_eq!(exit, 0, "{told}");
    assert!(told.contains("3 of 3 expectations met"), "{told}");
    assert!(told.contains("“You said: Good morning!”"), "{told}");
    for operation in ["agent_text", "assign_user", "close"] {
        assert!(told.contains(&format!("bot: ✓ {operation}, status 200")), "{told}");
    }
    assert!(!told.contains("You said: You said"), "the bot answers itself: {told}");
}

#[test]
fn a_bot_of_another_account_logs_in_and_opens_a_conversation() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["--account", "ci-7"];
    let (exit, told) = run_with_bot(folder.path(), "connector", &options, "liveperson");
    assert_eq!(exit, 0, "{told}");
    assert!(told.contains("4 of 4 expectations met"), "{told}");
    assert!(told.contains("bot: ✓ request_conversation, status 200"), "{told}");
    assert!(!told.contains("You said: You said"), "the bot answers itself: {told}");
}

#[test]
fn a_bot_logs_in_with_a_cookie_and_answers_in_an_inbox() {
    let folder = tempfile::tempdir().unwrap();
    for (vendor, logs_in) in [("erxes@0.23", true), ("erxes@2", false)] {
        let (exit, told) = run_with_bot(folder.path(), "helpdesk", &[], vendor);
        assert_eq!(exit, 0, "{told}");
        assert_eq!(told.contains("bot: ✓ login, status 200"), logs_in, "{told}");
        assert!(told.contains("bot: ✓ conversations_close, status 200"), "{told}");
        assert!(!told.contains("You said: You said"), "the bot answers itself: {told}");
    }
}

#[test]
fn a_bot_writes_through_an_incoming_webhook() {
    let folder = tempfile::tempdir().unwrap();
    let (exit, told) = run_with_bot(folder.path(), "widget", &[], "ebbot");
    assert_eq!(exit, 0, "{told}");
    assert!(told.contains("bot: ✓ incoming_text, status 200"), "{told}");
    assert!(!told.contains("You said: You said"), "the bot answers itself: {told}");
}

#[test]
fn an_error_of_graphql_is_a_call_that_failed() {
    let folder = tempfile::tempdir().unwrap();
    let api = crate::support::Receiver::responding(|_, _| {
        let body = r#"{"data":{"login":null},"errors":[{"message":"Invalid login"}]}"#;
        crate::support::Reply::Status(200, body.to_owned())
    });
    let port = free_port();
    let url = api.url();
    let port_text = port.to_string();
    let arguments = ["listen", "erxes@0.23", "--port", &port_text, "--echo", "--api", &url];
    let mut listen = Background::start(folder.path(), &arguments);
    let to = format!("http://127.0.0.1:{port}/");
    standin_in(
        folder.path(),
        &["send", "erxes@0.23", "customerMessages.create", "--to", &to, "--wait-ready", "20s"],
    );
    let mut lines = std::iter::repeat_with(|| listen.line());
    let line = lines.find(|line| line.contains("bot:") || line.is_empty()).unwrap();
    assert!(line.contains("bot: ✗ login, status 200"), "{line}");
    assert!(listen.line().contains("Invalid login"));
}

#[test]
fn a_bot_is_data_of_the_vendor() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("visit.toml");
    let text = "[[step]]\nexpect = { call = 'open_conversation', within = '20s' }\n\
                [[step]]\nsay = { by = 'bot', text = 'good evening' }\n\
                [[step]]\nexpect = { call = 'send_message', match = { '/text' = 'echo of good evening' } }\n\
                [[step]]\nsay = { by = 'bot', text = 'Goodbye' }\n\
                [[step]]\nexpect = { call = 'close_conversation' }\n";
    fs::write(&scenario, text).unwrap();
    let scenario = scenario.display().to_string();
    let (exit, told) = run_with_bot(folder.path(), &scenario, &[], "parlour");
    assert_eq!(exit, 0, "{told}");
    assert!(told.contains("3 of 3 expectations met"), "{told}");
}

#[test]
fn the_bot_logs_in_again_after_a_401() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("slow.toml");
    let text = "[[step]]\nexpect = { call = 'open_conversation', within = '20s' }\n\
                [[step]]\nexpect = { call = 'send_message' }\n\
                [[step]]\nsay = { by = 'bot', text = 'one' }\n\
                [[step]]\nexpect = { call = 'send_message', status = ['401'], respond = { status = 401 } }\n\
                [[step]]\nexpect = { call = 'send_message', match = { text = { contains = 'one' } } }\n";
    fs::write(&scenario, text).unwrap();
    let scenario = scenario.display().to_string();
    let (exit, told) = run_with_bot(folder.path(), &scenario, &[], "liveperson");
    assert_eq!(exit, 0, "{told}");
    assert_eq!(told.matches("bot: ✓ app_token").count(), 2, "{told}");
}

#[test]
fn demo_shows_the_whole_loop() {
    for (vendor, shown, met) in [
        ("wotnot", "wotnot", "3 of 3"),
        ("liveperson", "liveperson@2022", "4 of 4"),
        ("swiftsell", "swiftsell", "3 of 3"),
        ("ebbot", "ebbot", "3 of 3"),
        ("erxes", "erxes@2", "4 of 4"),
        ("erxes@0.19", "erxes@0.19", "4 of 4"),
    ] {
        let output = standin(&["demo", vendor, "--once", "--speed", "1000"]);
        let told = stdout(&output);
        assert_eq!(code(&output), 0, "{told}{}", stderr(&output));
        assert!(told.contains(&format!("{met} expectations met")), "{told}");
        assert!(told.contains("receiver calls POST"), "{told}");
        assert!(
            told.contains(&format!("--vendor {shown} --to http://localhost:3000/ --listen")),
            "{told}"
        );
    }
}

#[test]
fn the_scenario_of_the_configuration_replaces_the_story() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("standin.toml"), "[demo]\nscenario = 'rating'\n").unwrap();
    let output = standin_in(folder.path(), &["demo", "wotnot", "--once", "--speed", "1000"]);
    let told = stdout(&output);
    assert!(told.contains("standin run rating --vendor wotnot"), "{told}{}", stderr(&output));
}

#[test]
fn the_address_of_the_api_is_required_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let told = |arguments: &[&str]| {
        let output = standin_in(folder.path(), arguments);
        assert_eq!(code(&output), 2, "{}", stdout(&output));
        stderr(&output)
    };
    let unknown = told(&["listen", "wotnot", "--echo"]);
    assert!(unknown.contains("the address of the API of WotNot is not known"), "{unknown}");
    assert!(unknown.contains("WOTNOT_API_URL"), "{unknown}");
    let templates = path("tests/minimal").display().to_string();
    let without = told(&["--templates", &templates, "listen", "plain", "--echo"]);
    assert!(without.contains("describes no bot"), "{without}");
    let invalid = told(&["listen", "wotnot", "--echo", "--api", "localhost:8080"]);
    assert!(invalid.contains("expected a URL such as"), "{invalid}");
}

#[test]
fn a_call_that_fails_is_shown_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let api = crate::support::Receiver::responding(|_, _| {
        crate::support::Reply::Status(403, "{\"error\":\"not today\"}".to_owned())
    });
    let arguments = ["listen", "liveperson", "--port", "0", "--echo", "--api", &api.url()];
    let mut listen = Background::start(folder.path(), &arguments);
    let line = listen.line();
    assert!(line.contains("bot: ✗ app_token, status 403"), "{line}");
    let line = listen.line();
    assert!(line.contains("not today") && !line.contains("grant_type"), "{line}");
    assert_eq!(listen.terminate().code, Some(0));
}

#[test]
fn calls_are_lines_of_json_if_requests_are() {
    let folder = tempfile::tempdir().unwrap();
    let api = crate::support::Receiver::responding(|_, _| {
        crate::support::Reply::Status(403, "not today".to_owned())
    });
    let url = api.url();
    let arguments = ["listen", "liveperson", "--port", "0", "--json", "--echo", "--api", &url];
    let mut listen = Background::start(folder.path(), &arguments);
    let call: serde_json::Value = serde_json::from_str(&listen.line()).unwrap();
    assert_eq!(call["call"]["operation"], "app_token");
    assert_eq!(
        (&call["call"]["status"], &call["call"]["error"]),
        (&403.into(), &"not today".into())
    );
    assert!(!call.to_string().contains("grant_type"), "{call}");
    assert_eq!(listen.terminate().code, Some(0));
}

#[test]
fn people_react_to_what_a_client_says_at_a_vendor_whose_clients_speak_for_visitors() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = "name = 'reactions'
[cast.mara]
role = 'agent'
[[step]]
expect = { call = 'open_conversation', within = '30s' }
[[step]]
expect = { call = 'send_message', within = '30s' }
[[step]]
assign = { to = 'mara' }
[[step]]
say = { by = 'mara', text = 'first' }
[[step]]
expect = { call = 'send_message', match = { text = 'You said: second' }, within = '30s' }
[[on]]
call  = 'send_message'
match = { text = 'You said: first' }
do    = [{ say = { by = 'mara', text = 'second' } }]
";
    fs::write(folder.path().join("reactions.toml"), scenario).unwrap();
    let (exit, told) = run_with_bot(folder.path(), "reactions.toml", &[], "liveperson@2022");
    assert_eq!(exit, 0, "{told}");
    assert!(told.contains("3 of 3 expectations met"), "{told}");
}
