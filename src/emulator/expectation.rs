//! Expectations of a script at the driver: what is awaited, and the record of its result.

use std::sync::Arc;

use jiff::SignedDuration;
use tokio::sync::oneshot;

use super::call_inbox::AwaitedCall;
use super::endpoint::EndpointPlan;
use crate::base::url_reference::shown_url;
use crate::delivery::{
    ApiRequest, AwaitedExpectation, AwaitedResponse, ConversationKey, ExpectationWait,
};
use crate::record::{
    ExpectationRequest, ExpectationResult, RecordScope, SettledExpectation, SourceLine,
};
use crate::scenario::{CallExpectation, RequestExpectation};

/// An expectation that a conversation waits for.
#[derive(Debug)]
pub(super) struct PendingExpectation {
    pub(super) scope: RecordScope,
    pub(super) request: ExpectationRequest,
    pub(super) source: Option<SourceLine>,
    /// The call that it waits for, unless it waits for a response.
    pub(super) call: Option<AwaitedCall>,
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

/// Prepares the expectation of a call for the driver.
pub(super) fn await_call(
    conversation: ConversationKey,
    scope: RecordScope,
    expectation: CallExpectation,
) -> (AwaitedExpectation, AwaitedCall) {
    let facts = ExpectationRequest {
        expectation: expectation.key.to_owned(),
        round: expectation.round,
        method: None,
        url: None,
        call: Some(expectation.call.clone()),
    };
    let (end, signal) = oneshot::channel();
    let wait = ExpectationWait::Signal { within: expectation.within.unsigned_abs(), signal };
    let awaited = AwaitedExpectation { conversation, scope, facts, wait };
    (awaited, AwaitedCall::new(expectation, end))
}

/// Prepares a request for the driver. `receiver` is the endpoint to whose origin paths belong.
pub(super) fn await_response(
    conversation: ConversationKey,
    scope: RecordScope,
    expectation: RequestExpectation,
    receiver: Option<&EndpointPlan>,
) -> AwaitedExpectation {
    let url = match receiver {
        Some(receiver) => expectation.url(&receiver.url),
        None => Err("there is no receiver".to_owned()),
    };
    let own = receiver
        .filter(|receiver| url.as_ref().is_ok_and(|url| url.origin() == receiver.url.origin()));
    let options = own.map(|receiver| Arc::clone(&receiver.options)).unwrap_or_default();
    let facts = ExpectationRequest {
        expectation: expectation.key.to_owned(),
        round: expectation.round,
        method: Some(expectation.method),
        url: Some(
            url.as_ref().map_or_else(|_| expectation.path.clone(), |url| shown_url(url, None)),
        ),
        call: None,
    };
    let request = url.map(|url| ApiRequest {
        method: expectation.method,
        url,
        headers: expectation.headers.clone(),
        json: expectation.json.clone(),
        options: Arc::clone(&options),
    });
    let within = expectation.within.map(SignedDuration::unsigned_abs);
    let judge = Arc::new(move |result: &_| expectation.judge(result));
    let wait = ExpectationWait::Response(AwaitedResponse { request, within, judge });
    AwaitedExpectation { conversation, scope, facts, wait }
}
