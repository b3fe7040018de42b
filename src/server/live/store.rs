//! The journal behind a live server: what it stores, and what it reads again.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::RwLock;

use super::history::{History, RecordOrigin};
use super::kept_record::KeptRecord;
use crate::journal::{
    AccountFile, AccountStore, Journal, JournalError, JournalWriter, NumberedRecord, RecordSink,
    RunOutline, WriteOptions,
};
use crate::platform::VendorRef;
use crate::record::RecordLog;

/// The journal of a server.
pub(super) struct ServerJournal {
    path: PathBuf,
    /// `None` once it is closed.
    writer: RwLock<Option<JournalWriter>>,
    reader: Mutex<Journal>,
    failure: Arc<OnceLock<String>>,
    /// What calls have made at the accounts.
    accounts: AccountFile,
    /// Where the records of earlier runs belong.
    origins: Mutex<HashMap<i64, RecordOrigin>>,
}

/// A change at the server that belongs to no run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ServerFact {
    /// An endpoint was added.
    EndpointAdded {
        vendor: String,
        number: u32,
        /// With references in place of secrets.
        url: String,
        events: Option<Vec<String>>,
        /// Whether the command line or the configuration names it.
        configured: bool,
    },
    /// An endpoint was removed.
    EndpointRemoved { vendor: String, number: u32 },
    /// A scenario was uploaded.
    ScenarioUploaded {
        name: String,
        /// With references in place of secrets.
        source: String,
    },
    /// A scenario that was uploaded was removed.
    ScenarioRemoved { name: String },
}

impl ServerJournal {
    /// Opens a journal. Records that are stored go to the history.
    pub(super) fn open(
        path: &Path,
        options: WriteOptions,
        history: &Arc<History>,
    ) -> Result<Self, JournalError> {
        let stored = Arc::clone(history);
        let sink = RecordSink::new(move |number, run, record| {
            stored.append_stored(number, run, Arc::clone(record));
        });
        let is_new = !fs::metadata(path).is_ok_and(|found| found.len() > 0);
        let writer = JournalWriter::open_numbered(path, options, sink)?;
        let accounts = AccountFile::open(path, options.durability, is_new)?;
        let reader = Journal::open(path)?;
        history.continue_after(reader.last_position()?);
        let failure = writer.failure_cell();
        Ok(Self {
            path: path.to_owned(),
            writer: RwLock::new(Some(writer)),
            reader: Mutex::new(reader),
            failure,
            accounts,
            origins: Mutex::default(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns why nothing more can be stored, if that is so.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str).or_else(|| self.accounts.failure())
    }

    /// Returns what calls have made at the account of a vendor.
    pub(super) fn account(&self, vendor: &str) -> AccountStore {
        self.accounts.account(vendor)
    }

    /// Returns the files that people have uploaded.
    pub(super) fn uploads(&self) -> AccountStore {
        // No vendor has an empty name.
        self.accounts.account("")
    }

    /// Returns the number of the last run, deleted ones included.
    pub(super) async fn last_run(&self) -> i64 {
        self.writer.read().await.as_ref().map_or(0, JournalWriter::last_run)
    }

    /// Stores the records of a log as those of this run.
    pub(super) async fn attach(&self, log: &RecordLog, run: u32, runtime: &tokio::runtime::Handle) {
        match &*self.writer.read().await {
            Some(writer) => {
                // The task that copies records must live on the runtime of the runs.
                let _runtime = runtime.enter();
                writer.attach_to(log, i64::from(run));
            }
            None => log.fail(),
        }
    }

    /// Stores a change. Returns whether it was stored.
    pub(super) async fn note(&self, fact: &ServerFact) -> bool {
        let Ok(text) = serde_json::to_string(fact) else { return false };
        match &*self.writer.read().await {
            Some(writer) => writer.note(text).await,
            None => false,
        }
    }

    /// Deletes the records of a run. Returns whether they were deleted.
    pub(super) async fn expire(&self, run: i64) -> bool {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner).remove(&run);
        match &*self.writer.read().await {
            Some(writer) => writer.expire(run).await,
            None => false,
        }
    }

    /// Waits until everything is stored. Every log must have been closed.
    pub(super) async fn close(&self) -> Result<(), JournalError> {
        // The last connection removes the write-ahead log, which one that only reads cannot do.
        self.read().disconnect()?;
        match self.writer.write().await.take() {
            Some(writer) => writer.close().await,
            None => Ok(()),
        }
    }

    pub(super) fn read(&self) -> MutexGuard<'_, Journal> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the stored changes, in order.
    pub(super) fn facts(&self) -> Result<Vec<ServerFact>, JournalError> {
        let facts = self.read().facts()?;
        // A later version may store others.
        Ok(facts.iter().filter_map(|fact| serde_json::from_str(fact).ok()).collect())
    }

    /// Places a record in the history.
    pub(super) fn kept(
        &self,
        numbered: NumberedRecord,
    ) -> Result<Option<KeptRecord>, JournalError> {
        let NumberedRecord { id, run, record } = numbered;
        let Some(origin) = self.origin(run)? else { return Ok(None) };
        let number = record.conversation;
        let conversation = number.map(|number| format!("{}-{number}", origin.run).into());
        let record = Arc::new(record);
        Ok(Some(KeptRecord { id, vendor: origin.vendor, conversation, record }))
    }

    /// Returns where the records of a run belong; `None` if it is not a run of a server.
    pub(super) fn origin(&self, run: i64) -> Result<Option<RecordOrigin>, JournalError> {
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = origins.get(&run) {
            return Ok(Some(known.clone()));
        }
        // A run that does not exist yet can begin later.
        let found = self.read().outline(run)?.as_ref().and_then(origin_of);
        origins.extend(found.iter().map(|found| (run, found.clone())));
        Ok(found)
    }
}

/// Returns where the records of a run belong.
pub(super) fn origin_of(outline: &RunOutline) -> Option<RecordOrigin> {
    let redelivery_of: Option<Arc<str>> = outline.served.redelivery_of.as_deref().map(Into::into);
    let original = redelivery_of.as_deref().and_then(|id| id.split_once('-')?.0.parse().ok());
    Some(RecordOrigin {
        vendor: VendorRef::parse(&outline.started.vendor).id.into(),
        run: original.or_else(|| u32::try_from(outline.run).ok())?,
        redelivery_of,
    })
}
