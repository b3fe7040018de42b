//! Handshakes: each wrong answer has its own words, and what follows is what the vendor does.

use std::time::Duration;

use standin::record::{RecordKind, Verdict};

use crate::support::{Came, Played, Receiver, Reply, play};

const STORY: &str = "[[step]]\nopen = {}\n[[step]]\nsay = { by = 'visitor', text = 'Hello' }\n";

/// What is wrong with the answer of a receiver that answers its first request so.
fn wrong(
    vendor: &str,
    answer: impl Fn(&Came) -> Reply + Send + Sync + 'static,
) -> (Played, String, usize) {
    let receiver = Receiver::answering(
        move |number, came| {
            if number == 0 { answer(came) } else { Reply::good() }
        },
    );
    let played = play(STORY).at(vendor).to(&receiver);
    let wrong = told(&played);
    (played, wrong, receiver.came().len())
}

fn told(played: &Played) -> String {
    let wrong = played.find(|what| match what {
        RecordKind::HandshakeFinished { error: wrong, .. } => {
            Some(wrong.clone().unwrap_or_default())
        }
        _ => None,
    });
    wrong.unwrap()
}

fn refuses(told_part: &str, answer: impl Fn(&Came) -> Reply + Send + Sync + 'static) {
    let (played, told, requests) = wrong("wotnot", answer);
    assert!(told.contains(told_part), "{told}");
    assert_eq!(played.finished.verdict, Verdict::Failed, "{told}");
    assert_eq!((requests, played.finished.deliveries), (1, 0), "{told}");
    assert!(played.finished.reason.unwrap().contains(told_part));
}

#[test]
fn the_token_may_come_back_as_json_or_as_text() {
    for answer in [
        |token: String| format!("{{\"token\": \"{token}\"}}"),
        |token: String| format!("{{\"ok\":true,\"token\":\"{token}\"}}"),
        |token: String| format!("{token}\n"),
    ] {
        let (played, told, _) =
            wrong("wotnot", move |came| Reply::Status(200, answer(came.token().unwrap())));
        assert_eq!((told.as_str(), played.finished.verdict), ("", Verdict::Passed));
    }
}

#[test]
fn each_wrong_answer_is_told_and_refused() {
    refuses("another token came back under `token`", |_| {
        Reply::Status(200, "{\"token\":\"x\"}".into())
    });
    refuses("another token came back, or none: `something`", |_| {
        Reply::Status(200, "something".into())
    });
    refuses("came back in quotes", |came| {
        Reply::Status(200, format!("\"{}\"", came.token().unwrap()))
    });
    refuses("a web page, not the token: `<!doctype html>", |_| {
        Reply::Status(200, "<!doctype html><p>Welcome</p>".into())
    });
    refuses("redirects (status 302)", |_| {
        Reply::Raw(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n".to_vec())
    });
    refuses("answered with status 204, not 200", |_| {
        Reply::Raw(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())
    });
    refuses("JSON without `token`", |_| Reply::Status(200, "{\"ok\":true}".into()));
    refuses("the answer is empty", |_| Reply::Status(200, String::new()));
    refuses("no answer (reset)", |_| Reply::Close);
}

#[test]
fn an_answer_that_comes_too_late_is_none() {
    let (played, told, requests) =
        wrong("parlour", |_| Reply::good().after(Duration::from_millis(2_500)));
    assert!(told.contains("no answer (timeout_head): no answer within 2 s"), "{told}");
    assert_eq!((played.finished.verdict, requests), (Verdict::Failed, 1));
}

#[test]
fn a_closed_port_is_told() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let played = play(STORY).at("wotnot").against(&format!("http://{free}/"));
    assert!(told(&played).contains("(refused): nothing listens there"));
    assert_eq!((played.finished.verdict, played.finished.attempts), (Verdict::Failed, 0));
}

#[test]
fn erxes_goes_on_after_a_failed_test_of_the_connection_and_fails_the_run() {
    let (played, told, requests) = wrong("erxes", |_| Reply::Status(500, "no".into()));
    assert!(told.contains("answered with status 500, not 2xx"), "{told}");
    assert!(requests > 1);
    assert_eq!(played.finished.passed, played.finished.deliveries);
    assert_eq!(played.finished.verdict, Verdict::Failed);
}

#[test]
fn a_vendor_without_a_handshake_sends_none() {
    for vendor in ["ebbot", "liveperson"] {
        let receiver = Receiver::agreeing();
        let played = play(STORY).at(vendor).to(&receiver);
        assert_eq!(played.count(|what| matches!(what, RecordKind::HandshakeSent { .. })), 0);
        assert_eq!(receiver.came().len() as u64, played.finished.deliveries);
    }
}
