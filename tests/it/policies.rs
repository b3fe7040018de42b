//! Policies at work: what a failure holds up, for how long, and what happens when it is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use jiff::{SignedDuration, Timestamp};
use standin::base::seed::SeedScope;
use standin::delivery::{
    Delivery, Endpoint, Engine, EngineCommand, EngineInput, EngineTimer, Request, SentAttempt,
    Transport,
};
use standin::fault::Faults;
use standin::platform::Account;
use standin::policy::{Blocks, Policy};
use standin::record::{AttemptOutcome, AttemptResult, GateState, RecordKind};

use crate::support::{Played, Receiver, Reply, play, vendors};

/// A transport that answers with a status, whatever it is sent.
struct Answers(AtomicU16);

impl Transport for Answers {
    async fn send(&self, _: Request) -> AttemptResult {
        answer(self.0.load(Ordering::Relaxed))
    }
}

fn answer(status: u16) -> AttemptResult {
    AttemptResult {
        status: Some(status),
        ..AttemptResult::failure(AttemptOutcome::Responded, "", 1)
    }
}

/// The run times of every attempt, in seconds after the first.
fn attempts(played: &Played) -> Vec<i64> {
    let started = played.records.iter().filter_map(|record| {
        matches!(record.kind, RecordKind::AttemptStarted { .. }).then_some(record.run_time)
    });
    let times: Vec<Timestamp> = started.collect();
    times.iter().map(|time| time.duration_since(times[0]).as_secs()).collect()
}

const ONE: &str = "[[step]]\nopen = {}\n";

#[test]
fn liveperson_tries_for_three_days_on_the_virtual_clock() {
    let playing = play(ONE).at("liveperson").choosing("retention_time", "72h");
    let played = playing.over(Answers(503.into()));
    let times = attempts(&played);
    assert_eq!(times[..11], [0, 2, 6, 14, 30, 62, 126, 254, 510, 810, 1110]);
    assert!(times[9..].windows(2).all(|pair| pair[1] - pair[0] == 300));
    assert_eq!((times.len(), times.last()), (871, Some(&259_110)));
}

#[test]
fn liveperson_tries_five_times_every_half_minute_where_max_retries_says_so() {
    let times = |option| {
        let playing = play(ONE).at("liveperson").choosing("max_retries", option);
        attempts(&playing.over(Answers(503.into())))
    };
    assert_eq!(times("0"), [0]);
    assert_eq!(times("5"), [0, 30, 60, 90, 120, 150]);
}

#[test]
fn a_conversation_that_holds_up_others_makes_their_clocks_meet() {
    let story = "[[step]]\nopen = {}\n[[step]]\nafter = '1m'\nsay = { by = 'visitor' }\n";
    let receiver = Receiver::to_events(|number, _| {
        if number == 0 { Reply::Status(500, "later".into()) } else { Reply::good() }
    });
    let playing = play(story).at("liveperson").choosing("retention_time", "1h").times(3);
    let played = playing.to(&receiver);
    let mut states = Vec::new();
    let mut parked = 0;
    let mut last = Timestamp::MIN;
    for record in &played.records {
        match &record.kind {
            RecordKind::GateChanged { gate, state } => states.push((gate.as_str(), *state)),
            RecordKind::DeliveryParked { .. } => parked += 1,
            RecordKind::AttemptStarted { .. } => {
                assert!(record.run_time >= last, "one time for all");
                last = record.run_time;
            }
            _ => {}
        }
    }
    let through = [GateState::Failed, GateState::InTransition, GateState::Recovered, GateState::Up];
    assert_eq!(states, through.map(|state| ("account", state)));
    assert!(parked > 0);
    assert_eq!(played.finished.passed, played.finished.deliveries);
}

#[test]
fn erxes_is_content_with_2xx_that_is_no_xml_and_never_tries_again() {
    let answering = |reply: &'static str| {
        Receiver::to_events(move |_, _| {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{reply}\r\n\r\n");
            Reply::Raw(head.into_bytes())
        })
    };
    let outcome = |vendor: &str, receiver: &Receiver| {
        let story = "[[step]]\nopen = {}\n[[step]]\nsay = { by = 'visitor' }\n";
        let played = play(story).at(vendor).to(receiver);
        let attempts = played.finished.attempts == played.finished.deliveries;
        assert!(attempts, "{vendor} tries once");
        played.find(|what| match what {
            RecordKind::DeliverySettled(settled) => Some(settled.accepted),
            _ => None,
        })
    };
    let (json, xml) = ("Content-Type: application/json", "Content-Type: text/xml");
    assert_eq!(outcome("erxes", &answering(json)), Some(true));
    assert_eq!(outcome("erxes", &answering(xml)), Some(false));
    assert_eq!(outcome("erxes@2", &answering(xml)), Some(true));
}

#[test]
fn erxes_2_follows_redirects_within_an_origin_each_a_request_that_is_told() {
    let elsewhere = Receiver::agreeing();
    let moved = |to: String| {
        let head = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
        Reply::Raw(head.into_bytes())
    };
    let there = elsewhere.url();
    let receiver =
        Receiver::answering(move |_, came| match came.head.split(' ').nth(1).unwrap_or_default() {
            "/hooks" if came.body.contains("data") => moved("/moved".into()),
            "/moved" => moved(there.clone()),
            _ => Reply::good(),
        });
    let story = "[[step]]\nopen = {}\n[[step]]\nsay = { by = 'visitor' }\n";
    let played = play(story).at("erxes@2").to(&receiver);
    let mut hops = Vec::new();
    for record in &played.records {
        if let RecordKind::AttemptStarted { attempt, hop, method, url, headers, .. } = &record.kind
        {
            assert!(headers.iter().any(|(name, _)| name == "Erxes-token"));
            let path = url.rsplit('/').next().unwrap().to_owned();
            hops.push((*attempt, *hop, method.word(), path));
        }
    }
    assert_eq!(hops[..2], [(1, 0, "POST", "hooks".into()), (1, 1, "GET", "moved".into())]);
    let got = receiver.came().into_iter().find(|came| came.head.starts_with("GET ")).unwrap();
    assert_eq!((got.body.as_str(), got.header("Erxes-token").is_some()), ("", true));
    assert!(elsewhere.came().is_empty(), "nobody allowed another origin");
}

/// The engine on a desk: what it wants sent, and a time that the test lets pass.
struct Desk {
    engine: Engine,
    account: Account,
    start: Timestamp,
    now: Timestamp,
    endpoints: BTreeMap<u32, Arc<Endpoint>>,
    timers: Vec<(Timestamp, EngineTimer)>,
    /// What is under way, by delivery.
    under_way: BTreeMap<String, SentAttempt>,
    /// Everything that was sent: seconds, delivery, attempt.
    sent: Vec<(i64, String, u32)>,
    states: Vec<(i64, GateState)>,
    settled: Vec<(String, bool, AttemptOutcome)>,
    /// What a failure holds up, where that is not the vendor's.
    blocks: Option<Blocks>,
}

const CONTENT: &str = "ms.MessagingEventNotification.ContentEvent";
const TYPING: &str = "ms.MessagingEventNotification.ChatStateEvent";

impl Desk {
    /// A desk for an account at the vendor of the tests below, with these options.
    fn of(options: &[(&str, &str)]) -> Self {
        let vendor = vendors().into_iter().find(|vendor| vendor.id == "liveperson").unwrap();
        let mut account = Account::test(&vendor);
        for (option, value) in options {
            account.options.insert((*option).into(), (*value).into()).unwrap();
        }
        let dress: standin::delivery::RequestSigner = Arc::new(|_, _| Vec::new());
        let endpoint = |number: u32| {
            let url = format!("http://127.0.0.1:{number}/").parse().unwrap();
            (number, Arc::new(Endpoint::new(number, url, Arc::clone(&dress))))
        };
        let start = "2026-01-05T09:00:00Z".parse().unwrap();
        Self {
            engine: Engine::new(SeedScope::of_run(1)),
            account,
            start,
            now: start,
            endpoints: (1..=3).map(endpoint).collect(),
            timers: Vec::new(),
            under_way: BTreeMap::new(),
            sent: Vec::new(),
            states: Vec::new(),
            settled: Vec::new(),
            blocks: None,
        }
    }

    /// Something happens: `id` is the conversation and a letter.
    fn submit(&mut self, id: &str, endpoint: u32, event_type: &str) {
        let own: Policy = self.account.policy(event_type);
        let policy = Policy { blocks: self.blocks.unwrap_or(own.blocks), ..own };
        let delivery = Delivery {
            id: id.into(),
            conversation: id[..1].parse().unwrap(),
            step: 1,
            event_type: event_type.into(),
            body: "{}".into(),
            at: self.now,
            endpoint: Arc::clone(&self.endpoints[&endpoint]),
            policy: Arc::new(policy),
            faults: Faults::default(),
            check: Arc::default(),
            source: None,
        };
        self.step(EngineInput::Submit(delivery));
    }

    /// The receiver answers a delivery that is under way.
    fn answer(&mut self, id: &str, status: u16) {
        let sent = self.under_way.remove(id).unwrap_or_else(|| panic!("{id} is not under way"));
        self.step(EngineInput::Finished(sent, answer(status)));
    }

    /// Time passes.
    fn pass(&mut self, seconds: i64) {
        let until = self.now + SignedDuration::from_secs(seconds);
        while let Some(next) = (0..self.timers.len())
            .filter(|at| self.timers[*at].0 <= until)
            .min_by_key(|at| self.timers[*at].0)
        {
            let (at, timer) = self.timers.remove(next);
            self.now = at;
            self.step(EngineInput::Due(timer));
        }
        self.now = until;
    }

    fn step(&mut self, input: EngineInput) {
        let seconds = self.now.duration_since(self.start).as_secs();
        for command in self.engine.step(self.now, input) {
            match command {
                EngineCommand::Send(delivery, sent, _) => {
                    self.under_way.insert(delivery.id.clone(), sent);
                    self.sent.push((seconds, delivery.id.clone(), sent.attempt));
                }
                EngineCommand::SetTimer(_, timer, at) => self.timers.push((at, timer)),
                EngineCommand::Record(_, RecordKind::GateChanged { state, .. }) => {
                    self.states.push((seconds, state));
                }
                EngineCommand::Record(_, RecordKind::DeliverySettled(settled)) => {
                    self.settled.push((settled.delivery, settled.accepted, settled.result.outcome));
                }
                EngineCommand::Record(..) => {}
            }
        }
    }

    fn under_way(&self) -> Vec<&str> {
        self.under_way.keys().map(String::as_str).collect()
    }
}

#[test]
fn liveperson_stores_everything_for_every_endpoint_until_what_failed_is_through() {
    let mut desk = Desk::of(&[("retention_time", "72h")]);
    desk.submit("1a", 1, CONTENT);
    desk.submit("1b", 1, CONTENT);
    desk.submit("2a", 2, CONTENT);
    assert_eq!(desk.under_way(), ["1a", "2a"], "one of each conversation");
    desk.answer("1a", 500);
    assert_eq!(desk.states, [(0, GateState::Failed)]);
    desk.answer("2a", 200);
    desk.submit("2b", 2, CONTENT);
    desk.submit("3a", 3, CONTENT);
    assert!(desk.under_way().is_empty(), "everything is stored: {:?}", desk.under_way());
    desk.pass(2);
    assert_eq!(desk.under_way(), ["1a"], "but what failed");
    desk.answer("1a", 500);
    desk.pass(3);
    assert!(desk.under_way().is_empty());
    desk.pass(1);
    desk.answer("1a", 200);
    assert_eq!(desk.states[1], (6, GateState::InTransition));
    assert_eq!(desk.under_way(), ["1b"], "what is stored goes out one after the other");

    desk.submit("4a", 1, CONTENT);
    desk.submit("2c", 2, CONTENT);
    assert_eq!(desk.under_way(), ["1b", "4a"], "a new conversation passes");
    desk.answer("1b", 201);
    assert_eq!(desk.under_way(), ["2b", "4a"]);
    desk.answer("2b", 200);
    desk.answer("4a", 200);
    assert_eq!(desk.under_way(), ["3a"], "what came meanwhile is appended");
    desk.answer("3a", 200);
    assert_eq!(desk.states[2], (6, GateState::Recovered));
    assert_eq!(desk.under_way(), ["2c"]);

    desk.submit("2d", 2, CONTENT);
    desk.submit("3b", 3, CONTENT);
    assert_eq!(desk.under_way(), ["2c", "3b"], "what drains holds up its own conversation");
    desk.answer("2c", 200);
    assert_eq!(desk.states[3], (6, GateState::Up));
    assert_eq!(desk.under_way(), ["2d", "3b"]);
}

#[test]
fn liveperson_holds_what_comes_for_a_draining_conversation_for_four_seconds() {
    let mut desk = Desk::of(&[("retention_time", "1h")]);
    desk.submit("1a", 1, CONTENT);
    desk.answer("1a", 500);
    desk.pass(2);
    desk.submit("1b", 1, CONTENT);
    desk.answer("1a", 200);
    desk.submit("1c", 1, CONTENT);
    desk.answer("1b", 200);
    assert_eq!(desk.states.last(), Some(&(2, GateState::Recovered)));
    desk.submit("1d", 1, CONTENT);
    desk.pass(3);
    assert_eq!(desk.under_way(), ["1c"]);
    desk.pass(1);
    assert_eq!(desk.under_way(), ["1c", "1d"], "the order is lost then");
}

#[test]
fn a_conversation_passes_once_what_was_appended_of_it_has_drained() {
    let mut desk = Desk::of(&[("retention_time", "72h")]);
    for id in ["1a", "2a", "3a"] {
        desk.submit(id, 1, CONTENT);
    }
    desk.answer("2a", 200);
    desk.answer("3a", 200);
    desk.answer("1a", 500);
    desk.submit("2b", 1, CONTENT);
    desk.submit("3b", 1, CONTENT);
    desk.pass(2);
    desk.answer("1a", 200);
    for id in ["2c", "3c", "2d"] {
        desk.submit(id, 1, CONTENT);
    }
    desk.answer("2b", 200);
    desk.answer("3b", 200);
    assert_eq!(desk.states.last(), Some(&(2, GateState::Recovered)));
    desk.submit("2e", 1, CONTENT);
    desk.answer("2c", 200);
    assert_eq!(desk.under_way(), ["3c"], "the last that was appended waits for its turn");
    desk.answer("3c", 200);
    assert_eq!(desk.under_way(), ["2d"]);

    let mut desk = Desk::of(&[("retention_time", "72h")]);
    desk.submit("1a", 1, CONTENT);
    desk.answer("1a", 500);
    desk.submit("2a", 1, CONTENT);
    desk.submit("3a", 1, CONTENT);
    desk.pass(2);
    desk.answer("1a", 200);
    desk.submit("2b", 1, CONTENT);
    desk.submit("3b", 1, CONTENT);
    desk.answer("2a", 200);
    desk.answer("3a", 200);
    desk.submit("2c", 1, CONTENT);
    assert_eq!(desk.under_way(), ["2b"]);
    desk.answer("2b", 200);
    assert_eq!(desk.under_way(), ["2c", "3b"], "what came later waits for no other conversation");
}

#[test]
fn what_passed_a_gate_in_transition_does_not_keep_it_from_opening() {
    let mut desk = Desk::of(&[("retention_time", "72h")]);
    desk.submit("1a", 1, CONTENT);
    desk.answer("1a", 500);
    desk.submit("2a", 1, CONTENT);
    desk.pass(2);
    desk.answer("1a", 200);
    desk.submit("2b", 1, CONTENT);
    desk.submit("4a", 1, CONTENT);
    assert_eq!(desk.under_way(), ["2a", "4a"]);
    desk.answer("2a", 200);
    desk.answer("2b", 200);
    assert_eq!(desk.states.last(), Some(&(2, GateState::Up)));
    assert_eq!(desk.under_way(), ["4a"]);
}

#[test]
fn liveperson_drops_what_is_exempt_without_storing_the_rest() {
    let mut desk = Desk::of(&[("retention_time", "72h"), ("exempt", "typing")]);
    desk.submit("1a", 1, TYPING);
    desk.answer("1a", 500);
    assert_eq!(desk.settled, [("1a".into(), false, AttemptOutcome::Responded)]);
    assert!(desk.states.is_empty());
    desk.submit("1b", 1, CONTENT);
    desk.answer("1b", 500);
    desk.submit("1c", 1, TYPING);
    assert!(desk.under_way().is_empty(), "but what is stored is stored with it");
    desk.pass(2);
    desk.answer("1b", 200);
    desk.answer("1c", 500);
    assert_eq!(desk.states.last(), Some(&(2, GateState::Up)), "{:?}", desk.states);
}

#[test]
fn liveperson_forgets_what_it_kept_too_long() {
    let mut desk = Desk::of(&[("retention_time", "2s")]);
    desk.submit("1a", 1, CONTENT);
    desk.answer("1a", 500);
    desk.submit("1b", 1, CONTENT);
    desk.pass(2);
    desk.pass(1);
    desk.submit("1c", 1, CONTENT);
    desk.answer("1a", 500);
    let expected = [("1a", AttemptOutcome::Responded), ("1b", AttemptOutcome::Expired)];
    assert_eq!(desk.settled, expected.map(|(id, outcome)| (id.into(), false, outcome)));
    assert_eq!(desk.under_way(), ["1c"], "the next that is not too old is tried at once");
    desk.answer("1c", 200);
    assert_eq!(desk.states.last(), Some(&(3, GateState::Up)));
}

#[test]
fn an_endpoint_that_fails_holds_up_no_other() {
    let mut desk = Desk::of(&[("retention_time", "72h")]);
    desk.blocks = Some(Blocks::Endpoint);
    desk.submit("1a", 1, CONTENT);
    desk.answer("1a", 500);
    desk.submit("2a", 1, CONTENT);
    desk.submit("3a", 2, CONTENT);
    assert_eq!(desk.under_way(), ["3a"]);
    desk.pass(2);
    desk.answer("1a", 200);
    assert_eq!(desk.under_way(), ["2a", "3a"]);
}

#[test]
fn max_retries_hold_up_nothing() {
    let mut desk = Desk::of(&[("max_retries", "2")]);
    desk.submit("1a", 1, CONTENT);
    desk.submit("1b", 1, CONTENT);
    desk.answer("1a", 500);
    assert_eq!(desk.under_way(), ["1b"]);
    desk.pass(30);
    assert_eq!(desk.under_way(), ["1a", "1b"]);
    desk.answer("1b", 200);
    desk.answer("1a", 200);
    let order: Vec<&str> = desk.sent.iter().map(|(_, id, _)| id.as_str()).collect();
    assert_eq!(order, ["1a", "1b", "1a"]);
}

#[test]
fn an_endpoint_is_switched_off_by_an_answer_or_by_failures_in_a_row() {
    let story = "[[step]]\nopen = {}\n[[step]]\nsay = { by = 'visitor' }\n";
    let receiver = Receiver::to_events(|_, _| Reply::Status(418, String::new()));
    let played = play(story).at("parlour").to(&receiver);
    let outcomes: Vec<(AttemptOutcome, u32)> = played
        .records
        .iter()
        .filter_map(|record| match &record.kind {
            RecordKind::DeliverySettled(settled) => {
                Some((settled.result.outcome, settled.attempts))
            }
            _ => None,
        })
        .collect();
    assert_eq!(outcomes[0], (AttemptOutcome::Responded, 1));
    assert!(
        outcomes[1..].iter().all(|outcome| *outcome == (AttemptOutcome::Disabled, 0)),
        "{outcomes:?}"
    );
    assert!(outcomes.len() > 1);
}
