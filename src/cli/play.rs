//! What `run` and `send` have in common: to whom, from which seed, and how it is told.

use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::watch;
use url::Url;

use super::dry_run::{DryRunFormat, rehearse};
use super::journal::{JournalArgs, RunAction};
use super::output::OrderedOutput;
use super::progress::Progress;
use super::receivers::{ReceiverArgs, allowed};
use super::setup::{Setup, Signals, instant, runtime, subscription, while_serving_files};
use super::shrink::shrink;
use super::{CommandError, ExitStatus, Global, note, print};
use crate::base::clock::Clock;
use crate::base::secret::Secret;
use crate::config::StartTime;
use crate::delivery::{ClockMode, Connector, NetworkTransport};
use crate::diag::{Problem, Problems, code};
use crate::platform::{Platform, Subscription};
use crate::record::{Record, RecordKind, RecordLog, RunFinished, Verdict};
use crate::report::{ConsoleReport, Detail, JsonLines, Report, RerunCommand};
use crate::run::{self, RunPlan, StopSignal};
use crate::scenario::Script;

/// To whom it is sent, from which seed, and how it is told.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct PlayArgs {
    #[command(flatten)]
    pub(super) receivers: ReceiverArgs,
    #[command(flatten)]
    keep: JournalArgs,
    /// What everything random is drawn from; the same seed sends the same bytes
    #[arg(long, env = "STANDIN_SEED", value_parser = seed, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// When the conversations begin, in run time: an instant, or `now`
    #[arg(long, value_name = "INSTANT", value_parser = StartTime::parse, env = "STANDIN_START")]
    start: Option<StartTime>,
    /// Send nothing; print every request with its run time and its size
    #[arg(long, conflicts_with = "json")]
    dry_run: bool,
    /// Send nothing; print a `curl` command for every request
    #[arg(long, conflicts_with_all = ["json", "dry_run", "quiet", "verbose"])]
    curl: bool,
    /// Print records as JSON lines, one for everything that happens
    #[arg(long, conflicts_with_all = ["quiet", "verbose"])]
    json: bool,
    /// Print only what went wrong, and the end
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Print bodies and headers too
    #[arg(short, long)]
    verbose: bool,
}

/// What tells somebody whom we do not know that nobody chats with them.
fn marker() -> (String, Secret) {
    ("X-Standin".to_owned(), Secret::public("not a real conversation".to_owned()))
}

/// How several runs follow each other.
#[derive(Clone, Debug)]
pub(super) struct BatchOptions {
    /// How many go on at once.
    pub(super) jobs: usize,
    /// Whether none is started once one was not right.
    pub(super) fail_fast: bool,
    /// Where what is left of the first run that fails is written.
    pub(super) shrink: Option<PathBuf>,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self { jobs: 1, fail_fast: false, shrink: None }
    }
}

/// Where nothing is sent to when nobody says where.
const ANYWHERE: &str = "http://localhost:3000/";

/// Reads a seed; clap shows the error.
fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a whole number from 0 to {}", u64::MAX))
}

impl PlayArgs {
    /// Whether nothing is sent.
    pub(super) fn is_dry(&self) -> bool {
        self.dry_run || self.curl
    }

    /// One plan for each receiver of a vendor: those of the flags, else those of the configuration.
    /// Where nothing is subscribed to in particular, the receiver's own subscription holds.
    pub(super) fn plans(
        &self,
        script: &Arc<Script>,
        vendor: &Arc<Platform>,
        wanted: Option<&Subscription>,
        setup: &Setup,
    ) -> Result<Vec<RunPlan>, Problems> {
        let account = setup.account(vendor)?;
        let mut problems = Problems::new();
        let egress = self.receivers.egress();
        let marked = |url: &Url| egress.may_be_public(url).then(marker);
        let plan = |url: &Url, headers: Vec<(String, Secret)>, own: Option<Subscription>| RunPlan {
            number: 0, // which plans are played is known later
            script: Arc::clone(script),
            account: Arc::clone(&account),
            url: url.clone(),
            headers: headers.into_iter().chain(marked(url)).collect(),
            subscription: vendor.subscription(wanted.cloned().or(own)),
            seed: self.seed.unwrap_or(setup.config.seed),
            start: instant(self.start.unwrap_or(setup.config.start)),
            pace: ClockMode::Virtual,
            conversations: 1,
            files: Arc::default(),
            resume: None,
            stop: StopSignal::default(),
        };
        let mut plans = Vec::new();
        for target in self.receivers.targets(&vendor.id) {
            plans.push(plan(&target.url(egress)?, Vec::new(), None));
        }
        if plans.is_empty() {
            for endpoint in setup.endpoints(&vendor.id) {
                let forbidden = allowed(&endpoint.url, egress).err().map(Problems::from);
                problems.extend(forbidden.unwrap_or_default().placed(&endpoint.url.span));
                let own = subscription(endpoint, vendor, &mut problems);
                plans.push(plan(&endpoint.url, endpoint.headers(&mut problems), own));
            }
        }
        if plans.is_empty() && self.is_dry() {
            plans.extend(Url::parse(ANYWHERE).map(|url| plan(&url, Vec::new(), None)));
        }
        if plans.is_empty() {
            return Err(no_receiver(&vendor.id).into());
        }
        problems.or(Some(plans))
    }

    /// What the command line says that a run does not tell, beside the words of one command.
    pub(super) fn again(&self, mut words: Vec<String>, global: &Global) -> RerunCommand {
        if self.receivers.egress().public {
            words.push("--allow-public".to_owned());
        }
        words.extend(global.words());
        RerunCommand {
            sent: None,
            is_configured: !self.receivers.has_targets(),
            has_start: self.start.is_some(),
            flags: words,
        }
    }

    /// Plays the plans, or tells what they would send.
    pub(super) fn execute(
        &self,
        plans: Vec<RunPlan>,
        batch: BatchOptions,
        again: RerunCommand,
        setup: &Setup,
    ) -> Result<ExitStatus, CommandError> {
        if self.is_dry() {
            let form = match (self.curl, self.verbose) {
                (true, _) => DryRunFormat::Curl,
                (_, true) => DryRunFormat::Whole,
                _ => DryRunFormat::Lines,
            };
            return dry_run(&plans, form);
        }
        let connector = Connector::new(self.receivers.egress());
        let (stop, stopped) = watch::channel(false);
        runtime()?.block_on(async {
            let mut interrupts = Signals::listen()?;
            let mut playing = pin!(async {
                self.receivers.wait(&plans, &connector).await?;
                while_serving_files(setup.config.files_port, async |files| {
                    let plans = plans.into_iter().zip(1..).map(|(plan, number)| RunPlan {
                        number,
                        files: Arc::clone(&files),
                        stop: StopSignal::new(stopped.clone()),
                        ..plan
                    });
                    self.play(plans.collect(), batch, again, &connector).await
                })
                .await
            });
            tokio::select! {
                exit = &mut playing => return exit,
                () = interrupts.next() => {}
            }
            // What is under way may end; whoever cannot wait interrupts once more.
            let _ = stop.send(true);
            let exit = tokio::select! {
                exit = playing => exit?,
                () = interrupts.next() => ExitStatus::Interrupted,
            };
            note(format_args!("interrupted{}", self.keep.how_to_go_on()));
            Ok(exit)
        })
    }

    /// Plays the runs; the worst of them is how the command ends. Each has a queue of its own, so
    /// that they are told one after the other whatever goes on at once.
    async fn play(
        &self,
        plans: Vec<RunPlan>,
        batch: BatchOptions,
        again: RerunCommand,
        connector: &Connector,
    ) -> Result<ExitStatus, CommandError> {
        let detail = match (self.quiet, self.verbose) {
            (true, _) => Detail::Quiet,
            (_, true) => Detail::Verbose,
            _ => Detail::Normal,
        };
        let report = || -> Box<dyn Report> {
            if self.json {
                Box::new(JsonLines)
            } else {
                Box::new(ConsoleReport::new(detail, again.clone()))
            }
        };
        let is_brief = self.quiet || plans.iter().any(|plan| plan.conversations > 1);
        let shrinks = batch.shrink.as_ref().map(|file| (file, plans.clone()));
        let journal = self.keep.open()?;
        let actions = self.keep.actions(journal.as_ref(), plans)?;
        let progress = Arc::new(Progress::new(actions.len(), is_brief && !self.json));
        let output = OrderedOutput::new(actions.len());
        let has_failed = AtomicBool::new(false);
        let played = stream::iter(actions.into_iter().enumerate()).map(|(index, action)| {
            let (output, progress, journal) = (&output, &progress, journal.as_ref());
            let (report, has_failed) = (report(), &has_failed);
            async move {
                if batch.fail_fast && has_failed.load(Ordering::Relaxed) {
                    output.skip(index)?;
                    return io::Result::Ok(None);
                }
                let log = RecordLog::new(number_of(index), Clock::System);
                let writing = output.follow(index, &log, report, progress);
                let finished = match action {
                    RunAction::Print(records) => reprint(&records, &log).await,
                    RunAction::Play(plan) => {
                        if let Some(journal) = journal {
                            journal.attach(&log);
                        }
                        let wire = plan.account.platform.wire.as_deref();
                        let transport = NetworkTransport::new(connector.clone(), wire);
                        Some(run::run(*plan, Arc::new(transport), log).await)
                    }
                };
                let passed = finished.as_ref().is_some_and(|run| run.verdict == Verdict::Passed);
                has_failed.fetch_or(!passed, Ordering::Relaxed);
                writing.await.map_err(io::Error::other)??;
                Ok(finished)
            }
        });
        let finished: Vec<_> = played.buffered(batch.jobs).try_collect().await?;
        progress.finish();
        if let Some(journal) = journal {
            journal.close().await.map_err(anyhow::Error::from)?;
        }
        if finished.len() > 1 && !self.json {
            print(format_args!("{}\n", total(&finished)))?;
        }
        let is_over = |run: &Option<RunFinished>| {
            run.as_ref().is_some_and(|run| run.verdict == Verdict::Interrupted)
        };
        if finished.iter().any(is_over) {
            return Ok(ExitStatus::Interrupted);
        }
        if let Some((file, plans)) = shrinks {
            let failed = |run: &Option<RunFinished>| {
                run.as_ref().is_some_and(|run| run.verdict == Verdict::Failed)
            };
            if let Some(index) = finished.iter().position(failed)
                && !shrink(&plans[index], file, connector).await?
            {
                return Ok(ExitStatus::Interrupted);
            }
        }
        let passed = |run: &RunFinished| run.verdict == Verdict::Passed;
        let all = finished.iter().all(|run| run.as_ref().is_some_and(passed));
        Ok(if all { ExitStatus::Passed } else { ExitStatus::Failed })
    }
}

/// The number of a run, from 1, by its index.
fn number_of(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

/// Appends the records of a run that was played before.
async fn reprint(records: &[Record], log: &RecordLog) -> Option<RunFinished> {
    let mut finished = None;
    for record in records {
        if let RecordKind::RunFinished(run) = &record.kind {
            finished = Some(run.clone());
        }
        log.append_again(record).await;
    }
    log.close();
    finished
}

/// Tells what the plans would send. A reader that has gone away is no failure of ours.
fn dry_run(plans: &[RunPlan], form: DryRunFormat) -> Result<ExitStatus, CommandError> {
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    let mut whole = true;
    for plan in plans {
        match rehearse(plan, form, &mut out) {
            Ok(complete) => whole &= complete,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return Ok(ExitStatus::Passed);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(if whole { ExitStatus::Passed } else { ExitStatus::Failed })
}

/// How several runs ended, in a line.
fn total(runs: &[Option<RunFinished>]) -> String {
    let finished = || runs.iter().flatten();
    let passed = finished().filter(|run| run.verdict == Verdict::Passed).count();
    let right: u64 = finished().map(|run| run.passed).sum();
    let deliveries: u64 = finished().map(|run| run.deliveries).sum();
    let not_started = match runs.len() - finished().count() {
        0 => String::new(),
        number => format!("; {number} were not started, as --fail-fast asks"),
    };
    format!(
        "\ntotal: {passed} of {} runs passed ({right} of {deliveries} deliveries right){not_started}",
        runs.len()
    )
}

pub(super) fn no_receiver(vendor: &str) -> Problem {
    let message = format!("there is no receiver to send to for {vendor}");
    Problem::anywhere(code::NO_RECEIVER, message).help(
        "add `--to http://localhost:3000/`, where `standin listen` or your own receiver listens",
    )
}
