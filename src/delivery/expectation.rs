//! What conversations wait for: responses of the receiver's own API, and signals of the host.
//!
//! Requests are sent with an ordinary HTTP client, and repeated until the response is as expected.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Response};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::ConversationKey;
use super::connector::Connector;
use super::failure::AttemptFailure;
use super::transport::{ApiRequest, Transport};
use crate::base::limits::{
    MAX_RESPONSE_HEADERS, MAX_STATE_BODY, STATE_PAUSES, STATE_REQUEST_TIMEOUT,
};
use crate::record::{
    AttemptOutcome, AttemptResult, ExpectationRequest, ExpectationResult, Method, RecordScope,
    Timings,
};

/// Compares a response with an expectation.
pub type ResponseJudge = Arc<dyn Fn(&AttemptResult) -> ExpectationResult + Send + Sync>;

/// An expectation that a conversation waits for. Its run time stands still meanwhile.
pub struct AwaitedExpectation {
    /// The conversation.
    pub conversation: ConversationKey,
    /// Time and place of its record.
    pub scope: RecordScope,
    /// What is expected, as the record shows it.
    pub facts: ExpectationRequest,
    /// How it ends.
    pub wait: ExpectationWait,
}

/// How an expectation ends.
pub enum ExpectationWait {
    /// With a response that is as expected.
    Response(AwaitedResponse),
    /// With a signal of the host, which knows the result.
    Signal {
        /// Maximum wall time until the signal.
        within: Duration,
        /// The signal.
        signal: oneshot::Receiver<()>,
    },
}

/// A response of the receiver's own API that is waited for.
pub struct AwaitedResponse {
    /// The request, or why it cannot be sent.
    pub request: Result<ApiRequest, String>,
    /// Wall time during which the request is repeated; `None` sends it once.
    pub within: Option<Duration>,
    /// Compares each response with the expectation.
    pub judge: ResponseJudge,
}

impl fmt::Debug for AwaitedExpectation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AwaitedExpectation")
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

impl ExpectationWait {
    /// Waits for the end. The result of a signal has no more than the time that it took.
    pub(super) async fn end<T: Transport>(self, transport: Arc<T>) -> ExpectationResult {
        match self {
            Self::Response(response) => response.wait(transport).await,
            Self::Signal { within, signal } => {
                let started = Instant::now();
                // The host knows whether what it waited for has happened.
                let _ = timeout(within, signal).await;
                ExpectationResult {
                    waited_ms: millis_since(started),
                    ..ExpectationResult::default()
                }
            }
        }
    }
}

fn millis_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl AwaitedResponse {
    /// Sends the request until the response is as expected, or its time is over.
    async fn wait<T: Transport>(self, transport: Arc<T>) -> ExpectationResult {
        let request = match self.request {
            Ok(request) => request,
            Err(reason) => return ExpectationResult::unsent(&reason),
        };
        let started = Instant::now();
        let deadline = started + self.within.unwrap_or(STATE_REQUEST_TIMEOUT);
        let mut pause = STATE_PAUSES.0;
        let mut requests = 0;
        // What the last response was, in case the time ends during the next request.
        let mut responded = None;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let limit = left.min(STATE_REQUEST_TIMEOUT);
            let result = transport.call_api(request.clone(), limit).await;
            requests += 1;
            let found = (self.judge)(&result);
            let is_met = found.mismatches.is_empty();
            // A blocked address stays blocked.
            let is_final = result.outcome == AttemptOutcome::EgressBlocked;
            if is_met || is_final || self.within.is_none() || Instant::now() + pause >= deadline {
                let waited_ms = millis_since(started);
                let was_cut_short = limit < STATE_REQUEST_TIMEOUT && result.outcome.is_timeout();
                let found = responded.filter(|_| was_cut_short).unwrap_or(found);
                return ExpectationResult { requests, waited_ms, ..found };
            }
            if result.final_status().is_some() {
                responded = Some(found);
            }
            sleep(pause).await;
            pause = (pause * 2).min(STATE_PAUSES.1);
        }
    }
}

impl Connector {
    /// Sends a request to the receiver's own API, within the egress policy. Redirects are not
    /// followed: they could lead to an origin that nobody granted.
    pub(super) async fn call_api(&self, request: ApiRequest, limit: Duration) -> AttemptResult {
        self.wait_turn(&request.url, &request.options).await;
        let started = Instant::now();
        let micros = || u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let response = match self.api_response(request, limit).await {
            Ok(response) => response,
            Err(failure) => {
                let result = AttemptResult::failure(failure.outcome, failure.reason, micros());
                return AttemptResult { help: failure.help, ..result };
            }
        };
        let status = Some(response.status().as_u16());
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers: Vec<(String, String)> = response
            .headers()
            .iter()
            .take(MAX_RESPONSE_HEADERS)
            .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
            .collect();
        let is_location = |(name, _): &&(String, String)| name == "location";
        let location = headers.iter().find(is_location).map(|(_, value)| value.clone());
        let (body, truncated, failure) = read_body(response, limit).await;
        let outcome = failure.as_ref().map_or(AttemptOutcome::Responded, |failure| failure.outcome);
        let timings = Timings { total_us: micros(), ..Timings::default() };
        AttemptResult {
            status,
            headers,
            location,
            body: body.into(),
            truncated,
            reason: failure.map(|failure| failure.reason),
            timings,
            ..AttemptResult::failure(outcome, "", 0)
        }
    }

    async fn api_response(
        &self,
        request: ApiRequest,
        limit: Duration,
    ) -> Result<Response, AttemptFailure> {
        self.check_route(&request.url, &request.options).await?;
        let client: Client = self.http_client(&request.url, &request.options)?;
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let is_type = |(name, _): &(String, String)| name.eq_ignore_ascii_case("content-type");
        let has_type = request.headers.iter().any(is_type);
        let mut builder = client.request(method, request.url).timeout(limit);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let Some(json) = request.json {
            builder = builder.body(json);
            if !has_type {
                builder = builder.header("Content-Type", "application/json");
            }
        }
        builder.send().await.map_err(|error| {
            if error.is_timeout() {
                AttemptFailure::no_head(limit)
            } else {
                AttemptFailure::of(&error, AttemptOutcome::Protocol)
            }
        })
    }
}

/// Reads a body up to the size limit. Returns it, whether it was longer, and why it is incomplete.
async fn read_body(
    mut response: Response,
    limit: Duration,
) -> (Vec<u8>, bool, Option<AttemptFailure>) {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > MAX_STATE_BODY => {
                body.extend_from_slice(&chunk[..MAX_STATE_BODY - body.len()]);
                return (body, true, None);
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return (body, false, None),
            Err(error) if error.is_timeout() => {
                return (body, false, Some(AttemptFailure::no_end(limit)));
            }
            Err(error) => {
                let failure = AttemptFailure::of(&error, AttemptOutcome::BodyIncomplete);
                return (body, false, Some(failure));
            }
        }
    }
}
