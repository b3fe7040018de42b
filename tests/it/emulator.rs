//! The emulator as a library: others act in running conversations, runs are paused and stepped,
//! endpoints come and go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Map;
use standin::base::address::EgressPolicy;
use standin::base::clock::Clock;
use standin::base::limits::MAX_BODY;
use standin::config::receiver_url;
use standin::conversation::{Action, ActionKind, Actor};
use standin::delivery::{
    AttemptSlots, ClockMode, Connector, ConversationKey, DeliveryCheck, Http1Client,
};
use standin::diag::{Source, render::render};
use standin::emulator::{ActError, Emulator, EndpointPlan, ScriptedRun};
use standin::platform::{Account, Platform, Subscription};
use standin::record::{LogReader, PriorAttempts, Record, RecordKind, RecordLog};
use standin::scenario;
use tokio::time::{sleep, timeout};

use crate::support::{Receiver, Reply, revisions, vendors};

const VENDOR: &str = "ebbot";

/// A visitor writes three messages, with ten seconds before each.
const THREE_MESSAGES: &str = r#"
name = "Three messages"

[[step]]
open = {}

[[step]]
after = "10s"
say = { by = "visitor", text = "one of three" }

[[step]]
after = "10s"
say = { by = "visitor", text = "two of three" }

[[step]]
after = "10s"
say = { by = "visitor", text = "three of three" }
"#;

const FIRST: ConversationKey = ConversationKey { run: 1, number: 1 };

fn platform(name: &str) -> Arc<Platform> {
    vendors().into_iter().find(|platform| platform.id == name).unwrap()
}

fn account() -> Arc<Account> {
    Arc::new(Account::test(&platform(VENDOR)))
}

fn endpoint(number: u32, receiver: &Receiver) -> EndpointPlan {
    let subscription = Subscription::check_plain(&["*".into()], &["any"]).unwrap();
    let url = receiver_url(&receiver.url()).unwrap();
    EndpointPlan::new(number, url, subscription)
}

fn emulator(account: &Arc<Account>, endpoints: Vec<EndpointPlan>, slots: AttemptSlots) -> Emulator {
    let client =
        Http1Client::new(Connector::new(EgressPolicy::default()), account.platform.wire.clone());
    Emulator::start(Arc::clone(account), endpoints, Arc::new(client), slots)
}

/// A run whose conversations stay, and its records.
fn scripted(number: u32, script: &str, clock: ClockMode) -> (ScriptedRun, LogReader) {
    let script = scenario::read(&Source::new("test.toml", script))
        .and_then(|parsed| scenario::check(parsed, &[platform(VENDOR)], &revisions()))
        .unwrap_or_else(|problems| panic!("{}", render(problems)));
    let log = RecordLog::new(number, Clock::System);
    let records = log.subscribe(1).unwrap();
    let run = ScriptedRun {
        number,
        script: Arc::new(script),
        plays: 1,
        seed: u64::from(number),
        start: "2026-01-05T09:00:00Z".parse().unwrap(),
        clock,
        check: DeliveryCheck::default(),
        lines: BTreeMap::new(),
        controls: std::collections::BTreeSet::new(),
        prior: Arc::new(PriorAttempts::default()),
        log,
        is_paused: false,
        keeps_conversations: true,
        is_resumable: false,
    };
    (run, records)
}

fn say(text: &str) -> Action {
    let kind = ActionKind::Say { kind: "text".into(), text: text.into(), data: Map::new() };
    kind.by(Actor::Member("visitor".into()))
}

fn close() -> Action {
    ActionKind::Close { survey: false }.by(Actor::Member("bot".into()))
}

async fn texts(emulator: &Emulator) -> Vec<String> {
    let conversation = emulator.conversation(FIRST).await.unwrap();
    conversation.messages.iter().map(|message| message.text.clone()).collect()
}

/// Waits until something holds; fails after ten seconds.
async fn eventually<T>(what: impl AsyncFn() -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(found) = what().await {
                return found;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(10), wait).await.unwrap()
}

async fn received(receiver: &Receiver, part: &str) {
    let has = || receiver.requests().iter().any(|request| request.body.contains(part));
    eventually(async || has().then_some(())).await;
}

fn drain(records: &mut LogReader) -> Vec<Arc<Record>> {
    let (mut all, mut batch) = (Vec::new(), Vec::new());
    loop {
        records.try_next_batch(&mut batch);
        if batch.is_empty() {
            return all;
        }
        all.append(&mut batch);
    }
}

#[tokio::test]
async fn others_act_in_a_conversation_after_its_script() {
    let receiver = Receiver::accepting();
    let emulator = emulator(&account(), vec![endpoint(1, &receiver)], AttemptSlots::default());
    let (run, mut records) = scripted(1, THREE_MESSAGES, ClockMode::Virtual);
    emulator.play(run).await.unwrap();

    let summaries = emulator.act(FIRST, vec![say("a fourth")]).await.unwrap();
    assert_eq!(summaries[0].summary, "“a fourth”");
    received(&receiver, "a fourth").await;
    assert_eq!(
        texts(&emulator).await,
        ["one of three", "two of three", "three of three", "a fourth"]
    );
    // Run time goes on where the script ended.
    let conversation = emulator.conversation(FIRST).await.unwrap();
    assert!(conversation.messages.is_sorted_by_key(|message| message.at));
    // The record of an action without a script names no step.
    let acted = drain(&mut records).into_iter().rev().find_map(|record| match &record.kind {
        RecordKind::ActionDone(summary) => Some((record.step, summary.summary.clone())),
        _ => None,
    });
    assert_eq!(acted, Some((None, "“a fourth”".into())));
}

#[tokio::test]
async fn actions_of_one_call_happen_all_or_not_at_all() {
    let receiver = Receiver::accepting();
    let emulator = emulator(&account(), vec![endpoint(1, &receiver)], AttemptSlots::default());
    let (run, _records) = scripted(1, THREE_MESSAGES, ClockMode::Virtual);
    emulator.play(run).await.unwrap();
    let before = format!("{:?}", emulator.conversation(FIRST).await);
    let sent = receiver.count();

    for actions in [
        vec![say("said before it is closed"), close(), say("said after it was closed")],
        // The message is valid, but no payload can hold it.
        vec![say(&"x".repeat(MAX_BODY + 1))],
        vec![close(), say("too late")],
    ] {
        let refused = emulator.act(FIRST, actions).await;
        assert!(matches!(refused, Err(ActError::Refused(_))), "{refused:?}");
        assert_eq!(format!("{:?}", emulator.conversation(FIRST).await), before);
    }
    emulator.act(FIRST, vec![say("valid")]).await.unwrap();
    received(&receiver, "valid").await;
    let later = receiver.requests().split_off(sent);
    let is_valid = |body: &str| body.contains("valid") && !body.contains("said");
    assert!(later.iter().all(|request| is_valid(&request.body)), "sent without having happened");

    let unknown = emulator.act(ConversationKey { run: 7, number: 1 }, vec![close()]).await;
    assert_eq!(unknown, Err(ActError::UnknownConversation));
}

#[tokio::test]
async fn a_message_that_no_payload_can_hold_is_not_in_the_transcript() {
    let receiver = Receiver::accepting();
    let emulator = emulator(&account(), vec![endpoint(1, &receiver)], AttemptSlots::default());
    let huge = "0123456789abcdef".repeat(1_000);
    let data = format!("[[step]]\nsay = {{ by = \"visitor\", text = \"{huge}\" }}\n").repeat(70);
    // The close carries the whole transcript, which is too large for one body.
    let script = format!("{THREE_MESSAGES}\n{data}\n[[step]]\nclose = {{ by = \"bot\" }}\n");
    let (run, mut records) = scripted(1, &script, ClockMode::Virtual);
    emulator.play(run).await.unwrap();

    let all = drain(&mut records);
    let dropped = all.iter().any(|record| matches!(record.kind, RecordKind::ActionDropped { .. }));
    let state = emulator.conversation(FIRST).await.unwrap();
    assert!(dropped, "the test no longer reaches the limit");
    assert!(state.closed.is_none(), "an action that was dropped has no effect");
}

#[tokio::test]
async fn a_paused_run_does_nothing_until_it_is_stepped_or_resumed() {
    let receiver = Receiver::accepting();
    let emulator = emulator(&account(), vec![endpoint(1, &receiver)], AttemptSlots::default());
    // So slow that nothing happens before the pause, however busy the machine is.
    let (run, _records) = scripted(1, THREE_MESSAGES, ClockMode::Real(0.01));
    let mut ended = emulator.play(run);
    emulator.pause(1);
    eventually(async || emulator.conversation(FIRST).await.is_some().then_some(())).await;

    for expected in [&[][..], &["one of three"], &["one of three", "two of three"]] {
        emulator.step(1);
        assert_eq!(texts(&emulator).await, expected);
    }
    emulator.set_speed(1, 10_000.0);
    for invalid in [-1.0, 0.0, f64::NAN, f64::INFINITY, f64::MAX] {
        emulator.set_speed(1, invalid);
    }
    sleep(Duration::from_millis(300)).await;
    assert_eq!(texts(&emulator).await.len(), 2, "it is paused");
    assert!(ended.try_recv().is_err());

    emulator.resume(1);
    timeout(Duration::from_secs(10), ended).await.unwrap().unwrap();
    assert_eq!(texts(&emulator).await, ["one of three", "two of three", "three of three"]);
}

#[tokio::test]
async fn a_paused_virtual_clock_does_not_jump() {
    let receiver = Receiver::accepting();
    let emulator = emulator(&account(), vec![endpoint(1, &receiver)], AttemptSlots::default());
    let (run, _records) = scripted(1, THREE_MESSAGES, ClockMode::Virtual);
    // Both messages arrive before anything is played: nothing awaits in between.
    let ended = emulator.play(run);
    emulator.pause(1);
    sleep(Duration::from_millis(100)).await;
    let paused = receiver.count();
    emulator.resume(1);
    timeout(Duration::from_secs(10), ended).await.unwrap().unwrap();
    assert!(paused < receiver.count(), "{paused}");
    assert_eq!(texts(&emulator).await, ["one of three", "two of three", "three of three"]);
}

#[tokio::test]
async fn actions_are_applied_when_they_are_due_and_not_before() {
    let receiver = Receiver::accepting();
    let emulator = emulator(&account(), vec![endpoint(1, &receiver)], AttemptSlots::default());
    // 20 run seconds per second: the first message is due after half a second.
    let (run, _records) = scripted(1, THREE_MESSAGES, ClockMode::Real(20.0));
    let _ended = emulator.play(run);
    received(&receiver, "one of three").await;
    assert_eq!(texts(&emulator).await, ["one of three"], "the future is not in the state");
}

#[tokio::test]
async fn deliveries_of_later_actions_are_sent_although_a_fault_holds_them_back() {
    for fault in ["delay:2s", "reorder", "hold:9", "straggler"] {
        let receiver = Receiver::accepting();
        let emulator = emulator(&account(), vec![endpoint(1, &receiver)], AttemptSlots::default());
        let script = format!("{THREE_MESSAGES}\n[faults]\nevery = \"{fault}\"\n");
        let (mut run, mut records) = scripted(1, &script, ClockMode::Virtual);
        run.plays = 2;
        let ended = emulator.play(run);
        timeout(Duration::from_secs(10), ended).await.unwrap().unwrap();
        drain(&mut records);
        for text in ["a fourth", "a fifth"] {
            emulator.act(FIRST, vec![say(text)]).await.unwrap();
            received(&receiver, text).await;
        }
    }
}

#[tokio::test]
async fn endpoints_come_and_go() {
    let (first, second) = (Receiver::accepting(), Receiver::accepting());
    let emulator = emulator(&account(), vec![endpoint(1, &first)], AttemptSlots::default());
    let (run, _records) = scripted(1, THREE_MESSAGES, ClockMode::Virtual);
    emulator.play(run).await.unwrap();

    emulator.add_endpoint(endpoint(2, &second));
    emulator.act(FIRST, vec![say("to both")]).await.unwrap();
    received(&first, "to both").await;
    received(&second, "to both").await;
    let is_new = second.requests().iter().all(|request| request.body.contains("to both"));
    assert!(is_new, "it gets nothing from before");

    emulator.remove_endpoint(1);
    emulator.act(FIRST, vec![say("to the second")]).await.unwrap();
    received(&second, "to the second").await;
    assert!(first.requests().iter().all(|request| !request.body.contains("to the second")));
}

#[tokio::test]
async fn conversations_are_found_by_the_ids_that_the_vendor_gave_out() {
    let receiver = Receiver::accepting();
    let emulator = emulator(&account(), vec![endpoint(1, &receiver)], AttemptSlots::default());
    let (run, _records) = scripted(1, THREE_MESSAGES, ClockMode::Virtual);
    emulator.play(run).await.unwrap();

    let conversation = emulator.conversation(FIRST).await.unwrap();
    let ids: Vec<String> = conversation
        .ids
        .clone()
        .into_entries()
        .filter_map(|(_, value)| value.as_str().map(str::to_owned))
        .collect();
    assert!(!ids.is_empty());
    for id in ids {
        assert!(receiver.requests().iter().any(|request| request.body.contains(&id)), "{id}");
        assert_eq!(emulator.find(&id).await, Some(FIRST), "{id}");
    }
    assert_eq!(emulator.find("unknown").await, None);
}

#[tokio::test]
async fn runs_at_one_emulator_have_logs_and_ids_of_their_own() {
    let receiver = Receiver::accepting();
    let emulator = emulator(&account(), vec![endpoint(1, &receiver)], AttemptSlots::default());
    let (first, mut first_records) = scripted(1, THREE_MESSAGES, ClockMode::Virtual);
    let (second, mut second_records) = scripted(2, THREE_MESSAGES, ClockMode::Virtual);
    let (first, second) = (emulator.play(first), emulator.play(second));
    first.await.unwrap();
    second.await.unwrap();

    let planned = |records: Vec<Arc<Record>>| -> Vec<String> {
        let body = |record: &Arc<Record>| match &record.kind {
            RecordKind::DeliveryPlanned { body, .. } => Some(body.to_string()),
            _ => None,
        };
        records.iter().filter_map(body).collect()
    };
    let (first, second) = (planned(drain(&mut first_records)), planned(drain(&mut second_records)));
    assert_eq!(first.len(), second.len());
    assert_eq!(receiver.count(), first.len() + second.len());
    assert!(first.iter().all(|body| !second.contains(body)), "their ids differ");
}

#[tokio::test]
async fn a_cancelled_run_ends_and_blocks_no_other_run() {
    let fails = Arc::new(AtomicBool::new(true));
    let failing = Arc::clone(&fails);
    let receiver = Receiver::responding(move |_, _| {
        if failing.load(Ordering::SeqCst) { Reply::Status(500, "{}".into()) } else { Reply::good() }
    });
    // A failure at this vendor blocks the whole account until a retry succeeds.
    let account = Arc::new(Account::test(&platform("liveperson")));
    let emulator = emulator(&account, vec![endpoint(1, &receiver)], AttemptSlots::default());
    let (first, _first_records) = scripted(1, THREE_MESSAGES, ClockMode::Real(1.0));
    let first = emulator.play(first);
    eventually(async || (receiver.count() > 0).then_some(())).await;

    let (second, _second_records) = scripted(2, THREE_MESSAGES, ClockMode::Real(1_000.0));
    let second = emulator.play(second);
    emulator.cancel(1);
    assert!(timeout(Duration::from_secs(10), first).await.unwrap().is_err(), "it did not end");
    fails.store(false, Ordering::SeqCst);
    timeout(Duration::from_secs(10), second).await.unwrap().unwrap();
    assert_eq!(emulator.conversation(FIRST).await.map(|_| ()), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_emulators_of_a_process_share_its_slots() {
    static ACTIVE: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let slots = AttemptSlots::new(1);
    let receive = || {
        Receiver::responding(|_, _| {
            MOST.fetch_max(ACTIVE.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(5));
            ACTIVE.fetch_sub(1, Ordering::SeqCst);
            Reply::good()
        })
    };
    let receivers = [receive(), receive(), receive()];
    let start = |receiver: &Receiver| {
        let emulator = emulator(&account(), vec![endpoint(1, receiver)], slots.clone());
        let (mut run, records) = scripted(1, THREE_MESSAGES, ClockMode::Virtual);
        run.plays = 4;
        let ended = emulator.play(run);
        (emulator, records, ended)
    };
    let running: Vec<_> = receivers.iter().map(start).collect();
    for (_emulator, _records, ended) in running {
        timeout(Duration::from_secs(20), ended).await.unwrap().unwrap();
    }
    assert_eq!(MOST.load(Ordering::SeqCst), 1);
}
