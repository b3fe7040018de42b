//! What commands share: configuration, vendors, scenarios, receivers, out of flags and files.

use std::cell::OnceCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CommandError, ExitStatus, Global, note};
use crate::base::clock::Clock;
use crate::base::file_store::FileStore;
use crate::base::text::escape;
use crate::config::{
    Config, EndpointForm, FILES_PORT, HEADER_VALUE, StartTime, files_url, is_header_value,
};
use crate::diag::{Problem, Problems, Source, Spanned, code};
use crate::platform::{Account, Catalog, Platform, Subscription, VendorRef};
use crate::scenario::{ParsedScenario, bundled, bundled_names};
use crate::server::serve_files;

/// The configuration's file in the working folder.
const CONFIG: &str = "standin.toml";

/// What is read before a command does anything.
pub(super) struct Setup {
    pub(super) config: Config,
    pub(super) catalog: Catalog,
    loaded: OnceCell<(Vec<Arc<Platform>>, Problems)>,
}

impl Setup {
    /// Reads the configuration and the vendors' folders.
    pub(super) fn read(global: &Global) -> Result<Self, CommandError> {
        let path = config_path(global);
        let source = path.as_deref().map(read).transpose()?;
        let (config, mut problems) = Config::draft(source.as_ref());
        let Some(mut config) = config else { return Err(problems.into()) };
        config.files_port = global.files_port.unwrap_or(config.files_port);
        let catalog = match &global.templates {
            Some(directory) => problems.note(Catalog::bundled().with_directory(directory)),
            None => Some(Catalog::bundled()),
        };
        let Some(catalog) = catalog else { return Err(problems.into()) };
        let setup = Self::new(config, catalog);
        problems.extend(setup.unknown_vendors());
        problems.or(Some(setup)).map_err(CommandError::from)
    }

    /// A configuration with vendors.
    pub(super) fn new(config: Config, catalog: Catalog) -> Self {
        Self { config, catalog, loaded: OnceCell::new() }
    }

    /// The ids of all vendors.
    pub(super) fn ids(&self) -> Vec<&str> {
        self.catalog.ids().collect()
    }

    /// The vendors that the configuration names and nobody has.
    fn unknown_vendors(&self) -> Problems {
        let config = &self.config;
        let settings = config.vendors.0.iter().map(|(key, _)| (key.name.clone(), &key.span));
        let named = |name: &Spanned<String>| VendorRef::parse(name).id;
        let endpoints = config.endpoints.iter().map(|e| (e.vendor.value.clone(), &e.vendor.span));
        let demo = std::iter::once((named(&config.demo_vendor), &config.demo_vendor.span));
        let mut problems = Problems::new();
        for (id, span) in settings.chain(endpoints).chain(demo) {
            if !self.catalog.contains(&id) {
                problems.extend(Problems::from(self.catalog.unknown(&id)).placed(span));
            }
        }
        problems
    }

    /// Everything that is wrong with the configuration, by what it says about vendors.
    pub(super) fn check_config(&self) -> Problems {
        let mut problems = self.unknown_vendors();
        let known = |id: &str| self.catalog.contains(id);
        for (key, _) in self.config.vendors.iter().filter(|(key, _)| known(&key.name)) {
            let vendor = self.vendor(&key.name);
            problems.note(vendor.and_then(|vendor| self.account(&vendor)));
        }
        for endpoint in self.config.endpoints.iter().filter(|e| known(&e.vendor)) {
            endpoint.headers(&mut problems);
            if let Ok(vendor) = self.vendor(&endpoint.vendor) {
                subscription(endpoint, &vendor, &mut problems);
            }
        }
        let scenario = &self.config.demo_scenario;
        let found = scenarios(std::slice::from_ref(&scenario.value));
        problems.note(found.map_err(|unknown| unknown.placed(&scenario.span)));
        problems
    }

    /// The vendor that the user means: with the revision of the command line, else with that of
    /// the configuration.
    pub(super) fn vendor(&self, name: &str) -> Result<Arc<Platform>, Problems> {
        let reference = VendorRef::parse(name);
        let settings = self.config.vendors.get(&reference.id);
        let own = settings.and_then(|settings| settings.revision.as_ref());
        match own.filter(|_| reference.revision.is_none()) {
            None => self.catalog.load(&reference),
            Some(revision) => {
                let revised = Some(revision.value.clone());
                let reference = VendorRef { revision: revised, ..reference };
                self.catalog.load(&reference).map_err(|problems| problems.placed(&revision.span))
            }
        }
    }

    /// The vendors that a scenario names, or all of them. A name that nobody has is left to the
    /// scenario's check; what else is wrong becomes a problem of the draft.
    pub(super) fn vendors_of(&self, draft: &mut ParsedScenario) -> Vec<Arc<Platform>> {
        let names = draft.form.vendors.as_ref().map(|names| names.to_vec()).unwrap_or_default();
        let mut vendors = Vec::new();
        for name in names {
            if self.catalog.contains(&VendorRef::parse(&name).id) {
                let vendor = self.vendor(&name).map_err(|others| others.placed(&name.span));
                vendors.extend(draft.problems.note(vendor));
            }
        }
        if vendors.is_empty() {
            draft.problems.extend(self.all().1.clone());
            return self.vendors().to_vec();
        }
        vendors
    }

    /// Every vendor that could be loaded, as the configuration wants it, and what is wrong with the
    /// others.
    fn all(&self) -> &(Vec<Arc<Platform>>, Problems) {
        self.loaded.get_or_init(|| {
            let (mut vendors, mut problems) = (Vec::new(), Problems::new());
            for id in self.catalog.ids() {
                vendors.extend(problems.note(self.vendor(id)));
            }
            (vendors, problems)
        })
    }

    /// Every vendor, as the configuration wants it; mistakes in one's folder are problems.
    pub(super) fn all_vendors(&self) -> Result<Vec<Arc<Platform>>, Problems> {
        let (vendors, problems) = self.all().clone();
        problems.or(Some(vendors))
    }

    /// Every vendor, as the configuration wants it, but those whose folders have mistakes.
    pub(super) fn vendors(&self) -> &[Arc<Platform>] {
        &self.all().0
    }

    /// The account at a vendor, as the configuration wants it.
    pub(super) fn account(&self, vendor: &Arc<Platform>) -> Result<Arc<Account>, Problems> {
        let mut problems = Problems::new();
        let settings = self.config.vendors.get(&vendor.id);
        let mut account = Account::configured(vendor, settings, &mut problems);
        account.files = files_url(self.config.files_port);
        let headers = account.handshake_headers("").into_iter().chain(account.headers("", 1));
        let unfit = |(_, value): &(String, String)| !is_header_value(value);
        if let Some((name, _)) = headers.into_iter().find(unfit) {
            let message =
                format!("a secret of {} does not fit into the header `{name}`", vendor.id);
            let problem = Problem::anywhere(code::WRONG_HEADER, message);
            problems.push(problem.help(HEADER_VALUE));
        }
        problems.or(Some(Arc::new(account)))
    }

    /// The receivers that the configuration names for a vendor.
    pub(super) fn endpoints(&self, vendor: &str) -> Vec<&EndpointForm> {
        self.config.endpoints.iter().filter(|endpoint| endpoint.vendor.value == vendor).collect()
    }
}

/// What an endpoint wants to be sent, where it says so.
pub(super) fn subscription(
    endpoint: &EndpointForm,
    vendor: &Platform,
    problems: &mut Problems,
) -> Option<Subscription> {
    let events = endpoint.events.as_ref()?;
    Some(Subscription::check(events, &vendor.type_names(), problems))
}

/// The configuration that is read: that of the flag, else the one in the working folder.
pub(super) fn config_path(global: &Global) -> Option<PathBuf> {
    let here = || Some(PathBuf::from(CONFIG)).filter(|path| path.symlink_metadata().is_ok());
    global.config.clone().or_else(here)
}

/// Reads a file of the user's.
pub(super) fn read(path: &Path) -> Result<Arc<Source>, Problem> {
    Source::read(path).map_err(|error| {
        let problem = unreadable(path, &error);
        match error.advice() {
            Some(advice) => problem.help(advice),
            None => problem,
        }
    })
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Problem {
    let message = format!("cannot read `{}`: {error}", path.display());
    Problem::anywhere(code::FILE_UNREADABLE, message)
}

/// The scenarios that a user means by a path or by the name of a bundled one; a folder means all
/// of its files.
pub(super) fn scenarios(names: &[String]) -> Result<Vec<Arc<Source>>, Problems> {
    let mut problems = Problems::new();
    let mut sources = Vec::new();
    for name in names {
        let path = Path::new(name);
        if path.is_dir() {
            let files = problems.note(toml_files(path)).unwrap_or_default();
            sources.extend(files.iter().filter_map(|file| problems.note(read(file))));
        } else if path.exists() {
            sources.extend(problems.note(read(path)));
        } else if let Some(source) = bundled(name) {
            sources.push(source);
        } else {
            problems.push(unknown_scenario(name));
        }
    }
    problems.or(Some(sources))
}

fn unknown_scenario(name: &str) -> Problem {
    let known = bundled_names();
    let message = format!("there is no file and no bundled scenario `{name}`");
    Problem::anywhere(code::UNKNOWN_SCENARIO, message).known(name, known.iter().map(String::as_str))
}

/// The TOML files of a folder and its subfolders, by name; there must be one.
pub(super) fn toml_files(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let mut files = Vec::new();
    gather(folder, &mut files)?;
    if files.is_empty() {
        let message = format!("there is no `.toml` file in `{}`", folder.display());
        let problem = Problem::anywhere(code::NOTHING_TO_PLAY, message);
        return Err(problem.help("give a scenario, or a folder of them"));
    }
    Ok(files)
}

/// Links to folders are not followed: they can lead in circles.
fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Problem> {
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            gather(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    Ok(())
}

/// Reads a factor that a clock can run at; clap shows the error.
pub(super) fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if (0.01..=1000.0).contains(&factor) => Ok(factor),
        _ => Err("a number from 0.01 to 1000".into()),
    }
}

/// The instant that a start means.
pub(super) fn instant(start: StartTime) -> Timestamp {
    match start {
        StartTime::At(instant) => instant,
        StartTime::Now => Clock::System.now(),
    }
}

/// What asks the process to end: Ctrl-C, and where there is such a thing, SIGTERM.
pub(super) struct Signals {
    #[cfg(unix)]
    signals: [Signal; 2],
}

impl Signals {
    /// Listens from now on.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            signals: [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?],
        })
    }

    /// Waits until the process is asked to end.
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

/// Does something until it has ended, or Ctrl-C is pressed.
pub(super) fn until_interrupted(
    work: impl Future<Output = Result<ExitStatus, CommandError>>,
) -> Result<ExitStatus, CommandError> {
    runtime()?.block_on(async {
        let mut interrupts = Signals::listen()?;
        tokio::select! {
            exit = work => exit,
            () = interrupts.next() => {
                note("interrupted");
                Ok(ExitStatus::Interrupted)
            }
        }
    })
}

/// Serves the files that links point to while something is done.
pub(super) async fn while_serving_files<T>(
    port: u16,
    work: impl AsyncFnOnce(Arc<FileStore>) -> T,
) -> T {
    let (serving, files) = serve_files(port);
    // Whoever chose the port hears of it now; in the other's place it is told where links are sent.
    if let Some(reason) = files.unavailable_reason().filter(|_| port != FILES_PORT) {
        note(format_args!("note: links to files will lead nowhere: {}", escape(reason)));
    }
    let done = work(files).await;
    if let Some(serving) = serving {
        serving.stop().await;
    }
    done
}

/// The runtime that a command's asynchronous part runs on.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
