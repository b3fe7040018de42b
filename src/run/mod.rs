//! A run: one scenario at one vendor, played in one or more conversations, judged by its records.
//!
//! A run never prints. Everything that happens is a record, and the verdict follows from the records.

mod auth_hints;
mod chaos;
mod dry_run;
mod failure_signal;
mod identity;
mod limits;
mod live;
mod patch_check;
mod plan;
mod probe;
mod pump;
mod redelivery;
mod resume;

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::timeout;

use self::limits::LimitCounter;
use self::pump::{Observer, RunEnd, pump};
use self::resume::InterruptedRun;
use crate::base::clock::Clock;
use crate::base::limits::DRAIN_TIMEOUT;
use crate::delivery::Transport;
use crate::emulator::{Emulator, ScriptedRun, shake};
use crate::record::{RecordKind, RecordLog, RecordScope, RunFinished, RunStarted};

pub use crate::emulator::EndpointPlan;
pub use crate::record::VerdictBuilder;
pub use chaos::{schedule, smallest};
use dry_run::controls;
pub use dry_run::{DryRunItem, DryRunRequest, dry_run};
pub use failure_signal::FailureSignal;
use identity::first_record;
pub use identity::identify;
pub use limits::RunLimits;
pub use live::{LiveStage, PriorRecords, RestoredRun, ServedBeginning, restore_live, run_live};
pub use patch_check::check_patches;
pub use plan::{ApiAccess, ResumePoint, RunPlan, StopSignal};
pub use redelivery::{DeliveryChange, Redelivery, RedeliveryRequest, redeliver};

/// Plays a run to its end, and returns its final record. Records go to the log, which is closed
/// behind the last of them.
pub async fn run<T: Transport>(plan: RunPlan, transport: Arc<T>, log: RecordLog) -> RunFinished {
    log.redact(plan.redactor());
    let observer = Observer::of(&plan);
    let limits = LimitCounter::new(plan.limits.clone());
    let (halt, halted) = watch::channel(false);
    let playing = play(plan, transport, log.clone(), StopSignal::new(halted));
    let finished = pump(log.clone(), playing, observer, limits, halt).await;
    log.close();
    finished
}

/// Performs the handshake and plays every conversation. Ends when every delivery has settled, or
/// after a stop signal, when the attempts that were under way have ended.
async fn play<T: Transport>(
    plan: RunPlan,
    transport: Arc<T>,
    log: RecordLog,
    halted: StopSignal,
) -> RunEnd {
    let scope = RecordScope { at: plan.start, conversation: None, step: None };
    let resumes = plan.resume.as_ref().map(|resume| resume.run);
    log.append(scope, RecordKind::RunStarted(RunStarted { resumes, ..first_record(&plan) })).await;
    // Before the handshakes: a run whose endpoints all refuse must not wait for a subscription.
    let is_configured = !plan.endpoints.is_empty();
    let interrupted = InterruptedRun::of(&plan);
    let plan = if let Some(interrupted) = &interrupted {
        interrupted.copy_records(&log).await;
        interrupted.with_consenting_endpoints(plan)
    } else {
        // A handshake may take its whole timeout. An interruption must not wait for that.
        tokio::select! {
            plan = with_consenting_endpoints(plan.clone(), &*transport, &log) => plan,
            () = plan.stop.given() => return RunEnd::Stopped,
            () = halted.given() => return RunEnd::Halted,
        }
    };
    if plan.endpoints.is_empty() && plan.api.is_none() {
        return RunEnd::Played;
    }
    let (account, slots) = (Arc::clone(&plan.account), plan.slots.clone());
    let emulator = Emulator::start(account, plan.endpoints.clone(), transport, slots);
    if let Some(memory) = &plan.memory
        && let Err(error) = emulator.remember(memory.clone(), Clock::System.now())
    {
        return RunEnd::NotRestored(error.to_string());
    }
    // Paused until the subscriptions of earlier calls are there.
    let is_paused = plan.api.is_some();
    let scripted = ScriptedRun { is_paused, ..plan.scripted(log, controls(&plan)) };
    let is_resumed = interrupted.is_some();
    let ended = match interrupted {
        Some(interrupted) => match interrupted.restore(scripted, &emulator).await {
            Ok(ended) => ended,
            Err(reason) => return RunEnd::NotRestored(reason),
        },
        None => emulator.play(scripted),
    };
    let is_subscribed = !emulator.subscribed().await.is_empty();
    let _listening = match &plan.api {
        Some(api) => Some(api.listen(&emulator, is_resumed).await),
        None => None,
    };
    let played = async {
        if let Some(api) = &plan.api {
            let needs_call = !is_configured && !is_subscribed;
            let limit = plan.limits.subscribed_within.filter(|_| needs_call);
            if let Some(limit) = limit
                && timeout(limit, api.slot.subscribed()).await.is_err()
            {
                return RunEnd::NotSubscribed(limit);
            }
            emulator.resume(plan.number);
        }
        // An emulator that ends before its run has panicked.
        if ended.await.is_ok() { RunEnd::Played } else { RunEnd::Lost }
    };
    let end = tokio::select! {
        end = played => end,
        () = plan.stop.given() => RunEnd::Stopped,
        () = halted.given() => RunEnd::Halted,
    };
    if matches!(end, RunEnd::Played | RunEnd::Lost) {
        return end;
    }
    // Attempts in flight may end, so that their results are recorded.
    let _ = timeout(DRAIN_TIMEOUT, emulator.stop()).await;
    end
}

/// Performs the handshake with each endpoint, and removes those to which no event is sent. Probes the
/// others.
async fn with_consenting_endpoints<T: Transport>(
    mut plan: RunPlan,
    transport: &T,
    log: &RecordLog,
) -> RunPlan {
    let mut endpoints = Vec::new();
    for (index, endpoint) in plan.endpoints.iter().enumerate() {
        if shake(plan.handshake(endpoint, log), transport).await.continues {
            probe::send_probes(&plan, index, transport, log).await;
            endpoints.push(endpoint.clone());
        }
    }
    plan.endpoints = endpoints;
    plan
}
