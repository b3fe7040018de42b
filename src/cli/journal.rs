//! `standin journal`: what is kept of runs; and the flags by which a run is kept.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::receivers::{ReceiverArgs, allowed};
use super::setup::{Setup, runtime};
use super::{CommandError, ExitStatus, Global, print};
use crate::base::clock::Clock;
use crate::base::text::{count, escape};
use crate::delivery::{Connector, NetworkTransport};
use crate::diag::{Problem, code};
use crate::journal::{Durability, Journal, JournalWriter, PriorRun, StoredRun, WriteOptions};
use crate::record::{Record, RecordKind, RecordLog, RunFinished, RunStarted};
use crate::report::{ConsoleReport, Detail, JsonLines, Report, RerunCommand};
use crate::run::{Redelivery, ResumePoint, RunPlan, redeliver};

/// Where records are kept.
#[derive(Debug, Args)]
pub(super) struct JournalArgs {
    /// Keep every record in this file, each request before it goes out
    #[arg(long, value_name = "FILE", env = "STANDIN_JOURNAL")]
    journal: Option<PathBuf>,
    /// What the journal survives: the end of the `process`, or of `power` too
    #[arg(long, value_name = "WHAT", default_value = "process", value_parser = durability,
          requires = "journal")]
    durability: Durability,
    /// Go on with runs of the journal that were interrupted; runs that have ended are told again
    #[arg(long, requires = "journal")]
    resume: bool,
}

fn durability(text: &str) -> Result<Durability, String> {
    Durability::of_word(text).ok_or_else(|| format!("one of {}", Durability::WORDS.join(", ")))
}

/// What is done about a plan.
pub(super) enum RunAction {
    /// It is played.
    Play(Box<RunPlan>),
    /// It has been played; these are its records.
    Print(Vec<Record>),
}

impl JournalArgs {
    /// Opens the journal, where there is to be one.
    pub(super) fn open(&self) -> Result<Option<JournalWriter>, CommandError> {
        let options = WriteOptions { durability: self.durability, ..WriteOptions::default() };
        let open = |path: &PathBuf| JournalWriter::open(path, options).map_err(anyhow::Error::from);
        Ok(self.journal.as_deref().map(|path| open(&path.to_owned())).transpose()?)
    }

    /// What is done about each plan, with what the journal knows of it.
    pub(super) fn actions(
        &self,
        journal: Option<&JournalWriter>,
        plans: Vec<RunPlan>,
    ) -> Result<Vec<RunAction>, CommandError> {
        let Some(opened) = journal else {
            return Ok(plans.into_iter().map(|plan| RunAction::Play(Box::new(plan))).collect());
        };
        let read = Journal::open(opened.path()).map_err(anyhow::Error::from)?;
        let todo = |plan: RunPlan| {
            let prior = if self.resume { read.earlier(&plan.started())? } else { PriorRun::Never };
            let resume = match prior {
                PriorRun::Ended(records) => return Ok(RunAction::Print(records)),
                PriorRun::Interrupted(run, prior) => {
                    Some(ResumePoint { run, prior: Arc::new(prior) })
                }
                PriorRun::Never => None,
            };
            Ok(RunAction::Play(Box::new(RunPlan { resume, ..plan })))
        };
        let todo: Result<_, crate::journal::JournalError> = plans.into_iter().map(todo).collect();
        Ok(todo.map_err(anyhow::Error::from)?)
    }

    /// How to go on with what was interrupted.
    pub(super) fn how_to_go_on(&self) -> &'static str {
        if self.journal.is_some() { "; the same command with --resume goes on" } else { "" }
    }
}

/// Shows what is kept of runs, and sends it again
#[derive(Debug, Args)]
pub(super) struct JournalCommandArgs {
    #[command(subcommand)]
    command: JournalCommand,
}

#[derive(Debug, Subcommand)]
enum JournalCommand {
    /// Lists the runs: how they ended, and what is in doubt
    List { journal: PathBuf },
    /// Tells a run again; the last without a number
    Show {
        journal: PathBuf,
        run: Option<i64>,
        /// Print bodies and headers too
        #[arg(short, long)]
        verbose: bool,
    },
    /// Prints a run's records as JSON lines; the last without a number
    Export { journal: PathBuf, run: Option<i64> },
    /// Sends a delivery again: the same bytes, or fresh headers and signature with --fresh
    Redeliver(Box<RedeliverArgs>),
    /// Looks for rows that are missing or are not what was written
    Doctor { journal: PathBuf },
}

#[derive(Debug, Args)]
struct RedeliverArgs {
    journal: PathBuf,
    /// The delivery's id, such as 1-2
    delivery: String,
    /// The run it belongs to; the last that was played without a number
    #[arg(long)]
    run: Option<i64>,
    /// Make headers and signature anew, as for a further attempt
    #[arg(long)]
    fresh: bool,
    #[command(flatten)]
    receivers: ReceiverArgs,
}

pub(super) fn journal(
    args: &JournalCommandArgs,
    global: &Global,
) -> Result<ExitStatus, CommandError> {
    match &args.command {
        JournalCommand::List { journal } => list(journal),
        JournalCommand::Show { journal, run, verbose } => {
            let detail = if *verbose { Detail::Verbose } else { Detail::Normal };
            tell(journal, *run, &mut ConsoleReport::new(detail, RerunCommand::default()))
        }
        JournalCommand::Export { journal, run } => tell(journal, *run, &mut JsonLines),
        JournalCommand::Redeliver(args) => send_again(args, &Setup::read(global)?),
        JournalCommand::Doctor { journal } => doctor(journal),
    }
}

fn open(path: &Path) -> Result<Journal, CommandError> {
    Ok(Journal::open(path).map_err(anyhow::Error::from)?)
}

fn list(path: &Path) -> Result<ExitStatus, CommandError> {
    let runs = open(path)?.runs().map_err(anyhow::Error::from)?;
    for StoredRun { run, at, started, finished, in_doubt } in &runs {
        let resumed = runs.iter().find(|later| later.started.resumes == Some(*run));
        let end = match (finished, resumed) {
            (Some(RunFinished { verdict, passed: right, deliveries, .. }), _) => {
                let deliveries = count(*deliveries, "delivery", "deliveries");
                format!("{verdict}, {right} of {deliveries} right")
            }
            (None, Some(later)) => format!("interrupted, gone on with as run {}", later.run),
            (None, None) => "interrupted".to_owned(),
        };
        let doubt = match in_doubt.len() {
            0 => String::new(),
            number => format!(", {number} in doubt: {}", in_doubt.join("; ")),
        };
        let RunStarted { scenario, vendor, url, seed, .. } = started;
        let (at, scenario, url) = (at.strftime("%F %H:%MZ"), escape(scenario), escape(url));
        print(format_args!(
            "{run}  {at}  {scenario} at {vendor} to {url}, seed {seed}: {end}{doubt}\n"
        ))?;
    }
    Ok(ExitStatus::Passed)
}

/// The number of a run, and its records: of this one, or of the last that is meant.
fn records(
    path: &Path,
    run: Option<i64>,
    is_meant: impl Fn(&StoredRun) -> bool,
) -> Result<(i64, Vec<Record>), CommandError> {
    let journal = open(path)?;
    let runs = journal.runs().map_err(anyhow::Error::from)?;
    let is_it = |kept: &&StoredRun| run.map_or_else(|| is_meant(kept), |wanted| wanted == kept.run);
    let Some(StoredRun { run, .. }) = runs.iter().rfind(is_it) else {
        let message = match run {
            Some(run) => format!("the journal has no run {run}"),
            None => "the journal has no runs".to_owned(),
        };
        return Err(Problem::anywhere(code::NOTHING_TO_PLAY, message).into());
    };
    Ok((*run, journal.records(*run).map_err(anyhow::Error::from)?))
}

fn tell(
    path: &Path,
    run: Option<i64>,
    report: &mut dyn Report,
) -> Result<ExitStatus, CommandError> {
    let (_, records) = records(path, run, |_| true)?;
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    for record in records {
        report.record(&record, &mut out)?;
    }
    report.finish(&mut out)?;
    out.flush()?;
    Ok(ExitStatus::Passed)
}

fn doctor(path: &Path) -> Result<ExitStatus, CommandError> {
    let troubles = open(path)?.examine().map_err(anyhow::Error::from)?;
    for trouble in &troubles {
        let what = escape(&trouble.what);
        print(format_args!("run {}, row {}: {what}\n", trouble.run, trouble.seq))?;
    }
    if troubles.is_empty() {
        print("everything is as it was written\n")?;
        return Ok(ExitStatus::Passed);
    }
    let troubles = count(troubles.len(), "row is", "rows are");
    Err(anyhow::anyhow!("the journal is damaged: {troubles} not as they were written").into())
}

fn send_again(args: &RedeliverArgs, setup: &Setup) -> Result<ExitStatus, CommandError> {
    let is_played = |kept: &StoredRun| !kept.started.is_redelivery();
    let (run, records) = records(&args.journal, args.run, is_played)?;
    let Some(RecordKind::RunStarted(started)) = records.first().map(|record| record.kind.clone())
    else {
        return Err(anyhow::anyhow!("run {run} has no beginning").into());
    };
    let vendor = setup.vendor(&started.vendor)?;
    let account = setup.account(&vendor)?;
    let endpoints = setup.endpoints(&vendor.id);
    let mut problems = crate::diag::Problems::new();
    let headers = endpoints.iter().flat_map(|endpoint| endpoint.headers(&mut problems)).collect();
    let to = self::target(args, &vendor.id)?;
    let redelivery = Redelivery { run, started, account, headers, fresh: args.fresh, to };
    let egress = args.receivers.egress();
    let order = redelivery.order(&args.delivery, &records).ok_or_else(|| {
        let message = format!("run {run} sent no delivery `{}`", args.delivery);
        let help = format!("`standin journal show {} {run} -v` tells them", args.journal.display());
        Problem::anywhere(code::NOTHING_TO_PLAY, message).help(help)
    })?;
    allowed(order.url(), egress)?;
    let opened =
        JournalWriter::open(&args.journal, WriteOptions::default()).map_err(anyhow::Error::from)?;
    let finished: RunFinished = runtime()?.block_on(async {
        let log = RecordLog::new(1, Clock::System);
        opened.attach(&log);
        let mut records = log.subscribe(1).map_err(anyhow::Error::from)?;
        let transport =
            Arc::new(NetworkTransport::new(Connector::new(egress), vendor.wire.as_deref()));
        let sending = tokio::spawn(redeliver(order, transport, log));
        let mut console = ConsoleReport::new(Detail::Normal, RerunCommand::default());
        let mut out = anstream::stdout();
        while let Some(record) = records.next().await {
            console.record(&record, &mut out)?;
        }
        console.finish(&mut out)?;
        let finished = sending.await.map_err(anyhow::Error::from)?;
        opened.close().await.map_err(anyhow::Error::from)?;
        anyhow::Ok(finished)
    })?;
    Ok(finished.verdict.into())
}

/// Where it is sent instead of where it was sent.
fn target(args: &RedeliverArgs, vendor: &str) -> Result<Option<url::Url>, CommandError> {
    let egress = args.receivers.egress();
    let target = args.receivers.targets(vendor).into_iter().next();
    Ok(target.map(|target| target.url(egress)).transpose()?)
}
