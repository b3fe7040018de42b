//! A deterministic simulation of the engine's environment: receiver, network, journal, clock and
//! their failures, generated from one seed and executed by an event heap.
//!
//! The simulation does not know how the engine works. It stores what was journaled and received, and
//! reports the first violated invariant.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};
use standin::base::duration::DurationRange;
use standin::base::seed::SeedScope;
use standin::delivery::{
    ConversationKey, Delivery, Endpoint, Engine, EngineCommand, EngineInput, EngineTimer,
    SentAttempt,
};
use standin::fault::Faults;
use standin::policy::{Backoff, Blocks, Disable, InDoubt, Policy, Retry, StatusSet};
use standin::record::{AttemptOutcome, AttemptResult, RecordKind, SettledDelivery};

/// Milliseconds of simulated time.
type Millis = i64;

/// Time after which receiver and network work: every delivery must settle eventually.
const HEALTHY_AFTER: Millis = 60_000;
/// Time limit of an attempt.
const TIMEOUT: Millis = 10_000;
/// The longest retry delay of the generated policies.
const CAP: Millis = 300_000;
const RETENTION: Millis = 3_600_000;

/// An event of the simulation.
#[derive(Debug)]
enum SimulationEvent {
    /// A conversation submits the delivery at this index of the plan.
    Submit(usize),
    /// The run of this number is cancelled.
    Cancel(u32),
    /// A request arrives at the receiver.
    Arrive(SentAttempt, usize),
    /// The result of a request reaches the engine, unless the process has restarted since.
    Finish(SentAttempt, AttemptResult),
    Timer(EngineTimer),
}

/// An entry of the heap: time, order of insertion, number of restarts before it, event.
struct Entry(Millis, u64, u32, SimulationEvent);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// The journal of an attempt, which survives crashes.
#[derive(Debug, Default)]
struct JournaledAttempt {
    intents: u32,
    result: Option<AttemptResult>,
}

/// The simulated environment and the engine, generated from one seed.
pub(crate) struct World {
    rng: ChaCha8Rng,
    plan: Vec<Delivery>,
    at: Vec<Millis>,
    heap: BinaryHeap<Reverse<Entry>>,
    pushed: u64,
    engine: Engine,
    restarts: u32,
    crashes_left: u32,
    now: Millis,
    /// Error of the clock that the engine sees.
    skew: Millis,
    /// The time during which run time stands still; submissions and timers wait.
    pause: std::ops::Range<Millis>,
    /// The run that is cancelled, and when. Later runs go on.
    cancel: Option<(u32, Millis)>,
    /// The endpoints that the vendor has disabled.
    disabled: BTreeSet<u32>,
    /// Ids of the deliveries with their indexes in the plan.
    indexes: BTreeMap<String, usize>,
    index_of_key: BTreeMap<u64, usize>,
    /// The journaled requests by delivery, attempt and hop.
    journal: BTreeMap<(usize, u32, u32), JournaledAttempt>,
    settled: BTreeMap<usize, SettledDelivery>,
    /// The deliveries in order of arrival.
    arrived: Vec<usize>,
    keeps_order: bool,
    is_repeatable: bool,
    /// The run that was cancelled since the last restart.
    cancelled: Option<u32>,
    /// Number of executed events.
    pub(crate) steps: u64,
}

impl World {
    /// Generates the simulation of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let policy = Arc::new(policy(&mut rng));
        let signer: standin::delivery::RequestSigner = Arc::new(|_, _, _| Vec::new());
        let endpoints: Vec<_> = (1..=rng.random_range(1..=3_u32))
            .map(|number| {
                let url = format!("http://127.0.0.1:{number}/").parse().unwrap();
                Arc::new(Endpoint::new(number, url, Arc::clone(&signer)))
            })
            .collect();
        let seeds = SeedScope::of_run(seed);
        let mut plan = Vec::new();
        let mut at = Vec::new();
        let (runs, conversations) = (rng.random_range(1..=2_u32), rng.random_range(1..=4_u32));
        let joins: Vec<Millis> = (0..runs).map(|run| Millis::from(run) * 10_000).collect();
        for number in 1..=conversations {
            // A conversation belongs to one of the runs, and joins the engine after it has started.
            let run = rng.random_range(1..=runs);
            let conversation = ConversationKey { run, number };
            let mut time = joins[run as usize - 1] + rng.random_range(0..=5_000);
            for number in 1..=rng.random_range(1..=5) {
                time += rng.random_range(0..=8_000);
                at.push(time);
                plan.push(Delivery {
                    id: format!("{}-{number}", conversation.number),
                    conversation,
                    step: Some(number),
                    event_type: "said".into(),
                    body: "{}".into(),
                    at: timestamp(time),
                    endpoint: Arc::clone(&endpoints[rng.random_range(0..endpoints.len())]),
                    policy: Arc::clone(&policy),
                    faults: Faults::default(),
                    check: Arc::default(),
                    source: None,
                    seeds: seeds.clone(),
                });
            }
        }
        let from = rng.random_range(0..50_000);
        let pause =
            if rng.random_ratio(1, 3) { from..from + rng.random_range(1..30_000) } else { 0..0 };
        let cancel = rng.random_ratio(1, 4).then(|| (1, rng.random_range(0..30_000)));
        let crashes_left = if rng.random_ratio(1, 3) { rng.random_range(1..=3) } else { 0 };
        let indexes = (0..).zip(&plan).map(|(index, delivery)| (delivery.id.clone(), index));
        let mut world = Self {
            indexes: indexes.collect(),
            engine: Engine::default(),
            keeps_order: policy.blocks != Blocks::Nothing && policy.hold.is_none(),
            // Which endpoint is disabled depends on the order of results across conversations, and
            // results of before a restart come at once. So does what a cancelled run had sent.
            is_repeatable: policy.disable == Disable::default() && cancel.is_none(),
            rng,
            plan,
            at,
            heap: BinaryHeap::new(),
            pushed: 0,
            restarts: 0,
            crashes_left,
            now: 0,
            skew: 0,
            pause,
            cancel,
            disabled: BTreeSet::new(),
            cancelled: None,
            index_of_key: BTreeMap::new(),
            journal: BTreeMap::new(),
            settled: BTreeMap::new(),
            arrived: Vec::new(),
            steps: 0,
        };
        world.start();
        world
    }

    /// Runs the simulation. Returns the number of events, or the first violated invariant.
    pub(crate) fn check(mut self) -> Result<u64, String> {
        self.run()?;
        self.check_results()?;
        // I7: after the end, a restart sends nothing.
        let (sent, outcomes) = (self.sent(), format!("{:?}", self.settled));
        self.crashes_left = 0;
        self.restart();
        self.run()?;
        let same = format!("{:?}", self.settled) == outcomes;
        // A clock that jumps can expire other deliveries than before.
        if self.is_repeatable && self.sent() != sent && self.skew == 0 {
            return Err("I7: starting again sent something".into());
        }
        // I8: the settled results depend on the journal only.
        if self.is_repeatable && self.keeps_order && self.skew == 0 && !same {
            return Err("I8: the same results led to something else".into());
        }
        Ok(self.steps)
    }

    fn sent(&self) -> u32 {
        self.journal.values().map(|journaled| journaled.intents).sum()
    }

    /// Starts the process: every conversation submits its deliveries again, as a resumed run does.
    fn start(&mut self) {
        let now = self.run_now();
        for index in 0..self.plan.len() {
            self.push_at_run_time(now + self.at[index], SimulationEvent::Submit(index));
        }
        if let Some((run, at)) = self.cancel {
            self.push_at_run_time(now + at, SimulationEvent::Cancel(run));
        }
        for (delivery, at) in self.plan.iter_mut().zip(&self.at) {
            delivery.at = timestamp(now + at + self.skew);
        }
    }

    /// The run time, which stands still during the pause.
    fn run_now(&self) -> Millis {
        let paused = self.now.clamp(self.pause.start, self.pause.end) - self.pause.start;
        self.now - paused
    }

    /// Adds an event that happens at a run time.
    fn push_at_run_time(&mut self, at: Millis, event: SimulationEvent) {
        let is_later = at > self.pause.start;
        let pause = if is_later { self.pause.end - self.pause.start } else { 0 };
        self.push(at + pause, event);
    }

    fn run_timestamp(&self) -> Timestamp {
        timestamp(self.run_now() + self.skew)
    }

    fn restart(&mut self) {
        self.restarts += 1;
        self.engine = Engine::default();
        self.index_of_key.clear();
        self.settled.clear();
        self.disabled.clear();
        self.cancelled = None;
        self.start();
    }

    fn push(&mut self, at: Millis, event: SimulationEvent) {
        self.pushed += 1;
        self.heap.push(Reverse(Entry(at, self.pushed, self.restarts, event)));
    }

    fn run(&mut self) -> Result<(), String> {
        while let Some(Reverse(Entry(at, _, restarts, event))) = self.heap.pop() {
            self.now = self.now.max(at);
            self.steps += 1;
            if self.steps > 100_000 {
                return Err("L1: it never ends".into());
            }
            let lost = restarts != self.restarts;
            let input = match event {
                SimulationEvent::Arrive(sent, index) => {
                    self.arrive(sent, index)?;
                    continue;
                }
                _ if lost => continue,
                SimulationEvent::Submit(index) if self.is_cancelled(index) => continue,
                SimulationEvent::Submit(index) => EngineInput::Submit(self.plan[index].clone()),
                SimulationEvent::Cancel(run) => {
                    self.cancelled = Some(run);
                    EngineInput::Cancel(run)
                }
                SimulationEvent::Finish(sent, result) => {
                    if self.crashes() {
                        continue;
                    }
                    let index = self.index_of_key[&sent.key];
                    self.journal.entry((index, sent.attempt, sent.hop)).or_default().result =
                        Some(result.clone());
                    EngineInput::Finished(sent, result)
                }
                SimulationEvent::Timer(timer) => EngineInput::Due(timer),
            };
            if self.now < HEALTHY_AFTER && self.rng.random_ratio(1, 200) {
                self.skew += self.rng.random_range(-3_600_000..=3_600_000);
            }
            let commands = self.engine.step(self.run_timestamp(), input);
            self.execute(commands)?;
        }
        Ok(())
    }

    fn execute(&mut self, commands: Vec<EngineCommand>) -> Result<(), String> {
        let restarts = self.restarts;
        for command in commands {
            if restarts != self.restarts {
                return Ok(()); // the process crashed in between
            }
            match command {
                EngineCommand::Send(delivery, sent, _) => self.send(&delivery, sent)?,
                EngineCommand::SetTimer(_, timer, at) => {
                    let after = at.duration_since(self.run_timestamp()).as_millis();
                    let after = Millis::try_from(after).unwrap_or(Millis::MAX / 2);
                    let at = self.run_now() + after.max(0);
                    self.push_at_run_time(at, SimulationEvent::Timer(timer));
                }
                EngineCommand::Record(delivery, kind) => {
                    let RecordKind::DeliverySettled(settled) = *kind else { continue };
                    let index = self.indexes[&settled.delivery];
                    if self.is_cancelled(index) {
                        return Err(format!("I10: delivery {index} settled after its run ended"));
                    }
                    if settled.result.outcome == AttemptOutcome::Disabled {
                        self.disabled.insert(delivery.endpoint.number);
                    }
                    if self.settled.insert(index, settled).is_some() {
                        return Err(format!("delivery {index} settled twice"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Decides whether the process crashes now, and restarts it.
    fn crashes(&mut self) -> bool {
        let dies =
            self.crashes_left > 0 && self.now < HEALTHY_AFTER && self.rng.random_ratio(1, 12);
        if dies {
            self.crashes_left -= 1;
            self.restart();
        }
        dies
    }

    /// Whether the run of a delivery was cancelled.
    fn is_cancelled(&self, index: usize) -> bool {
        Some(self.plan[index].conversation.run) == self.cancelled
    }

    fn send(&mut self, delivery: &Delivery, sent: SentAttempt) -> Result<(), String> {
        let index = self.indexes[&delivery.id];
        self.index_of_key.insert(sent.key, index);
        if self.is_cancelled(index) {
            return Err(format!("I10: {} was sent although its run was cancelled", delivery.id));
        }
        if self.disabled.contains(&delivery.endpoint.number) {
            return Err(format!("I9: {} was sent to a disabled endpoint", delivery.id));
        }
        let journaled = self.journal.entry((index, sent.attempt, sent.hop)).or_default();
        if let Some(result) = journaled.result.clone() {
            // A result from before the restart is replayed without a request.
            self.push(self.now, SimulationEvent::Finish(sent, result));
            return Ok(());
        }
        if journaled.intents > 0 && delivery.policy.in_doubt == InDoubt::Report {
            let result = AttemptResult::failure(AttemptOutcome::InDoubt, "", 0);
            self.push(self.now, SimulationEvent::Finish(sent, result));
            return Ok(());
        }
        if sent.attempt > 1 && sent.hop == 0 {
            let of_previous = (index, sent.attempt - 1, 0)..(index, sent.attempt, 0);
            let before =
                self.journal.range(of_previous).next_back().map(|(_, journaled)| journaled);
            let failed = before.and_then(|before| before.result.as_ref());
            if failed.is_none_or(|result| delivery.policy.accepts(result)) {
                return Err(format!("I5: {} was sent again for no reason", delivery.id));
            }
        }
        // A crash before the intent is journaled, or after it.
        if self.crashes() {
            return Ok(());
        }
        self.journal.entry((index, sent.attempt, sent.hop)).or_default().intents += 1;
        if self.crashes() {
            return Ok(());
        }
        self.transmit(sent, index);
        Ok(())
    }

    /// Decides what network and receiver do with a request.
    fn transmit(&mut self, sent: SentAttempt, index: usize) {
        let latency = self.rng.random_range(1..=if self.now < HEALTHY_AFTER { 4_000 } else { 5 });
        let arrival_time = self.now + latency / 2;
        let failure = |outcome| AttemptResult::failure(outcome, "", 0);
        let outcome = if self.now < HEALTHY_AFTER { self.rng.random_range(0..13) } else { 0 };
        let (is_received, result, after) = match outcome {
            5 => (true, answer(500), latency),
            6 => (
                true,
                AttemptResult { headers: vec![("Retry-After".into(), "3".into())], ..answer(429) },
                latency,
            ),
            7 => (false, failure(AttemptOutcome::Reset), latency),
            8 => (true, failure(AttemptOutcome::Reset), latency),
            9 => (self.rng.random_ratio(1, 2), failure(AttemptOutcome::TimeoutHead), TIMEOUT),
            10 => (true, redirect(), latency),
            11 => (true, answer(410), latency),
            12 => {
                let headers = vec![("Content-Type".into(), "text/html".into())];
                (true, AttemptResult { headers, ..answer(200) }, latency)
            }
            _ => (true, answer(200), latency),
        };
        if is_received {
            self.push(arrival_time, SimulationEvent::Arrive(sent, index));
        }
        if outcome == 4 {
            // The result is delivered twice; the engine must ignore the late one.
            let later = self.rng.random_range(0..=20_000);
            let at = self.now + after + later;
            self.push(at, SimulationEvent::Finish(sent, result.clone()));
        }
        self.push(self.now + after, SimulationEvent::Finish(sent, result));
    }

    fn arrive(&mut self, sent: SentAttempt, index: usize) -> Result<(), String> {
        // I2: every request was journaled before it arrives.
        if self
            .journal
            .get(&(index, sent.attempt, sent.hop))
            .is_none_or(|journaled| journaled.intents == 0)
        {
            return Err(format!("I2: delivery {index} arrived and nobody wrote it down"));
        }
        self.arrived.push(index);
        Ok(())
    }

    fn check_results(&self) -> Result<(), String> {
        for (index, delivery) in self.plan.iter().enumerate() {
            let id = &delivery.id;
            if self.is_cancelled(index) {
                continue;
            }
            let settled = self.settled.get(&index).ok_or(format!("I1: {id} never settled"))?;
            let arrived = self.arrived.iter().filter(|other| **other == index).count();
            if settled.accepted && arrived == 0 {
                return Err(format!("I4: {id} counts as delivered, and nobody saw it"));
            }
            let intents: u32 = self.intents(index).map(|journaled| journaled.intents).sum();
            if arrived > usize::try_from(intents).unwrap() {
                return Err(format!("I5: {id} was seen {arrived} times, of {intents} written"));
            }
            let results =
                self.intents(index).filter(|journaled| journaled.result.is_some()).count();
            let attempts = self.intents(index).count();
            // A delivery that expires, or whose endpoint is disabled, may leave an attempt from before a
            // restart in doubt.
            if results != attempts && self.skew == 0 && self.is_repeatable {
                return Err(format!("I6: {id} ends with {results} results of {attempts} attempts"));
            }
        }
        // A delivery that expired when the clock jumped, or was dropped at a disabled endpoint, may be
        // sent after a restart, when later ones have arrived.
        let is_replayed_alike = self.is_repeatable && self.skew == 0;
        if self.keeps_order && (is_replayed_alike || self.restarts == 0) {
            self.check_order()?;
        }
        let last = self.at.iter().max().copied().unwrap_or(0);
        // Each of up to three crashes restarts the scenario.
        let bound = (last + HEALTHY_AFTER) * 4 + 2 * CAP + 60_000 + self.pause.end;
        if self.skew == 0 && self.now > bound {
            return Err(format!("L1: it ended after {} s", self.now / 1000));
        }
        Ok(())
    }

    fn intents(&self, index: usize) -> impl Iterator<Item = &JournaledAttempt> {
        self.journal.range((index, 0, 0)..(index + 1, 0, 0)).map(|(_, journaled)| journaled)
    }

    /// I3: the first arrivals of a conversation at an endpoint are in order.
    fn check_order(&self) -> Result<(), String> {
        let mut first = BTreeMap::new();
        for index in &self.arrived {
            let delivery = &self.plan[*index];
            let queue = (delivery.endpoint.number, delivery.conversation);
            let before = first.entry(queue).or_insert_with(Vec::new);
            if !before.contains(index) {
                if before.last().is_some_and(|last| last > index) {
                    return Err(format!("I3: {} came after what followed it", delivery.id));
                }
                before.push(*index);
            }
        }
        Ok(())
    }
}

fn timestamp(millis: Millis) -> Timestamp {
    Timestamp::from_millisecond(1_767_600_000_000 + millis).unwrap()
}

fn answer(status: u16) -> AttemptResult {
    AttemptResult {
        status: Some(status),
        ..AttemptResult::failure(AttemptOutcome::Responded, "", 1)
    }
}

/// A redirect within the origin of the endpoint.
fn redirect() -> AttemptResult {
    AttemptResult { location: Some("/elsewhere".into()), ..answer(307) }
}

fn policy(rng: &mut ChaCha8Rng) -> Policy {
    let millis = SignedDuration::from_millis;
    let jitter = if rng.random_ratio(1, 2) { 500 } else { 0 };
    let backoff = Backoff {
        // Files with a factor of 0 or without a delay are refused, but the engine must end all the same.
        delay: millis(if rng.random_ratio(1, 10) { 0 } else { 2_000 }),
        factor: rng.random_range(0..=3),
        cap: millis(CAP),
        jitter: DurationRange { low: millis(0), high: millis(jitter) },
        retry_after: rng.random_ratio(1, 2).then(|| millis(CAP)),
    };
    let retry = match rng.random_range(0..6) {
        0 => Retry::None,
        1 | 2 => Retry::Count(rng.random_range(1..=5)),
        _ => Retry::Retention(millis(RETENTION)),
    };
    let success = if rng.random_ratio(1, 4) { "2xx, 5xx" } else { "2xx" };
    let disable = Disable {
        statuses: StatusSet::parse(rng.random_ratio(1, 6).then_some("410")).unwrap(),
        after: rng.random_ratio(1, 6).then(|| rng.random_range(1..=4)),
    };
    Policy {
        success: StatusSet::parse(success.split(", ")).unwrap(),
        failing_types: if rng.random_ratio(1, 3) { vec!["html".into()] } else { Vec::new() },
        redirects: rng.random_range(0..=2),
        retry,
        backoff,
        blocks: Blocks::ALL[rng.random_range(0..Blocks::ALL.len())],
        hold: rng.random_ratio(1, 2).then(|| millis(4_000)),
        disable,
        in_doubt: InDoubt::ALL[rng.random_range(0..InDoubt::ALL.len())],
        connect: millis(5_000),
        total: millis(TIMEOUT),
    }
}
