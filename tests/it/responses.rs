//! Unusual responses: cut bodies, compressed bodies, and receivers that check timestamps.

use std::fs;

use crate::support::{Receiver, Reply, configured, standin, standin_in, stderr, stdout};

/// The output of a run at a receiver that responds to every event with these bytes.
fn run_with(head: &str, body: &[u8], more: &[&str]) -> (String, Option<i32>) {
    let bytes = [head.as_bytes(), b"\r\n\r\n", body].concat();
    let receiver = Receiver::responding(move |_, _| Reply::Raw(bytes.clone()));
    let to = receiver.url();
    let run = ["run", "handover", "--vendor", "erxes", "--to", &to];
    let output = standin(&[&run[..], more].concat());
    (stdout(&output), output.status.code())
}

#[test]
fn a_response_whose_body_is_cut_is_judged_by_its_status() {
    for head in
        ["HTTP/1.1 200 OK\r\nContent-Length: 100", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"]
    {
        let (told, code) = run_with(head, b"5\r\nab", &[]);
        assert_eq!(code, Some(0), "{told}");
        assert!(told.contains("response bodies cut by the receiver; the status decides"), "{told}");
    }
    let (told, code) = run_with("HTTP/1.1 400 No\r\nContent-Length: 100", b"no", &[]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("status 400 (the response body was cut), expected"), "{told}");
    let (told, _) = run_with("HTTP/1.1 200 OK\r\nContent-Length: 100", b"no", &["--json"]);
    assert!(told.contains(r#""outcome":"body_incomplete","status":200"#), "{told}");
}

#[test]
fn a_compressed_response_is_named_and_not_printed() {
    let gzip = [0x1f, 0x8b, 8, 0, 1, 2, 3, 0xff];
    for head in ["Content-Encoding: br\r\n", "content-encoding: gzip\r\n", ""] {
        let head = format!("HTTP/1.1 500 No\r\n{head}Content-Length: 8");
        let (told, _) = run_with(&head, &gzip, &[]);
        let method = if head.contains("br") { "br" } else { "gzip" };
        assert!(told.contains(&format!("response body: 8 bytes, compressed ({method})")), "{told}");
        assert!(!told.contains('\u{fffd}'), "{told}");
    }
    let receiver = Receiver::responding(move |_, _| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\n";
        Reply::Raw([&head[..], &gzip].concat())
    });
    let to = receiver.url();
    let told = stdout(&standin(&["run", "handover", "--vendor", "wotnot", "--to", &to]));
    assert!(told.contains("the response is compressed (gzip): send it as it is"), "{told}");
}

#[test]
fn a_receiver_that_rejects_every_event_may_check_timestamps() {
    let hint = "If the receiver checks timestamps, add `--start now`";
    let (told, _) = run_with("HTTP/1.1 400 Old\r\nContent-Length: 0", b"", &[]);
    assert_eq!(told.matches(hint).count(), 1, "{told}");
    assert!(told.contains("every response was 4xx, and the conversations start "), "{told}");
    assert!(told.contains(" days ago"), "{told}");
    let (told, _) = run_with("HTTP/1.1 400 Old\r\nContent-Length: 0", b"", &["--start", "now"]);
    assert!(!told.contains(hint), "{told}");
    let (told, _) = run_with("HTTP/1.1 500 Old\r\nContent-Length: 0", b"", &[]);
    assert!(!told.contains(hint), "{told}");
    // These statuses say something else.
    let (told, _) = run_with("HTTP/1.1 404 No\r\nContent-Length: 0", b"", &[]);
    assert!(!told.contains(hint), "{told}");
    let cause = "help: every response was 404: the path of the URL is wrong, or the receiver accepts no POST";
    assert_eq!(told.matches(cause).count(), 1, "{told}");
    let mixed = Receiver::responding(|number, _| {
        Reply::Status(if number % 2 == 0 { 200 } else { 400 }, String::new())
    });
    let to = mixed.url();
    let told = stdout(&standin(&["run", "handover", "--vendor", "erxes", "--to", &to]));
    assert!(!told.contains(hint), "{told}");
}

#[test]
fn a_secret_from_a_file_loses_a_byte_order_mark_and_newlines() {
    let receiver = Receiver::accepting();
    let config = format!(
        "[[endpoint]]\nvendor = 'erxes'\nurl = '{}'\nheaders = {{ X-Key = 'file:key' }}\n",
        receiver.url()
    );
    let folder = configured(&config);
    fs::write(folder.path().join("key"), "\u{feff}key-of-mine\r\n").unwrap();
    let output = standin_in(folder.path(), &["run", "handover", "--vendor", "erxes"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(receiver.requests()[0].header("X-Key").unwrap(), "key-of-mine");
    for content in [" key-of-mine", "key-of-mine ", "key-of-mine\t\n"] {
        fs::write(folder.path().join("key"), content).unwrap();
        let output = standin_in(folder.path(), &["run", "handover", "--vendor", "erxes"]);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{content:?}: {told}");
        assert!(told.contains("without spaces at its ends"), "{told}");
    }
    // A credential of the vendor, which its headers contain.
    let folder = configured("[vendor.wotnot]\nsecret = { token = 'file:token' }\n");
    fs::write(folder.path().join("token"), "canary ").unwrap();
    let to = receiver.url();
    let run = ["run", "handover", "--vendor", "wotnot", "--to", &to];
    let told = stderr(&standin_in(folder.path(), &run));
    assert!(told.contains("not valid in the header") && !told.contains("canary"), "{told}");
}
