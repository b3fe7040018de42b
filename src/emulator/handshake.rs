//! The handshake: the vendor's test of an endpoint, before any event is sent to it.

use std::sync::Arc;

use jiff::Timestamp;

use super::endpoint::EndpointPlan;
use crate::delivery::{NOT_COMMITTED, Request, Transport};
use crate::platform::{Account, Proof, RequestFacts, Signing};
use crate::policy::StatusSet;
use crate::record::{
    AttemptOutcome, AttemptResult, Method, PriorAttempts, PriorHandshake, RecordKind, RecordLog,
    RecordScope,
};

/// A handshake with an endpoint.
#[derive(Clone, Debug)]
pub struct HandshakeJob {
    /// The account, with the credentials for this endpoint.
    pub account: Arc<Account>,
    /// The endpoint.
    pub endpoint: EndpointPlan,
    /// Seed of the challenge.
    pub seed: u64,
    /// Run time of the request.
    pub at: Timestamp,
    /// The attempts of an interrupted run.
    pub prior: Arc<PriorAttempts>,
    /// The log that gets the records.
    pub log: RecordLog,
}

/// The end of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeEnd {
    /// Why the response does not complete the handshake, if it does not.
    pub error: Option<String>,
    /// Whether events are sent to the endpoint.
    pub continues: bool,
    /// Whether the vendor counts the test as passed.
    pub passed: bool,
}

/// Performs the vendor's handshake, if it has one.
pub async fn shake<T: Transport>(job: HandshakeJob, transport: &T) -> HandshakeEnd {
    let HandshakeJob { account, endpoint, seed, at, prior, log } = job;
    let handshake = &account.platform.handshake;
    let Some(proof) = &handshake.proof else {
        return HandshakeEnd { error: None, continues: true, passed: true };
    };
    let scope = RecordScope { at, conversation: None, step: None };
    let url = endpoint.url.to_string();
    let number = endpoint.number;
    let challenge = challenge(&account, proof, seed, number);
    let body = proof.request_body(&account.roots(), &challenge);
    let facts = RequestFacts::of_handshake(&body, at);
    let (origin, prior) = prior.handshake(number);
    let what = RecordKind::HandshakeSent {
        endpoint: number,
        origin,
        url: url.clone(),
        body: body.clone(),
    };
    // Recorded before it is sent, like every request.
    let intent = log.append_intent(scope, what).await;
    let finished = |result, error, continues| RecordKind::HandshakeFinished {
        endpoint: number,
        url,
        result,
        error,
        continues,
    };
    // An interrupted run had finished its handshake: its result holds.
    if let Some(PriorHandshake { result, error, continues }) = prior.cloned() {
        log.append(scope, finished(result, error.clone(), continues)).await;
        let passed = error.is_none();
        return HandshakeEnd { error, continues, passed };
    }
    let policy = &account.platform.policy;
    let request = Request {
        method: Method::Post,
        url: endpoint.url.clone(),
        headers: [Signing::of(&account).headers(&facts), endpoint.extra_headers()].concat(),
        body: body.into(),
        connect: endpoint.options.connect(policy),
        total: endpoint.options.total(policy),
        fault: None,
        options: Arc::clone(&endpoint.options),
    };
    let result = if intent.committed().await {
        transport.send(request).await
    } else {
        AttemptResult::failure(AttemptOutcome::Unsendable, NOT_COMMITTED, 0)
    };
    let end = judge(&account, proof, &challenge, &result);
    log.append(scope, finished(result, end.error.clone(), end.continues)).await;
    end
}

/// Decides whether a response completes the handshake.
fn judge(
    account: &Account,
    proof: &Proof,
    challenge: &str,
    result: &AttemptResult,
) -> HandshakeEnd {
    let checked = match result.final_status() {
        Some(status) => {
            let roots = account.roots();
            proof.check_response(&roots, challenge, status, &result.body.text())
        }
        None => Err(no_response(result)),
    };
    let passed = checked.is_ok();
    let continues = passed || !account.platform.handshake.refuses();
    let checked = checked.and_then(|()| check_acceptance(result));
    let error = checked.err().map(|error| match result.compression() {
        Some(method) => format!("{error}; the response is compressed ({method}): send it as it is"),
        None => error,
    });
    HandshakeEnd { error, continues, passed }
}

/// The challenge of the handshake with an endpoint. It depends on the seed, so that a resumed run
/// sends the same one.
pub fn challenge(account: &Account, proof: &Proof, seed: u64, endpoint: u32) -> String {
    let seeds = account.run_seeds(seed).within(&format!("handshake {endpoint}"));
    proof.challenge(&account.roots(), &seeds)
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
