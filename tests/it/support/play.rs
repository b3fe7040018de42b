//! A builder for runs against a receiver: `play("handover").at("ebbot").to(&receiver)`.

use std::sync::{Arc, OnceLock};

use standin::base::address::EgressPolicy;
use standin::base::clock::Clock;
use standin::base::file_store::FileStore;
use standin::base::seed::SeedScope;
use standin::config::{FILES_PORT, files_url, receiver_url};
use standin::delivery::{AttemptSlots, ClockMode, Connector, Http1Client, Transport};
use standin::diag::{Source, render::render};
use standin::emulator::{EmulatorSlot, StepOutput, rehearse};
use standin::journal::JournalWriter;
use standin::platform::{Account, Catalog, Platform, Subscription, VendorRef};
use standin::record::{Record, RecordKind, RecordLog, RunFinished};
use standin::run::{ApiAccess, EndpointPlan, RunLimits, RunPlan, StopSignal, run};
use standin::scenario::{self, SharedStaff, bundled};

use super::{Receiver, path};

/// The bundled scenarios that wait for the receiver's calls.
pub(crate) const NEEDING_CALLS: [&str; 4] = ["connector", "handback", "helpdesk", "widget"];

/// The bundled vendors and those invented for tests.
pub(crate) fn catalog() -> Catalog {
    Catalog::bundled().with_directory(&path("tests/vendors")).unwrap()
}

/// Every vendor in its documented revision.
pub(crate) fn vendors() -> Vec<Arc<Platform>> {
    let mut vendors = revisions();
    vendors.retain(|vendor| vendor.revision == "docs");
    vendors
}

/// Every bundled vendor in every revision.
pub(crate) fn bundled_revisions() -> Vec<Arc<Platform>> {
    let (catalog, mut vendors) = (Catalog::bundled(), revisions());
    vendors.retain(|vendor| catalog.contains(&vendor.id));
    vendors
}

/// Every bundled vendor in its documented revision.
pub(crate) fn bundled_vendors() -> Vec<Arc<Platform>> {
    let mut vendors = bundled_revisions();
    vendors.retain(|vendor| vendor.revision == "docs");
    vendors
}

/// Every vendor in every revision, loaded once.
pub(crate) fn revisions() -> Vec<Arc<Platform>> {
    static REVISIONS: OnceLock<Vec<Arc<Platform>>> = OnceLock::new();
    let load = |catalog: &Catalog, id: &str, revision: &str| {
        let loaded = catalog.load(&VendorRef::parse(&format!("{id}@{revision}")));
        loaded.unwrap_or_else(|problems| panic!("{}", render(problems)))
    };
    let all = || {
        let catalog = catalog();
        let of = |id: &str| -> Vec<_> {
            catalog.revisions(id).iter().map(|revision| load(&catalog, id, revision)).collect()
        };
        catalog.ids().flat_map(of).collect()
    };
    let revisions = REVISIONS.get_or_init(all);
    assert!(!revisions.is_empty(), "there are no vendors");
    revisions.clone()
}

/// A vendor by id, or by id and revision.
fn vendor(name: &str) -> Arc<Platform> {
    let found = revisions().into_iter().find(|vendor| vendor.full_id() == name);
    found.unwrap_or_else(|| panic!("no vendor is called {name}"))
}

/// The settings of a run.
#[derive(Clone)]
pub(crate) struct RunBuilder {
    source: Arc<Source>,
    vendor: String,
    seed: u64,
    conversations: u32,
    pace: ClockMode,
    events: Vec<String>,
    options: Vec<(String, String)>,
    files: Arc<FileStore>,
    files_port: u16,
    journal: Option<Arc<JournalWriter>>,
    api: Option<ApiAccess>,
}

/// The result of a run.
pub(crate) struct RunOutcome {
    /// Its records.
    pub(crate) records: Vec<Record>,
    /// Its final record.
    pub(crate) finished: RunFinished,
}

/// Starts a run of a bundled scenario, or of the text of a scenario.
pub(crate) fn play(scenario: &str) -> RunBuilder {
    let source = bundled(scenario).unwrap_or_else(|| Source::new("test.toml", scenario));
    RunBuilder {
        source,
        vendor: String::new(),
        seed: 1,
        conversations: 1,
        pace: ClockMode::Virtual,
        events: Vec::new(),
        options: Vec::new(),
        files: Arc::default(),
        files_port: FILES_PORT,
        journal: None,
        api: None,
    }
}

impl RunBuilder {
    /// Sets the vendor: `erxes` or `erxes@0.23`.
    pub(crate) fn at(mut self, vendor: &str) -> Self {
        self.vendor = vendor.into();
        self
    }

    /// Whether the vendor can play the scenario.
    pub(crate) fn is_playable(&self) -> bool {
        let vendor = vendor(&self.vendor);
        let draft = scenario::read(&self.source).unwrap();
        draft.form.is_for(&vendor.reference())
            && scenario::check(draft, &[vendor], &revisions()).unwrap().unsupported.is_empty()
    }

    /// Sets the seed [default: 1].
    pub(crate) fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the number of conversations [default: 1].
    pub(crate) fn times(mut self, conversations: u32) -> Self {
        self.conversations = conversations;
        self
    }

    /// Uses a real clock that is `speed` times faster.
    pub(crate) fn in_real_time(mut self, speed: f64) -> Self {
        self.pace = ClockMode::Real(speed);
        self
    }

    /// Subscribes to these event types.
    pub(crate) fn subscribing(mut self, patterns: &[&str]) -> Self {
        self.events = patterns.iter().map(ToString::to_string).collect();
        self
    }

    /// Sets an option of the vendor.
    pub(crate) fn option(mut self, option: &str, value: &str) -> Self {
        self.options.push((option.into(), value.into()));
        self
    }

    /// With its records stored in this journal.
    pub(crate) fn journal(mut self, journal: &Arc<JournalWriter>) -> Self {
        self.journal = Some(Arc::clone(journal));
        self
    }

    /// Uses the attachments that are served on this port.
    pub(crate) fn with_files(mut self, port: u16, files: &Arc<FileStore>) -> Self {
        (self.files_port, self.files) = (port, Arc::clone(files));
        self
    }

    /// Serves the API of the vendor in this place.
    pub(crate) fn serving(mut self, slot: &EmulatorSlot) -> Self {
        self.api = Some(ApiAccess { slot: slot.clone(), egress: EgressPolicy::default() });
        self
    }

    /// Runs against a receiver.
    pub(crate) fn to(self, receiver: &Receiver) -> RunOutcome {
        self.against(&receiver.url())
    }

    /// The steps of the first play, without sending anything.
    pub(crate) fn step_outputs(self) -> Vec<StepOutput> {
        let plan = self.plan("http://receiver.example.test/");
        let seeds = SeedScope::of_run(plan.seed);
        let staff = SharedStaff::new(&plan.script, &plan.account, seeds, plan.start);
        let subscriptions = std::slice::from_ref(&plan.endpoints[0].subscription);
        rehearse(&plan.script, &plan.account, subscriptions, &staff, 1)
            .map(|rehearsed| rehearsed.output)
            .collect()
    }

    fn plan(self, url: &str) -> RunPlan {
        let vendor = vendor(&self.vendor);
        let script = scenario::read(&self.source)
            .and_then(|draft| scenario::check(draft, &[Arc::clone(&vendor)], &revisions()))
            .unwrap_or_else(|problems| panic!("{}", render(problems)));
        let subscription = if self.events.is_empty() {
            script.subscribe.get(&vendor.id).cloned()
        } else {
            Some(Subscription::check_plain(&self.events, &vendor.type_names()).unwrap())
        };
        let mut account = Account::test(&vendor);
        account.files = files_url(self.files_port);
        for (option, value) in self.options {
            account.options.insert(option, value.into()).unwrap();
        }
        RunPlan {
            number: 1,
            occurrence: 1,
            script: Arc::new(script),
            account: Arc::new(account),
            endpoints: vec![EndpointPlan::new(
                1,
                receiver_url(url).unwrap(),
                vendor.subscription(subscription),
            )],
            seed: self.seed,
            start: "2026-01-05T09:00:00Z".parse().unwrap(),
            pace: self.pace,
            plays: self.conversations,
            files: self.files,
            resume: None,
            memory: None,
            stop: StopSignal::default(),
            limits: RunLimits::default(),
            slots: AttemptSlots::default(),
            api: self.api,
        }
    }

    /// Runs against a URL.
    pub(crate) fn against(self, url: &str) -> RunOutcome {
        let journal = self.journal.clone();
        let plan = self.plan(url);
        let wire = plan.account.platform.wire.clone();
        let connector = Connector::new(EgressPolicy::default());
        execute(plan, Http1Client::new(connector, wire), journal.as_deref())
    }

    /// Runs with a transport of the test, without sockets.
    pub(crate) fn with_transport(self, transport: impl Transport) -> RunOutcome {
        execute(self.plan("http://127.0.0.1:9/"), transport, None)
    }
}

fn execute(
    plan: RunPlan,
    transport: impl Transport,
    journal: Option<&JournalWriter>,
) -> RunOutcome {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let log = RecordLog::new(1, Clock::System);
        if let Some(journal) = journal {
            journal.attach(&log);
        }
        let mut subscription = log.subscribe(1).unwrap();
        let playing = tokio::spawn(run(plan, Arc::new(transport), log));
        let mut records = Vec::new();
        while let Some(record) = subscription.next().await {
            records.push(Record::clone(&record));
        }
        RunOutcome { records, finished: playing.await.unwrap() }
    })
}

impl RunOutcome {
    /// The first result of `pick` over the records.
    pub(crate) fn find<T>(&self, pick: impl Fn(&RecordKind) -> Option<T>) -> Option<T> {
        self.records.iter().find_map(|record| pick(&record.kind))
    }

    /// Number of records for which `is` holds.
    pub(crate) fn count(&self, is: impl Fn(&RecordKind) -> bool) -> usize {
        self.records.iter().filter(|record| is(&record.kind)).count()
    }
}
