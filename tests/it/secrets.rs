//! Canary tests: a secret of the userfrom any source is in no output, in no encoding.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use standin::config::Config;
use standin::diag::{Problems, Source};
use standin::platform::{Account, Catalog, VendorRef};

use crate::support::{
    Background, DATA_HOME, ReceivedRequest, Receiver, Reply, configured, path, stderr, stdout,
};

const TOKEN: &str = "canary/token+?\"Ä🙂 7";
const HEADER: &str = "canary-header-0815";
const PASSWORD: &str = "canary-password";

/// The encodings in which a secret could appear.
fn encodings(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap();
    let unit = |unit: u16| match char::from_u32(unit.into()) {
        Some(plain) if plain.is_ascii() => plain.to_string(),
        _ => format!("\\u{unit:04x}"),
    };
    let ascii: String = json.encode_utf16().map(unit).collect();
    let bytes = secret.as_bytes();
    let percent: Vec<String> = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
    let url: String = url_encoded(bytes);
    vec![
        secret.to_owned(),
        json.trim_matches('"').to_owned(),
        ascii.trim_matches('"').to_owned(),
        STANDARD.encode(bytes).trim_end_matches('=').to_owned(),
        URL_SAFE.encode(bytes).trim_end_matches('=').to_owned(),
        hex::encode(bytes),
        hex::encode_upper(bytes),
        url.replace("%20", "+"),
        url,
        percent.concat(),
        secret.chars().rev().collect(),
    ]
}

fn url_encoded(bytes: &[u8]) -> String {
    let spell = |byte: &u8| match char::from(*byte) {
        plain if plain.is_ascii_alphanumeric() || "-._~".contains(plain) => plain.to_string(),
        _ => format!("%{byte:02X}"),
    };
    bytes.iter().map(spell).collect()
}

fn assert_clean(what: &str, told: &str) {
    for secret in [TOKEN, HEADER, PASSWORD] {
        for spelled in encodings(secret) {
            assert!(!told.contains(&spelled), "{what}: `{spelled}` is in\n{told}");
        }
    }
}

/// Runs the binary with the secrets in its environmentand checks that the output has none.
fn run_clean(folder: &Path, arguments: &[&str]) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_standin"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("XDG_DATA_HOME", DATA_HOME)
        .env("CANARY_TOKEN", TOKEN)
        .env("CANARY_HEADER", HEADER)
        .env("STANDIN_TO", format!("http://me:{PASSWORD}@127.0.0.1:1/"))
        .output()
        .unwrap();
    let told = stdout(&output) + &stderr(&output);
    assert_clean(&arguments.join(" "), &told);
    (output, told)
}

/// A receiver whose responses repeat every secret in every encoding.
fn echoing_receiver(received: &ReceivedRequest) -> Reply {
    let all: Vec<String> = [TOKEN, HEADER].into_iter().flat_map(encodings).collect();
    let answer = all.join(" ");
    if received.token().is_some() {
        return Reply::Status(200, received.token().unwrap());
    }
    Reply::Status(500, format!("{answer} {}", received.head))
}

#[test]
fn no_output_contains_a_secret_in_any_encoding() {
    let receiver = Receiver::responding(|_, received| echoing_receiver(received));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
    fs::write(folder.path().join("header"), HEADER).unwrap();
    let literal = TOKEN.replace('"', "\\\"");
    for (token, header) in [
        ("env:CANARY_TOKEN", "env:CANARY_HEADER"),
        ("file:token", "file:header"),
        (literal.as_str(), "env:CANARY_HEADER"),
        (literal.as_str(), HEADER),
    ] {
        for location in ["bearer", "body"] {
            let config = format!(
                "[vendor.wotnot]\nsecret = {{ token = \"{token}\" }}\n\
                 option = {{ event_token_in = \"{location}\" }}\n\
                 [[endpoint]]\nvendor = \"wotnot\"\nurl = \"{}\"\nheaders = {{ X-Key = \"{header}\" }}\n",
                receiver.url()
            );
            fs::write(folder.path().join("own.toml"), &config).unwrap();
            let with_config = ["--config", "own.toml"];
            let to = format!("http://u:{PASSWORD}@x/");
            // The headers of an endpointare sent only if no `--to` is given.
            let run = [&["run", "handover", "--vendor", "wotnot"], &with_config[..]].concat();
            for more in [&["--verbose"][..], &["--json"], &["--quiet"], &["--to", &to]] {
                run_clean(folder.path(), &[&run[..], more].concat());
            }
            let send = [&["send", "wotnot", "note"], &with_config[..]].concat();
            for command in [&run, &send] {
                let curl =
                    run_clean_with_config(folder.path(), &[command, &["--curl"][..]].concat());
                assert!(curl.contains("$WOTNOT_TOKEN") && curl.contains("$WOTNOT_X_KEY"), "{curl}");
                run_clean_with_config(folder.path(), &[command, &["--dry-run"][..]].concat());
                let dry = [command, &["--dry-run", "--verbose"][..]].concat();
                let dry = run_clean_with_config(folder.path(), &dry);
                assert!(
                    dry.contains("${header.X-Key}") && dry.contains("${secret.token}"),
                    "{dry}"
                );
            }
            for json in [&["--json"][..], &["--verbose"]] {
                run_clean_with_config(folder.path(), &[&send, json].concat());
            }
            let told = send_clean(folder.path(), &run, &receiver);
            assert!(told.contains("${header.X-Key}") && told.contains("${secret.token}"), "{told}");
            for command in [
                &["secrets", "wotnot"][..],
                &["secrets", "wotnot", "--env"],
                &["check", "own.toml"],
                &["run", "--help"],
                &["--help"],
            ] {
                run_clean(folder.path(), &[command, &with_config].concat());
            }
            let broken = [
                config.replace("secret = {", "secret = { tokn = 1,"),
                config.replace("X-Key", "\"X Key\""),
                config.replace(" }\noption", "\noption"),
                config.replace("http://", &format!("http://me:{PASSWORD}@")),
                config.replace("[vendor.wotnot]\nsecret = {", "[vendor.wotnot]\nsecert = {"),
            ];
            for broken in broken {
                fs::write(folder.path().join("broken.toml"), broken).unwrap();
                let (output, told) = run_clean(folder.path(), &["check", "broken.toml"]);
                assert_eq!(output.status.code(), Some(2), "{told}");
            }
        }
    }
}

/// Runs the binary with the secrets in its environment and receivers in its configuration, and
/// checks that the output has none.
fn run_clean_with_config(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_standin"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("XDG_DATA_HOME", DATA_HOME)
        .env("CANARY_TOKEN", TOKEN)
        .env("CANARY_HEADER", HEADER)
        .output()
        .unwrap();
    let told = stdout(&output) + &stderr(&output);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{arguments:?}: {told}");
    assert_clean(&arguments.join(" "), &told);
    told
}

/// Sends to the echoing receiverand checks that the output has no secret.
fn send_clean(folder: &Path, run: &[&str], receiver: &Receiver) -> String {
    let before = receiver.requests().len();
    let told = run_clean_with_config(folder, &[run, &["--verbose"]].concat());
    let received = receiver.requests().split_off(before);
    assert!(received.len() > 1, "{told}");
    assert!(received.iter().all(|received| received.header("x-key").as_deref() == Some(HEADER)));
    told
}

#[test]
fn listen_prints_no_secret() {
    let folder = configured(&format!("[vendor.wotnot]\nsecret = {{ token = '{TOKEN}' }}\n"));
    let mut listening = Background::start(folder.path(), &["listen", "wotnot", "--port", "0"]);
    let told = listening.read_stderr_until("Press Ctrl-C to stop");
    let url = told.split_whitespace().nth(1).unwrap();
    let told = {
        let run = ["run", "handover", "--vendor", "wotnot", "--to", url];
        let (output, sent) = run_clean(folder.path(), &run);
        assert_eq!(output.status.code(), Some(0), "{sent}");
        let ended = listening.kill();
        ended.stdout + &ended.stderr
    };
    assert!(told.contains("✓ handshake"), "{told}");
    assert_clean("listen", &told);
}

/// A panic would print debug output.
#[test]
fn debug_output_contains_no_secret() {
    let text = format!("[vendor.plain]\nsecret = {{ token = '{TOKEN}' }}\n");
    let config = Config::read(Some(&Source::new("own.toml", text))).unwrap();
    let catalog = Catalog::bundled().with_directory(&path("tests/minimal")).unwrap();
    let plain = catalog.load(&VendorRef::parse("plain")).unwrap();
    let mut problems = Problems::new();
    let account = Account::configured(&plain, None, config.vendors.get("plain"), &mut problems);
    assert!(problems.is_empty());
    assert_clean("debug", &format!("{config:?} {account:?}"));
}
