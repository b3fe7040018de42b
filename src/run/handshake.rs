//! The handshake: the vendor's test of an endpoint, before any event is sent to it.

use super::RunPlan;
use crate::base::seed::SeedScope;
use crate::delivery::{NOT_COMMITTED, Request, Transport};
use crate::emulator::EndpointPlan;
use crate::platform::{Proof, RequestFacts, Signing};
use crate::policy::StatusSet;
use crate::record::{
    AttemptOutcome, AttemptResult, Method, PriorHandshake, RecordKind, RecordLog, RecordScope,
};

/// Performs the vendor's handshake, if it has one. Returns whether events are sent afterwards.
pub(super) async fn shake<T: Transport>(
    plan: &RunPlan,
    endpoint: &EndpointPlan,
    transport: &T,
    log: &RecordLog,
) -> bool {
    let handshake = &plan.account.platform.handshake;
    let Some(proof) = &handshake.proof else { return true };
    let scope = RecordScope { at: plan.start, conversation: None, step: None };
    let url = endpoint.url.to_string();
    let number = endpoint.number;
    let challenge = challenge(plan, proof, number);
    let body = proof.request_body(&plan.account.roots(), &challenge);
    let facts = RequestFacts::of_handshake(&body, plan.start);
    let prior = plan.prior();
    let (origin, prior) = prior.handshake(number);
    let what = RecordKind::HandshakeSent {
        endpoint: number,
        origin,
        url: url.clone(),
        body: body.clone(),
    };
    // Recorded before it is sent, like every request.
    let intent = log.append_intent(scope, what).await;
    let policy = &plan.account.platform.policy;
    let request = Request {
        method: Method::Post,
        url: endpoint.url.clone(),
        headers: [Signing::of(&plan.account).headers(&facts), endpoint.extra_headers()].concat(),
        body: body.into(),
        connect: policy.connect.unsigned_abs(),
        total: policy.total.unsigned_abs(),
        fault: None,
    };
    let finished = |result, error, continues| RecordKind::HandshakeFinished {
        endpoint: number,
        url,
        result,
        error,
        continues,
    };
    // An interrupted run had finished its handshake: its result holds.
    if let Some(PriorHandshake { result, error, continues }) = prior.cloned() {
        log.append(scope, finished(result, error, continues)).await;
        return continues;
    }
    let result = if intent.committed().await {
        transport.send(request).await
    } else {
        AttemptResult::failure(AttemptOutcome::Unsendable, NOT_COMMITTED, 0)
    };
    let checked = match result.final_status() {
        Some(status) => {
            let roots = plan.account.roots();
            proof.check_response(&roots, &challenge, status, &result.body.text())
        }
        None => Err(no_response(&result)),
    };
    let continues = checked.is_ok() || !handshake.refuses();
    let checked = checked.and_then(|()| check_acceptance(&result));
    let error = checked.err().map(|error| match result.compression() {
        Some(method) => format!("{error}; the response is compressed ({method}): send it as it is"),
        None => error,
    });
    log.append(scope, finished(result, error, continues)).await;
    continues
}

/// The challenge of the handshake with an endpoint. It depends on the seed, so that a resumed run
/// sends the same one.
pub(super) fn challenge(plan: &RunPlan, proof: &Proof, endpoint: u32) -> String {
    let seeds = SeedScope::of_run(plan.seed).within(&format!("handshake {endpoint}"));
    proof.challenge(&plan.account.roots(), &seeds)
}

/// Holds a response that the vendor accepts to 2xx, as deliveries are: some vendors ignore the status.
fn check_acceptance(result: &AttemptResult) -> Result<(), String> {
    match result.final_status().filter(|status| !StatusSet::success().contains(*status)) {
        None => Ok(()),
        Some(status) => Err(format!(
            "the endpoint responded with status {status}, expected {} (this vendor counts it as success)",
            StatusSet::success()
        )),
    }
}

fn no_response(result: &AttemptResult) -> String {
    let reason = result.reason.clone().unwrap_or_default();
    match result.outcome {
        AttemptOutcome::Responded => reason,
        outcome => format!("no response ({outcome}): {reason}"),
    }
}
