//! A run: one scenario at one vendor, played in one or more conversations, judged by its records.
//!
//! A run never prints. Everything that happens is a record, and the verdict follows from the records.

mod auth_hints;
mod chaos;
mod describe;
mod dry_run;
mod handshake;
mod identity;
mod limits;
mod outbox;
mod plan;
mod player;
mod pump;
mod redelivery;
mod verdict;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::limits::LimitCounter;
use self::pump::{Observer, RunEnd, pump};
use crate::base::limits::DRAIN_TIMEOUT;
use crate::base::seed::SeedScope;
use crate::delivery::{DriverConfig, Endpoint, RequestSigner, Transport, drive};
use crate::platform::Signing;
use crate::policy::{Blocks, Policy};
use crate::record::{RecordKind, RecordLog, RecordScope, RunFinished, RunStarted};
use crate::scenario::SharedStaff;

pub use chaos::{schedule, smallest};
pub use dry_run::{DryRunItem, DryRunRequest, dry_run};
pub use identity::identify;
pub use limits::RunLimits;
pub use plan::{EndpointPlan, ResumePoint, RunPlan, StopSignal};
pub use redelivery::{Redelivery, RedeliveryRequest, redeliver};
pub use verdict::VerdictBuilder;

/// Plays a run to its end, and returns its final record. Records go to the log, which is closed
/// behind the last of them.
pub async fn run<T: Transport>(plan: RunPlan, transport: Arc<T>, log: RecordLog) -> RunFinished {
    log.redact(plan.redactor());
    let observer = Observer::new(Arc::clone(&plan.account), Arc::clone(&plan.files), plan.start);
    let (limits, (halt, halted)) = (LimitCounter::new(plan.limits), watch::channel(false));
    let playing = play(plan, transport, log.clone(), StopSignal::new(halted));
    pump(log, playing, observer, limits, halt).await
}

/// Performs the handshake and plays every conversation. Ends when every delivery has settled, or
/// after a stop signal, when the attempts that were under way have ended.
async fn play<T: Transport>(
    plan: RunPlan,
    transport: Arc<T>,
    log: RecordLog,
    halted: StopSignal,
) -> RunEnd {
    let scope = RecordScope { at: plan.start, conversation: None, step: None };
    let resumes = plan.resume.as_ref().map(|resume| resume.run);
    log.append(scope, RecordKind::RunStarted(RunStarted { resumes, ..identify(&plan) })).await;
    // A handshake may take its whole timeout. An interruption must not wait for that.
    let plan = tokio::select! {
        plan = with_consenting_endpoints(plan.clone(), &*transport, &log) => plan,
        () = plan.stop.given() => return RunEnd::Stopped,
        () = halted.given() => return RunEnd::Halted,
    };
    if plan.endpoints.is_empty() {
        return RunEnd::Played;
    }
    let seeds = SeedScope::of_run(plan.seed);
    let policies = policies(&plan);
    let blocks = |policy: &Arc<Policy>| policy.blocks >= Blocks::Endpoint;
    let config = DriverConfig {
        clock: plan.pace,
        start: plan.start,
        conversations: plan.conversations,
        // One clock for all conversations if a failure of one can block another.
        shared: policies.values().any(blocks),
        seeds: seeds.clone(),
        prior: plan.prior(),
    };
    let handle = drive(transport, log.clone(), config);
    let staff = Arc::new(SharedStaff::new(&plan.script, &plan.account, seeds, plan.start));
    let (check, lines) = (Arc::new(plan.check()), Arc::new(plan.lines().into_iter().collect()));
    let endpoints: Arc<[_]> = endpoints(&plan).into();
    let subscriptions: Arc<[_]> = plan.subscriptions().into();
    let plan = Arc::new(plan);
    let mut players = JoinSet::new();
    for number in 1..=plan.conversations {
        let player = player::ConversationPlayer {
            plan: Arc::clone(&plan),
            endpoints: Arc::clone(&endpoints),
            subscriptions: Arc::clone(&subscriptions),
            policies: Arc::clone(&policies),
            check: Arc::clone(&check),
            lines: Arc::clone(&lines),
            handle: handle.clone(),
            log: log.clone(),
            staff: Arc::clone(&staff),
        };
        players.spawn(player.play(number));
    }
    let end = tokio::select! {
        () = join_all(&mut players) => return RunEnd::Played,
        () = plan.stop.given() => RunEnd::Stopped,
        () = halted.given() => RunEnd::Halted,
    };
    // Players start nothing more. Attempts in flight may end, so that their results are recorded.
    players.abort_all();
    let _ = timeout(DRAIN_TIMEOUT, handle.stop()).await;
    end
}

/// Waits until every player has ended. A panic of one of them is passed on.
async fn join_all(players: &mut JoinSet<()>) {
    while let Some(played) = players.join_next().await {
        if let Err(error) = played
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

/// Performs the handshake with each endpoint, and removes those to which no event is sent.
async fn with_consenting_endpoints<T: Transport>(
    mut plan: RunPlan,
    transport: &T,
    log: &RecordLog,
) -> RunPlan {
    let mut endpoints = Vec::new();
    for endpoint in &plan.endpoints {
        if handshake::shake(&plan, endpoint, transport, log).await {
            endpoints.push(endpoint.clone());
        }
    }
    plan.endpoints = endpoints;
    plan
}

/// The endpoints of a plan as delivery sees them.
fn endpoints(plan: &RunPlan) -> Vec<Arc<Endpoint>> {
    let endpoint = |endpoint: &EndpointPlan| {
        let (account, extra) = (Arc::clone(&plan.account), endpoint.extra_headers());
        let signer: RequestSigner = Arc::new(move |body, attempt| {
            let mut headers = Signing::of(&account).headers(body, attempt);
            headers.extend(extra.iter().cloned());
            headers
        });
        Arc::new(Endpoint::new(endpoint.number, endpoint.url.clone(), signer))
    };
    plan.endpoints.iter().map(endpoint).collect()
}

/// How the vendor treats deliveries to this account, by event type.
fn policies(plan: &RunPlan) -> Arc<BTreeMap<String, Arc<Policy>>> {
    let types = plan.account.platform.event_types().into_iter();
    let policy = |name: &str| (name.to_owned(), Arc::new(plan.account.policy(name)));
    Arc::new(types.map(policy).collect())
}
