//! The Town Office of `tests/vendors`: limits of fields, conditions of events, retries that block,
//! surveys. What it shows is observed at the receiver, in the API or on the command line.

use std::fs;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};
use standin::diag::Source;
use standin::record::{AttemptOutcome, RecordKind, Verdict};
use standin::scenario;

use crate::support::{
    ApiResponse, LiveApi, Receiver, Reply, RunOutcome, code, path, play, request, standin,
    standin_in, stderr, stdout, wait_for_events,
};

/// The event types that a story sends, and their bodies.
fn sent(steps: &str) -> Vec<(String, Json)> {
    let receiver = Receiver::accepting();
    let cast = "[cast.kim]\nrole = 'agent'\n[cast.lee]\nrole = 'agent'\n";
    play(&format!("{cast}[[step]]\nopen = {{ channel = 'counter', assignee = 'kim' }}\n{steps}"))
        .at("office")
        .to(&receiver);
    let named = |body: Json| (body["what"].as_str().unwrap().to_owned(), body);
    receiver.events().iter().skip(1).map(|event| named(event.json())).collect()
}

fn types(sent: &[(String, Json)]) -> Vec<&str> {
    sent.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn conditions_tell_actors_labels_and_dialogs_apart() {
    let events = sent(
        "[[step]]\nnote = { by = 'kim', text = 'urgent' }\n\
         [[step]]\nnote = { by = 'lee', text = 'not urgent' }\n\
         [[step]]\ntyping = { by = 'visitor' }\n\
         [[step]]\ntyping = { by = 'kim' }\n\
         [[step]]\nlabel = { by = 'kim', add = ['lamp'] }\n\
         [[step]]\nlabel = { by = 'kim', remove = ['lamp'] }\n\
         [[step]]\nset = { scope = 'visitor', variables = { case = 'mine', lamps = 3 } }\n\
         [[step]]\nsay = { by = 'visitor', text = 'thank you' }\n\
         [[step]]\nafter = '1m'\nclose = { by = 'kim', survey = true }\n\
         [[step]]\nsay = { by = 'visitor', in = 'survey', text = 'ten of ten' }\n\
         [[step]]\nclose = { by = 'bot' }\n",
    );
    let expected = [
        "margin.written",
        "margin.disputed",
        "pen.moved",
        "stamp.set",
        "stamp.lifted",
        "facts.filed",
        "page.added",
        "pen.moved", // a message ends the typing
        "case.closed",
        "opinion.given",
    ];
    assert_eq!(types(&events)[..10], expected);
    let body = |name: &str| &events.iter().find(|(known, _)| known == name).unwrap().1;
    let filed = body("facts.filed");
    assert_eq!(filed["facts"], json!({"case": filed["case"], "lamps": 3}));
    assert_eq!(filed["besides_the_first"], json!(["lamps"]));
    // A message is work on the case, and closing it is none.
    let at = |name: &str| body(name)["at"].as_i64().unwrap() / 1000;
    assert_eq!(body("case.closed")["updated"], at("page.added"));
    assert!(at("case.closed") >= at("page.added") + 60);
    let sheet = |name: &str| body(name)["sheet"].as_str().unwrap().rsplit('/').next().unwrap();
    assert_eq!([sheet("page.added"), sheet("opinion.given")], ["main", "survey"]);
}

#[test]
fn conditions_tell_updates_apart_by_what_they_set() {
    let update = |with: &str| {
        let permit = "[[step]]\ncreate = { kind = 'permit', as = 'lamp', with = { holder = 'Ada', state = 'valid' } }\n";
        let events = sent(&format!(
            "{permit}[[step]]\nupdate = {{ entity = 'lamp', with = {{ {with} }} }}\n"
        ));
        assert_eq!(events[0].0, "permit.issued");
        assert_eq!(
            (&events[0].1["cents"], &events[0].1["until"]),
            (&json!(2000), &json!("2026-12-31T00:00:00.000Z"))
        );
        let state = events.last().unwrap().1["state"].as_str().unwrap().to_owned();
        (events.into_iter().skip(1).map(|(name, _)| name).collect::<Vec<_>>(), state)
    };
    let expect = |types: &[&str], state: &str| {
        (types.iter().map(ToString::to_string).collect::<Vec<_>>(), state.to_owned())
    };
    assert_eq!(update("fee = 30"), expect(&["permit.corrected"], "valid"));
    // A field that is set to the same value has not changed.
    assert_eq!(
        update("address = '1 Main Street'"),
        expect(&["permit.moved", "permit.revised"], "valid")
    );
    assert_eq!(update("state = 'open'"), expect(&["permit.reviewed", "permit.revised"], "open"));
    // Somebody has to check a new holder, unless the update says that it is checked.
    assert_eq!(update("holder = 'Bo'"), expect(&["permit.revised"], "unchecked"));
    assert_eq!(update("holder = 'Bo', state = 'open'"), expect(&["permit.revised"], "open"));
}

#[test]
fn a_previous_name_selects_the_event() {
    let story = "[[step]]\nopen = {}\n[[step]]\nclose = { by = 'system' }\n";
    let receiver = Receiver::accepting();
    play(story).at("office").subscribing(&["case.ended"]).to(&receiver);
    let whats: Vec<Json> =
        receiver.events().iter().map(|event| event.json()["what"].clone()).collect();
    assert_eq!(whats, ["case.closed"]);
}

#[test]
fn check_reports_each_value_outside_its_limits() {
    let folder = tempfile::tempdir().unwrap();
    let steps = [
        (
            "say = { by = 'bot', kind = 'buttons', text = 'Well?', options = [] }",
            "`options` must have at least 1",
        ),
        ("say = { by = 'bot', kind = 'buttons', text = 'Well?', options = ['Yes', 'No'] }", ""),
        ("say = { by = 'visitor', kind = 'button_response', text = 'Perhaps' }", "Perhaps"),
        (
            "say = { by = 'bot', kind = 'scale', text = 'How much?', low = 4, high = 2 }",
            "at least 4",
        ),
        ("say = { by = 'bot', kind = 'scale', text = 'How much?', low = 1, high = 3 }", ""),
        ("say = { by = 'visitor', kind = 'scale_response', value = 5 }", "from 1 to 3"),
        (
            "say = { by = 'bot', kind = 'sheet', lines = [{ ask = 'Name', key = 'a' }, { ask = 'Age', key = 'a' }] }",
            "key",
        ),
        ("say = { by = 'bot', kind = 'appointment', on = '2.3.2026' }", "2.3.2026"),
        (
            "say = { by = 'bot', kind = 'appointment', on = '2026-03-03', until = '2026-03-04' }",
            "Tuesday",
        ),
        ("say = { by = 'bot', kind = 'appointment', until = '2026-03-01' }", "must not be before"),
        ("say = { by = 'bot', kind = 'appointment', missed = true }", "cannot both be true"),
        (
            "say = { by = 'bot', kind = 'enclosure', mime_type = 'text/html', file_name = 'a.html' }",
            "text/html",
        ),
        ("say = { by = 'bot', kind = 'enclosure', file_name = 'a.png' }", "a.png"),
        ("create = { kind = 'permit', as = 'lamp', with = { fee = -1 } }", "at least 0"),
        ("create = { kind = 'permit', as = 'tent', with = { state = 'lost' } }", "lost"),
        ("emit = { type = 'office.closes', data = { hour = 24 } }", "from 0 to 23"),
        ("emit = { type = 'office.closes', data = { reason = 'rain' } }", "rain"),
        ("emit = { type = 'office.closes', data = { reason = 'holiday of the mayor' } }", ""),
    ];
    let all: Vec<&str> = steps.iter().map(|(step, _)| *step).collect();
    let all = all.join("\n[[step]]\n");
    let story =
        format!("name = 'limits'\nvendors = ['office']\n[[step]]\nopen = {{}}\n[[step]]\n{all}\n");
    fs::write(folder.path().join("story.toml"), &story).unwrap();
    let templates = path("tests/vendors").display().to_string();
    let output = standin_in(folder.path(), &["check", "story.toml", "--templates", &templates]);
    let told = stderr(&output);
    for (at, (step, expected)) in steps.iter().enumerate() {
        // The step is the line after its `[[step]]`, behind three lines and the first step.
        let place = format!("story.toml:{}:", 2 * at + 6);
        let found: Vec<&str> =
            told.split("\n\n").filter(|problem| problem.contains(&place)).collect();
        assert_eq!(found.len(), usize::from(!expected.is_empty()), "{step}: {told}");
        assert!(found.iter().all(|problem| problem.contains(expected)), "{step}: {found:?}");
    }
}

/// The run times of all attempts in seconds since the first, with their event types.
fn attempts(played: &RunOutcome) -> Vec<(f64, String)> {
    let started: Vec<_> = played
        .records
        .iter()
        .filter_map(|record| match &record.kind {
            RecordKind::AttemptStarted { delivery, .. } => Some((record.run_time, delivery)),
            _ => None,
        })
        .collect();
    let since = |at: &jiff::Timestamp| at.duration_since(started[0].0).as_secs_f64();
    started.iter().map(|(at, delivery)| (since(at), String::clone(delivery))).collect()
}

const LETTERS: &str = "[[step]]\nopen = {}\n[[step]]\ntyping = { by = 'visitor' }\n\
                       [[step]]\nsay = { by = 'visitor' }\n[[step]]\nclose = { by = 'system' }\n";

#[test]
fn a_failed_letter_blocks_all_others_until_it_is_delivered() {
    let receiver = Receiver::responding_to_events(|number, _| match number {
        0 | 3 => Reply::Status(503, String::new()),
        1 => Reply::Raw(
            b"HTTP/1.1 503 Busy\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n".to_vec(),
        ),
        2 => Reply::Raw(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n".to_vec(),
        ),
        _ => Reply::good(),
    });
    let played = play(LETTERS).at("office").times(2).to(&receiver);
    assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished);
    let attempts = attempts(&played);
    let first = &attempts[0].1;
    let times: Vec<f64> =
        attempts.iter().filter(|(_, id)| id == first).map(|(at, _)| *at).collect();
    assert_eq!(times.len(), 5, "{attempts:?}");
    assert!(attempts[1..5].iter().all(|(_, id)| id == first), "all others wait: {attempts:?}");
    let delays: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // The office waits as long as it is asked to, but at most five minutes; and 20 s on its own.
    for (delay, expected) in delays.iter().zip([2.0, 300.0, 20.0, 20.0]) {
        assert!((expected + 0.1..expected + 0.91).contains(delay), "{delays:?}");
    }
    assert!((delays[2] - delays[3]).abs() > 0.001, "the jitter varies: {delays:?}");
}

#[test]
fn a_letter_expires_and_an_endpoint_without_receipts_is_given_up() {
    let failing = || Receiver::responding_to_events(|_, _| Reply::Status(500, String::new()));
    let outcomes = |played: &RunOutcome| -> Vec<(AttemptOutcome, u32)> {
        let settled = played.records.iter().filter_map(|record| match &record.kind {
            RecordKind::DeliverySettled(settled) => {
                Some((settled.result.outcome, settled.attempts))
            }
            _ => None,
        });
        settled.collect()
    };
    let played = play(LETTERS).at("office").option("patience", "10s").to(&failing());
    // After 2 and 8 s, and then it is older than 10 s.
    assert_eq!(outcomes(&played)[0], (AttemptOutcome::Responded, 2), "{:?}", outcomes(&played));
    let played = play(LETTERS).at("office").option("patience", "none").to(&failing());
    let (responded, disabled) = ((AttemptOutcome::Responded, 1), (AttemptOutcome::Disabled, 0));
    assert_eq!(outcomes(&played), [responded, responded, responded, disabled, disabled]);
}

#[test]
fn the_office_opens_a_connection_for_each_letter() {
    let receiver = Receiver::accepting();
    let played = play(LETTERS).at("office").to(&receiver);
    let reused = played.count(|kind| match kind {
        RecordKind::AttemptFinished { result, .. } => result.timings.connect_us.is_none(),
        _ => false,
    });
    assert_eq!((played.finished.deliveries, reused), (5, 0));
}

/// Calls of a citizen.
struct Citizen<'a> {
    api: &'a LiveApi,
    pass: String,
}

impl<'a> Citizen<'a> {
    fn log_in(api: &'a LiveApi, body: &Json) -> Self {
        let head = format!("POST /passes HTTP/1.1\r\nX-Desk: {}", api.secret("desk"));
        let pass = request(&api.address, &head, &body.to_string()).json();
        Self { api, pass: pass["pass"].as_str().unwrap().to_owned() }
    }

    fn call(&self, body: &Json) -> ApiResponse {
        let head = format!("POST /cases HTTP/1.1\r\nAuthorization: Bearer {}", self.pass);
        request(&self.api.address, &head, &body.to_string())
    }
}

#[test]
fn citizens_call_with_a_pass_that_the_seal_signs() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("office", &receiver);
    let citizen = Citizen::log_in(&api, &json!({"citizen": "c-9", "minutes": 5}));
    let header = citizen.pass.split('.').next().unwrap();
    let header = BASE64_URL_SAFE_NO_PAD.decode(header).unwrap();
    assert_eq!(serde_json::from_slice::<Json>(&header).unwrap()["alg"], "RS256");
    let opened = citizen.call(&json!({"do": "request", "text": "a lamp", "pin": "4711"}));
    assert_eq!(opened.status, 200, "{opened:?}");
    let case = opened.json()["case"].clone();
    let again = json!({"do": "request", "text": "two lamps", "language": "sv", "colour": {"of": "lamp"}, "size": null});
    let again = citizen.call(&again).json();
    assert_eq!(again["case"], case, "the case is open");
    let closed = citizen.call(&json!({"do": "withdraw", "case": case})).json();
    assert_eq!([&closed["state"], &closed["stage"]], ["closed", "open"], "the survey is open");
    let other =
        Citizen { api: &api, pass: format!("{}x", &citizen.pass[..citizen.pass.len() - 1]) };
    assert_eq!(other.call(&json!({"do": "request", "text": "a lamp"})).status, 401);
    let calls = api.calls(5);
    assert_eq!(calls[0].warnings, ["the office decides how long a pass is valid"]);
    assert!(!format!("{calls:?}").contains("4711"), "the number of a citizen is a secret");
    let ignored: Vec<&[String]> = calls.iter().map(|call| call.ignored.as_slice()).collect();
    assert_eq!(ignored, [&[][..], &[], &["colour".to_owned()], &[], &[]]);
    let sent = wait_for_events(&receiver, 4);
    assert_eq!(sent[1]["page"]["body"], "a lamp");
}

#[test]
fn the_response_has_the_answers_of_the_script() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("office", &receiver);
    let story = "[[step]]\nexpect = { call = 'send_message', within = '20s' }\n\
                 [[step]]\nsay = { by = 'bot', text = 'Fill in sheet 7.' }\n";
    let draft = scenario::read(&Source::new("answer.toml", story)).unwrap();
    let platform = Arc::clone(&api.account.platform);
    api.play(2, scenario::check(draft, &[platform], &[]).unwrap(), 1);
    let citizen = Citizen::log_in(&api, &json!({"citizen": "c-1"}));
    let answered = citizen.call(&json!({"do": "request", "text": "a lamp"})).json();
    assert_eq!(answered["answers"], json!(["Fill in sheet 7."]));
}

#[test]
fn the_demo_plays_the_story_of_the_bot() {
    let templates = path("tests/vendors").display().to_string();
    let output =
        standin(&["--templates", &templates, "demo", "office", "--once", "--speed", "200"]);
    let told = stdout(&output);
    assert_eq!(code(&output), 0, "{told}{}", stderr(&output));
    assert!(told.starts_with("a walk through the bot's menus at office\n"), "{told}");
    assert!(told.contains("adds the note “Lamps”"), "{told}");
}
