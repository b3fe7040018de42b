//! A run: one scenario at one vendor, played in so many conversations, judged by its records.
//!
//! It never prints. What happens leaves as records; the verdict follows from them.

mod chaos;
mod handshake;
mod hint;
mod keeping;
mod player;
mod post;
mod redelivery;
mod rehearsal;
mod told;
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
use crate::base::crash;
use crate::base::draw::Draw;
use crate::base::limits::DRAIN;
use crate::base::redact::Redactor;
use crate::base::secret::Secret;
use crate::base::shelf::Shelf;
use crate::delivery::{Course, Dress, Endpoint, Pace, Transport, drive};
use crate::fault::Group;
use crate::policy::{Parks, Policy};
use crate::record::{FilesTold, Record, Recorder, RunFinished, RunStarted, Scope, Verdict, What};
use crate::scenario::{Company, Script};
use crate::vendor::{Account, Subscription};

pub use chaos::{schedule, smallest};
pub use keeping::Keeping;
pub use redelivery::{Order, Redelivery, redeliver};
pub use rehearsal::{Rehearsed, RehearsedRequest, rehearsal};
pub use verdict::Tally;

/// Everything that a run is made of.
#[derive(Clone)]
pub struct Plan {
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
    pub pace: Pace,
    /// How many conversations.
    pub conversations: u32,
    /// Where the files that links point to can be fetched meanwhile.
    pub files: Arc<Shelf>,
    /// Where its records are kept, and what is known of an earlier life of it.
    pub keeping: Keeping,
}

impl Plan {
    /// What the run is, as its first record tells it.
    pub fn started(&self) -> RunStarted {
        let vendor = &self.account.vendor;
        let alone = Self { conversations: 1, ..self.clone() };
        let mut digest = Sha256::new();
        rehearsal(&alone).for_each(|rehearsed| digest.update(format!("{rehearsed:?}")));
        RunStarted {
            scenario: self.script.name.clone(),
            file: self.script.file.clone(),
            vendor: vendor.full_id(),
            differs: vendor.differs.clone(),
            seed: self.seed,
            start: self.start,
            clock: if self.pace == Pace::Virtual { "virtual" } else { "real" }.to_owned(),
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
        let spoiled = if self.script.wants(Group::Token) {
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
    plan: Plan,
    transport: Arc<T>,
    clock: Clock,
    sink: mpsc::Sender<Record>,
) -> RunFinished {
    let watch = Stopwatch::start();
    let (inner, mut records) = mpsc::channel(crate::base::limits::RECORD_QUEUE);
    let redactor = plan.redactor();
    let recorder = Recorder::new(plan.number, clock, redactor.clone(), inner);
    let scope = Scope { at: plan.start, conversation: None, step: None };
    let last = Recorder::new(plan.number, clock, redactor, mpsc::channel(1).0);
    let success = plan.account.vendor.policy.success.clone();
    let mut tally = Tally::new(&plan.script, success);
    let (shelf, files) = (Arc::clone(&plan.files), format!("{}/", plan.account.files));
    let mut links = BTreeSet::new();
    let (mut hints, account) = (hint::Hints::default(), Arc::clone(&plan.account));
    let keeping = plan.keeping.clone();
    let playing = tokio::spawn(play(plan, transport, recorder));
    let mut until = scope.at;
    while let Some(entry) = records.recv().await {
        let record = &entry.record;
        until = until.max(record.run_time);
        tally.count(record);
        if let What::DeliveryPlanned { body, .. } = &record.what {
            links.extend(links_in(body, &files).map(str::to_owned));
        }
        let hint = hints.watch(record, &account);
        keeping.pass(entry, &sink).await;
        if let Some(hint) = hint {
            keeping.pass(last.entry(Scope { at: until, ..scope }, hint), &sink).await;
        }
    }
    let end = playing.await.unwrap_or_else(|error| {
        tally.broke(&error.to_string());
        End::Played
    });
    let files = told(&links, &shelf);
    let mut finished = RunFinished { files, ..tally.finish(watch.millis()) };
    if end == End::Stopped {
        finished.verdict = Verdict::Interrupted;
        finished.reason = Some("it was ended before its end".into());
    }
    crash::point("finishing");
    let entry = last.entry(Scope { at: until, ..scope }, What::RunFinished(finished.clone()));
    match end {
        End::Played => keeping.pass(entry, &sink).await,
        // A run without an end in the journal can be gone on with.
        End::Stopped => drop(sink.send(entry.keep()).await),
    }
    finished
}

/// How playing came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
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
fn told(links: &BTreeSet<String>, shelf: &Shelf) -> Option<FilesTold> {
    let fetched = links.iter().filter(|name| shelf.has_given(name)).count();
    let cannot = shelf.why_closed().map(str::to_owned);
    (!links.is_empty()).then_some(FilesTold { links: links.len(), fetched, cannot })
}

/// Shakes hands and plays every conversation; ends when everything has settled, or when somebody
/// wants it to end and what is under way has ended.
async fn play<T: Transport>(plan: Plan, transport: Arc<T>, recorder: Recorder) -> End {
    let scope = Scope { at: plan.start, conversation: None, step: None };
    let started = RunStarted { resumes: plan.keeping.resumes, ..plan.started() };
    recorder.tell(scope, What::RunStarted(started)).await;
    let endpoint = Arc::new(endpoint(&plan));
    if !handshake::shake(&plan, &endpoint, &*transport, &recorder).await {
        return End::Played;
    }
    let draw = Draw::of_run(plan.seed);
    let policies = policies(&plan);
    let parks = |policy: &Arc<Policy>| policy.parks >= Parks::Endpoint;
    let course = Course {
        pace: plan.pace,
        start: plan.start,
        conversations: plan.conversations,
        shared: policies.values().any(parks),
        draw: draw.clone(),
        known: Arc::clone(&plan.keeping.known),
    };
    let handle = drive(transport, recorder.clone(), course);
    let plan = Arc::new(plan);
    let company = Company::new(&plan.script, &plan.account, draw, plan.start);
    let company = Arc::new(company);
    let mut players = JoinSet::new();
    for number in 1..=plan.conversations {
        let player = player::Player {
            plan: Arc::clone(&plan),
            endpoint: Arc::clone(&endpoint),
            policies: Arc::clone(&policies),
            handle: handle.clone(),
            recorder: recorder.clone(),
            company: Arc::clone(&company),
        };
        players.spawn(player.play(number));
    }
    tokio::select! {
        () = everybody(&mut players) => End::Played,
        () = plan.keeping.stopped() => {
            players.abort_all();
            let _ = timeout(DRAIN, handle.stop()).await;
            End::Stopped
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

fn endpoint(plan: &Plan) -> Endpoint {
    let (account, extra) = (Arc::clone(&plan.account), plan.extra_headers());
    let dress: Dress = Arc::new(move |body, attempt| {
        let mut headers = account.headers(body, attempt);
        headers.extend(extra.iter().cloned());
        headers
    });
    Endpoint::new(1, plan.url.clone(), dress)
}

/// How the vendor treats deliveries to this account, by event type.
fn policies(plan: &Plan) -> Arc<BTreeMap<String, Arc<Policy>>> {
    let types = plan.account.vendor.event_types().into_iter();
    let policy = |name: &str| (name.to_owned(), Arc::new(plan.account.policy(name)));
    Arc::new(types.map(policy).collect())
}
