//! What surrounds a run: where its records are kept, what an earlier life of it knew, and who may
//! end it before its end.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::journal::Writer;
use crate::record::{Entry, Known, Record};

/// Where a run's records are kept, and what is known of it.
#[derive(Clone, Debug, Default)]
pub struct Keeping {
    /// Writes its records down; without it they are kept nowhere.
    pub writer: Option<Writer>,
    /// The run of the journal that it goes on from.
    pub resumes: Option<i64>,
    /// What is known of that one's attempts.
    pub known: Arc<Known>,
    /// Turns true when somebody wants the run to end before its end.
    pub stop: Option<watch::Receiver<bool>>,
}

impl Keeping {
    /// Keeps a record where records are kept, and hands it on.
    pub(super) async fn pass(&self, entry: Entry, sink: &mpsc::Sender<Record>) {
        match &self.writer {
            Some(writer) => writer.append(entry, sink).await,
            None => drop(sink.send(entry.keep()).await),
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
