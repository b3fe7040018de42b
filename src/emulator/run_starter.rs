//! Starts runs for calls that need one.

use std::fmt;

use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, MutexGuard};

/// Starts a run for a call that needs one.
pub struct RunStarter {
    start: Box<StartFunction>,
    /// Held by the call for which a run is started.
    turn: Mutex<()>,
}

type StartFunction = dyn Fn() -> BoxFuture<'static, ()> + Send + Sync;

impl RunStarter {
    /// Creates a starter. The future is ready when the run has begun, or cannot begin.
    pub fn new(start: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self { start: Box::new(start), turn: Mutex::new(()) }
    }

    /// Waits until no other call has its turn.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Starts a run.
    pub(super) async fn start(&self) {
        (self.start)().await;
    }
}

impl fmt::Debug for RunStarter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RunStarter").finish_non_exhaustive()
    }
}
