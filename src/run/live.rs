//! A run at a live emulator. Other runs share the emulator, and conversations outlive the script.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use super::dry_run::controls;
use super::identity::first_record;
use super::limits::LimitCounter;
use super::pump::{Observer, RunEnd, pump};
use super::{RunPlan, StopSignal, probe};
use crate::delivery::Transport;
use crate::emulator::{Emulator, ScriptedRun, shake};
use crate::record::{RecordKind, RecordLog, RecordScope, RunFinished};

/// Where a run is played.
pub struct LiveStage {
    /// The emulator. It has the endpoints of the plan, numbered from 1 in the order of their addition.
    pub emulator: Emulator,
    /// Called when the script can begin. The run is paused until somebody resumes it.
    pub ready: Box<dyn FnOnce() + Send>,
}

impl fmt::Debug for LiveStage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LiveStage")
            .field("emulator", &self.emulator)
            .finish_non_exhaustive()
    }
}

/// Plays a run to the end of its script, and returns its final record. Conversations stay, and the log
/// stays open for what happens in them later.
pub async fn run_live<T: Transport>(
    plan: RunPlan,
    stage: LiveStage,
    transport: Arc<T>,
    log: RecordLog,
) -> RunFinished {
    log.redact(plan.redactor());
    let observer = Observer::of(&plan);
    let limits = LimitCounter::new(plan.limits.clone());
    let (halt, halted) = watch::channel(false);
    let playing = play_live(plan, stage, transport, log.clone(), StopSignal::new(halted));
    pump(log, playing, observer, limits, halt).await
}

async fn play_live<T: Transport>(
    plan: RunPlan,
    stage: LiveStage,
    transport: Arc<T>,
    log: RecordLog,
    halted: StopSignal,
) -> RunEnd {
    let LiveStage { emulator, ready } = stage;
    let scope = RecordScope { at: plan.start, conversation: None, step: None };
    log.append(scope, RecordKind::RunStarted(first_record(&plan))).await;
    tokio::select! {
        () = subscribe(&plan, &emulator, &*transport, &log) => {}
        () = plan.stop.given() => return RunEnd::Stopped,
        () = halted.given() => return RunEnd::Halted,
    }
    let controls = controls(&plan).into_iter().map(|index| emulator_index(&plan, index));
    let scripted = plan.scripted(log, controls.collect::<BTreeSet<_>>());
    let scripted = ScriptedRun { keeps_conversations: true, is_paused: true, ..scripted };
    let ended = emulator.play(scripted);
    ready();
    let end = tokio::select! {
        ended = ended => return if ended.is_ok() { RunEnd::Played } else { RunEnd::Lost },
        () = plan.stop.given() => RunEnd::Stopped,
        () = halted.given() => RunEnd::Halted,
    };
    emulator.cancel(plan.number);
    end
}

/// Performs the handshake with each endpoint. One that refuses gets no events from now on.
async fn subscribe<T: Transport>(
    plan: &RunPlan,
    emulator: &Emulator,
    transport: &T,
    log: &RecordLog,
) {
    for (index, endpoint) in plan.endpoints.iter().enumerate() {
        if shake(plan.handshake(endpoint, log), transport).await.continues {
            emulator.add_endpoint(endpoint.clone());
            probe::send_probes(plan, index, transport, log).await;
        } else {
            emulator.remove_endpoint(endpoint.number);
        }
    }
}

/// The index at the emulator of an endpoint of the plan. Endpoints that were removed keep theirs.
fn emulator_index(plan: &RunPlan, index: usize) -> usize {
    usize::try_from(plan.endpoints[index].number).unwrap_or(usize::MAX).saturating_sub(1)
}
