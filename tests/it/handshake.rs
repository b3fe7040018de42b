//! Handshakes: each invalid response has a message, and the run continues only if the vendor does.

use std::time::Duration;

use standin::record::{RecordKind, Verdict};

use crate::support::{ReceivedRequest, Receiver, Reply, RunOutcome, play};

const STORY: &str = "[[step]]\nopen = {}\n[[step]]\nsay = { by = 'visitor', text = 'Hello' }\n";

/// The handshake error for a receiver that responds to its first request like this.
fn handshake_error(
    vendor: &str,
    answer: impl Fn(&ReceivedRequest) -> Reply + Send + Sync + 'static,
) -> (RunOutcome, String, usize) {
    let receiver = Receiver::responding(
        move |number, received| {
            if number == 0 { answer(received) } else { Reply::good() }
        },
    );
    let played = play(STORY).at(vendor).to(&receiver);
    let wrong = reason(&played);
    (played, wrong, receiver.requests().len())
}

fn reason(played: &RunOutcome) -> String {
    let wrong = played.find(|what| match what {
        RecordKind::HandshakeFinished { error: wrong, .. } => {
            Some(wrong.clone().unwrap_or_default())
        }
        _ => None,
    });
    wrong.unwrap()
}

fn refuses(expected: &str, answer: impl Fn(&ReceivedRequest) -> Reply + Send + Sync + 'static) {
    let (played, told, requests) = handshake_error("wotnot", answer);
    assert!(told.contains(expected), "{told}");
    assert_eq!(played.finished.verdict, Verdict::Failed, "{told}");
    assert_eq!((requests, played.finished.deliveries), (1, 0), "{told}");
    assert!(played.finished.reason.unwrap().contains(expected));
}

#[test]
fn the_token_may_be_returned_as_json_or_text() {
    for answer in [
        |token: String| format!("{{\"token\": \"{token}\"}}"),
        |token: String| format!("{{\"ok\":true,\"token\":\"{token}\"}}"),
        |token: String| format!("{token}\n"),
    ] {
        let (played, told, _) = handshake_error("wotnot", move |received| {
            Reply::Status(200, answer(received.token().unwrap()))
        });
        assert_eq!((told.as_str(), played.finished.verdict), ("", Verdict::Passed));
    }
}

#[test]
fn each_invalid_response_is_reported_and_refused() {
    refuses("the response has another token under `token`", |_| {
        Reply::Status(200, "{\"token\":\"x\"}".into())
    });
    refuses("the response is not the token: `something`", |_| {
        Reply::Status(200, "something".into())
    });
    refuses("the token in the response is quoted", |received| {
        Reply::Status(200, format!("\"{}\"", received.token().unwrap()))
    });
    refuses("an HTML page, not the token: `<!doctype html>", |_| {
        Reply::Status(200, "<!doctype html><p>Welcome</p>".into())
    });
    refuses("redirects (status 302)", |_| {
        Reply::Raw(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n".to_vec())
    });
    refuses("responded with status 204, expected 200", |_| {
        Reply::Raw(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())
    });
    refuses("JSON but has no `token`", |_| Reply::Status(200, "{\"ok\":true}".into()));
    refuses("the response body is empty", |_| Reply::Status(200, String::new()));
    refuses("no response (reset)", |_| Reply::Close);
}

#[test]
fn a_late_response_is_a_timeout() {
    let (played, told, requests) =
        handshake_error("parlour", |_| Reply::good().after(Duration::from_millis(2_500)));
    assert!(told.contains("no response (timeout_head): no response within 2 s"), "{told}");
    assert_eq!((played.finished.verdict, requests), (Verdict::Failed, 1));
}

#[test]
fn a_closed_port_is_reported() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let played = play(STORY).at("wotnot").against(&format!("http://{free}/"));
    assert!(reason(&played).contains("(refused): no server listens there"));
    assert_eq!((played.finished.verdict, played.finished.attempts), (Verdict::Failed, 0));
}

#[test]
fn erxes_continues_after_a_failed_handshake_and_the_run_fails() {
    let (played, told, requests) = handshake_error("erxes", |_| Reply::Status(500, "no".into()));
    assert!(told.contains("responded with status 500, expected 2xx"), "{told}");
    assert!(requests > 1);
    assert_eq!(played.finished.passed, played.finished.deliveries);
    assert_eq!(played.finished.verdict, Verdict::Failed);
}

#[test]
fn a_vendor_that_ignores_the_status_continues_and_the_run_fails() {
    for status in [500, 404, 301] {
        let redirect =
            format!("HTTP/1.1 {status} X\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n");
        let (played, told, requests) =
            handshake_error("erxes@2", move |_| Reply::Raw(redirect.clone().into_bytes()));
        let expected = format!("responded with status {status}, expected 2xx (this vendor counts");
        assert!(told.contains(&expected), "{told}");
        assert!(requests > 1, "the vendor sends events all the same");
        assert_eq!(played.finished.passed, played.finished.deliveries);
        assert_eq!(played.finished.verdict, Verdict::Failed, "{status}");
    }
    let (played, told, _) = handshake_error("erxes@2", |_| Reply::Status(204, String::new()));
    assert_eq!((told.as_str(), played.finished.verdict), ("", Verdict::Passed));
}

#[test]
fn a_vendor_without_a_handshake_sends_none() {
    for vendor in ["ebbot", "liveperson"] {
        let receiver = Receiver::accepting();
        let played = play(STORY).at(vendor).to(&receiver);
        assert_eq!(played.count(|what| matches!(what, RecordKind::HandshakeSent { .. })), 0);
        assert_eq!(receiver.requests().len() as u64, played.finished.deliveries);
    }
}
