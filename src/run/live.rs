//! A run at a live emulator. Other runs share the emulator, and conversations outlive the script.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{oneshot, watch};

use super::dry_run::controls;
use super::identity::first_record;
use super::limits::LimitCounter;
use super::pump::{Observer, RunEnd, pump};
use super::{RunPlan, StopSignal, probe};
use crate::delivery::Transport;
use crate::emulator::{Emulator, RunFacts, RunRestore, ScriptedRun, shake};
use crate::record::{
    PriorAttempts, PriorResults, Record, RecordKind, RecordLog, RecordScope, RunFinished, RunServed,
};

/// Where a run is played.
pub struct LiveStage {
    /// The emulator. It has the endpoints of the plan, numbered from 1 in the order of their addition.
    pub emulator: Emulator,
    /// Called when the script can begin. The run is paused until somebody resumes it.
    pub ready: Box<dyn FnOnce() + Send>,
    /// What a server records first; `None` for a run that was cut off before its script began.
    pub beginning: Option<ServedBeginning>,
    /// Whether the run can be restored after a restart.
    pub is_resumable: bool,
}

/// What a server records at the beginning of a run.
#[derive(Debug)]
pub struct ServedBeginning {
    /// How it plays the run, if there is a journal.
    pub served: Option<RunServed>,
    /// Notified when the run and how it is played have been recorded.
    pub recorded: oneshot::Sender<()>,
}

impl ServedBeginning {
    pub(super) async fn record(self, scope: RecordScope, log: &RecordLog) {
        if let Some(served) = self.served {
            log.append(scope, RecordKind::RunServed(Box::new(served))).await;
        }
        let _ = self.recorded.send(());
    }
}

/// What the records of a run say, for its restoration.
pub struct PriorRecords {
    facts: RunFacts,
    observer: Observer,
    prior: PriorAttempts,
}

impl fmt::Debug for LiveStage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LiveStage")
            .field("emulator", &self.emulator)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PriorRecords {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PriorRecords").finish_non_exhaustive()
    }
}

impl PriorRecords {
    /// Records of the run of this plan, none so far. `results` reads those that are needed again.
    pub fn new(plan: &RunPlan, results: Arc<dyn PriorResults>) -> Self {
        Self {
            facts: RunFacts::new(plan.script.awaits_deliveries, plan.known_secrets()),
            observer: Observer::of(plan),
            prior: PriorAttempts::stored_in(results),
        }
    }

    /// Adds a record. Records must come in order.
    pub fn add(&mut self, run: i64, record: &Record) {
        self.facts.add(record);
        self.observer.observe_again(record);
        self.prior.add(run, record);
    }

    /// Returns whether the script has begun.
    pub fn have_begun(&self) -> bool {
        self.facts.have_begun()
    }

    /// Returns the attempts that are not made again.
    pub fn attempts(self) -> Arc<PriorAttempts> {
        Arc::new(self.prior)
    }

    /// Returns the run time of the latest record.
    pub fn until(&self) -> Option<Timestamp> {
        self.facts.until()
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

/// A run that was restored. Its script continues, unless it has ended before.
pub struct RestoredRun {
    plan: RunPlan,
    emulator: Emulator,
    observer: Observer,
    ended: oneshot::Receiver<()>,
    log: RecordLog,
}

impl fmt::Debug for RestoredRun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RestoredRun").finish_non_exhaustive()
    }
}

/// Restores a run whose script has begun. It is paused until somebody resumes it.
///
/// # Errors
///
/// Fails with the reason if the run would not be the same.
pub async fn restore_live(
    plan: RunPlan,
    emulator: Emulator,
    prior: PriorRecords,
    log: RecordLog,
) -> Result<RestoredRun, String> {
    log.redact(plan.redactor());
    let PriorRecords { facts, observer, mut prior } = prior;
    prior.forget(|delivery| facts.has_settled(delivery));
    let at = facts.until().unwrap_or(plan.start);
    let controls = emulator_controls(&plan);
    let scripted = live_script(&plan, &log, controls);
    let run = ScriptedRun { is_resumable: true, prior: Arc::new(prior), ..scripted };
    let ended = emulator.restore(RunRestore { run, at, facts }).await?;
    Ok(RestoredRun { plan, emulator, observer, ended, log })
}

impl RestoredRun {
    /// Plays the run to the end of its script, and returns its final record.
    pub async fn play(self) -> RunFinished {
        let Self { plan, emulator, observer, ended, log } = self;
        let (limits, (halt, halted)) =
            (LimitCounter::new(plan.limits.clone()), watch::channel(false));
        let playing =
            async move { until_ended(&plan, &emulator, ended, &StopSignal::new(halted)).await };
        pump(log, playing, observer, limits, halt).await
    }
}

async fn play_live<T: Transport>(
    plan: RunPlan,
    stage: LiveStage,
    transport: Arc<T>,
    log: RecordLog,
    halted: StopSignal,
) -> RunEnd {
    let LiveStage { emulator, ready, beginning, is_resumable } = stage;
    if let Some(beginning) = beginning {
        let scope = RecordScope { at: plan.start, conversation: None, step: None };
        log.append(scope, RecordKind::RunStarted(first_record(&plan))).await;
        beginning.record(scope, &log).await;
    }
    tokio::select! {
        () = subscribe(&plan, &emulator, &*transport, &log) => {}
        () = plan.stop.given() => return RunEnd::Stopped,
        () = plan.stop.suspended() => return RunEnd::Suspended,
        () = halted.given() => return RunEnd::Halted,
    }
    let scripted = live_script(&plan, &log, emulator_controls(&plan));
    let ended = emulator.play(ScriptedRun { is_resumable, ..scripted });
    ready();
    until_ended(&plan, &emulator, ended, &halted).await
}

fn live_script(plan: &RunPlan, log: &RecordLog, controls: BTreeSet<usize>) -> ScriptedRun {
    let scripted = plan.scripted(log.clone(), controls);
    ScriptedRun { keeps_conversations: true, is_paused: true, ..scripted }
}

async fn until_ended(
    plan: &RunPlan,
    emulator: &Emulator,
    ended: oneshot::Receiver<()>,
    halted: &StopSignal,
) -> RunEnd {
    let end = tokio::select! {
        biased;
        () = plan.stop.suspended() => return RunEnd::Suspended,
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

/// Endpoints, by their indexes at the emulator, to which the first conversation sends a control.
/// Endpoints that were removed keep their indexes.
fn emulator_controls(plan: &RunPlan) -> BTreeSet<usize> {
    let index = |index: usize| {
        usize::try_from(plan.endpoints[index].number).unwrap_or(usize::MAX).saturating_sub(1)
    };
    controls(plan).into_iter().map(index).collect()
}
