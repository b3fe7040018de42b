//! Setup that commands share: configuration, vendors, scenarios, receivers and signals.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::connection_args::ConnectionArgs;
use super::exit::{CommandError, ExitStatus};
use super::global::Global;
use super::inputs::{read, scenarios};
use super::terminal::note;
use crate::base::address::EgressPolicy;
use crate::base::clock::Clock;
use crate::base::file_store::FileStore;
use crate::base::redact::Redactor;
use crate::base::text::escape;
use crate::base::url_reference::url_secrets;
use crate::config::{
    Config, EndpointForm, FILES_PORT, FilesAddress, HEADER_VALUE_RULE, ReceiverUrl, StartTime,
    is_header_value,
};
use crate::delivery::{AttemptSlots, ConnectionOptions};
use crate::diag::{Problem, Problems, Spanned, code};
use crate::emulator::SYNTHETIC;
use crate::platform::{
    Account, AccountName, Catalog, Platform, RequestFacts, Signing, Subscription, VendorRef,
};
use crate::scenario::ParsedScenario;
use crate::server::serve_files;

/// Configuration file in the working folder, read if there is no `--config`.
const CONFIG: &str = "standin.toml";

/// Configuration and vendors, read before a command does anything.
pub(super) struct Setup {
    pub(super) config: Config,
    pub(super) catalog: Catalog,
    /// Name of the account at every vendor; `None` for the test accounts.
    pub(super) account_name: Option<AccountName>,
    /// The concurrency limit, which all runs of the command share.
    pub(super) slots: AttemptSlots,
    /// The vendors that have been loaded without problems. Thousands of scenarios share one.
    platforms: RefCell<BTreeMap<VendorRef, Arc<Platform>>>,
    /// The accounts that have no problems, by the full id of their vendor.
    accounts: RefCell<BTreeMap<String, Arc<Account>>>,
    /// Options of connections, by the place of their receiver in the configuration. Reading their files
    /// for each run would take time.
    connections: RefCell<BTreeMap<Option<usize>, Arc<ConnectionOptions>>>,
    // Loaded on first use: most commands need one vendor, and checking all of them takes time.
    loaded: OnceCell<(Vec<Arc<Platform>>, Problems)>,
}

impl Setup {
    /// Reads the configuration file and the vendor folders.
    pub(super) fn read(global: &Global) -> Result<Self, CommandError> {
        let path = config_path(global);
        let source = path.as_deref().map(read).transpose()?;
        let (config, mut problems) = Config::read_partial(source.as_ref());
        let Some(mut config) = config else { return Err(problems.into()) };
        config.files.port = global.files_port.unwrap_or(config.files.port);
        config.files.host = global.files_host.clone().unwrap_or(config.files.host);
        let catalog = match &global.templates {
            Some(directory) => problems.note(Catalog::bundled().with_directory(directory)),
            None => Some(Catalog::bundled()),
        };
        let Some(catalog) = catalog else { return Err(problems.into()) };
        let setup = Self { account_name: global.account.clone(), ..Self::new(config, catalog) };
        problems.extend(setup.unknown_vendors());
        problems.into_result(Some(setup)).map_err(CommandError::from)
    }

    /// Combines a configuration with a catalog of vendors.
    pub(super) fn new(config: Config, catalog: Catalog) -> Self {
        Self {
            config,
            catalog,
            account_name: None,
            slots: AttemptSlots::default(),
            platforms: RefCell::default(),
            accounts: RefCell::default(),
            connections: RefCell::default(),
            loaded: OnceCell::new(),
        }
    }

    /// Returns the redactor of every configured credential, of whichever vendor: one may appear in a
    /// text or a response of another.
    pub(super) fn redactor(&self) -> Redactor {
        let mut secrets = Vec::new();
        for (vendor, settings) in self.config.vendors.iter() {
            for (name, reference) in settings.secret.iter() {
                let secret = reference.resolve().ok();
                let reference = format!("${{{}.secret.{}}}", vendor.name, name.name);
                secrets.extend(secret.map(|secret| (reference, secret)));
            }
        }
        for endpoint in &self.config.endpoints {
            // Problems of headers are reported where the headers are used.
            let headers = endpoint.resolve_headers(&mut Problems::new());
            let vendor = &endpoint.vendor.value;
            let reference = |name: &str| format!("${{{vendor}.header.{name}}}");
            secrets.extend(headers.into_iter().map(|(name, secret)| (reference(&name), secret)));
            if let Ok(ReceiverUrl { url, reference: Some(reference) }) = endpoint.url.resolve() {
                secrets.extend(url_secrets(&url, Some(&reference)));
            }
        }
        Redactor::new(secrets.iter().map(|(reference, secret)| (reference.clone(), secret)))
    }

    /// Returns the ids of all vendors.
    pub(super) fn ids(&self) -> Vec<&str> {
        self.catalog.ids().collect()
    }

    /// Reports the vendors that the configuration names and the catalog does not contain.
    fn unknown_vendors(&self) -> Problems {
        let config = &self.config;
        let settings = config.vendors.0.iter().map(|(key, _)| (key.name.clone(), &key.span));
        let id_of = |name: &Spanned<String>| VendorRef::parse(name).id;
        let endpoints = config.endpoints.iter().map(|e| (e.vendor.value.clone(), &e.vendor.span));
        let demo = std::iter::once((id_of(&config.demo_vendor), &config.demo_vendor.span));
        let mut problems = Problems::new();
        for (id, span) in settings.chain(endpoints).chain(demo) {
            if self.catalog.contains(&id) {
                continue;
            }
            let problem = match VendorRef::parse(&id) {
                VendorRef { id: known, revision: Some(revision) }
                    if self.catalog.contains(&known) =>
                {
                    let message = format!("`{id}` is a vendor with a revision, expected a vendor");
                    let help = format!(
                        "write `{known}` here, and `revision = \"{revision}\"` in [vendor.{known}]"
                    );
                    Problem::anywhere(code::UNKNOWN_VENDOR, message).help(help)
                }
                _ => self.catalog.unknown(&id),
            };
            problems.extend(Problems::from(problem).with_default_span(span));
        }
        problems
    }

    /// Reports every problem of the settings that depend on vendors and scenarios.
    pub(super) fn check_config(&self) -> Problems {
        let mut problems = self.unknown_vendors();
        let exists = |id: &str| self.catalog.contains(id);
        for (key, _) in self.config.vendors.iter().filter(|(key, _)| exists(&key.name)) {
            let vendor = self.vendor(&key.name);
            problems.note(vendor.and_then(|vendor| self.account(&vendor)));
        }
        for endpoint in self.config.endpoints.iter().filter(|e| exists(&e.vendor)) {
            endpoint.resolve_headers(&mut problems);
            let resolved = endpoint.url.resolve();
            problems.note(resolved.map_err(|unusable| {
                Problems::from(unusable).with_default_span(&endpoint.url.span)
            }));
            // Whether an address may be used depends on flags of other commands.
            let everywhere = EgressPolicy { public: true };
            problems.note(ConnectionArgs::default().options(Some(endpoint), everywhere));
            if let Ok(vendor) = self.vendor(&endpoint.vendor) {
                endpoint_subscription(endpoint, &vendor, &mut problems);
                // Problems of the account are reported above.
                let account = self.account(&vendor);
                account.iter().for_each(|account| check_headers(endpoint, account, &mut problems));
            }
        }
        let scenario = &self.config.demo_scenario;
        let sources = scenarios(std::slice::from_ref(&scenario.value));
        problems.note(sources.map_err(|unknown| unknown.with_default_span(&scenario.span)));
        problems
    }

    /// Loads a vendor. The revision comes from the name (`VENDOR@REVISION`), then from the configuration.
    pub(super) fn vendor(&self, name: &str) -> Result<Arc<Platform>, Problems> {
        let reference = VendorRef::parse(name);
        let settings = self.config.vendors.get(&reference.id);
        let configured = settings.and_then(|settings| settings.revision.as_ref());
        match configured.filter(|_| reference.revision.is_none()) {
            None => self.load(reference),
            Some(revision) => {
                let reference = VendorRef { revision: Some(revision.value.clone()), ..reference };
                self.load(reference).map_err(|problems| problems.with_default_span(&revision.span))
            }
        }
    }

    /// Loads a vendor as real servers are: if neither the name nor the configuration has a revision,
    /// in the one that matches them.
    pub(super) fn observed_vendor(&self, name: &str) -> Result<Arc<Platform>, Problems> {
        let vendor = self.vendor(name)?;
        let settings = self.config.vendors.get(&vendor.id);
        let is_chosen = VendorRef::parse(name).revision.is_some()
            || settings.is_some_and(|settings| settings.revision.is_some());
        match vendor.instead.clone().filter(|_| !is_chosen) {
            Some(revision) => {
                self.load(VendorRef { id: vendor.id.clone(), revision: Some(revision) })
            }
            None => Ok(vendor),
        }
    }

    fn load(&self, reference: VendorRef) -> Result<Arc<Platform>, Problems> {
        if let Some(platform) = self.platforms.borrow().get(&reference) {
            return Ok(Arc::clone(platform));
        }
        let platform = self.catalog.load(&reference)?;
        self.platforms.borrow_mut().insert(reference, Arc::clone(&platform));
        Ok(platform)
    }

    /// Loads the vendors that a scenario names, or all of them if it names none. Problems are added
    /// to the draft.
    pub(super) fn vendors_of(&self, draft: &mut ParsedScenario) -> Vec<Arc<Platform>> {
        let names = draft.form.vendors.as_ref().map(|names| names.to_vec()).unwrap_or_default();
        let mut vendors = Vec::new();
        for name in names {
            // The check of the scenario reports unknown names, so they are not reported here.
            if self.catalog.contains(&VendorRef::parse(&name).id) {
                let vendor =
                    self.vendor(&name).map_err(|others| others.with_default_span(&name.span));
                vendors.extend(draft.problems.note(vendor));
            }
        }
        if vendors.is_empty() {
            draft.problems.extend(self.all().1.clone());
            return self.vendors().to_vec();
        }
        vendors
    }

    /// Returns every vendor in its configured revision, and the revisions that a scenario lists: what
    /// one of them has is valid in the file, although the run may be at another one.
    pub(super) fn known_to(&self, draft: &ParsedScenario) -> Vec<Arc<Platform>> {
        let listed = draft.form.vendors.iter().flat_map(|names| names.iter());
        // Problems of a vendor that is not played at do not matter.
        let listed = listed.filter_map(|name| self.vendor(name).ok());
        self.vendors().iter().cloned().chain(listed).collect()
    }

    /// Returns the vendors that load without problems, and the problems of the others.
    fn all(&self) -> &(Vec<Arc<Platform>>, Problems) {
        self.loaded.get_or_init(|| {
            let (mut vendors, mut problems) = (Vec::new(), Problems::new());
            for id in self.catalog.ids() {
                vendors.extend(problems.note(self.vendor(id)));
            }
            (vendors, problems)
        })
    }

    /// Returns every vendor in its configured revision. Any invalid vendor folder is an error.
    pub(super) fn all_vendors(&self) -> Result<Vec<Arc<Platform>>, Problems> {
        let (vendors, problems) = self.all().clone();
        problems.into_result(Some(vendors))
    }

    /// Returns every vendor that loads without problems, in its configured revision.
    pub(super) fn vendors(&self) -> &[Arc<Platform>] {
        &self.all().0
    }

    /// Returns the options of connections to a receiver; `None` stands for those of `--to`. `args` are the
    /// flags, which are the same for the whole command.
    pub(super) fn connection(
        &self,
        args: &ConnectionArgs,
        form: Option<&EndpointForm>,
        egress: EgressPolicy,
    ) -> Result<Arc<ConnectionOptions>, Problems> {
        let place = form.map(|form| form.url.span.range.start);
        if let Some(known) = self.connections.borrow().get(&place) {
            return Ok(Arc::clone(known));
        }
        let options = args.options(form, egress)?;
        self.connections.borrow_mut().insert(place, Arc::clone(&options));
        Ok(options)
    }

    /// Creates the account at a vendor with the credentials and options of the configuration.
    pub(super) fn account(&self, vendor: &Arc<Platform>) -> Result<Arc<Account>, Problems> {
        if let Some(account) = self.accounts.borrow().get(&vendor.full_id()) {
            return Ok(Arc::clone(account));
        }
        let account = self.new_account(vendor)?;
        self.accounts.borrow_mut().insert(vendor.full_id(), Arc::clone(&account));
        Ok(account)
    }

    /// Returns the accounts at these vendors, for checks. An account whose secrets are missing is
    /// replaced by the test account, because checks need no secrets.
    pub(super) fn accounts(&self, vendors: &[Arc<Platform>]) -> Vec<Arc<Account>> {
        let test = |vendor| Arc::new(Account::test(vendor));
        vendors.iter().map(|vendor| self.account(vendor).unwrap_or_else(|_| test(vendor))).collect()
    }

    fn new_account(&self, vendor: &Arc<Platform>) -> Result<Arc<Account>, Problems> {
        let mut problems = Problems::new();
        let (name, settings) = (self.account_name.as_ref(), self.config.vendors.get(&vendor.id));
        let mut account = Account::configured(vendor, name, settings, &mut problems);
        account.files = self.config.files.url();
        // Checked here since secrets come from the environment or from files: a newline in one of
        // them would otherwise fail when the first request is sent.
        let signing = Signing::of(&account);
        let event = RequestFacts::of_event("", 1, Timestamp::UNIX_EPOCH, None);
        let handshake = RequestFacts::of_handshake("", Timestamp::UNIX_EPOCH);
        let headers = [event, handshake].into_iter().flat_map(|facts| signing.headers(&facts));
        let is_invalid = |(_, value): &(String, String)| !is_header_value(value);
        if let Some((name, _)) = headers.into_iter().find(is_invalid) {
            let message = format!("a secret of {} is not valid in the header `{name}`", vendor.id);
            let problem = Problem::anywhere(code::INVALID_HEADER, message);
            problems.push(problem.help(HEADER_VALUE_RULE));
        }
        problems.into_result(Some(Arc::new(account)))
    }

    /// Returns the base URL of a vendor's API: with the configured port, or the word PORT.
    pub(super) fn api_url(&self, vendor: &Platform) -> String {
        self.api_port(vendor).map_or_else(
            || "http://127.0.0.1:PORT".to_owned(),
            |port| format!("http://127.0.0.1:{port}"),
        )
    }

    /// Returns the configured port of a vendor's API.
    pub(super) fn api_port(&self, vendor: &Platform) -> Option<u16> {
        let settings = self.config.vendors.get(&vendor.id);
        Some(settings?.port.as_ref()?.value.get())
    }

    /// Reports a vendor without an API.
    pub(super) fn check_api(&self, vendor: &Platform) -> Result<(), Problem> {
        if !vendor.api.is_empty() {
            return Ok(());
        }
        let message = format!("the folder of {} describes no API", vendor.name);
        Err(Problem::anywhere(code::NOTHING_TO_RUN, message).help(self.vendors_with_api()))
    }

    /// Lists the vendors that have an API, for help.
    pub(super) fn vendors_with_api(&self) -> String {
        let with_api = self.vendors().iter().filter(|vendor| !vendor.api.is_empty());
        let names: Vec<&str> = with_api.map(|vendor| vendor.id.as_str()).collect();
        format!("vendors with an API: {}", names.join(", "))
    }

    /// Returns the receivers that the configuration names for a vendor.
    pub(super) fn endpoints(&self, vendor: &str) -> Vec<&EndpointForm> {
        self.config.endpoints.iter().filter(|endpoint| endpoint.vendor.value == vendor).collect()
    }
}

/// Checks the `events` of a configured endpoint. Returns nothing if it has none.
pub(super) fn endpoint_subscription(
    endpoint: &EndpointForm,
    vendor: &Platform,
    problems: &mut Problems,
) -> Option<Subscription> {
    let events = endpoint.events.as_ref()?;
    Some(Subscription::check(events, &vendor.type_names(), problems))
}

/// Reports the headers of an endpoint that the requests of the account have already.
pub(super) fn check_headers(endpoint: &EndpointForm, account: &Account, problems: &mut Problems) {
    endpoint.reject_headers(&header_names(account), problems);
}

/// Returns the names of the headers that the requests of an account have.
pub(super) fn header_names(account: &Account) -> Vec<String> {
    let signing = Signing::of(account);
    let event = RequestFacts::of_event("", 1, Timestamp::UNIX_EPOCH, None);
    let handshake = RequestFacts::of_handshake("", Timestamp::UNIX_EPOCH);
    let headers = [event, handshake].into_iter().flat_map(|facts| signing.headers(&facts));
    let mut names: Vec<String> = headers.map(|(name, _)| name).collect();
    names.push(SYNTHETIC.to_owned());
    names
}

/// Returns the path of the configuration: `--config`, or `standin.toml` in the working folder.
pub(super) fn config_path(global: &Global) -> Option<PathBuf> {
    // A dangling link counts as present, so that it is reported and not silently ignored.
    let here = || Some(PathBuf::from(CONFIG)).filter(|path| path.symlink_metadata().is_ok());
    global.config.clone().or_else(here)
}

/// Parses the speed of a real clock. clap prints the error.
pub(super) fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if (0.01..=1000.0).contains(&factor) => Ok(factor),
        _ => Err("expected a number from 0.01 to 1000".into()),
    }
}

/// Resolves a start time to an instant.
pub(super) fn instant(start: StartTime) -> Timestamp {
    match start {
        StartTime::At(instant) => instant,
        StartTime::Now => Clock::System.now(),
    }
}

/// Signals that end the process: Ctrl-C, and SIGTERM on Unix.
pub(super) struct Signals {
    #[cfg(unix)]
    signals: [Signal; 2],
}

impl Signals {
    /// Starts to listen. From now on Ctrl-C no longer kills the process.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            signals: [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?],
        })
    }

    /// Waits for the next signal.
    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        {
            let [interrupt, terminate] = &mut self.signals;
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Runs a future until it finishes or a signal arrives.
pub(super) fn until_interrupted(
    work: impl Future<Output = Result<ExitStatus, CommandError>>,
) -> Result<ExitStatus, CommandError> {
    runtime(1)?.block_on(async {
        let mut signals = Signals::listen()?;
        tokio::select! {
            exit = work => exit,
            () = signals.next() => {
                note("interrupted");
                Ok(ExitStatus::Interrupted)
            }
        }
    })
}

/// Serves the sample attachments while `work` runs.
pub(super) async fn while_serving_files<T>(
    address: &FilesAddress,
    work: impl AsyncFnOnce(Arc<FileStore>) -> T,
) -> T {
    let (serving, files) = serve_files(address);
    // An explicitly chosen port is reported at once. The default port is reported at the end of a
    // run, and only if a link was sent: most runs need no attachments.
    if let Some(reason) = files.unavailable_reason().filter(|_| address.port != FILES_PORT) {
        note(format_args!("note: attachments cannot be fetched: {}", escape(reason)));
    }
    let output = work(files).await;
    if let Some(serving) = serving {
        serving.stop().await;
    }
    output
}

/// Creates the runtime for the asynchronous part of a command, with this many parallel runs.
// One run is one task with its requests. On one thread it needs half the CPU time: nothing has to
// wake another thread.
pub(super) fn runtime(jobs: usize) -> Result<tokio::runtime::Runtime, CommandError> {
    let mut builder = match jobs {
        ..=1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    Ok(builder.enable_all().build()?)
}
