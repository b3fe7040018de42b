//! Shakes hands with an endpoint before anything else is sent to it.

use super::Plan;
use crate::delivery::{Endpoint, Request, Transport, UNKEPT};
use crate::record::{Met, Method, Outcome, Recorder, Scope, Shaken, What};

/// Asks the endpoint whether it agrees, where the vendor does. Gives whether payloads are sent.
pub(super) async fn shake<T: Transport>(
    plan: &Plan,
    endpoint: &Endpoint,
    transport: &T,
    recorder: &Recorder,
) -> bool {
    let handshake = &plan.account.vendor.handshake;
    let Some(proof) = &handshake.proof else { return true };
    let scope = Scope { at: plan.start, conversation: None, step: None };
    let url = plan.url.to_string();
    let body = plan.account.handshake_body(proof);
    let (origin, shaken) = plan.keeping.known.handshake();
    let what = What::HandshakeSent { origin, url: url.clone(), body: body.clone() };
    let intent = recorder.intend(scope, what).await;
    let policy = &plan.account.vendor.policy;
    let request = Request {
        method: Method::Post,
        url: endpoint.url.clone(),
        headers: [plan.account.handshake_headers(&body), plan.extra_headers()].concat(),
        body: body.into(),
        connect: policy.connect.unsigned_abs(),
        total: policy.total.unsigned_abs(),
        fault: None,
    };
    if let Some(Shaken { met, wrong, goes_on }) = shaken.cloned() {
        recorder.tell(scope, What::HandshakeAnswered { url, met, wrong, goes_on }).await;
        return goes_on;
    }
    let met = if intent.kept().await {
        transport.send(request).await
    } else {
        Met::failure(Outcome::Unsendable, UNKEPT, 0)
    };
    let judged = match met.final_status() {
        Some(status) => plan.account.judge_answer(proof, status, &met.answer),
        None => Err(no_answer(&met)),
    };
    let wrong = judged.err();
    let goes_on = wrong.is_none() || !handshake.refuses();
    recorder.tell(scope, What::HandshakeAnswered { url, met, wrong, goes_on }).await;
    goes_on
}

fn no_answer(met: &Met) -> String {
    let reason = met.reason.clone().unwrap_or_default();
    match met.outcome {
        Outcome::Answered => reason,
        outcome => format!("there was no answer ({outcome}): {reason}"),
    }
}
