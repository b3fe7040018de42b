//! Checks before a run that every `patch` of a script changes something.

use std::sync::Arc;

use jiff::Timestamp;

use crate::base::seed::SeedScope;
use crate::diag::{Problem, Problems, code};
use crate::emulator::{StepOutcome, rehearse};
use crate::platform::{Account, Subscription};
use crate::scenario::{PatchMismatch, Script, SharedStaff};

/// Rehearses a script that changes bodies at each account whose vendor can play it. Reports the
/// pointers that match nothing.
pub fn check_patches(script: &Arc<Script>, accounts: &[Arc<Account>]) -> Problems {
    let mut problems = Problems::new();
    if !script.has_patches() {
        return problems;
    }
    // The same pointer can match nothing at several vendors. That is one problem.
    let mut missing: Vec<(PatchMismatch, Vec<String>)> = Vec::new();
    for account in accounts {
        let id = account.platform.full_id();
        if script.unsupported.contains_key(&id) {
            continue;
        }
        for mismatch in mismatches(script, account) {
            match missing.iter_mut().find(|(known, _)| known.span == mismatch.span) {
                Some((_, ids)) if ids.contains(&id) => {}
                Some((_, ids)) => ids.push(id.clone()),
                None => missing.push((mismatch, vec![id.clone()])),
            }
        }
    }
    for (PatchMismatch { pointer, span, nearest }, ids) in missing {
        let ids = ids.join(", ");
        let message = format!("no body of this step has `{pointer}` at {ids}");
        problems.push(Problem::at(&span, code::NO_SUCH_VALUE, message).help(nearest));
    }
    problems
}

/// Returns the pointers that match nothing at an account. The first conversation stands for all.
fn mismatches(script: &Arc<Script>, account: &Arc<Account>) -> Vec<PatchMismatch> {
    let (seeds, start) = (SeedScope::of_run(0), Timestamp::UNIX_EPOCH);
    let staff = SharedStaff::new(script, account, seeds, start);
    // To all types: what a receiver does not get cannot be a mistake in the file.
    let subscriptions = [Subscription::to("*")];
    let outputs = rehearse(script, account, &subscriptions, &staff, 1);
    let mismatch = |outcome| match outcome {
        StepOutcome::Dropped { mismatch, .. } => mismatch.map(|mismatch| *mismatch),
        StepOutcome::Done { .. } | StepOutcome::Skipped { .. } | StepOutcome::Expected(_) => None,
    };
    outputs.filter_map(|rehearsed| mismatch(rehearsed.output.outcome)).collect()
}
