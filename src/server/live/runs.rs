//! Runs of the server: starting, steering, acting in their conversations, sending again.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::LiveServer;
use super::error::LiveError;
use super::history::{History, RecordOrigin};
use super::past::unreadable;
use super::run::{KeptConversation, RunPhase, RunSetup, ServedRun};
use super::vendor::{ServedEndpoint, ServedVendor};
use crate::base::clock::Clock;
use crate::base::limits::{MAX_JUMP, MAX_KEPT_RUNS, MAX_LIVE_CONVERSATIONS, MAX_RESTORED_RUNS};
use crate::base::redact::Redactor;
use crate::config::StartTime;
use crate::delivery::{ClockMode, SPEEDS};
use crate::diag::{Problem, Source, code};
use crate::platform::FaultInjector;
use crate::record::{RecordLog, SteerCommand};
use crate::run::{LiveStage, RunLimits, RunPlan, ServedBeginning, StopSignal, run_live};
use crate::scenario::LiveScript;

/// A run to start.
#[derive(Clone, Debug)]
pub struct RunRequest {
    /// Id of the vendor.
    pub vendor: String,
    /// The scenario.
    pub source: Arc<Source>,
    /// Seed of the generated values; random if it is not set.
    pub seed: Option<u64>,
    /// How run time passes.
    pub clock: ClockMode,
    /// Number of conversations.
    pub conversations: u32,
    /// Whether it waits for a step or for being resumed.
    pub is_paused: bool,
}

/// Returns a random seed. It has 32 bits, so that people can type it and JavaScript can hold it.
fn random_seed() -> u64 {
    // The standard library seeds its hash maps from the system: enough to be different each time.
    RandomState::new().hash_one(()) >> 32
}

impl LiveServer {
    /// Starts a run. With a journal, it is stored when this returns.
    ///
    /// # Errors
    /// The scenario has problems or cannot run at the vendor, or the server cannot start runs now.
    pub async fn start_run(&self, request: &RunRequest) -> Result<Arc<ServedRun>, LiveError> {
        Self::check_request(request)?;
        self.start_checked(request).await
    }

    /// Starts a run with checked limits.
    pub(super) async fn start_checked(
        &self,
        request: &RunRequest,
    ) -> Result<Arc<ServedRun>, LiveError> {
        let _beginning = self.resetting.read().await;
        self.readiness()?;
        let vendor = self.vendor(&request.vendor)?;
        let script = self.script(&request.source, vendor)?;
        let now = Clock::System.now();
        let start = match script.start {
            Some(StartTime::At(start)) => start,
            Some(StartTime::Now) | None => now,
        };
        let number = self.runs.next_number();
        let seed = request.seed.or(script.seed).unwrap_or_else(random_seed);
        let account = vendor.account();
        let log = self.log(number, own_origin(vendor, number)).await;
        let run = Arc::new(ServedRun::new(RunSetup {
            number,
            vendor: vendor.id().into(),
            source: Arc::clone(&request.source),
            script: LiveScript { script: Arc::clone(&script), account, seed, start },
            conversations: request.conversations,
            redelivery_of: None,
            started_at: now,
            emulator: vendor.emulator.clone(),
            log: log.clone(),
            clock: request.clock,
            is_paused: request.is_paused,
        }));
        self.keep(&run);
        let plan = self.plan(vendor, &run, vendor.endpoints());
        let endpoints = plan.endpoints.iter().map(|endpoint| endpoint.number).collect();
        let (recorded, is_recorded) = oneshot::channel();
        let served = self.journal.is_some().then(|| run.served(endpoints));
        self.play(vendor, &run, plan, Some(ServedBeginning { served, recorded }));
        let _ = is_recorded.await;
        let scenario = &run.script.script.name;
        tracing::info!(run = number, vendor = vendor.id(), scenario, seed, "run started");
        if !log.flushed().committed().await {
            return Err(self.not_stored());
        }
        self.history.touch();
        Ok(run)
    }

    /// Plays a run from its beginning, in the background. Without `beginning`, the beginning has been
    /// recorded before.
    pub(super) fn play(
        &self,
        vendor: &ServedVendor,
        run: &Arc<ServedRun>,
        plan: RunPlan,
        beginning: Option<ServedBeginning>,
    ) {
        let (begin, history) = (Arc::clone(run), Arc::clone(&self.history));
        let ready = Box::new(move || {
            begin.begin();
            history.touch();
        });
        let stage = LiveStage {
            emulator: vendor.emulator.clone(),
            ready,
            beginning,
            is_resumable: self.journal.is_some(),
        };
        let (transport, history) = (Arc::clone(&vendor.transport), Arc::clone(&self.history));
        let playing = Arc::clone(run);
        self.runtime.spawn(async move {
            let log = playing.log.clone();
            let finished = run_live(plan, stage, transport, log).await;
            playing.log_end(&finished);
            playing.finish(finished);
            history.touch();
        });
    }

    fn check_request(request: &RunRequest) -> Result<(), LiveError> {
        let invalid = |message: String| Problem::anywhere(code::INVALID_TYPE, message).into();
        if let ClockMode::Real(speed) = request.clock
            && !SPEEDS.contains(&speed)
        {
            let (low, high) = (SPEEDS.start(), SPEEDS.end());
            return Err(invalid(format!("`speed` must be from {low} to {high}, found {speed}")));
        }
        if !(1..=MAX_LIVE_CONVERSATIONS).contains(&request.conversations) {
            return Err(invalid(format!(
                "`conversations` must be from 1 to {MAX_LIVE_CONVERSATIONS}, found {}",
                request.conversations
            )));
        }
        Ok(())
    }

    /// The plan of a run that is sent to these endpoints.
    pub(super) fn plan(
        &self,
        vendor: &ServedVendor,
        run: &ServedRun,
        endpoints: Vec<ServedEndpoint>,
    ) -> RunPlan {
        let LiveScript { script, account, seed, start } = run.script.clone();
        let own = script.subscribe.get(vendor.id()).cloned();
        let endpoints = endpoints.into_iter().map(|endpoint| {
            let mut plan = endpoint.plan;
            // An endpoint that asks for certain events gets these, whatever the scenario says.
            if let (None, Some(own)) = (&endpoint.events, &own) {
                plan.subscription = account.platform.subscription(Some(own.clone()));
            }
            plan
        });
        RunPlan {
            number: run.number,
            occurrence: 1,
            endpoints: endpoints.collect(),
            script,
            account,
            seed,
            start,
            pace: run.clock(),
            plays: run.conversations,
            files: Arc::clone(&self.files),
            resume: None,
            memory: None,
            stop: StopSignal::new(run.stop.subscribe()).or_suspend(run.suspend.subscribe()),
            limits: RunLimits::default(),
            slots: self.slots.clone(),
            api: None,
        }
    }

    /// Adds a run. If there are too many, drops the least recently used ones.
    pub(super) fn keep(&self, run: &Arc<ServedRun>) {
        let most = if self.journal.is_some() { MAX_RESTORED_RUNS } else { MAX_KEPT_RUNS };
        self.runs.add(run);
        let (runs, history) = (Arc::clone(&self.runs), Arc::clone(&self.history));
        let restoring = Arc::clone(&self.restoring);
        self.runtime.spawn(async move {
            let _restoring = restoring.lock().await;
            while let Some(run) = runs.evict(most) {
                forget(&run, &history).await;
            }
        });
    }

    /// Deletes the runs that have ended, and in which nothing has happened since this time. Returns
    /// their number.
    ///
    /// # Errors
    /// The journal cannot be read or written.
    pub async fn delete_before(&self, time: Timestamp) -> Result<usize, LiveError> {
        let Some(journal) = &self.journal else { return Ok(0) };
        let ended = journal.read().ended_before(time).map_err(|error| unreadable(&error))?;
        let _restoring = self.restoring.lock().await;
        for run in &ended {
            if let Some(run) = u32::try_from(*run).ok().and_then(|run| self.runs.remove(run)) {
                forget(&run, &self.history).await;
            }
            if !journal.expire(*run).await {
                return Err(self.not_stored());
            }
        }
        self.history.touch();
        Ok(ended.len())
    }

    /// Ends all runs, and deletes them with everything that they have recorded. Endpoints, uploads, and
    /// what calls have made at the accounts stay. Returns the number of deleted runs.
    ///
    /// # Errors
    /// The journal cannot be read or written.
    pub async fn reset(&self) -> Result<usize, LiveError> {
        self.readiness()?;
        // Runs that begin from now on wait, and stay.
        let _alone = self.resetting.write().await;
        let last = match &self.journal {
            Some(journal) => journal.last_run().await,
            None => 0,
        };
        let runs = self.runs.all();
        for run in &runs {
            self.cancel(run).await?;
            // Its last record must be stored before it is deleted.
            let _ = timeout(MAX_JUMP, run.ended()).await;
        }
        let _restoring = self.restoring.lock().await;
        let mut deleted: BTreeSet<i64> = BTreeSet::new();
        for run in &runs {
            if self.runs.remove(run.number).is_some() {
                forget(run, &self.history).await;
                deleted.insert(run.number.into());
            }
        }
        if let Some(journal) = &self.journal {
            // Those of earlier processes that nobody has requested, too.
            let stored = journal.read().served_runs(last + 1, usize::MAX);
            deleted.extend(stored.map_err(|error| unreadable(&error))?);
            for run in &deleted {
                if !journal.expire(*run).await {
                    return Err(self.not_stored());
                }
            }
        }
        self.history.clear();
        self.history.touch();
        Ok(deleted.len())
    }

    /// Creates the log of a run. Its records go to the journal and to the history.
    pub(super) async fn log(&self, run: u32, origin: RecordOrigin) -> RecordLog {
        let log = RecordLog::new(run, Clock::System);
        self.attach(&log, run, origin).await;
        log
    }

    /// Stores and shows the records of a log.
    pub(super) async fn attach(&self, log: &RecordLog, run: u32, origin: RecordOrigin) {
        log.redact(self.redactor());
        // Faults that are turned on later send values that are close to the secrets.
        if let Ok(vendor) = self.vendor(&origin.vendor) {
            let derived = FaultInjector::of(&vendor.account()).derived_secrets();
            let derived = derived.iter().map(|(reference, secret)| (reference.clone(), secret));
            log.redact(Redactor::new(derived));
        }
        self.history.register(run, origin);
        if let Some(journal) = &self.journal {
            return journal.attach(log, run, &self.runtime).await;
        }
        let (mut records, history) = (log.observe(), Arc::clone(&self.history));
        self.runtime.spawn(async move {
            while let Some(record) = records.next().await {
                history.append(run, record);
            }
        });
    }

    /// Stops the run time of a run.
    ///
    /// # Errors
    /// The journal failed.
    pub async fn pause(&self, run: &ServedRun) -> Result<(), LiveError> {
        self.steer(run, SteerCommand::Pause, None).await?;
        run.pause();
        self.history.touch();
        Ok(())
    }

    /// Continues a paused run.
    ///
    /// # Errors
    /// The journal failed.
    pub async fn resume(&self, run: &ServedRun) -> Result<(), LiveError> {
        self.steer(run, SteerCommand::Resume, None).await?;
        run.resume();
        self.history.touch();
        Ok(())
    }

    /// Pauses a run and advances it to the next thing that happens in a conversation.
    ///
    /// # Errors
    /// The journal failed.
    pub async fn step(&self, run: &ServedRun) -> Result<(), LiveError> {
        self.steer(run, SteerCommand::Step, None).await?;
        run.step();
        self.history.touch();
        if run.is_stored().await { Ok(()) } else { Err(self.not_stored()) }
    }

    /// Stores the times of all clocks that pass, so that a restart continues there.
    pub async fn mark_clocks(&self) {
        for run in self.runs.all() {
            let is_real = matches!(run.clock(), ClockMode::Real(_));
            if self.journal.is_some() && is_real && run.phase() == RunPhase::Running {
                // After a failure of the journal, nothing can be done about it here.
                run.record_steering(SteerCommand::Mark, None).await;
            }
        }
    }

    /// Records a change of the clock of a run, if there is a journal.
    async fn steer(
        &self,
        run: &ServedRun,
        command: SteerCommand,
        speed: Option<f64>,
    ) -> Result<(), LiveError> {
        self.readiness()?;
        if self.journal.is_none() || run.is_over() || run.record_steering(command, speed).await {
            return Ok(());
        }
        Err(self.not_stored())
    }

    /// Changes the speed of a run with a real clock.
    ///
    /// # Errors
    /// The speed is not valid, or the run has a virtual clock.
    pub async fn set_speed(&self, run: &ServedRun, speed: f64) -> Result<(), LiveError> {
        if !SPEEDS.contains(&speed) {
            let message = format!("`speed` must be from {} to {}", SPEEDS.start(), SPEEDS.end());
            return Err(Problem::anywhere(code::INVALID_TYPE, message).into());
        }
        if run.clock() == ClockMode::Virtual {
            let message = "a run with a virtual clock has no speed";
            return Err(LiveError::conflict(message, "start another run with `clock: \"real\"`"));
        }
        self.steer(run, SteerCommand::Speed, Some(speed)).await?;
        run.set_speed(speed);
        self.history.touch();
        Ok(())
    }

    /// Ends a run where it is. Its conversations can be read, but nobody can act in them.
    ///
    /// # Errors
    /// The journal failed.
    pub async fn cancel(&self, run: &ServedRun) -> Result<(), LiveError> {
        if run.is_over() {
            return Ok(());
        }
        self.steer(run, SteerCommand::Cancel, None).await?;
        self.end(run).await;
        Ok(())
    }

    /// Ends a run where it is.
    pub(super) async fn end(&self, run: &ServedRun) {
        if run.is_over() {
            return;
        }
        let mut kept = Vec::new();
        for overview in self.overviews(run).await {
            if let Some(state) = run.emulator.conversation(overview.key).await {
                kept.push(KeptConversation { overview, state });
            }
        }
        run.cancel(kept);
        self.history.touch();
    }
}

/// Where the records of a run belong that is not a redelivery.
pub(super) fn own_origin(vendor: &ServedVendor, run: u32) -> RecordOrigin {
    RecordOrigin { vendor: vendor.id().into(), run, redelivery_of: None }
}

/// Drops what is in memory of a run. What was happening in it is stored, so that it can be restored.
async fn forget(run: &ServedRun, history: &History) {
    run.emulator.cancel(run.number);
    run.emulator.sync().await;
    let _ = run.log.flushed().committed().await;
    run.log.close();
    history.unregister(run.number);
}
