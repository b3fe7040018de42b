//! Slots: how many attempts are under way at once, over all hosts and to one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::engine::DeliveryKey;
use crate::base::limits::{MAX_IN_FLIGHT, MAX_IN_FLIGHT_PER_HOST};

/// The attempts under way, and what waits for its turn.
#[derive(Debug, Default)]
pub(super) struct ConcurrencyLimiter {
    in_flight: usize,
    hosts: BTreeMap<Arc<str>, HostQueue>,
    /// The host whose turn it was last.
    last: Option<Arc<str>>,
}

#[derive(Debug, Default)]
struct HostQueue {
    in_flight: usize,
    waiting: VecDeque<DeliveryKey>,
}

impl ConcurrencyLimiter {
    /// Lets a delivery wait for a slot to this host.
    pub(super) fn wait(&mut self, host: &Arc<str>, key: DeliveryKey) {
        self.hosts.entry(Arc::clone(host)).or_default().waiting.push_back(key);
    }

    /// Whether anything waits.
    pub(super) fn is_anything_waiting(&self) -> bool {
        self.hosts.values().any(|host| !host.waiting.is_empty())
    }

    /// Takes a slot for the next that still wants one; hosts take turns.
    pub(super) fn take(&mut self, wants: impl Fn(DeliveryKey) -> bool) -> Option<DeliveryKey> {
        if self.in_flight == MAX_IN_FLIGHT {
            return None;
        }
        let behind = self.hosts.iter().filter(|(host, _)| Some(*host) > self.last.as_ref());
        let turns: Vec<Arc<str>> =
            behind.chain(&self.hosts).map(|(host, _)| host.clone()).collect();
        for name in turns {
            let Some(host) = self.hosts.get_mut(&name) else { continue };
            if host.in_flight == MAX_IN_FLIGHT_PER_HOST {
                continue;
            }
            while let Some(key) = host.waiting.pop_front() {
                if wants(key) {
                    host.in_flight += 1;
                    self.in_flight += 1;
                    self.last = Some(name);
                    return Some(key);
                }
            }
        }
        None
    }

    /// Gives a slot back.
    pub(super) fn free(&mut self, host: &str) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.in_flight -= 1;
            self.in_flight -= 1;
        }
    }
}
