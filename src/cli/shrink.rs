//! `run --chaos … --shrink FILE`: the smallest schedule with which a run still fails, as a scenario.

use std::path::Path;
use std::sync::Arc;

use super::init::write_new;
use super::{CommandError, note};
use crate::base::clock::Clock;
use crate::base::text::{count, escape};
use crate::delivery::{Connector, NetworkTransport};
use crate::fault::{Chaos, PlannedFault};
use crate::record::{RecordLog, RunFinished, Verdict};
use crate::run::{self, RunPlan, smallest};

/// Plays a run that has failed again and again, with ever fewer of its faults, and writes what is
/// left of it. Gives whether nobody interrupted.
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
            return false;
        }
        runs += 1;
        let verdict = replay(with(schedule), connector).await.verdict;
        interrupted = verdict == Verdict::Interrupted;
        verdict == Verdict::Failed
    };
    let left = smallest(&chaos.schedule, fails).await;
    if interrupted {
        return Ok(false);
    }
    let script = with(&left).script;
    let told = script.chaos.as_ref().map(ToString::to_string).unwrap_or_default();
    let (vendor, profile, seed) = (plan.account.platform.full_id(), chaos.profile, plan.seed);
    let many = match plan.conversations {
        1 => String::new(),
        many => format!(" --conversations {many}"),
    };
    let again = format!(
        "standin run {} --vendor {vendor} --seed {seed}{many}",
        escape(&file.display().to_string())
    );
    let about = format!(
        "# What is left of `--chaos {profile}` at {vendor} that still fails: {told}.\n# {again} --to URL, and the other flags as they were\n\n"
    );
    write_new(file, &script.written(&about))?;
    let (before, runs) =
        (count(chaos.schedule.len(), "fault", "faults"), count(runs, "run", "runs"));
    note(format_args!("shrunk {before} to {} in {runs}: {told}", left.len()));
    note(format_args!("again: {again} --to {}", plan.url));
    Ok(true)
}

/// Plays a plan without telling it.
async fn replay(plan: RunPlan, connector: &Connector) -> RunFinished {
    let wire = plan.account.platform.wire.as_deref();
    let transport = Arc::new(NetworkTransport::new(connector.clone(), wire));
    run::run(plan, transport, RecordLog::new(1, Clock::System)).await
}
