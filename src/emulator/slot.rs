//! A place where the listeners of an API find the live accounts, between runs too.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::{CallResponse, Emulator};
use crate::platform::api::ApiCall;

/// How long a call waits for the next run.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A place for live accounts: one for each run that is in progress. Clones share the place.
#[derive(Clone, Debug)]
pub struct EmulatorSlot(watch::Sender<Vec<SlottedEmulator>>);

/// A live account in its place.
#[derive(Clone, Debug)]
struct SlottedEmulator {
    number: u64,
    emulator: Emulator,
}

/// Passes calls to an account until it is dropped.
#[derive(Debug)]
pub struct SlotEntry {
    slot: EmulatorSlot,
    number: u64,
}

impl Drop for SlotEntry {
    fn drop(&mut self) {
        self.slot.0.send_modify(|all| all.retain(|one| one.number != self.number));
    }
}

impl Default for EmulatorSlot {
    fn default() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }
}

impl EmulatorSlot {
    /// Passes calls to this account from now on.
    pub fn set(&self, emulator: Emulator) {
        self.0.send_replace(vec![SlottedEmulator { number: 0, emulator }]);
    }

    /// Passes calls to this account too, until the entry is dropped.
    #[must_use]
    pub fn add(&self, emulator: Emulator) -> SlotEntry {
        let mut number = 0;
        self.0.send_modify(|all| {
            number = all.last().map_or(0, |last| last.number) + 1;
            all.push(SlottedEmulator { number, emulator });
        });
        SlotEntry { slot: self.clone(), number }
    }

    /// Handles a call, as soon as there is an account. With several, it is the one that knows the
    /// conversation of the call or waits for the call, or else the oldest. Returns `None` if there is no
    /// run in which the call could happen.
    pub async fn call(&self, call: ApiCall) -> Option<CallResponse> {
        let mut place = self.0.subscribe();
        let found = timeout(LONGEST_WAIT, place.wait_for(|all| !all.is_empty())).await;
        let all = found.ok()?.ok()?.clone();
        if all.len() > 1 {
            for SlottedEmulator { emulator, .. } in &all {
                if let Some(response) = emulator.call_if_known(call.clone()).await {
                    return Some(response);
                }
            }
        }
        for SlottedEmulator { emulator, .. } in all {
            // One whose run has ended meanwhile handles nothing.
            if let Some(response) = emulator.call(call.clone()).await {
                return Some(response);
            }
        }
        None
    }
}
