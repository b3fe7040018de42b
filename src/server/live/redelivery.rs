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
use crate::delivery::ClockMode;
use crate::diag::{Problem, Problems, code};
use crate::fault::{FaultGroup, FaultKind, Faults};
use crate::platform::{Account, FaultInjector};
use crate::record::{Record, RecordKind, RunStarted};
use crate::run::{DeliveryChange, Redelivery, ServedBeginning, redeliver};

impl LiveServer {
    /// Sends a delivery once more, signed with the present time. This is a separate run.
    ///
    /// # Errors
    /// There is no such delivery, nothing of it was sent, or it cannot have these faults.
    pub async fn redeliver(
        &self,
        id: &str,
        change: DeliveryChange,
    ) -> Result<Arc<ServedRun>, LiveError> {
        let _beginning = self.resetting.read().await;
        self.readiness()?;
        let unknown = || LiveError::unknown("delivery", id, &[]);
        let (run, delivery) = id.split_once('-').ok_or_else(unknown)?;
        let original = self.run(run.parse().map_err(|_| unknown())?).await;
        let original = original.map_err(|error| match error {
            LiveError::Unknown { .. } => unknown(),
            other => other,
        })?;
        let vendor = self.vendor(&original.vendor)?;
        check_faults(vendor, &change)?;
        let records = self.records_of(original.number)?;
        let started = records.iter().find_map(|record| match &record.kind {
            RecordKind::RunStarted(started) => Some(started.clone()),
            _ => None,
        });
        let restored = started
            .map(|started| Redelivery { change, ..redelivery(vendor, &original, started) })
            .and_then(|redelivery| redelivery.request(delivery, &records));
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

/// Returns whether a single delivery of a vendor can have a fault of this kind.
pub(super) fn can_redeliver_with(account: &Account, kind: FaultKind) -> bool {
    let is_alone = [FaultGroup::Token, FaultGroup::Body, FaultGroup::Wire].contains(&kind.group());
    is_alone && FaultInjector::of(account).unsupported(kind).is_none()
}

/// Checks that a delivery of a vendor can have these faults.
fn check_faults(vendor: &ServedVendor, change: &DeliveryChange) -> Result<(), LiveError> {
    let mut problems = Problems::new();
    for fault in change.faults.iter().flat_map(|faults| &faults.0) {
        if !can_redeliver_with(&vendor.account(), fault.kind) {
            let message =
                format!("a redelivery at {} cannot have the fault `{fault}`", vendor.id());
            let problem = Problem::anywhere(code::VENDOR_CANNOT, message);
            problems
                .push(problem.help("`GET /api/v1/vendors/VENDOR` lists those that it can have"));
        }
    }
    change.faults.iter().for_each(|faults| problems.extend(check_groups(faults)));
    problems.into_result(Some(())).map_err(LiveError::from)
}

/// Checks that a delivery can have these faults together.
pub(super) fn check_groups(faults: &Faults) -> Problems {
    let mut problems = Problems::new();
    for (index, fault) in faults.0.iter().enumerate() {
        let group = fault.kind.group();
        let is_second = faults.0.iter().take(index).any(|other| other.kind.group() == group);
        if is_second && group != FaultGroup::Body {
            let message = format!("`{fault}` is the second fault of the group `{group}`");
            let problem = Problem::anywhere(code::INVALID_ORDER, message);
            problems
                .push(problem.help("a delivery has at most one fault of each group but `body`"));
        }
    }
    problems
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
    let endpoints = vendor.endpoints().into_iter().map(|endpoint| endpoint.plan).collect();
    Redelivery {
        run: i64::from(run.number),
        started,
        account: vendor.account(),
        endpoints,
        fresh: Some(Clock::System.now()),
        to: None,
        options: Arc::default(),
        change: DeliveryChange::default(),
    }
}
