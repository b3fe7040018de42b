//! Faults: what a receiver sees of each, what a good one does about it, and how it is judged.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Output;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value as Json;
use standin::fault::{FaultGroup, FaultKind};
use standin::platform::Account;
use standin::record::{AttemptOutcome, RecordKind, SettledDelivery, Verdict};

use crate::support::{
    Background, Came, Played, Receiver, Reply, agree, configured, holds, path, play, standin,
    standin_in, stderr, stdout, vendors,
};

const WORDS: [&str; 4] = ["alpha", "beta/böta", "gamma", "delta"];

/// A conversation of four messages, the second of which has this fault.
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

fn wanted(fault: &str) -> String {
    story(&format!("\"{fault}\""))
}

/// The types by which the visitor's messages are told.
fn messages(vendor: &str) -> &'static [&'static str] {
    match vendor {
        "liveperson" => &["*.ContentEvent"],
        "ebbot" => &["chat.user.message"],
        _ => &["message"],
    }
}

fn at(vendor: &str, scenario: &str, receiver: &Receiver) -> Played {
    play(scenario).at(vendor).subscribing(messages(vendor)).to(receiver)
}

/// The words in the order in which they came.
fn words(came: &[Came]) -> Vec<usize> {
    let word = |came: &Came| {
        let is_in = |word: &&str| came.body.contains(&word[..4]);
        WORDS.iter().position(is_in).unwrap() + 1
    };
    came.iter().map(word).collect()
}

fn good(vendor: &'static str) -> Receiver {
    let vendor = vendors().into_iter().find(|own| own.id == vendor).unwrap();
    let account = Account::test(&vendor);
    Receiver::to_events(move |_, came| {
        let receipt = account.verify(&came.body, &|name| came.header(name));
        Reply::Status(if receipt.passed() { 200 } else { 401 }, "{}".into())
    })
}

fn settled(played: &Played, fault: &str) -> Vec<SettledDelivery> {
    let settled = played.records.iter().filter_map(|record| match &record.kind {
        RecordKind::DeliverySettled(settled) if settled.faults.to_string().contains(fault) => {
            Some(settled.clone())
        }
        _ => None,
    });
    settled.collect()
}

#[test]
fn deliveries_come_in_the_order_that_is_wanted() {
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
            let receiver = good(vendor);
            let played = at(vendor, &wanted(fault), &receiver);
            let mut came = words(&receiver.events());
            if fault == "hold:3" {
                came.sort_unstable(); // they come all at once
            }
            assert_eq!(came, expected, "{fault} at {vendor}");
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
fn a_duplicate_is_a_delivery_of_its_own_and_a_retry_is_not() {
    let receiver = Receiver::agreeing();
    let ids = |fault: &str| -> Vec<(String, u32)> {
        let played = at("ebbot", &wanted(fault), &receiver);
        settled(&played, fault).iter().map(|s| (s.delivery.clone(), s.attempts)).collect()
    };
    assert_eq!(ids("duplicate"), [("1-2.again".to_owned(), 1)]);
    assert_eq!(ids("stale"), [("1-2.stale".to_owned(), 1)]);
    assert_eq!(ids("retry"), [("1-2".to_owned(), 2)]);
}

#[test]
fn what_comes_at_once_does_not_wait_for_answers() {
    for (fault, at_once) in [("hold:3", 3), ("duplicate:5ms", 2), ("duplicate", 1), ("reorder", 1)]
    {
        let receiver = Receiver::to_events(|_, _| Reply::good().after(Duration::from_millis(200)));
        let played = at("ebbot", &wanted(fault), &receiver);
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
fn what_is_late_is_late_by_the_seed() {
    let receiver = Receiver::agreeing();
    let started = |fault: &str, seed: u64| -> Vec<(String, Timestamp)> {
        let scenario = wanted(fault);
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
fn no_good_receiver_lets_a_wrong_token_or_signature_in() {
    let tokens = FaultKind::ALL.iter().filter(|kind| kind.group() == FaultGroup::Token);
    for kind in tokens.copied() {
        for vendor in ["liveperson", "wotnot", "swiftsell", "parlour"] {
            let scenario = wanted(kind.word());
            if vendor != "liveperson" && vendor != "parlour" && kind == FaultKind::ReSerialised {
                continue; // they sign nothing
            }
            let receiver = good(vendor);
            let played = play(&scenario).at(vendor).to(&receiver);
            let told = format!("{kind} at {vendor}: {:?}", played.finished);
            assert_eq!(played.finished.verdict, Verdict::Passed, "{told}");
            let refused = settled(&played, kind.word());
            assert!(!refused.is_empty(), "{told}");
            assert!(
                refused.iter().all(|s| s.result.status == Some(401) && s.attempts == 1),
                "{told}"
            );
            assert_eq!(played.count(|what| matches!(what, RecordKind::AuthHint(_))), 0, "{told}");

            let played = play(&scenario).at(vendor).to(&Receiver::agreeing());
            assert_eq!(played.finished.verdict, Verdict::Failed, "{kind} at {vendor}");
            let reason = played.finished.reason.unwrap();
            let told = format!(
                "with the fault `{kind}`: status 200; a correct receiver refuses it with 4xx"
            );
            assert!(reason.contains(&told), "{reason}");
        }
    }
}

#[test]
fn a_wrong_token_is_wrong_in_its_own_way() {
    let signature = |fault: &str| {
        let receiver = Receiver::agreeing();
        let scenario = if fault.is_empty() { story("") } else { wanted(fault) };
        at("liveperson", &scenario, &receiver);
        receiver.events()[1].header("X-Liveperson-Signature")
    };
    let right = signature("").unwrap();
    assert_eq!(signature("no_token"), None);
    let wrong = signature("wrong_token").unwrap();
    assert_eq!(wrong.len(), right.len());
    assert_eq!(wrong.chars().zip(right.chars()).filter(|(one, other)| one != other).count(), 1);
    assert_eq!(signature("truncated_token").unwrap(), right[..right.len() / 2]);
    assert_ne!(signature("foreign_token").unwrap(), right);
    assert_ne!(signature("re_serialised").unwrap(), right);
}

#[test]
fn nearly_the_users_own_token_is_not_shown_either() {
    let secret = "s3cr3t-Canary-0123456789";
    let config = format!("[vendor.wotnot]\nsecret = {{ token = \"{secret}\" }}\n");
    let folder = configured(&config);
    let receiver = Receiver::to_events(|_, _| Reply::Status(401, "{}".into()));
    let to = receiver.url();
    for fault in ["wrong_token", "truncated_token", "no_token", "foreign_token"] {
        std::fs::write(folder.path().join("story.toml"), wanted(fault)).unwrap();
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
    let came = receiver.came();
    assert!(
        came.iter().any(|came| came.head.contains("s3cr3t-Canar") && !came.head.contains(secret))
    );
}

#[test]
fn bodies_are_wrong_as_wanted_and_are_signed_as_they_are() {
    let body = |scenario: &str| {
        let receiver = good("liveperson");
        let played = at("liveperson", scenario, &receiver);
        assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished.reason);
        let came = receiver.events();
        (came[1].clone(), came.len())
    };
    let (plain, many) = body(&story(""));
    let faulty = |fault: &str| {
        let (came, again) = body(&wanted(fault));
        assert_eq!(again, many, "{fault}");
        assert_ne!(came.head.clone() + &came.body, plain.head.clone() + &plain.body, "{fault}");
        came
    };
    let charset = faulty("charset");
    assert_eq!(charset.json(), plain.json());
    assert!(charset.body.is_ascii() && !plain.body.is_ascii());
    assert!(charset.header("content-type").unwrap().ends_with("; charset=iso-8859-1"));
    let escaping = faulty("escaping");
    assert_eq!(escaping.json(), plain.json());
    assert!(escaping.body.contains("beta\\u002fb\\u00f6ta"), "{}", escaping.body);
    let event = |came: &Came| came.json().pointer("/body/changes/0/event/type").cloned();
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
fn a_receiver_that_breaks_at_a_wrong_body_fails() {
    let careless = || {
        Receiver::to_events(|_, came| {
            if came.body.contains("[[[[[") {
                Reply::Status(500, String::new())
            } else {
                Reply::good()
            }
        })
    };
    let played = at("ebbot", &wanted("deep:200"), &careless());
    let reason = played.finished.reason.unwrap();
    let told = "with the fault `deep:200`: status 500; a correct receiver answers anything but 5xx";
    assert!(reason.contains(told) && reason.contains("test.toml:8 "), "{reason}");
    let refuses = Receiver::to_events(|_, came| {
        Reply::Status(if came.body.contains("[[[[[") { 400 } else { 200 }, String::new())
    });
    let played = at("ebbot", &wanted("deep:200"), &refuses);
    assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished.reason);
}

#[test]
fn a_receiver_that_does_not_accept_a_duplicate_fails() {
    let seen = std::sync::Mutex::new(Vec::new());
    let strict = Receiver::to_events(move |_, came| {
        let mut seen = seen.lock().unwrap();
        let again = seen.contains(&came.body);
        seen.push(came.body.clone());
        Reply::Status(if again { 409 } else { 200 }, String::new())
    });
    let played = at("ebbot", &wanted("duplicate"), &strict);
    let reason = played.finished.reason.unwrap();
    assert!(reason.contains("with the fault `duplicate`: status 409"), "{reason}");
}

#[test]
fn the_table_of_faults_is_what_is_documented() {
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
            table += &format!("| `{}` | {} | {} |\n", kind.usual(), kind.about(), kind.expects());
        }
    }
    holds("docs/scenarios.md", "<!-- the faults; a test writes them -->\n", &table);
}

/// What came over one connection, and whether it ended in a reset.
struct Heard(String, bool);

/// A receiver that hears each connection until nothing more comes, and then answers.
fn overhear() -> (String, mpsc::Receiver<Heard>) {
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
            let _ = tell.send(Heard(String::from_utf8_lossy(&heard).into_owned(), reset));
        }
    });
    (url, told)
}

#[test]
fn requests_are_written_as_wrongly_as_wanted() {
    let plain = Receiver::agreeing();
    at("ebbot", &story(""), &plain);
    let body = plain.events()[1].body.clone();
    let check = |fault: &str, expected: &str, ends: &str, reset: bool, outcome: AttemptOutcome| {
        let (url, told) = overhear();
        let played = play(&wanted(fault)).at("ebbot").subscribing(messages("ebbot")).against(&url);
        let heard = told.iter().nth(1).unwrap();
        let (head, came) = heard.0.split_once("\r\n\r\n").unwrap();
        assert!(head.to_lowercase().contains(expected), "{fault}: {head}");
        assert_eq!((came, heard.1), (ends, reset), "{fault}");
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
fn the_wire_fails_once_and_what_is_tried_again_is_judged() {
    let receiver = good("liveperson");
    let playing = play(&wanted("reset")).at("liveperson").subscribing(messages("liveperson"));
    let played = playing.choosing("retention_time", "72h").to(&receiver);
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
fn faults_of_the_whole_script_are_drawn_from_the_seed() {
    let scenario = |one_in: u32| {
        format!(
            "[faults]\nevery = \"duplicate\"\none_in = {one_in}\n{}",
            story("[\"drop\"]").replace("name = \"faults\"\n", "")
        )
    };
    let sent = |one_in: u32, seed: u64| {
        let receiver = Receiver::agreeing();
        play(&scenario(one_in))
            .at("ebbot")
            .seed(seed)
            .subscribing(&["chat.user.message"])
            .to(&receiver);
        words(&receiver.events())
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
fn several_faults_meet_in_one_delivery() {
    let receiver = Receiver::answering(|_, came| agree(came));
    let played = at("wotnot", &story("[\"extra_field\", \"slow_body\", \"duplicate\"]"), &receiver);
    assert_eq!(played.finished.verdict, Verdict::Passed);
    let extra = receiver.events().iter().filter(|came| came.body.contains("standin_extra")).count();
    let doubled = settled(&played, "duplicate");
    assert_eq!(extra, doubled.len() * 2);
    assert_eq!(doubled[0].faults.to_string(), "extra_field, slow_body, duplicate");
}

#[test]
fn bodies_are_edited_before_they_are_nested_too_deep_and_spelled_at_last() {
    let receiver = Receiver::agreeing();
    at("ebbot", &story("[\"escaping\", \"deep:200\", \"unknown_type\"]"), &receiver);
    let body = receiver.events()[1].body.clone();
    assert!(body.contains("\"topic\":\"standin\\u002eunknown\""), "{body}");
    assert!(body.contains(&"[".repeat(200)), "{body}");
}

#[test]
fn what_is_late_on_purpose_is_not_too_old_to_be_sent() {
    for fault in ["straggler", "delay:30s", "reorder", "hold:4"] {
        let receiver = good("liveperson");
        let playing = play(&wanted(fault)).at("liveperson").subscribing(messages("liveperson"));
        let played = playing.choosing("retention_time", "2s").to(&receiver);
        assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished.reason);
        assert_eq!(receiver.events().len(), 4, "{fault}");
    }
}

#[test]
fn half_of_the_shortest_secret_is_nothing_to_look_for() {
    let folder = configured("[vendor.wotnot]\nsecret = { token = \"x\" }\n");
    std::fs::write(folder.path().join("story.toml"), wanted("truncated_token")).unwrap();
    let run = ["run", "story.toml", "--vendor", "wotnot", "--dry-run"];
    assert_eq!(standin_in(folder.path(), &run).status.code(), Some(0));
}

#[test]
fn what_was_wrong_is_as_wrong_when_it_is_sent_again() {
    let secret = "s3cr3t-Canary-0123456789";
    let folder = configured(&format!("[vendor.wotnot]\nsecret = {{ token = \"{secret}\" }}\n"));
    let receiver = Receiver::to_events(move |_, came| {
        Reply::Status(if came.head.contains(secret) { 200 } else { 401 }, "{}".into())
    });
    let to = receiver.url();
    let standin = |words: &[&str]| {
        let output = standin_in(folder.path(), words);
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        stdout(&output)
    };
    for fault in ["wrong_token", "truncated_token", "no_token", "foreign_token"] {
        std::fs::write(folder.path().join("story.toml"), wanted(fault)).unwrap();
        let journal = format!("{fault}.db");
        standin(&["run", "story.toml", "--vendor", "wotnot", "--to", &to, "--journal", &journal]);
        let came = |came: Vec<Came>| {
            came.last().map(|came| (came.header("authorization"), came.body.clone()))
        };
        let spoiled = receiver.events().into_iter().filter(|came| !came.head.contains(secret));
        let before = came(spoiled.collect());
        let id = id_of(&standin(&["journal", "export", &journal]), fault);
        for fresh in [&[][..], &["--fresh"]] {
            let again = ["journal", "redeliver", &journal, &id, "--run", "1"];
            let told = standin(&[&again[..], fresh].concat());
            assert_eq!(came(receiver.events()), before, "{fault} {fresh:?}");
            let told = told + &standin(&["journal", "export", &journal, "2"]);
            assert!(told.contains(fault) && !told.contains("s3cr3t-Canar"), "{told}");
        }
    }
}

/// The id of the delivery that was planned with a fault.
fn id_of(exported: &str, fault: &str) -> String {
    let records = exported.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    let planned = records.filter(|record| record["kind"] == "delivery.planned");
    let mut wrong = planned.filter(|record| record["data"]["faults"][0] == fault);
    wrong.next().unwrap()["data"]["delivery"].as_str().unwrap().to_owned()
}

#[test]
fn a_fault_is_told_as_wanted() {
    let folder = configured("");
    std::fs::write(folder.path().join("story.toml"), wanted("wrong_token")).unwrap();
    let receiver = good("wotnot");
    let to = receiver.url();
    let run = |more: &[&str]| {
        let words = ["run", "story.toml", "--vendor", "wotnot", "--to", &to];
        stdout(&standin_in(folder.path(), &[&words[..], more].concat()))
    };
    let told = run(&[]);
    assert!(told.contains("(wrong_token, on purpose)") && !told.contains('✗'), "{told}");
    let told = run(&["--dry-run"]);
    assert!(told.contains("with the fault wrong_token"), "{told}");
    std::fs::write(folder.path().join("drop.toml"), wanted("drop")).unwrap();
    let dry =
        ["run", "drop.toml", "--vendor", "ebbot", "--dry-run", "--events", "chat.user.message"];
    let dry = stdout(&standin_in(folder.path(), &dry));
    assert!(dry.contains("with the fault drop, so not at all"), "{dry}");
    assert!(dry.contains("3 requests, "), "{dry}");
    let told = run(&["--json"]);
    assert!(
        told.contains(r#""faults":["wrong_token"]"#) && told.contains(r#""faults":[]"#),
        "{told}"
    );
}

#[test]
fn a_vendor_without_a_token_is_left_out_and_another_is_played() {
    let folder = configured("");
    std::fs::write(folder.path().join("story.toml"), wanted("wrong_token")).unwrap();
    let receiver = good("wotnot");
    let to = receiver.url();
    let words = ["run", "story.toml", "--vendor", "ebbot", "--vendor", "wotnot", "--to", &to];
    let output = standin_in(folder.path(), &words);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(
        told.contains(
            "Ebbot is left out of story.toml: Ebbot sends neither a token nor a signature"
        ),
        "{told}"
    );
    let output =
        standin_in(folder.path(), &["run", "story.toml", "--vendor", "ebbot", "--to", &to]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("story.toml:7:9"), "{}", stderr(&output));
}

/// The bundled receiver for a vendor, and its address.
fn listening(vendor: &str) -> (Background, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut receiver = Background::start(folder.path(), &["listen", vendor, "--port", "0"]);
    let told = receiver.told_until("Ctrl-C ends it");
    let address = told.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    (receiver, address.to_owned())
}

#[test]
fn the_bundled_receiver_is_a_good_one_whatever_is_drawn() {
    for vendor in ["wotnot", "liveperson", "erxes"] {
        let (_receiver, to) = listening(vendor);
        for profile in ["gentle", "order", "auth", "payload"] {
            for seed in ["1", "2", "3"] {
                let run = ["run", "handover", "--vendor", vendor, "--to", &to, "--seed", seed];
                let output = standin(&[&run[..], &["--chaos", profile, "--quiet"]].concat());
                let told = stdout(&output) + &stderr(&output);
                assert_eq!(
                    output.status.code(),
                    Some(0),
                    "{profile} at {vendor}, seed {seed}: {told}"
                );
            }
        }
    }
}

#[test]
fn the_same_seed_draws_the_same_schedule() {
    let receiver = Receiver::agreeing();
    let to = receiver.url();
    let drawn = |profile: &str, seed: &str| {
        let run = ["run", "handover", "--vendor", "wotnot", "--to", &to, "--json"];
        let output = standin(&[&run[..], &["--chaos", profile, "--seed", seed]].concat());
        let started: Json = serde_json::from_str(stdout(&output).lines().next().unwrap()).unwrap();
        let chaos = &started["data"]["chaos"];
        assert_eq!(chaos["profile"], profile);
        chaos["schedule"].clone()
    };
    for profile in ["order", "auth"] {
        let schedules: Vec<Json> =
            (1..=4).map(|seed: u8| drawn(profile, &seed.to_string())).collect();
        assert_eq!(drawn(profile, "1"), schedules[0]);
        assert!(schedules.iter().all(|schedule| schedule[0]["step"].is_u64()), "{schedules:?}");
        assert!(schedules[1..].iter().any(|other| *other != schedules[0]), "{schedules:?}");
    }
}

#[test]
fn a_failed_run_shrinks_to_a_scenario_that_fails_the_same_way() {
    // A receiver that breaks at fields it does not know.
    let receiver = Receiver::to_events(|_, came| {
        Reply::Status(if came.body.contains("standin_") { 500 } else { 200 }, String::new())
    });
    let to = receiver.url();
    let inline = "# A story on one line.\nstep = [{ open = {} }, { say = { by = \"visitor\", text = \"One\" } }, { say = { by = \"visitor\", text = \"Two\" } }, { say = { by = \"visitor\", text = \"Three\" } }]\n";
    let handover = std::fs::read_to_string(path("scenarios/handover.toml")).unwrap();
    for (text, vendor) in [(handover.as_str(), "wotnot"), (inline, "ebbot")] {
        let folder = configured("");
        std::fs::write(folder.path().join("story.toml"), text).unwrap();
        let run = |file: &str, more: &[&str]| {
            let words = ["run", file, "--vendor", vendor, "--to", &to];
            standin_in(folder.path(), &[&words[..], more].concat())
        };
        let chaos = |seed: &str| {
            let words = ["--chaos", "payload", "--seed", seed, "--shrink", "least.toml"];
            run("story.toml", &words)
        };
        let failed = (1..=20).map(|seed: u8| (seed.to_string(), chaos(&seed.to_string())));
        let (seed, output) = failed.into_iter().find(|(_, o)| o.status.code() == Some(1)).unwrap();
        let told = stderr(&output);
        assert!(told.contains("shrunk ") && told.contains(" to 1 in "), "{told}");
        assert!(stdout(&output).contains("--chaos payload"), "{}", stdout(&output));
        let least = std::fs::read_to_string(folder.path().join("least.toml")).unwrap();
        assert_eq!(least.matches("fault = ").count(), 1, "{least}");
        let comments = |text: &str| text.lines().filter(|line| line.starts_with('#')).count();
        assert_eq!(comments(&least), comments(text) + 2, "{least}");
        let alone = run("least.toml", &["--seed", &seed]);
        assert_eq!(alone.status.code(), Some(1), "{}", stdout(&alone));
        let reason = |output: &Output| {
            let told = stdout(output);
            let reason = told.split("with the fault ").nth(1).unwrap_or_else(|| panic!("{told}"));
            reason.lines().next().unwrap().to_owned()
        };
        assert!(reason(&alone).contains("status 500"), "{}", reason(&alone));
        let again = chaos(&seed);
        assert_eq!(again.status.code(), Some(2), "what is there is not overwritten");
    }
}

#[test]
fn what_fails_without_any_fault_shrinks_to_none() {
    let receiver = Receiver::to_events(|_, _| Reply::Status(500, String::new()));
    let folder = configured("");
    let run =
        ["run", "handover", "--vendor", "ebbot", "--to", &receiver.url(), "--chaos", "gentle"];
    let output = standin_in(folder.path(), &[&run[..], &["--shrink", "least.toml"]].concat());
    assert!(stderr(&output).contains(" to 0 in 1 run: no fault"), "{}", stderr(&output));
    let least = std::fs::read_to_string(folder.path().join("least.toml")).unwrap();
    assert!(!least.contains("fault ="), "{least}");
}
