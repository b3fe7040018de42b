//! Memory of sleeping conversations: those that wait for their next step. A program of its own,
//! because it counts what its allocator hands out.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use peak_alloc::PeakAlloc;
use standin::base::clock::Clock;
use standin::config::receiver_url;
use standin::delivery::{AttemptSlots, ClockMode, DeliveryCheck, Request, Transport};
use standin::diag::{Source, render::render};
use standin::emulator::{Emulator, EndpointPlan, ScriptedRun};
use standin::platform::{Account, Catalog, Platform, Subscription, VendorRef};
use standin::record::{AttemptOutcome, AttemptResult, PriorAttempts, RecordLog};
use standin::scenario;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Enough conversations that the growth of hash tables does not matter.
const CONVERSATIONS: u32 = 200;

/// Most bytes that a sleeping conversation may hold beside its messages.
const MOST_BYTES: usize = 2_048;

/// A receiver that accepts every request, without a network.
#[derive(Default)]
struct Accepting(AtomicU32);

impl Transport for Accepting {
    async fn send(&self, _: Request) -> AttemptResult {
        self.0.fetch_add(1, Ordering::Relaxed);
        let result = AttemptResult::failure(AttemptOutcome::Responded, "", 1);
        AttemptResult { status: Some(200), ..result }
    }
}

/// A script in which the visitor says something, this many times, and then waits for an hour.
fn script(messages: usize) -> String {
    let say = "[[step]]\nsay = { by = \"visitor\", text = \"Where is my order?\" }\n";
    let waits = say.replace("say =", "after = \"1h\"\nsay =");
    format!(
        "name = \"Sleeping\"\n[cast.grace]\nrole = \"agent\"\n[[step]]\nopen = {{}}\n[[step]]\nassign = {{ to = \"grace\" }}\n{}{waits}",
        say.repeat(messages)
    )
}

fn run(platform: &Arc<Platform>, conversations: u32, script: &str) -> ScriptedRun {
    let script = scenario::read(&Source::new("test.toml", script))
        .and_then(|parsed| scenario::check(parsed, &[Arc::clone(platform)], &[]))
        .unwrap_or_else(|problems| panic!("{}", render(problems)));
    ScriptedRun {
        number: 1,
        script: Arc::new(script),
        plays: conversations,
        seed: 1,
        start: "2026-01-05T09:00:00Z".parse().unwrap(),
        // All conversations start, and none wakes up during the test.
        clock: ClockMode::Real(1.0),
        check: DeliveryCheck::default(),
        lines: BTreeMap::new(),
        controls: BTreeSet::new(),
        prior: Arc::new(PriorAttempts::default()),
        log: RecordLog::new(1, Clock::System),
        is_paused: false,
        keeps_conversations: false,
        is_resumable: false,
    }
}

/// The bytes that this many conversations hold while they sleep, each after this many messages.
fn bytes(platform: &Arc<Platform>, conversations: u32, messages: usize) -> usize {
    // Dropping the runtime frees everything, so that measurements do not overlap.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure(platform, conversations, messages))
}

async fn measure(platform: &Arc<Platform>, conversations: u32, messages: usize) -> usize {
    let account = Arc::new(Account::test(platform));
    let subscription = Subscription::check_plain(&["*".into()], &["any"]).unwrap();
    let url = receiver_url("http://127.0.0.1:9/").unwrap();
    let endpoint = EndpointPlan::new(1, url, subscription);
    let transport = Arc::new(Accepting::default());
    let slots = AttemptSlots::default();
    let run = run(platform, conversations, &script(messages));
    let before = ALLOCATOR.current_usage();
    let emulator = Emulator::start(account, vec![endpoint], Arc::clone(&transport), slots);
    let _ended = emulator.play(run);
    // The steps before the pause take less than a second of run time. All sleep once no request
    // has been sent for a while.
    let mut sent = [0, 1];
    while sent[0] < conversations || sent[0] != sent[1] {
        tokio::time::sleep(Duration::from_millis(400)).await;
        sent = [transport.0.load(Ordering::Relaxed), sent[0]];
    }
    ALLOCATOR.current_usage() - before
}

#[test]
fn a_sleeping_conversation_holds_little_beside_its_messages() {
    let mut too_large = Vec::new();
    let catalog = Catalog::bundled();
    for id in catalog.ids() {
        let platform = catalog.load(&VendorRef::parse(id)).unwrap();
        let account = bytes(&platform, 1, 1);
        let each = |messages| {
            (bytes(&platform, CONVERSATIONS + 1, messages) - account) / CONVERSATIONS as usize
        };
        // A list of four has no free capacity, like a list of one.
        let (one, four) = (each(1), each(4));
        let message = (four - one) / 3;
        let beside = one - message;
        println!("{id}: {beside} bytes, and {message} for each message");
        too_large.extend((beside > MOST_BYTES).then_some(format!("{id}: {beside} bytes")));
    }
    assert!(too_large.is_empty(), "{too_large:#?}");
}
