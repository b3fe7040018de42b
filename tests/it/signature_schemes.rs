//! The signature schemes of common webhook senders, as vendor folders in `tests/vendors`, each
//! compared with the test vector that the scheme's owner publishes.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::json;
use standin::config::Config;
use standin::diag::render::render;
use standin::diag::{Problems, Source};
use standin::platform::{Account, RequestFacts, Signing, VendorRef, Verifier};
use standin::record::{EventFacts, Verdict};

use crate::support::{
    ReceivedRequest, Receiver, Reply, catalog, configured, path, play, standin, stdout,
};

const STORY: &str = "[[step]]\nopen = {}\n[[step]]\nsay = { by = 'visitor', text = 'Hej å' }\n";

/// The account at a vendor with these settings of the configuration.
fn account(vendor: &str, settings: &str) -> Result<Account, Problems> {
    let text = format!("[vendor.{vendor}]\n{settings}\n");
    let config = Config::read(Some(&Source::new("own.toml", text))).unwrap();
    let platform = catalog().load(&VendorRef::parse(vendor)).unwrap();
    let mut problems = Problems::new();
    let account = Account::configured(&platform, None, config.vendors.get(vendor), &mut problems);
    problems.into_result(Some(account))
}

/// The headers of an event request, by lower-case name.
fn headers(account: &Account, body: &str, second: i64, id: &str) -> BTreeMap<String, String> {
    let sent_at = jiff::Timestamp::from_second(second).unwrap();
    let ids = json!({"id": id, "delivery": id}).as_object().unwrap().clone();
    let event = EventFacts { event_type: "test".into(), at: sent_at, ids };
    let request = RequestFacts::of_event(body, 1, sent_at, Some(&event));
    let headers = Signing::of(account).headers(&request);
    headers.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect()
}

#[test]
fn github_signatures_match_the_documented_example() {
    // docs.github.com, "Validating webhook deliveries".
    let account =
        account("forge", "secret = { webhook = \"It's a Secret to Everybody\" }").unwrap();
    let sent = headers(&account, "Hello, World!", 0, "");
    assert_eq!(
        sent["x-hub-signature-256"],
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    );
}

#[test]
fn slack_signatures_match_the_documented_example() {
    // docs.slack.dev, "Verifying requests from Slack".
    let secret = "secret = { signing = '8f742231b10e8888abcd99yyyzzz85a5' }";
    let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
                &channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner\
                &command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com\
                %2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
                &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let sent = headers(&account("hive", secret).unwrap(), body, 1_531_420_618, "");
    assert_eq!(sent["x-hive-request-timestamp"], "1531420618");
    assert_eq!(
        sent["x-hive-signature"],
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    );
}

#[test]
fn standard_webhooks_signatures_match_the_reference_vector() {
    // The test vector of the reference libraries of Standard Webhooks.
    let secret = "secret = { signing = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }";
    let account = account("courier", secret).unwrap();
    let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    let sent = headers(&account, "{\"test\": 2432232314}", 1_614_265_330, id);
    assert_eq!(sent["webhook-id"], id);
    assert_eq!(sent["webhook-timestamp"], "1614265330");
    assert_eq!(sent["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn stripe_signatures_match_the_vector_of_its_libraries() {
    // The event, secret and signature in the tests of Stripe's client libraries.
    let body = "{\n  \"id\": \"evt_123\",\n  \"object\": \"event\",\n  \"account\": \"acct_123\",\n  \
                \"api_version\": \"2017-05-25\",\n  \"created\": 1533204620,\n  \"data\": {\n    \
                \"object\": {\n      \"id\": \"ii_123\",\n      \"object\": \"invoiceitem\",\n      \
                \"amount\": 1000,\n      \"currency\": \"usd\",\n      \"customer\": \"cus_123\",\n      \
                \"date\": 1533204620,\n      \"description\": \"Test Invoice Item\",\n      \
                \"discountable\": false,\n      \"invoice\": \"in_123\",\n      \"livemode\": false,\n      \
                \"metadata\": {},\n      \"period\": {\n        \"start\": 1533204620,\n        \
                \"end\": 1533204620\n      },\n      \"proration\": false,\n      \"quantity\": 3\n    \
                }\n  },\n  \"livemode\": false,\n  \"pending_webhooks\": 1,\n  \"request\": {\n    \
                \"id\": \"req_123\",\n    \"idempotency_key\": \"idempotency-key-123\"\n  },\n  \
                \"type\": \"invoiceitem.created\"\n}\n";
    let account = account("till", "secret = { endpoint = 'webhook_secret' }").unwrap();
    assert_eq!(
        headers(&account, body, 1_533_204_620, "")["till-signature"],
        "t=1533204620,v1=82216eca827bcb7b34b8055eb2d2d9e6bc13b9ac39ded14a61e69f70c565f53a"
    );
}

#[test]
fn two_keys_sign_during_a_rotation() {
    let rotating = account("till", "option = { rotation = 'on' }").unwrap();
    let sent = headers(&rotating, "{}", 5, "");
    let signature = |secret: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, rotating.secrets[secret].expose().as_bytes());
        hex::encode(hmac::sign(&key, b"5.{}"))
    };
    let (current, previous) = (signature("endpoint"), signature("previous"));
    assert_eq!(sent["till-signature"], format!("t=5,v1={current},v1={previous}"));

    let rotating = account("courier", "option = { rotation = 'on' }").unwrap();
    let sent = headers(&rotating, "{}", 5, "msg_1");
    let signature = |secret: &str| {
        let key = rotating.secrets[secret].expose().strip_prefix("whsec_").unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(key).unwrap());
        STANDARD.encode(hmac::sign(&key, b"msg_1.5.{}"))
    };
    let (current, previous) = (signature("signing"), signature("previous"));
    assert_eq!(sent["webhook-signature"], format!("v1,{current} v1,{previous}"));
}

/// The bundled receiver's verification of a request.
fn failed_checks(account: &Account, received: &ReceivedRequest) -> Vec<String> {
    let report = Verifier::of(account).verify(&received.body, &|name| received.header(name));
    let failed = report.checks.into_iter().filter_map(|check| Some((check.name, check.error?)));
    failed.map(|(name, error)| format!("{name}: {error}")).collect()
}

#[test]
fn the_bundled_receiver_verifies_every_scheme() {
    for (vendor, option) in [
        ("courier", None),
        ("courier", Some("on")),
        ("till", Some("on")),
        ("forge", None),
        ("hive", None),
    ] {
        let settings = option.map(|value| format!("option = {{ rotation = '{value}' }}"));
        let account = Arc::new(account(vendor, &settings.unwrap_or_default()).unwrap());
        let verifying = Arc::clone(&account);
        let receiver = Receiver::responding(move |_, received| {
            let verifier = Verifier::of(&verifying);
            let report = verifier.verify(&received.body, &|name| received.header(name));
            match report.handshake {
                _ if !report.checks.iter().all(|check| check.error.is_none()) => {
                    Reply::Status(401, "{}".into())
                }
                Some(body) => Reply::Status(200, body),
                None => Reply::good(),
            }
        });
        let mut run = play(STORY).at(vendor);
        if let Some(value) = option {
            run = run.option("rotation", value);
        }
        let played = run.to(&receiver);
        assert_eq!(played.finished.verdict, Verdict::Passed, "{vendor}: {:?}", played.finished);
        let mut received = receiver.requests().pop().unwrap();
        received.body.push(' ');
        assert!(!failed_checks(&account, &received).is_empty(), "{vendor}");
    }
}

#[test]
fn each_attempt_states_its_own_time_and_the_id_of_its_event() {
    let receiver = Receiver::responding(|number, _| match number {
        0 => Reply::Status(503, "later".into()),
        _ => Reply::good(),
    });
    let played = play(STORY).at("courier").to(&receiver);
    assert_eq!(played.finished.verdict, Verdict::Passed);
    let header = |name: &str| -> Vec<String> {
        receiver.requests().iter().map(|received| received.header(name).unwrap()).collect()
    };
    let (ids, times) = (header("webhook-id"), header("webhook-timestamp"));
    assert_eq!(ids.len(), 4);
    assert!(ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
    let seconds: Vec<i64> = times.iter().map(|time| time.parse().unwrap()).collect();
    assert_eq!(seconds[1] - seconds[0], 5, "the delay of the retry: {times:?}");
}

#[test]
fn a_challenge_is_new_in_each_run_and_must_come_back() {
    let challenge = |seed: u64| {
        let receiver =
            Receiver::responding(|_, received| match received.json()["challenge"].as_str() {
                Some(challenge) => Reply::Status(200, challenge.to_owned()),
                None => Reply::good(),
            });
        let played = play(STORY).at("hive").seed(seed).to(&receiver);
        assert_eq!(played.finished.verdict, Verdict::Passed);
        receiver.requests()[0].json()["challenge"].as_str().unwrap().to_owned()
    };
    assert_eq!(challenge(1), challenge(1));
    let first = challenge(1);
    assert_ne!(first, challenge(2));
    let receiver = Receiver::responding(move |_, _| Reply::Status(200, first.clone()));
    let played = play(STORY).at("hive").seed(2).to(&receiver);
    assert_eq!((played.finished.verdict, played.finished.deliveries), (Verdict::Failed, 0));
}

#[test]
fn a_fresh_redelivery_states_the_time_at_which_it_is_sent() {
    let receiver = Receiver::accepting();
    let folder = configured("");
    let journal = folder.path().join("runs.journal");
    let journal = journal.to_str().unwrap();
    let vendors = path("tests/vendors");
    let vendors = vendors.to_str().unwrap();
    let url = receiver.url();
    let story = folder.path().join("story.toml");
    std::fs::write(&story, STORY).unwrap();
    let story = story.to_str().unwrap();
    let run = ["--templates", vendors, "run", story, "--vendor", "courier", "--to", &url];
    stdout(&standin(&[&run[..], &["--journal", journal]].concat()));
    let again = ["--templates", vendors, "journal", "redeliver", journal, "1-1", "--to", &url];
    stdout(&standin(&again));
    stdout(&standin(&[&again[..], &["--fresh"]].concat()));
    // The first request is the one that is sent again. The message of the visitor follows it.
    let mut received = receiver.requests();
    received.drain(1..3);
    let header = |name: &str| -> Vec<String> {
        received.iter().map(|received| received.header(name).unwrap()).collect()
    };
    let (ids, times) = (header("webhook-id"), header("webhook-timestamp"));
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "{ids:?}");
    assert!(times[0] == times[1] && times[1] != times[2], "{times:?}");
    let account = account("courier", "").unwrap();
    for request in &received {
        assert_eq!(failed_checks(&account, request), Vec::<String>::new());
    }
}

#[test]
fn a_configured_key_in_another_encoding_is_an_error() {
    let problems = account("courier", "secret = { signing = 'whsec_no base64' }").unwrap_err();
    let told = render(problems);
    assert!(told.contains("the secret `signing` is not valid base64"), "{told}");
    assert!(!told.contains("no base64'"), "{told}");
}

#[test]
fn each_webhook_of_one_action_has_its_own_event_id() {
    let receiver = Receiver::accepting();
    play(STORY).at("courier").to(&receiver);
    let header = |received: &ReceivedRequest| received.header("webhook-id").unwrap();
    let mut ids: Vec<String> = receiver.requests().iter().map(header).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "opened, answered, created: {ids:?}");
}
