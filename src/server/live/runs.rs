//! Runs of the server: starting, steering, acting in their conversations, sending again.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use super::LiveServer;
use super::error::LiveError;
use super::history::RecordOrigin;
use super::run::{KeptConversation, RunSetup, ServedRun};
use super::vendor::ServedVendor;
use crate::base::clock::Clock;
use crate::base::limits::MAX_LIVE_CONVERSATIONS;
use crate::base::secret::Secret;
use crate::config::StartTime;
use crate::conversation::Conversation;
use crate::delivery::{ClockMode, ConversationKey, SPEEDS};
use crate::diag::{Problem, Source, SyntaxNode, code};
use crate::emulator::{ActError, ConversationOverview};
use crate::record::{ActionSummary, RecordKind, RecordLog, RunStarted};
use crate::run::{LiveStage, Redelivery, RunLimits, RunPlan, StopSignal, redeliver, run_live};
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
    /// The runs, in the order of their start.
    pub fn runs(&self) -> Vec<Arc<ServedRun>> {
        self.runs.all()
    }

    /// Returns a run.
    ///
    /// # Errors
    /// There is no such run.
    pub fn run(&self, number: u32) -> Result<Arc<ServedRun>, LiveError> {
        let found = self.runs.get(number);
        found.ok_or_else(|| LiveError::unknown("run", &number.to_string(), &[]))
    }

    /// Starts a run.
    ///
    /// # Errors
    /// The scenario has problems or cannot run at the vendor, or the server is about to end.
    pub fn start_run(&self, request: &RunRequest) -> Result<Arc<ServedRun>, LiveError> {
        self.check_request(request)?;
        let vendor = self.vendor(&request.vendor)?;
        let script = self.script(&request.source, vendor)?;
        let now = Clock::System.now();
        let start = match script.start {
            Some(StartTime::At(start)) => start,
            Some(StartTime::Now) | None => now,
        };
        let number = self.runs.next_number();
        let seed = request.seed.or(script.seed).unwrap_or_else(random_seed);
        let account = Arc::clone(&vendor.account);
        let run = Arc::new(ServedRun::new(RunSetup {
            number,
            vendor: vendor.id().into(),
            script: LiveScript { script: Arc::clone(&script), account, seed, start },
            conversations: request.conversations,
            redelivery_of: None,
            started_at: now,
            emulator: vendor.emulator.clone(),
            clock: request.clock,
            is_paused: request.is_paused,
        }));
        self.keep(&run);
        let log = self.log(&run, number);
        let plan = self.plan(vendor, &run, request.clock);
        let begin = Arc::clone(&run);
        let history = Arc::clone(&self.history);
        let ready = Box::new(move || {
            begin.begin();
            history.touch();
        });
        let stage = LiveStage { emulator: vendor.emulator.clone(), ready };
        let (transport, history) = (Arc::clone(&vendor.transport), Arc::clone(&self.history));
        let playing = Arc::clone(&run);
        self.runtime.spawn(async move {
            playing.finish(run_live(plan, stage, transport, log).await);
            history.touch();
        });
        self.history.touch();
        Ok(run)
    }

    fn check_request(&self, request: &RunRequest) -> Result<(), LiveError> {
        if !self.is_ready() {
            return Err(LiveError::conflict("the server is about to end", "start it again"));
        }
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

    fn plan(&self, vendor: &ServedVendor, run: &ServedRun, clock: ClockMode) -> RunPlan {
        let LiveScript { script, account, seed, start } = run.script.clone();
        let own = script.subscribe.get(vendor.id()).cloned();
        let endpoints = vendor.endpoints().into_iter().map(|endpoint| {
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
            pace: clock,
            conversations: run.conversations,
            files: Arc::clone(&self.files),
            resume: None,
            stop: StopSignal::new(run.stop.subscribe()),
            limits: RunLimits::default(),
            slots: self.slots.clone(),
            api: None,
        }
    }

    /// Adds a run, and forgets the oldest one if there are too many.
    fn keep(&self, run: &Arc<ServedRun>) {
        if let Some(forgotten) = self.runs.add(run) {
            forgotten.emulator.cancel(forgotten.number);
        }
    }

    /// Creates the log of a run. Its records go to the history. `conversations` is the run whose
    /// conversations they belong to.
    fn log(&self, run: &ServedRun, conversations: u32) -> RecordLog {
        let log = RecordLog::new(run.number, Clock::System);
        log.redact(self.redactor.clone());
        let mut records = log.observe();
        let history = Arc::clone(&self.history);
        let origin = RecordOrigin {
            vendor: Arc::clone(&run.vendor),
            run: conversations,
            redelivery_of: run.redelivery_of.clone(),
        };
        self.runtime.spawn(async move {
            while let Some(record) = records.next().await {
                history.append(&origin, record);
            }
        });
        log
    }

    /// Stops the run time of a run.
    pub fn pause(&self, run: &ServedRun) {
        run.pause();
        self.history.touch();
    }

    /// Continues a paused run.
    pub fn resume(&self, run: &ServedRun) {
        run.resume();
        self.history.touch();
    }

    /// Pauses a run and advances it to the next thing that happens in a conversation.
    pub fn step(&self, run: &ServedRun) {
        run.step();
        self.history.touch();
    }

    /// Changes the speed of a run with a real clock.
    ///
    /// # Errors
    /// The speed is not valid, or the run has a virtual clock.
    pub fn set_speed(&self, run: &ServedRun, speed: f64) -> Result<(), LiveError> {
        if !SPEEDS.contains(&speed) {
            let message = format!("`speed` must be from {} to {}", SPEEDS.start(), SPEEDS.end());
            return Err(Problem::anywhere(code::INVALID_TYPE, message).into());
        }
        if run.clock() == ClockMode::Virtual {
            let message = "a run with a virtual clock has no speed";
            return Err(LiveError::conflict(message, "start another run with `clock: \"real\"`"));
        }
        run.set_speed(speed);
        self.history.touch();
        Ok(())
    }

    /// Ends a run where it is. Its conversations can be read, but nobody can act in them.
    pub async fn cancel(&self, run: &ServedRun) {
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

    async fn overviews(&self, run: &ServedRun) -> Vec<ConversationOverview> {
        let mut all = run.emulator.conversations().await;
        all.retain(|overview| overview.key.run == run.number);
        all
    }

    /// Returns the conversations of all runs, the newest first.
    pub async fn conversations(&self) -> Vec<(Arc<ServedRun>, ConversationOverview)> {
        let runs: BTreeMap<u32, Arc<ServedRun>> =
            self.runs.all().into_iter().map(|run| (run.number, run)).collect();
        let mut found = Vec::new();
        for vendor in self.vendors() {
            found.extend(vendor.emulator.conversations().await);
        }
        for run in runs.values() {
            found.extend(run.kept().iter().map(|kept| kept.overview.clone()));
        }
        found.sort_by_key(|overview| std::cmp::Reverse(overview.key));
        found.dedup_by_key(|overview| overview.key);
        let with_run = |overview: ConversationOverview| {
            Some((Arc::clone(runs.get(&overview.key.run)?), overview))
        };
        found.into_iter().filter_map(with_run).collect()
    }

    /// Returns a conversation with its run.
    ///
    /// # Errors
    /// There is no such conversation.
    pub async fn conversation(
        &self,
        key: ConversationKey,
    ) -> Result<(Arc<ServedRun>, Box<Conversation>), LiveError> {
        let id = format!("{}-{}", key.run, key.number);
        let unknown = || LiveError::unknown("conversation", &id, &[]);
        let run = self.run(key.run).map_err(|_| unknown())?;
        let live = run.emulator.conversation(key).await;
        let kept = run.kept().iter().find(|kept| kept.overview.key == key).cloned();
        let found = live.or(kept.map(|kept| kept.state));
        found.map(|state| (run, state)).ok_or_else(unknown)
    }

    /// Performs actions in a conversation: all of them, or none.
    ///
    /// # Errors
    /// The actions have problems, or are not possible in its state.
    pub async fn act(
        &self,
        key: ConversationKey,
        actions: &SyntaxNode,
    ) -> Result<Vec<ActionSummary>, LiveError> {
        let (run, conversation) = self.conversation(key).await?;
        let steps = run.script.read(actions, &conversation)?;
        let rendered = run.script.render(&steps, &conversation, key.number);
        let rendered =
            rendered.map_err(|reason| LiveError::Conflict { message: reason, help: None })?;
        run.emulator.act(key, rendered).await.map_err(|error| match error {
            ActError::UnknownConversation => LiveError::conflict(
                "the run was cancelled, so nobody can act in its conversations",
                "start another run",
            ),
            ActError::Refused(message) => LiveError::Conflict { message, help: None },
            ActError::Stopped => {
                LiveError::conflict("the server is about to end", "start it again")
            }
        })
    }

    /// Sends a delivery once more, signed with the present time. This is a separate run.
    ///
    /// # Errors
    /// There is no such delivery, or nothing of it was sent.
    pub fn redeliver(&self, id: &str) -> Result<Arc<ServedRun>, LiveError> {
        let unknown = || LiveError::unknown("delivery", id, &[]);
        let (run, delivery) = id.split_once('-').ok_or_else(unknown)?;
        let original = self.run(run.parse().map_err(|_| unknown())?).map_err(|_| unknown())?;
        let vendor = self.vendor(&original.vendor)?;
        let records = self.history.records_of(original.number);
        let started = records.iter().find_map(|record| match &record.kind {
            RecordKind::RunStarted(started) => Some(started.clone()),
            _ => None,
        });
        let restored = started
            .and_then(|started| redelivery(vendor, &original, started).request(delivery, &records));
        let request = restored.ok_or_else(|| {
            let message =
                format!("delivery `{id}` cannot be sent again: no request of it is known");
            LiveError::conflict(message, "only deliveries that were sent can be sent again")
        })?;
        let original_id = original.redelivery_of.clone().unwrap_or_else(|| id.into());
        let run = Arc::new(ServedRun::new(RunSetup {
            number: self.runs.next_number(),
            vendor: Arc::clone(&original.vendor),
            script: original.script.clone(),
            conversations: 1,
            redelivery_of: Some(original_id),
            started_at: Clock::System.now(),
            emulator: vendor.emulator.clone(),
            clock: ClockMode::Virtual,
            is_paused: false,
        }));
        run.begin();
        self.keep(&run);
        let log = self.log(&run, conversation_run(&original));
        let (transport, history) = (Arc::clone(&vendor.transport), Arc::clone(&self.history));
        let sending = Arc::clone(&run);
        self.runtime.spawn(async move {
            sending.finish(redeliver(request, transport, log).await);
            history.touch();
        });
        Ok(run)
    }
}

/// The run whose conversations the deliveries of a run belong to.
fn conversation_run(run: &ServedRun) -> u32 {
    let original = run.redelivery_of.as_deref().and_then(|id| id.split_once('-'));
    original.and_then(|(run, _)| run.parse().ok()).unwrap_or(run.number)
}

fn redelivery(vendor: &ServedVendor, run: &ServedRun, started: RunStarted) -> Redelivery {
    let plans = vendor.endpoints().into_iter().map(|endpoint| endpoint.plan);
    let (mut headers, mut urls): (Vec<(String, Secret)>, Vec<_>) = (Vec::new(), Vec::new());
    for plan in plans {
        headers.extend(plan.headers);
        urls.push(plan.url);
    }
    Redelivery {
        run: i64::from(run.number),
        started,
        account: Arc::clone(&vendor.account),
        headers,
        urls,
        fresh: Some(Clock::System.now()),
        to: None,
    }
}
