//! Scenarios of conversations that clients open, as the configuration names them.

use std::path::Path;
use std::sync::Arc;

use super::inputs::scenarios;
use super::setup::Setup;
use crate::base::text::one_of;
use crate::diag::{Problem, Problems, Source, Spanned, code};
use crate::platform::{Account, Platform};
use crate::server::live::{ScenariosOnOpen, playable_script};

impl Setup {
    /// Returns the scenario of conversations that clients open at a vendor, if the configuration names
    /// one. `known` are the vendors whose names are valid in scenarios.
    pub(super) fn on_open(
        &self,
        account: &Arc<Account>,
        known: &[Arc<Platform>],
    ) -> Result<Option<Arc<Source>>, Problems> {
        let settings = self.config.vendors.get(&account.platform.id);
        let Some(named) = settings.and_then(|settings| settings.on_open.as_ref()) else {
            return Ok(None);
        };
        let at_name = |problems: Problems| problems.with_default_span(&named.span);
        let sources = scenarios(&[beside_config(named)]).map_err(at_name)?;
        let [source] = &sources[..] else {
            let message = format!("`{}` is a folder with several scenarios", named.value);
            let problem = Problem::at(&named.span, code::INVALID_TYPE, message);
            return Err(problem.help("name one of them").into());
        };
        check(named, source, account, known).map_err(at_name)?;
        Ok(Some(Arc::clone(source)))
    }

    /// Reports the problems of these scenarios at the configured revisions. A server checks them at those
    /// that it emulates.
    pub(super) fn check_on_open(&self) -> Problems {
        let mut problems = Problems::new();
        let named = self.config.vendors.iter().filter(|(_, settings)| settings.on_open.is_some());
        for (key, _) in named {
            // Problems of the account are reported with the other settings.
            if let Ok(account) = self.vendor(&key.name).and_then(|vendor| self.account(&vendor)) {
                problems.note(self.on_open(&account, self.vendors()));
            }
        }
        problems
    }
}

/// Returns the path of a scenario, which is relative to the configuration, or the name of a bundled one.
fn beside_config(named: &Spanned<String>) -> String {
    let folder = Path::new(&named.span.source.name).parent().unwrap_or(Path::new(""));
    let path = folder.join(&named.value);
    if path.exists() { path.to_string_lossy().into_owned() } else { named.value.clone() }
}

/// Returns the scenarios of conversations that clients open at these accounts.
pub(super) fn scenarios_on_open(
    setup: &Setup,
    accounts: &[Arc<Account>],
    known: &[Arc<Platform>],
) -> Result<ScenariosOnOpen, Problems> {
    let mut problems = Problems::new();
    let found = accounts.iter().filter_map(|account| {
        let source = problems.note(setup.on_open(account, known)).flatten()?;
        Some((account.platform.id.clone(), source))
    });
    let found = found.collect();
    problems.into_result(Some(found))
}

/// Checks that a scenario can be played in a conversation that a client opens.
fn check(
    named: &Spanned<String>,
    source: &Arc<Source>,
    account: &Arc<Account>,
    known: &[Arc<Platform>],
) -> Result<(), Problems> {
    let platform = &account.platform;
    let opening = platform.api.opening_calls();
    if opening.is_empty() {
        let message = format!("clients of {} open no conversations", platform.id);
        return Err(Problem::at(&named.span, code::VENDOR_CANNOT, message).into());
    }
    let script = playable_script(source, account, known)?;
    if script.is_opened_by_call(platform) {
        return Ok(());
    }
    let message = format!("`{}` does not wait for a client that opens a conversation", named.value);
    let expected = opening.iter().map(|call| format!("expect = {{ call = \"{call}\" }}"));
    let expected: Vec<String> = expected.collect();
    let help = format!(
        "begin the scenario with {} in place of `open`",
        one_of(expected.iter().map(String::as_str))
    );
    Err(Problem::at(&named.span, code::VENDOR_CANNOT, message).help(help).into())
}
