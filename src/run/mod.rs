//! A run: one scenario at one vendor, played in so many conversations, judged by its records.
//!
//! It never prints. What happens leaves as records; the verdict follows from them.

mod auth_hints;
mod chaos;
mod context;
mod describe;
mod dry_run;
mod handshake;
mod outbox;
mod player;
mod redelivery;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::Url;

use crate::base::clock::{Clock, Stopwatch};
use crate::base::fail_points;
use crate::base::file_store::FileStore;
use crate::base::limits::DRAIN;
use crate::base::redact::Redactor;
use crate::base::secret::Secret;
use crate::base::seed::SeedScope;
use crate::delivery::{ClockMode, DriverConfig, Endpoint, RequestSigner, Transport, drive};
use crate::fault::FaultGroup;
use crate::platform::{Account, Subscription};
use crate::policy::{Blocks, Policy};
use crate::record::{
    FilesSummary, Record, RecordKind, RecordScope, Recorder, RunFinished, RunStarted, Verdict,
};
use crate::scenario::{Script, SharedStaff};

pub use chaos::{schedule, smallest};
pub use context::RunContext;
pub use dry_run::{DryRunItem, DryRunRequest, dry_run};
pub use redelivery::{Redelivery, RedeliveryRequest, redeliver};
pub use verdict::VerdictBuilder;

/// Everything that a run is made of.
#[derive(Clone)]
pub struct RunPlan {
    /// The run's number, from 1.
    pub number: u32,
    /// What is played.
    pub script: Arc<Script>,
    /// Where.
    pub account: Arc<Account>,
    /// To whom the payloads go.
    pub url: Url,
    /// Headers beside the vendor's; those that are secret never leave as records.
    pub headers: Vec<(String, Secret)>,
    /// What the endpoint is sent.
    pub subscription: Subscription,
    /// What everything random is drawn from.
    pub seed: u64,
    /// When the conversations begin.
    pub start: Timestamp,
    /// How run time passes.
    pub pace: ClockMode,
    /// How many conversations.
    pub conversations: u32,
    /// Where the files that links point to can be fetched meanwhile.
    pub files: Arc<FileStore>,
    /// Where its records are kept, and what is known of an earlier life of it.
    pub context: RunContext,
}

impl RunPlan {
    /// What the run is, as its first record tells it.
    pub fn started(&self) -> RunStarted {
        let vendor = &self.account.platform;
        let alone = Self { conversations: 1, ..self.clone() };
        let mut digest = Sha256::new();
        dry_run(&alone).for_each(|item| digest.update(format!("{item:?}")));
        RunStarted {
            scenario: self.script.name.clone(),
            file: self.script.file.clone(),
            vendor: vendor.full_id(),
            differs: vendor.differs.clone(),
            seed: self.seed,
            start: self.start,
            clock: if self.pace == ClockMode::Virtual { "virtual" } else { "real" }.to_owned(),
            conversations: self.conversations,
            url: self.url.to_string(),
            digest: hex::encode(&digest.finalize()[..8]),
            resumes: None,
            chaos: self.script.chaos.clone(),
        }
    }

    /// Keeps the run's secrets out of what is told: those of the account and of the headers.
    fn redactor(&self) -> Redactor {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, secret)| (format!("${{header.{name}}}"), secret));
        let spoiled = if self.script.wants(FaultGroup::Token) {
            self.account.spoiled_secrets()
        } else {
            Vec::new()
        };
        let spoiled = spoiled.iter().map(|(reference, secret)| (reference.clone(), secret));
        Redactor::new(self.account.secret_references().chain(headers).chain(spoiled))
    }

    /// The headers beside the vendor's, as they are sent.
    fn extra_headers(&self) -> Vec<(String, String)> {
        let headers = self.headers.iter();
        headers.map(|(name, value)| (name.clone(), value.expose().to_owned())).collect()
    }
}

/// Plays a run to its end. Records go to the sink, the last of them with the verdict, which is
/// also given.
pub async fn run<T: Transport>(
    plan: RunPlan,
    transport: Arc<T>,
    clock: Clock,
    sink: mpsc::Sender<Record>,
) -> RunFinished {
    let watch = Stopwatch::start();
    let (inner, mut records) = mpsc::channel(crate::base::limits::RECORD_QUEUE);
    let redactor = plan.redactor();
    let recorder = Recorder::new(plan.number, clock, redactor.clone(), inner);
    let scope = RecordScope { at: plan.start, conversation: None, step: None };
    let last = Recorder::new(plan.number, clock, redactor, mpsc::channel(1).0);
    let success = plan.account.platform.policy.success.clone();
    let mut verdict = VerdictBuilder::new(&plan.script, success);
    let (file_store, files) = (Arc::clone(&plan.files), format!("{}/", plan.account.files));
    let mut links = BTreeSet::new();
    let (mut hints, account) = (auth_hints::AuthHints::default(), Arc::clone(&plan.account));
    let context = plan.context.clone();
    let playing = tokio::spawn(play(plan, transport, recorder));
    let mut until = scope.at;
    while let Some(entry) = records.recv().await {
        let record = &entry.record;
        until = until.max(record.run_time);
        verdict.count(record);
        if let RecordKind::DeliveryPlanned { body, .. } = &record.kind {
            links.extend(links_in(body, &files).map(str::to_owned));
        }
        let hint = hints.watch(record, &account);
        context.pass(entry, &sink).await;
        if let Some(hint) = hint {
            context.pass(last.entry(RecordScope { at: until, ..scope }, hint), &sink).await;
        }
    }
    let end = playing.await.unwrap_or_else(|error| {
        verdict.broke(&error.to_string());
        RunEnd::Played
    });
    let files = told(&links, &file_store);
    let mut finished = RunFinished { files, ..verdict.finish(watch.millis()) };
    if end == RunEnd::Stopped {
        finished.verdict = Verdict::Interrupted;
        finished.reason = Some("it was ended before its end".into());
    }
    fail_points::hit("finishing");
    let entry =
        last.entry(RecordScope { at: until, ..scope }, RecordKind::RunFinished(finished.clone()));
    match end {
        RunEnd::Played => context.pass(entry, &sink).await,
        // A run without an end in the journal can be gone on with.
        RunEnd::Stopped => drop(sink.send(entry.commit()).await),
    }
    finished
}

/// How playing came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunEnd {
    Played,
    Stopped,
}

/// The names of the files below this address that a body links to.
fn links_in<'a>(body: &'a str, files: &str) -> impl Iterator<Item = &'a str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let links = body.split(files).skip(1);
    links.map(move |rest| &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())])
}

/// What became of the links that were sent, where there were any.
fn told(links: &BTreeSet<String>, file_store: &FileStore) -> Option<FilesSummary> {
    let fetched = links.iter().filter(|name| file_store.was_fetched(name)).count();
    let cannot = file_store.unavailable_reason().map(str::to_owned);
    (!links.is_empty()).then_some(FilesSummary { links: links.len(), fetched, unavailable: cannot })
}

/// Shakes hands and plays every conversation; ends when everything has settled, or when somebody
/// wants it to end and what is under way has ended.
async fn play<T: Transport>(plan: RunPlan, transport: Arc<T>, recorder: Recorder) -> RunEnd {
    let scope = RecordScope { at: plan.start, conversation: None, step: None };
    let started = RunStarted { resumes: plan.context.resumes, ..plan.started() };
    recorder.append(scope, RecordKind::RunStarted(started)).await;
    let endpoint = Arc::new(endpoint(&plan));
    if !handshake::shake(&plan, &endpoint, &*transport, &recorder).await {
        return RunEnd::Played;
    }
    let seeds = SeedScope::of_run(plan.seed);
    let policies = policies(&plan);
    let blocks = |policy: &Arc<Policy>| policy.blocks >= Blocks::Endpoint;
    let course = DriverConfig {
        pace: plan.pace,
        start: plan.start,
        conversations: plan.conversations,
        shared: policies.values().any(blocks),
        seeds: seeds.clone(),
        known: Arc::clone(&plan.context.known),
    };
    let handle = drive(transport, recorder.clone(), course);
    let plan = Arc::new(plan);
    let staff = SharedStaff::new(&plan.script, &plan.account, seeds, plan.start);
    let staff = Arc::new(staff);
    let mut players = JoinSet::new();
    for number in 1..=plan.conversations {
        let player = player::ConversationPlayer {
            plan: Arc::clone(&plan),
            endpoint: Arc::clone(&endpoint),
            policies: Arc::clone(&policies),
            handle: handle.clone(),
            recorder: recorder.clone(),
            staff: Arc::clone(&staff),
        };
        players.spawn(player.play(number));
    }
    tokio::select! {
        () = everybody(&mut players) => RunEnd::Played,
        () = plan.context.stopped() => {
            players.abort_all();
            let _ = timeout(DRAIN, handle.stop()).await;
            RunEnd::Stopped
        }
    }
}

/// Waits until every player has come to the end.
async fn everybody(players: &mut JoinSet<()>) {
    while let Some(played) = players.join_next().await {
        if let Err(error) = played
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

fn endpoint(plan: &RunPlan) -> Endpoint {
    let (account, extra) = (Arc::clone(&plan.account), plan.extra_headers());
    let dress: RequestSigner = Arc::new(move |body, attempt| {
        let mut headers = account.headers(body, attempt);
        headers.extend(extra.iter().cloned());
        headers
    });
    Endpoint::new(1, plan.url.clone(), dress)
}

/// How the vendor treats deliveries to this account, by event type.
fn policies(plan: &RunPlan) -> Arc<BTreeMap<String, Arc<Policy>>> {
    let types = plan.account.platform.event_types().into_iter();
    let policy = |name: &str| (name.to_owned(), Arc::new(plan.account.policy(name)));
    Arc::new(types.map(policy).collect())
}
