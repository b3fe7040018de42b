//! The live state of a server: one emulator per vendor, their runs, and the records of both.
//!
//! It knows no HTTP. The control API, the page and the command line all act through it.

mod calls;
mod clients;
mod conversations;
mod counts;
mod deliveries;
mod endpoint_states;
mod endpoints;
mod error;
mod history;
mod history_list;
mod kept_record;
mod metrics;
mod past;
mod past_calls;
mod redelivery;
mod reload;
mod reports;
mod restore;
mod run;
mod run_registry;
mod runs;
mod scenario_list;
mod scenarios;
mod steering;
mod store;
mod uploads;
mod vendor;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use tokio::sync::watch;
use tokio::time::timeout;

use self::run_registry::ServedRuns;
use self::scenario_list::ServedScenarios;
use self::store::ServerJournal;
use crate::base::address::EgressPolicy;
use crate::base::file_store::FileStore;
use crate::base::limits::DRAIN_TIMEOUT;
use crate::base::redact::Redactor;
use crate::delivery::AttemptSlots;
use crate::diag::Source;
use crate::journal::{JournalError, WriteOptions};
use crate::platform::{Account, Platform};

pub use calls::{CallFilter, CallSummary};
pub use conversations::{ConversationFilter, ListedConversation};
pub use counts::ConversationCounts;
pub use deliveries::{DeliveryFilter, DeliveryState, DeliverySummary};
pub use endpoint_states::{EndpointState, HandshakeSummary};
pub use endpoints::ListedEndpoint;
pub use error::LiveError;
pub use history::{History, HistoryVersion, RecordFilter, RecordGap};
pub use history_list::{HistoryFilter, HistoryPage};
pub use kept_record::KeptRecord;
pub use metrics::Metrics;
pub use past::{ListedRun, RecordsError, RunFilter};
pub use reload::ReloadPlan;
pub use run::{RunPhase, ServedRun};
pub use runs::RunRequest;
pub use scenario_list::OfferedScenario;
pub use scenarios::{ScenarioChange, ScenarioCheck, playable_script};
pub use steering::{RestartRequest, can_turn_on};
pub use uploads::UploadedFile;
pub use vendor::{EndpointRequest, ServedEndpoint, ServedVendor};

/// Everything that a server is started with.
pub struct ServerPlan {
    /// The accounts to emulate, one per vendor.
    pub accounts: Vec<Arc<Account>>,
    /// All vendors whose names are valid in scenarios.
    pub known: Vec<Arc<Platform>>,
    /// The scenarios of conversations that clients open.
    pub on_open: ScenariosOnOpen,
    /// The scenarios that can be run.
    pub scenarios: Vec<Arc<Source>>,
    /// The addresses that may be sent to.
    pub egress: EgressPolicy,
    /// Replaces configured secrets in all records.
    pub redactor: Redactor,
    /// The sample attachments.
    pub files: Arc<FileStore>,
    /// The concurrency limit of the process.
    pub slots: AttemptSlots,
    /// The journal, from which the state is restored; `None` keeps everything in memory only.
    pub journal: Option<JournalPlan>,
}

/// Scenarios by the id of the vendor at which clients open conversations.
pub type ScenariosOnOpen = BTreeMap<String, Arc<Source>>;

/// Where a server stores its state.
#[derive(Clone, Debug)]
pub struct JournalPlan {
    /// The file.
    pub path: PathBuf,
    /// How it is written.
    pub options: WriteOptions,
}

/// A live server.
pub struct LiveServer {
    vendors: Vec<ServedVendor>,
    known: RwLock<Vec<Arc<Platform>>>,
    /// The scenarios of conversations that clients open, by the id of the vendor.
    on_open: RwLock<ScenariosOnOpen>,
    scenarios: Mutex<ServedScenarios>,
    redactor: RwLock<Redactor>,
    files: Arc<FileStore>,
    slots: AttemptSlots,
    /// Records of all runs.
    pub history: Arc<History>,
    runs: Arc<ServedRuns>,
    /// The runtime on which runs are played. Requests arrive on another one.
    runtime: tokio::runtime::Handle,
    is_draining: AtomicBool,
    journal: Option<ServerJournal>,
    /// Why runs could not be restored, by number.
    lost: Mutex<BTreeMap<u32, String>>,
    /// Held while a run is restored or dropped from memory, so that neither meets the other.
    restoring: Arc<tokio::sync::Mutex<()>>,
    /// Held while a run begins, and exclusively while all runs are deleted: a run that begins meanwhile
    /// would lose its records.
    resetting: tokio::sync::RwLock<()>,
}

impl LiveServer {
    /// Starts an emulator for each account on the current runtime.
    ///
    /// # Errors
    /// The journal cannot be used.
    pub fn start(plan: ServerPlan) -> Result<Arc<Self>, JournalError> {
        let ServerPlan {
            accounts,
            known,
            on_open,
            scenarios,
            egress,
            redactor,
            files,
            slots,
            journal,
        } = plan;
        let vendor = |account| ServedVendor::start(account, egress, slots.clone());
        let vendors = accounts.into_iter().map(vendor).collect();
        let history: Arc<History> = Arc::default();
        let open = |plan: JournalPlan| ServerJournal::open(&plan.path, plan.options, &history);
        let journal = journal.map(open).transpose()?;
        Ok(Arc::new(Self {
            vendors,
            known: RwLock::new(known),
            on_open: RwLock::new(on_open),
            scenarios: Mutex::new(ServedScenarios::new(scenarios)),
            redactor: RwLock::new(redactor),
            files,
            slots,
            history,
            runs: Arc::default(),
            runtime: tokio::runtime::Handle::current(),
            is_draining: AtomicBool::new(false),
            journal,
            lost: Mutex::default(),
            restoring: Arc::default(),
            resetting: tokio::sync::RwLock::default(),
        }))
    }

    /// Returns the file of the journal, if there is one.
    pub fn journal_path(&self) -> Option<&Path> {
        self.journal.as_ref().map(ServerJournal::path)
    }

    /// The emulated vendors.
    pub fn vendors(&self) -> &[ServedVendor] {
        &self.vendors
    }

    /// Returns the vendor with this id.
    ///
    /// # Errors
    /// There is no such vendor.
    pub fn vendor(&self, id: &str) -> Result<&ServedVendor, LiveError> {
        let matches = |vendor: &&ServedVendor| vendor.id() == id;
        self.vendors.iter().find(matches).ok_or_else(|| {
            let ids: Vec<&str> = self.vendors.iter().map(ServedVendor::id).collect();
            LiveError::unknown("vendor", id, &ids)
        })
    }

    /// Returns whether the server accepts new runs.
    ///
    /// # Errors
    /// The reason why it does not.
    pub fn readiness(&self) -> Result<(), LiveError> {
        if self.is_draining.load(Ordering::SeqCst) {
            return Err(LiveError::unavailable("the server is about to end", "start it again"));
        }
        match self.journal.as_ref().and_then(ServerJournal::failure) {
            None => Ok(()),
            Some(reason) => {
                let message = format!("nothing can be stored: {reason}");
                Err(LiveError::unavailable(message, "remove the cause, and start the server again"))
            }
        }
    }

    /// An error about a change that was not stored.
    fn not_stored(&self) -> LiveError {
        let stopped = || LiveError::unavailable("the server is about to end", "start it again");
        self.readiness().err().unwrap_or_else(stopped)
    }

    /// Watches what has changed: records and runs.
    pub fn changes(&self) -> watch::Receiver<HistoryVersion> {
        self.history.changes()
    }

    /// Accepts no more runs, and waits until no request is in flight. With a journal, runs continue
    /// after a restart; without one, they are cancelled.
    pub async fn drain(&self) {
        self.is_draining.store(true, Ordering::SeqCst);
        let ending = async {
            self.mark_clocks().await;
            for run in self.runs.all() {
                if self.journal.is_none() {
                    self.end(&run).await;
                    run.ended().await;
                } else {
                    let _ = run.suspend.send(true);
                }
            }
            for vendor in &self.vendors {
                vendor.emulator.stop().await;
            }
        };
        // A receiver that does not respond must not keep the process alive.
        let _ = timeout(DRAIN_TIMEOUT, ending).await;
    }

    /// Closes the journal behind the last record.
    ///
    /// # Errors
    /// A record could not be stored.
    pub async fn close(&self) -> Result<(), JournalError> {
        let Some(journal) = &self.journal else { return Ok(()) };
        self.runs.all().iter().for_each(|run| run.log.close());
        journal.close().await
    }
}
