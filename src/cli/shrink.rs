//! `run --chaos … --shrink FILE`: finds the fewest faults that still make a run fail.

use std::path::Path;
use std::sync::Arc;

use super::exit::CommandError;
use super::init::write_new;
use super::terminal::note;
use crate::base::clock::Clock;
use crate::base::text::{count, escape};
use crate::delivery::{Connector, Http1Client};
use crate::fault::{Chaos, PlannedFault};
use crate::record::{RecordLog, RunFinished, Verdict};
use crate::run::{self, RunPlan, smallest};

/// Repeats a failed run with fewer and fewer faults, and writes the smallest failing set to `file`
/// as a scenario. Returns false if it was interrupted.
pub(super) async fn shrink(
    plan: &RunPlan,
    file: &Path,
    connector: &Connector,
) -> Result<bool, CommandError> {
    let Some(chaos) = &plan.script.chaos else { return Ok(true) };
    let with = |schedule: &[PlannedFault]| {
        let chaos = Chaos { profile: chaos.profile, schedule: schedule.to_vec() };
        RunPlan { script: Arc::new(plan.script.with_chaos(chaos)), ..plan.clone() }
    };
    let (mut runs, mut interrupted) = (0, false);
    let fails = async |schedule: &[PlannedFault]| {
        if interrupted {
            return false; // the rest of the search executes no runs
        }
        runs += 1;
        let verdict = replay(with(schedule), connector).await.verdict;
        interrupted = verdict == Verdict::Interrupted;
        verdict == Verdict::Failed
    };
    let remaining = smallest(&chaos.schedule, fails).await;
    if interrupted {
        return Ok(false);
    }
    let script = with(&remaining).script;
    let faults = script.chaos.as_ref().map(ToString::to_string).unwrap_or_default();
    let (vendor, profile, seed) = (plan.account.platform.full_id(), chaos.profile, plan.seed);
    let many = match plan.conversations() {
        1 => String::new(),
        many => format!(" --conversations {many}"),
    };
    let rerun = format!(
        "standin run {} --vendor {vendor} --seed {seed}{many}",
        escape(&file.display().to_string())
    );
    let about = format!(
        "# Fewest faults of `--chaos {profile}` that still fail at {vendor}: {faults}.\n\
         # Run it with: {rerun} --to URL, and the other flags of the original command\n\n"
    );
    write_new(file, &script.to_toml(&about))?;
    let (before, runs) =
        (count(chaos.schedule.len(), "fault", "faults"), count(runs, "run", "runs"));
    note(format_args!("reduced {before} to {} in {runs}: {faults}", remaining.len()));
    let to: Vec<String> = plan.endpoints.iter().map(|to| format!(" --to {}", to.url)).collect();
    note(format_args!("rerun: {rerun}{}", to.concat()));
    Ok(true)
}

/// Executes a plan without reporting it.
async fn replay(plan: RunPlan, connector: &Connector) -> RunFinished {
    let wire = plan.account.platform.wire.clone();
    let transport = Arc::new(Http1Client::new(connector.clone(), wire));
    run::run(plan, transport, RecordLog::new(1, Clock::System)).await
}
