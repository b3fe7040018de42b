//! The default transport: reqwest, with everything it does unasked switched off.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::redirect::Policy as Redirects;
use reqwest::{Client, Response};
use tokio::time::{Instant, timeout_at};

use super::transport::{Request, Transport};
use crate::base::clock::Stopwatch;
use crate::base::limits::{MAX_ANSWER, MAX_HEADER};
use crate::record::{Met, Outcome};

/// Sends requests with reqwest, one connection for each: a pooled connection that turns out to be
/// dead would be replaced by a second one in silence.
#[derive(Debug, Default)]
pub struct Http {
    clients: Mutex<BTreeMap<Duration, Client>>,
}

impl Http {
    /// A transport.
    pub fn new() -> Self {
        // Asked for once per process; somebody else may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self::default()
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
            .build()?;
        clients.insert(connect, client.clone());
        Ok(client)
    }

    async fn exchange(&self, request: Request, watch: Stopwatch) -> Met {
        let headers = match header_map(&request.headers) {
            Ok(headers) => headers,
            Err(reason) => return Met::failure(Outcome::Unsendable, reason, watch.millis()),
        };
        let client = match self.client(request.connect) {
            Ok(client) => client,
            Err(error) => {
                return Met::failure(Outcome::Unsendable, chain(&error), watch.millis());
            }
        };
        let deadline = Instant::now() + request.total;
        let sent = client.post(request.url).headers(headers).body(request.body.to_string()).send();
        match timeout_at(deadline, sent).await {
            Err(_) => {
                let reason = format!("no answer within {}", seconds(request.total));
                Met::failure(Outcome::TimeoutHead, reason, watch.millis())
            }
            Ok(Err(error)) => failure(&error, request.connect, watch.millis()),
            Ok(Ok(response)) => read(response, deadline, request.total, watch).await,
        }
    }
}

impl Transport for Http {
    async fn send(&self, request: Request) -> Met {
        self.exchange(request, Stopwatch::start()).await
    }
}

fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let wrong = |what: &str| format!("the header `{name}` {what}");
        if value.len() > MAX_HEADER {
            return Err(wrong("is longer than 8 KiB"));
        }
        let key =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("has no valid name"))?;
        let value = HeaderValue::from_str(value)
            .map_err(|_| wrong("holds characters that no header can hold"))?;
        map.append(key, value);
    }
    Ok(map)
}

/// Reads an answer's body up to the cap; what lies beyond stays unread.
async fn read(response: Response, deadline: Instant, total: Duration, watch: Stopwatch) -> Met {
    let status = response.status().as_u16();
    let location = response.headers().get(LOCATION);
    let location = location.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let mut kept = Vec::new();
    let mut stream = response.bytes_stream();
    let (mut outcome, mut reason) = (Outcome::Answered, None);
    while kept.len() <= MAX_ANSWER {
        match timeout_at(deadline, stream.next()).await {
            Ok(None) => break,
            Ok(Some(Ok(bytes))) => kept.extend_from_slice(&bytes),
            Ok(Some(Err(error))) => {
                outcome = Outcome::BodyIncomplete;
                reason = Some(chain(&error));
                break;
            }
            Err(_) => {
                outcome = Outcome::TimeoutBody;
                reason = Some(format!("the answer did not end within {}", seconds(total)));
                break;
            }
        }
    }
    let truncated = kept.len() > MAX_ANSWER;
    kept.truncate(MAX_ANSWER);
    let answer = String::from_utf8_lossy(&kept).into_owned();
    Met {
        outcome,
        status: Some(status),
        answer,
        truncated,
        location,
        reason,
        millis: watch.millis(),
    }
}

fn failure(error: &reqwest::Error, connect: Duration, millis: u64) -> Met {
    let told = chain(error);
    let outcome = classify(error);
    let reason = match outcome {
        Outcome::Refused => "nothing listens there".to_owned(),
        Outcome::TimeoutConnect => format!("no connection within {}", seconds(connect)),
        Outcome::Reset => "the connection was closed before an answer came".to_owned(),
        Outcome::HeadTooLarge => "the answer's head is too large".to_owned(),
        _ => told,
    };
    Met::failure(outcome, reason, millis)
}

fn classify(error: &reqwest::Error) -> Outcome {
    if error.is_timeout() {
        return if error.is_connect() { Outcome::TimeoutConnect } else { Outcome::TimeoutHead };
    }
    for cause in causes(error) {
        if let Some(error) = cause.downcast_ref::<hyper::Error>() {
            if error.is_parse() {
                // hyper tells a large head apart only in its words, on the client's side.
                let large = error.to_string().contains("too large");
                return if large { Outcome::HeadTooLarge } else { Outcome::Protocol };
            }
            if error.is_incomplete_message() {
                return Outcome::Reset;
            }
        }
        if cause.is::<rustls::Error>() {
            return Outcome::Tls;
        }
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            match error.kind() {
                io::ErrorKind::ConnectionRefused => return Outcome::Refused,
                io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof => return Outcome::Reset,
                io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                    return Outcome::Unreachable;
                }
                _ => {}
            }
        }
        if cause.to_string().starts_with("dns error") {
            return Outcome::Dns;
        }
    }
    Outcome::Protocol
}

fn causes<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |cause: &&'a (dyn StdError + 'static)| {
        let cause: &'a (dyn StdError + 'static) = *cause;
        // rustls travels inside an io::Error, whose `source` skips it.
        match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => cause.source(),
        }
    })
}

/// The innermost cause, which is the one that says something.
fn chain(error: &reqwest::Error) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
