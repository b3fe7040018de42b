//! `standin run`: runs scenarios against receivers and reports the verdict of each run.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use jiff::SignedDuration;
use serde_json::json;

use super::apis::{ApiArgs, RunApis};
use super::client_command::{ClientCommand, ExecArgs};
use super::exit::{CommandError, ExitStatus};
use super::global::Global;
use super::init::file_exists;
use super::inputs::{ALL_VENDORS, ScenarioFile, scenario_files, vendor_names};
use super::planned_runs::{PlanIterator, PlannedRuns};
use super::play::{BatchOptions, PlayArgs, no_receiver};
use super::run_choice::{RunChoice, RunChoiceArgs};
use super::scenario_reader::ScenarioReader;
use super::secrets::account_variables;
use super::server_run::ServerRuns;
use super::setup::{Setup, runtime, speed};
use super::terminal::note;
use super::variables::VariableArgs;
use super::vendors::neutral_help;
use super::watch::watch;
use crate::base::duration;
use crate::base::limits::{MAX_CONVERSATIONS, MAX_RUN_STEPS};
use crate::base::text::{escape, one_of};
use crate::delivery::ClockMode;
use crate::diag::{Problem, Problems, code};
use crate::fault::ChaosProfile;
use crate::platform::{Platform, Subscription, VendorRef};
use crate::report::RerunCommand;
use crate::run::{RunLimits, RunPlan, check_patches, schedule};
use crate::scenario::{self, ParsedScenario, Script, VariableInputs, check_names};

/// Run scenarios: send their webhooks and check how the receiver responds
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Scenarios to run: files, folders, names of bundled scenarios, or `-` for standard input
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Vendors to emulate: VENDOR or VENDOR@REVISION, separated by commas, or `all` for every vendor
    /// that can run the scenario; can be repeated [default: the vendors that
    /// the scenario lists, or every vendor that has a receiver]
    #[arg(long = "vendor", value_name = "VENDOR", value_delimiter = ',')]
    vendors: Vec<String>,
    #[command(flatten)]
    play: PlayArgs,
    #[command(flatten)]
    variables: VariableArgs,
    #[command(flatten)]
    apis: ApiArgs,
    #[command(flatten)]
    client: ExecArgs,
    /// Event types to send, as patterns such as `chat.*,!chat.close` [default: as the scenario, the
    /// receiver or the vendor subscribes]
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    events: Vec<String>,
    /// Clock of the run
    #[arg(long, default_value = "virtual")]
    clock: ClockArg,
    /// Speed of the real clock: 2 is twice as fast as wall time
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed,
          allow_negative_numbers = true)]
    speed: f64,
    /// Number of simultaneous conversations in each run
    #[arg(long, value_name = "N", default_value = "1", allow_negative_numbers = true,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_CONVERSATIONS)))]
    conversations: u32,
    #[command(flatten)]
    choice: RunChoiceArgs,
    /// Maximum number of parallel runs; output stays in order
    #[arg(long, value_name = "N", default_value = "1", allow_negative_numbers = true,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// End a run at its first failed delivery or unmet expectation, and start no further run
    #[arg(long)]
    fail_fast: bool,
    /// End a run after this many failed deliveries and unmet expectations
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..),
          conflicts_with = "fail_fast")]
    max_failures: Option<u64>,
    /// End a run after this many consecutive timeouts of an endpoint; 0 for never
    #[arg(long, value_name = "N", default_value = "5")]
    max_timeouts: u32,
    /// End a run after this much wall time, such as `5m`
    #[arg(long, value_name = "DURATION", value_parser = duration::parse,
          allow_hyphen_values = true)]
    deadline: Option<SignedDuration>,
    /// Inject faults chosen from the seed; PROFILE is `gentle`, `order`, `network`, `auth`,
    /// `payload` or `all`
    #[arg(long, value_name = "PROFILE", value_parser = profile)]
    chaos: Option<ChaosProfile>,
    /// If a run with injected faults fails, find the fewest faults that still make it fail, and
    /// write them to FILE as a scenario
    #[arg(long, value_name = "FILE", requires = "chaos",
          conflicts_with_all = ["dry_run", "curl", "watch"])]
    shrink: Option<PathBuf>,
    /// Play the scenarios at a running server, whose receivers get the webhooks; URL as `standin serve`
    /// prints it
    #[arg(long, value_name = "URL", conflicts_with_all = ["watch", "shrink",
          "chaos", "exec", "listen", "filter", "tags", "shard", "rerun_failed", "events", "dry_run",
          "curl", "json", "deadline", "max_failures", "fail_fast", "set", "allow_env", "allow_origin",
          "reports"])]
    server: Option<String>,
    /// Run again whenever a scenario, the configuration or a vendor folder changes, until Ctrl-C
    #[arg(long)]
    watch: bool,
}

/// Parses the name of a chaos profile. clap prints the error.
fn profile(text: &str) -> Result<ChaosProfile, String> {
    let names = || one_of(ChaosProfile::NAMES.iter().copied());
    ChaosProfile::from_name(text).ok_or_else(|| format!("expected {}", names()))
}

/// Clock of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ClockArg {
    /// Skip every wait, so that a run takes seconds
    Virtual,
    /// Wait as long as the scenario says
    Real,
}

pub(super) fn run(args: &RunArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    if let Some(server) = &args.server {
        return args.at_server(server).play();
    }
    if args.watch {
        return watch(&args.scenarios, global, |files| once(args, global, files));
    }
    once(args, global, &mut BTreeSet::new())
}

impl RunArgs {
    /// The runs to play at a server.
    fn at_server<'a>(&'a self, server: &'a str) -> ServerRuns<'a> {
        let mut options = match self.clock {
            ClockArg::Virtual => json!({"clock": "virtual"}),
            ClockArg::Real => json!({"clock": "real", "speed": self.speed}),
        };
        options["conversations"] = self.conversations.into();
        if let Some(seed) = self.play.seed() {
            options["seed"] = seed.into();
        }
        let (scenarios, vendors) = (&self.scenarios, &self.vendors);
        ServerRuns { server, scenarios, vendors, options }
    }
}

/// Runs once. `files` gets the files that the scenarios name.
fn once(
    args: &RunArgs,
    global: &Global,
    files: &mut BTreeSet<PathBuf>,
) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    let mut problems = args.play.check(&setup.catalog);
    let scenarios = problems.note(scenario_files(&args.scenarios));
    let scenarios = problems.into_result(scenarios)?;
    let selection = RunSelection { args, setup: &setup };
    let mut reader = ScenarioReader::new(args.variables.inputs(&setup.config), files);
    let mut runs = plans(&selection, &scenarios, &mut reader, args.choice.begin()?)?;
    if runs.is_empty() {
        return Ok(args.choice.end_without_runs());
    }
    // Checked before the runs: shrinking may take minutes, and the file is never overwritten.
    if let Some(file) = args.shrink.as_ref().filter(|file| file.exists()) {
        return Err(file_exists(file).into());
    }
    let (jobs, shrink) = (args.jobs.into(), args.shrink.clone());
    let apis = args.apis.serve(&mut runs, &args.play.receivers, &setup)?;
    let client = args.client_command(&runs, apis.as_ref(), &setup)?;
    let batch = BatchOptions { jobs, fail_fast: args.fail_fast, shrink, client };
    let exit = args.play.execute(&runs, batch, args.rerun_command(global), &setup);
    if let Some(apis) = apis {
        runtime(1)?.block_on(apis.ports.stop());
    }
    exit
}

/// Arguments of the command with the setup that they refer to.
struct RunSelection<'a> {
    args: &'a RunArgs,
    setup: &'a Setup,
}

/// Plans every run. All problems are reported before anything is sent.
fn plans<'a>(
    selection: &'a RunSelection<'a>,
    files: &'a [ScenarioFile],
    reader: &mut ScenarioReader<'_>,
    choice: RunChoice<'a>,
) -> Result<PlannedRuns<'a>, Problems> {
    let mut problems = Problems::new();
    let mut selected = SelectedRuns::new(selection, files, &reader.inputs, choice);
    for (index, file) in files.iter().enumerate() {
        let source = file.source().map_err(Problems::from);
        let drafts = source.and_then(|source| reader.drafts(&source));
        let mut number = 0..;
        for draft in problems.note(drafts).into_iter().flatten() {
            match selection.plans_of(draft, &mut selected.skipped) {
                Ok(planned) => {
                    planned
                        .iter()
                        .zip(&mut number)
                        .for_each(|(plan, n)| selected.add(index, n, plan));
                }
                Err(others) => problems.extend_new(others),
            }
        }
    }
    // A file that cannot be read may have the variable.
    if problems.is_empty() {
        problems.extend(check_names(&reader.inputs, &reader.names));
    }
    problems.extend(selected.skipped_vendors(problems.is_empty()));
    if problems.is_empty() {
        let played: Vec<&str> = selected.played.iter().map(String::as_str).collect();
        problems.extend(selection.args.play.receivers.unused(&played));
    }
    problems.into_result(Some(selected.runs))
}

/// The runs that the arguments select.
struct SelectedRuns<'a> {
    choice: RunChoice<'a>,
    runs: PlannedRuns<'a>,
    /// The vendors of all runs, those that are not chosen as well.
    played: BTreeSet<String>,
    /// Why vendors cannot run a scenario.
    skipped: Vec<String>,
}

impl<'a> SelectedRuns<'a> {
    fn new(
        selection: &'a RunSelection<'a>,
        files: &'a [ScenarioFile],
        inputs: &VariableInputs,
        choice: RunChoice<'a>,
    ) -> Self {
        let inputs = inputs.clone();
        let replan = move |file: usize| -> Result<PlanIterator<'a>, Problems> {
            let mut named = BTreeSet::new();
            let mut reader = ScenarioReader::new(inputs.clone(), &mut named);
            let drafts = reader.drafts(&files[file].source()?)?;
            Ok(Box::new(drafts.flat_map(|draft| {
                let plans = selection.plans_of(draft, &mut Vec::new());
                let (plans, problems) = match plans {
                    Ok(plans) => (plans, None),
                    Err(problems) => (Vec::new(), Some(Err(problems))),
                };
                plans.into_iter().map(Ok).chain(problems)
            })))
        };
        let runs = PlannedRuns::new(replan);
        Self { choice, runs, played: BTreeSet::new(), skipped: Vec::new() }
    }

    /// Adds a run, if it is chosen.
    fn add(&mut self, file: usize, index: usize, plan: &RunPlan) {
        self.played.insert(plan.account.platform.id.clone());
        if self.choice.takes(plan) {
            self.runs.add(file, index, plan);
        }
    }

    /// Reports the vendors that cannot run a scenario: a note if something else runs, and a problem if
    /// nothing does.
    fn skipped_vendors(&mut self, has_no_problems: bool) -> Problems {
        let mut problems = Problems::new();
        self.skipped.dedup();
        for reason in self.skipped.drain(..) {
            if self.played.is_empty() {
                problems.push(Problem::anywhere(code::VENDOR_CANNOT, reason));
            } else {
                note(escape(&reason));
            }
        }
        if self.played.is_empty() && problems.is_empty() && has_no_problems {
            problems.push(Problem::anywhere(code::NOTHING_TO_RUN, "there is nothing to run"));
        }
        problems
    }
}

impl RunArgs {
    /// Returns when a run ends early.
    fn limits(&self) -> RunLimits {
        RunLimits {
            max_failures: if self.fail_fast { Some(1) } else { self.max_failures },
            max_timeouts: Some(self.max_timeouts).filter(|limit| *limit > 0),
            deadline: self.deadline.map(SignedDuration::unsigned_abs),
            subscribed_within: Some(self.play.receivers.subscription_limit()),
            ..RunLimits::default()
        }
    }

    /// Returns the program of `--exec` with its variables: the addresses of the APIs, and the credentials
    /// and ids of the accounts.
    fn client_command(
        &self,
        runs: &PlannedRuns<'_>,
        apis: Option<&RunApis>,
        setup: &Setup,
    ) -> Result<Option<ClientCommand>, Problems> {
        let Some(line) = self.client.exec.clone() else { return Ok(None) };
        let mut variables = apis.map(RunApis::variables).unwrap_or_default();
        // For programs that are standin themselves, such as `standin listen`.
        let account = setup.account_name.as_ref();
        variables
            .extend(account.map(|name| ("STANDIN_ACCOUNT".to_owned(), name.as_str().to_owned())));
        for platform in runs.platforms() {
            let account = setup.account(platform)?;
            let all = account_variables(&account).into_iter();
            variables.extend(all.filter_map(|(name, value)| Some((name, value?))));
        }
        Ok(Some(ClientCommand { line, variables }))
    }

    /// Returns the command that repeats one of these runs.
    fn rerun_command(&self, global: &Global) -> RerunCommand {
        let mut flags = Vec::new();
        if !self.events.is_empty() {
            flags.extend(["--events".to_owned(), self.events.join(",")]);
        }
        if self.clock == ClockArg::Real {
            flags.extend(["--clock", "real", "--speed"].map(str::to_owned));
            flags.push(self.speed.to_string());
        }
        if let Some(limit) = self.max_failures {
            flags.extend(["--max-failures".to_owned(), limit.to_string()]);
        }
        if let Some(deadline) = self.deadline {
            flags.extend(["--deadline".to_owned(), format!("{deadline:#}").replace(' ', "")]);
        }
        if let Some(profile) = self.chaos {
            flags.extend(["--chaos", profile.as_str()].map(str::to_owned));
        }
        flags.extend(self.variables.flags());
        flags.extend(self.apis.flags());
        if let Some(line) = &self.client.exec {
            flags.extend(["--exec".to_owned(), line.clone()]);
        }
        self.play.rerun_command(flags, global)
    }

    /// Returns whether `--vendor` selects every vendor that can run a scenario.
    fn plays_all(&self) -> bool {
        matches!(vendor_names(&self.vendors), Ok(None))
    }
}

impl RunSelection<'_> {
    /// Plans the runs of one scenario. Appends to `skipped` each vendor that cannot run it, with
    /// the reason.
    fn plans_of(
        &self,
        mut draft: ParsedScenario,
        skipped: &mut Vec<String>,
    ) -> Result<Vec<RunPlan>, Problems> {
        let source = Arc::clone(&draft.source);
        let known = self.setup.known_to(&draft);
        let playable = if self.args.vendors.is_empty() || self.args.plays_all() {
            self.setup.vendors_of(&mut draft)
        } else {
            Vec::new() // with `--vendor`, problems of other vendors do not matter
        };
        let listed = draft.form.vendors.iter().flat_map(|names| names.iter());
        let listed = one_of(listed.map(|name| name.as_str()));
        let requested = self.vendors(&playable, draft.form.vendors.is_some());
        let candidates = requested.as_deref().unwrap_or_default().iter().cloned();
        let (vendors, unlisted): (Vec<_>, Vec<_>) =
            candidates.partition(|vendor| draft.form.is_for(&vendor.reference()));
        // Problems of the file are reported even if no vendor remains, so it is always checked
        // against some vendors.
        let checked_for = match (vendors.is_empty(), self.args.vendors.is_empty()) {
            (false, _) => &vendors,
            (true, true) => &playable,
            (true, false) if self.args.plays_all() => &playable,
            (true, false) => &self.setup.vendors_of(&mut draft),
        };
        let mut problems = requested.err().unwrap_or_default();
        let checked = problems.note(scenario::check(draft, checked_for, &known));
        let script = problems.into_result(checked);
        let script = script.map_err(|problems| self.setup.naming_revisions(problems))?;
        let script = Arc::new(script);
        check_patches(&script, &self.setup.accounts(checked_for)).into_result(Some(()))?;
        for vendor in unlisted {
            let (file, id) = (&source.name, &vendor.id);
            let reason = format!("its `vendors` lists only {listed}");
            skipped.push(format!("scenario `{file}` cannot run at {id}: {reason}"));
        }
        let mut problems = Problems::new();
        let mut plans = Vec::new();
        for vendor in &vendors {
            if let Some(reason) = script.unsupported.get(&vendor.full_id()) {
                let (file, id) = (&script.file, &vendor.id);
                skipped.push(format!("scenario `{file}` cannot run at {id}: {reason}"));
                continue;
            }
            if !self.is_selected(vendor) && !self.has_receiver(vendor) {
                let (file, id) = (&script.file, vendor.full_id());
                let message = format!("no receiver is configured for {id}, at which `{file}` runs");
                let help = format!(
                    "add `--to {}=URL`, or select the other vendors with `--vendor`",
                    vendor.id
                );
                problems.push(Problem::anywhere(code::NO_RECEIVER, message).help(help));
                continue;
            }
            plans.extend(problems.note(self.plans_at(&script, vendor)).unwrap_or_default());
        }
        problems.into_result(Some(plans))
    }

    /// Returns whether `--vendor` names the vendor.
    fn is_selected(&self, vendor: &Platform) -> bool {
        let is_named = |name: &String| VendorRef::parse(name.trim()).id == vendor.id;
        self.args.vendors.iter().any(is_named)
    }

    fn has_receiver(&self, vendor: &Platform) -> bool {
        let play = &self.args.play;
        play.is_dry()
            || !play.receivers.targets(&vendor.id).is_empty()
            || !self.setup.endpoints(&vendor.id).is_empty()
    }

    /// Returns the vendors of `--vendor`. The default is every vendor that the file lists, or, if it
    /// lists none, every playable vendor with a receiver.
    fn vendors(
        &self,
        playable: &[Arc<Platform>],
        is_listed: bool,
    ) -> Result<Vec<Arc<Platform>>, Problems> {
        let plays_all = self.args.plays_all();
        if !self.args.vendors.is_empty() && !plays_all {
            let mut problems = Problems::new();
            let mut vendors = Vec::new();
            for name in vendor_names(&self.args.vendors)?.into_iter().flatten() {
                vendors.extend(problems.note(self.setup.vendor(name)));
            }
            return problems.into_result(Some(vendors));
        }
        // One URL serves one vendor: a receiver expects the payloads of a single vendor there.
        if self.args.play.receivers.has_any() && playable.len() > 1 && !plays_all {
            let ids: Vec<String> = playable.iter().map(|vendor| vendor.full_id()).collect();
            let message = "the scenario can run at more than one vendor";
            let ids = one_of(ids.iter().map(String::as_str));
            let help = format!("choose with `--vendor`: {ids}, or `{ALL_VENDORS}`");
            return Err(Problem::anywhere(code::NOTHING_TO_RUN, message).help(help).into());
        }
        let has_receiver = |vendor: &&Arc<Platform>| self.has_receiver(vendor);
        let vendors: Vec<_> = playable.iter().filter(has_receiver).cloned().collect();
        if vendors.is_empty() {
            return Err(no_receiver("any vendor").into());
        }
        // A vendor that was asked for must not be skipped: its missing receiver is an error.
        Ok(if is_listed || plays_all { playable.to_vec() } else { vendors })
    }

    /// Plans one run for each receiver of a vendor.
    fn plans_at(
        &self,
        script: &Arc<Script>,
        vendor: &Arc<Platform>,
    ) -> Result<Vec<RunPlan>, Problems> {
        let args = self.args;
        let events = if args.events.is_empty() {
            script.subscribe.get(&vendor.id).cloned()
        } else {
            let checked = Subscription::check_plain(&args.events, &vendor.type_names());
            Some(checked.map_err(|problem| {
                let names = args.events.iter().map(|name| name.trim().trim_start_matches('!'));
                let mut names = names.filter(|name| problem.message.contains(*name));
                let help = names.find_map(|name| neutral_help(vendor, name));
                help.map_or_else(|| problem.clone(), |help| problem.clone().help(help))
            })?)
        };
        let mut problems = too_many(script, args.conversations);
        if !args.play.is_dry() {
            let unserved = args.apis.check_served(script, vendor);
            unserved.into_iter().for_each(|problem| problems.push(problem));
        }
        let plan = args.play.plan(script, vendor, events.as_ref(), self.setup);
        let plan = problems.note(plan);
        let has_none = plan.as_ref().is_some_and(|plan| plan.endpoints.is_empty());
        if has_none && !args.apis.can_subscribe(vendor) {
            problems.push(no_receiver(&vendor.id));
        }
        let pace = match args.clock {
            ClockArg::Virtual => ClockMode::Virtual,
            ClockArg::Real => ClockMode::Real(args.speed),
        };
        let plays = args.conversations;
        let complete = |plan| RunPlan { pace, plays, limits: args.limits(), ..plan };
        let mut plans: Vec<RunPlan> = plan.into_iter().map(complete).collect();
        if let Some(profile) = args.chaos {
            for plan in &mut plans {
                problems.extend(inject_faults(plan, profile));
            }
        }
        problems.into_result(Some(plans))
    }
}

/// Adds the faults that a profile chooses from the seed. It is a problem if none is possible.
fn inject_faults(plan: &mut RunPlan, profile: ChaosProfile) -> Problems {
    let chaos = schedule(plan, profile);
    if chaos.schedule.is_empty() {
        let vendor = &plan.account.platform.name;
        let message = format!("no fault of profile `{profile}` is possible at {vendor}");
        let problem = Problem::anywhere(code::VENDOR_CANNOT, message);
        return problem.help("choose another profile, or remove the faults of the file").into();
    }
    plan.script = Arc::new(plan.script.with_chaos(chaos));
    Problems::new()
}

/// Reports a run whose conversations together have more steps than the limit.
fn too_many(script: &Script, conversations: u32) -> Problems {
    let conversations = usize::try_from(conversations).unwrap_or(usize::MAX);
    let steps = script.steps.len().saturating_mul(conversations);
    if steps <= MAX_RUN_STEPS {
        return Problems::new();
    }
    let message = format!(
        "{steps} steps in {conversations} conversations, at most {MAX_RUN_STEPS} are allowed"
    );
    Problem::anywhere(code::TOO_MANY, message).help("reduce `--conversations`").into()
}
