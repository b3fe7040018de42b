//! The runs of a command. All are planned before the first one starts, so that every problem is
//! reported before anything is sent. Their plans are not kept: each is made again when its turn comes,
//! so that memory does not grow with their number.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use url::Url;

use crate::delivery::ConnectionOptions;
use crate::diag::{Problem, Problems, code};
use crate::platform::Platform;
use crate::run::{ApiAccess, RunPlan};

/// The runs of a command, planned when their turn comes.
pub(super) struct PlannedRuns<'a> {
    runs: Vec<PlannedRun>,
    /// Plans all runs of one scenario file again, one row of its table at a time.
    replan: Box<dyn Fn(usize) -> Result<PlanIterator<'a>, Problems> + 'a>,
    /// Where the last plan came from. Runs of a file follow each other.
    cursor: RefCell<Option<PlanCursor<'a>>>,
    receivers: Vec<PlannedReceiver>,
    /// The vendors of all runs, each once.
    platforms: Vec<Arc<Platform>>,
    /// The APIs that are served during the runs, by vendor.
    apis: BTreeMap<String, ApiAccess>,
    /// Whether a run has several conversations.
    pub(super) has_many_conversations: bool,
}

/// Iterates over the plans of a scenario file.
pub(super) type PlanIterator<'a> = Box<dyn Iterator<Item = Result<RunPlan, Problems>> + 'a>;

/// What is known of a run until its turn comes.
struct PlannedRun {
    /// Index of its scenario file.
    file: usize,
    /// Index among the plans of the file.
    index: usize,
    /// Name of its scenario file.
    name: String,
    fingerprint: Fingerprint,
}

struct PlanCursor<'a> {
    file: usize,
    /// Index of the next plan.
    next: usize,
    plans: PlanIterator<'a>,
}

/// A receiver of one of the runs.
pub(super) struct PlannedReceiver {
    pub(super) vendor: String,
    pub(super) url: Url,
    /// The URL as output shows it.
    pub(super) shown: String,
    pub(super) options: Arc<ConnectionOptions>,
}

/// Hash of what was checked. A run whose files have changed since then has another one.
type Fingerprint = [u8; 32];

impl<'a> PlannedRuns<'a> {
    /// No runs yet. `replan` plans those of a scenario file again.
    pub(super) fn new(replan: impl Fn(usize) -> Result<PlanIterator<'a>, Problems> + 'a) -> Self {
        Self {
            runs: Vec::new(),
            replan: Box::new(replan),
            cursor: RefCell::new(None),
            receivers: Vec::new(),
            platforms: Vec::new(),
            apis: BTreeMap::new(),
            has_many_conversations: false,
        }
    }

    /// One run.
    pub(super) fn one(plan: RunPlan) -> Self {
        let planned = plan.clone();
        let mut runs = Self::new(move |_| Ok(Box::new(std::iter::once(Ok(plan.clone())))));
        runs.add(0, 0, &planned);
        runs
    }

    /// Adds a run: plan number `index`, from 0, of a scenario file.
    pub(super) fn add(&mut self, file: usize, index: usize, plan: &RunPlan) {
        let platform = &plan.account.platform;
        if self.platforms.iter().all(|known| known.id != platform.id) {
            self.platforms.push(Arc::clone(platform));
        }
        let vendor = platform.full_id();
        for endpoint in &plan.endpoints {
            let is_known = |known: &PlannedReceiver| {
                known.url == endpoint.url && Arc::ptr_eq(&known.options, &endpoint.options)
            };
            if !self.receivers.iter().any(is_known) {
                self.receivers.push(PlannedReceiver {
                    vendor: vendor.clone(),
                    url: endpoint.url.clone(),
                    shown: endpoint.shown_url(),
                    options: Arc::clone(&endpoint.options),
                });
            }
        }
        self.has_many_conversations |= plan.plays > 1;
        let (name, fingerprint) = (plan.script.file.clone(), fingerprint(plan));
        self.runs.push(PlannedRun { file, index, name, fingerprint });
    }

    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The receivers of all runs, each once.
    pub(super) fn receivers(&self) -> &[PlannedReceiver] {
        &self.receivers
    }

    /// The vendors of all runs, each once.
    pub(super) fn platforms(&self) -> &[Arc<Platform>] {
        &self.platforms
    }

    /// Returns true if the API of a vendor is served during the runs.
    pub(super) fn serves_apis(&self) -> bool {
        !self.apis.is_empty()
    }

    /// Lets the runs serve the APIs of these vendors, by id.
    pub(super) fn serve_apis(&mut self, apis: BTreeMap<String, ApiAccess>) {
        self.apis = apis;
    }

    /// Plans a run, by its index.
    ///
    /// # Errors
    ///
    /// Fails if its files have changed since they were checked.
    pub(super) fn plan(&self, run: usize) -> Result<RunPlan, Problems> {
        let PlannedRun { file, index, ref name, fingerprint: checked } = self.runs[run];
        let mut cursor = self.cursor.borrow_mut();
        let is_ahead = |cursor: &PlanCursor<'_>| cursor.file == file && cursor.next <= index;
        let mut current = match cursor.take().filter(is_ahead) {
            Some(current) => current,
            None => PlanCursor { file, next: 0, plans: (self.replan)(file)? },
        };
        let plan = current.plans.nth(index - current.next).transpose()?;
        current.next = index + 1;
        *cursor = Some(current);
        let plan = plan.filter(|plan| fingerprint(plan) == checked).ok_or_else(|| changed(name))?;
        Ok(RunPlan { api: self.apis.get(&plan.account.platform.id).cloned(), ..plan })
    }
}

fn changed(file: &str) -> Problems {
    let message = format!("`{file}`, or a file that it names, has changed since it was checked");
    let problem = Problem::anywhere(code::FILE_UNREADABLE, message);
    problem.help("run the command again; change no files while it runs").into()
}

/// Hashes what a scenario file decides about a run.
fn fingerprint(plan: &RunPlan) -> Fingerprint {
    struct Hasher(Sha256);
    impl fmt::Write for Hasher {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.update(text);
            Ok(())
        }
    }
    let mut hasher = Hasher(Sha256::new());
    // The debug form has everything. The hash is compared within one process only. Without the start of
    // the plan: a run that starts now has another one when its turn comes.
    let _ = write!(hasher, "{:?} {}", plan.script, plan.seed);
    hasher.0.finalize().into()
}
