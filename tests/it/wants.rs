//! `want` and `[verify]`: requirements for responses, against receivers that respond with 2xx.

use std::time::Duration;

use standin::record::{RecordKind, SettledDelivery, Verdict};

use crate::support::{Receiver, Reply, RunOutcome, configured, play, standin_in, stdout};

/// Two messages. The second one is step 3, on line 5, and has these keys in addition.
fn story(keys: &str) -> String {
    format!(
        "[[step]]\nopen = {{}}\n[[step]]\nsay = {{ by = 'visitor', text = 'One' }}\n\
         [[step]]\nsay = {{ by = 'visitor', text = 'Two' }}\n{keys}\n"
    )
}

fn run(scenario: &str, receiver: &Receiver) -> RunOutcome {
    play(scenario).at("parlour").to(receiver)
}

fn settled(played: &RunOutcome) -> Vec<SettledDelivery> {
    let settled = played.records.iter().filter_map(|record| match &record.kind {
        RecordKind::DeliverySettled(settled) => Some(settled.clone()),
        _ => None,
    });
    settled.collect()
}

/// The reason why the only failed delivery failed; nothing if all passed.
fn why(scenario: &str, receiver: &Receiver) -> Option<String> {
    let played = run(scenario, receiver);
    let failed: Vec<_> = settled(&played).into_iter().filter(|settled| !settled.passed).collect();
    let verdict = if failed.is_empty() { Verdict::Passed } else { Verdict::Failed };
    assert_eq!(played.finished.verdict, verdict, "{:?}", played.finished);
    assert!(failed.len() <= 1, "{failed:?}");
    failed.into_iter().next().map(|settled| settled.why.unwrap())
}

fn raw(headers: &str, body: &str) -> Reply {
    let length = body.len();
    let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
    Reply::Raw(text.into_bytes())
}

#[test]
fn a_requirement_can_compare_with_variables() {
    let receiver =
        Receiver::responding_to_events(|_, _| Reply::Status(200, "{\"order\": 7}".into()));
    let want = |order: u32| {
        format!(
            "want = {{ body = {{ '/order' = '${{vars.order}}', '' = {{ not = {{ contains = \
             '${{vars.order}} ' }} }} }} }}\n[vars]\norder = {order}"
        )
    };
    assert_eq!(why(&story(&want(7)), &receiver), None);
    let expected = "`want` of step 3: body `/order`: expected 8, found 7";
    assert_eq!(why(&story(&want(8)), &receiver).as_deref(), Some(expected));
}

#[test]
fn a_receiver_that_responds_200_and_not_ok_fails_the_step() {
    let receiver =
        Receiver::responding_to_events(|_, _| Reply::Status(200, "{\"ok\": false}".into()));
    assert_eq!(why(&story(""), &receiver), None);
    let played =
        run(&story("want = { body = { '/ok' = true, '/id' = { absent = false } } }"), &receiver);
    let failed: Vec<_> = settled(&played).into_iter().filter(|settled| !settled.passed).collect();
    assert_eq!(failed.len(), 1);
    assert!(failed[0].accepted);
    let expected = "`want` of step 3: body `/ok`: expected true, found false; \
                    body `/id`: expected a value, found nothing";
    assert_eq!(failed[0].why.as_deref(), Some(expected));
    let reason = played.finished.reason.unwrap();
    assert!(reason.contains("test.toml:6 ") && reason.contains(expected), "{reason}");
}

#[test]
fn every_matcher_of_the_body_holds_or_names_what_it_found() {
    let body = "{\"n\": 7, \"big\": 12345678901234567890, \"f\": 1.50, \"s\": \"T-7 é\", \
                \"l\": [1, \"b\", {\"c\": 2}], \"o\": {\"a/b\": null}, \"null\": null}";
    let receiver = Receiver::responding_to_events(move |_, _| Reply::Status(200, body.into()));
    let found =
        |matcher: &str| why(&story(&format!("want = {{ body = {{ {matcher} }} }}")), &receiver);
    for holds in [
        "'/n' = 7",
        "'/n' = 7.0",
        "'/f' = 1.5",
        "'/n' = { gt = 6, lt = 7.5 }",
        "'/big' = { gt = 9007199254740993 }",
        "'/s' = { contains = '7', regex = '^T-\\d+ .$', length = 5 }",
        "'/l' = [1, 'b', { c = 2 }]",
        "'/l' = { contains = 'b', length = 3 }",
        "'/l/2/c' = { one_of = [1, 2] }",
        "'/o' = { length = 1 }",
        "'/o/a~1b' = { absent = true }",
        "'/null' = { absent = true }",
        "'/x' = { absent = true }",
        "'' = { length = 7 }",
    ] {
        assert_eq!(found(holds), None, "{holds}");
    }
    for (fails, expected) in [
        ("'/n' = '7'", "body `/n`: expected \"7\", found 7"),
        ("'/n' = { gt = 7 }", "body `/n`: expected more than 7, found 7"),
        ("'/s' = { lt = 7 }", "body `/s`: expected less than 7, found \"T-7 é\""),
        (
            "'/s' = { contains = 'x', length = 4 }",
            "body `/s`: expected a value that contains \"x\", found \"T-7 é\"; \
          body `/s`: expected length 4, found length 5 (\"T-7 é\")",
        ),
        ("'/s' = { regex = '^\\d' }", "body `/s`: expected a match of `^\\d`, found \"T-7 é\""),
        ("'/n' = { regex = '7' }", "body `/n`: expected a match of `7`, found 7"),
        ("'/l' = [1]", "body `/l`: expected [1], found [1,\"b\",{\"c\":2}]"),
        ("'/l/9' = 1", "body `/l/9`: expected 1, found nothing"),
        ("'/null' = { absent = false }", "body `/null`: expected a value, found null"),
        ("'/n' = { absent = true }", "body `/n`: expected no value, found 7"),
        ("'/n' = { one_of = [1, 'a'] }", "body `/n`: expected one of 1, \"a\", found 7"),
    ] {
        assert_eq!(found(fails), Some(format!("`want` of step 3: {expected}")), "{fails}");
    }
}

#[test]
fn a_body_that_is_not_json_does_not_match() {
    let respond = |body: &'static str| {
        Receiver::responding_to_events(move |_, _| Reply::Status(200, body.into()))
    };
    let (ok, absent) =
        ("want = { body = { '/ok' = true } }", "want = { body = { '/ok' = { absent = true } } }");
    let expected = "`want` of step 3: body: expected JSON, found \"OK\"";
    for want in [ok, absent] {
        assert_eq!(why(&story(want), &respond("OK")).as_deref(), Some(expected));
    }
    assert_eq!(why(&story(absent), &respond("")), None);
    let found = why(&story(ok), &respond("")).unwrap();
    assert_eq!(found, "`want` of step 3: body `/ok`: expected true, found nothing");
}

#[test]
fn headers_match_by_name_whatever_their_case() {
    let receiver = Receiver::responding_to_events(|_, _| {
        raw("content-type: application/json\r\nX-Left: 12\r\nVary: a\r\nvary: b\r\n", "{}")
    });
    let found =
        |matcher: &str| why(&story(&format!("want = {{ headers = {{ {matcher} }} }}")), &receiver);
    for holds in [
        "Content-Type = { contains = 'json' }",
        "X-Left = 12",
        "X-Left = '12'",
        "x-left = { gt = 11 }",
        "Vary = 'a, b'",
        "X-Error = { absent = true }",
    ] {
        assert_eq!(found(holds), None, "{holds}");
    }
    let expected = "`want` of step 3: header `X-Left`: expected less than 12, found \"12\"";
    assert_eq!(found("X-Left = { lt = 12 }").as_deref(), Some(expected));
    let expected = "`want` of step 3: header `X-Id`: expected \"a\", found nothing";
    assert_eq!(found("X-Id = 'a'").as_deref(), Some(expected));
}

#[test]
fn a_slow_receiver_fails_by_real_time() {
    let receiver = Receiver::responding_to_events(|_, received| {
        let is_slow = received.body.contains("Two");
        Reply::good().after(Duration::from_millis(if is_slow { 400 } else { 0 }))
    });
    let verify = format!("[verify]\nwithin = '300ms'\n{}", story(""));
    let found = why(&verify, &receiver).unwrap();
    assert!(
        found.starts_with("`[verify]`: response time: expected at most 300ms, found 4"),
        "{found}"
    );
    let found = why(&story("want = { within = '300ms' }"), &receiver).unwrap();
    assert!(
        found.starts_with("`want` of step 3: response time: expected at most 300ms"),
        "{found}"
    );
    // The requirement of the step replaces that of the scenario.
    let own = format!("[verify]\nwithin = '300ms'\n{}", story("want = { within = '20s' }"));
    assert_eq!(why(&own, &receiver), None);
    // A fault can delay the request itself.
    let faulty =
        format!("[verify]\nwithin = '1ms'\n{}", "[faults]\nevery = 'slow_body'\n") + &story("");
    let played = run(&faulty, &receiver);
    assert!(settled(&played).iter().all(|settled| settled.passed), "{:?}", played.finished);
}

#[test]
fn attempts_are_counted_with_the_first_one() {
    let receiver = || {
        let seen = std::sync::atomic::AtomicBool::new(false);
        Receiver::responding_to_events(move |_, received| {
            let is_first = received.body.contains("Two")
                && !seen.swap(true, std::sync::atomic::Ordering::SeqCst);
            Reply::Status(if is_first { 503 } else { 200 }, "{}".into())
        })
    };
    assert_eq!(why(&story(""), &receiver()), None);
    assert_eq!(why(&story("want = { attempts = 2 }"), &receiver()), None);
    let found = why(&story("want = { attempts = 1 }"), &receiver()).unwrap();
    assert_eq!(found, "`want` of step 3: attempts: expected 1, found 2");
}

#[test]
fn a_status_of_a_step_replaces_verify_and_the_reaction_to_a_fault() {
    let receiver = Receiver::responding_to_events(|_, received| {
        Reply::Status(if received.body.contains("Two") { 410 } else { 200 }, "{}".into())
    });
    for want in ["want = { status = ['410'] }", "want = { status = ['4xx'] }\nfault = 'duplicate'"]
    {
        assert_eq!(why(&story(want), &receiver), None, "{want}");
    }
    let found =
        why(&story("want = { status = ['401'] }\nfault = 'wrong_token'"), &receiver).unwrap();
    assert_eq!(found, "`want` of step 3: status 410, expected 401");
    let accepting = Receiver::accepting();
    let found = why(&story("want = { status = ['409'] }"), &accepting).unwrap();
    assert_eq!(found, "`want` of step 3: status 200, expected 409");
}

#[test]
fn a_want_of_a_step_that_sends_nothing_is_reported_as_untested() {
    let receiver = Receiver::accepting();
    let story = "[[step]]\nopen = {}\nwant = { body = { '/ok' = true } }\nonly = ['erxes']\n\
                 [[step]]\nopen = {}\n";
    let untested = run(story, &receiver).finished.untested;
    assert!(
        untested.contains(&"`want` of step 1: nothing was sent for it".to_owned()),
        "{untested:?}"
    );
    let receiver =
        Receiver::responding_to_events(|_, _| Reply::Status(200, "{\"ok\": true}".into()));
    let story = "[[step]]\nopen = {}\nwant = { body = { '/ok' = true } }\n";
    let untested = run(story, &receiver).finished.untested;
    assert!(!untested.iter().any(|untested| untested.contains("want")), "{untested:?}");
}

#[test]
fn a_redelivery_has_to_meet_the_want_of_its_step() {
    let receiver =
        Receiver::responding_to_events(|_, _| Reply::Status(200, "{\"ok\": false}".into()));
    let folder = tempfile::tempdir().unwrap();
    let text = story("want = { within = '20s', body = { '/ok' = { one_of = [true, 1] } } }");
    std::fs::write(folder.path().join("story.toml"), text).unwrap();
    let url = receiver.url();
    let standin = |arguments: &[&str]| standin_in(folder.path(), arguments);
    let run = ["run", "story.toml", "--vendor", "ebbot", "--to", &url, "--journal", "j.db"];
    let output = standin(&run);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    let deliveries = receiver.count();
    let last = format!("1-{deliveries}");
    let output = standin(&["journal", "redeliver", "j.db", &last]);
    let expected = "`want` of step 3: body `/ok`: expected one of true, 1, found false";
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(stdout(&output).contains(expected), "{}", stdout(&output));
    let output = standin(&["journal", "redeliver", "j.db", "1-1"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
}

#[test]
fn a_secret_in_a_want_is_restored_for_a_redelivery() {
    let secret = "s3cr3t-Canary-0123456789";
    let folder = configured(&format!("[vendor.wotnot]\nsecret = {{ token = \"{secret}\" }}\n"));
    let text = story(&format!("want = {{ body = {{ '/token' = '{secret}' }} }}"));
    std::fs::write(folder.path().join("story.toml"), text).unwrap();
    let receiver = Receiver::responding_to_events(move |number, _| {
        let is_redelivery = number > 3;
        let token = if is_redelivery { "another" } else { secret };
        Reply::Status(200, format!("{{\"token\": \"{token}\"}}"))
    });
    let url = receiver.url();
    let standin = |arguments: &[&str]| standin_in(folder.path(), arguments);
    let run = ["run", "story.toml", "--vendor", "wotnot", "--to", &url, "--journal", "j.db"];
    let output = standin(&[&run[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(!stdout(&output).contains("Canary"), "{}", stdout(&output));
    let last = format!("1-{}", receiver.events().len());
    assert!(receiver.count() <= 4, "{}", receiver.count());
    while receiver.count() < 4 {
        standin(&["journal", "redeliver", "j.db", "1-1", "--run", "1"]);
    }
    let output = standin(&["journal", "redeliver", "j.db", &last, "--run", "1"]);
    let told = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("body `/token`: expected \"${secret.token}\", found"), "{told}");
}
