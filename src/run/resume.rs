//! Resumes a run in which the receiver has called the vendor's API.
//!
//! Such a run is not played from the beginning: the calls do not come again. Its records are copied, and
//! what they say is performed again, so that the run continues where they end.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::plan::{ResumePoint, RunPlan};
use crate::emulator::{Emulator, RunFacts, RunRestore, ScriptedRun};
use crate::record::{PriorAttempts, Record, RecordKind, RecordLog};

/// An interrupted run whose script had begun.
pub(super) struct InterruptedRun {
    facts: RunFacts,
    records: Arc<Vec<Record>>,
    prior: PriorAttempts,
}

impl InterruptedRun {
    /// Returns the run that a plan resumes, if it has received calls and its script had begun.
    pub(super) fn of(plan: &RunPlan) -> Option<Self> {
        let ResumePoint { prior, records, .. } = plan.resume.as_ref()?;
        let records = Arc::clone(records.as_ref()?);
        let mut facts = RunFacts::new(plan.script.awaits_deliveries, plan.known_secrets());
        records.iter().for_each(|record| facts.add(record));
        let mut prior = PriorAttempts::clone(prior);
        prior.forget(|delivery| facts.has_settled(delivery));
        facts.have_begun().then_some(Self { facts, records, prior })
    }

    /// Copies its records to the log, with their wall times: a report has the whole run.
    pub(super) async fn copy_records(&self, log: &RecordLog) {
        for record in &*self.records {
            if !matches!(record.kind, RecordKind::RunStarted(_) | RecordKind::RunFinished(_)) {
                log.append_existing(record).await;
            }
        }
    }

    /// Removes the endpoints that refused the handshake.
    pub(super) fn with_consenting_endpoints(&self, mut plan: RunPlan) -> RunPlan {
        let refused = self.records.iter().filter_map(|record| match &record.kind {
            RecordKind::HandshakeFinished { endpoint, continues: false, .. } => Some(*endpoint),
            _ => None,
        });
        let refused: BTreeSet<u32> = refused.collect();
        plan.endpoints.retain(|endpoint| !refused.contains(&endpoint.number));
        plan
    }

    /// Performs again what the records say. The run is paused until somebody resumes it.
    ///
    /// # Errors
    /// Fails with the reason if the run would not be the same.
    pub(super) async fn restore(
        self,
        run: ScriptedRun,
        emulator: &Emulator,
    ) -> Result<oneshot::Receiver<()>, String> {
        let Self { facts, prior, .. } = self;
        let at = facts.until().unwrap_or(run.start);
        let run = ScriptedRun { prior: Arc::new(prior), ..run };
        emulator.restore(RunRestore { run, at, facts }).await
    }
}
