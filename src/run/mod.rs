//! A run: one scenario at one vendor, played in one or more conversations, judged by its records.
//!
//! A run never prints. Everything that happens is a record, and the verdict follows from the records.

mod auth_hints;
mod chaos;
mod describe;
mod dry_run;
mod handshake;
mod outbox;
mod plan;
mod player;
mod pump;
mod redelivery;
mod verdict;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::timeout;

use self::pump::{Observer, pump};
use crate::base::limits::DRAIN_TIMEOUT;
use crate::base::seed::SeedScope;
use crate::delivery::{DriverConfig, Endpoint, RequestSigner, Transport, drive};
use crate::platform::Signing;
use crate::policy::{Blocks, Policy};
use crate::record::{RecordKind, RecordLog, RecordScope, RunFinished, RunStarted};
use crate::scenario::SharedStaff;

pub use chaos::{schedule, smallest};
pub use dry_run::{DryRunItem, DryRunRequest, dry_run};
pub use plan::{ResumePoint, RunPlan, StopSignal};
pub use redelivery::{Redelivery, RedeliveryRequest, redeliver};
pub use verdict::VerdictBuilder;

/// Plays a run to its end, and returns its final record. Records go to the log, which is closed
/// behind the last of them.
pub async fn run<T: Transport>(plan: RunPlan, transport: Arc<T>, log: RecordLog) -> RunFinished {
    log.redact(plan.redactor());
    let observer = Observer::new(Arc::clone(&plan.account), Arc::clone(&plan.files), plan.start);
    let playing = tokio::spawn(play(plan, transport, log.clone()));
    pump(log, playing, observer).await
}

/// How the playing of a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunEnd {
    /// Every conversation was played, and every delivery has settled.
    Played,
    /// The run was stopped before.
    Stopped,
}

/// Performs the handshake and plays every conversation. Ends when every delivery has settled, or
/// after a stop signal, when the attempts that were under way have ended.
async fn play<T: Transport>(plan: RunPlan, transport: Arc<T>, log: RecordLog) -> RunEnd {
    let scope = RecordScope { at: plan.start, conversation: None, step: None };
    let resumes = plan.resume.as_ref().map(|resume| resume.run);
    log.append(scope, RecordKind::RunStarted(RunStarted { resumes, ..plan.started() })).await;
    let endpoint = Arc::new(endpoint(&plan));
    // A handshake may take its whole timeout. Whoever interrupts the run does not wait for that.
    let continues = tokio::select! {
        continues = handshake::shake(&plan, &endpoint, &*transport, &log) => continues,
        () = plan.stop.given() => return RunEnd::Stopped,
    };
    if !continues {
        return RunEnd::Played;
    }
    let seeds = SeedScope::of_run(plan.seed);
    let policies = policies(&plan);
    let blocks = |policy: &Arc<Policy>| policy.blocks >= Blocks::Endpoint;
    let config = DriverConfig {
        pace: plan.pace,
        start: plan.start,
        conversations: plan.conversations,
        shared: policies.values().any(blocks),
        seeds: seeds.clone(),
        known: plan.prior(),
    };
    let handle = drive(transport, log.clone(), config);
    let staff = Arc::new(SharedStaff::new(&plan.script, &plan.account, seeds, plan.start));
    let (check, lines) = (Arc::new(plan.check()), Arc::new(plan.lines().into_iter().collect()));
    let plan = Arc::new(plan);
    let mut players = JoinSet::new();
    for number in 1..=plan.conversations {
        let player = player::ConversationPlayer {
            plan: Arc::clone(&plan),
            endpoint: Arc::clone(&endpoint),
            policies: Arc::clone(&policies),
            check: Arc::clone(&check),
            lines: Arc::clone(&lines),
            handle: handle.clone(),
            log: log.clone(),
            staff: Arc::clone(&staff),
        };
        players.spawn(player.play(number));
    }
    tokio::select! {
        () = join_all(&mut players) => RunEnd::Played,
        () = plan.stop.given() => {
            players.abort_all();
            let _ = timeout(DRAIN_TIMEOUT, handle.stop()).await;
            RunEnd::Stopped
        }
    }
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

fn endpoint(plan: &RunPlan) -> Endpoint {
    let (account, extra) = (Arc::clone(&plan.account), plan.extra_headers());
    let signer: RequestSigner = Arc::new(move |body, attempt| {
        let mut headers = Signing::of(&account).headers(body, attempt);
        headers.extend(extra.iter().cloned());
        headers
    });
    Endpoint::new(1, plan.url.clone(), signer)
}

/// How the vendor treats deliveries to this account, by event type.
fn policies(plan: &RunPlan) -> Arc<BTreeMap<String, Arc<Policy>>> {
    let types = plan.account.platform.event_types().into_iter();
    let policy = |name: &str| (name.to_owned(), Arc::new(plan.account.policy(name)));
    Arc::new(types.map(policy).collect())
}
