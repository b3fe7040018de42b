//! Policies: what a failure blocks, for how long, and what happens afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use jiff::{SignedDuration, Timestamp};
use standin::base::seed::SeedScope;
use standin::delivery::{
    ConversationKey, Delivery, Endpoint, Engine, EngineCommand, EngineInput, EngineTimer, Request,
    SentAttempt, Transport,
};
use standin::fault::Faults;
use standin::platform::Account;
use standin::policy::{Blocks, Policy};
use standin::record::{AttemptOutcome, AttemptResult, GateState, RecordKind, SettledDelivery};

use crate::support::{Receiver, Reply, RunOutcome, play, vendors};

/// A transport that responds to every request with a status.
struct FixedStatus(AtomicU16);

impl Transport for FixedStatus {
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

/// The run time of every attempt in seconds since the first.
fn attempts(played: &RunOutcome) -> Vec<i64> {
    let started = played.records.iter().filter_map(|record| {
        matches!(record.kind, RecordKind::AttemptStarted { .. }).then_some(record.run_time)
    });
    let times: Vec<Timestamp> = started.collect();
    times.iter().map(|time| time.duration_since(times[0]).as_secs()).collect()
}

const ONE_STEP: &str = "[[step]]\nopen = {}\n";

#[test]
fn liveperson_retries_for_three_days_on_the_virtual_clock() {
    let playing = play(ONE_STEP).at("liveperson").option("retention_time", "72h");
    let played = playing.with_transport(FixedStatus(503.into()));
    let times = attempts(&played);
    assert_eq!(times[..11], [0, 2, 6, 14, 30, 62, 126, 254, 510, 810, 1110]);
    assert!(times[9..].windows(2).all(|pair| pair[1] - pair[0] == 300));
    assert_eq!((times.len(), times.last()), (871, Some(&259_110)));
}

#[test]
fn liveperson_max_retries_retries_every_30_seconds() {
    let times = |option| {
        let playing = play(ONE_STEP).at("liveperson").option("max_retries", option);
        attempts(&playing.with_transport(FixedStatus(503.into())))
    };
    assert_eq!(times("0"), [0]);
    assert_eq!(times("5"), [0, 30, 60, 90, 120, 150]);
}

#[test]
fn blocked_conversations_share_a_clock() {
    let story = "[[step]]\nopen = {}\n[[step]]\nafter = '1m'\nsay = { by = 'visitor' }\n";
    let receiver = Receiver::responding_to_events(|number, _| {
        if number == 0 { Reply::Status(500, "later".into()) } else { Reply::good() }
    });
    let playing = play(story).at("liveperson").option("retention_time", "1h").times(3);
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
fn erxes_accepts_2xx_except_xml_and_never_retries() {
    let answering = |reply: &'static str| {
        Receiver::responding_to_events(move |_, _| {
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
fn erxes_2_follows_redirects_within_an_origin_and_records_each() {
    let elsewhere = Receiver::accepting();
    let moved = |to: String| {
        let head = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
        Reply::Raw(head.into_bytes())
    };
    let there = elsewhere.url();
    let receiver = Receiver::responding(move |_, received| {
        match received.head.split(' ').nth(1).unwrap_or_default() {
            "/hooks" if received.body.contains("data") => moved("/moved".into()),
            "/moved" => moved(there.clone()),
            _ => Reply::good(),
        }
    });
    let story = "[[step]]\nopen = {}\n[[step]]\nsay = { by = 'visitor' }\n";
    let played = play(story).at("erxes@2").to(&receiver);
    let mut hops = Vec::new();
    for record in &played.records {
        if let RecordKind::AttemptStarted { attempt, hop, method, url, headers, .. } = &record.kind
        {
            assert!(headers.iter().any(|(name, _)| name == "Erxes-token"));
            let path = url.rsplit('/').next().unwrap().to_owned();
            hops.push((*attempt, *hop, method.as_str(), path));
        }
    }
    assert_eq!(hops[..2], [(1, 0, "POST", "hooks".into()), (1, 1, "GET", "moved".into())]);
    let got =
        receiver.requests().into_iter().find(|received| received.head.starts_with("GET ")).unwrap();
    assert_eq!((got.body.as_str(), got.header("Erxes-token").is_some()), ("", true));
    assert!(elsewhere.requests().is_empty(), "nobody allowed another origin");
}

#[test]
fn a_delivery_that_a_redirect_turned_into_a_get_fails() {
    for (status, passes) in [(301, false), (302, false), (303, false), (307, true), (308, true)] {
        let receiver = Receiver::responding(move |_, received| {
            let target = received.head.split(' ').nth(1).unwrap_or_default();
            if target != "/hooks" || !received.body.contains("data") {
                return Reply::good();
            }
            let head =
                format!("HTTP/1.1 {status} X\r\nLocation: /moved\r\nContent-Length: 0\r\n\r\n");
            Reply::Raw(head.into_bytes())
        });
        let story = "[[step]]\nopen = {}\n[[step]]\nsay = { by = 'visitor' }\n";
        let verify = format!("verify = {{ status = ['any'] }}\n{story}");
        for story in [story, &verify] {
            let played = play(story).at("erxes@2").to(&receiver);
            let passed = played.finished.verdict == standin::record::Verdict::Passed;
            assert_eq!(passed, passes, "{status}: {:?}", played.finished.reason);
            let told = played.finished.reason.unwrap_or_default();
            let expected = "status 200 to a GET: the redirect dropped the request body";
            assert_eq!(told.contains(expected), !passes, "{told}");
        }
    }
}

/// An engine without driver: the test receives its commands and advances its clock.
struct EngineFixture {
    engine: Engine,
    account: Account,
    start: Timestamp,
    now: Timestamp,
    endpoints: BTreeMap<u32, Arc<Endpoint>>,
    timers: Vec<(Timestamp, EngineTimer)>,
    /// Attempts in flight, by delivery.
    in_flight: BTreeMap<String, SentAttempt>,
    /// Every attempt: seconds since the start, delivery, attempt number.
    sent: Vec<(i64, String, u32)>,
    states: Vec<(i64, GateState)>,
    settled: Vec<(String, bool, AttemptOutcome)>,
    /// What a failure blocks, if it differs from the vendor's policy.
    blocks: Option<Blocks>,
}

const CONTENT: &str = "ms.MessagingEventNotification.ContentEvent";
const TYPING: &str = "ms.MessagingEventNotification.ChatStateEvent";

impl EngineFixture {
    /// A fixture for an account at `liveperson` with these options.
    fn of(options: &[(&str, &str)]) -> Self {
        Self::at("liveperson", options)
    }

    /// A fixture for an account at a vendor with these options.
    fn at(vendor: &str, options: &[(&str, &str)]) -> Self {
        let vendor = vendors().into_iter().find(|known| known.id == vendor).unwrap();
        let mut account = Account::test(&vendor);
        for (option, value) in options {
            account.options.insert((*option).into(), (*value).into()).unwrap();
        }
        let signer: standin::delivery::RequestSigner = Arc::new(|_, _, _| Vec::new());
        let endpoint = |number: u32| {
            let url = format!("http://127.0.0.1:{number}/").parse().unwrap();
            (number, Arc::new(Endpoint::new(number, url, Arc::clone(&signer))))
        };
        let start = "2026-01-05T09:00:00Z".parse().unwrap();
        Self {
            engine: Engine::default(),
            account,
            start,
            now: start,
            endpoints: (1..=3).map(endpoint).collect(),
            timers: Vec::new(),
            in_flight: BTreeMap::new(),
            sent: Vec::new(),
            states: Vec::new(),
            settled: Vec::new(),
            blocks: None,
        }
    }

    /// Submits a delivery. Its id is the number of the conversation and a letter.
    fn submit(&mut self, id: &str, endpoint: u32, event_type: &str) {
        let own: Policy = self.account.policy(event_type);
        let policy = Policy { blocks: self.blocks.unwrap_or(own.blocks), ..own };
        let delivery = Delivery {
            id: id.into(),
            conversation: ConversationKey { run: 1, number: id[..1].parse().unwrap() },
            step: Some(1),
            seeds: SeedScope::of_run(1),
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

    /// Finishes an attempt in flight with a status.
    fn answer(&mut self, id: &str, status: u16) {
        let sent = self.in_flight.remove(id).unwrap_or_else(|| panic!("{id} is not under way"));
        self.step(EngineInput::Finished(sent, answer(status)));
    }

    /// Advances the clock and fires the timers that are due, in order.
    fn advance(&mut self, seconds: i64) {
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
                    self.in_flight.insert(delivery.id.clone(), sent);
                    self.sent.push((seconds, delivery.id.clone(), sent.attempt));
                }
                EngineCommand::SetTimer(_, timer, at) => self.timers.push((at, timer)),
                EngineCommand::Record(_, kind) => match *kind {
                    RecordKind::GateChanged { state, .. } => self.states.push((seconds, state)),
                    RecordKind::DeliverySettled(settled) => {
                        let SettledDelivery { delivery, accepted, result, .. } = settled;
                        self.settled.push((delivery, accepted, result.outcome));
                    }
                    _ => {}
                },
            }
        }
    }

    fn in_flight(&self) -> Vec<&str> {
        self.in_flight.keys().map(String::as_str).collect()
    }
}

#[test]
fn liveperson_blocks_all_endpoints_until_the_failed_delivery_succeeds() {
    let mut fixture = EngineFixture::of(&[("retention_time", "72h")]);
    fixture.submit("1a", 1, CONTENT);
    fixture.submit("1b", 1, CONTENT);
    fixture.submit("2a", 2, CONTENT);
    assert_eq!(fixture.in_flight(), ["1a", "2a"], "one of each conversation");
    fixture.answer("1a", 500);
    assert_eq!(fixture.states, [(0, GateState::Failed)]);
    fixture.answer("2a", 200);
    fixture.submit("2b", 2, CONTENT);
    fixture.submit("3a", 3, CONTENT);
    assert!(fixture.in_flight().is_empty(), "everything is stored: {:?}", fixture.in_flight());
    fixture.advance(2);
    assert_eq!(fixture.in_flight(), ["1a"], "but what failed");
    fixture.answer("1a", 500);
    fixture.advance(3);
    assert!(fixture.in_flight().is_empty());
    fixture.advance(1);
    fixture.answer("1a", 200);
    assert_eq!(fixture.states[1], (6, GateState::InTransition));
    assert_eq!(fixture.in_flight(), ["1b"], "what is stored goes out one after the other");

    fixture.submit("4a", 1, CONTENT);
    fixture.submit("2c", 2, CONTENT);
    assert_eq!(fixture.in_flight(), ["1b", "4a"], "a new conversation passes");
    fixture.answer("1b", 201);
    assert_eq!(fixture.in_flight(), ["2b", "4a"]);
    fixture.answer("2b", 200);
    fixture.answer("4a", 200);
    assert_eq!(fixture.in_flight(), ["3a"], "what came meanwhile is appended");
    fixture.answer("3a", 200);
    assert_eq!(fixture.states[2], (6, GateState::Recovered));
    assert_eq!(fixture.in_flight(), ["2c"]);

    fixture.submit("2d", 2, CONTENT);
    fixture.submit("3b", 3, CONTENT);
    assert_eq!(fixture.in_flight(), ["2c", "3b"], "what drains holds up its own conversation");
    fixture.answer("2c", 200);
    assert_eq!(fixture.states[3], (6, GateState::Up));
    assert_eq!(fixture.in_flight(), ["2d", "3b"]);
}

#[test]
fn new_deliveries_of_a_draining_conversation_are_held_for_four_seconds() {
    for (vendor, option, event) in [
        ("liveperson", ("retention_time", "1h"), CONTENT),
        ("office", ("patience", "1h"), "page.added"),
    ] {
        let mut fixture = EngineFixture::at(vendor, &[option]);
        fixture.submit("1a", 1, event);
        fixture.answer("1a", 500);
        fixture.advance(3);
        fixture.submit("1b", 1, event);
        fixture.answer("1a", 200);
        fixture.submit("1c", 1, event);
        fixture.answer("1b", 200);
        assert_eq!(fixture.states.last(), Some(&(3, GateState::Recovered)));
        fixture.submit("1d", 1, event);
        fixture.advance(3);
        assert_eq!(fixture.in_flight(), ["1c"]);
        fixture.advance(1);
        assert_eq!(fixture.in_flight(), ["1c", "1d"], "the order is lost then");
    }
}

#[test]
fn a_conversation_passes_after_its_stored_deliveries_have_drained() {
    let mut fixture = EngineFixture::of(&[("retention_time", "72h")]);
    for id in ["1a", "2a", "3a"] {
        fixture.submit(id, 1, CONTENT);
    }
    fixture.answer("2a", 200);
    fixture.answer("3a", 200);
    fixture.answer("1a", 500);
    fixture.submit("2b", 1, CONTENT);
    fixture.submit("3b", 1, CONTENT);
    fixture.advance(2);
    fixture.answer("1a", 200);
    for id in ["2c", "3c", "2d"] {
        fixture.submit(id, 1, CONTENT);
    }
    fixture.answer("2b", 200);
    fixture.answer("3b", 200);
    assert_eq!(fixture.states.last(), Some(&(2, GateState::Recovered)));
    fixture.submit("2e", 1, CONTENT);
    fixture.answer("2c", 200);
    assert_eq!(fixture.in_flight(), ["3c"], "the last that was appended waits for its turn");
    fixture.answer("3c", 200);
    assert_eq!(fixture.in_flight(), ["2d"]);

    let mut fixture = EngineFixture::of(&[("retention_time", "72h")]);
    fixture.submit("1a", 1, CONTENT);
    fixture.answer("1a", 500);
    fixture.submit("2a", 1, CONTENT);
    fixture.submit("3a", 1, CONTENT);
    fixture.advance(2);
    fixture.answer("1a", 200);
    fixture.submit("2b", 1, CONTENT);
    fixture.submit("3b", 1, CONTENT);
    fixture.answer("2a", 200);
    fixture.answer("3a", 200);
    fixture.submit("2c", 1, CONTENT);
    assert_eq!(fixture.in_flight(), ["2b"]);
    fixture.answer("2b", 200);
    assert_eq!(
        fixture.in_flight(),
        ["2c", "3b"],
        "what came later waits for no other conversation"
    );
}

#[test]
fn a_delivery_that_passed_in_transition_does_not_keep_the_gate_closed() {
    let mut fixture = EngineFixture::of(&[("retention_time", "72h")]);
    fixture.submit("1a", 1, CONTENT);
    fixture.answer("1a", 500);
    fixture.submit("2a", 1, CONTENT);
    fixture.advance(2);
    fixture.answer("1a", 200);
    fixture.submit("2b", 1, CONTENT);
    fixture.submit("4a", 1, CONTENT);
    assert_eq!(fixture.in_flight(), ["2a", "4a"]);
    fixture.answer("2a", 200);
    fixture.answer("2b", 200);
    assert_eq!(fixture.states.last(), Some(&(2, GateState::Up)));
    assert_eq!(fixture.in_flight(), ["4a"]);
}

#[test]
fn liveperson_drops_exempt_events_without_blocking_others() {
    let mut fixture = EngineFixture::of(&[("retention_time", "72h"), ("exempt", "typing")]);
    fixture.submit("1a", 1, TYPING);
    fixture.answer("1a", 500);
    assert_eq!(fixture.settled, [("1a".into(), false, AttemptOutcome::Responded)]);
    assert!(fixture.states.is_empty());
    fixture.submit("1b", 1, CONTENT);
    fixture.answer("1b", 500);
    fixture.submit("1c", 1, TYPING);
    assert!(fixture.in_flight().is_empty(), "but what is stored is stored with it");
    fixture.advance(2);
    fixture.answer("1b", 200);
    fixture.answer("1c", 500);
    assert_eq!(fixture.states.last(), Some(&(2, GateState::Up)), "{:?}", fixture.states);
}

#[test]
fn liveperson_expires_deliveries_after_the_retention_time() {
    let mut fixture = EngineFixture::of(&[("retention_time", "2s")]);
    fixture.submit("1a", 1, CONTENT);
    fixture.answer("1a", 500);
    fixture.submit("1b", 1, CONTENT);
    fixture.advance(2);
    fixture.advance(1);
    fixture.submit("1c", 1, CONTENT);
    fixture.answer("1a", 500);
    let expected = [("1a", AttemptOutcome::Responded), ("1b", AttemptOutcome::Expired)];
    assert_eq!(fixture.settled, expected.map(|(id, outcome)| (id.into(), false, outcome)));
    assert_eq!(fixture.in_flight(), ["1c"], "the next that is not too old is tried at once");
    fixture.answer("1c", 200);
    assert_eq!(fixture.states.last(), Some(&(3, GateState::Up)));
}

#[test]
fn a_failing_endpoint_does_not_block_others() {
    let mut fixture = EngineFixture::of(&[("retention_time", "72h")]);
    fixture.blocks = Some(Blocks::Endpoint);
    fixture.submit("1a", 1, CONTENT);
    fixture.answer("1a", 500);
    fixture.submit("2a", 1, CONTENT);
    fixture.submit("3a", 2, CONTENT);
    assert_eq!(fixture.in_flight(), ["3a"]);
    fixture.advance(2);
    fixture.answer("1a", 200);
    assert_eq!(fixture.in_flight(), ["2a", "3a"]);
}

#[test]
fn max_retries_block_nothing() {
    let mut fixture = EngineFixture::of(&[("max_retries", "2")]);
    fixture.submit("1a", 1, CONTENT);
    fixture.submit("1b", 1, CONTENT);
    fixture.answer("1a", 500);
    assert_eq!(fixture.in_flight(), ["1b"]);
    fixture.advance(30);
    assert_eq!(fixture.in_flight(), ["1a", "1b"]);
    fixture.answer("1b", 200);
    fixture.answer("1a", 200);
    let order: Vec<&str> = fixture.sent.iter().map(|(_, id, _)| id.as_str()).collect();
    assert_eq!(order, ["1a", "1b", "1a"]);
}

#[test]
fn an_endpoint_is_disabled_by_a_status_or_repeated_failures() {
    let story = "[[step]]\nopen = {}\n[[step]]\nsay = { by = 'visitor' }\n";
    let receiver = Receiver::responding_to_events(|_, _| Reply::Status(418, String::new()));
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
