//! Numbers of deliveries of the conversations in memory. They do not depend on how many records are.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use serde::Serialize;
use utoipa::ToSchema;

use super::deliveries::DeliveryState;
use crate::delivery::ConversationKey;
use crate::record::{Record, RecordKind};

/// Numbers of deliveries of a conversation. Redeliveries are not counted.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub struct ConversationCounts {
    /// All deliveries.
    pub deliveries: usize,
    /// Those that passed.
    pub passed: usize,
    /// Those that failed.
    pub failed: usize,
    /// Those that wait for a retry.
    pub retrying: usize,
}

/// The numbers of all conversations of the runs in memory.
#[derive(Debug, Default)]
pub(super) struct CountedDeliveries {
    counts: BTreeMap<ConversationKey, ConversationCounts>,
    /// States of the deliveries that have not settled, by run and id.
    open: HashMap<u32, HashMap<String, DeliveryState>>,
}

impl CountedDeliveries {
    /// Takes note of a record of a run that is no redelivery.
    pub(super) fn note(&mut self, run: u32, record: &Record) {
        let (Some(number), Some(delivery)) = (record.conversation, record.kind.delivery()) else {
            return;
        };
        let open = self.open.entry(run).or_default();
        let after = match &record.kind {
            RecordKind::DeliveryPlanned { .. } => DeliveryState::Pending,
            RecordKind::AttemptStarted { .. } => DeliveryState::Sending,
            RecordKind::AttemptFinished { .. } => DeliveryState::Retrying,
            RecordKind::DeliverySettled(settled) if settled.passed => DeliveryState::Passed,
            RecordKind::DeliverySettled(_) => DeliveryState::Failed,
            _ => return,
        };
        let before = match after {
            DeliveryState::Passed | DeliveryState::Failed => open.remove(delivery),
            DeliveryState::Pending => open.insert(delivery.to_owned(), after),
            // What an earlier attempt reports after the result changes nothing.
            _ => open.get_mut(delivery).map(|state| std::mem::replace(state, after)),
        };
        let counts = self.counts.entry(ConversationKey { run, number }).or_default();
        match before {
            Some(before) => counts.change(before, after),
            None if after == DeliveryState::Pending => counts.deliveries += 1,
            None => {}
        }
    }

    /// Forgets the numbers of a run.
    pub(super) fn forget(&mut self, run: u32) {
        self.open.remove(&run);
        let own: Vec<ConversationKey> =
            self.counts.range(keys_of(run)).map(|(key, _)| *key).collect();
        for key in own {
            self.counts.remove(&key);
        }
    }

    /// Returns the numbers of a conversation.
    pub(super) fn of(&self, conversation: ConversationKey) -> ConversationCounts {
        self.counts.get(&conversation).copied().unwrap_or_default()
    }
}

/// The conversations of a run.
fn keys_of(run: u32) -> RangeInclusive<ConversationKey> {
    ConversationKey { run, number: 0 }..=ConversationKey { run, number: u32::MAX }
}

impl ConversationCounts {
    fn change(&mut self, before: DeliveryState, after: DeliveryState) {
        if let Some(counter) = self.number_of(before) {
            *counter -= 1;
        }
        if let Some(counter) = self.number_of(after) {
            *counter += 1;
        }
    }

    fn number_of(&mut self, state: DeliveryState) -> Option<&mut usize> {
        match state {
            DeliveryState::Passed => Some(&mut self.passed),
            DeliveryState::Failed => Some(&mut self.failed),
            DeliveryState::Retrying => Some(&mut self.retrying),
            DeliveryState::Pending | DeliveryState::Sending => None,
        }
    }
}
