//! What a run sends if every answer is right: its requests, made and not sent.

use jiff::Timestamp;

use super::RunPlan;
use super::outbox::{Outbox, PlannedDelivery};
use crate::base::seed::SeedScope;
use crate::fault::Faults;
use crate::scenario::{ScriptState, SharedStaff, StepOutcome, StepOutput};

/// What comes of a run that is not played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DryRunItem {
    /// A request that is not sent.
    Request(DryRunRequest),
    /// Something that would not be sent in a run either.
    Nothing {
        /// When, in run time.
        at: Timestamp,
        /// The number of the conversation.
        conversation: u32,
        /// What, and why.
        told: String,
    },
    /// An act that could not be made into requests, which no run passes with.
    Dropped {
        /// The act's word.
        action: &'static str,
        /// Why.
        reason: String,
    },
}

/// A request that is not sent. Secrets of the user's own are references, as in records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DryRunRequest {
    /// When, in run time.
    pub at: Timestamp,
    /// The number of the step; nothing for the handshake.
    pub step: Option<usize>,
    /// The number of the conversation; nothing for the handshake.
    pub conversation: Option<u32>,
    /// The vendor's name for the event; nothing for the handshake.
    pub event_type: Option<String>,
    /// What is wrong with it on purpose.
    pub faults: Faults,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// What comes of a run, made as it is asked for: the handshake, then one conversation after the
/// other.
pub fn dry_run(plan: &RunPlan) -> impl Iterator<Item = DryRunItem> {
    let account = &plan.account;
    let handshake = account.platform.handshake.proof.as_ref().map(|proof| {
        let body = account.handshake_body(proof);
        let headers = account.handshake_headers(&body);
        DryRunItem::Request(DryRunRequest {
            at: plan.start,
            step: None,
            conversation: None,
            event_type: None,
            faults: Faults::default(),
            headers,
            body,
        })
    });
    let staff = SharedStaff::new(&plan.script, account, SeedScope::of_run(plan.seed), plan.start);
    let conversations = (1..=plan.conversations).flat_map(move |number| {
        let (script, subscription) = (&plan.script, &plan.subscription);
        let mut outbox = Outbox::new(plan, number);
        ScriptState::new(script, account, subscription, (&staff, number))
            .flat_map(move |output| of_scene(plan, &mut outbox, number, output))
    });
    let redactor = plan.redactor();
    handshake.into_iter().chain(conversations).map(move |mut item| {
        if let DryRunItem::Request(request) = &mut item {
            request.headers.extend(plan.extra_headers());
            request.headers.iter_mut().for_each(|(_, value)| redactor.text(value));
            redactor.text(&mut request.body);
        }
        item
    })
}

fn of_scene(
    plan: &RunPlan,
    outbox: &mut Outbox<'_>,
    number: u32,
    output: StepOutput,
) -> Vec<DryRunItem> {
    let at = output.at;
    let nothing = |told| DryRunItem::Nothing { at, conversation: number, told };
    let (action, happened) = match output.outcome {
        StepOutcome::Done { action, happened, .. } => (action, happened),
        StepOutcome::Dropped { action, reason } => {
            return vec![DryRunItem::Dropped { action, reason }];
        }
        StepOutcome::Skipped { action, reason } => {
            return vec![nothing(format!("`{action}` is left out: {reason}"))];
        }
    };
    let silent = happened.silent.into_iter();
    let silent =
        silent.map(|reason| nothing(format!("`{}` sends nothing: {reason}", action.word())));
    let request = |planned: PlannedDelivery| {
        DryRunItem::Request(DryRunRequest {
            at,
            step: Some(output.step),
            conversation: Some(number),
            headers: planned.headers(plan),
            event_type: Some(planned.event_type),
            faults: planned.faults,
            body: planned.body.to_string(),
        })
    };
    let sent = happened.payloads.into_iter().flat_map(|payload| {
        match PlannedDelivery::of(payload, (output.step, at), &output.faults) {
            Ok(planned) => outbox.planned(planned).into_iter().map(request).collect(),
            Err(event_type) => vec![nothing(format!("{event_type} is not subscribed to"))],
        }
    });
    silent.chain(sent).collect()
}
