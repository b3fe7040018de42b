//! The stream of records: one client reads the history at its own pace.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::web::{Bytes, Data};
use futures_util::stream::{Stream, unfold};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::base::limits::{MAX_STREAMS, STREAM_KEEP_ALIVE};
use crate::server::live::{
    HistoryVersion, KeptRecord, LiveServer, RecordFilter, RecordGap, RecordsError,
};

/// Records in one chunk: enough for a burst, little enough for one write.
const CHUNK: usize = 256;

/// Number of open streams.
#[derive(Debug, Default)]
pub(super) struct StreamLimit(AtomicUsize);

/// Counts an open stream until it is dropped.
pub(super) struct StreamGuard(Data<StreamLimit>);

impl StreamGuard {
    /// Counts a stream; `None` if there are too many.
    pub(super) fn enter(streams: Data<StreamLimit>) -> Option<Self> {
        let open = streams.0.fetch_add(1, Ordering::SeqCst);
        // Dropped in both cases, which counts down.
        let guard = Self(streams);
        (open < MAX_STREAMS).then_some(guard)
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The record as an event of a stream.
fn event(kept: &KeptRecord) -> String {
    format!("id: {}\nevent: record\ndata: {}\n\n", kept.id, kept.to_json())
}

struct StreamState {
    live: Data<LiveServer>,
    filter: RecordFilter,
    after: u64,
    seen: HistoryVersion,
    changes: watch::Receiver<HistoryVersion>,
    has_begun: bool,
    _guard: StreamGuard,
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
    let state = StreamState { live, filter, after, seen, changes, has_begun: false, _guard: guard };
    unfold(state, |mut state| async move {
        let text = state.next().await?;
        Some((Ok(Bytes::from(text)), state))
    })
}

impl StreamState {
    /// The next events; `None` when the server ends.
    async fn next(&mut self) -> Option<String> {
        // At once, so that the client knows that it is connected.
        if !std::mem::replace(&mut self.has_begun, true) {
            return Some("retry: 1000\n\n".to_owned());
        }
        loop {
            let before = self.after;
            let text = self.pending()?;
            if !text.is_empty() {
                return Some(text);
            }
            // None of these records matches the filter. Later ones can.
            if self.after != before {
                continue;
            }
            match timeout(STREAM_KEEP_ALIVE, self.changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_closed)) => return None,
                Err(_elapsed) => return Some(": alive\n\n".to_owned()),
            }
        }
    }

    /// The events that are there; `None` if the journal cannot be read. The client connects again.
    fn pending(&mut self) -> Option<String> {
        let version = *self.changes.borrow_and_update();
        let mut text = String::new();
        if version.runs != self.seen.runs {
            text += "event: change\ndata: {}\n\n";
        }
        self.seen = version;
        match self.live.records(self.after, CHUNK, &self.filter) {
            Ok((records, read)) => {
                self.after = read;
                records.iter().for_each(|kept| text += &event(kept));
            }
            Err(RecordsError::Unreadable(_)) => return None,
            Err(RecordsError::Gap(RecordGap { first })) => {
                self.after = first - 1;
                text += &format!("event: gap\ndata: {{\"first\":{first}}}\n\n");
            }
        }
        Some(text)
    }
}
