//! The live state of a server: one emulator per vendor, their runs, and the records of both.
//!
//! It knows no HTTP. The control API, the page and the command line all act through it.

mod deliveries;
mod error;
mod history;
mod kept_record;
mod metrics;
mod run;
mod run_registry;
mod runs;
mod scenarios;
mod vendor;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::watch;
use tokio::time::timeout;

use self::run_registry::ServedRuns;
use crate::base::address::EgressPolicy;
use crate::base::file_store::FileStore;
use crate::base::limits::DRAIN_TIMEOUT;
use crate::base::redact::Redactor;
use crate::delivery::AttemptSlots;
use crate::diag::Source;
use crate::platform::{Account, Platform};

pub use deliveries::{ConversationCounts, DeliveryFilter, DeliveryState, DeliverySummary};
pub use error::LiveError;
pub use history::{History, HistoryVersion, RecordFilter, RecordGap};
pub use kept_record::KeptRecord;
pub use metrics::Metrics;
pub use run::{RunPhase, ServedRun};
pub use runs::RunRequest;
pub use scenarios::ScenarioCheck;
pub use vendor::{EndpointRequest, ServedEndpoint, ServedVendor};

/// Everything that a server is started with.
pub struct ServerPlan {
    /// The accounts to emulate, one per vendor.
    pub accounts: Vec<Arc<Account>>,
    /// All vendors whose names are valid in scenarios.
    pub known: Vec<Arc<Platform>>,
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
}

/// A scenario that can be run.
#[derive(Clone, Debug)]
pub struct OfferedScenario {
    /// Name by which a run starts it.
    pub name: String,
    /// Title.
    pub title: String,
    /// What it is for.
    pub about: Option<String>,
    /// Ids of the vendors that it can be run at.
    pub vendors: Vec<String>,
}

/// A live server.
pub struct LiveServer {
    vendors: Vec<ServedVendor>,
    known: Vec<Arc<Platform>>,
    scenarios: Vec<Arc<Source>>,
    /// The scenarios without problems. Checked when they are first listed, which takes time.
    offered: OnceLock<Vec<OfferedScenario>>,
    redactor: Redactor,
    files: Arc<FileStore>,
    slots: AttemptSlots,
    /// Records of all runs.
    pub history: Arc<History>,
    runs: ServedRuns,
    /// The runtime on which runs are played. Requests arrive on another one.
    runtime: tokio::runtime::Handle,
    is_draining: AtomicBool,
}

impl LiveServer {
    /// Starts an emulator for each account on the current runtime.
    pub fn start(plan: ServerPlan) -> Arc<Self> {
        let ServerPlan { accounts, known, scenarios, egress, redactor, files, slots } = plan;
        let vendor = |account| ServedVendor::start(account, egress, slots.clone());
        let vendors = accounts.into_iter().map(vendor).collect();
        Arc::new(Self {
            vendors,
            known,
            scenarios,
            offered: OnceLock::new(),
            redactor,
            files,
            slots,
            history: Arc::default(),
            runs: ServedRuns::default(),
            runtime: tokio::runtime::Handle::current(),
            is_draining: AtomicBool::new(false),
        })
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

    /// Adds an endpoint to a vendor.
    ///
    /// # Errors
    /// The vendor does not exist, or the address or a pattern is not valid.
    pub fn add_endpoint(
        &self,
        vendor: &str,
        request: EndpointRequest,
    ) -> Result<ServedEndpoint, LiveError> {
        let endpoint = self.vendor(vendor)?.add_endpoint(request)?;
        self.history.touch();
        Ok(endpoint)
    }

    /// Removes an endpoint of a vendor.
    ///
    /// # Errors
    /// There is no such endpoint.
    pub fn remove_endpoint(&self, vendor: &str, number: u32) -> Result<(), LiveError> {
        self.vendor(vendor)?.remove_endpoint(number)?;
        self.history.touch();
        Ok(())
    }

    /// Whether the server accepts new runs.
    pub fn is_ready(&self) -> bool {
        !self.is_draining.load(Ordering::SeqCst)
    }

    /// Watches what has changed: records and runs.
    pub fn changes(&self) -> watch::Receiver<HistoryVersion> {
        self.history.changes()
    }

    /// Accepts no more runs, ends those in progress, and waits until no request is in flight.
    pub async fn drain(&self) {
        self.is_draining.store(true, Ordering::SeqCst);
        let ending = async {
            for run in self.runs.all() {
                self.cancel(&run).await;
                run.ended().await;
            }
            for vendor in &self.vendors {
                vendor.emulator.stop().await;
            }
        };
        // A receiver that does not respond must not keep the process alive.
        let _ = timeout(DRAIN_TIMEOUT, ending).await;
    }
}
