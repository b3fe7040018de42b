//! What surrounds a run: where its records are kept, what an earlier life of it knew, and who may
//! end it before its end.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::journal::JournalHandle;
use crate::record::{PendingRecord, PriorAttempts, Record};

/// Where a run's records are kept, and what is known of it.
#[derive(Clone, Debug, Default)]
pub struct RunContext {
    /// Writes its records down; without it they are kept nowhere.
    pub writer: Option<JournalHandle>,
    /// The run of the journal that it goes on from.
    pub resumes: Option<i64>,
    /// What is known of that one's attempts.
    pub known: Arc<PriorAttempts>,
    /// Turns true when somebody wants the run to end before its end.
    pub stop: Option<watch::Receiver<bool>>,
}

impl RunContext {
    /// Keeps a record where records are kept, and hands it on.
    pub(super) async fn pass(&self, entry: PendingRecord, sink: &mpsc::Sender<Record>) {
        match &self.writer {
            Some(writer) => writer.append(entry, sink).await,
            None => drop(sink.send(entry.commit()).await),
        }
    }

    /// Waits until somebody wants the run to end.
    pub(super) async fn stopped(&self) {
        if let Some(mut stop) = self.stop.clone()
            && stop.wait_for(|wanted| *wanted).await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
