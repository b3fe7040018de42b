//! The stream of records: one client reads the history at its own pace.
//!
//! Clients that watch must not slow deliveries. While records are appended, a stream sends at most every
//! [`STREAM_PAUSE`], and all streams together send [`STREAM_RATE`]. They catch up afterwards.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::web::{Bytes, Data};
use futures_util::stream::{Stream, unfold};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::stream_chunks::{RecordChunks, chunk_end};
use crate::base::limits::{MAX_STREAMS, STREAM_KEEP_ALIVE, STREAM_PAUSE, STREAM_RATE};
use crate::server::live::{HistoryVersion, LiveServer, RecordFilter, RecordGap, RecordsError};

/// The open streams of a server.
#[derive(Debug, Default)]
pub(super) struct StreamLimit {
    open: AtomicUsize,
    chunks: RecordChunks,
}

/// Counts an open stream until it is dropped.
pub(super) struct StreamGuard(Data<StreamLimit>);

impl StreamGuard {
    /// Counts a stream; `None` if there are too many.
    pub(super) fn enter(streams: Data<StreamLimit>) -> Option<Self> {
        let open = streams.open.fetch_add(1, Ordering::SeqCst);
        // Dropped in both cases, which counts down.
        let guard = Self(streams);
        (open < MAX_STREAMS).then_some(guard)
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.chunks.clear();
        }
    }
}

/// Returns how long a stream pauses after sending this many bytes while records are appended.
fn pause_after(bytes: usize, streams: usize) -> Duration {
    // A rate in bytes per second. Streams share it.
    let micros = bytes.saturating_mul(streams) / (STREAM_RATE / 1_000_000);
    STREAM_PAUSE.max(Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)))
}

struct StreamState {
    live: Data<LiveServer>,
    filter: RecordFilter,
    after: u64,
    seen: HistoryVersion,
    changes: watch::Receiver<HistoryVersion>,
    has_begun: bool,
    /// How long it waits before it sends again.
    pause: Duration,
    streams: StreamGuard,
}

/// The events after a record.
pub(super) fn events(
    live: Data<LiveServer>,
    filter: RecordFilter,
    after: u64,
    guard: StreamGuard,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let changes = live.changes();
    let seen = *changes.borrow();
    let (has_begun, pause, streams) = (false, Duration::ZERO, guard);
    let state = StreamState { live, filter, after, seen, changes, has_begun, pause, streams };
    unfold(state, |mut state| async move {
        let text = state.next().await?;
        Some((Ok(text), state))
    })
}

impl StreamState {
    /// The next events; `None` when the server ends.
    async fn next(&mut self) -> Option<Bytes> {
        // At once, so that the client knows that it is connected.
        if !std::mem::replace(&mut self.has_begun, true) {
            return Some(Bytes::from_static(b"retry: 1000\n\n"));
        }
        sleep(self.pause).await;
        loop {
            let (before, known) = (self.after, self.seen.records);
            let text = self.pending()?;
            if !text.is_empty() {
                let is_quiet = self.seen.records == known;
                self.pause = if is_quiet && self.after < known {
                    Duration::ZERO
                } else {
                    pause_after(text.len(), self.streams.0.open.load(Ordering::Relaxed))
                };
                return Some(text);
            }
            // None of these records matches the filter. Later ones can.
            if self.after != before {
                continue;
            }
            match timeout(STREAM_KEEP_ALIVE, self.changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_closed)) => return None,
                Err(_elapsed) => return Some(Bytes::from_static(b": alive\n\n")),
            }
        }
    }

    /// The events that are there; `None` if the journal cannot be read. The client connects again.
    fn pending(&mut self) -> Option<Bytes> {
        let version = *self.changes.borrow_and_update();
        let has_changed = version.runs != self.seen.runs;
        self.seen = version;
        let end = chunk_end(self.after, version.records);
        let chunks = &self.streams.0.chunks;
        let text = match chunks.read(&self.live, self.after..end, &self.filter) {
            Ok(chunk) => {
                self.after = chunk.read;
                chunk.text
            }
            Err(RecordsError::Unreadable(_)) => return None,
            Err(RecordsError::Gap(RecordGap { first })) => {
                self.after = first - 1;
                Bytes::from(format!("event: gap\ndata: {{\"first\":{first}}}\n\n"))
            }
        };
        if !has_changed {
            return Some(text);
        }
        Some([b"event: change\ndata: {}\n\n", text.as_ref()].concat().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_share_a_rate() {
        let chunk = STREAM_RATE / 100;
        assert_eq!(pause_after(1, 1), STREAM_PAUSE);
        assert_eq!(pause_after(chunk, 64), Duration::from_secs(1) * 64 / 100);
        assert!(pause_after(STREAM_RATE, 1) >= Duration::from_secs(1));
    }
}
