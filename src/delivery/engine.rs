//! The engine: decides which delivery is sent when. Sans-IO and deterministic.
//!
//! Deliveries wait for one another in ordering queues (`pending`), for gates that a failure closed
//! (`gate`), and for a slot (`concurrency`). The engine connects the three with the policies.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::concurrency::ConcurrencyLimiter;
use super::gate::{GateChange, GateProgress, Gates};
use super::pending::{
    DeliveryKey, DeliveryStage, PendingDeliveries, PendingDelivery, QueueId, RedirectTarget,
};
use super::redirect::follow;
use super::{ConversationKey, Delivery};
use crate::fault::FaultKind;
use crate::policy::{Blocks, RetryDecision};
use crate::record::{AttemptOutcome, AttemptResult, Method, RecordKind, SettledDelivery};

/// An input of the engine.
#[derive(Debug)]
pub enum EngineInput {
    /// A new delivery.
    Submit(Delivery),
    /// The result of a request.
    Finished(SentAttempt, AttemptResult),
    /// A timer has expired.
    Due(EngineTimer),
    /// The run of this number was cancelled. Its deliveries are not sent any more, and block
    /// nothing. Attempts in flight end.
    Cancel(u32),
}

/// Identifies one request of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SentAttempt {
    /// The delivery.
    pub key: DeliveryKey,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Number of redirects that this attempt followed before.
    pub hop: u32,
}

/// A timer that the engine sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EngineTimer {
    /// The attempt of this number is due.
    Retry(DeliveryKey, u32),
    /// A delivery is no longer held for a gate that drains.
    Hold(DeliveryKey),
}

/// A command to the driver. Commands are carried out in order.
#[derive(Debug)]
pub enum EngineCommand {
    /// Record the attempt, then send the request.
    Send(Arc<Delivery>, SentAttempt, RedirectTarget),
    /// Report the timer as due at this run time of the conversation.
    SetTimer(ConversationKey, EngineTimer, Timestamp),
    /// Append a record about a delivery.
    // Boxed because a record is several times as large as the other commands.
    Record(Arc<Delivery>, Box<RecordKind>),
}

/// Decides which delivery is sent when. A new engine has no deliveries.
#[derive(Debug, Default)]
pub struct Engine {
    pending: PendingDeliveries,
    gates: Gates,
    health: BTreeMap<u32, EndpointHealth>,
    limiter: ConcurrencyLimiter,
    commands: Vec<EngineCommand>,
}

/// Decides when the vendor disables an endpoint.
#[derive(Debug, Default)]
struct EndpointHealth {
    /// Deliveries in a row that were not accepted.
    failed_in_a_row: u32,
    is_disabled: bool,
}

impl Engine {
    /// Processes an input at this run time and returns the resulting commands.
    pub fn step(&mut self, now: Timestamp, input: EngineInput) -> Vec<EngineCommand> {
        match input {
            EngineInput::Submit(delivery) => self.submit(now, delivery),
            EngineInput::Finished(sent, result) => self.finished(now, sent, result),
            EngineInput::Due(timer) => self.due(now, timer),
            EngineInput::Cancel(run) => self.cancel(run),
        }
        // Gates first: what they release is older than what the queues offer.
        while self.advance_gates(now) || self.offer(now) {}
        self.fill_slots();
        std::mem::take(&mut self.commands)
    }

    /// Returns whether every delivery of a conversation has settled.
    pub fn is_idle(&self, conversation: ConversationKey) -> bool {
        self.pending.is_idle(conversation)
    }

    /// Returns the number of deliveries that have not settled.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Returns the conversation of the delivery that a timer is for, unless it has settled.
    pub fn conversation(&self, timer: EngineTimer) -> Option<ConversationKey> {
        let (EngineTimer::Retry(key, _) | EngineTimer::Hold(key)) = timer;
        self.pending.get(key).map(|pending| pending.delivery.conversation)
    }

    /// Returns the conversations whose last pending delivery settled since the last call. A
    /// conversation may have new deliveries by now.
    pub fn take_idle(&mut self) -> Vec<ConversationKey> {
        self.pending.take_idle()
    }

    /// Returns whether a delivery of a conversation waits only for a slot.
    pub fn is_ready(&self, conversation: ConversationKey) -> bool {
        self.pending.is_ready(conversation)
    }

    /// Returns whether any delivery waits only for a slot.
    pub fn is_any_ready(&self) -> bool {
        self.limiter.has_waiting()
    }

    fn submit(&mut self, now: Timestamp, delivery: Delivery) {
        let delivery = Arc::new(delivery);
        let (key, queue) = self.pending.add(Arc::clone(&delivery));
        if !self.gates.is_closed(queue) {
            return;
        }
        if let Some(hold) = self.gates.hold(queue) {
            self.set_timer(&delivery, EngineTimer::Hold(key), later(now, hold));
        }
        self.record_parked(&delivery);
    }

    fn due(&mut self, now: Timestamp, timer: EngineTimer) {
        let (EngineTimer::Retry(key, _) | EngineTimer::Hold(key)) = timer;
        let Some(pending) = self.pending.get(key) else { return };
        let queue = pending.queue();
        // A timer is not cancelled when the delivery no longer waits for it, so check that it does.
        let is_current = match timer {
            EngineTimer::Retry(_, attempt) => {
                pending.stage() == DeliveryStage::Delayed && pending.attempt == attempt
            }
            EngineTimer::Hold(_) => {
                pending.stage() == DeliveryStage::Queued && self.gates.hold(queue).is_some()
            }
        };
        // A retry that blocks only its conversation has to wait for a gate that closed meanwhile.
        let is_parked = pending.delivery.policy.blocks == Blocks::Conversation
            && matches!(timer, EngineTimer::Retry(..))
            && self.gates.is_closed(queue);
        if is_current && is_parked {
            self.pending.set_stage(key, DeliveryStage::Queued);
            self.pending.mark_dirty([queue]);
        } else if is_current {
            self.make_ready(now, key);
        }
    }

    fn cancel(&mut self, run: u32) {
        let all = self.pending.up_to(DeliveryKey::MAX);
        let of_run = all.filter(|(_, pending)| pending.delivery.conversation.run == run);
        for key in of_run.map(|(key, _)| key).collect::<Vec<_>>() {
            if self.pending.is_in(key, DeliveryStage::InFlight) {
                // Its slot is taken until the result arrives.
                self.pending
                    .get_mut(key)
                    .into_iter()
                    .for_each(|pending| pending.is_cancelled = true);
            } else {
                self.remove_cancelled(key);
            }
        }
    }

    /// Forgets a delivery of a cancelled run. It has no result, like one of an interrupted run.
    fn remove_cancelled(&mut self, key: DeliveryKey) {
        let Some(pending) = self.pending.remove(key) else { return };
        self.update_gates(key, pending.queue(), false);
    }

    fn finished(&mut self, now: Timestamp, sent: SentAttempt, result: AttemptResult) {
        let SentAttempt { key, attempt, hop } = sent;
        let Some(pending) = self.pending.get_mut(key) else { return };
        // Ignore the late result of an earlier attempt.
        if pending.stage() != DeliveryStage::InFlight
            || (pending.attempt, pending.hop) != (attempt, hop)
        {
            return;
        }
        let delivery = Arc::clone(&pending.delivery);
        self.limiter.release(&delivery.endpoint.host);
        if pending.is_cancelled {
            // An attempt that was withdrawn before it was sent has no record of its start.
            if result.outcome != AttemptOutcome::Unsendable {
                self.record_finished(&delivery, sent, result, None);
            }
            return self.remove_cancelled(key);
        }
        if let Some(target) = follow(&delivery, hop, pending.target.as_ref(), &result) {
            (pending.hop, pending.target) = (hop + 1, Some(target));
            self.record_finished(&delivery, sent, result, None);
            return self.make_ready(now, key);
        }
        let is_disabled = self.disable_by_status(&delivery, &result);
        match Self::decide(now, &delivery, attempt, &result) {
            RetryDecision::Retry(delay) if !is_disabled => {
                if let Some(pending) = self.pending.get_mut(key) {
                    pending.attempt += 1;
                    (pending.hop, pending.target) = (0, None);
                }
                let delay = self.gates.allow_retry(key, &delivery).then_some(delay);
                self.record_finished(&delivery, sent, result, delay);
                self.retry(now, key, delay);
            }
            decision => {
                self.record_finished(&delivery, sent, result.clone(), None);
                self.settle(key, attempt, result, decision == RetryDecision::Done);
            }
        }
    }

    /// Disables the endpoint if the policy names this status. Returns whether it did.
    fn disable_by_status(&mut self, delivery: &Delivery, result: &AttemptResult) -> bool {
        let disables = |status| delivery.policy.disable.statuses.contains(status);
        let is_disabled = result.final_status().is_some_and(disables);
        self.health.entry(delivery.endpoint.number).or_default().is_disabled |= is_disabled;
        is_disabled
    }

    /// Decides whether an attempt is retried.
    fn decide(
        now: Timestamp,
        delivery: &Delivery,
        attempt: u32,
        result: &AttemptResult,
    ) -> RetryDecision {
        let waited = now.duration_since(delivery.at);
        let rng = || delivery.seeds.rng(&format!("jitter {} {attempt}", delivery.id));
        match delivery.policy.next(attempt, waited, result, rng) {
            // The fault `retry` sends an accepted delivery a second time.
            RetryDecision::Done if attempt == 1 && delivery.faults.has(FaultKind::Retry) => {
                RetryDecision::Retry(SignedDuration::ZERO)
            }
            decision => decision,
        }
    }

    /// Retries a delivery after a delay, or without one when its gate releases it.
    fn retry(&mut self, now: Timestamp, key: DeliveryKey, delay: Option<SignedDuration>) {
        let Some(pending) = self.pending.get(key) else { return };
        let (queue, attempt) = (pending.queue(), pending.attempt);
        let delivery = Arc::clone(&pending.delivery);
        let Some(delay) = delay else {
            self.pending.set_stage(key, DeliveryStage::Queued);
            return self.record_parked(&delivery);
        };
        if delivery.policy.blocks == Blocks::Nothing {
            self.pending.leave_queue(queue, key);
        }
        self.pending.set_stage(key, DeliveryStage::Delayed);
        self.set_timer(&delivery, EngineTimer::Retry(key, attempt), later(now, delay));
        let change = self.gates.close(key, &mut self.pending);
        self.record_gates(change);
    }

    /// Lets each idle gate release a delivery or change its state. Returns whether there was one.
    fn advance_gates(&mut self, now: Timestamp) -> bool {
        let idle = self.gates.idle();
        for scope in &idle {
            match self.gates.advance(*scope, &mut self.pending) {
                Some(GateProgress::Release(key))
                    if self.pending.is_in(key, DeliveryStage::Queued) =>
                {
                    self.make_ready(now, key);
                }
                Some(GateProgress::Changed(change)) => self.record_gates([change]),
                // A released delivery may be in flight already, from before the gate closed.
                Some(GateProgress::Release(_)) | None => {}
            }
        }
        !idle.is_empty()
    }

    /// Makes the first delivery of a dirty queue ready, unless it is blocked. Returns whether there
    /// was a dirty queue.
    fn offer(&mut self, now: Timestamp) -> bool {
        let Some(queue) = self.pending.pop_dirty() else { return false };
        let Some(key) = self.next_of(queue).and_then(|key| self.in_order(queue, key)) else {
            return true;
        };
        self.make_ready(now, key);
        // It may have expired, and another one of the conversation may be first in this queue now.
        if self.pending.get(key).is_none() {
            self.pending.mark_dirty([queue]);
        }
        true
    }

    /// Returns the first delivery of a queue, if nothing blocks it.
    fn next_of(&self, queue: QueueId) -> Option<DeliveryKey> {
        let key = self.pending.first(queue)?;
        let is_sendable =
            self.pending.is_in(key, DeliveryStage::Queued) && !self.gates.is_closed(queue);
        is_sendable.then_some(key)
    }

    /// Returns the delivery that its conversation sends next, instead of the first one of a queue:
    /// the oldest, to whichever endpoint. Nothing follows while a first attempt is under way.
    fn in_order(&self, queue: QueueId, key: DeliveryKey) -> Option<DeliveryKey> {
        let pending = self.pending.get(key)?;
        if queue.is_unordered() || pending.attempt > 1 {
            return Some(key);
        }
        let conversation = pending.delivery.conversation;
        if self.pending.is_starting(conversation) {
            return None;
        }
        self.pending.queues_of(conversation).filter_map(|queue| self.next_of(queue)).min()
    }

    /// Queues a delivery for a slot, or settles it if the vendor no longer sends it.
    fn make_ready(&mut self, now: Timestamp, key: DeliveryKey) {
        let Some(pending) = self.pending.get(key) else { return };
        let (delivery, attempts) = (Arc::clone(&pending.delivery), pending.attempt - 1);
        let health = self.health.get(&delivery.endpoint.number);
        let dropped = if health.is_some_and(|health| health.is_disabled) {
            Some((AttemptOutcome::Disabled, "the vendor has disabled the endpoint"))
        } else if delivery.policy.is_expired(now.duration_since(delivery.at)) {
            Some((AttemptOutcome::Expired, "the vendor's retention time is over"))
        } else {
            None
        };
        if let Some((outcome, reason)) = dropped {
            return self.settle(key, attempts, AttemptResult::failure(outcome, reason, 0), false);
        }
        self.pending.set_stage(key, DeliveryStage::Ready);
        self.limiter.enqueue(&delivery.endpoint.host, key);
    }

    /// Sends ready deliveries as long as there are free slots.
    fn fill_slots(&mut self) {
        while let Some(key) =
            self.limiter.acquire(|key| self.pending.is_in(key, DeliveryStage::Ready))
        {
            self.pending.set_stage(key, DeliveryStage::InFlight);
            let Some(pending) = self.pending.get(key) else { continue };
            let PendingDelivery { delivery, attempt, hop, target, .. } = pending;
            let sent = SentAttempt { key, attempt: *attempt, hop: *hop };
            let command = EngineCommand::Send(Arc::clone(delivery), sent, target.clone());
            self.commands.push(command);
        }
    }

    fn settle(&mut self, key: DeliveryKey, attempts: u32, result: AttemptResult, accepted: bool) {
        let Some(pending) = self.pending.remove(key) else { return };
        let queue = pending.queue();
        let method = pending.target.as_ref().map_or(Method::Post, |(method, _)| *method);
        let delivery = pending.delivery;
        self.disable_by_failures(&delivery, accepted);
        let why = delivery.check.failure(&result, &delivery.faults, attempts, accepted, method);
        let settled = SettledDelivery {
            passed: why.is_none(),
            why,
            source: delivery.source.clone(),
            delivery: delivery.id.clone(),
            endpoint: delivery.endpoint.number,
            event_type: delivery.event_type.clone(),
            attempts,
            faults: delivery.faults.clone(),
            accepted,
            // The record of the attempt has the rest.
            result: result.without_content(),
        };
        self.record(&delivery, RecordKind::DeliverySettled(settled));
        self.update_gates(key, queue, accepted);
    }

    /// Counts failed deliveries, and disables the endpoint after as many in a row as the policy says.
    fn disable_by_failures(&mut self, delivery: &Delivery, accepted: bool) {
        let health = self.health.entry(delivery.endpoint.number).or_default();
        health.failed_in_a_row = if accepted { 0 } else { health.failed_in_a_row + 1 };
        let limit = delivery.policy.disable.after;
        health.is_disabled |= limit.is_some_and(|limit| health.failed_in_a_row >= limit);
    }

    fn update_gates(&mut self, key: DeliveryKey, queue: QueueId, accepted: bool) {
        let changes = self.gates.settled(key, queue, accepted, &mut self.pending);
        self.record_gates(changes);
    }

    fn set_timer(&mut self, delivery: &Delivery, timer: EngineTimer, at: Timestamp) {
        self.commands.push(EngineCommand::SetTimer(delivery.conversation, timer, at));
    }

    fn record_finished(
        &mut self,
        delivery: &Arc<Delivery>,
        sent: SentAttempt,
        result: AttemptResult,
        delay: Option<SignedDuration>,
    ) {
        let millis = |delay: SignedDuration| i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        let kind = RecordKind::AttemptFinished {
            delivery: delivery.id.clone(),
            attempt: sent.attempt,
            hop: sent.hop,
            result,
            retry_in_ms: delay.map(millis),
        };
        self.record(delivery, kind);
    }

    fn record_parked(&mut self, delivery: &Arc<Delivery>) {
        self.record(delivery, RecordKind::DeliveryParked { delivery: delivery.id.clone() });
    }

    fn record_gates(&mut self, changes: impl IntoIterator<Item = GateChange>) {
        for change in changes {
            self.record(&change.cause, change.record());
        }
    }

    fn record(&mut self, delivery: &Arc<Delivery>, kind: RecordKind) {
        self.commands.push(EngineCommand::Record(Arc::clone(delivery), Box::new(kind)));
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
