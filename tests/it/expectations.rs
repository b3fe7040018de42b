//! `eventually` and `request`: the receiver's own API, against receivers that respond with 200.

use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use standin::record::{RecordKind, SettledExpectation, Verdict};

use crate::support::{
    ReceivedRequest, Receiver, Reply, RunOutcome, accept, play, standin_in, stderr, stdout,
};

/// Two messages, and what the receiver should have stored of them. The expectation is step 4.
fn story(expectation: &str) -> String {
    format!(
        "[[step]]\nopen = {{}}\n[[step]]\nsay = {{ by = 'visitor', text = 'Where is order 1?' }}\n\
         [[step]]\nafter = '1h'\nsay = {{ by = 'bot', text = 'On its way' }}\n[[step]]\n{expectation}\n"
    )
}

const STORED: &str = "eventually = { get = '/orders/1', within = '1500ms', \
                      body = { '/messages' = { length = 2 }, '/state' = 'open' } }";

/// How a receiver stores a message: the number of copies, and how long it takes.
type Store = fn(text: &str) -> (usize, Duration);

/// A receiver with an API of its own, which responds to every event with 200.
fn shop(store: Store) -> (Receiver, Arc<Mutex<Vec<String>>>) {
    let stored: Arc<Mutex<Vec<String>>> = Arc::default();
    let state = Arc::clone(&stored);
    let receiver = Receiver::responding(move |_, received| {
        let target = received.head.split(' ').nth(1).unwrap_or_default().to_owned();
        if received.head.starts_with("GET ") {
            let messages = state.lock().unwrap().clone();
            let order = json!({"messages": messages, "state": "open", "ticket": "T-9"});
            return match target.as_str() {
                "/orders/1" | "/tickets/T-9?full=1" => Reply::Status(200, order.to_string()),
                _ => Reply::Status(404, "{}".into()),
            };
        }
        if target.starts_with("/hooks") {
            store_texts(received, store, &state);
        }
        if target == "/start" {
            let body = json!({"started": received.json(), "key": received.header("X-Key")});
            return Reply::Status(201, body.to_string());
        }
        accept(received)
    });
    (receiver, stored)
}

fn store_texts(received: &ReceivedRequest, store: Store, state: &Arc<Mutex<Vec<String>>>) {
    let texts = ["Where is order 1?", "On its way"];
    let Some(text) = texts.into_iter().find(|text| received.body.contains(text)) else { return };
    // Several events of the vendor have the text.
    if !received.body.contains("message.posted")
        && state.lock().unwrap().iter().any(|one| one == text)
    {
        return;
    }
    let (copies, delay) = store(text);
    let copies = std::iter::repeat_n(text.to_owned(), copies);
    // Before the response, or a poll could see the copies of one text only.
    if delay.is_zero() {
        return state.lock().unwrap().extend(copies);
    }
    let state = Arc::clone(state);
    std::thread::spawn(move || {
        std::thread::sleep(delay);
        state.lock().unwrap().extend(copies);
    });
}

fn run(scenario: &str, receiver: &Receiver) -> RunOutcome {
    play(scenario).at("ebbot").to(receiver)
}

fn settled(played: &RunOutcome) -> SettledExpectation {
    let settled = played.find(|kind| match kind {
        RecordKind::ExpectationFinished(settled) => Some(settled.clone()),
        _ => None,
    });
    settled.unwrap()
}

#[test]
fn a_receiver_that_stores_every_message_once_passes() {
    let (receiver, _) = shop(|_| (1, Duration::from_millis(60)));
    let started = Instant::now();
    let played = run(&story(STORED), &receiver);
    assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished);
    assert_eq!((played.finished.expectations, played.finished.met), (1, 1));
    let settled = settled(&played);
    assert!(settled.result.requests > 1, "it stores late: {settled:?}");
    assert!(started.elapsed() < Duration::from_secs(20), "run time does not pass meanwhile");
}

#[test]
fn receivers_that_lose_or_repeat_messages_fail_with_the_reason() {
    let lost: Store = |_| (0, Duration::ZERO);
    let twice: Store = |_| (2, Duration::ZERO);
    let drops_one: Store = |text| (usize::from(text.starts_with('W')), Duration::ZERO);
    let late: Store = |_| (1, Duration::from_secs(120));
    for (store, found) in [(lost, 0), (twice, 4), (drops_one, 1), (late, 0)] {
        let (receiver, _) = shop(store);
        // Without the expectation, nobody notices.
        assert_eq!(
            run(&story("close = { by = 'bot' }"), &receiver).finished.verdict,
            Verdict::Passed
        );
        let (receiver, _) = shop(store);
        let played = run(&story(STORED), &receiver);
        assert_eq!(played.finished.verdict, Verdict::Failed);
        let reason = played.finished.reason.clone().unwrap();
        let url = receiver.url().replace("/hooks", "/orders/1");
        let expected = format!(
            "1 of 1 expectation not met. First: test.toml:9 `eventually` GET {url}: body `/messages`: \
             expected length 2, found length {found} ("
        );
        assert!(reason.starts_with(&expected), "{reason}");
        let settled = settled(&played);
        assert!(!settled.passed && settled.result.mismatches.len() == 1, "{settled:?}");
        assert!(settled.result.waited_ms >= 200, "{settled:?}");
    }
}

#[test]
fn a_last_request_without_a_response_does_not_hide_what_was_found() {
    let polls = Arc::new(Mutex::new(0));
    let receiver = Receiver::responding(move |_, received| {
        if !received.head.starts_with("GET ") {
            return accept(received);
        }
        let mut polls = polls.lock().unwrap();
        *polls += 1;
        let delay = if *polls > 1 { Duration::from_secs(4) } else { Duration::ZERO };
        Reply::Status(404, "{}".into()).after(delay)
    });
    let played = run(&story("eventually = { get = '/orders/1', within = '700ms' }"), &receiver);
    let settled = settled(&played);
    assert_eq!(settled.result.status, Some(404), "{settled:?}");
    assert_eq!(settled.result.requests, 2);
    assert!(settled.why.unwrap().contains("expected 2xx, found 404"));
}

#[test]
fn matchers_compare_with_the_values_of_placeholders() {
    let (receiver, _) = shop(|_| (1, Duration::ZERO));
    let steps = |ticket: &str| {
        story(&format!(
            "request = {{ post = '/start', json = {{ order = '${{vars.order}}' }}, want = {{ status = \
             ['201'], body = {{ '/started/order' = '${{vars.order}}' }} }} }}\ncapture = {{ order = \
             '/started/order' }}\nexample = {{ order = 1 }}\n[[step]]\neventually = {{ get = '/orders/1', \
             within = '200ms', body = {{ '/ticket' = 'T-${{captured.order}}', '/messages' = {{ contains = \
             'On its way' }} }} }}\n[[step]]\nwhen = {{ captured.order = '${{vars.order}}' }}\nsay = {{ \
             by = 'bot', text = 'The same' }}\n[[step]]\nwhen = {{ vars.order = {{ not = \
             '${{captured.order}}' }} }}\nsay = {{ by = 'bot', text = 'Another one' }}\n[vars]\norder = \
             {ticket}"
        ))
    };
    let played = run(&steps("9"), &receiver);
    assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished);
    let said = |text: &str| receiver.requests().iter().any(|one| one.body.contains(text));
    assert!(said("The same") && !said("Another one"));
    let reason = run(&steps("8"), &receiver).finished.reason.unwrap();
    assert!(reason.contains("body `/ticket`: expected \"T-8\", found \"T-9\""), "{reason}");
}

#[test]
fn a_condition_that_compares_with_a_missing_value_skips_its_step() {
    let (receiver, _) = shop(|_| (1, Duration::ZERO));
    let scenario = story(
        "when = { vars.order = 2 }\nrequest = { get = '/orders/1' }\ncapture = { ticket = '/ticket' }\n\
         example = { ticket = 'T-1' }\n[[step]]\nwhen = { vars.order = { not = '${captured.ticket}' } }\n\
         say = { by = 'bot', text = 'Another one' }\n[vars]\norder = 1",
    );
    let played = run(&scenario, &receiver);
    let reasons: Vec<String> = played
        .records
        .iter()
        .filter_map(|record| match &record.kind {
            RecordKind::ActionSkipped { reason, .. } => Some(reason.clone()),
            _ => None,
        })
        .collect();
    let expected = "`when` uses `captured.ticket`, which has no value";
    assert_eq!(reasons[1], expected, "{reasons:?}");
}

#[test]
fn values_in_a_path_add_no_segment_and_no_parameter() {
    let (receiver, _) = shop(|_| (1, Duration::ZERO));
    let scenario = story(
        "request = { get = '/found/${vars.key}?q=${vars.key}', want = { status = ['404'] } }\n\
         [vars]\nkey = 'a b/c?d=1&e#ü%'",
    );
    assert_eq!(run(&scenario, &receiver).finished.verdict, Verdict::Passed);
    let encoded = "a%20b%2Fc%3Fd%3D1%26e%23%C3%BC%25";
    let expected = format!("GET /found/{encoded}?q={encoded} HTTP/1.1");
    let heads: Vec<String> = receiver.requests().into_iter().map(|one| one.head).collect();
    assert!(heads.iter().any(|head| head.starts_with(&expected)), "{heads:?}");
}

#[test]
fn requests_and_captures_use_the_receivers_own_api() {
    let (receiver, _) = shop(|_| (1, Duration::ZERO));
    let scenario = story(
        "request = { post = '/start', json = { order = 1, note = '${fake.word}' }, \
         headers = { X-Key = 'k-${vars.key}' }, want = { status = ['201'], within = '5s', \
         body = { '/started/order' = 1, '/key' = 'k-7' } } }\n\
         [[step]]\neventually = { get = '/orders/1', body = { '/messages' = { length = 2 } } }\n\
         capture = { ticket = '/ticket' }\nexample = { ticket = 'T-1' }\n\
         [[step]]\neventually = { get = '/tickets/${captured.ticket}?full=1' }\n\
         [[step]]\nwhen = { captured.ticket = 'T-9' }\n\
         say = { by = 'bot', text = 'Your ticket is ${captured.ticket}' }\n[vars]\nkey = 7",
    );
    let played = run(&scenario, &receiver);
    assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished);
    assert_eq!(played.finished.met, 3);
    let said = receiver.requests().iter().any(|one| one.body.contains("Your ticket is T-9"));
    assert!(said);
}

#[test]
fn a_failed_request_is_sent_once_and_reported_field_by_field() {
    let (receiver, _) = shop(|_| (1, Duration::ZERO));
    let played = run(
        &story(
            "request = { post = '/start', json = { a = 1 }, want = { body = { '/started/a' = 2 } } }",
        ),
        &receiver,
    );
    assert_eq!(played.finished.verdict, Verdict::Failed);
    let why = settled(&played).why.unwrap();
    assert_eq!(why, "body `/started/a`: expected 2, found 1");
    let posts =
        receiver.requests().iter().filter(|one| one.head.starts_with("POST /start")).count();
    assert_eq!(posts, 1);

    let played = run(&story("request = { get = '/nothing' }"), &receiver);
    assert_eq!(settled(&played).why.unwrap(), "status: expected 2xx, found 404");
}

#[test]
fn a_missing_value_is_reported_once() {
    let (receiver, _) = shop(|_| (1, Duration::ZERO));
    let scenario = story(
        "eventually = { get = '/orders/1', within = '1500ms' }\ncapture = { number = '/number' }\n\
         example = { number = 1 }\n[[step]]\nsay = { by = 'bot', text = 'Number ${captured.number}' }",
    );
    let played = run(&scenario, &receiver);
    let reason = played.finished.reason.unwrap();
    assert!(
        reason.ends_with("body `/number`: expected a value for `number`, found nothing"),
        "{reason}"
    );
    assert_eq!(played.finished.skipped, 1);
}

/// Checks or runs a scenario with this expectation.
fn command(folder: &Path, expectation: &str, arguments: &[&str]) -> Output {
    std::fs::write(folder.join("story.toml"), story(expectation)).unwrap();
    standin_in(folder, arguments)
}

#[test]
fn the_summary_counts_expectations() {
    let folder = tempfile::tempdir().unwrap();
    let (receiver, _) = shop(|_| (1, Duration::ZERO));
    let arguments = ["run", "story.toml", "--vendor", "ebbot", "--to", &receiver.url()];
    let output = command(folder.path(), STORED, &arguments);
    let printed = stdout(&output);
    assert!(printed.contains("deliveries passed, 1 of 1 expectation met ("), "{printed}");
}

#[test]
fn a_scenario_reaches_no_origin_that_nobody_granted() {
    let folder = tempfile::tempdir().unwrap();
    let [(receiver, _), (other, _)] = [(); 2].map(|()| shop(|_| (1, Duration::ZERO)));
    let to = receiver.url();
    let port = other.url().rsplit(':').next().unwrap().split('/').next().unwrap().to_owned();
    for target in [
        format!("http://127.0.0.1:{port}/orders/1"),
        format!("//127.0.0.1:{port}/orders/1"),
        format!("/\\\\127.0.0.1:{port}/orders/1"),
        format!("http:\\\\127.0.0.1:{port}/orders/1"),
        format!("http://localhost@127.0.0.1:{port}/orders/1"),
        format!("http://[::ffff:127.0.0.1]:{port}/orders/1"),
        format!("http://2130706433:{port}/orders/1"),
        format!("HTTP://127.0.0.1:{port}/orders/1"),
        format!("http://127.0.0.1%3a{port}/orders/1"),
        "http://${vars.host}/orders/1".to_owned(),
        "${vars.host}/orders/1".to_owned(),
        "file:///etc/passwd".to_owned(),
        "orders/1".to_owned(),
    ] {
        let expectation = format!("eventually = {{ get = \"{target}\" }}\n[vars]\nhost = 'x'");
        let run = ["run", "story.toml", "--vendor", "ebbot", "--to", &to];
        let output = command(folder.path(), &expectation, &run);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{target}: {text}");
        assert!(text.contains("E092") || text.contains("E080"), "{target}: {text}");
    }
    assert_eq!(other.count(), 0);
}

#[test]
fn granted_origins_are_reached() {
    let folder = tempfile::tempdir().unwrap();
    let (receiver, _) = shop(|_| (1, Duration::ZERO));
    let (other, _) = shop(|_| (1, Duration::ZERO));
    let (to, origin) = (receiver.url(), other.url().replace("/hooks", ""));
    let expectation = format!("eventually = {{ get = '{origin}/orders/1' }}");
    let granted =
        ["run", "story.toml", "--vendor", "ebbot", "--to", &to, "--allow-origin", &origin];
    let output = command(folder.path(), &expectation, &granted);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains(&format!("✓ eventually GET {origin}/orders/1 1 request")));
    assert_eq!(other.count(), 1);
    let config = format!("allow_origin = [\"{origin}\"]\n");
    std::fs::write(folder.path().join("standin.toml"), config).unwrap();
    let output = command(folder.path(), &expectation, &granted[..6]);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
}

#[test]
fn neither_redirects_nor_values_lead_to_another_origin() {
    let (other, _) = shop(|_| (1, Duration::ZERO));
    let target = other.url().replace("/hooks", "/orders/1");
    let evil = format!("//{}", target.trim_start_matches("http://"));
    let receiver = Receiver::responding(move |_, received| {
        if received.head.starts_with("GET /moved") {
            let head =
                format!("HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n");
            return Reply::Raw(head.into_bytes());
        }
        Reply::Status(200, json!({"path": evil}).to_string())
    });
    let played = run(&story("eventually = { get = '/moved', within = '1500ms' }"), &receiver);
    let why = settled(&played).why.unwrap();
    assert!(why.contains("found 302 with a redirect to ") && why.contains("not followed"), "{why}");

    let scenario = story("eventually = { get = '/${captured.path}', within = '1500ms' }").replace(
        "[[step]]\nafter",
        "capture = { path = '/path' }\nexample = { path = 'x' }\n[[step]]\nafter",
    );
    let played = run(&scenario, &receiver);
    let url = settled(&played).request.url.unwrap();
    assert!(url.starts_with(&receiver.url().replace("/hooks", "/%2F%2F")), "{url}");
    assert_eq!(other.count(), 0);
}

#[test]
fn blocked_addresses_stay_blocked() {
    let folder = tempfile::tempdir().unwrap();
    let (receiver, _) = shop(|_| (1, Duration::ZERO));
    let to = receiver.url();
    for (origin, why) in
        [("http://169.254.169.254", "link-local"), ("http://93.184.216.34", "a public address")]
    {
        let expectation = format!("eventually = {{ get = '{origin}/latest', within = '5s' }}");
        let granted =
            ["run", "story.toml", "--vendor", "ebbot", "--to", &to, "--allow-origin", origin];
        let output = command(folder.path(), &expectation, &granted);
        assert_eq!(output.status.code(), Some(1));
        assert!(stdout(&output).contains(why), "{}", stdout(&output));
    }
}

#[test]
fn a_resumed_run_does_not_repeat_a_request() {
    let folder = tempfile::tempdir().unwrap();
    let (receiver, _) = shop(|_| (1, Duration::ZERO));
    let to = receiver.url();
    let expectation = "request = { post = '/start', json = { a = 1 } }\n\
                       capture = { started = '/started/a' }\nexample = { started = 5 }\n\
                       [[step]]\nsay = { by = 'bot', text = 'Started ${captured.started}' }\n\
                       [[step]]\nclose = { by = 'bot' }";
    let arguments =
        ["run", "story.toml", "--vendor", "ebbot", "--to", &to, "--journal", "j.db", "--resume"];
    std::fs::write(folder.path().join("story.toml"), story(expectation)).unwrap();
    let crash = std::process::Command::new(env!("CARGO_BIN_EXE_standin"))
        .args(arguments)
        .current_dir(folder.path())
        .env("STANDIN_CRASH_AT", "finishing")
        .output()
        .unwrap();
    assert!(!crash.status.success());
    let output = standin_in(folder.path(), &arguments);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    let requests = receiver.requests();
    let count = |text: &str| requests.iter().filter(|one| one.head.starts_with(text)).count();
    assert_eq!(count("POST /start"), 1);
    assert!(requests.iter().any(|one| one.body.contains("Started 1")));
    let records = standin_in(folder.path(), &["journal", "export", "j.db", "2"]);
    let text = stdout(&records);
    let finished = text.lines().find(|line| line.contains("expectation.finished")).unwrap();
    let json: Json = serde_json::from_str(finished).unwrap();
    assert_eq!(json["data"]["result"]["captured"], json!({"started": 1}));
    let doctor = standin_in(folder.path(), &["journal", "doctor", "j.db"]);
    assert!(doctor.status.success(), "{}", stdout(&doctor));
}

#[test]
fn a_deadline_interrupts_an_expectation() {
    let (receiver, _) = shop(|_| (0, Duration::ZERO));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("story.toml"), story(&STORED.replace("1500ms", "10m")))
        .unwrap();
    let started = Instant::now();
    let to = receiver.url();
    let deadline = ["run", "story.toml", "--vendor", "ebbot", "--to", &to, "--deadline", "500ms"];
    let output = standin_in(folder.path(), &deadline);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(stdout(&output).contains("stopped at the deadline"), "{}", stdout(&output));
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn an_expectation_waits_for_a_delivery_that_a_fault_delays() {
    let (receiver, _) = shop(|_| (1, Duration::ZERO));
    let last = "text = 'On its way' }\n";
    let scenario = story(STORED).replace(last, &format!("{last}fault = 'delay:2s'\n"));
    let played = run(&scenario, &receiver);
    assert_eq!(played.finished.met, 1, "{:?}", played.finished);
}
