//! A place where the listeners of an API find the live account, between runs too.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::Emulator;

/// How long a call waits for the next run.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A place for a live account. Clones share the place.
#[derive(Clone, Debug)]
pub struct EmulatorSlot(watch::Sender<Option<Emulator>>);

impl Default for EmulatorSlot {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl EmulatorSlot {
    /// Passes calls to this account from now on.
    pub fn set(&self, emulator: Emulator) {
        self.0.send_replace(Some(emulator));
    }

    /// Lets calls wait for the next account.
    pub fn clear(&self) {
        self.0.send_replace(None);
    }

    /// Returns the account, as soon as there is one; `None` after a time limit.
    pub async fn emulator(&self) -> Option<Emulator> {
        let mut place = self.0.subscribe();
        let found = timeout(LONGEST_WAIT, place.wait_for(Option::is_some)).await;
        found.ok()?.ok()?.clone()
    }
}
