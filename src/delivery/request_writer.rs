//! Writes a request while its response is read.
//!
//! A receiver may respond, close or reset before it has read the whole body. Its response counts,
//! so reading must not wait until everything is written.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::connection::Connection;
use super::request_bytes::RequestBytes;
use super::transport::WireFault;
use crate::base::resources::exhausted_resource;

/// Pause after each piece of a slow body.
const PAUSE: Duration = Duration::from_millis(50);
/// Smallest piece of a slow body, in bytes; the size grows with the body.
const MIN_PIECE: usize = 64;

/// A connection that writes its request whenever it is read.
#[derive(Debug)]
pub(super) struct RequestWriter<'a> {
    connection: &'a mut Connection,
    bytes: &'a [u8],
    written: usize,
    pace: Option<BodyPace>,
    /// Whether nothing more is sent after these bytes.
    ends: bool,
    state: WriteState,
    /// When the first byte of the response arrived.
    pub(super) first_byte: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WriteState {
    Writing,
    Flushing,
    ShuttingDown,
    Done,
    Failed,
}

/// The pace of a slow body.
#[derive(Debug)]
struct BodyPace {
    /// How many bytes of the request may have been written by now.
    allowed: usize,
    piece: usize,
    pause: Pin<Box<Sleep>>,
}

impl BodyPace {
    /// A body in pieces that ends within half of the timeout, so that a receiver has the other
    /// half to respond.
    fn new(request: &RequestBytes, timeout: Duration) -> Self {
        let pauses = (timeout / 2).as_millis() / PAUSE.as_millis();
        let pieces = usize::try_from(pauses).unwrap_or(usize::MAX).max(1);
        let body = request.bytes.len() - request.head;
        let piece = body.div_ceil(pieces).max(MIN_PIECE);
        Self { allowed: request.head + piece, piece, pause: Box::pin(sleep(PAUSE)) }
    }
}

impl<'a> RequestWriter<'a> {
    /// A writer of this request. `timeout` is what is left for the attempt.
    pub(super) fn new(
        connection: &'a mut Connection,
        request: &'a RequestBytes,
        fault: Option<&WireFault>,
        timeout: Duration,
    ) -> Self {
        let is_cut = fault == Some(&WireFault::BodyCut);
        Self {
            connection,
            bytes: if is_cut { request.half() } else { &request.bytes },
            written: 0,
            pace: (fault == Some(&WireFault::SlowBody)).then(|| BodyPace::new(request, timeout)),
            ends: is_cut,
            state: WriteState::Writing,
            first_byte: None,
        }
    }

    /// Whether the whole request has been written.
    pub(super) fn is_done(&self) -> bool {
        self.state == WriteState::Done
    }

    /// Writes as much as the connection takes now.
    fn poll_request(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let connection = Pin::new(&mut *self.connection);
            match self.state {
                WriteState::Writing if self.written == self.bytes.len() => {
                    self.state = WriteState::Flushing;
                }
                WriteState::Writing => {
                    let allowed = self.pace.as_ref().map_or(usize::MAX, |pace| pace.allowed);
                    let until = allowed.min(self.bytes.len());
                    if self.written < until {
                        let bytes = &self.bytes[self.written..until];
                        match ready!(connection.poll_write(context, bytes))? {
                            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                            count => self.written += count,
                        }
                    } else if let Some(pace) = &mut self.pace {
                        ready!(pace.pause.as_mut().poll(context));
                        pace.allowed += pace.piece;
                        pace.pause.as_mut().reset(Instant::now() + PAUSE);
                    }
                }
                WriteState::Flushing => {
                    ready!(connection.poll_flush(context))?;
                    self.state =
                        if self.ends { WriteState::ShuttingDown } else { WriteState::Done };
                }
                WriteState::ShuttingDown => {
                    ready!(connection.poll_shutdown(context))?;
                    self.state = WriteState::Done;
                }
                WriteState::Done | WriteState::Failed => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl AsyncRead for RequestWriter<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Poll::Ready(Err(error)) = this.poll_request(context) {
            this.state = WriteState::Failed;
            // A failure of this machine is final. After any other, the receiver may have responded.
            if exhausted_resource(&error).is_some() {
                return Poll::Ready(Err(error));
            }
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut *this.connection).poll_read(context, buffer))?;
        if this.first_byte.is_none() && buffer.filled().len() > before {
            this.first_byte = Some(Instant::now());
        }
        Poll::Ready(Ok(()))
    }
}
