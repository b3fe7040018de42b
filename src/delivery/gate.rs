//! Gates: what a failure blocks beyond its own conversation, like a circuit breaker.
//!
//! A gate belongs to an endpoint or to the account. It goes through these states:
//!
//! - *Failed*: every delivery is stored, except the one that failed. That one is retried until it
//!   is accepted or dropped.
//! - *In transition*: the stored deliveries are sent one at a time. Conversations with nothing
//!   stored pass. New deliveries of the others are appended to what is stored.
//! - *Recovered*: the appended deliveries drain. A new delivery of a draining conversation is held
//!   for the policy's hold time at most.
//! - *Up*: everything passes, and the gate is removed.
//!
//! The gates select deliveries. The engine sends them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::SignedDuration;

use super::Delivery;
use super::pending::{DeliveryKey, DeliveryStage, PendingDeliveries, PendingDelivery, QueueId};
use crate::policy::Blocks;
use crate::record::{GateState, RecordKind};

/// The gates that are not up.
#[derive(Debug, Default)]
pub(super) struct Gates(BTreeMap<GateScope, Gate>);

/// What a gate blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GateScope {
    /// Every endpoint of the account.
    Account,
    /// The endpoint of this number.
    Endpoint(u32),
}

/// A gate that is not up.
#[derive(Debug)]
struct Gate {
    state: GateState,
    /// The delivery that passes now; all others wait until it has settled.
    current: Option<DeliveryKey>,
    /// The last delivery that this state releases. Later ones wait for the next state.
    last_seq: DeliveryKey,
    /// The queues that the gate blocks, unless it has failed: then it blocks all.
    queues: BTreeSet<QueueId>,
    hold: Option<SignedDuration>,
    /// The delivery whose failure closed the gate; records about the gate refer to it.
    cause: Arc<Delivery>,
}

/// A gate that changed its state, and the delivery that the record refers to.
#[derive(Debug)]
pub(super) struct GateChange {
    pub(super) cause: Arc<Delivery>,
    scope: GateScope,
    state: GateState,
}

/// The next step of a gate that waits for no delivery.
#[derive(Debug)]
pub(super) enum GateProgress {
    /// This delivery passes.
    Release(DeliveryKey),
    /// No delivery is left, so the state changed.
    Changed(GateChange),
}

impl fmt::Display for GateScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account => formatter.write_str("account"),
            Self::Endpoint(number) => write!(formatter, "endpoint {number}"),
        }
    }
}

impl GateScope {
    /// The scope that a failure of this delivery blocks.
    fn of(delivery: &Delivery) -> Option<Self> {
        match delivery.policy.blocks {
            Blocks::Nothing | Blocks::Conversation => None,
            Blocks::Endpoint => Some(Self::Endpoint(delivery.endpoint.number)),
            Blocks::Account => Some(Self::Account),
        }
    }

    fn contains(self, queue: QueueId) -> bool {
        self == Self::Account || self == Self::Endpoint(queue.endpoint)
    }
}

impl Gate {
    fn has_failed(&self) -> bool {
        self.state == GateState::Failed
    }

    /// Returns whether the gate has to release a delivery of its scope before its state changes.
    fn has_to_release(&self, key: DeliveryKey, queue: QueueId) -> bool {
        self.has_failed() || (key <= self.last_seq && self.queues.contains(&queue))
    }
}

impl GateChange {
    pub(super) fn record(&self) -> RecordKind {
        RecordKind::GateChanged { gate: self.scope.to_string(), state: self.state }
    }
}

impl Gates {
    fn closed(&self, queue: QueueId) -> Option<&Gate> {
        let mut gates = self.0.iter().filter(|(scope, _)| scope.contains(queue));
        let closed = gates.find(|(_, gate)| gate.has_failed() || gate.queues.contains(&queue));
        closed.map(|(_, gate)| gate)
    }

    /// Returns whether a gate blocks a queue.
    pub(super) fn is_closed(&self, queue: QueueId) -> bool {
        self.closed(queue).is_some()
    }

    /// The longest time for which a new delivery of a queue is held, while its gate drains.
    pub(super) fn hold(&self, queue: QueueId) -> Option<SignedDuration> {
        self.closed(queue).filter(|gate| gate.state == GateState::Recovered)?.hold
    }

    /// Returns whether a failed delivery is retried after a delay. Behind a failed gate, only the
    /// delivery that the gate waits for is; the others wait for the gate.
    pub(super) fn allow_retry(&self, key: DeliveryKey, delivery: &Delivery) -> bool {
        let gate = GateScope::of(delivery).and_then(|scope| self.0.get(&scope));
        gate.is_none_or(|gate| !gate.has_failed() || gate.current == Some(key))
    }

    /// Closes the gate that the policy of a failed delivery names, if any. Deliveries that wait
    /// for a slot return to their queues.
    pub(super) fn close(
        &mut self,
        key: DeliveryKey,
        pending: &mut PendingDeliveries,
    ) -> Option<GateChange> {
        let cause = Arc::clone(&pending.get(key)?.delivery);
        let scope = GateScope::of(&cause)?;
        let was_failed = self.0.get(&scope).is_some_and(Gate::has_failed);
        let gate = Gate {
            state: GateState::Failed,
            current: Some(key),
            last_seq: 0,
            queues: BTreeSet::new(),
            hold: cause.policy.hold,
            cause: Arc::clone(&cause),
        };
        self.0.insert(scope, gate);
        if was_failed {
            return None;
        }
        let is_blocked = |delivery: &PendingDelivery| {
            delivery.stage() == DeliveryStage::Ready && scope.contains(delivery.queue())
        };
        let all = pending.up_to(DeliveryKey::MAX);
        let blocked = all.filter(|(_, delivery)| is_blocked(delivery)).map(|(key, _)| key);
        for key in blocked.collect::<Vec<DeliveryKey>>() {
            pending.set_stage(key, DeliveryStage::Queued);
        }
        Some(GateChange { cause, scope, state: GateState::Failed })
    }

    /// Updates the gates after a delivery of a queue has settled.
    pub(super) fn settled(
        &mut self,
        key: DeliveryKey,
        queue: QueueId,
        accepted: bool,
        pending: &mut PendingDeliveries,
    ) -> Vec<GateChange> {
        let first = pending.first(queue);
        let mut recovering = Vec::new();
        for (scope, gate) in self.0.iter_mut().filter(|(scope, _)| scope.contains(queue)) {
            let has_drained = first.is_none_or(|first| first > gate.last_seq);
            if gate.state == GateState::Recovered && has_drained {
                gate.queues.remove(&queue);
            }
            if gate.current == Some(key) {
                gate.current = None;
                // A dropped delivery does not open the gate: the next one is tried instead.
                if accepted && gate.has_failed() {
                    recovering.push(*scope);
                }
            }
        }
        let enter = |scope| self.enter(scope, GateState::InTransition, pending);
        recovering.into_iter().filter_map(enter).collect()
    }

    /// The gates that wait for no delivery.
    pub(super) fn idle(&self) -> Vec<GateScope> {
        let idle = self.0.iter().filter(|(_, gate)| gate.current.is_none());
        idle.map(|(scope, _)| *scope).collect()
    }

    /// Releases the next delivery of an idle gate, or enters the next state if none is left.
    pub(super) fn advance(
        &mut self,
        scope: GateScope,
        pending: &mut PendingDeliveries,
    ) -> Option<GateProgress> {
        let gate = self.0.get_mut(&scope)?;
        // Without the bound, every change of state would scan all deliveries that came later.
        let end = if gate.has_failed() { DeliveryKey::MAX } else { gate.last_seq };
        let next = pending.up_to(end).find(|(key, delivery)| {
            let queue = delivery.queue();
            scope.contains(queue) && gate.has_to_release(*key, queue)
        });
        if let Some((key, _)) = next {
            gate.current = Some(key);
            return Some(GateProgress::Release(key));
        }
        let state = match gate.state {
            GateState::InTransition => GateState::Recovered,
            _ => GateState::Up,
        };
        self.enter(scope, state, pending).map(GateProgress::Changed)
    }

    fn enter(
        &mut self,
        scope: GateScope,
        state: GateState,
        pending: &mut PendingDeliveries,
    ) -> Option<GateChange> {
        let mut gate = self.0.remove(&scope)?;
        let change = GateChange { cause: Arc::clone(&gate.cause), scope, state };
        let stays_blocked = |queue: &QueueId| match state {
            GateState::Up => false,
            // Only the queues of the previous state have anything appended.
            GateState::Recovered => gate.queues.contains(queue),
            GateState::InTransition | GateState::Failed => true,
        };
        let in_scope = pending.queues().filter(|queue| scope.contains(*queue));
        let (blocked, free): (BTreeSet<_>, BTreeSet<_>) = in_scope.partition(stays_blocked);
        pending.mark_dirty(free);
        if state != GateState::Up {
            (gate.state, gate.last_seq, gate.queues) = (state, pending.last_key(), blocked);
            self.0.insert(scope, gate);
        }
        Some(change)
    }
}
