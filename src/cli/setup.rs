//! What commands share: configuration, vendors, scenarios, receivers, out of flags and files.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use url::Url;

use super::{Failure, Global};
use crate::base::address::Egress;
use crate::base::clock::Clock;
use crate::config::{Config, EndpointForm, Start, receiver_url};
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
        let config = Config::read(source.as_ref())?;
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

    /// The account at a vendor, as the configuration wants it.
    pub(super) fn account(&self, vendor: &Arc<Vendor>) -> Result<Arc<Account>, Problems> {
        let mut problems = Problems::new();
        let settings = self.config.vendors.get(&vendor.id);
        let account = Account::configured(vendor, settings, &mut problems);
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

/// Where a vendor's payloads go, as flags say it: `URL`, or `VENDOR=URL`.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) vendor: Option<String>,
    address: String,
}

impl Target {
    /// Takes a target apart. Its address is read later: clap would print it, passwords and all.
    pub(super) fn read(text: &str) -> Result<Self, Infallible> {
        let named = text.split_once('=').filter(|(vendor, _)| {
            vendor.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        });
        let vendor = named.map(|(vendor, _)| vendor.to_owned());
        let address = named.map_or(text, |(_, address)| address).to_owned();
        Ok(Self { vendor, address })
    }

    /// Its address, which may be sent to.
    pub(super) fn url(&self, egress: Egress) -> Result<Url, Problem> {
        let url = receiver_url(&self.address)
            .map_err(|message| Problem::anywhere(code::WRONG_URL, message))?;
        allowed(&url, egress)?;
        Ok(url)
    }
}

/// Nothing, where the URL may be sent to as far as that can be said of it now; else the problem.
pub(super) fn allowed(url: &Url, egress: Egress) -> Result<(), Problem> {
    egress.check_url(url).map_err(|forbidden| {
        let message = format!("`{url}` is not sent to: {forbidden}");
        Problem::anywhere(code::FORBIDDEN_ADDRESS, message).help(forbidden.help())
    })
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
