//! Expectations of a script at the driver: the request, and the record of its result.

use std::sync::Arc;

use jiff::SignedDuration;

use super::endpoint::EndpointPlan;
use crate::base::redact::shown_url;
use crate::delivery::{ApiRequest, AwaitedExpectation, ConversationKey};
use crate::record::{
    ExpectationRequest, ExpectationResult, RecordScope, SettledExpectation, SourceLine,
};
use crate::scenario::Expectation;

/// An expectation that a conversation waits for.
#[derive(Debug)]
pub(super) struct PendingExpectation {
    pub(super) scope: RecordScope,
    pub(super) request: ExpectationRequest,
    pub(super) source: Option<SourceLine>,
}

impl PendingExpectation {
    /// The record of its result.
    pub(super) fn settled(self, result: &ExpectationResult) -> SettledExpectation {
        let why = result.why();
        SettledExpectation {
            request: self.request,
            result: result.clone(),
            passed: why.is_none(),
            why,
            source: self.source,
        }
    }
}

/// Prepares an expectation for the driver. `receiver` is the endpoint to whose origin paths belong.
pub(super) fn await_expectation(
    conversation: ConversationKey,
    scope: RecordScope,
    expectation: Expectation,
    receiver: Option<&EndpointPlan>,
) -> AwaitedExpectation {
    let url = match receiver {
        Some(receiver) => expectation.url(&receiver.url),
        None => Err("there is no receiver".to_owned()),
    };
    let facts = ExpectationRequest {
        expectation: expectation.key.to_owned(),
        round: expectation.round,
        method: expectation.method,
        url: url.as_ref().map_or_else(|_| expectation.path.clone(), shown_url),
    };
    let request = url.map(|url| ApiRequest {
        method: expectation.method,
        url,
        headers: expectation.headers.clone(),
        json: expectation.json.clone(),
    });
    let within = expectation.within.map(SignedDuration::unsigned_abs);
    let judge = Arc::new(move |result: &_| expectation.judge(result));
    AwaitedExpectation { conversation, scope, facts, request, within, judge }
}
