//! Gates: what a failure holds up beyond its conversation.
//!
//! A failure closes the gate of its endpoint or account: everything is stored but the delivery that
//! failed, which is tried until it is accepted or dropped. Then the gate is in transition: what
//! was stored goes out one after the other; conversations of which nothing was stored pass, and
//! what comes for the others is appended. At last it has recovered: what was appended drains, and
//! what comes for a draining conversation is held for a while, but no longer. Then it is up.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Delivery;
use super::engine::{DeliveryKey, DeliveryStage, Engine, PendingDelivery, QueueId};
use crate::policy::Blocks;
use crate::record::{GateState, RecordKind};

/// What a gate is the gate of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GateScope {
    /// Everything.
    Account,
    /// The endpoint of this number.
    Endpoint(u32),
}

/// A gate that is not up.
#[derive(Debug)]
pub(super) struct Gate {
    state: GateState,
    /// The delivery that is tried: everything else waits for it.
    pub(super) current: Option<DeliveryKey>,
    /// The last delivery that goes out through the gate; what comes later is of another round.
    last_seq: DeliveryKey,
    /// The lanes that go out through the gate; others pass.
    queues: BTreeSet<QueueId>,
    hold: Option<SignedDuration>,
    /// The delivery that closed it.
    about: Arc<Delivery>,
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
    /// What a failure of this delivery closes.
    pub(super) fn of(job: &PendingDelivery) -> Option<Self> {
        match job.delivery.policy.blocks {
            Blocks::Nothing | Blocks::Conversation => None,
            Blocks::Endpoint => Some(Self::Endpoint(job.delivery.endpoint.number)),
            Blocks::Account => Some(Self::Account),
        }
    }

    fn holds(self, queue: QueueId) -> bool {
        self == Self::Account || self == Self::Endpoint(queue.0)
    }
}

impl Gate {
    /// Whether nothing passes.
    pub(super) fn has_failed(&self) -> bool {
        self.state == GateState::Failed
    }

    /// How long something is held that came while the gate drains.
    pub(super) fn hold(&self) -> Option<SignedDuration> {
        self.hold.filter(|_| self.state == GateState::Recovered)
    }
}

impl Engine {
    /// The gate that holds a lane up.
    pub(super) fn closed_gate(&self, queue: QueueId) -> Option<&Gate> {
        let mut gates = self.gates.iter().filter(|(scope, _)| scope.holds(queue));
        gates.find(|(_, gate)| gate.has_failed() || gate.queues.contains(&queue)).map(|(_, g)| g)
    }

    /// A delivery has failed: closes the gate that its policy wants closed.
    pub(super) fn close_gate(&mut self, key: DeliveryKey) {
        let Some(job) = self.jobs.get(&key) else { return };
        let Some(scope) = GateScope::of(job) else { return };
        let about = Arc::clone(&job.delivery);
        let was_failed = self.gates.get(&scope).is_some_and(Gate::has_failed);
        let gate = Gate {
            state: GateState::Failed,
            current: Some(key),
            last_seq: 0,
            queues: BTreeSet::new(),
            hold: about.policy.hold,
            about: Arc::clone(&about),
        };
        self.gates.insert(scope, gate);
        if was_failed {
            return;
        }
        let ready = self.jobs.iter().filter(|(_, job)| job.stage == DeliveryStage::Ready);
        let ready: Vec<DeliveryKey> =
            ready.filter(|(_, job)| scope.holds(job.queue())).map(|(key, _)| *key).collect();
        for key in ready {
            self.set_stage(key, DeliveryStage::Queued);
        }
        let state = GateState::Failed;
        self.record(&about, RecordKind::GateChanged { gate: scope.to_string(), state });
    }

    /// A delivery has settled: the gate that waited for it goes on.
    pub(super) fn settled_behind_gates(
        &mut self,
        queue: QueueId,
        key: DeliveryKey,
        accepted: bool,
    ) {
        let first = self.first(queue);
        let holding = |scope: &&GateScope| scope.holds(queue);
        let scopes: Vec<GateScope> = self.gates.keys().filter(holding).copied().collect();
        for scope in scopes {
            let Some(gate) = self.gates.get_mut(&scope) else { continue };
            let has_drained = first.is_none_or(|first| first > gate.last_seq);
            if gate.state == GateState::Recovered && has_drained {
                gate.queues.remove(&queue);
            }
            if gate.current == Some(key) {
                gate.current = None;
                if accepted && gate.has_failed() {
                    self.enter(scope, GateState::InTransition);
                }
            }
        }
    }

    /// Lets what is next go through each gate that waits for nothing. Gives whether one moved.
    pub(super) fn open_gates(&mut self, now: Timestamp) -> bool {
        let idle = self.gates.iter().filter(|(_, gate)| gate.current.is_none());
        let scopes: Vec<GateScope> = idle.map(|(scope, _)| *scope).collect();
        for scope in &scopes {
            self.open_gate(now, *scope);
        }
        !scopes.is_empty()
    }

    /// Lets the next delivery through, or goes on to the next state where there is none.
    fn open_gate(&mut self, now: Timestamp, scope: GateScope) {
        let Some(gate) = self.gates.get(&scope) else { return };
        let goes_through = |key: DeliveryKey, job: &PendingDelivery| {
            let queue = job.queue();
            scope.holds(queue)
                && (gate.has_failed() || (key <= gate.last_seq && gate.queues.contains(&queue)))
        };
        let mut waiting = self.jobs.iter().filter(|(key, job)| goes_through(**key, job));
        let next = waiting.next().map(|(key, job)| (*key, job.stage));
        let Some((key, stage)) = next else {
            let state = gate.state;
            return match state {
                GateState::InTransition => self.enter(scope, GateState::Recovered),
                _ => self.enter(scope, GateState::Up),
            };
        };
        if let Some(gate) = self.gates.get_mut(&scope) {
            gate.current = Some(key);
        }
        if stage == DeliveryStage::Queued {
            self.ready(now, key);
        }
    }

    /// Brings a gate into another state. In transition, what is stored goes out; recovered, what
    /// was appended to it meanwhile; up, everything passes.
    fn enter(&mut self, scope: GateScope, state: GateState) {
        let Some(mut gate) = self.gates.remove(&scope) else { return };
        let held = |queue: &QueueId| {
            scope.holds(*queue) && (state != GateState::Recovered || gate.queues.contains(queue))
        };
        let queues: BTreeSet<QueueId> = self.queue_ids().filter(held).collect();
        let about = Arc::clone(&gate.about);
        let what = RecordKind::GateChanged { gate: scope.to_string(), state };
        self.record(&about, what);
        if state == GateState::Up {
            self.dirty.extend(queues);
            return;
        }
        (gate.state, gate.last_seq, gate.queues) = (state, self.last, queues);
        self.gates.insert(scope, gate);
        // Conversations of which nothing is stored pass from now on.
        let queues: Vec<QueueId> = self.queue_ids().filter(|queue| scope.holds(*queue)).collect();
        self.dirty.extend(queues);
    }
}
