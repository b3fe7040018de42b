//! `standin listen`: what it prints, when it ends, and its exit code.

use std::net::{Ipv6Addr, TcpListener};

use serde_json::Value as Json;

use crate::support::{Background, fetch, request, standin, stderr};

/// Starts a receiver, and returns it with its URL.
fn listen(arguments: &[&str]) -> (Background, String) {
    let arguments = [&["listen", "ebbot", "--port", "0"], arguments].concat();
    let mut process = Background::start(std::path::Path::new("/"), &arguments);
    let printed = process.read_stderr_until("Press Ctrl-C");
    let url = printed.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let url = url.trim_end_matches('/').to_owned();
    (process, url)
}

#[test]
fn listen_stops_after_a_number_of_webhooks_and_reports_them() {
    let (mut process, url) = listen(&["--exit-after", "2", "--json"]);
    // Not webhooks.
    for method in ["GET", "HEAD"] {
        assert!(fetch(method, &format!("{url}/")).0.contains(" 200 "));
    }
    let event = ["send", "ebbot", "chat.user.message", "--to", &url];
    let sent = standin(&event);
    assert_eq!(sent.status.code(), Some(0), "{}", stderr(&sent));
    let line: Json = serde_json::from_str(&process.line()).unwrap();
    assert_eq!((&line["passed"], &line["vendor"]), (&Json::from(true), &Json::from("ebbot")));
    assert!(line["body"].as_str().unwrap().starts_with('{'), "{line}");
    // The response to the last webhook is sent before the end.
    assert_eq!(standin(&event).status.code(), Some(0));
    let ended = process.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("2 requests: 2 passed, 0 failed"), "{}", ended.stderr);
}

#[test]
fn the_exit_code_of_listen_reflects_what_arrived() {
    let (process, url) = listen(&["-v"]);
    assert!(fetch("POST", &format!("{url}/hooks")).0.contains(" 401 "));
    assert_eq!(process.terminate().code, Some(1));
    let (process, _) = listen(&["--exit-after", "1"]);
    assert_eq!(process.terminate().code, Some(1), "too few requests");
    assert_eq!(standin(&["listen", "--exit-after", "0"]).status.code(), Some(2));
}

#[test]
fn listen_uses_both_loopback_addresses_or_the_one_of_host() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return;
    }
    let port = |url: &str| url.rsplit(':').next().unwrap().split('/').next().unwrap().to_owned();
    let (_both, url) = listen(&[]);
    assert!(fetch("GET", &format!("http://[::1]:{}/", port(&url))).0.contains(" 200 "));
    let (_one, url) = listen(&["--host", "127.0.0.1"]);
    let taken = TcpListener::bind((Ipv6Addr::LOCALHOST, port(&url).parse().unwrap()));
    assert!(taken.is_ok(), "it listens on one address only");
}

#[test]
fn a_null_is_no_text_of_an_event() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    std::fs::create_dir(&own).unwrap();
    let vendor = "id = 'own'\nname = 'Own'\nextends = 'ebbot'\n[show]\nevent = ['/a', '/b']\ntext = ['/c', '/d']\n";
    std::fs::write(own.join("vendor.toml"), vendor).unwrap();
    let arguments = ["listen", "own", "--port", "0", "--templates", "."];
    let mut process = Background::start(folder.path(), &arguments);
    let printed = process.read_stderr_until("Press Ctrl-C");
    let url = printed.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    for body in [r#"{"a":null,"b":"named","c":null,"d":"said"}"#, r#"{"b":"named","d":null}"#] {
        send_body(url, body);
    }
    let lines: Vec<String> = std::iter::repeat_with(|| process.line())
        .filter(|line| line.contains("receiver:"))
        .take(2)
        .collect();
    assert!(lines[0].contains("named “said”"), "{lines:?}");
    assert!(lines[1].contains("named") && !lines[1].contains('“'), "{lines:?}");
}

#[test]
fn a_handshake_with_an_invalid_credential_is_rejected() {
    let arguments = ["listen", "erxes", "--port", "0"];
    let mut process = Background::start(std::path::Path::new("/"), &arguments);
    let printed = process.read_stderr_until("Press Ctrl-C");
    let url = printed.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let head = "POST / HTTP/1.1\r\nContent-Type: application/json\r\nErxes-token: another\r\n\
                User-Agent: curl/8";
    let response = request(address, head, "{}");
    assert!(response.head.starts_with("HTTP/1.1 401 "), "{}", response.head);
    let told = process.interrupt().stdout;
    assert!(told.contains("✗ handshake"), "{told}");
    // A header without a credential is not one that does not match.
    assert!(told.contains("User-Agent is `curl/8`, expected `node"), "{told}");
}

/// Posts a body without headers of the vendor.
fn send_body(url: &str, body: &str) {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    request(address, "POST / HTTP/1.1\r\nContent-Type: application/json", body);
}
