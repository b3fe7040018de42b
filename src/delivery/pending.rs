//! Deliveries that have not settled, in their ordering queues.
//!
//! The deliveries of a conversation to one endpoint form a queue: each waits until the one before
//! it has settled. This file only keeps the books. The engine decides what is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use url::Url;

use super::{ConversationKey, Delivery};
use crate::record::Method;

/// The number of a delivery, in the order of submission. Numbers start at 1.
pub type DeliveryKey = u64;

/// Method and URL of a followed redirect; `None` for a request to the endpoint itself.
pub type RedirectTarget = Option<(Method, Url)>;

/// Identifies an ordering queue. The field order is the order in which queues are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct QueueId {
    pub(super) endpoint: u32,
    conversation: ConversationKey,
    /// A delivery that ignores the order has a queue for itself.
    unordered: Option<DeliveryKey>,
}

impl QueueId {
    /// Returns whether the queue holds one delivery that ignores the order.
    pub(super) fn is_unordered(self) -> bool {
        self.unordered.is_some()
    }
}

/// A delivery that has not settled.
#[derive(Debug)]
pub(super) struct PendingDelivery {
    key: DeliveryKey,
    pub(super) delivery: Arc<Delivery>,
    stage: DeliveryStage,
    /// The current attempt, from 1.
    pub(super) attempt: u32,
    /// Number of redirects that the current attempt has followed.
    pub(super) hop: u32,
    pub(super) target: RedirectTarget,
    /// Its run was cancelled during the attempt in flight, which is the last one.
    pub(super) is_cancelled: bool,
}

/// The stage of a pending delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeliveryStage {
    /// It waits for other deliveries or for a gate.
    Queued,
    /// It waits for a free slot of the concurrency limiter.
    Ready,
    /// An attempt is in flight.
    InFlight,
    /// It waits for the time of its next attempt.
    Delayed,
}

/// Counts the pending deliveries of a conversation.
#[derive(Debug, Default)]
struct ConversationLoad {
    pending: usize,
    ready: usize,
}

/// All pending deliveries.
#[derive(Debug, Default)]
pub(super) struct PendingDeliveries {
    deliveries: BTreeMap<DeliveryKey, PendingDelivery>,
    // Sets, not lists: a delivery can leave from the middle of a queue of thousands.
    queues: BTreeMap<QueueId, BTreeSet<DeliveryKey>>,
    loads: BTreeMap<ConversationKey, ConversationLoad>,
    last: DeliveryKey,
    /// The first attempt that a conversation has under way. The next delivery of the conversation, to
    /// whichever endpoint, begins after it: receivers see the events in the order of the actions.
    starting: BTreeMap<ConversationKey, DeliveryKey>,
    /// The endpoints that have had deliveries.
    endpoints: BTreeSet<u32>,
    /// Queues whose first delivery may have become sendable.
    dirty: BTreeSet<QueueId>,
    /// Conversations whose last pending delivery has settled since the last `take_idle`.
    idle: Vec<ConversationKey>,
}

impl PendingDelivery {
    pub(super) fn queue(&self) -> QueueId {
        let unordered = self.delivery.faults.is_unordered().then_some(self.key);
        let Delivery { endpoint, conversation, .. } = &*self.delivery;
        QueueId { endpoint: endpoint.number, conversation: *conversation, unordered }
    }

    pub(super) fn stage(&self) -> DeliveryStage {
        self.stage
    }
}

impl PendingDeliveries {
    pub(super) fn len(&self) -> usize {
        self.deliveries.len()
    }

    /// Adds a delivery at the end of its queue.
    pub(super) fn add(&mut self, delivery: Arc<Delivery>) -> (DeliveryKey, QueueId) {
        self.last += 1;
        let key = self.last;
        self.loads.entry(delivery.conversation).or_default().pending += 1;
        let stage = DeliveryStage::Queued;
        let pending = PendingDelivery {
            key,
            delivery,
            stage,
            attempt: 1,
            hop: 0,
            target: None,
            is_cancelled: false,
        };
        let queue = pending.queue();
        self.endpoints.insert(queue.endpoint);
        self.deliveries.insert(key, pending);
        self.queues.entry(queue).or_default().insert(key);
        self.dirty.insert(queue);
        (key, queue)
    }

    /// Removes a settled delivery.
    pub(super) fn remove(&mut self, key: DeliveryKey) -> Option<PendingDelivery> {
        // Corrects the count of ready deliveries.
        self.set_stage(key, DeliveryStage::Queued);
        let pending = self.deliveries.remove(&key)?;
        self.leave_queue(pending.queue(), key);
        let conversation = pending.delivery.conversation;
        if let Some(load) = self.loads.get_mut(&conversation) {
            load.pending -= 1;
            if load.pending == 0 {
                self.loads.remove(&conversation);
                self.idle.push(conversation);
            }
        }
        Some(pending)
    }

    pub(super) fn get(&self, key: DeliveryKey) -> Option<&PendingDelivery> {
        self.deliveries.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: DeliveryKey) -> Option<&mut PendingDelivery> {
        self.deliveries.get_mut(&key)
    }

    /// The pending deliveries with keys up to `last`, in order.
    pub(super) fn up_to(
        &self,
        last: DeliveryKey,
    ) -> impl Iterator<Item = (DeliveryKey, &PendingDelivery)> {
        self.deliveries.range(..=last).map(|(key, pending)| (*key, pending))
    }

    /// The key of the last delivery that was added.
    pub(super) fn last_key(&self) -> DeliveryKey {
        self.last
    }

    pub(super) fn set_stage(&mut self, key: DeliveryKey, stage: DeliveryStage) {
        self.note_start(key, stage);
        let Some(pending) = self.deliveries.get_mut(&key) else { return };
        let load = self.loads.entry(pending.delivery.conversation).or_default();
        load.ready -= usize::from(pending.stage == DeliveryStage::Ready);
        load.ready += usize::from(stage == DeliveryStage::Ready);
        pending.stage = stage;
    }

    /// Keeps the books about first attempts: one begins when it is ready, and ends with any other
    /// stage than in flight.
    fn note_start(&mut self, key: DeliveryKey, stage: DeliveryStage) {
        let Some(pending) = self.deliveries.get(&key) else { return };
        let (queue, conversation) = (pending.queue(), pending.delivery.conversation);
        let is_under_way = matches!(stage, DeliveryStage::Ready | DeliveryStage::InFlight);
        let is_first = pending.attempt == 1 && queue.unordered.is_none();
        if is_under_way && is_first {
            self.starting.insert(conversation, key);
        } else if self.starting.get(&conversation) == Some(&key) {
            self.starting.remove(&conversation);
            let queues: Vec<QueueId> = self.queues_of(conversation).collect();
            self.mark_dirty(queues);
        }
    }

    /// The ordered queues of a conversation, one for each endpoint.
    pub(super) fn queues_of(&self, conversation: ConversationKey) -> impl Iterator<Item = QueueId> {
        let queue = move |endpoint| QueueId { endpoint, conversation, unordered: None };
        self.endpoints.iter().map(move |endpoint| queue(*endpoint))
    }

    /// Returns whether a first attempt of a conversation is under way.
    pub(super) fn is_starting(&self, conversation: ConversationKey) -> bool {
        self.starting.contains_key(&conversation)
    }

    /// Returns whether a delivery is in this stage.
    pub(super) fn is_in(&self, key: DeliveryKey, stage: DeliveryStage) -> bool {
        self.get(key).is_some_and(|pending| pending.stage == stage)
    }

    /// Removes a delivery from its queue, so that the next one can be sent.
    pub(super) fn leave_queue(&mut self, queue: QueueId, key: DeliveryKey) {
        if let Some(keys) = self.queues.get_mut(&queue) {
            keys.remove(&key);
            if keys.is_empty() {
                self.queues.remove(&queue);
            } else {
                self.dirty.insert(queue);
            }
        }
    }

    /// The queues that are not empty.
    pub(super) fn queues(&self) -> impl Iterator<Item = QueueId> {
        self.queues.keys().copied()
    }

    /// The first delivery of a queue.
    pub(super) fn first(&self, queue: QueueId) -> Option<DeliveryKey> {
        self.queues.get(&queue)?.first().copied()
    }

    pub(super) fn mark_dirty(&mut self, queues: impl IntoIterator<Item = QueueId>) {
        self.dirty.extend(queues);
    }

    pub(super) fn pop_dirty(&mut self) -> Option<QueueId> {
        self.dirty.pop_first()
    }

    pub(super) fn is_idle(&self, conversation: ConversationKey) -> bool {
        !self.loads.contains_key(&conversation)
    }

    pub(super) fn is_ready(&self, conversation: ConversationKey) -> bool {
        self.loads.get(&conversation).is_some_and(|load| load.ready > 0)
    }

    pub(super) fn take_idle(&mut self) -> Vec<ConversationKey> {
        std::mem::take(&mut self.idle)
    }
}
