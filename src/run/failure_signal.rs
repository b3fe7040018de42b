//! Ends runs from outside, as failed.

use tokio::sync::watch;

/// Tells a run that it has failed, with the reason.
#[derive(Clone, Debug, Default)]
pub struct FailureSignal(Option<watch::Receiver<Option<String>>>);

impl FailureSignal {
    /// A signal that is given when the channel gets a reason.
    pub fn new(channel: watch::Receiver<Option<String>>) -> Self {
        Self(Some(channel))
    }

    /// Waits for the signal. Without a channel, or if its sender is gone, it never comes.
    pub async fn given(&self) -> String {
        if let Some(mut channel) = self.0.clone()
            && let Ok(reason) = channel.wait_for(Option::is_some).await
            && let Some(reason) = &*reason
        {
            return reason.clone();
        }
        // Never resolves, so that a `select!` waits for its other branches only.
        std::future::pending().await
    }
}
