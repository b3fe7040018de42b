//! Files of `standin serve` that change while it runs: scenarios, the configuration and templates are
//! read again.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::sleep;

use super::exit::CommandError;
use super::global::Global;
use super::inputs::{STANDARD_INPUT, offered};
use super::setup::{Setup, config_path};
use super::terminal::{note, report_error};
use super::watch::{FileSnapshot, snapshot};
use crate::base::text::count;
use crate::diag::Problems;
use crate::server::live::{LiveServer, ReloadPlan, ScenarioChange};

/// Interval between two looks at the files.
// A server runs for days, and people can wait this long after saving.
const INTERVAL: Duration = Duration::from_millis(500);

/// Files that may change, and their last known state.
struct WatchedFiles {
    paths: Vec<PathBuf>,
    before: FileSnapshot,
    /// The state at the last look. Two equal ones in a row: an editor may still be writing.
    seen: FileSnapshot,
}

impl WatchedFiles {
    fn new(paths: Vec<PathBuf>) -> Self {
        let before = snapshot(&paths, &[].into());
        Self { paths, seen: before.clone(), before }
    }

    /// Returns whether a file has changed since the last change.
    fn have_changed(&mut self) -> bool {
        let now = snapshot(&self.paths, &[].into());
        let has_changed = now != self.before && now == self.seen;
        if has_changed {
            self.before.clone_from(&now);
        }
        self.seen = now;
        has_changed
    }
}

fn watched_scenarios(names: &[String]) -> WatchedFiles {
    WatchedFiles::new(names.iter().map(PathBuf::from).collect())
}

/// Reads what a server plays at from a setup.
pub(super) type PlanReader<'a> = dyn Fn(&Setup) -> Result<ReloadPlan, Problems> + 'a;

/// The files of a server.
pub(super) struct ServerFiles<'a> {
    /// The scenarios of the command line.
    arguments: &'a [String],
    /// These, and those of the configuration.
    names: Vec<String>,
    global: &'a Global,
    read_plan: &'a PlanReader<'a>,
    scenarios: WatchedFiles,
    settings: WatchedFiles,
}

impl<'a> ServerFiles<'a> {
    /// Notes the present state of the files, which the server has read.
    pub(super) fn new(
        arguments: &'a [String],
        plan: &ReloadPlan,
        global: &'a Global,
        read_plan: &'a PlanReader<'a>,
    ) -> Self {
        let names = scenario_names(arguments, plan);
        let settings = config_path(global).into_iter().chain(global.templates.clone());
        let scenarios = watched_scenarios(&names);
        let settings = WatchedFiles::new(settings.collect());
        Self { arguments, names, global, read_plan, scenarios, settings }
    }

    /// Watches the files. Never returns.
    pub(super) async fn watch(mut self, live: &LiveServer) {
        // Standard input can be read once.
        let can_reload = !self.names.iter().any(|name| name == STANDARD_INPUT);
        loop {
            sleep(INTERVAL).await;
            if can_reload && self.scenarios.have_changed() {
                reload_scenarios(live, &self.names);
            }
            if self.settings.have_changed() {
                self.reload_settings(live).await;
            }
        }
    }

    /// Offers other scenarios, if the configuration names others.
    fn watch_scenarios(&mut self, names: Vec<String>, live: &LiveServer) {
        if names != self.names {
            self.names = names;
            self.scenarios = watched_scenarios(&self.names);
            reload_scenarios(live, &self.names);
        }
    }

    /// Reads the configuration and the templates again. If they have problems, the previous version stays.
    async fn reload_settings(&mut self, live: &LiveServer) {
        let plan = Setup::read(self.global).and_then(|setup| {
            setup.check_config().into_result(Some(())).map_err(CommandError::from)?;
            (self.read_plan)(&setup).map_err(CommandError::from)
        });
        let reloaded = match plan {
            Ok(plan) => {
                self.watch_scenarios(scenario_names(self.arguments, &plan), live);
                live.reload(plan).await.map_err(|e| anyhow::Error::from(e).into())
            }
            Err(error) => {
                report_error(error);
                return note(
                    "the previous version of the configuration and templates stays active",
                );
            }
        };
        match reloaded {
            Ok(()) => note(
                "reloaded the configuration and the templates; runs in progress keep their version",
            ),
            Err(error) => {
                report_error(error);
            }
        }
    }
}

/// Returns the names of the scenarios of the command line and a plan.
pub(super) fn scenario_names(arguments: &[String], plan: &ReloadPlan) -> Vec<String> {
    let on_open = plan.on_open.values().map(|source| &source.name);
    let own = on_open.filter(|name| !arguments.contains(name));
    arguments.iter().chain(own).cloned().collect()
}

/// Reads the scenarios again. One with problems keeps its previous version.
fn reload_scenarios(live: &LiveServer, names: &[String]) {
    let changes = match offered(names) {
        Ok(sources) => live.reload_scenarios(sources),
        Err(problems) => {
            report_error(problems.into());
            return note("the scenarios stay as they were");
        }
    };
    let mut reloaded = 0;
    for change in changes {
        match change {
            ScenarioChange::Reloaded(_) => reloaded += 1,
            ScenarioChange::Invalid(name, problems) => {
                report_error(problems.into());
                note(format_args!("`{name}`: the previous version stays active"));
            }
        }
    }
    if reloaded > 0 {
        note(format_args!("reloaded {}", count(reloaded, "scenario", "scenarios")));
    }
}
