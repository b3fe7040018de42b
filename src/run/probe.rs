//! The signature probe: requests that the receiver must reject, sent before the first event.

use std::sync::Arc;

use super::RunPlan;
use crate::delivery::{DeliveryCheck, NOT_COMMITTED, Request, Transport};
use crate::emulator::{PlannedDelivery, StepOutcome, rehearse};
use crate::fault::{Fault, FaultKind, Faults};
use crate::platform::{FaultInjector, Payload};
use crate::record::{
    AttemptOutcome, AttemptResult, Method, RecordKind, RecordLog, RecordScope, SignatureTest,
};
use crate::scenario::SharedStaff;

/// What is invalid about the requests, one for each.
const FAULTS: [FaultKind; 2] = [FaultKind::WrongToken, FaultKind::ReSerialised];

/// A request that the receiver must reject.
pub(super) struct Probe {
    /// What is invalid.
    pub(super) fault: Fault,
    /// The request, or the reason why it does not exist.
    pub(super) request: Result<PlannedDelivery, String>,
}

/// Returns how a run tests that the receiver checks signatures.
pub(super) fn signature_test(plan: &RunPlan) -> SignatureTest {
    let injector = FaultInjector::of(&plan.account);
    if injector.unsupported(FaultKind::WrongToken).is_some() {
        SignatureTest::NotApplicable
    } else if plan.script.verify.probes_signature {
        SignatureTest::Probe
    } else {
        SignatureTest::Untested
    }
}

/// Returns the requests that an endpoint of the plan must reject; none without
/// `signature = "probe"`.
pub(super) fn probes(plan: &RunPlan, endpoint: usize) -> Vec<Probe> {
    if !plan.script.verify.probes_signature {
        return Vec::new();
    }
    let faults = FAULTS.iter().filter_map(|kind| Fault::parse(kind.as_str()).ok());
    if signature_test(plan) == SignatureTest::NotApplicable {
        // One reason is enough: there is nothing that could be invalid in one way or the other.
        return faults.take(1).map(|fault| probe(plan, endpoint, fault, None)).collect();
    }
    let payload = first_payload(plan, endpoint);
    faults.map(|fault| probe(plan, endpoint, fault, payload.as_ref())).collect()
}

fn probe(plan: &RunPlan, endpoint: usize, fault: Fault, payload: Option<&Payload>) -> Probe {
    let injector = FaultInjector::of(&plan.account);
    let request = match (injector.unsupported(fault.kind), payload) {
        (Some(reason), _) => Err(format!("{} {reason}", plan.account.platform.name)),
        (None, None) => Err("the scenario sends no event to the endpoint".to_owned()),
        (None, Some(payload)) => Ok(planned(plan, endpoint, &fault, payload)),
    };
    Probe { fault, request }
}

fn planned(plan: &RunPlan, endpoint: usize, fault: &Fault, payload: &Payload) -> PlannedDelivery {
    let faults = Faults(vec![fault.clone()]);
    let (body, seeds) =
        (payload.body.as_deref().unwrap_or_default(), plan.account.run_seeds(plan.seed));
    let id = format!("probe {fault}");
    // Some vendors repeat their token in the body.
    let body = FaultInjector::of(&plan.account).body(body, &faults, &seeds, &id);
    PlannedDelivery {
        id,
        endpoint,
        step: None,
        at: plan.start,
        event_type: payload.event_type.clone(),
        certainty: payload.certainty.to_string(),
        body: body.into(),
        faults,
        control: false,
        event: payload.event.clone(),
    }
}

/// Returns the first payload for an endpoint, in a conversation that is not played. A receiver that
/// stores it by mistake does not take an event of the run for a duplicate.
fn first_payload(plan: &RunPlan, endpoint: usize) -> Option<Payload> {
    let subscriptions = plan.subscriptions();
    let seeds = plan.account.run_seeds(plan.seed);
    let staff = SharedStaff::new(&plan.script, &plan.account, seeds, plan.start);
    let number = plan.conversations().saturating_add(1);
    let outputs = rehearse(&plan.script, &plan.account, &subscriptions, &staff, number);
    let payloads = outputs.filter_map(|rehearsed| match rehearsed.output.outcome {
        StepOutcome::Done { result, .. } => Some(result.payloads),
        StepOutcome::Skipped { .. } | StepOutcome::Dropped { .. } | StepOutcome::Expected(_) => {
            None
        }
    });
    payloads.flatten().find(|payload| payload.endpoints.contains(&endpoint))
}

/// Sends the requests that an endpoint of the plan must reject, and records their results.
pub(super) async fn send_probes<T: Transport>(
    plan: &RunPlan,
    endpoint: usize,
    transport: &T,
    log: &RecordLog,
) {
    let scope = RecordScope { at: plan.start, conversation: None, step: None };
    let number = plan.endpoints[endpoint].number;
    for Probe { fault, request } in probes(plan, endpoint) {
        let kind = match request {
            Ok(planned) => {
                let result = send(plan, &fault, planned, transport, log).await;
                finished(number, fault, result)
            }
            Err(reason) => RecordKind::ProbeSkipped { endpoint: number, fault, reason },
        };
        log.append(scope, kind).await;
    }
}

async fn send<T: Transport>(
    plan: &RunPlan,
    fault: &Fault,
    planned: PlannedDelivery,
    transport: &T,
    log: &RecordLog,
) -> AttemptResult {
    let endpoint = &plan.endpoints[planned.endpoint];
    let headers = [planned.headers(&plan.account), endpoint.extra_headers()].concat();
    let prior = plan.prior();
    let (origin, stored) = prior.probe(endpoint.number, fault);
    let sent = RecordKind::ProbeSent {
        endpoint: endpoint.number,
        fault: fault.clone(),
        origin,
        event_type: planned.event_type,
        url: endpoint.url.to_string(),
        headers: headers.clone(),
        body: Arc::clone(&planned.body),
    };
    let scope = RecordScope { at: plan.start, conversation: None, step: None };
    // Recorded before it is sent, like every request.
    let intent = log.append_intent(scope, sent).await;
    if let Some(result) = stored {
        return result.clone();
    }
    if !intent.committed().await {
        return AttemptResult::failure(AttemptOutcome::Unsendable, NOT_COMMITTED, 0);
    }
    let policy = &plan.account.platform.policy;
    transport
        .send(Request {
            method: Method::Post,
            url: endpoint.url.clone(),
            headers,
            body: planned.body,
            connect: endpoint.options.connect(policy),
            total: endpoint.options.total(policy),
            fault: None,
            options: Arc::clone(&endpoint.options),
        })
        .await
}

fn finished(endpoint: u32, fault: Fault, result: AttemptResult) -> RecordKind {
    // Judged like a delivery with this fault. Other rules than those of the fault do not apply.
    let faults = Faults(vec![fault.clone()]);
    let why = DeliveryCheck::default().failure(&result, &faults, 1, false, Method::Post);
    RecordKind::ProbeFinished { endpoint, fault, result, passed: why.is_none(), why }
}
