//! The engine: which delivery goes out when. Sans-IO and deterministic.
//!
//! The deliveries of a conversation to an endpoint wait for one another in a lane. What a failure
//! holds up beyond its lane is the business of `gate`; how many attempts are under way, of `slots`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::gate::{Gate, Scope};
use super::redirect::follow;
use super::slots::Slots;
use super::{Conversation, Delivery};
use crate::base::draw::Draw;
use crate::fault::Kind;
use crate::policy::{Next, Parks};
use crate::record::{Met, Method, Outcome, Settled, What};

/// A delivery's place among all, in the order they came.
pub type Key = u64;

/// The deliveries of a conversation to an endpoint; one that stands aside has a lane of its own.
pub(super) type Lane = (u32, Conversation, Option<Key>);

/// What the engine is told.
#[derive(Debug)]
pub enum Input {
    /// There is something to deliver.
    Submit(Delivery),
    /// A request has met something.
    Finished(Sent, Met),
    /// The time of a timer has come.
    Due(Timer),
}

/// One request: which delivery, its attempt from 1, and how many redirects came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sent {
    /// The delivery.
    pub key: Key,
    /// Its attempt, from 1.
    pub attempt: u32,
    /// How many redirects of it were followed.
    pub hop: u32,
}

/// What a time was set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The attempt of this number.
    Retry(Key, u32),
    /// A delivery is held no longer for what drains.
    Hold(Key),
}

/// What the engine wants done.
#[derive(Debug)]
pub enum Command {
    /// Write down that this request goes out, and then send it.
    Send(Arc<Delivery>, Sent, Address),
    /// Tell when this time of the delivery's conversation has come.
    SetTimer(Conversation, Timer, Timestamp),
    /// Tell what happened to a delivery.
    Tell(Arc<Delivery>, What),
}

/// Where a request goes, where that is not where its endpoint is.
pub type Address = Option<(Method, Url)>;

/// Everything that has not settled, and what holds it up.
#[derive(Debug)]
pub struct Engine {
    draw: Draw,
    pub(super) jobs: BTreeMap<Key, Job>,
    pub(super) last: Key,
    lanes: BTreeMap<Lane, VecDeque<Key>>,
    loads: BTreeMap<Conversation, Load>,
    pub(super) gates: BTreeMap<Scope, Gate>,
    health: BTreeMap<u32, Health>,
    slots: Slots,
    /// Lanes whose first delivery may be able to go.
    pub(super) stirred: BTreeSet<Lane>,
    commands: Vec<Command>,
}

/// A delivery that has not settled.
#[derive(Debug)]
pub(super) struct Job {
    key: Key,
    pub(super) delivery: Arc<Delivery>,
    pub(super) stage: Stage,
    attempt: u32,
    hop: u32,
    address: Address,
}

/// What a delivery is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It waits for others.
    Queued,
    /// It waits for a slot.
    Ready,
    /// An attempt of it is under way.
    InFlight,
    /// It waits to be tried again.
    Delayed,
}

/// What a conversation has that has not settled.
#[derive(Debug, Default)]
struct Load {
    open: usize,
    ready: usize,
}

/// How an endpoint does.
#[derive(Debug, Default)]
struct Health {
    given_up: u32,
    is_off: bool,
}

impl Job {
    pub(super) fn lane(&self) -> Lane {
        let own = self.delivery.faults.is_aside().then_some(self.key);
        (self.delivery.endpoint.number, self.delivery.conversation, own)
    }
}

impl Engine {
    /// An engine without deliveries. Jitter is drawn by the name of the attempt.
    pub fn new(draw: Draw) -> Self {
        Self {
            draw,
            jobs: BTreeMap::new(),
            last: 0,
            lanes: BTreeMap::new(),
            loads: BTreeMap::new(),
            gates: BTreeMap::new(),
            health: BTreeMap::new(),
            slots: Slots::default(),
            stirred: BTreeSet::new(),
            commands: Vec::new(),
        }
    }

    /// Takes an input at this run time; gives what follows from it.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Command> {
        match input {
            Input::Submit(delivery) => self.submit(now, delivery),
            Input::Finished(sent, met) => self.finished(now, sent, met),
            Input::Due(timer) => self.due(now, timer),
        }
        while self.open_gates(now) || self.offer(now) {}
        self.fill_slots();
        std::mem::take(&mut self.commands)
    }

    /// Whether everything of a conversation has settled.
    pub fn is_idle(&self, conversation: Conversation) -> bool {
        !self.loads.contains_key(&conversation)
    }

    /// Whether something of a conversation waits for nothing but a slot.
    pub fn is_ready(&self, conversation: Conversation) -> bool {
        self.loads.get(&conversation).is_some_and(|load| load.ready > 0)
    }

    /// Whether anything waits for nothing but a slot.
    pub fn is_any_ready(&self) -> bool {
        self.slots.is_anything_waiting()
    }

    fn submit(&mut self, now: Timestamp, delivery: Delivery) {
        self.last += 1;
        let key = self.last;
        let job = Job {
            key,
            delivery: Arc::new(delivery),
            stage: Stage::Queued,
            attempt: 1,
            hop: 0,
            address: None,
        };
        let (lane, delivery) = (job.lane(), Arc::clone(&job.delivery));
        self.jobs.insert(key, job);
        self.lanes.entry(lane).or_default().push_back(key);
        self.loads.entry(delivery.conversation).or_default().open += 1;
        self.stirred.insert(lane);
        let Some(gate) = self.closed_gate(lane) else { return };
        if let Some(hold) = gate.hold() {
            self.set_timer(&delivery, Timer::Hold(key), later(now, hold));
        }
        self.tell_parked(&delivery);
    }

    fn due(&mut self, now: Timestamp, timer: Timer) {
        let (Timer::Retry(key, _) | Timer::Hold(key)) = timer;
        let Some(job) = self.jobs.get(&key) else { return };
        let lane = job.lane();
        let goes = match timer {
            Timer::Retry(_, attempt) => job.stage == Stage::Delayed && job.attempt == attempt,
            Timer::Hold(_) => {
                let drains = self.closed_gate(lane).is_some_and(|gate| gate.hold().is_some());
                job.stage == Stage::Queued && drains
            }
        };
        let is_parked = job.delivery.policy.parks == Parks::Conversation
            && matches!(timer, Timer::Retry(..))
            && self.closed_gate(lane).is_some();
        if goes && is_parked {
            self.set_stage(key, Stage::Queued);
            self.stirred.insert(lane);
        } else if goes {
            self.ready(now, key);
        }
    }

    fn finished(&mut self, now: Timestamp, sent: Sent, met: Met) {
        let Sent { key, attempt, hop } = sent;
        let Some(job) = self.jobs.get_mut(&key) else { return };
        // What an earlier attempt meets after all is too late to count.
        if job.stage != Stage::InFlight || (job.attempt, job.hop) != (attempt, hop) {
            return;
        }
        let delivery = Arc::clone(&job.delivery);
        self.slots.free(&delivery.endpoint.host);
        if let Some(address) = follow(&delivery, hop, job.address.as_ref(), &met) {
            (job.hop, job.address) = (hop + 1, Some(address));
            self.tell_finished(&delivery, sent, met, None);
            return self.ready(now, key);
        }
        (job.hop, job.address) = (0, None);
        let waited = now.duration_since(delivery.at);
        let rng = || self.draw.rng(&format!("jitter {} {attempt}", delivery.id));
        let disables = |status| delivery.policy.disable.statuses.contains(status);
        let is_off = met.final_status().is_some_and(disables);
        self.health.entry(delivery.endpoint.number).or_default().is_off |= is_off;
        let next = match delivery.policy.next(attempt, waited, &met, rng) {
            Next::Done if attempt == 1 && delivery.faults.has(Kind::Retry) => {
                Next::Retry(SignedDuration::ZERO)
            }
            next => next,
        };
        match next {
            Next::Retry(delay) if !is_off => {
                job.attempt += 1;
                let delay = self.keeps_own_time(key).then_some(delay);
                self.tell_finished(&delivery, sent, met, delay);
                self.failed(now, key, delay);
            }
            next => {
                self.tell_finished(&delivery, sent, met.clone(), None);
                self.settle(key, attempt, met, next == Next::Done);
            }
        }
    }

    /// Whether a failed delivery waits by itself, and not for the one that a gate waits for.
    fn keeps_own_time(&self, key: Key) -> bool {
        let Some(job) = self.jobs.get(&key) else { return false };
        let scope = Scope::of(job);
        let gate = scope.and_then(|scope| self.gates.get(&scope));
        gate.is_none_or(|gate| !gate.has_failed() || gate.current == Some(key))
    }

    /// A delivery is tried again after a delay, or when its gate lets it.
    fn failed(&mut self, now: Timestamp, key: Key, delay: Option<SignedDuration>) {
        let Some(job) = self.jobs.get(&key) else { return };
        let (lane, attempt, delivery) = (job.lane(), job.attempt, Arc::clone(&job.delivery));
        let Some(delay) = delay else {
            self.set_stage(key, Stage::Queued);
            return self.tell_parked(&delivery);
        };
        if delivery.policy.parks == Parks::Nothing {
            self.leave_lane(lane, key);
        }
        self.set_stage(key, Stage::Delayed);
        self.set_timer(&delivery, Timer::Retry(key, attempt), later(now, delay));
        self.close_gate(key);
    }

    /// Lets the first deliveries of stirred lanes go where nothing holds them up.
    fn offer(&mut self, now: Timestamp) -> bool {
        let Some(lane) = self.stirred.pop_first() else { return false };
        let Some(key) = self.first(lane) else { return true };
        let is_queued = self.jobs.get(&key).is_some_and(|job| job.stage == Stage::Queued);
        if is_queued && self.closed_gate(lane).is_none() {
            self.ready(now, key);
        }
        true
    }

    /// Lets a delivery wait for a slot, unless it is not sent at all.
    pub(super) fn ready(&mut self, now: Timestamp, key: Key) {
        let Some(job) = self.jobs.get(&key) else { return };
        let (delivery, attempts) = (Arc::clone(&job.delivery), job.attempt - 1);
        let is_off = self.health.get(&delivery.endpoint.number).is_some_and(|health| health.is_off);
        let dropped = if is_off {
            Some((Outcome::Disabled, "the vendor has switched the endpoint off"))
        } else if delivery.policy.is_expired(now.duration_since(delivery.at)) {
            Some((Outcome::Expired, "it was kept for as long as the vendor keeps it"))
        } else {
            None
        };
        if let Some((outcome, reason)) = dropped {
            return self.settle(key, attempts, Met::failure(outcome, reason, 0), false);
        }
        self.set_stage(key, Stage::Ready);
        self.slots.wait(&delivery.endpoint.host, key);
    }

    /// Sends what waits, as long as there are slots; hosts take turns.
    fn fill_slots(&mut self) {
        while let Some(key) =
            self.slots.take(|key| self.jobs.get(&key).is_some_and(|job| job.stage == Stage::Ready))
        {
            self.set_stage(key, Stage::InFlight);
            let Some(job) = self.jobs.get(&key) else { continue };
            let sent = Sent { key, attempt: job.attempt, hop: job.hop };
            let command = Command::Send(Arc::clone(&job.delivery), sent, job.address.clone());
            self.commands.push(command);
        }
    }

    fn settle(&mut self, key: Key, attempts: u32, met: Met, accepted: bool) {
        self.set_stage(key, Stage::Queued);
        let Some(job) = self.jobs.remove(&key) else { return };
        let (lane, delivery) = (job.lane(), job.delivery);
        self.leave_lane(lane, key);
        if let Some(load) = self.loads.get_mut(&delivery.conversation) {
            load.open -= 1;
            if load.open == 0 {
                self.loads.remove(&delivery.conversation);
            }
        }
        let health = self.health.entry(delivery.endpoint.number).or_default();
        health.given_up = if accepted { 0 } else { health.given_up + 1 };
        let limit = delivery.policy.disable.after;
        health.is_off |= limit.is_some_and(|limit| health.given_up >= limit);
        let settled = Settled {
            delivery: delivery.id.clone(),
            event_type: delivery.event_type.clone(),
            attempts,
            faults: delivery.faults.clone(),
            accepted,
            met,
        };
        self.tell(&delivery, What::DeliverySettled(settled));
        self.settled_behind_gates(lane, key, accepted);
    }

    /// Takes a delivery out of its lane, and stirs the one behind it.
    fn leave_lane(&mut self, lane: Lane, key: Key) {
        if let Some(keys) = self.lanes.get_mut(&lane) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.lanes.remove(&lane);
            } else {
                self.stirred.insert(lane);
            }
        }
    }

    /// The lanes with something in them.
    pub(super) fn lanes(&self) -> impl Iterator<Item = Lane> {
        self.lanes.keys().copied()
    }

    /// The first delivery of a lane.
    pub(super) fn first(&self, lane: Lane) -> Option<Key> {
        self.lanes.get(&lane)?.front().copied()
    }

    pub(super) fn set_stage(&mut self, key: Key, stage: Stage) {
        let Some(job) = self.jobs.get_mut(&key) else { return };
        let load = self.loads.entry(job.delivery.conversation).or_default();
        load.ready -= usize::from(job.stage == Stage::Ready);
        load.ready += usize::from(stage == Stage::Ready);
        job.stage = stage;
    }

    fn set_timer(&mut self, delivery: &Delivery, timer: Timer, at: Timestamp) {
        self.commands.push(Command::SetTimer(delivery.conversation, timer, at));
    }

    fn tell_finished(
        &mut self,
        delivery: &Arc<Delivery>,
        sent: Sent,
        met: Met,
        retry: Option<SignedDuration>,
    ) {
        let retry = retry.map(|delay| i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
        let what = What::AttemptFinished {
            delivery: delivery.id.clone(),
            attempt: sent.attempt,
            hop: sent.hop,
            met,
            retry_in_ms: retry,
        };
        self.tell(delivery, what);
    }

    fn tell_parked(&mut self, delivery: &Arc<Delivery>) {
        self.tell(delivery, What::DeliveryParked { delivery: delivery.id.clone() });
    }

    pub(super) fn tell(&mut self, delivery: &Arc<Delivery>, what: What) {
        self.commands.push(Command::Tell(Arc::clone(delivery), what));
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
