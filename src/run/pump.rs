//! The pump: follows the record log of a run or a redelivery to its end, and appends the verdict.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::{interval, sleep};

use super::auth_hints::AuthHints;
use super::limits::LimitCounter;
use super::plan::RunPlan;
use crate::base::clock::Stopwatch;
use crate::base::fail_points;
use crate::base::file_store::FileStore;
use crate::platform::Account;
use crate::record::{
    FilesSummary, Record, RecordKind, RecordLog, RecordScope, RunFinished, Verdict, VerdictBuilder,
};

/// How the playing of a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RunEnd {
    /// Every conversation was played, and every delivery has settled.
    Played,
    /// The user stopped the run.
    Stopped,
    /// A limit of the run ended it.
    Halted,
    /// The emulator failed.
    Lost,
    /// No call subscribed an endpoint within this time.
    NotSubscribed(Duration),
    /// The run that it resumes would not be the same, for this reason.
    NotRestored(String),
    /// Another process will continue the run.
    Suspended,
}

/// A timer that is always due before the timeouts of requests. Tokio wakes itself with a system call
/// for each new timer that is due before all others.
const BEFORE_TIMEOUTS: Duration = Duration::from_secs(1);

/// Longer than any run, for runs without a deadline.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Derives from the records of a run what only all of them show.
pub(super) struct Observer {
    verdict: VerdictBuilder,
    hints: AuthHints,
    account: Arc<Account>,
    files: Arc<FileStore>,
    /// The URL below which the sample attachments are served.
    files_url: String,
    /// The names of the attachments that bodies link to.
    links: BTreeSet<String>,
    /// The latest run time of a record.
    until: Timestamp,
}

impl Observer {
    /// Creates the observer of a run, whose attachments can be fetched from now on.
    pub(super) fn of(plan: &RunPlan) -> Self {
        plan.script.attachments().for_each(|file| plan.files.add(Arc::clone(file)));
        Self::new(Arc::clone(&plan.account), Arc::clone(&plan.files), plan.start)
    }

    pub(super) fn new(account: Arc<Account>, files: Arc<FileStore>, start: Timestamp) -> Self {
        Self {
            verdict: VerdictBuilder::default(),
            hints: AuthHints::default(),
            files_url: format!("{}/", account.files),
            account,
            files,
            links: BTreeSet::new(),
            until: start,
        }
    }

    fn scope(&self) -> RecordScope {
        RecordScope { at: self.until, conversation: None, step: None }
    }

    /// Takes note of a record of an earlier process.
    pub(super) fn observe_again(&mut self, record: &Record) {
        self.take(record);
        // A hint was given then.
        let _ = self.hints.watch(record, &self.account);
    }

    fn take(&mut self, record: &Record) {
        self.until = self.until.max(record.run_time);
        self.verdict.count(record);
        if let RecordKind::DeliveryPlanned { body, .. } = &record.kind {
            self.links.extend(links_in(body, &self.files_url).map(str::to_owned));
        }
    }

    fn observe(&mut self, record: &Record, log: &RecordLog) {
        self.take(record);
        if let Some(hint) = self.hints.watch(record, &self.account) {
            log.append_unbounded(self.scope(), hint);
        }
    }

    /// What became of the links to sample attachments, if any were sent.
    fn files(&self) -> Option<FilesSummary> {
        let fetched = self.links.iter().filter(|name| self.files.was_fetched(name)).count();
        let unavailable = self.files.unavailable_reason().map(str::to_owned);
        let links = self.links.len();
        (links > 0).then_some(FilesSummary { links, fetched, unavailable })
    }
}

/// The names of the files below this URL that a body links to.
fn links_in<'a>(body: &'a str, files_url: &str) -> impl Iterator<Item = &'a str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let links = body.split(files_url).skip(1);
    links.map(move |rest| &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())])
}

/// Spawns a run, observes its records until it ends, and appends the final record.
pub(super) async fn pump(
    log: RecordLog,
    playing: impl Future<Output = RunEnd> + Send + 'static,
    mut observer: Observer,
    mut limits: LimitCounter,
    halt: watch::Sender<bool>,
) -> RunFinished {
    let watch = Stopwatch::start();
    // Subscribes before the task starts: the log forgets records that every subscriber has read.
    let mut records = log.observe();
    let mut playing = tokio::spawn(playing);
    let mut deadline = pin!(sleep(limits.deadline().unwrap_or(NEVER)));
    let mut tick = interval(BEFORE_TIMEOUTS);
    let mut batch = Vec::new();
    let mut halted: Option<String> = None;
    let ended = loop {
        let reached = tokio::select! {
            () = records.next_batch(&mut batch) => {
                if batch.is_empty() {
                    break playing.await; // the journal failed
                }
                batch.drain(..).fold(None, |reached, record| {
                    observer.observe(&record, &log);
                    // Each one is counted, also after one that reached a limit.
                    let next = limits.count(&record);
                    reached.or(next)
                })
            }
            _ = tick.tick() => None,
            () = &mut deadline, if halted.is_none() => Some("stopped at the deadline".to_owned()),
            reason = limits.failed(), if halted.is_none() => Some(reason),
            ended = &mut playing => break ended,
        };
        if let Some(reason) = reached.filter(|_| halted.is_none()) {
            halted = Some(reason);
            let _ = halt.send(true);
        }
    };
    // The task has ended, so that no record follows the ones in the log.
    loop {
        records.try_next_batch(&mut batch);
        if batch.is_empty() {
            break;
        }
        batch.drain(..).for_each(|record| observer.observe(&record, &log));
    }
    drop(records);
    let end = ended.unwrap_or_else(|error| {
        observer.verdict.fail_internally(&error.to_string());
        RunEnd::Played
    });
    if end == RunEnd::Lost {
        observer.verdict.fail_internally("the emulator has ended early");
    }
    let (files, scope) = (observer.files(), observer.scope());
    let finished = RunFinished { files, ..observer.verdict.finish(watch.millis()) };
    let finished = with_end(finished, &end, halted);
    if end == RunEnd::Suspended {
        return finished;
    }
    // A run that is killed here has no final record, so it counts as interrupted.
    fail_points::hit("finishing");
    log.append_unbounded(scope, RecordKind::RunFinished(finished.clone()));
    finished
}

/// Adds to the final record of a run how its playing ended, if that determines the verdict.
fn with_end(finished: RunFinished, end: &RunEnd, halted: Option<String>) -> RunFinished {
    let (verdict, reason) = match end {
        RunEnd::Stopped | RunEnd::Suspended => {
            (Verdict::Interrupted, "the run was interrupted".to_owned())
        }
        RunEnd::Halted => {
            let reasons: Vec<String> =
                [halted, finished.reason.clone()].into_iter().flatten().collect();
            (Verdict::Failed, reasons.join("; "))
        }
        RunEnd::NotRestored(reason) => {
            (Verdict::Failed, format!("the run cannot be resumed: {reason}"))
        }
        RunEnd::NotSubscribed(limit) => {
            let limit = SignedDuration::try_from(*limit).unwrap_or(SignedDuration::MAX);
            (Verdict::Failed, format!("no call has subscribed a URL within {limit:#}"))
        }
        RunEnd::Played | RunEnd::Lost => return finished,
    };
    RunFinished { verdict, reason: Some(reason), ..finished }
}
