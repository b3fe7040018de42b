//! Redelivery: sends a delivery of the server once more.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::LiveServer;
use super::error::LiveError;
use super::history::RecordOrigin;
use super::past::unreadable;
use super::run::{RunSetup, ServedRun};
use super::vendor::ServedVendor;
use crate::base::clock::Clock;
use crate::base::secret::Secret;
use crate::delivery::ClockMode;
use crate::record::{Record, RecordKind, RunStarted};
use crate::run::{Redelivery, ServedBeginning, redeliver};

impl LiveServer {
    /// Sends a delivery once more, signed with the present time. This is a separate run.
    ///
    /// # Errors
    /// There is no such delivery, or nothing of it was sent.
    pub async fn redeliver(&self, id: &str) -> Result<Arc<ServedRun>, LiveError> {
        self.readiness()?;
        let unknown = || LiveError::unknown("delivery", id, &[]);
        let (run, delivery) = id.split_once('-').ok_or_else(unknown)?;
        let original = self.run(run.parse().map_err(|_| unknown())?).await;
        let original = original.map_err(|error| match error {
            LiveError::Unknown { .. } => unknown(),
            other => other,
        })?;
        let vendor = self.vendor(&original.vendor)?;
        let records = self.records_of(original.number)?;
        let started = records.iter().find_map(|record| match &record.kind {
            RecordKind::RunStarted(started) => Some(started.clone()),
            _ => None,
        });
        let restored = started
            .and_then(|started| redelivery(vendor, &original, started).request(delivery, &records));
        let request = restored.ok_or_else(|| {
            let message =
                format!("delivery `{id}` cannot be sent again: no request of it is known");
            LiveError::conflict(message, "only deliveries that were sent can be sent again")
        })?;
        let original_id = original.redelivery_of.clone().unwrap_or_else(|| id.into());
        let number = self.runs.next_number();
        let log = self.log(number, origin(&original, &original_id)).await;
        let run = Arc::new(ServedRun::new(RunSetup {
            number,
            vendor: Arc::clone(&original.vendor),
            source: Arc::clone(&original.source),
            script: original.script.clone(),
            conversations: 1,
            redelivery_of: Some(original_id),
            started_at: Clock::System.now(),
            emulator: vendor.emulator.clone(),
            log: log.clone(),
            clock: ClockMode::Virtual,
            is_paused: false,
        }));
        run.begin();
        self.keep(&run);
        let (recorded, is_recorded) = oneshot::channel();
        let served = self.journal.is_some().then(|| run.served(Vec::new()));
        let request = request.served(ServedBeginning { served, recorded });
        let (transport, history) = (Arc::clone(&vendor.transport), Arc::clone(&self.history));
        let (sending, sent) = (Arc::clone(&run), log.clone());
        self.runtime.spawn(async move {
            sending.finish(redeliver(request, transport, sent).await);
            history.touch();
        });
        let _ = is_recorded.await;
        if !log.flushed().committed().await {
            return Err(self.not_stored());
        }
        Ok(run)
    }

    /// Returns the stored records of a run, or those in memory.
    fn records_of(&self, run: u32) -> Result<Vec<Record>, LiveError> {
        let Some(journal) = &self.journal else { return Ok(self.history.records_of(run)) };
        let stored = journal.read().numbered_of(i64::from(run));
        let stored = stored.map_err(|error| unreadable(&error))?;
        Ok(stored.into_iter().map(|numbered| numbered.record).collect())
    }
}

/// Where the records of a redelivery belong.
fn origin(original: &ServedRun, delivery: &Arc<str>) -> RecordOrigin {
    RecordOrigin {
        vendor: Arc::clone(&original.vendor),
        run: conversation_run(original),
        redelivery_of: Some(Arc::clone(delivery)),
    }
}

/// The run whose conversations the deliveries of a run belong to.
fn conversation_run(run: &ServedRun) -> u32 {
    let original = run.redelivery_of.as_deref().and_then(|id| id.split_once('-'));
    original.and_then(|(run, _)| run.parse().ok()).unwrap_or(run.number)
}

fn redelivery(vendor: &ServedVendor, run: &ServedRun, started: RunStarted) -> Redelivery {
    let plans = vendor.endpoints().into_iter().map(|endpoint| endpoint.plan);
    let (mut headers, mut urls): (Vec<(String, Secret)>, Vec<_>) = (Vec::new(), Vec::new());
    for plan in plans {
        headers.extend(plan.headers);
        urls.push(plan.url);
    }
    Redelivery {
        run: i64::from(run.number),
        started,
        account: Arc::clone(&vendor.account),
        headers,
        urls,
        fresh: Some(Clock::System.now()),
        to: None,
    }
}
