//! `standin journal`, and the arguments of `run` and `send` that concern the journal.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::exit::{CommandError, ExitStatus};
use super::global::Global;
use super::receivers::{ReceiverArgs, allowed};
use super::reports::{ReportArg, ReportFiles};
use super::run_actions::RunActions;
use super::setup::{Setup, runtime};
use super::terminal::{is_read, print};
use crate::base::clock::Clock;
use crate::base::text::{count, escape, one_of};
use crate::config::ReceiverUrl;
use crate::delivery::{Connector, Http1Client};
use crate::diag::{Problem, code};
use crate::journal::{
    AccountFile, Durability, Journal, JournalWriter, RunBeginning, StoredRun, WriteOptions,
};
use crate::platform::Subscription;
use crate::record::{Record, RecordKind, RecordLog, RunFinished, RunStarted};
use crate::report::{ConsoleReport, Detail, JsonLines, Report, RerunCommand, RunCollector};
use crate::run::{DeliveryChange, EndpointPlan, Redelivery, redeliver};

/// Journal options of `run` and `send`.
#[derive(Debug, Args)]
pub(super) struct JournalArgs {
    /// Journal file to write every record to, each request before it is sent
    #[arg(long, value_name = "FILE", env = "STANDIN_JOURNAL")]
    journal: Option<PathBuf>,
    /// Failure that the journal survives: a crash of the `process`, or loss of `power` too
    #[arg(long, value_name = "LEVEL", default_value = "process", value_parser = durability,
          requires = "journal")]
    durability: Durability,
    /// Resume interrupted runs; print the results of finished ones
    #[arg(long, requires = "journal")]
    resume: bool,
}

/// Parses a durability. clap prints the error.
pub(super) fn durability(text: &str) -> Result<Durability, String> {
    let names = || one_of(Durability::NAMES.iter().copied());
    Durability::from_name(text).ok_or_else(|| format!("expected {}", names()))
}

impl JournalArgs {
    /// Returns the journal file.
    pub(super) fn path(&self) -> Option<&Path> {
        self.journal.as_deref()
    }

    /// Opens the journal if `--journal` is set.
    pub(super) fn open(&self) -> Result<Option<JournalWriter>, CommandError> {
        let options = WriteOptions { durability: self.durability, ..WriteOptions::default() };
        let open = |path: &PathBuf| JournalWriter::open(path, options).map_err(anyhow::Error::from);
        Ok(self.journal.as_deref().map(|path| open(&path.to_owned())).transpose()?)
    }

    /// Prepares the actions of the runs, according to prior runs in the journal.
    pub(super) fn actions(
        &self,
        journal: Option<&JournalWriter>,
        accounts: Option<AccountFile>,
    ) -> Result<RunActions, CommandError> {
        let Some(writer) = journal else { return Ok(RunActions::without_journal()) };
        let actions = Journal::open(writer.path())
            .and_then(|read| RunActions::of(read, self.resume, accounts));
        Ok(actions.map_err(anyhow::Error::from)?)
    }

    /// Returns true if the journal has no runs, because the file is new or empty.
    pub(super) fn is_new(&self) -> bool {
        let path = self.journal.as_deref();
        path.is_some_and(|path| !fs::metadata(path).is_ok_and(|found| found.len() > 0))
    }

    /// Opens the file beside the journal with what calls make at accounts.
    pub(super) fn accounts(
        &self,
        journal: Option<&JournalWriter>,
        journal_is_new: bool,
    ) -> Result<Option<AccountFile>, CommandError> {
        let Some(writer) = journal else { return Ok(None) };
        let file = AccountFile::open(writer.path(), self.durability, journal_is_new);
        Ok(Some(file.map_err(anyhow::Error::from)?))
    }

    /// Explains how to resume an interrupted run; empty without a journal.
    pub(super) fn resume_hint(&self) -> &'static str {
        if self.journal.is_some() { "; add --resume to the same command to continue" } else { "" }
    }
}

/// List, show, export, check and redeliver the runs recorded in a journal
#[derive(Debug, Args)]
pub(super) struct JournalCommandArgs {
    #[command(subcommand)]
    command: JournalCommand,
}

#[derive(Debug, Subcommand)]
enum JournalCommand {
    /// List the runs with their results and the attempts in doubt
    List {
        /// Journal file
        journal: PathBuf,
    },
    /// Print the report of a run again
    Show {
        /// Journal file
        journal: PathBuf,
        /// Number of the run [default: the last run]
        run: Option<i64>,
        /// Also print bodies and headers
        #[arg(short, long)]
        verbose: bool,
    },
    /// Print the records of a run as JSON lines
    Export {
        /// Journal file
        journal: PathBuf,
        /// Number of the run [default: the last run]
        run: Option<i64>,
    },
    /// Write a report about one run or all runs to files
    Report {
        /// Journal file
        journal: PathBuf,
        /// Number of the run [default: all runs]
        run: Option<i64>,
        /// Report to write: KIND is `junit`, `html`, `json`, `har` or `md`. Can be repeated
        #[arg(long = "report", value_name = "KIND=FILE", value_parser = ReportArg::parse,
              required = true)]
        reports: Vec<ReportArg>,
    },
    /// Send a delivery again: the same bytes, or with new headers and signature (--fresh)
    Redeliver(Box<RedeliverArgs>),
    /// Check the journal for missing and changed rows
    Doctor {
        /// Journal file
        journal: PathBuf,
    },
}

#[derive(Debug, Args)]
struct RedeliverArgs {
    /// Journal file
    journal: PathBuf,
    /// Id of the delivery, such as 1-2
    delivery: String,
    /// Number of the run that it belongs to [default: the last run that is not a redelivery]
    #[arg(long)]
    run: Option<i64>,
    /// Generate new headers and a new signature, as a retry does
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
            print_report(journal, *run, &mut ConsoleReport::new(detail, RerunCommand::default()))
        }
        JournalCommand::Export { journal, run } => print_report(journal, *run, &mut JsonLines),
        JournalCommand::Report { journal, run, reports } => write_reports(journal, *run, reports),
        JournalCommand::Redeliver(args) => send_redelivery(args, &Setup::read(global)?),
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
            (Some(RunFinished { verdict, deliveries: 0, .. }), _) => {
                format!("{verdict}, no deliveries")
            }
            (Some(RunFinished { verdict, passed, deliveries, .. }), _) => {
                let deliveries = count(*deliveries, "delivery", "deliveries");
                format!("{verdict}, {passed} of {deliveries} passed")
            }
            (None, Some(later)) => format!("interrupted, resumed as run {}", later.run),
            (None, None) => "interrupted".to_owned(),
        };
        let doubt = match in_doubt.len() {
            0 => String::new(),
            number => format!(", {number} in doubt: {}", in_doubt.join("; ")),
        };
        // Names come from files and from the journal, so control characters are escaped.
        let RunStarted { scenario, vendor, urls, seed, .. } = started;
        let (at, scenario) = (at.strftime("%F %H:%MZ"), escape(scenario));
        let url = escape(&urls.join(", "));
        print(format_args!(
            "{run}  {at}  {scenario} at {vendor} to {url}, seed {seed}: {end}{doubt}\n"
        ))?;
    }
    Ok(ExitStatus::Passed)
}

/// Returns the number of a run. The default is the last run that `is_default` accepts.
fn run_number(
    journal: &Journal,
    run: Option<i64>,
    is_default: impl Fn(&RunBeginning) -> bool,
) -> Result<i64, CommandError> {
    let runs = journal.beginnings().and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let runs = runs.map_err(anyhow::Error::from)?;
    let is_selected = |stored: &&RunBeginning| {
        run.map_or_else(|| is_default(stored), |number| number == stored.run)
    };
    let Some(RunBeginning { run, .. }) = runs.iter().rfind(is_selected) else {
        let message = match run {
            Some(run) => format!("the journal has no run {run}"),
            None => "the journal has no runs".to_owned(),
        };
        return Err(Problem::anywhere(code::NOTHING_TO_RUN, message).into());
    };
    Ok(*run)
}

/// Prints the records of a run as a report.
fn print_report(
    path: &Path,
    run: Option<i64>,
    report: &mut dyn Report,
) -> Result<ExitStatus, CommandError> {
    let journal = open(path)?;
    let run = run_number(&journal, run, |_| true)?;
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    for record in journal.records(run) {
        let record = record.map_err(anyhow::Error::from)?;
        if !is_read(report.record(&record, &mut out))? {
            return Ok(ExitStatus::Passed);
        }
    }
    is_read(report.finish(&mut out).and_then(|()| out.flush()))?;
    Ok(ExitStatus::Passed)
}

/// Writes reports about the runs of a journal.
fn write_reports(
    path: &Path,
    run: Option<i64>,
    reports: &[ReportArg],
) -> Result<ExitStatus, CommandError> {
    let journal = open(path)?;
    let runs = match run {
        Some(_) => vec![run_number(&journal, run, |_| true)?],
        None => journal.run_numbers().map_err(anyhow::Error::from)?,
    };
    let files = ReportFiles::open(reports)?;
    for (index, run) in runs.into_iter().enumerate() {
        let mut collector = RunCollector::default();
        for record in journal.records(run) {
            collector.record(&record.map_err(anyhow::Error::from)?);
        }
        files.add(index, collector.finish())?;
    }
    files.finish()?;
    Ok(ExitStatus::Passed)
}

/// Reports every row that is missing or changed. A damaged journal is an error.
fn doctor(path: &Path) -> Result<ExitStatus, CommandError> {
    let errors = open(path)?.examine().map_err(anyhow::Error::from)?;
    for error in &errors {
        let what = escape(&error.what);
        print(format_args!("run {}, row {}: {what}\n", error.run, error.seq))?;
    }
    if errors.is_empty() {
        print("no problems found\n")?;
        return Ok(ExitStatus::Passed);
    }
    let errors = count(errors.len(), "row is", "rows are");
    Err(anyhow::anyhow!("the journal is damaged: {errors} missing or changed").into())
}

/// Sends a stored delivery again and records that as a run of the journal.
fn send_redelivery(args: &RedeliverArgs, setup: &Setup) -> Result<ExitStatus, CommandError> {
    let is_scenario = |stored: &RunBeginning| !stored.started.is_redelivery();
    let journal = open(&args.journal)?;
    let run = run_number(&journal, args.run, is_scenario)?;
    let (started, records) = delivery_records(&journal, run, &args.delivery)?;
    drop(journal);
    let vendor = setup.vendor(&started.vendor)?;
    let account = setup.account(&vendor)?;
    let endpoints = setup.endpoints(&vendor.id);
    // The journal holds references in place of secrets, so headers come from the configuration.
    let mut problems = crate::diag::Problems::new();
    let (egress, connection) = (args.receivers.egress(), &args.receivers.connection);
    let mut plans = Vec::new();
    for form in endpoints {
        let headers = form.resolve_headers(&mut problems);
        let options = setup.connection(connection, Some(form), egress)?;
        // One that cannot be read now may not be needed: the delivery may belong to another.
        if let Ok(ReceiverUrl { url, reference }) = form.url.resolve() {
            let plan = EndpointPlan::new(1, url, Subscription::default());
            plans.push(EndpointPlan { reference, headers, options, ..plan });
        }
    }
    let options = setup.connection(connection, None, egress)?;
    let to = self::target(args, &vendor.id)?.map(|ReceiverUrl { url, reference }| {
        let plan = EndpointPlan::new(1, url, Subscription::default());
        EndpointPlan { reference, options: Arc::clone(&options), ..plan }
    });
    let fresh = args.fresh.then(|| Clock::System.now());
    let change = DeliveryChange::default();
    let redelivery =
        Redelivery { run, started, account, endpoints: plans, fresh, to, options, change };
    let sent_url = sent_url(&records, &args.delivery);
    let is_hidden = sent_url.is_some_and(|url| url.starts_with("${"));
    if is_hidden && redelivery.request(&args.delivery, &records).is_none() {
        return Err(hidden_url().into());
    }
    let request = redelivery.request(&args.delivery, &records).ok_or_else(|| {
        let message = format!("run {run} sent no delivery `{}`", args.delivery);
        let help = format!(
            "list deliveries with `standin journal show {} {run} -v`",
            args.journal.display()
        );
        Problem::anywhere(code::NOTHING_TO_RUN, message).help(help)
    })?;
    if request.url().as_str().contains("${query.") {
        return Err(hidden_url().into());
    }
    // The URL comes from the journal, which may have been written with `--allow-public`.
    let reference = request.reference().map(str::to_owned);
    allowed(&ReceiverUrl { url: request.url().clone(), reference }, egress)?;
    let writer =
        JournalWriter::open(&args.journal, WriteOptions::default()).map_err(anyhow::Error::from)?;
    let finished: RunFinished = runtime(1)?.block_on(async {
        let log = RecordLog::new(1, Clock::System);
        log.redact(setup.redactor());
        writer.attach(&log);
        let mut records = log.subscribe(1).map_err(anyhow::Error::from)?;
        let connector = Connector::new(egress);
        let transport = Arc::new(Http1Client::new(connector, vendor.wire.clone()));
        let sending = tokio::spawn(redeliver(request, transport, log));
        let mut console = ConsoleReport::new(Detail::Normal, RerunCommand::default());
        let mut out = anstream::stdout();
        while let Some(record) = records.next().await {
            console.record(&record, &mut out)?;
        }
        console.finish(&mut out)?;
        let finished = sending.await.map_err(anyhow::Error::from)?;
        writer.close().await.map_err(anyhow::Error::from)?;
        anyhow::Ok(finished)
    })?;
    Ok(finished.verdict.into())
}

/// The problem of a URL that a journal has as a reference only.
fn hidden_url() -> Problem {
    let message = "the URL of this delivery contains a secret that is not in the journal";
    Problem::anywhere(code::INVALID_URL, message).help("add `--to URL`, or configure the receiver")
}

/// Returns the URL to which a delivery was sent, as the records have it.
fn sent_url<'a>(records: &'a [Record], id: &str) -> Option<&'a str> {
    records.iter().rev().find_map(|record| match &record.kind {
        RecordKind::AttemptStarted { delivery, hop: 0, url, .. } if delivery == id => {
            Some(url.as_str())
        }
        _ => None,
    })
}

/// Returns the first record of a run, and those of a delivery and its control.
fn delivery_records(
    journal: &Journal,
    run: i64,
    delivery_id: &str,
) -> Result<(RunStarted, Vec<Record>), CommandError> {
    let (mut started, mut records) = (None, Vec::new());
    // A run can be larger than the memory, so only the records of the delivery are kept, and those of
    // the first delivery to each endpoint that can be its control.
    let mut controls = BTreeMap::new();
    for record in journal.records(run) {
        let record = record.map_err(anyhow::Error::from)?;
        if let RecordKind::DeliveryPlanned { delivery, endpoint, faults, .. } = &record.kind
            && faults.expect_acceptance(1)
        {
            controls.entry(*endpoint).or_insert_with(|| delivery.clone());
        }
        let is_kept = |id: &str| id == delivery_id || controls.values().any(|own| own == id);
        match record.kind {
            RecordKind::RunStarted(first) => started = Some(first),
            ref kind if kind.delivery().is_some_and(is_kept) => records.push(record),
            _ => {}
        }
    }
    let started =
        started.with_context(|| format!("run {run} does not begin with `run.started`"))?;
    Ok((started, records))
}

/// Returns the URL of `--to`, which replaces the original one.
fn target(args: &RedeliverArgs, vendor: &str) -> Result<Option<ReceiverUrl>, CommandError> {
    let egress = args.receivers.egress();
    args.receivers.unused(&[vendor]).into_result(Some(()))?;
    let mut targets = args.receivers.targets(vendor).into_iter();
    let target = targets.next();
    if targets.next().is_some() {
        let message = "a delivery is sent to one receiver, but `--to` is given more than once";
        let problem = Problem::anywhere(code::UNUSED_RECEIVER, message);
        return Err(problem.help("run the command once for each receiver").into());
    }
    Ok(target.map(|target| target.resolve(egress)).transpose()?)
}
