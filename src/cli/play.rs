//! Arguments and execution that `run` and `send` share.

use std::cell::RefCell;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::watch;
use url::Url;

use super::client_command::{ClientCommand, RunningClient, stop_client};
use super::dry_run::{DryRunFormat, write_dry_run};
use super::dry_run_json::write_dry_run_json;
use super::exit::{CommandError, ExitStatus};
use super::global::Global;
use super::journal::JournalArgs;
use super::json_output::JsonArgs;
use super::output::OrderedOutput;
use super::planned_runs::PlannedRuns;
use super::progress::Progress;
use super::receivers::{READY_WAIT, ReceiverArgs, allowed};
use super::reports::ReportArgs;
use super::run_actions::{RunAction, RunActions};
use super::setup::{
    Setup, Signals, check_headers, endpoint_subscription, header_names, instant, runtime,
    while_serving_files,
};
use super::shrink::shrink;
use super::terminal::{OptionalOutput, note, print};
use crate::base::clock::Clock;
use crate::base::file_store::FileStore;
use crate::base::redact::Redactor;
use crate::base::secret::Secret;
use crate::config::{EndpointForm, ReceiverUrl, StartTime};
use crate::delivery::{ClockMode, Connector, Http1Client};
use crate::diag::{Problem, Problems, code};
use crate::journal::{AccountStore, Journal, JournalError, JournalWriter};
use crate::platform::{Account, Catalog, Platform, Subscription};
use crate::record::{RecordKind, RecordLog, RunFinished, Verdict};
use crate::report::{Caveats, ConsoleReport, Detail, JsonLines, Report, RerunCommand};
use crate::run::{self, EndpointPlan, FailureSignal, RunLimits, RunPlan, StopSignal};
use crate::scenario::Script;

/// Receivers, seed, start time and output format.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate flag")]
pub(super) struct PlayArgs {
    #[command(flatten)]
    pub(super) receivers: ReceiverArgs,
    #[command(flatten)]
    journal: JournalArgs,
    #[command(flatten)]
    reports: ReportArgs,
    /// Seed of everything random, or `random` for a new one, which is printed. The same seed sends the
    /// same bytes and ids [default: from the configuration]
    #[arg(long, env = "STANDIN_SEED", value_parser = seed, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Time at which the conversations begin: an instant such as 2026-03-01T08:00:00Z, or `now`
    #[arg(long, value_name = "INSTANT", value_parser = StartTime::parse, env = "STANDIN_START")]
    start: Option<StartTime>,
    /// Send nothing; print every request with its run time and its size in bytes
    #[arg(long)]
    dry_run: bool,
    /// Send nothing; print a `curl` command for every request
    #[arg(long, conflicts_with_all = ["json", "dry_run", "quiet", "verbose"])]
    curl: bool,
    #[command(flatten)]
    json: JsonArgs,
    /// Print only failures and verdicts
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Also print bodies and headers
    #[arg(short, long)]
    verbose: bool,
}

/// Options for several runs.
#[derive(Clone, Debug)]
pub(super) struct BatchOptions {
    /// Maximum number of parallel runs, at least 1.
    pub(super) jobs: usize,
    /// Starts no further run after the first that does not pass.
    pub(super) fail_fast: bool,
    /// File for the smallest set of faults that makes the first failed run fail.
    pub(super) shrink: Option<PathBuf>,
    /// Program that runs as long as the runs do.
    pub(super) client: Option<ClientCommand>,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self { jobs: 1, fail_fast: false, shrink: None, client: None }
    }
}

/// Receiver of a dry run that names none. It appears in the output only.
const DRY_RUN_URL: &str = "http://localhost:3000/";

/// A receiver of a run, before the flags for its connections apply.
struct Receiver<'a> {
    to: ReceiverUrl,
    /// Its table in the configuration.
    form: Option<&'a EndpointForm>,
    headers: Vec<(String, Secret)>,
    events: Option<Subscription>,
}

impl Receiver<'_> {
    /// A receiver that the configuration does not name.
    fn at(to: ReceiverUrl) -> Self {
        Self { to, form: None, headers: Vec::new(), events: None }
    }
}

/// Parses a seed. clap prints the error.
fn seed(text: &str) -> Result<u64, String> {
    if text == "random" {
        // The standard library seeds its hash maps from the system: enough to be different each time.
        return Ok(RandomState::new().hash_one(()));
    }
    text.parse().map_err(|_| format!("expected `random`, or an integer from 0 to {}", u64::MAX))
}

impl PlayArgs {
    /// The seed of the command line.
    pub(super) fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// Reports options that are invalid, even those that no run uses.
    pub(super) fn check(&self, catalog: &Catalog) -> Problems {
        let mut problems = self.receivers.check(catalog);
        problems.note(self.json.check(self.quiet || self.verbose));
        problems
    }

    /// Returns whether the command only prints what it would send.
    pub(super) fn is_dry(&self) -> bool {
        self.dry_run || self.curl
    }

    /// Plans a run with the receivers of a vendor as its endpoints: those of `--to`, or those of the
    /// configuration, possibly none. Without `subscription`, each receiver's own subscription applies.
    pub(super) fn plan(
        &self,
        script: &Arc<Script>,
        vendor: &Arc<Platform>,
        subscription: Option<&Subscription>,
        setup: &Setup,
    ) -> Result<RunPlan, Problems> {
        let account = setup.account(vendor)?;
        let endpoints = self.endpoints(&account, subscription, setup)?;
        Ok(RunPlan {
            number: 0, // numbered when filters have removed the plans that do not run
            occurrence: 1,
            script: Arc::clone(script),
            account,
            endpoints,
            seed: self.seed.or(script.seed).unwrap_or(setup.config.seed),
            start: instant(self.start.or(script.start).unwrap_or(setup.config.start)),
            pace: ClockMode::Virtual,
            plays: 1,
            files: Arc::default(),
            resume: None,
            memory: None,
            stop: StopSignal::default(),
            limits: RunLimits::default(),
            slots: setup.slots.clone(),
            api: None,
        })
    }

    fn endpoints(
        &self,
        account: &Account,
        subscription: Option<&Subscription>,
        setup: &Setup,
    ) -> Result<Vec<EndpointPlan>, Problems> {
        let vendor = &account.platform;
        let mut problems = Problems::new();
        let (egress, connection) = (self.receivers.egress(), &self.receivers.connection);
        let mut endpoints = Vec::new();
        let mut add = |receiver: Receiver| {
            let Receiver { to, form, mut headers, events } = receiver;
            let options = problems.note(setup.connection(connection, form, egress));
            connection.add_headers(&mut headers, &header_names(account), &mut problems);
            let subscription = vendor.subscription(subscription.cloned().or(events));
            let options = options.unwrap_or_default();
            let is_public = options.may_be_public(egress, &to.url);
            headers.extend(is_public.then(EndpointPlan::synthetic_marker));
            // Numbered below, in the order of the list.
            let plan = EndpointPlan::new(0, to.url, subscription);
            endpoints.push(EndpointPlan { reference: to.reference, headers, options, ..plan });
        };
        let targets = self.receivers.targets(&vendor.id);
        let forms = if targets.is_empty() { setup.endpoints(&vendor.id) } else { Vec::new() };
        for target in &targets {
            add(Receiver::at(target.resolve(egress)?));
        }
        let mut others = Problems::new();
        for form in &forms {
            let resolved = form.url.resolve();
            let allowed = resolved.and_then(|to| allowed(&to, egress).map(|()| to));
            // Marked at the URL in the configuration file, not reported without a place.
            let placed = allowed
                .map_err(|problem| Problems::from(problem).with_default_span(&form.url.span));
            let events = endpoint_subscription(form, vendor, &mut others);
            check_headers(form, account, &mut others);
            let headers = form.resolve_headers(&mut others);
            if let Some(to) = others.note(placed) {
                add(Receiver { to, form: Some(form), headers, events });
            }
        }
        if targets.is_empty() && forms.is_empty() && self.is_dry() {
            let url = Url::parse(DRY_RUN_URL);
            url.into_iter().for_each(|url| add(Receiver::at(url.into())));
        }
        problems.extend(others);
        for (number, endpoint) in (1..).zip(&mut endpoints) {
            endpoint.number = number;
        }
        problems.into_result(Some(endpoints))
    }

    /// Returns the command that repeats a run; `flags` are those of the subcommand.
    pub(super) fn rerun_command(&self, mut flags: Vec<String>, global: &Global) -> RerunCommand {
        if self.receivers.egress().public {
            flags.push("--allow-public".to_owned());
        }
        flags.extend(self.receivers.connection.to_args());
        flags.extend(global.to_args());
        RerunCommand {
            send_args: None,
            is_configured: !self.receivers.has_targets(),
            has_start: self.start.is_some(),
            flags,
            journal: self.journal.path().map(|path| path.display().to_string()),
        }
    }

    /// Executes the plans, or prints what they would send in a dry run.
    pub(super) fn execute(
        &self,
        runs: &PlannedRuns<'_>,
        batch: BatchOptions,
        rerun: RerunCommand,
        setup: &Setup,
    ) -> Result<ExitStatus, CommandError> {
        // A delivery id is unique in its run only.
        let journal = rerun.journal.filter(|_| runs.len() == 1);
        let rerun = RerunCommand { journal, ..rerun };
        if self.is_dry() {
            return self.dry_run(runs);
        }
        let connector = Connector::new(self.receivers.egress());
        let redactor = setup.redactor();
        let (stop, stopped) = watch::channel(false);
        let runtime = runtime(batch.jobs)?;
        let exit = runtime.block_on(async {
            let mut signals = Signals::listen()?;
            let client = batch.client.as_ref().map(RunningClient::start).transpose()?;
            let default = client.as_ref().map(|_| READY_WAIT);
            let failure = client.as_ref().map(RunningClient::failure).unwrap_or_default();
            let mut playing = pin!(async {
                let mut interrupted = stopped.clone();
                // Waiting for receivers may take minutes. An interruption must not.
                let unready = tokio::select! {
                    ready = self.receivers.wait(runs.receivers(), default, &connector) => ready.err(),
                    _ = interrupted.wait_for(|stop| *stop) => return Ok(ExitStatus::Interrupted),
                    // The runs fail with the reason.
                    _ = failure.given() => None,
                };
                let play = async |failure: FailureSignal| {
                    while_serving_files(&setup.config.files, async |files| {
                        let stop = StopSignal::new(stopped.clone());
                        let (connector, redactor) = (&connector, &redactor);
                        let context =
                            PlayContext { runs, files, stop, failure, rerun, connector, redactor };
                        self.play(&context, batch).await
                    })
                    .await
                };
                let Some(error) = unready else { return play(failure.clone()).await };
                // The reports say why nothing was sent. A journal stays as it is: its runs can still be
                // played.
                if self.reports.is_needed() && self.journal.path().is_none() {
                    let message = error.message().trim_end_matches('.').to_owned();
                    let reason = watch::channel(Some(message)).1;
                    play(FailureSignal::new(reason)).await?;
                }
                Err(error)
            });
            let ended = tokio::select! {
                exit = &mut playing => Some(exit),
                () = signals.next() => None,
            };
            if let Some(exit) = ended {
                stop_client(client, &mut signals).await;
                return exit;
            }
            // The first signal lets attempts in progress finish. The second ends the process.
            let _ = stop.send(true);
            let exit = tokio::select! {
                exit = playing => exit?,
                () = signals.next() => ExitStatus::Interrupted,
            };
            stop_client(client, &mut signals).await;
            note(format_args!("interrupted{}", self.journal.resume_hint()));
            Ok(exit)
        });
        // After a second signal, the thread that writes the output still waits for records. To drop
        // the runtime would wait for that thread.
        runtime.shutdown_background();
        exit
    }

    /// Prints what the plans would send. It fails if a webhook cannot be rendered.
    fn dry_run(&self, runs: &PlannedRuns<'_>) -> Result<ExitStatus, CommandError> {
        let format = match (self.curl, self.verbose) {
            (true, _) => DryRunFormat::Curl,
            (_, true) => DryRunFormat::Whole,
            _ => DryRunFormat::Lines,
        };
        let mut file = self.json.create()?.map(io::BufWriter::new);
        // The result does not depend on how much of the output is read.
        let mut out = io::BufWriter::new(OptionalOutput::new(anstream::stdout().lock()));
        let mut all_complete = true;
        for index in 0..runs.len() {
            let plan = runs.plan(index)?;
            if let Some(file) = &mut file {
                write_dry_run_json(&plan, index + 1, file)?;
            }
            all_complete &= if self.json.is_console() {
                write_dry_run_json(&plan, index + 1, &mut out)?
            } else {
                write_dry_run(&plan, format, &mut out)?
            };
        }
        Ok(if all_complete { ExitStatus::Passed } else { ExitStatus::Failed })
    }

    /// Executes the runs and returns the worst exit status.
    async fn play(
        &self,
        context: &PlayContext<'_, '_>,
        batch: BatchOptions,
    ) -> Result<ExitStatus, CommandError> {
        let number = context.runs.len();
        let is_brief = self.quiet || context.runs.has_many_conversations;
        let is_new = self.journal.is_new();
        let journal = self.journal.open()?;
        let reports = self.reports.open()?;
        // Only calls make something at accounts.
        let accounts = if context.runs.serves_apis() {
            self.journal.accounts(journal.as_ref(), is_new)?
        } else {
            None
        };
        let mut actions = self.journal.actions(journal.as_ref(), accounts)?;
        let progress = Arc::new(Progress::new(number, is_brief && !self.json.is_console()));
        let output = OrderedOutput::new(number, Box::new(anstream::stdout()));
        let json = self.json.open(number)?;
        let caveats = Arc::new(Mutex::new(Caveats::default()));
        let any_failed = AtomicBool::new(false);
        let unplanned = RefCell::new(None);
        let runs = stream::iter(0..number).map(|index| {
            let (output, progress, journal) = (&output, &progress, journal.as_ref());
            let (reports, any_failed, caveats) = (&reports, &any_failed, &caveats);
            let json = json.as_ref();
            let ends_early = batch.fail_fast && any_failed.load(Ordering::Relaxed);
            let mut unplanned = unplanned.borrow_mut();
            // Here, not below: runs are planned in order, each when its turn comes.
            let action = (!ends_early && unplanned.is_none())
                .then(|| context.action(index, &mut actions))
                .and_then(|action| action.map_err(|error| *unplanned = Some(error)).ok());
            async move {
                let Some(action) = action else {
                    output.skip(index)?;
                    json.map_or(Ok(()), |json| json.skip(index))?;
                    reports.add(index, None)?;
                    return io::Result::Ok(None);
                };
                let log = RecordLog::new(number_of(index), Clock::System);
                log.redact(context.redactor.clone());
                let report = self.report(&action, &context.rerun, caveats);
                let writing = output.follow(index, &log, report, progress);
                let reporting = reports.follow(index, &log);
                let json_writing = json.map(|json| json.follow(index, &log));
                let finished = context.execute(action, journal, log).await;
                let finished = finished.map_err(io::Error::other)?;
                let passed = finished.as_ref().is_some_and(|run| run.verdict == Verdict::Passed);
                any_failed.fetch_or(!passed, Ordering::Relaxed);
                writing.await.map_err(io::Error::other)??;
                reporting.await.map_err(io::Error::other)??;
                if let Some(json_writing) = json_writing {
                    json_writing.await.map_err(io::Error::other)??;
                }
                Ok(finished)
            }
        });
        let finished: Vec<_> = runs.buffered(batch.jobs).try_collect().await?;
        // The writer cannot tidy up its file while somebody reads it.
        drop(actions);
        progress.finish();
        reports.finish()?;
        if let Some(journal) = journal {
            journal.close().await.map_err(anyhow::Error::from)?;
        }
        if let Some(error) = unplanned.into_inner() {
            return Err(error);
        }
        if finished.len() > 1 && !self.json.is_console() {
            print(format_args!("{}\n", total(&finished)))?;
        }
        let mut text = Vec::new();
        caveats.lock().unwrap_or_else(PoisonError::into_inner).write(&mut text)?;
        print(String::from_utf8_lossy(&text))?;
        context.exit_status(&finished, batch.shrink.as_deref()).await
    }

    /// Creates the report of a run.
    fn report(
        &self,
        action: &RunAction,
        rerun: &RerunCommand,
        caveats: &Arc<Mutex<Caveats>>,
    ) -> Box<dyn Report> {
        if self.json.is_console() {
            return Box::new(JsonLines);
        }
        let detail = match (self.quiet, self.verbose) {
            (true, _) => Detail::Quiet,
            (_, true) => Detail::Verbose,
            _ => Detail::Normal,
        };
        // The records of a finished run do not name the limit.
        let slow = match action {
            RunAction::Play(plan) => plan.account.platform.slow.clone(),
            RunAction::Replay(_) => None,
        };
        let report = ConsoleReport::new(detail, rerun.clone()).noting_slow(slow);
        Box::new(report.sharing(Arc::clone(caveats)))
    }
}

/// What the runs of a command share.
struct PlayContext<'a, 'r> {
    runs: &'a PlannedRuns<'r>,
    files: Arc<FileStore>,
    stop: StopSignal,
    /// The end of the client.
    failure: FailureSignal,
    rerun: RerunCommand,
    connector: &'a Connector,
    redactor: &'a Redactor,
}

impl PlayContext<'_, '_> {
    /// Plans a run, by its index.
    fn plan(&self, index: usize) -> Result<RunPlan, CommandError> {
        let plan = self.runs.plan(index)?;
        let (files, stop) = (Arc::clone(&self.files), self.stop.clone());
        let limits = RunLimits { failure: self.failure.clone(), ..plan.limits };
        Ok(RunPlan { number: number_of(index), files, stop, limits, ..plan })
    }

    /// Returns the action of a run.
    fn action(&self, index: usize, actions: &mut RunActions) -> Result<RunAction, CommandError> {
        actions.next(self.plan(index)?)
    }

    /// Executes a run, or replays a finished one.
    async fn execute(
        &self,
        action: RunAction,
        journal: Option<&JournalWriter>,
        log: RecordLog,
    ) -> Result<Option<RunFinished>, JournalError> {
        match action {
            RunAction::Replay(run) => replay_run(journal, run, &log).await,
            RunAction::Play(plan) => {
                if let Some(journal) = journal {
                    journal.attach(&log);
                }
                let wire = plan.account.platform.wire.clone();
                let transport = Http1Client::new(self.connector.clone(), wire);
                let memory = plan.memory.clone();
                let finished = run::run(*plan, Arc::new(transport), log).await;
                if finished.verdict != Verdict::Interrupted {
                    memory.iter().for_each(AccountStore::clear);
                }
                Ok(Some(finished))
            }
        }
    }

    /// Returns the exit status of runs; `None` is a run that was not started. The first failed run is
    /// reduced to the fewest faults, if a file for them is given.
    async fn exit_status(
        &self,
        finished: &[Option<RunFinished>],
        shrinks: Option<&Path>,
    ) -> Result<ExitStatus, CommandError> {
        let has = |run: &Option<RunFinished>, verdict| {
            run.as_ref().is_some_and(|run| run.verdict == verdict)
        };
        // An interruption decides the exit status even if a run failed before it.
        if finished.iter().any(|run| has(run, Verdict::Interrupted)) {
            return Ok(ExitStatus::Interrupted);
        }
        // A resource of this machine ran out: the receiver is not to blame.
        if finished.iter().flatten().any(|run| run.local_error) {
            return Ok(ExitStatus::CannotWork);
        }
        // The journal is closed by now: repetitions for shrinking are not recorded.
        if let Some(file) = shrinks
            && let Some(index) = finished.iter().position(|run| has(run, Verdict::Failed))
            && !shrink(&self.plan(index)?, file, self.connector).await?
        {
            return Ok(ExitStatus::Interrupted);
        }
        let all = finished.iter().all(|run| has(run, Verdict::Passed));
        Ok(if all { ExitStatus::Passed } else { ExitStatus::Failed })
    }
}

/// The number of a run, from 1, by its index.
fn number_of(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

/// Appends the records of a finished run to a log again, and returns its result.
async fn replay_run(
    journal: Option<&JournalWriter>,
    run: i64,
    log: &RecordLog,
) -> Result<Option<RunFinished>, JournalError> {
    let Some(journal) = journal else { return Ok(None) };
    let replayed = match Journal::open(journal.path()) {
        Ok(journal) => replay_records(&journal, run, log).await,
        Err(error) => Err(error),
    };
    // Also after an error: the report waits for the end of the log.
    log.close();
    replayed
}

async fn replay_records(
    journal: &Journal,
    run: i64,
    log: &RecordLog,
) -> Result<Option<RunFinished>, JournalError> {
    let mut finished = None;
    for record in journal.records(run) {
        let record = record?;
        log.append_existing(&record).await;
        if let RecordKind::RunFinished(run) = record.kind {
            finished = Some(run);
        }
    }
    Ok(finished)
}

/// Summarizes several runs in one line.
fn total(runs: &[Option<RunFinished>]) -> String {
    let finished = || runs.iter().flatten();
    let passed = finished().filter(|run| run.verdict == Verdict::Passed).count();
    let delivered: u64 = finished().map(|run| run.passed).sum();
    let deliveries: u64 = finished().map(|run| run.deliveries).sum();
    let not_started = match runs.len() - finished().count() {
        0 => String::new(),
        number => format!("; {number} not started because of --fail-fast"),
    };
    format!(
        "\ntotal: {passed} of {} runs passed ({delivered} of {deliveries} deliveries passed)\
         {not_started}",
        runs.len()
    )
}

/// Returns the problem of a run that has no receiver.
pub(super) fn no_receiver(vendor: &str) -> Problem {
    let message = format!("no receiver is configured for {vendor}");
    Problem::anywhere(code::NO_RECEIVER, message).help(
        "add `--to URL` with the address of your receiver or of `standin listen`, such as \
         http://localhost:3000/",
    )
}
