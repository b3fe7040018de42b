//! A world in which the engine delivers: a receiver, a network, a journal, and everything that goes
//! wrong with them, drawn from one seed and played by an event heap.
//!
//! The world knows nothing of how the engine works. It keeps what was written down and what the
//! receiver saw, and says which invariant does not hold.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};
use standin::base::duration::DurationRange;
use standin::base::seed::SeedScope;
use standin::delivery::{
    Delivery, Endpoint, Engine, EngineCommand, EngineInput, EngineTimer, SentAttempt,
};
use standin::fault::Faults;
use standin::policy::{Backoff, Blocks, Disable, InDoubt, Policy, Retry, StatusSet};
use standin::record::{AttemptOutcome, AttemptResult, RecordKind, SettledDelivery};

/// Milliseconds of the world's own time.
type Millis = i64;

/// When the receiver and the network have got well.
const WELL: Millis = 60_000;
/// How long an attempt waits for an answer.
const TIMEOUT: Millis = 10_000;
/// The longest delay that any policy here knows.
const CAP: Millis = 300_000;
const RETENTION: Millis = 3_600_000;

/// What happens next.
#[derive(Debug)]
enum Happens {
    /// A player hands over the delivery at this place of the plan.
    Submit(usize),
    /// A request reaches the receiver.
    Arrive(SentAttempt, usize),
    /// What a request met reaches the engine, if it is still the engine of this life.
    Meet(SentAttempt, AttemptResult),
    Timer(EngineTimer),
}

/// One entry of the heap: when, in which order, in which life of the process.
struct Entry(Millis, u64, u32, Happens);

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

/// What is written down of an attempt, which survives every crash.
#[derive(Debug, Default)]
struct Written {
    intents: u32,
    result: Option<AttemptResult>,
}

/// A whole life of an engine, from one seed.
pub(crate) struct World {
    rng: ChaCha8Rng,
    plan: Vec<Delivery>,
    at: Vec<Millis>,
    heap: BinaryHeap<Reverse<Entry>>,
    pushed: u64,
    engine: Engine,
    life: u32,
    crashes_left: u32,
    now: Millis,
    /// How far the clock that the engine is told is off.
    skew: Millis,
    /// What the deliveries are called, and their places in the plan.
    places: BTreeMap<String, usize>,
    of_key: BTreeMap<u64, usize>,
    journal: BTreeMap<(usize, u32), Written>,
    settled: BTreeMap<usize, SettledDelivery>,
    /// The deliveries that arrived, in order.
    seen: Vec<usize>,
    keeps_order: bool,
    /// How many things have happened.
    pub(crate) steps: u64,
}

impl World {
    /// The world of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let policy = Arc::new(policy(&mut rng));
        let dress: standin::delivery::RequestSigner = Arc::new(|_, _| Vec::new());
        let endpoints: Vec<_> = (1..=rng.random_range(1..=3_u32))
            .map(|number| {
                let url = format!("http://127.0.0.1:{number}/").parse().unwrap();
                Arc::new(Endpoint::new(number, url, Arc::clone(&dress)))
            })
            .collect();
        let mut plan = Vec::new();
        let mut at = Vec::new();
        for conversation in 1..=rng.random_range(1..=4_u32) {
            let mut time = 0;
            for number in 1..=rng.random_range(1..=5) {
                time += rng.random_range(0..=8_000);
                at.push(time);
                plan.push(Delivery {
                    id: format!("{conversation}-{number}"),
                    conversation,
                    step: number,
                    event_type: "said".into(),
                    body: "{}".into(),
                    at: timestamp(time),
                    endpoint: Arc::clone(&endpoints[rng.random_range(0..endpoints.len())]),
                    policy: Arc::clone(&policy),
                    faults: Faults::default(),
                    check: Arc::default(),
                    source: None,
                });
            }
        }
        let crashes_left = if rng.random_ratio(1, 3) { rng.random_range(1..=3) } else { 0 };
        let places = (0..).zip(&plan).map(|(span, delivery)| (delivery.id.clone(), span));
        let mut world = Self {
            places: places.collect(),
            engine: Engine::new(SeedScope::of_run(seed)),
            keeps_order: policy.blocks != Blocks::Nothing && policy.hold.is_none(),
            rng,
            plan,
            at,
            heap: BinaryHeap::new(),
            pushed: 0,
            life: 0,
            crashes_left,
            now: 0,
            skew: 0,
            of_key: BTreeMap::new(),
            journal: BTreeMap::new(),
            settled: BTreeMap::new(),
            seen: Vec::new(),
            steps: 0,
        };
        world.begin();
        world
    }

    /// Lets everything happen; gives the first invariant that does not hold.
    pub(crate) fn check(mut self) -> Result<u64, String> {
        self.run()?;
        self.judge()?;
        // I7: once everything is over, starting again changes nothing.
        let (sent, outcomes) = (self.sent(), format!("{:?}", self.settled));
        self.crashes_left = 0;
        self.restart();
        self.run()?;
        let same = format!("{:?}", self.settled) == outcomes;
        // A clock that jumps lets deliveries expire that would not have done so.
        if self.sent() != sent && self.skew == 0 {
            return Err("I7: starting again sent something".into());
        }
        // I8: what is said of the deliveries follows from what was written down.
        if self.keeps_order && self.skew == 0 && !same {
            return Err("I8: the same results led to something else".into());
        }
        Ok(self.steps)
    }

    fn sent(&self) -> u32 {
        self.journal.values().map(|written| written.intents).sum()
    }

    /// A process begins: every player begins anew, what is known of attempts comes from the journal.
    fn begin(&mut self) {
        for span in 0..self.plan.len() {
            let at = self.now + self.at[span];
            self.push(at, Happens::Submit(span));
        }
        let now = self.now;
        for (delivery, at) in self.plan.iter_mut().zip(&self.at) {
            delivery.at = timestamp(now + at + self.skew);
        }
    }

    fn restart(&mut self) {
        self.life += 1;
        self.engine = Engine::new(SeedScope::of_run(0));
        self.of_key.clear();
        self.settled.clear();
        self.begin();
    }

    fn push(&mut self, at: Millis, happens: Happens) {
        self.pushed += 1;
        self.heap.push(Reverse(Entry(at, self.pushed, self.life, happens)));
    }

    fn run(&mut self) -> Result<(), String> {
        while let Some(Reverse(Entry(at, _, life, happens))) = self.heap.pop() {
            self.now = self.now.max(at);
            self.steps += 1;
            if self.steps > 100_000 {
                return Err("L1: it never ends".into());
            }
            let lost = life != self.life;
            let input = match happens {
                Happens::Arrive(sent, span) => {
                    self.arrive(sent, span)?;
                    continue;
                }
                _ if lost => continue,
                Happens::Submit(span) => EngineInput::Submit(self.plan[span].clone()),
                Happens::Meet(sent, result) => {
                    if self.crashes() {
                        continue;
                    }
                    let span = self.of_key[&sent.key];
                    self.journal.entry((span, sent.attempt)).or_default().result =
                        Some(result.clone());
                    EngineInput::Finished(sent, result)
                }
                Happens::Timer(timer) => EngineInput::Due(timer),
            };
            if self.now < WELL && self.rng.random_ratio(1, 200) {
                self.skew += self.rng.random_range(-3_600_000..=3_600_000);
            }
            let commands = self.engine.step(timestamp(self.now + self.skew), input);
            self.carry_out(commands)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, commands: Vec<EngineCommand>) -> Result<(), String> {
        let life = self.life;
        for command in commands {
            if life != self.life {
                return Ok(()); // it crashed on the way
            }
            match command {
                EngineCommand::Send(delivery, sent, _) => self.send(&delivery, sent)?,
                EngineCommand::SetTimer(_, timer, at) => {
                    let after = at.duration_since(timestamp(self.now + self.skew)).as_millis();
                    let after = Millis::try_from(after).unwrap_or(Millis::MAX / 2);
                    self.push(self.now + after.max(0), Happens::Timer(timer));
                }
                EngineCommand::Record(_, RecordKind::DeliverySettled(settled)) => {
                    let span = self.places[&settled.delivery];
                    if self.settled.insert(span, settled).is_some() {
                        return Err(format!("delivery {span} settled twice"));
                    }
                }
                EngineCommand::Record(..) => {}
            }
        }
        Ok(())
    }

    /// Whether the process dies now, and begins again.
    fn crashes(&mut self) -> bool {
        let dies = self.crashes_left > 0 && self.now < WELL && self.rng.random_ratio(1, 12);
        if dies {
            self.crashes_left -= 1;
            self.restart();
        }
        dies
    }

    fn send(&mut self, delivery: &Delivery, sent: SentAttempt) -> Result<(), String> {
        let span = self.places[&delivery.id];
        self.of_key.insert(sent.key, span);
        let written = self.journal.entry((span, sent.attempt)).or_default();
        if let Some(result) = written.result.clone() {
            // What was met in an earlier life needs no second request.
            self.push(self.now, Happens::Meet(sent, result));
            return Ok(());
        }
        if sent.attempt > 1 {
            let before = self.journal.get(&(span, sent.attempt - 1));
            let failed = before.and_then(|before| before.result.as_ref());
            if failed.is_none_or(|result| delivery.policy.accepts(result)) {
                return Err(format!("I5: {} was sent again for no reason", delivery.id));
            }
        }
        // The journal breaks, or the process dies, before or after the intent is written.
        if self.crashes() {
            return Ok(());
        }
        self.journal.entry((span, sent.attempt)).or_default().intents += 1;
        if self.crashes() {
            return Ok(());
        }
        self.transmit(sent, span);
        Ok(())
    }

    /// What the network and the receiver do with a request.
    fn transmit(&mut self, sent: SentAttempt, span: usize) {
        let latency = self.rng.random_range(1..=if self.now < WELL { 4_000 } else { 5 });
        let arrives = self.now + latency / 2;
        let failure = |outcome| AttemptResult::failure(outcome, "", 0);
        let fate = if self.now < WELL { self.rng.random_range(0..10) } else { 0 };
        let (arrival, result, after) = match fate {
            5 => (true, answer(500), latency),
            6 => (
                true,
                AttemptResult { headers: vec![("Retry-After".into(), "3".into())], ..answer(429) },
                latency,
            ),
            7 => (false, failure(AttemptOutcome::Reset), latency),
            8 => (true, failure(AttemptOutcome::Reset), latency),
            9 => (self.rng.random_ratio(1, 2), failure(AttemptOutcome::TimeoutHead), TIMEOUT),
            _ => (true, answer(200), latency),
        };
        if arrival {
            self.push(arrives, Happens::Arrive(sent, span));
        }
        if fate == 4 {
            // It is told twice, and the second time too late.
            let later = self.rng.random_range(0..=20_000);
            let at = self.now + after + later;
            self.push(at, Happens::Meet(sent, result.clone()));
        }
        self.push(self.now + after, Happens::Meet(sent, result));
    }

    fn arrive(&mut self, sent: SentAttempt, span: usize) -> Result<(), String> {
        // I2: nothing arrives that was not written down before.
        if self.journal.get(&(span, sent.attempt)).is_none_or(|written| written.intents == 0) {
            return Err(format!("I2: delivery {span} arrived and nobody wrote it down"));
        }
        self.seen.push(span);
        Ok(())
    }

    fn judge(&self) -> Result<(), String> {
        for (span, delivery) in self.plan.iter().enumerate() {
            let id = &delivery.id;
            let settled = self.settled.get(&span).ok_or(format!("I1: {id} never settled"))?;
            let seen = self.seen.iter().filter(|other| **other == span).count();
            if settled.accepted && seen == 0 {
                return Err(format!("I4: {id} counts as delivered, and nobody saw it"));
            }
            let intents: u32 = self.intents(span).map(|written| written.intents).sum();
            if seen > usize::try_from(intents).unwrap() {
                return Err(format!("I5: {id} was seen {seen} times, of {intents} written"));
            }
            let results = self.intents(span).filter(|written| written.result.is_some()).count();
            let attempts = self.intents(span).count();
            // What a clock that jumps lets expire may leave an attempt of an earlier life in doubt.
            if results != attempts && self.skew == 0 {
                return Err(format!("I6: {id} ends with {results} results of {attempts} attempts"));
            }
        }
        if self.keeps_order {
            self.judge_order()?;
        }
        let last = self.at.iter().max().copied().unwrap_or(0);
        // Each crash begins the story anew.
        let bound = (last + WELL) * 4 + 2 * CAP + 60_000;
        if self.skew == 0 && self.now > bound {
            return Err(format!("L1: it ended after {} s", self.now / 1000));
        }
        Ok(())
    }

    fn intents(&self, span: usize) -> impl Iterator<Item = &Written> {
        self.journal.range((span, 0)..(span + 1, 0)).map(|(_, written)| written)
    }

    /// I3: an endpoint sees what a conversation sends it for the first time in its order.
    fn judge_order(&self) -> Result<(), String> {
        let mut first = BTreeMap::new();
        for span in &self.seen {
            let delivery = &self.plan[*span];
            let queue = (delivery.endpoint.number, delivery.conversation);
            let before = first.entry(queue).or_insert_with(Vec::new);
            if !before.contains(span) {
                if before.last().is_some_and(|last| last > span) {
                    return Err(format!("I3: {} came after what followed it", delivery.id));
                }
                before.push(*span);
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

fn policy(rng: &mut ChaCha8Rng) -> Policy {
    let millis = SignedDuration::from_millis;
    let jitter = if rng.random_ratio(1, 2) { 500 } else { 0 };
    let backoff = Backoff {
        delay: millis(2_000),
        factor: rng.random_range(1..=3),
        cap: millis(CAP),
        jitter: DurationRange { low: millis(0), high: millis(jitter) },
        retry_after: rng.random_ratio(1, 2).then(|| millis(CAP)),
    };
    let retry = match rng.random_range(0..6) {
        0 => Retry::None,
        1 | 2 => Retry::Count(rng.random_range(1..=5)),
        _ => Retry::Retention(millis(RETENTION)),
    };
    Policy {
        success: StatusSet::good(),
        failing_types: Vec::new(),
        redirects: 0,
        retry,
        backoff,
        blocks: Blocks::ALL[rng.random_range(0..Blocks::ALL.len())],
        hold: rng.random_ratio(1, 2).then(|| millis(4_000)),
        disable: Disable::default(),
        in_doubt: InDoubt::Resend,
        connect: millis(5_000),
        total: millis(TIMEOUT),
    }
}
