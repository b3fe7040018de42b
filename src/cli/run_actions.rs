//! What to do for each run of a command, according to its journal.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::exit::CommandError;
use super::terminal::note;
use crate::base::text::escape;
use crate::journal::{AccountFile, AccountStore, Journal, JournalError, PriorRun};
use crate::record::{Record, RunStarted};
use crate::run::{ResumePoint, RunPlan, identify};

/// Next action for a plan.
pub(super) enum RunAction {
    /// Execute it.
    Play(Box<RunPlan>),
    /// Report the stored records of a finished run: its number in the journal.
    Replay(i64),
}

/// Determines the action of each run when its turn comes.
pub(super) struct RunActions {
    /// The runs of the journal; `None` without one.
    stored: Option<KnownRuns>,
}

/// Hash of what makes runs equal. Kept instead of the runs: a journal can have many.
type RunHash = [u8; 32];

/// The runs that a journal had at the start of the command.
struct KnownRuns {
    journal: Journal,
    /// Whether runs resume earlier ones.
    resumes: bool,
    /// Runs that resume each other, by identity, oldest first.
    by_identity: HashMap<RunHash, Vec<i64>>,
    /// The last run that sent the same ids to the same receivers.
    by_ids: HashMap<RunHash, i64>,
    /// Number of equal runs of this command so far, by identity.
    seen: HashMap<RunHash, u32>,
    /// Keeps what calls make at the accounts of runs; `None` if no API is served.
    accounts: Option<AccountFile>,
}

impl RunActions {
    /// Every run is executed, because there is no journal.
    pub(super) fn without_journal() -> Self {
        Self { stored: None }
    }

    /// Reads the runs of a journal.
    pub(super) fn of(
        journal: Journal,
        resumes: bool,
        accounts: Option<AccountFile>,
    ) -> Result<Self, JournalError> {
        let (mut by_identity, mut by_ids) = (HashMap::<_, Vec<i64>>::new(), HashMap::new());
        for stored in journal.beginnings()? {
            let stored = stored?;
            by_ids.insert(hash_of_ids(&stored.started), stored.run);
            let same = by_identity.entry(identity_hash(&stored.started)).or_default();
            // Runs before the last one that started afresh are not part of it.
            if stored.started.resumes.is_none() {
                same.clear();
            }
            same.push(stored.run);
        }
        let seen = HashMap::new();
        let known = KnownRuns { journal, resumes, by_identity, by_ids, seen, accounts };
        Ok(Self { stored: Some(known) })
    }

    /// Returns the action for the next run of the command.
    pub(super) fn next(&mut self, plan: RunPlan) -> Result<RunAction, CommandError> {
        match &mut self.stored {
            Some(stored) => stored.next(plan),
            None => Ok(RunAction::Play(Box::new(plan))),
        }
    }
}

impl KnownRuns {
    fn next(&mut self, mut plan: RunPlan) -> Result<RunAction, CommandError> {
        // Of equal runs in one command, each resumes the one of the same number among them.
        let identity = identify(&plan);
        let number = self.seen.entry(identity_hash(&identity)).or_default();
        *number += 1;
        plan.occurrence = *number;
        let identity = RunStarted { occurrence: *number, ..identity };
        plan.memory = self.accounts.as_ref().map(|file| file.account(&memory_key(&identity)));
        if !self.resumes {
            self.note_repeated(&identity);
            return Ok(afresh(plan));
        }
        let runs = self.by_identity.get(&identity_hash(&identity));
        let earlier = self.journal.earlier(runs.map_or(&[], Vec::as_slice));
        let resume = match earlier.map_err(anyhow::Error::from)? {
            PriorRun::Ended(run) => return Ok(RunAction::Replay(run)),
            PriorRun::Interrupted(run, prior) => {
                let runs = runs.map_or(&[][..], Vec::as_slice);
                let records = prior.has_calls().then(|| self.longest(runs)).transpose();
                let records = records.map_err(anyhow::Error::from)?.map(Arc::new);
                Some(ResumePoint { run, prior: Arc::new(prior), records })
            }
            PriorRun::Never => return Ok(afresh(plan)),
        };
        Ok(RunAction::Play(Box::new(RunPlan { resume, ..plan })))
    }

    /// Returns the records of the longest of these runs. Each begins with a copy of the one before, unless
    /// it was interrupted while the records were copied.
    fn longest(&self, runs: &[i64]) -> Result<Vec<Record>, JournalError> {
        let mut longest = Vec::new();
        for run in runs {
            let records = self.journal.records(*run).collect::<Result<Vec<_>, _>>()?;
            if records.len() >= longest.len() {
                longest = records;
            }
        }
        Ok(longest)
    }

    /// Notes that a receiver has got the same ids before. A receiver with a database ignores them.
    fn note_repeated(&self, run: &RunStarted) {
        let Some(earlier) = self.by_ids.get(&hash_of_ids(run)) else { return };
        note(format_args!(
            "note: run {earlier} of the journal sent the same ids to {}. A receiver may ignore them \
             as duplicates; `--seed random` sends new ones.",
            escape(&run.urls.join(", "))
        ));
    }
}

/// Plays a run that resumes no other. What calls have made in an equal one is gone.
fn afresh(plan: RunPlan) -> RunAction {
    plan.memory.iter().for_each(AccountStore::clear);
    RunAction::Play(Box::new(plan))
}

/// Returns the name of a run in the file of accounts.
fn memory_key(run: &RunStarted) -> String {
    let hash = identity_hash(run);
    hash.iter().fold("run ".to_owned(), |name, byte| name + &format!("{byte:02x}"))
}

/// Hashes everything that identifies a run.
fn identity_hash(run: &RunStarted) -> RunHash {
    hash(&RunStarted { resumes: None, ..run.clone() })
}

/// Hashes what decides the ids that a run sends, and where.
fn hash_of_ids(run: &RunStarted) -> RunHash {
    hash(&(&run.digest, &run.urls))
}

fn hash(value: &impl serde::Serialize) -> RunHash {
    Sha256::digest(serde_json::to_vec(value).unwrap_or_default()).into()
}
