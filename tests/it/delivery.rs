//! Delivery to real receivers: order, retries, limits, one request per attempt.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value as Json;
use standin::base::limits::MAX_PENDING;
use standin::record::{AttemptOutcome, AttemptResult, RecordKind, Verdict};

use crate::support::{ReceivedRequest, Receiver, Reply, RunOutcome, play};

const STORY: &str = "[[step]]\nopen = {}\n[[step]]\nsay = { by = 'visitor', text = 'Hello' }\n\
                     [[step]]\nclose = { by = 'system' }\n";

/// The id of the conversation in a body.
fn chat(received: &ReceivedRequest) -> String {
    let json = received.json();
    let ids = ["/data/chatId", "/data/id", "/chat/id"];
    ids.iter().find_map(|id| json.pointer(id)?.as_str()).unwrap().to_owned()
}

#[test]
fn a_failed_delivery_after_a_repeat_names_its_step() {
    let story = "[[step]]\nopen = {}\n[[step]]\nsay = { by = 'visitor' }\nrepeat = { times = 5 }\n\
                 [[step]]\nclose = { by = 'system' }\n";
    let answer = |_: usize, received: &ReceivedRequest| {
        let status = if received.json()["topic"] == "chat.close" { 500 } else { 200 };
        Reply::Status(status, String::new())
    };
    let played = play(story).at("ebbot").to(&Receiver::responding(answer));
    let reason = played.finished.reason.unwrap();
    assert!(reason.contains("test.toml:7 `chat.close`"), "{reason}");
}

#[test]
fn a_thousand_conversations_keep_their_order_at_an_unreliable_receiver() {
    let under_way: Arc<Mutex<BTreeMap<String, u32>>> = Arc::default();
    let violations: Arc<Mutex<u32>> = Arc::default();
    let (busy, wrong) = (Arc::clone(&under_way), Arc::clone(&violations));
    let receiver = Receiver::responding(move |number, received| {
        let chat = chat(received);
        let together = {
            let mut busy = busy.lock().unwrap();
            let count = busy.entry(chat.clone()).or_default();
            *count += 1;
            *count
        };
        if together > 1 {
            *wrong.lock().unwrap() += 1;
        }
        std::thread::sleep(Duration::from_millis((number as u64 * 7) % 21));
        *busy.lock().unwrap().get_mut(&chat).unwrap() -= 1;
        if number % 10 == 9 { Reply::Close } else { Reply::good() }
    });
    let played = play(STORY).at("ebbot").times(1_000).to(&receiver);
    let received = receiver.requests();
    assert_eq!(*violations.lock().unwrap(), 0, "two requests of one conversation at once");
    check_order(&received);

    let finished = &played.finished;
    let reconnected = played.count(
        |kind| matches!(kind, RecordKind::AttemptFinished { result, .. } if result.reconnected),
    );
    // A request on a kept connection that was closed is sent again.
    let failed = received.len() / 10 - reconnected;
    assert!(reconnected > 0 && failed > 0, "{reconnected} sent again, {failed} failed");
    assert_eq!(finished.deliveries, 5_000);
    let reported = received.len() - reconnected;
    assert_eq!(finished.attempts, reported as u64, "every request is reported");
    assert_eq!(finished.passed, 5_000 - failed as u64);
    assert_eq!(finished.verdict, Verdict::Failed);
    let told = format!("{failed} of 5000 deliveries failed. First: ");
    assert!(finished.reason.as_ref().unwrap().starts_with(&told), "{:?}", finished.reason);
}

#[test]
fn scripts_in_real_time_wait_while_too_many_deliveries_are_pending() {
    let conversations = 2_500;
    let played = play(STORY).at("ebbot").times(conversations).in_real_time(100_000.0);
    let played = played.to(&Receiver::accepting());
    let (mut pending, mut most) = (0, 0);
    for record in &played.records {
        match record.kind {
            RecordKind::DeliveryPlanned { .. } => pending += 1,
            RecordKind::DeliverySettled(_) => pending -= 1,
            _ => {}
        }
        most = most.max(pending);
    }
    // The action that reaches the limit may cause several deliveries.
    assert!((MAX_PENDING / 2..MAX_PENDING + 10).contains(&most), "{most} deliveries were pending");
    assert_eq!(played.finished.passed, 5 * u64::from(conversations));
}

/// Checks that the topics of each conversation arrived in the order of the scenario.
fn check_order(received: &[ReceivedRequest]) {
    let mut topics: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for request in received {
        let topic = request.json()["topic"].as_str().unwrap().to_owned();
        topics.entry(chat(request)).or_default().push(topic);
    }
    let story =
        ["chat.create", "chat.user.message", "chat.status.change", "chat.update", "chat.close"];
    assert_eq!(topics.len(), 1_000);
    for topics in topics.values_mut() {
        topics.dedup(); // sent again on a new connection
    }
    assert!(topics.values().all(|topics| *topics == story));
}

#[test]
fn retries_happen_in_run_time() {
    let receiver = Receiver::responding_to_events(|number, _| {
        if number % 3 == 0 { Reply::good() } else { Reply::Status(503, "later".into()) }
    });
    let played = play(STORY).at("parlour").to(&receiver);
    assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished);
    let attempts: Vec<u32> = played
        .records
        .iter()
        .filter_map(|record| match &record.kind {
            RecordKind::DeliverySettled(settled) => Some(settled.attempts),
            _ => None,
        })
        .collect();
    assert!(attempts.iter().all(|attempts| *attempts == 3), "{attempts:?}");
    let bodies: Vec<String> = receiver.events().into_iter().map(|received| received.body).collect();
    assert!(bodies.chunks(3).all(|same| same.iter().all(|body| *body == same[0])));
    let started = |record: &standin::record::Record| {
        matches!(record.kind, RecordKind::AttemptStarted { .. }).then_some(record.run_time)
    };
    let times: Vec<_> = played.records.iter().filter_map(started).take(3).collect();
    assert_eq!(times[1].duration_since(times[0]).as_secs(), 30);
    assert_eq!(times[2].duration_since(times[1]).as_secs(), 30);
}

/// The result of the first event for a receiver that responds like this, and the number of requests.
fn first_result(reply: Reply) -> (AttemptResult, usize, RunOutcome) {
    let receiver = Receiver::responding_to_events(move |_, _| reply.clone());
    let played = play("[[step]]\nopen = {}\n").at("ebbot").to(&receiver);
    let result = played.find(|what| match what {
        RecordKind::AttemptFinished { result, .. } => Some(result.clone()),
        _ => None,
    });
    (result.unwrap(), receiver.requests().len(), played)
}

#[test]
fn a_redirect_is_a_failure_and_is_not_followed() {
    let there = Receiver::accepting();
    for status in [301, 302, 303, 307, 308] {
        let head = format!(
            "HTTP/1.1 {status} Moved\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
            there.url()
        );
        let (result, requests, played) = first_result(Reply::Raw(head.into_bytes()));
        assert_eq!(
            (result.status, result.location, requests),
            (Some(status), Some(there.url()), 1)
        );
        assert!(played.finished.reason.unwrap().contains("a redirect to"));
    }
    assert!(there.requests().is_empty());
}

#[test]
fn a_long_response_is_truncated_and_its_status_counts() {
    let (result, requests, played) = first_result(Reply::Status(200, "x".repeat(1_000_000)));
    assert_eq!(
        (result.outcome, result.body.len(), result.truncated),
        (AttemptOutcome::Responded, 64 * 1024, true)
    );
    assert_eq!((requests, played.finished.verdict), (1, Verdict::Passed));
}

#[test]
fn each_outcome_has_a_name_and_takes_one_request() {
    let check = |reply: Reply, outcome: AttemptOutcome| {
        let told = format!("{reply:?}");
        let (result, requests, played) = first_result(reply);
        assert_eq!((result.outcome, requests), (outcome, 1), "{told}: {result:?}");
        assert_eq!(played.finished.verdict, Verdict::Failed, "{told}");
    };
    check(Reply::Close, AttemptOutcome::Reset);
    check(Reply::Raw(b"this is no HTTP\r\n\r\n".to_vec()), AttemptOutcome::Protocol);
    check(
        Reply::Raw(b"HTTP/1.1 500 No\r\nContent-Length: 1000\r\n\r\nabc".to_vec()),
        AttemptOutcome::BodyIncomplete,
    );
    let endless = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 2_000_000]].concat();
    check(Reply::Raw(endless), AttemptOutcome::HeadTooLarge);
}

#[test]
fn response_bodies_are_not_decompressed() {
    let packed = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0xff, 0xff];
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        packed.len()
    );
    let (result, _, _) = first_result(Reply::Raw([head.as_bytes(), &packed].concat()));
    assert_eq!(result.outcome, AttemptOutcome::Responded);
    assert_eq!(result.body.as_bytes(), packed);
}

#[test]
fn proxy_variables_are_ignored() {
    let receiver = Receiver::accepting();
    let url = receiver.url();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_standin"))
        .args(["run", "handover", "--vendor", "ebbot", "--to", &url, "--json"])
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .env("http_proxy", "http://127.0.0.1:9")
        .env("ALL_PROXY", "http://127.0.0.1:9")
        .output()
        .unwrap();
    assert!(output.status.success());
    let last: Json =
        serde_json::from_slice(output.stdout.split(|b| *b == b'\n').rev().nth(1).unwrap()).unwrap();
    assert_eq!(last["data"]["attempts"], receiver.requests().len());
}

#[test]
fn a_vendor_that_accepts_more_than_2xx_still_fails_the_run() {
    let (story, gone) = ("[[step]]\nopen = {}\n", || Reply::Status(410, "gone".into()));
    let receiver = Receiver::responding_to_events(move |_, _| gone());
    let played = play(story).at("parlour").to(&receiver);
    assert_eq!((played.finished.verdict, played.finished.attempts), (Verdict::Failed, 1));
    let verified = format!("{story}[verify]\nstatus = ['2xx', '410']\n");
    let verified = verified.replace(story, "") + story;
    let played = play(&verified).at("parlour").to(&receiver);
    assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished);
}

#[test]
fn a_run_that_sends_nothing_is_inconclusive() {
    let receiver = Receiver::accepting();
    let played =
        play("[[step]]\nopen = {}\n").at("ebbot").subscribing(&["chat.close"]).to(&receiver);
    assert_eq!(played.finished.verdict, Verdict::Inconclusive);
    assert_eq!((played.finished.unsubscribed, receiver.requests().len()), (1, 0));
}
