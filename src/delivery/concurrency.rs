//! The concurrency limiter: bounds the attempts in flight, in total and to one host.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::pending::DeliveryKey;
use crate::base::limits::{MAX_IN_FLIGHT, MAX_IN_FLIGHT_PER_HOST};

/// Counts the attempts in flight and queues the deliveries that wait for a slot.
#[derive(Debug, Default)]
pub(super) struct ConcurrencyLimiter {
    in_flight: usize,
    hosts: BTreeMap<Arc<str>, HostQueue>,
    /// The host that got the last slot.
    last: Option<Arc<str>>,
}

#[derive(Debug, Default)]
struct HostQueue {
    in_flight: usize,
    waiting: VecDeque<DeliveryKey>,
}

impl ConcurrencyLimiter {
    /// Queues a delivery for a slot to this host.
    pub(super) fn enqueue(&mut self, host: &Arc<str>, key: DeliveryKey) {
        self.hosts.entry(Arc::clone(host)).or_default().waiting.push_back(key);
    }

    /// Returns whether any delivery waits for a slot.
    pub(super) fn has_waiting(&self) -> bool {
        self.hosts.values().any(|host| !host.waiting.is_empty())
    }

    /// Assigns a slot to the next delivery for which `is_ready` holds. Hosts take turns, so that a
    /// slow host cannot take all slots. Deliveries that are no longer ready are dropped.
    pub(super) fn acquire(
        &mut self,
        is_ready: impl Fn(DeliveryKey) -> bool,
    ) -> Option<DeliveryKey> {
        if self.in_flight == MAX_IN_FLIGHT {
            return None;
        }
        // The hosts after the last one come first, then all in order.
        let after_last = self.hosts.iter().filter(|(host, _)| Some(*host) > self.last.as_ref());
        let turns: Vec<Arc<str>> =
            after_last.chain(&self.hosts).map(|(host, _)| host.clone()).collect();
        for name in turns {
            let Some(host) = self.hosts.get_mut(&name) else { continue };
            if host.in_flight == MAX_IN_FLIGHT_PER_HOST {
                continue;
            }
            while let Some(key) = host.waiting.pop_front() {
                // A gate that closes returns a delivery to its queue, but its key stays here.
                if is_ready(key) {
                    host.in_flight += 1;
                    self.in_flight += 1;
                    self.last = Some(name);
                    return Some(key);
                }
            }
        }
        None
    }

    /// Returns a slot to this host.
    pub(super) fn release(&mut self, host: &str) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.in_flight -= 1;
            self.in_flight -= 1;
        }
    }
}
