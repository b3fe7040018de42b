//! The plan of a run: everything that it is made of.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use super::limits::RunLimits;
use crate::base::address::EgressPolicy;
use crate::base::file_store::FileStore;
use crate::base::redact::Redactor;
use crate::base::references::KnownSecrets;
use crate::delivery::{AttemptSlots, ClockMode, DeliveryCheck};
use crate::emulator::{
    Emulator, EmulatorSlot, EndpointPlan, HandshakeJob, ScriptedRun, SlotEntry, known_secrets,
};
use crate::fault::FaultGroup;
use crate::journal::AccountStore;
use crate::platform::{Account, FaultInjector, Subscription};
use crate::record::{PriorAttempts, Record, RecordLog, SourceLine};
use crate::scenario::{Script, Verification};

/// Everything that a run is made of.
#[derive(Clone)]
pub struct RunPlan {
    /// The run's number, from 1.
    pub number: u32,
    /// The number among the equal runs of the command, from 1.
    pub occurrence: u32,
    /// The script to play.
    pub script: Arc<Script>,
    /// The account at which it is played.
    pub account: Arc<Account>,
    /// The endpoints of the account. Each event goes to all that have a subscription to it.
    pub endpoints: Vec<EndpointPlan>,
    /// The seed of all generated values.
    pub seed: u64,
    /// The run time at which the conversations begin.
    pub start: Timestamp,
    /// How run time passes.
    pub pace: ClockMode,
    /// The number of times that the script is played.
    pub plays: u32,
    /// The sample attachments, served while the run lasts.
    pub files: Arc<FileStore>,
    /// The interrupted run that this one continues.
    pub resume: Option<ResumePoint>,
    /// Ends the run early.
    pub stop: StopSignal,
    /// Limits that end the run early.
    pub limits: RunLimits,
    /// The concurrency limit, which all runs of the process share.
    pub slots: AttemptSlots,
    /// How calls to the vendor's API reach the run; `None` if its API is not served.
    pub api: Option<ApiAccess>,
    /// Keeps what calls make at the account, so that the run can be resumed; `None` without a journal.
    pub memory: Option<AccountStore>,
}

/// How calls to the vendor's API reach a run.
#[derive(Clone, Debug)]
pub struct ApiAccess {
    /// The place in which the listener of the API looks for the live account.
    pub slot: EmulatorSlot,
    /// The addresses to which calls may subscribe.
    pub egress: EgressPolicy,
}

impl ApiAccess {
    /// Passes calls to this account, until the entry is dropped.
    pub(super) async fn listen(&self, emulator: &Emulator, is_resumed: bool) -> SlotEntry {
        let emulator = emulator.clone().allowing(self.egress);
        if is_resumed { self.slot.add_resumed(emulator).await } else { self.slot.add(emulator) }
    }
}

/// An interrupted run of a journal, and what its attempts met.
#[derive(Clone, Debug)]
pub struct ResumePoint {
    /// The number of the interrupted run in the journal.
    pub run: i64,
    /// The results of its attempts, as far as they were stored.
    pub prior: Arc<PriorAttempts>,
    /// All of its records if the receiver has called the vendor's API: what the calls did is performed
    /// again. `None` if the script alone decides what happens.
    pub records: Option<Arc<Vec<Record>>>,
}

/// Tells a run to end early.
#[derive(Clone, Debug, Default)]
pub struct StopSignal {
    stop: Option<watch::Receiver<bool>>,
    suspend: Option<watch::Receiver<bool>>,
}

impl StopSignal {
    /// A signal that is given when the channel turns true.
    pub fn new(channel: watch::Receiver<bool>) -> Self {
        Self { stop: Some(channel), suspend: None }
    }

    /// When this channel turns true, the run ends without a final record, so that another process can
    /// continue it.
    #[must_use]
    pub fn or_suspend(self, channel: watch::Receiver<bool>) -> Self {
        Self { suspend: Some(channel), ..self }
    }

    /// Waits for the signal. Without a channel, or if its sender is gone, it never comes.
    pub(super) async fn given(&self) {
        turned_true(self.stop.as_ref()).await;
    }

    /// Waits for the signal to suspend the run.
    pub(super) async fn suspended(&self) {
        turned_true(self.suspend.as_ref()).await;
    }
}

async fn turned_true(channel: Option<&watch::Receiver<bool>>) {
    if let Some(mut channel) = channel.cloned()
        && channel.wait_for(|given| *given).await.is_ok()
    {
        return;
    }
    // Never resolves, so that a `select!` waits for its other branches only.
    std::future::pending::<()>().await;
}

impl RunPlan {
    /// The number of conversations of all plays.
    pub fn conversations(&self) -> u32 {
        self.plays.saturating_mul(self.script.conversation_count())
    }

    /// The results of an earlier, interrupted run; empty for a new one.
    pub(super) fn prior(&self) -> Arc<PriorAttempts> {
        self.resume.as_ref().map(|resume| Arc::clone(&resume.prior)).unwrap_or_default()
    }

    /// The run as its emulator plays it. The first conversation sends a control to these endpoints, by
    /// index.
    pub(super) fn scripted(&self, log: RecordLog, controls: BTreeSet<usize>) -> ScriptedRun {
        ScriptedRun {
            number: self.number,
            script: Arc::clone(&self.script),
            plays: self.plays,
            seed: self.seed,
            start: self.start,
            clock: self.pace,
            check: self.check(),
            lines: self.lines().into_iter().collect(),
            controls,
            prior: self.prior(),
            log,
            is_paused: false,
            // Calls may name a conversation after its script has ended.
            keeps_conversations: self.api.is_some(),
            is_resumable: self.memory.is_some(),
        }
    }

    /// The handshake with one of its endpoints.
    pub(super) fn handshake(&self, endpoint: &EndpointPlan, log: &RecordLog) -> HandshakeJob {
        HandshakeJob {
            account: Arc::clone(&self.account),
            endpoint: endpoint.clone(),
            seed: self.seed,
            at: self.start,
            prior: self.prior(),
            log: log.clone(),
        }
    }

    /// What its deliveries have to meet, except for the requirements of their steps.
    pub(super) fn check(&self) -> DeliveryCheck {
        let success = self.account.platform.policy.success.clone();
        let Verification { status, within, .. } = self.script.verify.clone();
        DeliveryCheck { verify: status, success, within, want: None }
    }

    /// The line of each step, by number. The steps of `send` stand in no file.
    pub(super) fn lines(&self) -> Vec<(usize, SourceLine)> {
        if self.script.only_last {
            return Vec::new();
        }
        let line = |step: &crate::scenario::Step| {
            let file = step.span.source.name.as_str().into();
            (step.number, SourceLine { file, line: step.span.line_column().0 })
        };
        self.script.steps.iter().map(line).collect()
    }

    /// The secrets of the user that its requests contain, each with its reference. Built-in test
    /// credentials are public.
    pub(super) fn own_secrets(&self) -> Vec<(String, String)> {
        let endpoints = self.endpoints.iter().flat_map(EndpointPlan::secret_references);
        let own = self.account.secret_references().map(|(name, secret)| (name, secret.clone()));
        let all = own.chain(endpoints).filter(|(_, secret)| !secret.is_public());
        all.map(|(name, secret)| (name, secret.expose().to_owned())).collect()
    }

    /// The secrets that its records have references for, as far as they are still configured.
    pub(super) fn known_secrets(&self) -> KnownSecrets {
        known_secrets(&self.account, &self.endpoints)
    }

    /// Replaces the run's secrets in its records: those of the account, of the headers, and the
    /// altered ones that token faults and the signature probe send.
    pub(super) fn redactor(&self) -> Redactor {
        // An altered token differs in one character, so it would reveal the real one.
        let sends_altered =
            self.script.has_faults(FaultGroup::Token) || self.script.verify.probes_signature;
        let altered = if sends_altered {
            FaultInjector::of(&self.account).derived_secrets()
        } else {
            Vec::new()
        };
        let altered = altered.iter().map(|(reference, secret)| (reference.clone(), secret));
        let endpoints: Vec<_> =
            self.endpoints.iter().flat_map(EndpointPlan::secret_references).collect();
        let endpoints = endpoints.iter().map(|(reference, secret)| (reference.clone(), secret));
        let environment: Vec<_> = self.script.environment_secrets().collect();
        let environment = environment.iter().map(|(reference, secret)| (reference.clone(), secret));
        let own = self.account.secret_references().chain(endpoints).chain(environment);
        Redactor::new(own.chain(altered))
    }

    /// The URL of an endpoint (numbered from 0), with references in place of secrets.
    pub fn shown_url(&self, endpoint: usize) -> String {
        let mut url = self.endpoints[endpoint].url.to_string();
        self.redactor().redact(&mut url);
        url
    }

    /// The URLs of the endpoints, separated by commas.
    pub fn urls(&self) -> String {
        let urls: Vec<String> =
            (0..self.endpoints.len()).map(|endpoint| self.shown_url(endpoint)).collect();
        urls.join(", ")
    }

    /// The subscription of each endpoint.
    pub(super) fn subscriptions(&self) -> Vec<Subscription> {
        self.endpoints.iter().map(|endpoint| endpoint.subscription.clone()).collect()
    }
}
