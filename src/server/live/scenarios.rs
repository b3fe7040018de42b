//! The scenarios that the server offers.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::LiveServer;
use super::error::LiveError;
use super::scenario_list::{OfferedScenario, ServedScenarios};
use super::store::ServerFact;
use super::vendor::ServedVendor;
use crate::base::limits::MAX_SCENARIO_NAME;
use crate::base::text::escape;
use crate::diag::{Problem, Problems, Source, code};
use crate::platform::{Account, Platform, VendorRef};
use crate::run::check_patches;
use crate::scenario::{self, ParsedScenario, Script};

/// Result of checking a scenario at the vendors of the server.
#[derive(Clone, Debug)]
pub struct ScenarioCheck {
    /// The problems of the file.
    pub problems: Problems,
    /// Ids of the vendors that it can be run at.
    pub vendors: Vec<String>,
}

/// A change of the scenarios of a server.
#[derive(Clone, Debug)]
pub enum ScenarioChange {
    /// The scenario of this name has a new version.
    Reloaded(String),
    /// The new version of the scenario of this name has problems. The previous one stays.
    Invalid(String, Problems),
}

impl LiveServer {
    /// Returns the scenarios that have no problems.
    pub fn scenarios(&self) -> Arc<Vec<OfferedScenario>> {
        let mut scenarios = self.served_scenarios();
        if let Some(offered) = &scenarios.offered {
            return Arc::clone(offered);
        }
        let offered = scenarios.all().filter_map(|source| self.offered(source));
        let offered = Arc::new(offered.collect());
        scenarios.offered = Some(Arc::clone(&offered));
        offered
    }

    /// Returns the scenarios whose new versions have problems, by name. Their previous versions stay.
    pub fn invalid_scenarios(&self) -> BTreeMap<String, Problems> {
        self.served_scenarios().problems.clone()
    }

    /// Replaces the scenarios. One whose new version has problems stays as it was. Runs keep the version
    /// with which they started. Returns what changed.
    pub fn reload_scenarios(&self, sources: Vec<Arc<Source>>) -> Vec<ScenarioChange> {
        let mut changes = Vec::new();
        let mut scenarios = self.served_scenarios();
        let known = std::mem::take(&mut scenarios.sources);
        let mut problems = std::mem::take(&mut scenarios.problems);
        problems.retain(|name, _| sources.iter().any(|source| source.name == *name));
        for source in sources {
            let before = known.iter().find(|known| known.name == source.name);
            if let Some(before) = before.filter(|before| before.text == source.text) {
                problems.remove(&source.name);
                scenarios.sources.push(Arc::clone(before));
                continue;
            }
            let found = self.check(&source).problems;
            if found.is_empty() {
                problems.remove(&source.name);
                changes.push(ScenarioChange::Reloaded(source.name.clone()));
                scenarios.sources.push(source);
            } else {
                problems.insert(source.name.clone(), found.clone());
                changes.push(ScenarioChange::Invalid(source.name.clone(), found));
                scenarios.sources.extend(before.cloned());
            }
        }
        (scenarios.problems, scenarios.offered) = (problems, None);
        drop(scenarios);
        self.history.touch();
        changes
    }

    /// Offers a scenario under a name, or replaces the one that was uploaded under it. Returns whether it
    /// is new.
    ///
    /// # Errors
    /// The scenario has problems, a file has this name, or the journal failed.
    pub async fn upload_scenario(&self, name: &str, text: String) -> Result<bool, LiveError> {
        self.readiness()?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !(1..=MAX_SCENARIO_NAME).contains(&name.len()) || !name.chars().all(is_name) {
            let message = format!("`{}` cannot be the name of a scenario", escape(name));
            let problem = Problem::anywhere(code::INVALID_TYPE, message);
            let help = format!("use up to {MAX_SCENARIO_NAME} letters, digits, `-`, `_` and `.`");
            return Err(problem.help(help).into());
        }
        let is_file = self.served_scenarios().sources.iter().any(|source| source.name == name);
        if is_file {
            let message = format!("scenario `{name}` comes from a file or is bundled");
            return Err(LiveError::conflict(message, "upload it under another name"));
        }
        let source = Source::new(name, text.clone());
        self.check(&source).problems.into_result(Some(()))?;
        let mut stored = text;
        self.redactor().redact(&mut stored);
        self.note(ServerFact::ScenarioUploaded { name: name.to_owned(), source: stored }).await?;
        let known = self.change_uploaded(|all| all.insert(name.to_owned(), source));
        Ok(known.is_none())
    }

    /// Removes a scenario that was uploaded. Runs keep it.
    ///
    /// # Errors
    /// No scenario was uploaded under this name, or the journal failed.
    pub async fn remove_scenario(&self, name: &str) -> Result<(), LiveError> {
        self.readiness()?;
        let names: Vec<String> = self.served_scenarios().uploaded.keys().cloned().collect();
        if !names.iter().any(|known| known == name) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            return Err(LiveError::unknown("uploaded scenario", name, &names));
        }
        self.note(ServerFact::ScenarioRemoved { name: name.to_owned() }).await?;
        self.change_uploaded(|all| all.remove(name));
        Ok(())
    }

    /// Offers a scenario that was uploaded before a restart, or removes it.
    pub(super) fn restore_scenario(&self, name: &str, source: Option<String>) {
        self.change_uploaded(|all| match source {
            Some(source) => all.insert(name.to_owned(), Source::new(name, source)),
            None => all.remove(name),
        });
    }

    fn change_uploaded<T>(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, Arc<Source>>) -> T,
    ) -> T {
        let mut scenarios = self.served_scenarios();
        let changed = change(&mut scenarios.uploaded);
        scenarios.offered = None;
        drop(scenarios);
        self.history.touch();
        changed
    }

    pub(super) fn served_scenarios(&self) -> MutexGuard<'_, ServedScenarios> {
        self.scenarios.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offered(&self, source: &Arc<Source>) -> Option<OfferedScenario> {
        let parsed = scenario::read(source).ok()?;
        let title = parsed.form.name.as_ref().map_or(&source.name, |name| &name.value).clone();
        let about = parsed.form.about.as_ref().map(|about| about.value.clone());
        let vendors = self.check(source).vendors;
        Some(OfferedScenario { name: source.name.clone(), title, about, vendors })
    }

    /// Returns the text of a scenario.
    ///
    /// # Errors
    /// There is no such scenario.
    pub fn scenario(&self, name: &str) -> Result<Arc<Source>, LiveError> {
        let scenarios = self.served_scenarios();
        let found = scenarios.all().find(|source| source.name == name).cloned();
        found.ok_or_else(|| {
            let names: Vec<&str> = scenarios.all().map(|source| &*source.name).collect();
            LiveError::unknown("scenario", name, &names)
        })
    }

    /// Checks a scenario at every vendor that it is for.
    pub fn check(&self, source: &Arc<Source>) -> ScenarioCheck {
        let mut problems = Problems::new();
        let Some(parsed) = problems.note(scenario::read(source)) else {
            return ScenarioCheck { problems, vendors: Vec::new() };
        };
        let is_for = |vendor: &&ServedVendor| parsed.form.is_for(&reference(vendor));
        let accounts: Vec<Arc<Account>> =
            self.vendors().iter().filter(is_for).map(ServedVendor::account).collect();
        let targets: Vec<Arc<Platform>> =
            accounts.iter().map(|account| Arc::clone(&account.platform)).collect();
        let script = match first_row(parsed) {
            Ok(parsed) => scenario::check(parsed, &targets, &self.known()),
            Err(others) => Err(others),
        };
        let Some(script) = problems.note(script) else {
            return ScenarioCheck { problems, vendors: Vec::new() };
        };
        let script = Arc::new(script);
        problems.extend(check_patches(&script, &accounts));
        let playable = targets.iter().filter(|v| !script.unsupported.contains_key(&v.full_id()));
        ScenarioCheck { problems, vendors: playable.map(|vendor| vendor.id.clone()).collect() }
    }

    /// Checks a scenario at one vendor, and returns its script.
    pub(super) fn script(
        &self,
        source: &Arc<Source>,
        vendor: &ServedVendor,
    ) -> Result<Arc<Script>, LiveError> {
        Ok(playable_script(source, &vendor.account(), &self.known())?)
    }
}

/// Checks a scenario at an account, and returns its script. `known` are the vendors whose names are valid
/// in scenarios.
///
/// # Errors
/// The scenario has problems, or cannot run there.
pub fn playable_script(
    source: &Arc<Source>,
    account: &Arc<Account>,
    known: &[Arc<Platform>],
) -> Result<Arc<Script>, Problems> {
    let platform = &account.platform;
    let parsed = scenario::read(source)?;
    let cannot = |reason: &str| {
        let message = format!("scenario `{}` cannot run at {}: {reason}", source.name, platform.id);
        Problem::anywhere(code::VENDOR_CANNOT, message)
    };
    if !parsed.form.is_for(&platform.reference()) {
        return Err(cannot("its `vendors` does not list it").into());
    }
    let script = scenario::check(first_row(parsed)?, &[Arc::clone(platform)], known)?;
    if let Some(reason) = script.unsupported.get(&platform.full_id()) {
        return Err(cannot(reason).into());
    }
    let script = Arc::new(script);
    check_patches(&script, std::slice::from_ref(account)).into_result(Some(()))?;
    Ok(script)
}

fn reference(vendor: &ServedVendor) -> VendorRef {
    vendor.account().platform.reference()
}

/// The scenario with the values of the first row of its table, if it has one.
fn first_row(parsed: ParsedScenario) -> Result<ParsedScenario, Problems> {
    if let Some(rows) = &parsed.form.rows {
        let message = "the server does not read tables from files";
        let problem = Problem::at(&rows.span, code::FILE_UNREADABLE, message);
        return Err(problem.help("write the rows as `[[row]]`, or use `standin run`").into());
    }
    let first = parsed.clone().into_rows(None)?.next();
    Ok(first.unwrap_or(parsed))
}
