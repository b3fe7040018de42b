//! A place where the listeners of an API find the live accounts, between runs too.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::run_starter::RunStarter;
use super::subscriptions::{NewSubscription, SubscriptionChange};
use super::{CallResponse, Emulator};
use crate::platform::api::{ApiCall, CorsRule};

/// How long a call waits for the next run.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A place for the live account of a vendor: one emulator for each run that is in progress. Clones share
/// the place. The URLs that calls subscribe belong to all runs.
#[derive(Clone, Debug)]
pub struct EmulatorSlot {
    emulators: watch::Sender<Vec<SlottedEmulator>>,
    subscriptions: watch::Sender<Vec<NewSubscription>>,
    /// The number of the last account. Numbers are not used again.
    last: Arc<AtomicU64>,
    starter: Option<Arc<RunStarter>>,
}

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
        self.slot.emulators.send_modify(|all| all.retain(|one| one.number != self.number));
    }
}

impl Default for EmulatorSlot {
    fn default() -> Self {
        let (emulators, subscriptions) =
            (watch::Sender::new(Vec::new()), watch::Sender::new(Vec::new()));
        Self { emulators, subscriptions, last: Arc::default(), starter: None }
    }
}

impl EmulatorSlot {
    /// Starts a run for a call that comes while no run is in progress.
    #[must_use]
    pub fn starting(self, starter: RunStarter) -> Self {
        Self { starter: Some(Arc::new(starter)), ..self }
    }

    /// Passes calls to this account from now on.
    pub fn set(&self, emulator: Emulator) {
        self.emulators.send_replace(vec![SlottedEmulator { number: 0, emulator }]);
    }

    /// Passes calls to this account too, until the entry is dropped.
    #[must_use]
    pub fn add(&self, emulator: Emulator) -> SlotEntry {
        let number = self.last.fetch_add(1, Ordering::SeqCst) + 1;
        // Held until the account has all of them, so that it does not miss one that is added meanwhile.
        let subscriptions = self.subscriptions.borrow();
        if !subscriptions.is_empty() {
            let change = SubscriptionChange { new: subscriptions.clone(), ended: Vec::new() };
            emulator.subscribe(Box::new(change));
        }
        self.emulators.send_modify(|all| all.push(SlottedEmulator { number, emulator }));
        drop(subscriptions);
        SlotEntry { slot: self.clone(), number }
    }

    /// Passes calls to the account of a resumed run too. The URLs that its earlier calls have subscribed
    /// belong to all runs.
    pub async fn add_resumed(&self, emulator: Emulator) -> SlotEntry {
        let new = emulator.call_subscriptions().await;
        let entry = self.add(emulator);
        self.share(&SubscriptionChange { new, ended: Vec::new() }, entry.number);
        entry
    }

    /// Handles a call, as soon as there is an account. With several, it is the one that knows the
    /// conversation of the call or waits for the call, or else the oldest. Returns `None` if there is no
    /// run in which the call could happen.
    pub async fn call(&self, call: ApiCall) -> Option<CallResponse> {
        let Some(starter) = &self.starter else { return self.call_run(call).await };
        if let Some(response) = self.call_run(call.clone()).await {
            return Some(response);
        }
        let _turn = starter.turn().await;
        // Another call may have started a run meanwhile.
        if let Some(response) = self.call_run(call.clone()).await {
            return Some(response);
        }
        starter.start().await;
        self.call_run(call).await
    }

    async fn call_run(&self, call: ApiCall) -> Option<CallResponse> {
        let mut place = self.emulators.subscribe();
        let found = timeout(LONGEST_WAIT, place.wait_for(|all| !all.is_empty())).await;
        let all = found.ok()?.ok()?.clone();
        if all.len() > 1 {
            for SlottedEmulator { emulator, number } in &all {
                if let Some(response) = emulator.call_if_known(call.clone()).await {
                    return Some(self.share_subscription(response, *number));
                }
            }
        }
        for SlottedEmulator { emulator, number } in all {
            // One whose run has ended meanwhile handles nothing.
            if let Some(response) = emulator.call(call.clone()).await {
                return Some(self.share_subscription(response, number));
            }
        }
        None
    }

    /// Returns how web pages may call the API, as soon as there is an account.
    pub async fn cors(&self) -> Option<CorsRule> {
        let mut place = self.emulators.subscribe();
        let found = timeout(LONGEST_WAIT, place.wait_for(|all| !all.is_empty())).await;
        let all = found.ok()?.ok()?;
        all.first()?.emulator.account().platform.api.cors
    }

    /// Returns whether a call has subscribed a URL.
    pub fn is_subscribed(&self) -> bool {
        has_enabled(&self.subscriptions.borrow())
    }

    /// Waits until a call has subscribed a URL.
    pub async fn subscribed(&self) {
        // Fails only if the place is gone.
        let _ = self.subscriptions.subscribe().wait_for(|all| has_enabled(all)).await;
    }

    /// Subscribes the URL of a call at the other runs too.
    fn share_subscription(&self, mut response: CallResponse, from: u64) -> CallResponse {
        if let Some(change) = response.subscription.take() {
            self.share(&change, from);
        }
        response
    }

    fn share(&self, change: &SubscriptionChange, from: u64) {
        if change.is_empty() {
            return;
        }
        self.subscriptions.send_modify(|all| {
            // Before the runs that wait for a subscription are notified.
            for other in self.emulators.borrow().iter().filter(|other| other.number != from) {
                other.emulator.subscribe(Box::new(change.clone()));
            }
            all.retain(|old| !change.replaces(old));
            all.extend(change.new.iter().cloned());
        });
    }
}

fn has_enabled(all: &[NewSubscription]) -> bool {
    all.iter().any(|one| one.enabled)
}
