//! Responses with large heads and bodies: what is kept of them is bounded.

use std::fs;

use serde_json::Value as Json;
use standin::base::limits::{MAX_KEPT_HEADERS, MAX_RESPONSE_BODY};
use standin::record::RecordKind;

use crate::support::{Receiver, Reply, configured, play, standin_in, stderr, stdout};

const STORY: &str = "name = 'a chat'\n[[step]]\nopen = {}\n\
                     [[step]]\nsay = { by = 'visitor', text = 'Hello' }\n";

/// A response with 90 headers of 4 KB, a header after them, and a body.
fn large_response(status: &str, last: &str, body: &str) -> Vec<u8> {
    let filler: Vec<String> =
        (0..90).map(|n| format!("X-{n}: {}\r\n", "y".repeat(4_000))).collect();
    let filler = filler.concat();
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{filler}{last}\r\nContent-Length: {length}\r\n\r\n{body}").into()
}

#[test]
fn headers_are_kept_up_to_a_limit_and_marked() {
    let receiver = Receiver::responding_to_events(|_, _| {
        Reply::Raw(large_response("200 OK", "Content-Type: text/plain", "ok"))
    });
    let played = play(STORY).at("ebbot").to(&receiver);
    let results = played.records.iter().filter_map(|record| match &record.kind {
        RecordKind::AttemptFinished { result, .. } => Some(result),
        _ => None,
    });
    let results: Vec<_> = results.collect();
    assert!(!results.is_empty());
    for result in results {
        let size: usize = result.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(size <= MAX_KEPT_HEADERS, "{size}");
        assert_eq!(result.headers.len(), 92);
        assert!(result.headers_truncated);
        assert_eq!(result.header("content-type"), Some("text/plain"), "short ones stay whole");
    }
}

#[test]
fn a_cut_location_is_neither_followed_nor_shown_with_its_password() {
    let to = format!("Location: http://me:{}@example.test/", "s3cret".repeat(100));
    let receiver = Receiver::responding_to_events(move |_, _| {
        Reply::Raw(large_response("302 Found", &to, ""))
    });
    let folder = configured("");
    fs::write(folder.path().join("story.toml"), STORY).unwrap();
    let url = receiver.url();
    let run = ["run", "story.toml", "--vendor", "erxes", "--to", &url, "--json"];
    let told = stdout(&standin_in(folder.path(), &run));
    assert!(told.contains(r#""headers_truncated":true,"timings""#), "{told}");
    assert!(!told.contains("s3cret"), "{told}");
}

#[test]
fn a_secret_at_the_cut_of_a_header_is_removed() {
    // The share of a header is 178 bytes; the secret begins 10 bytes before its end.
    let before = MAX_KEPT_HEADERS / 92 - "X-Key".len() - 10;
    let header = format!("X-Key: {}c4nary-s3cret-of-mine{}", "y".repeat(before), "y".repeat(4_000));
    let receiver = Receiver::responding_to_events(move |_, _| {
        Reply::Raw(large_response("200 OK", &header, ""))
    });
    let folder = configured("[vendor.wotnot]\nsecret = { token = 'file:token' }\n");
    fs::write(folder.path().join("token"), "c4nary-s3cret-of-mine").unwrap();
    fs::write(folder.path().join("story.toml"), STORY).unwrap();
    let url = receiver.url();
    let run = ["run", "story.toml", "--vendor", "wotnot", "--to", &url, "--json"];
    let output = standin_in(folder.path(), &run);
    let told = stdout(&output);
    assert!(told.contains("headers_truncated\":true"), "{told}{}", stderr(&output));
    assert!(!told.contains("c4nary"), "{told}");
}

#[test]
fn a_response_is_stored_once() {
    let body = "x".repeat(MAX_RESPONSE_BODY);
    let receiver = Receiver::responding_to_events(move |_, _| {
        Reply::Raw(large_response("500 No", "X-Last: y", &body))
    });
    let folder = configured("");
    fs::write(folder.path().join("story.toml"), STORY).unwrap();
    let url = receiver.url();
    let run = ["run", "story.toml", "--vendor", "erxes", "--to", &url, "--journal", "j.db"];
    let shown = stdout(&standin_in(folder.path(), &run));
    assert!(shown.contains("response body: xxx"), "the report shows the body: {shown}");
    let exported = stdout(&standin_in(folder.path(), &["journal", "export", "j.db"]));
    let records: Vec<Json> =
        exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_kind = |kind: &str| records.iter().filter(|r| r["kind"] == kind).count();
    let (attempts, settled) = (of_kind("attempt.finished"), of_kind("delivery.settled"));
    assert!(attempts > 0 && settled > 0, "{exported}");
    let limit = attempts * (MAX_RESPONSE_BODY + MAX_KEPT_HEADERS + 4_096) + 64 * 1_024;
    assert!(exported.len() <= limit, "{} bytes", exported.len());
    for record in records.iter().filter(|r| r["kind"] == "delivery.settled") {
        let result = record["data"]["result"].as_object().unwrap();
        assert!(!result.contains_key("body") && !result.contains_key("headers"), "{record}");
        assert_eq!(result["status"], 500);
    }
}
