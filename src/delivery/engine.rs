//! The engine: which delivery goes out when. Sans-IO and deterministic.
//!
//! The deliveries of a conversation to an endpoint wait for one another in a lane. What a failure
//! holds up beyond its lane is the business of `gate`; how many attempts are under way, of `slots`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::concurrency::ConcurrencyLimiter;
use super::gate::{Gate, GateScope};
use super::redirect::follow;
use super::{ConversationNumber, Delivery};
use crate::base::seed::SeedScope;
use crate::fault::FaultKind;
use crate::policy::{Blocks, RetryDecision};
use crate::record::{AttemptOutcome, AttemptResult, Method, RecordKind, SettledDelivery};

/// A delivery's place among all, in the order they came.
pub type DeliveryKey = u64;

/// The deliveries of a conversation to an endpoint; one that stands aside has a lane of its own.
pub(super) type QueueId = (u32, ConversationNumber, Option<DeliveryKey>);

/// What the engine is told.
#[derive(Debug)]
pub enum EngineInput {
    /// There is something to deliver.
    Submit(Delivery),
    /// A request has met something.
    Finished(SentAttempt, AttemptResult),
    /// The time of a timer has come.
    Due(EngineTimer),
}

/// One request: which delivery, its attempt from 1, and how many redirects came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SentAttempt {
    /// The delivery.
    pub key: DeliveryKey,
    /// Its attempt, from 1.
    pub attempt: u32,
    /// How many redirects of it were followed.
    pub hop: u32,
}

/// What a time was set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EngineTimer {
    /// The attempt of this number.
    Retry(DeliveryKey, u32),
    /// A delivery is held no longer for what drains.
    Hold(DeliveryKey),
}

/// What the engine wants done.
#[derive(Debug)]
pub enum EngineCommand {
    /// Write down that this request goes out, and then send it.
    Send(Arc<Delivery>, SentAttempt, RedirectTarget),
    /// Tell when this time of the delivery's conversation has come.
    SetTimer(ConversationNumber, EngineTimer, Timestamp),
    /// Tell what happened to a delivery.
    Record(Arc<Delivery>, RecordKind),
}

/// Where a request goes, where that is not where its endpoint is.
pub type RedirectTarget = Option<(Method, Url)>;

/// Everything that has not settled, and what holds it up.
#[derive(Debug)]
pub struct Engine {
    seeds: SeedScope,
    pub(super) jobs: BTreeMap<DeliveryKey, PendingDelivery>,
    pub(super) last: DeliveryKey,
    queues: BTreeMap<QueueId, VecDeque<DeliveryKey>>,
    loads: BTreeMap<ConversationNumber, ConversationLoad>,
    pub(super) gates: BTreeMap<GateScope, Gate>,
    health: BTreeMap<u32, EndpointHealth>,
    slots: ConcurrencyLimiter,
    /// Lanes whose first delivery may be able to go.
    pub(super) dirty: BTreeSet<QueueId>,
    commands: Vec<EngineCommand>,
}

/// A delivery that has not settled.
#[derive(Debug)]
pub(super) struct PendingDelivery {
    key: DeliveryKey,
    pub(super) delivery: Arc<Delivery>,
    pub(super) stage: DeliveryStage,
    attempt: u32,
    hop: u32,
    address: RedirectTarget,
}

/// What a delivery is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeliveryStage {
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
struct ConversationLoad {
    open: usize,
    ready: usize,
}

/// How an endpoint does.
#[derive(Debug, Default)]
struct EndpointHealth {
    given_up: u32,
    is_off: bool,
}

impl PendingDelivery {
    pub(super) fn queue(&self) -> QueueId {
        let own = self.delivery.faults.is_unordered().then_some(self.key);
        (self.delivery.endpoint.number, self.delivery.conversation, own)
    }
}

impl Engine {
    /// An engine without deliveries. Jitter is drawn by the name of the attempt.
    pub fn new(seeds: SeedScope) -> Self {
        Self {
            seeds,
            jobs: BTreeMap::new(),
            last: 0,
            queues: BTreeMap::new(),
            loads: BTreeMap::new(),
            gates: BTreeMap::new(),
            health: BTreeMap::new(),
            slots: ConcurrencyLimiter::default(),
            dirty: BTreeSet::new(),
            commands: Vec::new(),
        }
    }

    /// Takes an input at this run time; gives what follows from it.
    pub fn step(&mut self, now: Timestamp, input: EngineInput) -> Vec<EngineCommand> {
        match input {
            EngineInput::Submit(delivery) => self.submit(now, delivery),
            EngineInput::Finished(sent, result) => self.finished(now, sent, result),
            EngineInput::Due(timer) => self.due(now, timer),
        }
        while self.open_gates(now) || self.offer(now) {}
        self.fill_slots();
        std::mem::take(&mut self.commands)
    }

    /// Whether everything of a conversation has settled.
    pub fn is_idle(&self, conversation: ConversationNumber) -> bool {
        !self.loads.contains_key(&conversation)
    }

    /// Whether something of a conversation waits for nothing but a slot.
    pub fn is_ready(&self, conversation: ConversationNumber) -> bool {
        self.loads.get(&conversation).is_some_and(|load| load.ready > 0)
    }

    /// Whether anything waits for nothing but a slot.
    pub fn is_any_ready(&self) -> bool {
        self.slots.is_anything_waiting()
    }

    fn submit(&mut self, now: Timestamp, delivery: Delivery) {
        self.last += 1;
        let key = self.last;
        let job = PendingDelivery {
            key,
            delivery: Arc::new(delivery),
            stage: DeliveryStage::Queued,
            attempt: 1,
            hop: 0,
            address: None,
        };
        let (queue, delivery) = (job.queue(), Arc::clone(&job.delivery));
        self.jobs.insert(key, job);
        self.queues.entry(queue).or_default().push_back(key);
        self.loads.entry(delivery.conversation).or_default().open += 1;
        self.dirty.insert(queue);
        let Some(gate) = self.closed_gate(queue) else { return };
        if let Some(hold) = gate.hold() {
            self.set_timer(&delivery, EngineTimer::Hold(key), later(now, hold));
        }
        self.record_parked(&delivery);
    }

    fn due(&mut self, now: Timestamp, timer: EngineTimer) {
        let (EngineTimer::Retry(key, _) | EngineTimer::Hold(key)) = timer;
        let Some(job) = self.jobs.get(&key) else { return };
        let queue = job.queue();
        let goes = match timer {
            EngineTimer::Retry(_, attempt) => {
                job.stage == DeliveryStage::Delayed && job.attempt == attempt
            }
            EngineTimer::Hold(_) => {
                let drains = self.closed_gate(queue).is_some_and(|gate| gate.hold().is_some());
                job.stage == DeliveryStage::Queued && drains
            }
        };
        let is_parked = job.delivery.policy.blocks == Blocks::Conversation
            && matches!(timer, EngineTimer::Retry(..))
            && self.closed_gate(queue).is_some();
        if goes && is_parked {
            self.set_stage(key, DeliveryStage::Queued);
            self.dirty.insert(queue);
        } else if goes {
            self.ready(now, key);
        }
    }

    fn finished(&mut self, now: Timestamp, sent: SentAttempt, result: AttemptResult) {
        let SentAttempt { key, attempt, hop } = sent;
        let Some(job) = self.jobs.get_mut(&key) else { return };
        // What an earlier attempt meets after all is too late to count.
        if job.stage != DeliveryStage::InFlight || (job.attempt, job.hop) != (attempt, hop) {
            return;
        }
        let delivery = Arc::clone(&job.delivery);
        self.slots.free(&delivery.endpoint.host);
        if let Some(address) = follow(&delivery, hop, job.address.as_ref(), &result) {
            (job.hop, job.address) = (hop + 1, Some(address));
            self.record_finished(&delivery, sent, result, None);
            return self.ready(now, key);
        }
        (job.hop, job.address) = (0, None);
        let waited = now.duration_since(delivery.at);
        let rng = || self.seeds.rng(&format!("jitter {} {attempt}", delivery.id));
        let disables = |status| delivery.policy.disable.statuses.contains(status);
        let is_off = result.final_status().is_some_and(disables);
        self.health.entry(delivery.endpoint.number).or_default().is_off |= is_off;
        let next = match delivery.policy.next(attempt, waited, &result, rng) {
            RetryDecision::Done if attempt == 1 && delivery.faults.has(FaultKind::Retry) => {
                RetryDecision::Retry(SignedDuration::ZERO)
            }
            next => next,
        };
        match next {
            RetryDecision::Retry(delay) if !is_off => {
                job.attempt += 1;
                let delay = self.keeps_own_time(key).then_some(delay);
                self.record_finished(&delivery, sent, result, delay);
                self.failed(now, key, delay);
            }
            next => {
                self.record_finished(&delivery, sent, result.clone(), None);
                self.settle(key, attempt, result, next == RetryDecision::Done);
            }
        }
    }

    /// Whether a failed delivery waits by itself, and not for the one that a gate waits for.
    fn keeps_own_time(&self, key: DeliveryKey) -> bool {
        let Some(job) = self.jobs.get(&key) else { return false };
        let scope = GateScope::of(job);
        let gate = scope.and_then(|scope| self.gates.get(&scope));
        gate.is_none_or(|gate| !gate.has_failed() || gate.current == Some(key))
    }

    /// A delivery is tried again after a delay, or when its gate lets it.
    fn failed(&mut self, now: Timestamp, key: DeliveryKey, delay: Option<SignedDuration>) {
        let Some(job) = self.jobs.get(&key) else { return };
        let (queue, attempt, delivery) = (job.queue(), job.attempt, Arc::clone(&job.delivery));
        let Some(delay) = delay else {
            self.set_stage(key, DeliveryStage::Queued);
            return self.record_parked(&delivery);
        };
        if delivery.policy.blocks == Blocks::Nothing {
            self.leave_queue(queue, key);
        }
        self.set_stage(key, DeliveryStage::Delayed);
        self.set_timer(&delivery, EngineTimer::Retry(key, attempt), later(now, delay));
        self.close_gate(key);
    }

    /// Lets the first deliveries of stirred lanes go where nothing holds them up.
    fn offer(&mut self, now: Timestamp) -> bool {
        let Some(queue) = self.dirty.pop_first() else { return false };
        let Some(key) = self.first(queue) else { return true };
        let is_queued = self.jobs.get(&key).is_some_and(|job| job.stage == DeliveryStage::Queued);
        if is_queued && self.closed_gate(queue).is_none() {
            self.ready(now, key);
        }
        true
    }

    /// Lets a delivery wait for a slot, unless it is not sent at all.
    pub(super) fn ready(&mut self, now: Timestamp, key: DeliveryKey) {
        let Some(job) = self.jobs.get(&key) else { return };
        let (delivery, attempts) = (Arc::clone(&job.delivery), job.attempt - 1);
        let is_off = self.health.get(&delivery.endpoint.number).is_some_and(|health| health.is_off);
        let dropped = if is_off {
            Some((AttemptOutcome::Disabled, "the vendor has switched the endpoint off"))
        } else if delivery.policy.is_expired(now.duration_since(delivery.at)) {
            Some((AttemptOutcome::Expired, "it was kept for as long as the vendor keeps it"))
        } else {
            None
        };
        if let Some((outcome, reason)) = dropped {
            return self.settle(key, attempts, AttemptResult::failure(outcome, reason, 0), false);
        }
        self.set_stage(key, DeliveryStage::Ready);
        self.slots.wait(&delivery.endpoint.host, key);
    }

    /// Sends what waits, as long as there are slots; hosts take turns.
    fn fill_slots(&mut self) {
        while let Some(key) = self
            .slots
            .take(|key| self.jobs.get(&key).is_some_and(|job| job.stage == DeliveryStage::Ready))
        {
            self.set_stage(key, DeliveryStage::InFlight);
            let Some(job) = self.jobs.get(&key) else { continue };
            let sent = SentAttempt { key, attempt: job.attempt, hop: job.hop };
            let command = EngineCommand::Send(Arc::clone(&job.delivery), sent, job.address.clone());
            self.commands.push(command);
        }
    }

    fn settle(&mut self, key: DeliveryKey, attempts: u32, result: AttemptResult, accepted: bool) {
        self.set_stage(key, DeliveryStage::Queued);
        let Some(job) = self.jobs.remove(&key) else { return };
        let (queue, delivery) = (job.queue(), job.delivery);
        self.leave_queue(queue, key);
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
        let why = delivery.check.failure(&result, &delivery.faults, attempts, accepted);
        let settled = SettledDelivery {
            passed: why.is_none(),
            why,
            source: delivery.source.clone(),
            delivery: delivery.id.clone(),
            event_type: delivery.event_type.clone(),
            attempts,
            faults: delivery.faults.clone(),
            accepted,
            result,
        };
        self.record(&delivery, RecordKind::DeliverySettled(settled));
        self.settled_behind_gates(queue, key, accepted);
    }

    /// Takes a delivery out of its lane, and stirs the one behind it.
    fn leave_queue(&mut self, queue: QueueId, key: DeliveryKey) {
        if let Some(keys) = self.queues.get_mut(&queue) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.queues.remove(&queue);
            } else {
                self.dirty.insert(queue);
            }
        }
    }

    /// The lanes with something in them.
    pub(super) fn queue_ids(&self) -> impl Iterator<Item = QueueId> {
        self.queues.keys().copied()
    }

    /// The first delivery of a lane.
    pub(super) fn first(&self, queue: QueueId) -> Option<DeliveryKey> {
        self.queues.get(&queue)?.front().copied()
    }

    pub(super) fn set_stage(&mut self, key: DeliveryKey, stage: DeliveryStage) {
        let Some(job) = self.jobs.get_mut(&key) else { return };
        let load = self.loads.entry(job.delivery.conversation).or_default();
        load.ready -= usize::from(job.stage == DeliveryStage::Ready);
        load.ready += usize::from(stage == DeliveryStage::Ready);
        job.stage = stage;
    }

    fn set_timer(&mut self, delivery: &Delivery, timer: EngineTimer, at: Timestamp) {
        self.commands.push(EngineCommand::SetTimer(delivery.conversation, timer, at));
    }

    fn record_finished(
        &mut self,
        delivery: &Arc<Delivery>,
        sent: SentAttempt,
        result: AttemptResult,
        retry: Option<SignedDuration>,
    ) {
        let retry = retry.map(|delay| i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
        let what = RecordKind::AttemptFinished {
            delivery: delivery.id.clone(),
            attempt: sent.attempt,
            hop: sent.hop,
            result,
            retry_in_ms: retry,
        };
        self.record(delivery, what);
    }

    fn record_parked(&mut self, delivery: &Arc<Delivery>) {
        self.record(delivery, RecordKind::DeliveryParked { delivery: delivery.id.clone() });
    }

    pub(super) fn record(&mut self, delivery: &Arc<Delivery>, what: RecordKind) {
        self.commands.push(EngineCommand::Record(Arc::clone(delivery), what));
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
