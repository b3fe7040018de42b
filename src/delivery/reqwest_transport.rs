//! The default transport: reqwest, with everything it does unasked switched off.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::header::{HeaderMap, HeaderValue, LOCATION};
use reqwest::redirect::Policy as Redirects;
use reqwest::{Client, Response};
use tokio::time::{Instant, timeout_at};

use super::connector::Connector;
use super::failure::{AttemptFailure, causes, innermost};
use super::transport::{Request, Transport};
use crate::base::clock::Stopwatch;
use crate::base::limits::MAX_RESPONSE_BODY;
use crate::record::{AttemptOutcome, AttemptResult, Method};

/// Sends requests with reqwest, one connection for each: a pooled connection that turns out to be
/// dead would silently be replaced by a second one.
#[derive(Debug)]
pub(super) struct ReqwestTransport {
    connector: Connector,
    clients: Mutex<BTreeMap<Duration, Client>>,
}

/// How much sooner connecting ends than everything, so that it is clear which of them ended.
const MARGIN: Duration = Duration::from_millis(20);

impl ReqwestTransport {
    /// A transport that dials so.
    pub(super) fn new(connector: Connector) -> Self {
        Self { connector, clients: Mutex::default() }
    }

    /// The client with this time limit for connecting; reqwest has it per client.
    fn client(&self, connect: Duration) -> Result<Client, reqwest::Error> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&connect) {
            return Ok(client.clone());
        }
        let client = Client::builder()
            .no_proxy()
            .redirect(Redirects::none())
            .retry(reqwest::retry::never())
            .http1_only()
            .connect_timeout(connect)
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(self.connector.clone()))
            .tls_backend_preconfigured((*self.connector.tls).clone())
            .build()?;
        clients.insert(connect, client.clone());
        Ok(client)
    }

    async fn exchange(
        &self,
        request: Request,
        deadline: Instant,
    ) -> Result<Response, AttemptFailure> {
        self.connector.check(&request.url)?;
        let headers: HeaderMap = request.checked_headers()?.into_iter().collect();
        let connect = request.connect.min(request.total.saturating_sub(MARGIN));
        let client = self
            .client(connect)
            .map_err(|error| AttemptFailure::new(AttemptOutcome::Unsendable, innermost(&error)))?;
        let is_tls = request.url.scheme() == "https";
        let sent = match request.method {
            Method::Post => client.post(request.url).body(request.body.to_string()),
            Method::Get => client.get(request.url),
        };
        let sent = sent.headers(headers).send();
        match timeout_at(deadline, sent).await {
            Err(_) => Err(AttemptFailure::no_head(request.total)),
            Ok(Err(error)) => Err(failure(&error, connect, is_tls)),
            Ok(Ok(response)) => Ok(response),
        }
    }
}

impl Transport for ReqwestTransport {
    async fn send(&self, request: Request) -> AttemptResult {
        let (watch, total) = (Stopwatch::start(), request.total);
        let deadline = Instant::now() + total;
        match self.exchange(request, deadline).await {
            Ok(response) => read(response, deadline, total, watch).await,
            Err(AttemptFailure { outcome, reason }) => {
                AttemptResult::failure(outcome, reason, watch.millis())
            }
        }
    }
}

/// Reads an answer's body up to the cap; what lies beyond stays unread.
async fn read(
    response: Response,
    deadline: Instant,
    total: Duration,
    watch: Stopwatch,
) -> AttemptResult {
    let status = response.status().as_u16();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value)));
    let headers = headers.collect();
    let location = response.headers().get(LOCATION).map(text);
    let mut kept = Vec::new();
    let mut stream = response.bytes_stream();
    let mut failure = None;
    while kept.len() <= MAX_RESPONSE_BODY {
        match timeout_at(deadline, stream.next()).await {
            Ok(None) => break,
            Ok(Some(Ok(bytes))) => kept.extend_from_slice(&bytes),
            Ok(Some(Err(error))) => {
                failure = Some(broken_body(&error));
                break;
            }
            Err(_) => {
                failure = Some(AttemptFailure::no_end(total));
                break;
            }
        }
    }
    let truncated = kept.len() > MAX_RESPONSE_BODY;
    kept.truncate(MAX_RESPONSE_BODY);
    let answer = String::from_utf8_lossy(&kept).into_owned();
    let (outcome, reason) = match failure {
        Some(failure) => (failure.outcome, Some(failure.reason)),
        None => (AttemptOutcome::Responded, None),
    };
    AttemptResult {
        outcome,
        status: Some(status),
        body: answer,
        truncated,
        headers,
        location,
        reason,
        duration_ms: watch.millis(),
    }
}

fn failure(error: &reqwest::Error, connect: Duration, is_tls: bool) -> AttemptFailure {
    if error.is_timeout() {
        return AttemptFailure::no_connection(connect);
    }
    if error.is_connect() {
        return if is_tls {
            AttemptFailure::in_handshake(error)
        } else {
            AttemptFailure::of(error, AttemptOutcome::Unreachable)
        };
    }
    for cause in causes(error) {
        let Some(cause) = cause.downcast_ref::<hyper::Error>() else { continue };
        if cause.is_parse() {
            // hyper tells a large head apart only in its words, on the client's side.
            let large = cause.to_string().contains("too large");
            return if large {
                AttemptFailure::large_head()
            } else {
                AttemptFailure::protocol(innermost(error))
            };
        }
        if cause.is_incomplete_message() || cause.is_canceled() || cause.is_closed() {
            return AttemptFailure::closed();
        }
    }
    AttemptFailure::of(error, AttemptOutcome::Protocol)
}

/// What an error in an answer's body means: its pieces are no HTTP, or it ended too early.
fn broken_body(error: &reqwest::Error) -> AttemptFailure {
    let is_malformed = causes(error).any(|cause| {
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        matches!(kind, Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData))
    });
    if is_malformed {
        return AttemptFailure::protocol(innermost(error));
    }
    AttemptFailure::new(AttemptOutcome::BodyIncomplete, innermost(error))
}
