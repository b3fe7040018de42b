//! The transport that writes HTTP/1.1 itself, to the byte: header names in the vendor's case and
//! order, and requests that are wrong on purpose.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, WriteHalf, split};
use tokio::time::{Instant, sleep, timeout_at};
use url::{Position, Url};

use super::connector::{Connection, Connector};
use super::failure::AttemptFailure;
use super::response::HttpResponse;
use super::transport::{Request, Transport, WireFault};
use crate::base::clock::Stopwatch;
use crate::base::limits::MAX_IN_FLIGHT_PER_HOST;
use crate::record::{AttemptOutcome, AttemptResult};

/// Writes requests itself.
#[derive(Debug)]
pub(super) struct Http1Client {
    connector: Connector,
    /// The names of a request's head, in the vendor's case and order.
    order: Vec<String>,
    idle: Mutex<BTreeMap<String, Vec<IdleConnection>>>,
}

type Stream = Box<dyn Connection>;

/// A connection that nothing is under way on.
struct IdleConnection {
    stream: Stream,
    since: Instant,
}

impl std::fmt::Debug for IdleConnection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Idle").field("since", &self.since).finish_non_exhaustive()
    }
}

/// How long a connection is kept for the next request. Receivers close idle ones, most after five
/// seconds; a request on its way then would be lost.
const IDLE: Duration = Duration::from_secs(3);
/// Bytes of a piece of a body that is sent slowly, and how long it waits for the next.
const SLOW: (usize, Duration) = (64, Duration::from_millis(50));

impl Http1Client {
    /// A transport that dials so. `order` are the names of a request's head, in the vendor's case
    /// and order; without them it is written as the default transport would write it.
    pub(super) fn new(connector: Connector, order: Vec<String>) -> Self {
        Self { connector, order, idle: Mutex::default() }
    }

    /// Sends the request and reads what comes, as far as it comes.
    async fn exchange(
        &self,
        request: &Request,
        deadline: Instant,
        answer: &mut HttpResponse,
    ) -> Result<(), AttemptFailure> {
        request.checked_headers()?;
        let (head, body) = self.bytes(request);
        let stream = self.connection(request, deadline).await?;
        if request.fault == Some(WireFault::ResetInBody) {
            return Err(reset(stream, &head, &body).await);
        }
        let (mut reader, writer) = split(stream);
        let (read, written) = {
            let mut writing = pin!(write(writer, &head, &body, request.fault.as_ref()));
            let mut reading = pin!(timeout_at(deadline, answer.read(&mut reader)));
            let mut written = None;
            // An answer counts even where the request could not be written to its end.
            let read = loop {
                tokio::select! {
                    read = &mut reading => break read,
                    sent = &mut writing, if written.is_none() => written = Some(sent),
                }
            };
            (read, written)
        };
        match read {
            Err(_) if answer.status.is_some() => return Err(AttemptFailure::no_end(request.total)),
            Err(_) => return Err(AttemptFailure::no_head(request.total)),
            Ok(read) => read?,
        }
        if let Some(Ok(writer)) = written
            && answer.keep_alive
            && is_kept(request)
        {
            self.keep(&request.url, reader.unsplit(writer));
        }
        Ok(())
    }

    /// A connection kept from an earlier request, or a new one.
    async fn connection(
        &self,
        request: &Request,
        deadline: Instant,
    ) -> Result<Stream, AttemptFailure> {
        if is_kept(request)
            && let Some(stream) = self.kept(&request.url)
        {
            return Ok(stream);
        }
        let limit = deadline.min(Instant::now() + request.connect);
        match timeout_at(limit, self.connector.connect(&request.url)).await {
            Ok(connected) => connected,
            Err(_) => Err(AttemptFailure::no_connection(request.connect.min(request.total))),
        }
    }

    /// A kept connection that the receiver has not closed.
    fn kept(&self, url: &Url) -> Option<Stream> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.get_mut(origin(url))?;
        loop {
            let IdleConnection { stream, since } = kept.pop()?;
            let quiet = stream.tcp().try_read(&mut [0]);
            let is_quiet = quiet.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
            if is_quiet && since.elapsed() < IDLE {
                return Some(stream);
            }
        }
    }

    fn keep(&self, url: &Url, stream: Stream) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.entry(origin(url).to_owned()).or_default();
        if kept.len() < MAX_IN_FLIGHT_PER_HOST {
            kept.push(IdleConnection { stream, since: Instant::now() });
        }
    }

    /// The bytes of the request: its head, and its body as it is framed.
    fn bytes(&self, request: &Request) -> (String, Vec<u8>) {
        let url = &request.url;
        let target = &url[Position::BeforePath..Position::AfterQuery];
        let mut head = format!("{} {target} HTTP/1.1\r\n", request.method);
        for (name, value) in self.headers(request) {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head += "\r\n";
        let body = request.body.as_bytes();
        let body = match request.fault {
            Some(WireFault::Chunked) => {
                let half = body.len() / 2;
                let chunks = [&body[..half], &body[half..]].into_iter().filter(|c| !c.is_empty());
                let chunk = |chunk: &[u8]| {
                    [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat()
                };
                chunks.flat_map(chunk).chain(*b"0\r\n\r\n").collect()
            }
            _ => body.to_vec(),
        };
        (head, body)
    }

    /// Every header, in order, the framing's own among them.
    fn headers(&self, request: &Request) -> Vec<(String, String)> {
        let host = &request.url[Position::BeforeHost..Position::AfterPort];
        let length = request.body.len();
        let framing = match request.fault {
            Some(WireFault::Chunked) => ("Transfer-Encoding", "chunked".to_owned()),
            Some(WireFault::LengthLonger) => ("Content-Length", (length + 1).to_string()),
            Some(WireFault::LengthShorter) => {
                ("Content-Length", length.saturating_sub(1).to_string())
            }
            _ => ("Content-Length", length.to_string()),
        };
        let mut headers = request.headers.clone();
        if let Some(WireFault::HeaderTwice(name)) = &request.fault {
            let again = headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).cloned();
            headers.extend(again);
        }
        let own = [("Host", host.to_owned()), framing];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        if self.order.is_empty() {
            return as_default(headers, own);
        }
        headers.splice(0..0, own);
        let rank = |name: &str| {
            // What frames the body stands where its length would.
            let name = if name == "Transfer-Encoding" { "Content-Length" } else { name };
            self.order.iter().position(|listed| listed.eq_ignore_ascii_case(name))
        };
        headers.sort_by_key(|(name, _)| rank(name).unwrap_or(self.order.len()));
        headers
    }
}

impl Transport for Http1Client {
    async fn send(&self, request: Request) -> AttemptResult {
        let watch = Stopwatch::start();
        let deadline = Instant::now() + request.total;
        let mut answer = HttpResponse::default();
        let failure = self.exchange(&request, deadline, &mut answer).await.err();
        let (outcome, reason) = match failure {
            Some(AttemptFailure { outcome, reason }) => (outcome, Some(reason)),
            None => (AttemptOutcome::Responded, None),
        };
        AttemptResult {
            outcome,
            status: answer.status,
            body: String::from_utf8_lossy(&answer.body).into_owned(),
            truncated: answer.truncated,
            headers: answer.headers,
            location: answer.location,
            reason,
            duration_ms: watch.millis(),
        }
    }
}

/// The headers as the default transport writes them.
fn as_default(headers: Vec<(String, String)>, own: [(String, String); 2]) -> Vec<(String, String)> {
    let accepts = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept"));
    let accept = (!accepts).then(|| ("accept".to_owned(), "*/*".to_owned()));
    let all = headers.into_iter().chain(accept).chain(own);
    all.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()
}

/// Writes a request, wrong where that is wanted; gives the writer back where more can follow.
async fn write(
    mut writer: WriteHalf<Stream>,
    head: &str,
    body: &[u8],
    fault: Option<&WireFault>,
) -> io::Result<WriteHalf<Stream>> {
    match fault {
        Some(WireFault::SlowBody) => {
            writer.write_all(head.as_bytes()).await?;
            for piece in body.chunks(SLOW.0) {
                writer.write_all(piece).await?;
                writer.flush().await?;
                sleep(SLOW.1).await;
            }
        }
        Some(WireFault::BodyCut) => {
            writer.write_all(&[head.as_bytes(), &body[..body.len() / 2]].concat()).await?;
            writer.shutdown().await?;
        }
        _ => writer.write_all(&[head.as_bytes(), body].concat()).await?,
    }
    writer.flush().await?;
    Ok(writer)
}

/// Writes half of the body and resets the connection.
async fn reset(mut stream: Stream, head: &str, body: &[u8]) -> AttemptFailure {
    let _ = stream.write_all(&[head.as_bytes(), &body[..body.len() / 2]].concat()).await;
    let _ = stream.flush().await;
    // A reset overtakes what the receiver has not read.
    sleep(SLOW.1).await;
    let _ = stream.tcp().set_zero_linger();
    AttemptFailure::new(AttemptOutcome::Reset, "the connection was reset on purpose")
}

/// Whether the request wants its connection to be kept for the next.
fn is_kept(request: &Request) -> bool {
    let keeps = |(name, value): &(String, String)| {
        name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("keep-alive")
    };
    request.fault.is_none() && request.headers.iter().any(keeps)
}

/// Scheme, host and port.
fn origin(url: &Url) -> &str {
    &url[..Position::AfterPort]
}
