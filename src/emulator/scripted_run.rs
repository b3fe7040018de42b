//! A run of a script on an emulator.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::outbox::FaultSource;
use super::reload::EarlierRoutes;
use crate::base::seed::SeedScope;
use crate::delivery::{ClockMode, DeliveryCheck, StepWant};
use crate::platform::Account;
use crate::policy::Blocks;
use crate::record::{PriorAttempts, RecordLog, SourceLine};
use crate::scenario::{Script, SharedStaff, Step};

/// A run of a script. Its conversations join the emulator.
#[derive(Clone, Debug)]
pub struct ScriptedRun {
    /// Number of the run, unique at its emulator.
    pub number: u32,
    /// The script of every conversation.
    pub script: Arc<Script>,
    /// Number of times that the script is played.
    pub plays: u32,
    /// The seed of all generated values.
    pub seed: u64,
    /// The run time at which the conversations begin.
    pub start: Timestamp,
    /// How run time passes.
    pub clock: ClockMode,
    /// Decides whether a delivery passed, unless its step has its own requirements.
    pub check: DeliveryCheck,
    /// The lines of the script's steps, by number.
    pub lines: BTreeMap<usize, SourceLine>,
    /// Endpoints, by index, to which the first conversation sends a control.
    pub controls: BTreeSet<usize>,
    /// The attempts of an interrupted run that this one resumes.
    pub prior: Arc<PriorAttempts>,
    /// The log that gets the records of the run.
    pub log: RecordLog,
    /// Whether run time stands still until the run is resumed.
    pub is_paused: bool,
    /// Whether conversations stay after the end of the script, so that others can act in them.
    pub keeps_conversations: bool,
    /// Whether the log has everything that is needed to restore the run after a restart.
    pub is_resumable: bool,
}

impl ScriptedRun {
    /// Returns the number of conversations that the script has in all plays.
    pub(super) fn scripted(&self) -> u32 {
        self.plays.saturating_mul(self.script.conversation_count())
    }

    /// Whether a failure in one conversation can block another one.
    pub(super) fn shares_clock(&self, account: &Account) -> bool {
        let blocks = |name: &str| account.policy(name).blocks >= Blocks::Endpoint;
        // Conversations that are played interleaved keep the order of their steps.
        let is_interleaved = self.script.conversation_count() > 1;
        self.clock != ClockMode::Virtual
            || is_interleaved
            || account.platform.event_types().into_iter().any(blocks)
    }
}

/// The state of a run at its emulator.
pub(super) struct LiveRun {
    pub(super) plan: ScriptedRun,
    pub(super) staff: SharedStaff,
    pub(super) seeds: SeedScope,
    pub(super) faults: Arc<FaultSource>,
    check: Arc<DeliveryCheck>,
    /// The checks of the steps with their own requirements, by number.
    step_checks: BTreeMap<usize, Arc<DeliveryCheck>>,
    /// Whether its script waits for calls, or reacts to them.
    pub(super) expects_calls: bool,
    /// Number of calls of the account before the run.
    pub(super) calls_before: u64,
    /// Number of conversations that have started.
    started: u32,
    /// Number of conversations that calls have opened.
    opened: u32,
    /// Number of conversations that have ended.
    ended: u32,
    /// Notified when every conversation has ended.
    done: Option<oneshot::Sender<()>>,
    /// Version of the subscriptions that the log has.
    pub(super) known_routes: Cell<u64>,
    /// The version of the account with which it started.
    pub(super) account: Arc<Account>,
    /// How that version delivers, if the account has been reloaded meanwhile.
    pub(super) earlier: Option<Arc<EarlierRoutes>>,
}

impl LiveRun {
    pub(super) fn new(
        plan: ScriptedRun,
        account: &Arc<Account>,
        done: oneshot::Sender<()>,
    ) -> Self {
        let seeds = account.run_seeds(plan.seed);
        Self {
            staff: SharedStaff::new(&plan.script, account, seeds.clone(), plan.start),
            faults: FaultSource::new(&plan.script, account, &seeds),
            seeds,
            check: Arc::new(plan.check.clone()),
            step_checks: step_checks(&plan),
            expects_calls: plan.script.needs_calls(&account.platform).is_some(),
            calls_before: 0,
            started: 0,
            opened: 0,
            ended: 0,
            done: Some(done),
            known_routes: Cell::new(0),
            account: Arc::clone(account),
            earlier: None,
            plan,
        }
    }

    /// The endpoints to which a conversation sends a control: one is enough for all conversations.
    pub(super) fn controls_of(&self, conversation: u32) -> BTreeSet<usize> {
        if conversation == 1 { self.plan.controls.clone() } else { BTreeSet::new() }
    }

    /// Returns the check of the deliveries of a step.
    pub(super) fn check(&self, step: Option<usize>) -> Arc<DeliveryCheck> {
        let own = step.and_then(|step| self.step_checks.get(&step));
        Arc::clone(own.unwrap_or(&self.check))
    }

    /// Returns the number of conversations that the script has in all plays.
    pub(super) fn scripted(&self) -> u32 {
        self.plan.scripted()
    }

    /// Counts a conversation that starts, and returns its number; `None` if all have started.
    pub(super) fn start_conversation(&mut self) -> Option<u32> {
        let is_left = self.started < self.scripted();
        self.started += u32::from(is_left);
        is_left.then_some(self.started)
    }

    /// Returns the number of the next conversation that a call opens.
    pub(super) fn next_opened(&self) -> u32 {
        self.scripted() + self.opened + 1
    }

    /// Seed scope of conversation `number`, which a call opens.
    pub(super) fn opened_seeds(&self, account: &Account, number: u32) -> SeedScope {
        let seeds = account.run_seeds(self.plan.seed).within("vendor").within(&account.platform.id);
        seeds.within("opened by a call").within(&number.to_string())
    }

    /// Counts a conversation that a call opens.
    pub(super) fn open_conversation(&mut self) {
        self.opened += 1;
    }

    /// Counts a conversation in which something happens after its end.
    pub(super) fn reopen_conversation(&mut self) {
        self.ended -= 1;
    }

    /// Counts a conversation that has ended.
    pub(super) fn end_conversation(&mut self) {
        self.ended += 1;
        if self.ended >= self.scripted() + self.opened
            && let Some(done) = self.done.take()
        {
            let _ = done.send(());
        }
    }
}

fn step_checks(run: &ScriptedRun) -> BTreeMap<usize, Arc<DeliveryCheck>> {
    let check = |step: &Step| {
        let want = step.want.as_ref()?;
        let (status, response) = (want.status.clone(), want.response.clone());
        let want = Some(StepWant { step: step.number, status, response });
        Some((step.number, Arc::new(DeliveryCheck { want, ..run.check.clone() })))
    };
    run.script.steps.iter().filter_map(check).collect()
}
