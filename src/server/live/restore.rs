//! Restores endpoints and runs from the journal, at the start of a server and when somebody asks for
//! a run that is not in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use super::LiveServer;
use super::error::LiveError;
use super::past::unreadable;
use super::run::{KeptConversation, RunSetup, ServedRun};
use super::runs::own_origin;
use super::store::{ServerFact, ServerJournal, origin_of};
use super::vendor::{ServedVendor, StoredEndpoint};
use crate::base::clock::Clock;
use crate::base::limits::MAX_RUNS_AT_START;
use crate::delivery::ClockMode;
use crate::diag::Source;
use crate::journal::{JournalError, RunOutline};
use crate::record::{RecordKind, RecordLog};
use crate::run::{PriorRecords, ResumePoint, RunPlan, restore_live};
use crate::scenario::LiveScript;

/// Restores endpoints in the order of their numbers.
type StoredEndpoints = BTreeMap<(String, u32), StoredEndpoint>;

/// Why a run was not restored.
enum RestoreFailure {
    /// The journal could not be read. Another try may succeed.
    Unreadable(JournalError),
    /// It would not be the same.
    Lost(String),
}

impl From<JournalError> for RestoreFailure {
    fn from(error: JournalError) -> Self {
        match error {
            // Another try finds the same.
            JournalError::Damaged(..) => Self::Lost(error.to_string()),
            _ => Self::Unreadable(error),
        }
    }
}

impl From<String> for RestoreFailure {
    fn from(reason: String) -> Self {
        Self::Lost(reason)
    }
}

impl From<&str> for RestoreFailure {
    fn from(reason: &str) -> Self {
        Self::Lost(reason.to_owned())
    }
}

impl LiveServer {
    /// Restores the endpoints and uploaded scenarios of an earlier process. Returns a note about each that cannot be used.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn restore_endpoints(&self) -> Result<Vec<String>, JournalError> {
        let Some(journal) = &self.journal else { return Ok(Vec::new()) };
        let mut stored = StoredEndpoints::new();
        for fact in journal.facts()? {
            match fact {
                ServerFact::EndpointAdded { vendor, number, url, events, configured } => {
                    let is_configured = configured;
                    let endpoint =
                        StoredEndpoint { number, url, events, is_configured, is_removed: false };
                    stored.insert((vendor, number), endpoint);
                }
                ServerFact::ScenarioUploaded { name, source } => {
                    self.restore_scenario(&name, Some(source));
                }
                ServerFact::ScenarioRemoved { name } => self.restore_scenario(&name, None),
                ServerFact::EndpointRemoved { vendor, number } => {
                    if let Some(endpoint) = stored.get_mut(&(vendor, number)) {
                        endpoint.is_removed = true;
                    }
                }
            }
        }
        let mut notes = Vec::new();
        for ((id, number), endpoint) in stored {
            // Another vendor list than before: its endpoints stay in the journal.
            let Ok(vendor) = self.vendor(&id) else { continue };
            let url = endpoint.url.clone();
            if let Err(reason) = vendor.restore_endpoint(endpoint) {
                notes.push(format!("endpoint {number} of {id}, {url}, is not used: {reason}"));
            }
        }
        let now = Clock::System.now();
        for vendor in self.vendors() {
            vendor.emulator.remember(journal.account(vendor.id()), now)?;
        }
        self.restore_uploads()?;
        Ok(notes)
    }

    /// Restores the runs that have not ended, and the newest of the others. Returns a note about each
    /// that cannot be continued.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn restore_runs(&self) -> Result<Vec<String>, JournalError> {
        let Some(journal) = &self.journal else { return Ok(Vec::new()) };
        let last = u32::try_from(journal.last_run().await).unwrap_or(u32::MAX);
        self.runs.continue_after(last);
        let unfinished = journal.read().unfinished()?;
        let newest = journal.read().outlines(i64::MAX, MAX_RUNS_AT_START)?;
        let mut runs: Vec<i64> = newest.into_iter().map(|outline| outline.run).collect();
        runs.extend(unfinished);
        runs.sort_unstable();
        runs.dedup();
        let mut notes = Vec::new();
        for run in runs {
            let Ok(number) = u32::try_from(run) else { continue };
            if self.run(number).await.is_err() {
                let reason = self.lost_reason(number).unwrap_or_default();
                notes.push(format!("run {number} cannot be continued: {reason}"));
            }
        }
        self.restore_subscriptions(journal).await?;
        Ok(notes)
    }

    /// Gives the endpoints of each vendor the subscriptions and handshakes that they had last.
    async fn restore_subscriptions(&self, journal: &ServerJournal) -> Result<(), JournalError> {
        for vendor in self.vendors() {
            let subscribed = vendor.emulator.subscribed().await;
            // For a vendor without endpoints, the whole journal would be searched.
            if vendor.endpoints().is_empty() && subscribed.is_empty() {
                continue;
            }
            if vendor.account().platform.handshake.proof.is_some() {
                for handshake in journal.read().last_handshakes(vendor.id())? {
                    self.history.restore_handshake(vendor.id(), &handshake.record);
                }
            }
            let last = journal.read().last_subscriptions(vendor.id())?;
            if let Some(RecordKind::EndpointsChanged { endpoints }) =
                last.map(|numbered| numbered.record.kind)
            {
                vendor.restore_subscriptions(&endpoints);
                self.history.restore_subscriptions(vendor.id(), &endpoints);
            }
        }
        Ok(())
    }

    /// Returns a run. One that is not in memory is restored.
    ///
    /// # Errors
    /// There is no such run, or it cannot be restored.
    pub async fn run(&self, number: u32) -> Result<Arc<ServedRun>, LiveError> {
        let unknown = || LiveError::unknown("run", &number.to_string(), &[]);
        if let Some(run) = self.runs.get(number) {
            return Ok(run);
        }
        let journal = self.journal.as_ref().ok_or_else(unknown)?;
        let _restoring = self.restoring.lock().await;
        if let Some(run) = self.runs.get(number) {
            return Ok(run);
        }
        if self.lost_reason(number).is_none() {
            let outline = journal.read().outline(i64::from(number));
            let outline = outline.map_err(|error| unreadable(&error))?.ok_or_else(unknown)?;
            match self.restore_run(journal, outline).await {
                Ok(run) => return Ok(run),
                // Another try may succeed.
                Err(RestoreFailure::Unreadable(error)) => return Err(unreadable(&error)),
                Err(RestoreFailure::Lost(reason)) => {
                    let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
                    lost.insert(number, reason);
                }
            }
        }
        let reason = self.lost_reason(number).unwrap_or_default();
        let message = format!("run {number} cannot be continued: {reason}");
        Err(LiveError::conflict(message, "its records can still be read; start another run"))
    }

    /// Restores a run. Fails with the reason if it would not be the same.
    async fn restore_run(
        &self,
        journal: &ServerJournal,
        outline: RunOutline,
    ) -> Result<Arc<ServedRun>, RestoreFailure> {
        let RunOutline { started, served, .. } = &outline;
        let origin = origin_of(&outline).ok_or("its vendor is unknown")?;
        let vendor = self.vendor(&origin.vendor).map_err(|_| "its vendor is not served")?;
        let revision = vendor.account().platform.full_id();
        if revision != started.vendor {
            let reason = format!("it was played at {}, which is {revision} now", started.vendor);
            return Err(reason.into());
        }
        let known = vendor.known_secrets(&served.endpoints);
        let source = Source::new(&served.name, known.fill(&served.source));
        let script = self.script(&source, vendor).map_err(|error| match error {
            LiveError::Invalid(problems) => {
                let first = problems.sorted().first().map(|problem| problem.message.clone());
                format!("its scenario is not valid any more: {}", first.unwrap_or_default())
            }
            other => other.to_string(),
        })?;
        let number = u32::try_from(outline.run).map_err(|error| error.to_string())?;
        let last = journal.read().last_row(outline.run)?;
        let log = RecordLog::resumed(number, Clock::System, last);
        let (seed, start) = (started.seed, started.start);
        let run = Arc::new(ServedRun::new(RunSetup {
            number,
            vendor: vendor.id().into(),
            source,
            script: LiveScript { script, account: vendor.account(), seed, start },
            conversations: started.conversations,
            redelivery_of: origin.redelivery_of.clone(),
            started_at: outline.at,
            emulator: vendor.emulator.clone(),
            log: log.clone(),
            clock: outline.speed.map_or(ClockMode::Virtual, ClockMode::Real),
            is_paused: outline.is_paused,
        }));
        run.note_faults(outline.faults.clone());
        if origin.redelivery_of.is_some() {
            let finished = outline.finished.ok_or("the server ended before it was sent")?;
            run.finish(finished);
            self.keep(&run);
            return Ok(run);
        }
        self.attach(&log, number, own_origin(vendor, number)).await;
        let restored = self.continue_run(journal, &outline, vendor, &run).await;
        if let Err(reason) = restored {
            log.close();
            self.history.unregister(number);
            return Err(reason);
        }
        self.keep(&run);
        Ok(run)
    }

    /// Continues a run where its records end.
    async fn continue_run(
        &self,
        journal: &ServerJournal,
        outline: &RunOutline,
        vendor: &ServedVendor,
        run: &Arc<ServedRun>,
    ) -> Result<(), RestoreFailure> {
        let endpoints = vendor.endpoints_of(&outline.served.endpoints);
        let plan = self.plan(vendor, run, endpoints);
        let prior = self.prior_records(journal, &plan)?;
        if !prior.have_begun() {
            if outline.is_cancelled {
                run.mark_cancelled();
            }
            match &outline.finished {
                Some(finished) => run.finish(finished.clone()),
                None if outline.is_cancelled => {}
                None => {
                    let resume = ResumePoint {
                        run: i64::from(run.number),
                        prior: prior.attempts(),
                        records: None,
                    };
                    self.play(vendor, run, RunPlan { resume: Some(resume), ..plan }, None);
                }
            }
            return Ok(());
        }
        let log = run.log.clone();
        let restored = restore_live(plan, vendor.emulator.clone(), prior, log).await?;
        if outline.is_cancelled {
            let mut kept = Vec::new();
            for overview in self.overviews(run).await {
                if let Some(state) = run.emulator.conversation(overview.key).await {
                    kept.push(KeptConversation { overview, state });
                }
            }
            run.emulator.cancel(run.number);
            run.cancel(kept);
            outline.finished.iter().for_each(|finished| run.finish(finished.clone()));
            return Ok(());
        }
        run.begin();
        if let Some(finished) = &outline.finished {
            run.finish(finished.clone());
            return Ok(());
        }
        let (playing, history) = (Arc::clone(run), Arc::clone(&self.history));
        self.runtime.spawn(async move {
            let finished = restored.play().await;
            playing.log_end(&finished);
            playing.finish(finished);
            history.touch();
        });
        Ok(())
    }

    /// Reads and checks the records of a run.
    fn prior_records(
        &self,
        journal: &ServerJournal,
        plan: &RunPlan,
    ) -> Result<PriorRecords, JournalError> {
        let number = i64::from(plan.number);
        let reader = journal.read();
        let mut prior = PriorRecords::new(plan, reader.results()?);
        for record in reader.records(number) {
            let record = record?;
            prior.add(number, &record);
            self.history.count_again(plan.number, &record);
        }
        Ok(prior)
    }
}
