//! A run of the server: its script, its clock and how it ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::conversation::Conversation;
use crate::delivery::{ClockMode, ConversationKey};
use crate::diag::Source;
use crate::emulator::{ConversationOverview, Emulator};
use crate::fault::Faults;
use crate::record::{
    RecordKind, RecordLog, RecordScope, RunFinished, RunServed, RunSteered, SteerCommand,
};
use crate::scenario::LiveScript;

crate::string_enum! {
    /// Phase of a run.
    pub enum RunPhase {
        /// Endpoints are tested before the script begins.
        Starting = "starting",
        /// Run time passes.
        Running = "running",
        /// Run time stands still.
        Paused = "paused",
        /// The script has ended. Others can still act in its conversations.
        Finished = "finished",
        /// It was cancelled.
        Cancelled = "cancelled",
        /// It could not be continued after a restart of the server.
        Interrupted = "interrupted",
    }
}

/// A run of the server.
pub struct ServedRun {
    /// Its number, from 1.
    pub number: u32,
    /// Id of the vendor.
    pub vendor: Arc<str>,
    /// Its scenario, as it was when the run started.
    pub source: Arc<Source>,
    /// The script with its account and seed.
    pub script: LiveScript,
    /// Number of conversations.
    pub conversations: u32,
    /// The delivery that it sends again, if it is a redelivery.
    pub redelivery_of: Option<Arc<str>>,
    /// Wall time of its start.
    pub started_at: Timestamp,
    pub(super) emulator: Emulator,
    pub(super) stop: watch::Sender<bool>,
    /// Ends the run so that another process can continue it.
    pub(super) suspend: watch::Sender<bool>,
    /// Its records.
    pub(super) log: RecordLog,
    progress: Mutex<RunProgress>,
    ended: watch::Sender<bool>,
    /// Set when the script has begun, after the handshakes.
    begun: watch::Sender<bool>,
    kept: Mutex<Vec<KeptConversation>>,
}

/// A conversation as it was when its run was cancelled.
#[derive(Clone, Debug)]
pub(super) struct KeptConversation {
    pub(super) overview: ConversationOverview,
    pub(super) state: Box<Conversation>,
}

/// What a run needs to start.
pub(super) struct RunSetup {
    pub(super) number: u32,
    pub(super) vendor: Arc<str>,
    pub(super) source: Arc<Source>,
    pub(super) script: LiveScript,
    pub(super) conversations: u32,
    pub(super) redelivery_of: Option<Arc<str>>,
    pub(super) started_at: Timestamp,
    pub(super) emulator: Emulator,
    pub(super) log: RecordLog,
    pub(super) clock: ClockMode,
    pub(super) is_paused: bool,
}

struct RunProgress {
    clock: ClockMode,
    is_paused: bool,
    /// Whether the script has begun.
    has_begun: bool,
    /// The faults that somebody has turned on.
    faults: Faults,
    is_cancelled: bool,
    finished: Option<RunFinished>,
}

impl ServedRun {
    pub(super) fn new(setup: RunSetup) -> Self {
        let RunSetup { number, vendor, source, script, conversations, .. } = setup;
        Self {
            number,
            vendor,
            source,
            script,
            conversations,
            redelivery_of: setup.redelivery_of,
            started_at: setup.started_at,
            emulator: setup.emulator,
            stop: watch::Sender::default(),
            suspend: watch::Sender::default(),
            log: setup.log,
            progress: Mutex::new(RunProgress {
                clock: setup.clock,
                is_paused: setup.is_paused,
                has_begun: false,
                faults: Faults::default(),
                is_cancelled: false,
                finished: None,
            }),
            ended: watch::Sender::default(),
            begun: watch::Sender::default(),
            kept: Mutex::default(),
        }
    }

    /// Its phase.
    pub fn phase(&self) -> RunPhase {
        let progress = self.progress();
        match *progress {
            RunProgress { is_cancelled: true, .. } => RunPhase::Cancelled,
            RunProgress { finished: Some(_), .. } => RunPhase::Finished,
            RunProgress { is_paused: true, .. } => RunPhase::Paused,
            RunProgress { has_begun: false, .. } => RunPhase::Starting,
            _ => RunPhase::Running,
        }
    }

    /// How run time passes.
    pub fn clock(&self) -> ClockMode {
        self.progress().clock
    }

    /// The faults that somebody has turned on.
    pub fn faults(&self) -> Faults {
        self.progress().faults.clone()
    }

    /// Notes the faults that somebody has turned on.
    pub(super) fn note_faults(&self, faults: Faults) {
        self.progress().faults = faults;
    }

    /// Its result, once the script has ended.
    pub fn finished(&self) -> Option<RunFinished> {
        self.progress().finished.clone()
    }

    /// Waits until the script has ended.
    pub async fn ended(&self) {
        // The sender lives as long as the run.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Whether the script has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.progress().has_begun
    }

    /// Waits until the script has begun or will not begin any more.
    pub(super) async fn begun(&self) {
        let mut begun = self.begun.subscribe();
        tokio::select! {
            _ = begun.wait_for(|begun| *begun) => {}
            () = self.ended() => {}
        }
    }

    /// The script can begin. Unless somebody paused the run meanwhile, run time passes from now on.
    pub(super) fn begin(&self) {
        let mut progress = self.progress();
        progress.has_begun = true;
        if !progress.is_paused {
            self.emulator.resume(self.number);
        }
        self.begun.send_replace(true);
    }

    /// What a journal needs to restore it. `endpoints` are those at its start.
    pub(super) fn served(&self, endpoints: Vec<u32>) -> RunServed {
        let progress = self.progress();
        RunServed {
            name: self.source.name.clone(),
            source: self.source.text.to_string(),
            steps: self.script.script.steps.len(),
            speed: match progress.clock {
                ClockMode::Real(speed) => Some(speed),
                ClockMode::Virtual => None,
            },
            paused: progress.is_paused,
            endpoints,
            redelivery_of: self.redelivery_of.as_deref().map(str::to_owned),
        }
    }

    /// Records a change of its clock. Returns whether the record is stored.
    pub(super) async fn record_steering(&self, command: SteerCommand, speed: Option<f64>) -> bool {
        let at = self
            .emulator
            .now(ConversationKey { run: self.number, number: 1 })
            .await
            .unwrap_or(self.script.start);
        let scope = RecordScope { at, conversation: None, step: None };
        let steered = RecordKind::RunSteered(RunSteered { command, speed, faults: None });
        self.log.append_intent(scope, steered).await.committed().await
    }

    /// Waits until everything that was asked of it is stored. Returns `false` if the journal failed.
    pub(super) async fn is_stored(&self) -> bool {
        self.emulator.sync().await;
        self.log.flushed().committed().await
    }

    pub(super) fn pause(&self) {
        let mut progress = self.progress();
        progress.is_paused = true;
        self.emulator.pause(self.number);
    }

    pub(super) fn resume(&self) {
        let mut progress = self.progress();
        progress.is_paused = false;
        if progress.has_begun {
            self.emulator.resume(self.number);
        }
    }

    pub(super) fn step(&self) {
        self.pause();
        self.emulator.step(self.number);
    }

    pub(super) fn set_speed(&self, speed: f64) {
        self.progress().clock = ClockMode::Real(speed);
        self.emulator.set_speed(self.number, speed);
    }

    /// Ends the script. `kept` are its conversations at this moment.
    pub(super) fn cancel(&self, kept: Vec<KeptConversation>) {
        let mut progress = self.progress();
        progress.is_cancelled = true;
        *self.kept() = kept;
        let _ = self.stop.send(true);
    }

    /// It was cancelled before a restart.
    pub(super) fn mark_cancelled(&self) {
        self.progress().is_cancelled = true;
        self.ended.send_replace(true);
    }

    pub(super) fn finish(&self, finished: RunFinished) {
        self.progress().finished = Some(finished);
        // `send` changes nothing while nobody waits.
        self.ended.send_replace(true);
    }

    /// Logs how the script has ended.
    pub(super) fn log_end(&self, finished: &RunFinished) {
        let RunFinished { verdict, deliveries, passed, .. } = finished;
        let (run, vendor, verdict) = (self.number, &*self.vendor, verdict.as_str());
        tracing::info!(run, vendor, verdict, deliveries, passed, "run ended");
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.progress().is_cancelled
    }

    pub(super) fn is_over(&self) -> bool {
        let progress = self.progress();
        progress.is_cancelled || progress.finished.is_some()
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Vec<KeptConversation>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> MutexGuard<'_, RunProgress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
