//! A dry run: the requests that a run sends if every delivery passes, rendered and not sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::RunPlan;
use super::probe::probes;
use crate::base::url_reference::shown_url;
use crate::emulator::{
    FaultSource, Outbox, PlannedDelivery, RehearsedOutput, StepOutcome, StepOutput, challenge,
    rehearse,
};
use crate::fault::{FaultKind, Faults};
use crate::platform::{RequestFacts, Signing};
use crate::scenario::{Expectation, SharedStaff};

/// One item of a dry run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DryRunItem {
    /// A request that is not sent.
    Request(DryRunRequest),
    /// An action or event for which a run sends nothing.
    Nothing {
        /// The run time.
        at: Timestamp,
        /// The number of the conversation.
        conversation: u32,
        /// The action or event, and the reason.
        summary: String,
    },
    /// An action that cannot be rendered. No run passes with one.
    Dropped {
        /// The action's key.
        action: &'static str,
        /// The reason.
        reason: String,
    },
}

/// A request that is not sent. As in records, references replace the user's secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DryRunRequest {
    /// The index of the endpoint in the plan.
    pub endpoint: usize,
    /// The run time.
    pub at: Timestamp,
    /// The number of the step; nothing for the handshake and the signature probe.
    pub step: Option<usize>,
    /// The number of the conversation; nothing for the handshake and the signature probe.
    pub conversation: Option<u32>,
    /// The vendor's name for the event; nothing for the handshake.
    pub event_type: Option<String>,
    /// Its injected faults.
    pub faults: Faults,
    /// Whether it is a control.
    pub control: bool,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl DryRunRequest {
    /// Returns whether a run sends it: a fault can prevent that.
    pub fn is_sent(&self) -> bool {
        !self.faults.has(FaultKind::Drop)
    }
}

impl DryRunItem {
    /// The item as it counts for the digest by which a run is recognised. It depends on values
    /// only, never on the names of types, so that journals outlive a renaming.
    pub(super) fn digest_text(&self) -> String {
        let json = match self {
            Self::Request(request) => json!([
                request.endpoint,
                request.at,
                request.step,
                request.conversation,
                request.event_type,
                request.faults,
                request.headers,
                request.body
            ]),
            Self::Nothing { at, conversation, summary } => json!([at, conversation, summary]),
            Self::Dropped { action, reason } => json!([action, reason]),
        };
        format!("{json}\n")
    }
}

/// The items of a run, rendered one by one as they are asked for: the handshake, the signature probe,
/// then one conversation after the other.
pub fn dry_run(plan: &RunPlan) -> impl Iterator<Item = DryRunItem> {
    dry_run_with(plan, controls(plan))
}

/// The items of a run that sends controls to these endpoints, by index.
fn dry_run_with(plan: &RunPlan, controls: BTreeSet<usize>) -> impl Iterator<Item = DryRunItem> {
    let account = &plan.account;
    let proof = account.platform.handshake.proof.as_ref();
    let handshake = proof.into_iter().flat_map(move |proof| {
        let request = move |endpoint: usize| {
            let challenge = challenge(account, proof, plan.seed, plan.endpoints[endpoint].number);
            let body = proof.request_body(&account.roots(), &challenge);
            let facts = RequestFacts::of_handshake(&body, plan.start);
            DryRunItem::Request(DryRunRequest {
                endpoint,
                at: plan.start,
                step: None,
                conversation: None,
                event_type: None,
                faults: Faults::default(),
                control: false,
                headers: Signing::of(account).headers(&facts),
                body,
            })
        };
        (0..plan.endpoints.len()).map(request)
    });
    let subscriptions: Arc<[_]> = plan.subscriptions().into();
    let seeds = account.run_seeds(plan.seed);
    let faults = FaultSource::new(&plan.script, account, &seeds);
    let staff = SharedStaff::new(&plan.script, account, seeds, plan.start);
    let count = plan.script.conversation_count();
    let conversations = (0..plan.plays).flat_map(move |play| {
        let first = play.saturating_mul(count).saturating_add(1);
        let outbox = |number| {
            let controls = if number == 1 { controls.clone() } else { BTreeSet::new() };
            (number, Outbox::new(&faults, number).with_controls(controls))
        };
        let mut outboxes: BTreeMap<u32, Outbox> =
            (first..first.saturating_add(count)).map(outbox).collect();
        let outputs = rehearse(&plan.script, account, &subscriptions, &staff, first);
        let items = outputs.flat_map(|RehearsedOutput { conversation, output }| {
            let outbox = outboxes.get_mut(&conversation);
            outbox.map_or_else(Vec::new, |outbox| items_of(plan, outbox, conversation, output))
        });
        // One play at a time is in memory, however many there are.
        items.collect::<Vec<_>>()
    });
    let redactor = plan.redactor();
    handshake.chain(probe_items(plan)).chain(conversations).map(move |mut item| {
        if let DryRunItem::Request(request) = &mut item {
            // As in a record: people paste a dry run into issues and chats.
            request.headers.extend(plan.endpoints[request.endpoint].extra_headers());
            request.headers.iter_mut().for_each(|(_, value)| {
                redactor.redact(value);
            });
            redactor.redact(&mut request.body);
        }
        item
    })
}

/// The endpoints, by index, that get only deliveries with faults that they need not accept. Without
/// a control, a receiver that refuses or crashes on everything would pass.
pub(super) fn controls(plan: &RunPlan) -> BTreeSet<usize> {
    let (mut faulty, mut accepting) = (BTreeSet::new(), BTreeSet::new());
    if !plan.script.has_any_fault() {
        return faulty;
    }
    // The first conversation decides. A run may have a million others.
    let single = RunPlan { plays: 1, ..plan.clone() };
    for item in dry_run_with(&single, BTreeSet::new()) {
        let DryRunItem::Request(request) = item else { continue };
        if request.step.is_none() || !request.is_sent() {
            continue; // a handshake, or not sent
        }
        let expects = request.faults.expect_acceptance(1);
        if expects { &mut accepting } else { &mut faulty }.insert(request.endpoint);
    }
    faulty.difference(&accepting).copied().collect()
}

/// The requests of the signature probe.
fn probe_items(plan: &RunPlan) -> impl Iterator<Item = DryRunItem> {
    let requests = (0..plan.endpoints.len()).flat_map(move |endpoint| probes(plan, endpoint));
    requests.filter_map(|probe| probe.request.ok()).map(move |planned| {
        DryRunItem::Request(DryRunRequest {
            endpoint: planned.endpoint,
            at: planned.at,
            step: None,
            conversation: None,
            headers: planned.headers(&plan.account),
            event_type: Some(planned.event_type),
            faults: planned.faults,
            control: false,
            body: planned.body.to_string(),
        })
    })
}

fn describe_expectation(plan: &RunPlan, expectation: &Expectation) -> String {
    match expectation {
        Expectation::Request(request) => {
            let receiver = plan.endpoints.first().map(|endpoint| &endpoint.url);
            let url = receiver.and_then(|receiver| request.url(receiver).ok());
            let url = url.map_or_else(|| request.path.clone(), |url| shown_url(&url, None));
            format!("`{}` {} {url}", request.key, request.method)
        }
        Expectation::Call(call) => format!("`{}` {}", call.key, call.call),
    }
}

fn items_of(
    plan: &RunPlan,
    outbox: &mut Outbox,
    number: u32,
    output: StepOutput,
) -> Vec<DryRunItem> {
    let at = output.at;
    let nothing = |summary| DryRunItem::Nothing { at, conversation: number, summary };
    let (action, happened) = match output.outcome {
        StepOutcome::Done { action, result, .. } => (action, result),
        StepOutcome::Expected(expectation) => {
            return vec![nothing(describe_expectation(plan, &expectation))];
        }
        StepOutcome::Dropped { action, reason, .. } => {
            return vec![DryRunItem::Dropped { action, reason }];
        }
        StepOutcome::Skipped { action, reason } => {
            return vec![nothing(format!("`{action}` skipped: {reason}"))];
        }
    };
    let silent = happened.silent.into_iter();
    let silent =
        silent.map(|reason| nothing(format!("`{}` sends nothing: {reason}", action.kind.as_str())));
    let request = |planned: PlannedDelivery| {
        DryRunItem::Request(DryRunRequest {
            endpoint: planned.endpoint,
            at,
            step: output.step,
            conversation: Some(number),
            headers: planned.headers(&plan.account),
            event_type: Some(planned.event_type),
            faults: planned.faults,
            control: planned.control,
            body: planned.body.to_string(),
        })
    };
    let sent = happened.payloads.into_iter().flat_map(|payload| {
        if payload.endpoints.is_empty() {
            return vec![nothing(format!("{} not sent (no subscription)", payload.event_type))];
        }
        let planned = outbox.plan(payload, output.step, at, &output.faults);
        planned.into_iter().map(request).collect()
    });
    silent.chain(sent).collect()
}
