//! The plan of a run: everything that it is made of.

use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use url::Url;

use super::dry_run;
use crate::base::file_store::FileStore;
use crate::base::redact::Redactor;
use crate::base::secret::Secret;
use crate::delivery::{ClockMode, StatusCheck};
use crate::fault::FaultGroup;
use crate::platform::{Account, FaultInjector, Subscription};
use crate::record::{PriorAttempts, RunStarted, SourceLine};
use crate::scenario::Script;

/// Everything that a run is made of.
#[derive(Clone)]
pub struct RunPlan {
    /// The run's number, from 1.
    pub number: u32,
    /// The script to play.
    pub script: Arc<Script>,
    /// The account at which it is played.
    pub account: Arc<Account>,
    /// The receiver's address.
    pub url: Url,
    /// Headers beside the vendor's. Their values never appear in a record.
    pub headers: Vec<(String, Secret)>,
    /// The event types that the receiver is sent.
    pub subscription: Subscription,
    /// The seed of all generated values.
    pub seed: u64,
    /// The run time at which the conversations begin.
    pub start: Timestamp,
    /// How run time passes.
    pub pace: ClockMode,
    /// The number of conversations.
    pub conversations: u32,
    /// The sample attachments, served while the run lasts.
    pub files: Arc<FileStore>,
    /// The interrupted run that this one continues.
    pub resume: Option<ResumePoint>,
    /// Ends the run early.
    pub stop: StopSignal,
}

/// An interrupted run of a journal, and what its attempts met.
#[derive(Clone, Debug)]
pub struct ResumePoint {
    /// The number of the interrupted run in the journal.
    pub run: i64,
    /// The results of its attempts, as far as they were stored.
    pub prior: Arc<PriorAttempts>,
}

/// Tells a run to end early.
#[derive(Clone, Debug, Default)]
pub struct StopSignal(Option<watch::Receiver<bool>>);

impl StopSignal {
    /// A signal that is given when the channel turns true.
    pub fn new(channel: watch::Receiver<bool>) -> Self {
        Self(Some(channel))
    }

    /// Waits for the signal. Without a channel, or if its sender is gone, it never comes.
    pub(super) async fn given(&self) {
        if let Some(mut channel) = self.0.clone()
            && channel.wait_for(|stop| *stop).await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

impl RunPlan {
    /// The first record of the run. It identifies the run: a run with another one is another run.
    pub fn started(&self) -> RunStarted {
        let platform = &self.account.platform;
        let single = Self { conversations: 1, ..self.clone() };
        let mut digest = Sha256::new();
        dry_run(&single).for_each(|item| digest.update(item.digest_text()));
        RunStarted {
            scenario: self.script.name.clone(),
            file: self.script.file.clone(),
            vendor: platform.full_id(),
            differs: platform.differs.clone(),
            verify: self.script.verify.as_ref().map(ToString::to_string),
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

    /// The results of an earlier, interrupted run; empty for a new one.
    pub(super) fn prior(&self) -> Arc<PriorAttempts> {
        self.resume.as_ref().map(|resume| Arc::clone(&resume.prior)).unwrap_or_default()
    }

    /// The statuses with which its deliveries pass.
    pub(super) fn check(&self) -> StatusCheck {
        let success = self.account.platform.policy.success.clone();
        StatusCheck { verify: self.script.verify.clone(), success }
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

    /// Replaces the run's secrets in its records: those of the account, of the headers, and the
    /// altered ones that token faults send.
    pub(super) fn redactor(&self) -> Redactor {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, secret)| (format!("${{header.{name}}}"), secret));
        let spoiled = if self.script.has_faults(FaultGroup::Token) {
            FaultInjector::of(&self.account).derived_secrets()
        } else {
            Vec::new()
        };
        let spoiled = spoiled.iter().map(|(reference, secret)| (reference.clone(), secret));
        Redactor::new(self.account.secret_references().chain(headers).chain(spoiled))
    }

    /// The headers beside the vendor's, with their values.
    pub(super) fn extra_headers(&self) -> Vec<(String, String)> {
        let headers = self.headers.iter();
        headers.map(|(name, value)| (name.clone(), value.expose().to_owned())).collect()
    }
}
