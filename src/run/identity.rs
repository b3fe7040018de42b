//! The identity of a run: its first record, by which a journal recognises it.

use sha2::{Digest as _, Sha256};

use super::dry_run::dry_run;
use super::plan::RunPlan;
use crate::delivery::ClockMode;
use crate::record::{RecordKind, RunStarted};

/// Returns the first record of a run as it is stored. It identifies the run: one with another record
/// is another run.
pub fn identify(plan: &RunPlan) -> RunStarted {
    let started = first_record(plan);
    match RecordKind::RunStarted(started.clone()).redacted(&plan.redactor()) {
        RecordKind::RunStarted(redacted) => redacted,
        _ => started,
    }
}

/// Returns the first record of a run, before redaction.
pub(super) fn first_record(plan: &RunPlan) -> RunStarted {
    let platform = &plan.account.platform;
    let single = RunPlan { conversations: 1, ..plan.clone() };
    let mut digest = Sha256::new();
    dry_run(&single).for_each(|item| digest.update(item.digest_text()));
    RunStarted {
        scenario: plan.script.name.clone(),
        file: plan.script.file.clone(),
        vendor: platform.full_id(),
        differs: platform.differs.clone(),
        verify: plan.script.verify.as_ref().map(ToString::to_string),
        seed: plan.seed,
        start: plan.start,
        clock: if plan.pace == ClockMode::Virtual { "virtual" } else { "real" }.to_owned(),
        conversations: plan.conversations,
        urls: plan.endpoints.iter().map(|endpoint| endpoint.url.to_string()).collect(),
        // Sixteen digits are enough to distinguish the runs of one journal.
        digest: hex::encode(&digest.finalize()[..8]),
        resumes: None,
        chaos: plan.script.chaos.clone(),
    }
}
