//! What commands share: configuration, vendors, scenarios, receivers, out of flags and files.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Failure, Global};
use crate::base::clock::Clock;
use crate::config::{Config, EndpointForm, Start, files_url};
use crate::diag::{Problem, Problems, Source, code};
use crate::scenario::{bundled, bundled_names};
use crate::vendor::{Account, Catalog, Vendor, VendorRef};

/// The configuration's file in the working folder.
const CONFIG: &str = "standin.toml";

/// What is read before a command does anything.
pub(super) struct Setup {
    pub(super) config: Config,
    pub(super) catalog: Catalog,
}

impl Setup {
    /// Reads the configuration and the vendors' folders.
    pub(super) fn read(global: &Global) -> Result<Self, Failure> {
        let source = match &global.config {
            Some(path) => Some(read(path)?),
            None if Path::new(CONFIG).exists() => Some(read(Path::new(CONFIG))?),
            None => None,
        };
        let mut config = Config::read(source.as_ref())?;
        config.files_port = global.files_port.unwrap_or(config.files_port);
        let catalog = match &global.templates {
            Some(directory) => Catalog::bundled().with_directory(directory)?,
            None => Catalog::bundled(),
        };
        Ok(Self { config, catalog })
    }

    /// The vendor that the user means: with the revision of the command line, else with that of
    /// the configuration.
    pub(super) fn vendor(&self, reference: &VendorRef) -> Result<Arc<Vendor>, Problems> {
        let mut reference = reference.clone();
        if reference.revision.is_none() {
            let settings = self.config.vendors.get(&reference.id);
            let revision = settings.and_then(|settings| settings.revision.as_ref());
            reference.revision = revision.map(|revision| revision.value.clone());
        }
        self.catalog.load(&reference)
    }

    /// Every vendor, as the configuration wants it, but those whose folders have mistakes.
    pub(super) fn vendors(&self) -> Vec<Arc<Vendor>> {
        let loaded = self.catalog.ids().map(|id| self.vendor(&VendorRef::parse(id)));
        loaded.filter_map(Result::ok).collect()
    }

    /// The account at a vendor, as the configuration wants it.
    pub(super) fn account(&self, vendor: &Arc<Vendor>) -> Result<Arc<Account>, Problems> {
        let mut problems = Problems::new();
        let settings = self.config.vendors.get(&vendor.id);
        let mut account = Account::configured(vendor, settings, &mut problems);
        account.files = files_url(self.config.files_port);
        problems.or(Some(Arc::new(account)))
    }

    /// The receivers that the configuration names for a vendor.
    pub(super) fn endpoints(&self, vendor: &str) -> Vec<&EndpointForm> {
        self.config.endpoints.iter().filter(|endpoint| endpoint.vendor.value == vendor).collect()
    }
}

/// Reads a file of the user's.
pub(super) fn read(path: &Path) -> Result<Arc<Source>, Problem> {
    Source::read(path).map_err(|error| {
        Problem::anywhere(
            code::FILE_UNREADABLE,
            format!("cannot read `{}`: {error}", path.display()),
        )
    })
}

/// The scenarios that a user means by a path or by the name of a bundled one; a folder means all
/// of its files.
pub(super) fn scenarios(names: &[String]) -> Result<Vec<Arc<Source>>, Problems> {
    let mut problems = Problems::new();
    let mut sources = Vec::new();
    for name in names {
        let path = Path::new(name);
        if path.is_dir() {
            match files_of(path) {
                Ok(files) => sources.extend(files),
                Err(problem) => problems.push(problem),
            }
        } else if path.exists() {
            match read(path) {
                Ok(source) => sources.push(source),
                Err(problem) => problems.push(problem),
            }
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

/// The scenario files of a folder and its subfolders, by name.
fn files_of(folder: &Path) -> Result<Vec<Arc<Source>>, Problem> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Problem::anywhere(
            code::FILE_UNREADABLE,
            format!("cannot read `{}`: {error}", folder.display()),
        )
    };
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(&error))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut sources = Vec::new();
    for path in paths {
        if path.is_dir() {
            sources.extend(files_of(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            sources.push(read(&path)?);
        }
    }
    Ok(sources)
}

/// The instant that a start means.
pub(super) fn instant(start: Start) -> Timestamp {
    match start {
        Start::At(instant) => instant,
        Start::Now => Clock::System.now(),
    }
}

/// The runtime that a command's asynchronous part runs on.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
