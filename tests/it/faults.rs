//! Faults: what a receiver gets, how a good one reacts, and how the reaction is judged.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value as Json;
use standin::fault::{FaultGroup, FaultKind};
use standin::platform::{Account, Verifier};
use standin::record::{AttemptOutcome, RecordKind, SettledDelivery, Verdict};

use crate::support::{
    ReceivedRequest, Receiver, Reply, RunOutcome, accept, assert_document_contains, configured,
    play, standin_in, stderr, stdout, vendors,
};

const WORDS: [&str; 4] = ["alpha", "beta/böta", "gamma", "delta"];

/// A conversation of four messages. The second one has this fault, if any.
fn story(fault: &str) -> String {
    let say = |word: &&str| {
        let fault = if *word == WORDS[1] && !fault.is_empty() {
            format!("fault = {fault}\n")
        } else {
            String::new()
        };
        format!("[[step]]\n{fault}say = {{ by = \"visitor\", text = \"{word}\" }}\n")
    };
    let said: String = WORDS.iter().map(say).collect();
    format!(
        "name = \"faults\"\n[[step]]\nopen = {{ assignee = \"bot\" }}\n{said}[[step]]\nclose = {{ by = \"bot\" }}\n"
    )
}

fn story_with_fault(fault: &str) -> String {
    story(&format!("\"{fault}\""))
}

/// The event types of the visitor's messages.
fn messages(vendor: &str) -> &'static [&'static str] {
    match vendor {
        "liveperson" => &["*.ContentEvent"],
        "ebbot" => &["chat.user.message"],
        _ => &["message"],
    }
}

fn play_messages(vendor: &str, scenario: &str, receiver: &Receiver) -> RunOutcome {
    play(scenario).at(vendor).subscribing(messages(vendor)).to(receiver)
}

/// The numbers of the words in the order in which they were received.
fn word_numbers(received: &[ReceivedRequest]) -> Vec<usize> {
    let word = |received: &ReceivedRequest| {
        let is_in = |word: &&str| received.body.contains(&word[..4]);
        WORDS.iter().position(is_in).unwrap() + 1
    };
    received.iter().map(word).collect()
}

fn verifying_receiver(vendor: &'static str) -> Receiver {
    let vendor = vendors().into_iter().find(|own| own.id == vendor).unwrap();
    let account = Account::test(&vendor);
    Receiver::responding_to_events(move |_, received| {
        let receipt = Verifier::of(&account).verify(&received.body, &|name| received.header(name));
        Reply::Status(if receipt.passed() { 200 } else { 401 }, "{}".into())
    })
}

fn settled(played: &RunOutcome, fault: &str) -> Vec<SettledDelivery> {
    let settled = played.records.iter().filter_map(|record| match &record.kind {
        RecordKind::DeliverySettled(settled) if settled.faults.to_string().contains(fault) => {
            Some(settled.clone())
        }
        _ => None,
    });
    settled.collect()
}

#[test]
fn order_faults_change_the_order_as_requested() {
    for (fault, expected) in [
        ("duplicate", &[1, 2, 2, 3, 4][..]),
        ("duplicate:5ms", &[1, 2, 2, 3, 4]),
        ("retry", &[1, 2, 2, 3, 4]),
        ("reorder", &[1, 3, 2, 4]),
        ("delay:2s", &[1, 3, 4, 2]),
        ("hold:3", &[1, 2, 3, 4]),
        ("drop", &[1, 3, 4]),
        ("straggler", &[1, 3, 4, 2]),
        ("stale", &[1, 2, 1, 3, 4]),
    ] {
        for vendor in ["ebbot", "liveperson"] {
            let receiver = verifying_receiver(vendor);
            let played = play_messages(vendor, &story_with_fault(fault), &receiver);
            let mut received = word_numbers(&receiver.events());
            if fault == "hold:3" {
                received.sort_unstable(); // they arrive simultaneously
            }
            assert_eq!(received, expected, "{fault} at {vendor}");
            let tried_again = usize::from(fault == "retry");
            let right = usize::try_from(played.finished.passed).unwrap();
            assert_eq!(right + tried_again, expected.len(), "{fault} at {vendor}");
            assert_eq!(
                played.finished.verdict,
                Verdict::Passed,
                "{fault}: {:?}",
                played.finished.reason
            );
            let expected = if fault == "hold:3" { 3 } else { 1 };
            assert_eq!(settled(&played, fault).len(), expected, "{fault} at {vendor}");
        }
    }
}

#[test]
fn a_duplicate_is_a_separate_delivery_and_a_retry_is_not() {
    let receiver = Receiver::accepting();
    let ids = |fault: &str| -> Vec<(String, u32)> {
        let played = play_messages("ebbot", &story_with_fault(fault), &receiver);
        settled(&played, fault).iter().map(|s| (s.delivery.clone(), s.attempts)).collect()
    };
    assert_eq!(ids("duplicate"), [("1-2.again".to_owned(), 1)]);
    assert_eq!(ids("stale"), [("1-2.stale".to_owned(), 1)]);
    assert_eq!(ids("retry"), [("1-2".to_owned(), 2)]);
}

#[test]
fn simultaneous_deliveries_do_not_wait_for_responses() {
    for (fault, at_once) in [("hold:3", 3), ("duplicate:5ms", 2), ("duplicate", 1), ("reorder", 1)]
    {
        let receiver =
            Receiver::responding_to_events(|_, _| Reply::good().after(Duration::from_millis(200)));
        let played = play_messages("ebbot", &story_with_fault(fault), &receiver);
        let (mut under_way, mut most) = (0_usize, 0);
        for record in &played.records {
            match &record.kind {
                RecordKind::AttemptStarted { .. } => under_way += 1,
                RecordKind::AttemptFinished { .. } => under_way -= 1,
                _ => {}
            }
            most = most.max(under_way);
        }
        assert_eq!(most, at_once, "{fault}");
    }
}

#[test]
fn the_seed_determines_delays() {
    let receiver = Receiver::accepting();
    let started = |fault: &str, seed: u64| -> Vec<(String, Timestamp)> {
        let scenario = story_with_fault(fault);
        let playing = play(&scenario).at("ebbot").seed(seed).subscribing(messages("ebbot"));
        let played = playing.to(&receiver);
        let started = played.records.into_iter().filter_map(|record| match record.kind {
            RecordKind::AttemptStarted { delivery, .. } => Some((delivery, record.run_time)),
            _ => None,
        });
        started.collect()
    };
    for fault in ["straggler", "delay:2s", "reorder"] {
        let first = started(fault, 1);
        assert_eq!(started(fault, 1), first, "{fault}");
        assert_ne!(started(fault, 2), first, "{fault}");
        assert_eq!(first.len(), 4, "{fault}");
    }
    let times = started("delay:2s", 1);
    let [first, .., late] = &times[..] else { panic!("{times:?}") };
    let seconds = late.1.duration_since(first.1).as_secs_f64();
    assert!(late.0 == "1-2" && (2.0..2.1).contains(&seconds), "{times:?}");
}

#[test]
fn a_good_receiver_refuses_wrong_tokens_and_signatures() {
    let tokens = FaultKind::ALL.iter().filter(|kind| kind.group() == FaultGroup::Token);
    for kind in tokens.copied() {
        for vendor in ["liveperson", "wotnot", "swiftsell", "parlour"] {
            let scenario = story_with_fault(kind.as_str());
            if vendor != "liveperson" && vendor != "parlour" && kind == FaultKind::ReSerialised {
                continue; // these vendors have no signature
            }
            let receiver = verifying_receiver(vendor);
            let played = play(&scenario).at(vendor).to(&receiver);
            let told = format!("{kind} at {vendor}: {:?}", played.finished);
            assert_eq!(played.finished.verdict, Verdict::Passed, "{told}");
            let refused = settled(&played, kind.as_str());
            assert!(!refused.is_empty(), "{told}");
            assert!(
                refused.iter().all(|s| s.result.status == Some(401) && s.attempts == 1),
                "{told}"
            );
            assert_eq!(played.count(|what| matches!(what, RecordKind::AuthHint(_))), 0, "{told}");

            let played = play(&scenario).at(vendor).to(&Receiver::accepting());
            assert_eq!(played.finished.verdict, Verdict::Failed, "{kind} at {vendor}");
            let reason = played.finished.reason.unwrap();
            let told = "): status 200; a correct receiver rejects it with 400, 401, 403 or 422";
            assert!(reason.contains(told), "{reason}");
            assert!(reason.contains(&format!("with the fault `{kind}` (delivery ")), "{reason}");
        }
    }
}

#[test]
fn each_token_fault_changes_the_token_differently() {
    let signature = |fault: &str| {
        let receiver = Receiver::accepting();
        let scenario = if fault.is_empty() { story("") } else { story_with_fault(fault) };
        play_messages("liveperson", &scenario, &receiver);
        receiver.events()[1].header("X-Liveperson-Signature")
    };
    let right = signature("").unwrap();
    assert_eq!(signature("no_token"), None);
    let wrong = signature("wrong_token").unwrap();
    assert_eq!(wrong.len(), right.len());
    assert_eq!(wrong.chars().zip(right.chars()).filter(|(one, other)| one != other).count(), 1);
    assert_eq!(signature("truncated_token").unwrap(), right[..right.len() / 2]);
    assert_ne!(signature("foreign_token").unwrap(), right);
    // The body is in another style, so that this signature does not match it.
    assert_eq!(signature("re_serialised").unwrap(), right);
}

#[test]
fn an_altered_secret_is_redacted_too() {
    let secret = "s3cr3t-Canary-0123456789";
    let config = format!("[vendor.wotnot]\nsecret = {{ token = \"{secret}\" }}\n");
    let folder = configured(&config);
    let receiver = Receiver::responding_to_events(|_, _| Reply::Status(401, "{}".into()));
    let to = receiver.url();
    for fault in ["wrong_token", "truncated_token", "no_token", "foreign_token"] {
        std::fs::write(folder.path().join("story.toml"), story_with_fault(fault)).unwrap();
        for told in ["--json", "-v", "--dry-run"] {
            let output = standin_in(
                folder.path(),
                &["run", "story.toml", "--vendor", "wotnot", "--to", &to, told],
            );
            let text = stdout(&output) + &stderr(&output);
            assert!(text.contains(fault), "{text}");
            assert!(!text.contains("s3cr3t-Canar"), "{fault} {told}: {text}");
        }
    }
    let received = receiver.requests();
    assert!(
        received
            .iter()
            .any(|received| received.head.contains("s3cr3t-Canar")
                && !received.head.contains(secret))
    );
}

#[test]
fn body_faults_change_the_body_before_it_is_signed() {
    let body = |scenario: &str| {
        let receiver = verifying_receiver("liveperson");
        let played = play_messages("liveperson", scenario, &receiver);
        assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished.reason);
        let received = receiver.events();
        (received[1].clone(), received.len())
    };
    let (plain, many) = body(&story(""));
    let faulty = |fault: &str| {
        let (received, again) = body(&story_with_fault(fault));
        assert_eq!(again, many, "{fault}");
        assert_ne!(
            received.head.clone() + &received.body,
            plain.head.clone() + &plain.body,
            "{fault}"
        );
        received
    };
    let charset = faulty("charset");
    assert_eq!(charset.json(), plain.json());
    assert!(charset.body.is_ascii() && !plain.body.is_ascii());
    assert!(charset.header("content-type").unwrap().ends_with("; charset=iso-8859-1"));
    let escaping = faulty("escaping");
    assert_eq!(escaping.json(), plain.json());
    assert!(escaping.body.contains("beta\\u002fb\\u00f6ta"), "{}", escaping.body);
    let event =
        |received: &ReceivedRequest| received.json().pointer("/body/changes/0/event/type").cloned();
    assert_eq!(event(&faulty("unknown_type")), Some("standin.unknown".into()));
    assert_eq!(faulty("extra_field").json()["standin_extra"], "nobody documented this");
    let missing = faulty("missing_field").json();
    assert_eq!(missing.as_object().unwrap().len() + 1, plain.json().as_object().unwrap().len());
    assert_eq!(missing, faulty("missing_field").json(), "the seed decides what is missing");
    let huge = faulty("huge:100KiB");
    let text = "/body/changes/0/event/message";
    assert_eq!(huge.json().pointer(text).unwrap().as_str().unwrap().len(), 100 * 1024);
    assert!(faulty("deep:200").body.contains(&format!("\"standin_deep\":{}", "[".repeat(200))));
}

#[test]
fn a_receiver_that_crashes_on_a_faulty_body_fails() {
    let careless = || {
        Receiver::responding_to_events(|_, received| {
            if received.body.contains("[[[[[") {
                Reply::Status(500, String::new())
            } else {
                Reply::good()
            }
        })
    };
    let played = play_messages("ebbot", &story_with_fault("deep:200"), &careless());
    let reason = played.finished.reason.unwrap();
    let told = "): status 500; a correct receiver responds with anything but 5xx";
    assert!(reason.contains(told) && reason.contains("test.toml:8 "), "{reason}");
    assert!(reason.contains("with the fault `deep:200` (delivery "), "{reason}");
    let refuses = Receiver::responding_to_events(|_, received| {
        Reply::Status(if received.body.contains("[[[[[") { 400 } else { 200 }, String::new())
    });
    let played = play_messages("ebbot", &story_with_fault("deep:200"), &refuses);
    assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished.reason);
}

#[test]
fn a_receiver_that_refuses_a_duplicate_fails() {
    let seen = std::sync::Mutex::new(Vec::new());
    let strict = Receiver::responding_to_events(move |_, received| {
        let mut seen = seen.lock().unwrap();
        let again = seen.contains(&received.body);
        seen.push(received.body.clone());
        Reply::Status(if again { 409 } else { 200 }, String::new())
    });
    let played = play_messages("ebbot", &story_with_fault("duplicate"), &strict);
    let reason = played.finished.reason.unwrap();
    assert!(reason.contains("with the fault `duplicate` (delivery "), "{reason}");
    assert!(reason.contains("): status 409"), "{reason}");
}

#[test]
fn the_documented_table_of_faults_is_current() {
    let mut table = String::from("| fault | what is wrong | a good receiver |\n|---|---|---|\n");
    for group in FaultGroup::ALL.iter().filter(|group| **group != FaultGroup::Receiver) {
        let about = match group {
            FaultGroup::Order => "when it goes out",
            FaultGroup::Token => "token or signature",
            FaultGroup::Body => "body",
            _ => "how its first attempt is written",
        };
        table += &format!("| **{about}** | | |\n");
        for kind in FaultKind::ALL.iter().filter(|kind| kind.group() == *group) {
            table += &format!(
                "| `{}` | {} | {} |\n",
                kind.with_default_amount(),
                kind.description(),
                kind.expected_reaction()
            );
        }
    }
    assert_document_contains(
        "docs/scenarios.md",
        "<!-- the faults; a test writes them -->\n",
        &table,
    );
}

/// The bytes received over one connection, and whether it was reset.
struct ReceivedBytes(String, bool);

/// A receiver that reads each connection until no more bytes arrive, then responds.
fn recording_receiver() -> (String, mpsc::Receiver<ReceivedBytes>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            stream.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
            let (mut heard, mut chunk, mut reset) = (Vec::new(), [0; 4096], false);
            loop {
                match stream.read(&mut chunk) {
                    Ok(0) => break,
                    Ok(count) => heard.extend_from_slice(&chunk[..count]),
                    Err(error) => {
                        reset = error.kind() == ErrorKind::ConnectionReset;
                        break;
                    }
                }
            }
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = tell.send(ReceivedBytes(String::from_utf8_lossy(&heard).into_owned(), reset));
        }
    });
    (url, told)
}

#[test]
fn wire_faults_change_the_request_as_requested() {
    let plain = Receiver::accepting();
    play_messages("ebbot", &story(""), &plain);
    let body = plain.events()[1].body.clone();
    let check = |fault: &str, expected: &str, ends: &str, reset: bool, outcome: AttemptOutcome| {
        let (url, told) = recording_receiver();
        let played =
            play(&story_with_fault(fault)).at("ebbot").subscribing(messages("ebbot")).against(&url);
        let heard = told.iter().nth(1).unwrap();
        let (head, received) = heard.0.split_once("\r\n\r\n").unwrap();
        assert!(head.to_lowercase().contains(expected), "{fault}: {head}");
        assert_eq!((received, heard.1), (ends, reset), "{fault}");
        let result = &settled(&played, fault)[0].result;
        assert_eq!(result.outcome, outcome, "{fault}: {result:?}");
        assert_eq!(
            played.finished.verdict,
            Verdict::Passed,
            "{fault}: {:?}",
            played.finished.reason
        );
    };
    let length = |more: isize| format!("content-length: {}", body.len().wrapping_add_signed(more));
    let half = String::from_utf8_lossy(&body.as_bytes()[..body.len() / 2]).into_owned();
    check("body_cut", &length(0), &half, false, AttemptOutcome::Responded);
    check("length:+1", &length(1), &body, false, AttemptOutcome::Responded);
    check("length:-1", &length(-1), &body, false, AttemptOutcome::Responded);
    check("slow_body", &length(0), &body, false, AttemptOutcome::Responded);
    check("reset", &length(0), &half, true, AttemptOutcome::Reset);
    let (one, other) = body.as_bytes().split_at(body.len() / 2);
    let chunk = |part: &[u8]| format!("{:x}\r\n{}\r\n", part.len(), String::from_utf8_lossy(part));
    let chunks = format!("{}{}0\r\n\r\n", chunk(one), chunk(other));
    check("chunked", "transfer-encoding: chunked", &chunks, false, AttemptOutcome::Responded);
}

#[test]
fn a_wire_fault_affects_one_attempt_and_the_retry_is_judged() {
    let receiver = verifying_receiver("liveperson");
    let playing =
        play(&story_with_fault("reset")).at("liveperson").subscribing(messages("liveperson"));
    let played = playing.option("retention_time", "72h").to(&receiver);
    let [settled] = &settled(&played, "reset")[..] else { panic!("{:?}", played.finished) };
    assert_eq!((settled.attempts, settled.result.status), (2, Some(200)));
    assert_eq!(played.finished.verdict, Verdict::Passed);
    let actions = played.records.iter().filter_map(|record| match &record.kind {
        RecordKind::AttemptStarted { delivery, faults, .. } if *delivery == settled.delivery => {
            Some(faults.to_string())
        }
        _ => None,
    });
    assert_eq!(actions.collect::<Vec<_>>(), ["reset", ""]);
}

#[test]
fn faults_of_the_whole_script_depend_on_the_seed() {
    let scenario = |one_in: u32| {
        format!(
            "[faults]\nevery = \"duplicate\"\none_in = {one_in}\n{}",
            story("[\"drop\"]").replace("name = \"faults\"\n", "")
        )
    };
    let sent = |one_in: u32, seed: u64| {
        let receiver = Receiver::accepting();
        play(&scenario(one_in))
            .at("ebbot")
            .seed(seed)
            .subscribing(&["chat.user.message"])
            .to(&receiver);
        word_numbers(&receiver.events())
    };
    assert_eq!(sent(1, 1), [1, 1, 3, 3, 4, 4], "a step's own fault takes its place");
    let drawn: Vec<_> = (1..=8).map(|seed| sent(2, seed)).collect();
    assert_eq!(drawn, (1..=8).map(|seed| sent(2, seed)).collect::<Vec<_>>());
    assert!(
        drawn.iter().any(|words| words.len() > 3) && drawn.iter().any(|words| words.len() < 6),
        "{drawn:?}"
    );
}

#[test]
fn several_faults_can_affect_one_delivery() {
    let receiver = Receiver::responding(|_, received| accept(received));
    let played = play_messages(
        "wotnot",
        &story("[\"extra_field\", \"slow_body\", \"duplicate\"]"),
        &receiver,
    );
    assert_eq!(played.finished.verdict, Verdict::Passed);
    let extra =
        receiver.events().iter().filter(|received| received.body.contains("standin_extra")).count();
    let doubled = settled(&played, "duplicate");
    assert_eq!(extra, doubled.len() * 2);
    assert_eq!(doubled[0].faults.to_string(), "extra_field, slow_body, duplicate");
}

#[test]
fn body_faults_apply_in_a_fixed_order() {
    let receiver = Receiver::accepting();
    play_messages("ebbot", &story("[\"escaping\", \"deep:200\", \"unknown_type\"]"), &receiver);
    let body = receiver.events()[1].body.clone();
    assert!(body.contains("\"topic\":\"standin\\u002eunknown\""), "{body}");
    assert!(body.contains(&"[".repeat(200)), "{body}");
}

#[test]
fn a_delayed_delivery_does_not_expire() {
    for fault in ["straggler", "delay:30s", "reorder", "hold:4"] {
        let receiver = verifying_receiver("liveperson");
        let playing =
            play(&story_with_fault(fault)).at("liveperson").subscribing(messages("liveperson"));
        let played = playing.option("retention_time", "2s").to(&receiver);
        assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished.reason);
        assert_eq!(receiver.events().len(), 4, "{fault}");
    }
}

#[test]
fn a_short_secret_can_be_cut_in_half() {
    let folder = configured("[vendor.wotnot]\nsecret = { token = \"abcd\" }\n");
    std::fs::write(folder.path().join("story.toml"), story_with_fault("truncated_token")).unwrap();
    let run = ["run", "story.toml", "--vendor", "wotnot", "--dry-run"];
    assert_eq!(standin_in(folder.path(), &run).status.code(), Some(0));
}

#[test]
fn redeliver_repeats_the_faults() {
    let secret = "s3cr3t-Canary-0123456789";
    let folder = configured(&format!("[vendor.wotnot]\nsecret = {{ token = \"{secret}\" }}\n"));
    let receiver = Receiver::responding_to_events(move |_, received| {
        Reply::Status(if received.head.contains(secret) { 200 } else { 401 }, "{}".into())
    });
    let to = receiver.url();
    let standin = |words: &[&str]| {
        let output = standin_in(folder.path(), words);
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        stdout(&output)
    };
    for fault in ["wrong_token", "truncated_token", "no_token", "foreign_token"] {
        std::fs::write(folder.path().join("story.toml"), story_with_fault(fault)).unwrap();
        let journal = format!("{fault}.db");
        standin(&["run", "story.toml", "--vendor", "wotnot", "--to", &to, "--journal", &journal]);
        let received = |received: Vec<ReceivedRequest>| {
            received
                .last()
                .map(|received| (received.header("authorization"), received.body.clone()))
        };
        let spoiled =
            receiver.events().into_iter().filter(|received| !received.head.contains(secret));
        let before = received(spoiled.collect());
        let id = id_of(&standin(&["journal", "export", &journal]), fault);
        for fresh in [&[][..], &["--fresh"]] {
            let again = ["journal", "redeliver", &journal, &id, "--run", "1"];
            let told = standin(&[&again[..], fresh].concat());
            assert_eq!(received(receiver.events()), before, "{fault} {fresh:?}");
            let told = told + &standin(&["journal", "export", &journal, "2"]);
            assert!(told.contains(fault) && !told.contains("s3cr3t-Canar"), "{told}");
        }
    }
}

/// The id of the delivery with a fault.
fn id_of(exported: &str, fault: &str) -> String {
    let records = exported.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    let planned = records.filter(|record| record["kind"] == "delivery.planned");
    let mut wrong = planned.filter(|record| record["data"]["faults"][0] == fault);
    wrong.next().unwrap()["data"]["delivery"].as_str().unwrap().to_owned()
}

#[test]
fn a_fault_is_reported_with_its_delivery() {
    let folder = configured("");
    std::fs::write(folder.path().join("story.toml"), story_with_fault("wrong_token")).unwrap();
    let receiver = verifying_receiver("wotnot");
    let to = receiver.url();
    let run = |more: &[&str]| {
        let words = ["run", "story.toml", "--vendor", "wotnot", "--to", &to];
        stdout(&standin_in(folder.path(), &[&words[..], more].concat()))
    };
    let told = run(&[]);
    assert!(told.contains("(injected fault: wrong_token)") && !told.contains('✗'), "{told}");
    let told = run(&["--dry-run"]);
    assert!(told.contains("injected fault: wrong_token"), "{told}");
    std::fs::write(folder.path().join("drop.toml"), story_with_fault("drop")).unwrap();
    let dry =
        ["run", "drop.toml", "--vendor", "ebbot", "--dry-run", "--events", "chat.user.message"];
    let dry = stdout(&standin_in(folder.path(), &dry));
    assert!(dry.contains("injected fault: drop, not sent"), "{dry}");
    assert!(dry.contains("3 requests, "), "{dry}");
    let told = run(&["--json"]);
    assert!(
        told.contains(r#""faults":["wrong_token"]"#) && told.contains(r#""faults":[]"#),
        "{told}"
    );
}

#[test]
fn a_vendor_without_a_token_is_skipped_for_token_faults() {
    let folder = configured("");
    std::fs::write(folder.path().join("story.toml"), story_with_fault("wrong_token")).unwrap();
    let receiver = verifying_receiver("wotnot");
    let to = receiver.url();
    let words = ["run", "story.toml", "--vendor", "ebbot", "--vendor", "wotnot", "--to", &to];
    let output = standin_in(folder.path(), &words);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(
        told.contains(
            "scenario `story.toml` cannot run at ebbot: Ebbot sends neither a token nor a signature"
        ),
        "{told}"
    );
    let output =
        standin_in(folder.path(), &["run", "story.toml", "--vendor", "ebbot", "--to", &to]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("story.toml:7:9"), "{}", stderr(&output));
}
