//! `expect`: scenarios that wait for the receiver's calls to the vendor's API, over real sockets.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use standin::emulator::EmulatorSlot;
use standin::platform::Account;
use standin::record::{RecordKind, SettledExpectation, Verdict};
use standin::server::{ApiPort, ServerHandle};

use crate::support::{
    ReceivedRequest, Receiver, RunOutcome, accept, play, revisions, standin_in, stderr, stdout,
};

/// The API of a vendor, served for runs of a test.
struct Served {
    slot: EmulatorSlot,
    server: Option<ServerHandle>,
    client: Client,
}

/// A client of the API.
#[derive(Clone)]
struct Client {
    address: String,
    token: String,
    account: String,
}

impl Served {
    fn start() -> Self {
        Self::at("wotnot")
    }

    fn at(vendor: &str) -> Self {
        let platform = revisions().into_iter().find(|known| known.full_id() == vendor).unwrap();
        let account = Account::test(&platform);
        let token = account.secrets["api_token"].expose().to_owned();
        let account = account.values["id"].to_string();
        let slot = EmulatorSlot::default();
        let server = ApiPort::plain([127, 0, 0, 1].into(), 0).serve(&slot).unwrap();
        let client = Client { address: server.address.to_string(), token, account };
        Self { slot, server: Some(server), client }
    }

    /// Runs a scenario against a receiver.
    fn run(&self, scenario: &str, receiver: &Receiver) -> RunOutcome {
        play(scenario).at("wotnot").serving(&self.slot).to(receiver)
    }

    /// Returns a receiver that handles each webhook with `act` before it responds.
    fn receiver(&self, act: impl Fn(&Client, &Event) + Send + Sync + 'static) -> Receiver {
        let client = self.client.clone();
        Receiver::responding(move |_, received| {
            if let Some(event) = Event::of(received) {
                act(&client, &event);
            }
            accept(received)
        })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            tokio::runtime::Runtime::new().unwrap().block_on(server.stop());
        }
    }
}

/// A webhook of `WotNot`.
struct Event {
    kind: String,
    conversation: String,
    text: String,
    by: String,
}

impl Event {
    fn of(received: &ReceivedRequest) -> Option<Self> {
        let body: Json = serde_json::from_str(&received.body).ok()?;
        let event = body.pointer("/events/0")?;
        let text = |pointer: &str| {
            event.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned()
        };
        Some(Self {
            kind: text("/event/type"),
            conversation: text("/conversation/key"),
            text: text("/event/payload/message/text"),
            by: text("/event/payload/message_by/type"),
        })
    }

    /// Whether the visitor says this.
    fn is_visitor(&self, part: &str) -> bool {
        self.kind == "message" && self.by == "visitor" && self.text.contains(part)
    }
}

impl Client {
    /// POSTs JSON. Returns the status.
    fn post(&self, path: &str, body: &Json) -> (u16, Json) {
        self.post_with(&self.token, path, body)
    }

    fn post_with(&self, token: &str, path: &str, body: &Json) -> (u16, Json) {
        self.send("POST", token, path, &body.to_string())
    }

    fn send(&self, method: &str, token: &str, path: &str, body: &str) -> (u16, Json) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        let mut response = String::new();
        let _ = stream.read_to_string(&mut response);
        let status = response.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = response.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        (status.unwrap_or(0), serde_json::from_str(body).unwrap_or_default())
    }

    /// Answers in a conversation as an agent.
    fn reply(&self, conversation: &str, text: &str) -> (u16, Json) {
        let body = json!({"message": {"text": text}, "user": {"by": "grace@example.test"}});
        self.post(&format!("/api/v1/conversation/{conversation}/messages"), &body)
    }
}

fn settled(played: &RunOutcome) -> Vec<SettledExpectation> {
    let settled = |kind: &RecordKind| match kind {
        RecordKind::ExpectationFinished(settled) => Some(settled.clone()),
        _ => None,
    };
    played.records.iter().filter_map(|record| settled(&record.kind)).collect()
}

fn has_passed(played: &RunOutcome) {
    assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished);
}

/// The visitor asks, the receiver answers, and the visitor quotes the answer. The expectation is step 3.
fn question(expectation: &str) -> String {
    format!(
        "[vars]\norder = 44295\n[[step]]\nopen = {{ assignee = 'bot' }}\n[[step]]\n\
         say = {{ by = 'visitor', text = 'Where is order ${{vars.order}}?' }}\n[[step]]\n{expectation}\n"
    )
}

const REPLY: &str = "expect = { call = 'send_message', within = '20s', \
                     match = { text = { contains = '${vars.order}' }, '/user/by' = 'grace@example.test' } }\n\
                     capture = { reply = 'text', by = '/user/by' }\n\
                     example = { reply = 'It is on its way', by = 'ada@example.test' }\n\
                     [[step]]\nwhen = { captured.by = 'grace@example.test' }\n\
                     say = { by = 'visitor', text = 'You say: ${captured.reply}' }";

#[test]
fn a_receiver_that_answers_passes_whenever_it_calls() {
    let answer = |client: &Client, event: &Event| {
        if event.is_visitor("Where is order") {
            let number = event.text.trim_end_matches('?').rsplit(' ').next().unwrap().to_owned();
            let (client, conversation) = (client.clone(), event.conversation.clone());
            client.reply(&conversation, &format!("Order {number} is on its way"));
        }
    };
    let later = move |client: &Client, event: &Event| {
        let client = client.clone();
        let Event { kind, conversation, text, by } = event;
        let event = Event {
            kind: kind.clone(),
            conversation: conversation.clone(),
            text: text.clone(),
            by: by.clone(),
        };
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            answer(&client, &event);
        });
    };
    let served = Served::start();
    // Before the response to the webhook, and after it.
    for receiver in [served.receiver(answer), served.receiver(later)] {
        for _ in 0..10 {
            let before = receiver.count();
            let played = served.run(&question(REPLY), &receiver);
            has_passed(&played);
            let settled = settled(&played);
            assert_eq!((played.finished.expectations, played.finished.met), (1, 1));
            assert!(settled[0].result.call.is_some(), "{settled:?}");
            let said = receiver.requests()[before..]
                .iter()
                .any(|one| one.body.contains("You say: Order 44295 is on its way"));
            assert!(said, "{:?}", played.finished);
        }
    }
}

#[test]
fn a_receiver_that_answers_wrongly_fails_in_its_time_with_the_nearest_call() {
    let served = Served::start();
    let wrong = served.receiver(|client, event| {
        if event.is_visitor("Where is order") {
            client.reply(&event.conversation, "Which order?");
            let assign = json!({"user": {"by": "grace@example.test", "to": "ada@example.test"}});
            client.post(&format!("/api/v1/conversation/{}/events", event.conversation), &assign);
        }
    });
    let started = Instant::now();
    let played = served.run(&question(&REPLY.replace("20s", "300ms")), &wrong);
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(played.finished.verdict, Verdict::Failed);
    let reason = played.finished.reason.clone().unwrap();
    assert!(
        reason.starts_with(
            "1 of 1 expectation not met. First: test.toml:8 `expect` send_message: `text`: expected a \
             value that contains 44295, found \"Which order?\" (nearest: call 1, POST \
             /api/v1/conversation/"
        ),
        "{reason}"
    );
    let settled = settled(&played);
    assert!((250..5_000).contains(&settled[0].result.waited_ms), "{settled:?}");
    assert_eq!(played.finished.skipped, 1, "the step that uses the value is skipped");

    let silent = Receiver::accepting();
    let played = served.run(&question(&REPLY.replace("20s", "100ms")), &silent);
    let reason = played.finished.reason.unwrap();
    assert!(reason.ends_with("`expect` send_message: call: expected send_message, found no call"));
}

#[test]
fn only_a_call_that_succeeds_meets_an_expectation_without_a_status() {
    let served = Served::start();
    let refused = served.receiver(|client, event| {
        if event.is_visitor("Where is order") {
            let path = format!("/api/v1/conversation/{}/messages", event.conversation);
            let body = json!({"message": {"text": "44295"}, "user": {"by": "grace@example.test"}});
            assert_eq!(client.post_with("made-up-by-nobody", &path, &body).0, 401);
        }
    });
    let expect = "expect = { call = 'send_message', within = '200ms' }";
    let played = served.run(&question(expect), &refused);
    let settled = settled(&played);
    let why = settled[0].why.clone().unwrap();
    assert!(why.starts_with("status: expected 2xx, found 401 ("), "{why}");

    for status in ["['401']", "['4xx']", "['500', '401']"] {
        let expect = format!("expect = {{ call = 'send_message', status = {status} }}");
        has_passed(&served.run(&question(&expect), &refused));
    }
}

#[test]
fn calls_are_taken_once_and_in_any_order() {
    let served = Served::start();
    let twice = served.receiver(|client, event| {
        if event.is_visitor("Where is order") {
            client.reply(&event.conversation, "second");
            client.reply(&event.conversation, "first");
        }
    });
    let expect = |text: &str, within: &str| {
        format!(
            "[[step]]\nexpect = {{ call = 'send_message', match = {{ text = '{text}' }}, \
             within = '{within}' }}\n"
        )
    };
    let both = question("set = { variables = { a = 1 } }")
        + &expect("first", "20s")
        + &expect("second", "20s");
    has_passed(&served.run(&both, &twice));
    let again = both + &expect("first", "100ms");
    let played = served.run(&again, &twice);
    assert_eq!((played.finished.expectations, played.finished.met), (3, 2));
    assert!(played.finished.reason.unwrap().contains("found no call"));
}

#[test]
fn calls_outside_conversations_are_expected_too() {
    let served = Served::start();
    let contacts = served.receiver(|client, event| {
        if event.kind == "conversation_create" {
            let body = json!({"contacts": [{"name": "Ada", "email": "ada@example.test"}]});
            assert_eq!(client.post("/api/v1/conversations", &body).0, 200);
        }
    });
    let expect = "expect = { call = 'save_contacts', match = { '/contacts' = { length = 1 } } }";
    let played = served.run(&question(expect), &contacts);
    has_passed(&played);
    assert_eq!(settled(&played)[0].result.call, Some(1));
}

#[test]
fn every_conversation_waits_for_its_own_calls() {
    let served = Served::start();
    let receiver = served.receiver(|client, event| {
        if event.is_visitor("Where is order") {
            client.reply(&event.conversation, &format!("44295 {}", event.conversation));
        }
    });
    let played = play(&question(REPLY)).at("wotnot").serving(&served.slot).times(20).to(&receiver);
    has_passed(&played);
    assert_eq!(played.finished.met, 20);
    // Each script has captured the reply in its own conversation.
    let events: Vec<Event> = receiver.requests().iter().filter_map(Event::of).collect();
    let said: Vec<&Event> = events.iter().filter(|event| event.is_visitor("You say: ")).collect();
    assert_eq!(said.len(), 20);
    assert!(said.iter().all(|event| event.text.ends_with(&event.conversation)));
}

#[test]
fn parallel_runs_share_the_api() {
    let served = Served::start();
    let receiver = Arc::new(served.receiver(|client, event| {
        if event.is_visitor("Where is order") {
            client.reply(&event.conversation, &format!("44295 {}", event.conversation));
        }
    }));
    let slot = &served.slot;
    thread::scope(|scope| {
        for worker in 0..4 {
            let receiver = &receiver;
            scope.spawn(move || {
                for number in 0..5 {
                    let scenario = format!("name = 'run {worker}-{number}'\n{}", question(REPLY));
                    has_passed(&play(&scenario).at("wotnot").serving(slot).to(receiver));
                }
            });
        }
    });
}

/// The receiver opens the conversation when it is asked to start.
const OPENED: &str = "[[step]]\nrequest = { post = '/start' }\n[[step]]\n\
    expect = { call = 'open_conversation', match = { visitor = 'ada-7' }, within = '20s' }\n\
    capture = { first = 'text' }\nexample = { first = 'Hello' }\n[[step]]\n\
    say = { by = 'visitor', text = 'I said: ${captured.first}' }\n[[step]]\n\
    expect = { call = 'send_message', within = '20s' }\n[[step]]\nclose = { by = 'system' }\n";

/// Opens a conversation for a visitor. Returns its key.
fn open(client: &Client, visitor: &str) -> String {
    let body = json!({
        "channel": "API",
        "message": {"type": "text", "data": {"body": "Hi there"}},
        "from": {"user_external_id": visitor, "type": "VISITOR"},
    });
    let (status, opened) = client.post("/api/v1/conversations", &body);
    assert_eq!(status, 200, "{opened}");
    opened["conversation"]["id"].as_str().unwrap().to_owned()
}

/// A receiver that opens conversations for these visitors when it is asked to start, and answers.
fn opening_receiver(served: &Served, visitors: &'static [&'static str]) -> Receiver {
    let client = served.client.clone();
    Receiver::responding(move |_, received| {
        if received.head.starts_with("POST /start") {
            visitors.iter().for_each(|visitor| drop(open(&client, visitor)));
        }
        if let Some(event) = Event::of(received).filter(|event| event.is_visitor("I said")) {
            client.reply(&event.conversation, "Welcome");
        }
        accept(received)
    })
}

#[test]
fn a_script_plays_in_the_conversation_that_the_receiver_opens() {
    let served = Served::start();
    let receiver = opening_receiver(&served, &["other", "ada-7"]);
    for _ in 0..5 {
        let before = receiver.count();
        let played = served.run(OPENED, &receiver);
        has_passed(&played);
        assert_eq!(played.finished.met, 3);
        let events: Vec<Event> =
            receiver.requests()[before..].iter().filter_map(Event::of).collect();
        let said = events.iter().find(|event| event.is_visitor("I said: Hi there")).unwrap();
        let kinds: Vec<&str> = events
            .iter()
            .filter(|event| event.conversation == said.conversation)
            .map(|event| event.kind.as_str())
            .collect();
        assert_eq!(kinds[0], "conversation_create", "{kinds:?}");
        assert_eq!(kinds.iter().filter(|kind| **kind == "message").count(), 3, "{kinds:?}");
    }
}

#[test]
fn a_conversation_that_nobody_opens_fails_once() {
    let served = Served::start();
    let receiver = opening_receiver(&served, &["other"]);
    let played = served.run(&OPENED.replace("20s", "200ms"), &receiver);
    assert_eq!(played.finished.verdict, Verdict::Failed);
    let reason = played.finished.reason.clone().unwrap();
    assert!(
        reason.contains(
            "1 of 2 expectations not met. First: test.toml:4 `expect` open_conversation: `visitor`: \
             expected \"ada-7\", found \"other\" (nearest: call 1, POST /api/v1/conversations"
        ),
        "{reason}"
    );
    assert_eq!(played.finished.skipped, 3, "{:?}", played.finished);
}

#[test]
fn the_bundled_story_passes_with_a_bot_that_calls_back() {
    for vendor in ["wotnot", "swiftsell", "replycx"] {
        let served = Served::at(vendor);
        let bot = served.receiver(|client, event| {
            let agent = json!({"by": "grace@example.test", "to": "grace@example.test"});
            let events = format!("/api/v1/conversation/{}/events", event.conversation);
            if event.is_visitor("goodbye") {
                client.post(&events, &json!({"user": {"by": "grace@example.test"}}));
            } else if event.is_visitor("person") {
                client.post(&events, &json!({"user": agent}));
            } else if event.is_visitor("") {
                client.reply(&event.conversation, "What is the new address?");
            }
        });
        let played = play("handback").at(vendor).serving(&served.slot).to(&bot);
        has_passed(&played);
        assert_eq!(played.finished.met, 3);
    }
}

#[test]
fn a_call_that_must_not_come_fails_the_run() {
    let served = Served::start();
    let quiet = served.receiver(|client, event| {
        if event.is_visitor("Where is order") {
            client.reply(&event.conversation, "44295");
        }
    });
    let none = "[[step]]\nexpect = { call = 'send_message', match = { text = '44295' } }\n\
                [[step]]\nexpect_none = { call = '*', for = '200ms' }\n";
    let scenario = question("typing = { by = 'visitor' }") + none;
    let started = Instant::now();
    let played = served.run(&scenario, &quiet);
    has_passed(&played);
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert_eq!(played.finished.met, 2);

    let twice = served.receiver(|client, event| {
        if event.is_visitor("Where is order") {
            client.reply(&event.conversation, "44295");
            client.reply(&event.conversation, "Anything else?");
        }
    });
    let played = served.run(&scenario, &twice);
    let reason = played.finished.reason.clone().unwrap();
    assert!(
        reason.contains("`expect_none` *: call: expected no call, found call 2, POST /api/v1/"),
        "{reason}"
    );
    // Calls that only read do not count.
    let reads = served.receiver(|client, event| {
        if event.is_visitor("Where is order") {
            client.reply(&event.conversation, "44295");
            let path = format!("/v1/accounts/{}/bots", client.account);
            assert_eq!(client.send("GET", &client.token, &path, "").0, 200);
        }
    });
    has_passed(&served.run(&scenario, &reads));
}

#[test]
fn calls_that_nobody_expects_are_named_or_fail_the_run() {
    let served = Served::start();
    let receiver = served.receiver(|client, event| {
        if event.is_visitor("Where is order") {
            client.reply(&event.conversation, "Anything else?");
            client.reply(&event.conversation, "44295");
        }
    });
    let played = served.run(&question(REPLY), &receiver);
    has_passed(&played);
    assert_eq!(played.finished.unexpected, ["send_message (call 1)"]);
    let strict = format!("verify = {{ unexpected = 'strict' }}\n{}", question(REPLY));
    let played = served.run(&strict, &receiver);
    assert_eq!(played.finished.verdict, Verdict::Failed);
    let reason = played.finished.reason.unwrap();
    assert_eq!(reason, "1 call met no expectation. First: send_message (call 1)");
    let allowed = format!("verify = {{ unexpected = 'allow' }}\n{}", question(REPLY));
    let played = served.run(&allowed, &receiver);
    has_passed(&played);
    assert_eq!(played.finished.unexpected_calls, 0);
    // Without an expectation, nothing is unexpected.
    let played = served.run(&question("close = { by = 'bot' }"), &receiver);
    assert_eq!(played.finished.unexpected_calls, 0);
}

#[test]
fn a_script_reacts_to_calls() {
    let served = Served::start();
    let receiver = served.receiver(|client, event| {
        if event.is_visitor("Where is order") {
            client.reply(&event.conversation, "I ask a HUMAN");
        } else if event.is_visitor("Hello human") {
            client.reply(&event.conversation, "Welcome back");
        }
    });
    let scenario = question(
        "expect = { call = 'send_message', match = { text = 'Welcome back' }, within = '20s' }",
    ) + "[cast.grace]\nrole = 'agent'\nemail = 'grace@example.test'\n[[on]]\ncall = 'send_message'\n\
           match = { text = { regex = '(?i)human' } }\n\
           do = [{ assign = { to = 'grace' } }, { say = { by = 'visitor', text = 'Hello human ${vars.order}' } }]\n";
    let played = served.run(&scenario, &receiver);
    has_passed(&played);
    assert_eq!(played.finished.unexpected_calls, 0);
    let reactions = played.count(|kind| matches!(kind, RecordKind::ReactionStarted { .. }));
    assert_eq!(reactions, 1);
    let texts: Vec<String> =
        receiver.requests().iter().filter_map(Event::of).map(|event| event.text).collect();
    assert!(texts.iter().any(|text| text == "Hello human 44295"), "{texts:?}");

    let impossible =
        scenario.replace("{ assign = { to = 'grace' } }", "{ reopen = { by = 'visitor' } }");
    let played = served.run(&impossible.replace("20s", "200ms"), &receiver);
    let reason = played.finished.reason.unwrap();
    assert!(reason.contains("test.toml:13 `on` could not be played: "), "{reason}");
}

#[test]
fn a_step_can_respond_in_place_of_the_vendor() {
    let served = Served::start();
    let statuses = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&statuses);
    // It tries again after an error.
    let receiver = served.receiver(move |client, event| {
        if event.is_visitor("Where is order") {
            for _ in 0..3 {
                let started = Instant::now();
                let (status, body) = client.reply(&event.conversation, "44295");
                seen.lock().unwrap().push((status, body, started.elapsed()));
                if status == 200 {
                    break;
                }
            }
        }
    });
    let scenario = question(
        "expect = { call = 'send_message', respond = { status = 503, body = { error = 'busy' } } }\n\
         [[step]]\nexpect = { call = 'send_message', match = { text = '44295' } }",
    );
    let played = served.run(&scenario, &receiver);
    has_passed(&played);
    let seen = std::mem::take(&mut *statuses.lock().unwrap());
    assert_eq!((seen[0].0, &seen[0].1), (503, &json!({"error": "busy"})), "{seen:?}");
    assert_eq!((seen[1].0, seen.len()), (200, 2), "{seen:?}");
    let requests = receiver.requests();
    let said = requests.iter().filter_map(Event::of).filter(|one| one.text == "44295");
    assert_eq!(said.count(), 1, "a call that fails changes nothing");

    let delayed = "expect = { call = 'send_message', respond = { delay = '300ms' } }";
    has_passed(&served.run(&question(delayed), &receiver));
    let seen = std::mem::take(&mut *statuses.lock().unwrap());
    assert!(seen[0].0 == 200 && seen[0].2 >= Duration::from_millis(300), "{seen:?}");
}

#[test]
fn a_call_can_get_no_response_at_all() {
    let served = Served::start();
    let (replied, replies) = mpsc::channel();
    let receiver = served.receiver(move |client, event| {
        if event.is_visitor("Where is order") {
            let (client, conversation) = (client.clone(), event.conversation.clone());
            let replied = replied.clone();
            thread::spawn(move || replied.send(client.reply(&conversation, "44295")));
        }
    });
    let hang = "expect = { call = 'send_message', respond = { hang = true } }\n\
                [[step]]\nsay = { by = 'visitor', text = 'Are you there?' }";
    let started = Instant::now();
    has_passed(&served.run(&question(hang), &receiver));
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(replies.try_recv().is_err(), "the call got a response");
}

#[test]
fn a_dry_run_performs_no_action_of_a_call_that_gets_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let text = "vendors = ['wotnot']\n[[step]]\nopen = {}\n[[step]]\n\
                expect = { call = 'close_conversation', respond = { status = 500 } }\n\
                [[step]]\nexpect = { call = 'send_message', status = ['4xx'] }\n\
                [[step]]\nsay = { by = 'visitor', text = 'Hello?' }\n";
    std::fs::write(folder.path().join("refused.toml"), text).unwrap();
    let arguments = ["run", "refused.toml", "--dry-run"];
    let output = standin_in(folder.path(), &arguments);
    let told = stdout(&output);
    assert!(told.contains("conversation_create"), "{told}{}", stderr(&output));
    assert_eq!(told.matches("message  ").count(), 1, "{told}");
    assert!(!told.contains("status  "), "{told}");
}
