//! The transport: an HTTP/1.1 client that controls every byte it sends.
//!
//! Header names keep the vendor's case and order, a request can be malformed on purpose, and no
//! request or connection goes unreported.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep, timeout_at};

use super::connection::Connection;
use super::connector::Connector;
use super::failure::AttemptFailure;
use super::pool::ConnectionPool;
use super::request_bytes::RequestBytes;
use super::request_writer::RequestWriter;
use super::response::HttpResponse;
use super::transport::{ApiRequest, Request, Transport, WireFault};
use crate::policy::WireFormat;
use crate::record::{AttemptOutcome, AttemptResult, Timings};

/// Sends requests over TCP and TLS.
#[derive(Debug)]
pub struct Http1Client {
    connector: Connector,
    /// Replaced when the definition of the vendor is reloaded.
    wire: RwLock<Arc<WireFormat>>,
    pool: ConnectionPool,
}

/// How long half a body is given to arrive before the connection is reset: a reset discards what
/// the receiver has not read.
const BEFORE_RESET: Duration = Duration::from_millis(50);

/// How long to wait for a local resource before the next try to connect.
const BEFORE_RECONNECT: Duration = Duration::from_millis(20);

/// An attempt under way: what is reported about it, whether it succeeds or not.
struct AttemptProgress {
    started: Instant,
    deadline: Instant,
    response: HttpResponse,
    timings: Timings,
    reconnected: bool,
    early: bool,
}

impl Http1Client {
    /// A client that connects through `connector` and writes requests in this format.
    pub fn new(connector: Connector, wire: WireFormat) -> Self {
        Self { connector, wire: RwLock::new(Arc::new(wire)), pool: ConnectionPool::default() }
    }

    /// Writes requests in this format from now on.
    pub fn set_wire(&self, wire: WireFormat) {
        *self.wire.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(wire);
    }

    fn wire(&self) -> Arc<WireFormat> {
        Arc::clone(&self.wire.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends the request and reads the response, as far as it arrives.
    async fn attempt(
        &self,
        request: &Request,
        progress: &mut AttemptProgress,
    ) -> Result<(), AttemptFailure> {
        let bytes = RequestBytes::new(request, &self.wire().header_order)?;
        let reused = if self.reuses(request) {
            self.pool.take(&request.url, &request.options)
        } else {
            None
        };
        if let Some(connection) = reused {
            let result = self.exchange(connection, request, &bytes, progress).await;
            // The receiver may close a kept connection while the request is on its way. An HTTP
            // client then sends the request again, and the receiver may get it twice.
            if result.is_ok() || !progress.was_closed(&result) {
                return result;
            }
            progress.reconnected = true;
        }
        // Boxed because it is rare and large: every attempt would carry its state.
        let connection = Box::pin(self.connect(request, progress)).await?;
        self.exchange(connection, request, &bytes, progress).await
    }

    /// Connects. While this machine has no descriptor or port for it, waits at most as long as for
    /// a connection. That time is not the receiver's, so the deadline moves.
    async fn connect(
        &self,
        request: &Request,
        progress: &mut AttemptProgress,
    ) -> Result<Connection, AttemptFailure> {
        let give_up = Instant::now() + request.connect;
        loop {
            let began = Instant::now();
            match self.connect_once(request, progress).await {
                Err(failure)
                    if failure.outcome == AttemptOutcome::LocalError && began < give_up =>
                {
                    self.pool.clear();
                    sleep(BEFORE_RECONNECT).await;
                    progress.postpone(began.elapsed());
                }
                connected => return connected,
            }
        }
    }

    async fn connect_once(
        &self,
        request: &Request,
        progress: &mut AttemptProgress,
    ) -> Result<Connection, AttemptFailure> {
        let began = Instant::now();
        let limit = progress.deadline.min(began + request.connect);
        let whole = request.connect.min(request.total);
        let stream = timeout_at(limit, self.connector.tcp(&request.url, &request.options)).await;
        let stream = stream.map_err(|_| AttemptFailure::no_connection(whole))?;
        let stream = stream.inspect_err(|_| progress.timings.connect_us = Some(micros(began)))?;
        let secured = self.connector.secure(&request.url, &request.options, stream);
        let secured = timeout_at(limit, secured).await;
        let secured = secured.map_err(|_| AttemptFailure::no_handshake(whole))?;
        progress.timings.connect_us = Some(micros(began));
        secured
    }

    /// Sends the request over this connection, and keeps it if another request can follow.
    async fn exchange(
        &self,
        mut connection: Connection,
        request: &Request,
        bytes: &RequestBytes,
        progress: &mut AttemptProgress,
    ) -> Result<(), AttemptFailure> {
        if request.fault == Some(WireFault::ResetInBody) {
            return Err(reset(connection, bytes, progress.deadline).await);
        }
        let spoke_first = connection.has_waiting_bytes();
        let left = progress.deadline.saturating_duration_since(Instant::now());
        let mut writer = RequestWriter::new(&mut connection, bytes, request.fault.as_ref(), left);
        let read = timeout_at(progress.deadline, progress.response.read(&mut writer)).await;
        let first_byte = writer.first_byte;
        progress.timings.first_byte_us = first_byte.map(|at| elapsed(progress.started, at));
        let is_written = writer.is_done();
        // A later attempt of the same request replaces what an earlier one found.
        progress.early = progress.response.status.is_some() && (!is_written || spoke_first);
        match read {
            Ok(read) => read?,
            Err(_) if progress.response.status.is_some() => {
                return Err(AttemptFailure::no_end(request.total));
            }
            Err(_) => return Err(AttemptFailure::no_head(request.total)),
        }
        if is_written && progress.response.keep_alive && self.reuses(request) {
            self.pool.put(&request.url, &request.options, connection);
        }
        Ok(())
    }

    /// Whether a request may share its connection with others. One with a fault does not: it can
    /// leave bytes behind that the receiver takes for the next request.
    fn reuses(&self, request: &Request) -> bool {
        let closes = |(name, value): &(String, String)| {
            name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close")
        };
        self.wire().keep_alive && request.fault.is_none() && !request.headers.iter().any(closes)
    }
}

impl AttemptProgress {
    /// Moves the attempt to a later time.
    fn postpone(&mut self, duration: Duration) {
        self.started += duration;
        self.deadline += duration;
    }

    /// Whether the receiver closed the connection before any byte of the response.
    fn was_closed(&self, result: &Result<(), AttemptFailure>) -> bool {
        let is_reset = |failure: &AttemptFailure| failure.outcome == AttemptOutcome::Reset;
        self.timings.first_byte_us.is_none() && result.as_ref().is_err_and(is_reset)
    }
}

impl Transport for Http1Client {
    async fn call_api(&self, request: ApiRequest, limit: Duration) -> AttemptResult {
        self.connector.call_api(request, limit).await
    }

    async fn send(&self, request: Request) -> AttemptResult {
        self.connector.wait_turn(&request.url, &request.options).await;
        let started = Instant::now();
        let mut progress = AttemptProgress {
            started,
            deadline: started + request.total,
            response: HttpResponse::default(),
            timings: Timings::default(),
            reconnected: false,
            early: false,
        };
        let failure = self.attempt(&request, &mut progress).await.err();
        let (outcome, reason, help) = match failure {
            Some(AttemptFailure { outcome, reason, help }) => (outcome, Some(reason), help),
            None => (AttemptOutcome::Responded, None, None),
        };
        let help = help.or_else(|| progress.response.help());
        let AttemptProgress { started, response, timings, reconnected, early, .. } = progress;
        AttemptResult {
            outcome,
            status: response.status,
            body: response.body.into(),
            truncated: response.truncated,
            headers: response.headers,
            headers_truncated: response.headers_truncated,
            location: response.location,
            reason,
            help,
            reconnected,
            early,
            timings: Timings { total_us: micros(started), ..timings },
        }
    }
}

/// Writes half of the body and resets the connection.
async fn reset(
    mut connection: Connection,
    bytes: &RequestBytes,
    deadline: Instant,
) -> AttemptFailure {
    // A receiver that reads nothing would block the write.
    let _ = timeout_at(deadline, async {
        connection.write_all(bytes.half()).await?;
        connection.flush().await
    })
    .await;
    sleep(BEFORE_RESET).await;
    connection.reset_on_drop();
    AttemptFailure::new(AttemptOutcome::Reset, "the connection was reset on purpose")
}

/// Microseconds since an instant.
fn micros(since: Instant) -> u64 {
    elapsed(since, Instant::now())
}

/// Microseconds between two instants.
fn elapsed(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(u64::MAX)
}
