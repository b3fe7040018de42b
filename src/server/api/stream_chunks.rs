//! Records as the text of streams. Clients that watch the same records share it.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use actix_web::web::Bytes;

use crate::server::live::{KeptRecord, LiveServer, RecordFilter, RecordsError};

/// Records in one chunk: enough for a burst, little enough for one write.
const CHUNK: u64 = 256;

/// Number of chunks that are kept for other streams. All streams are near the end most of the time.
const MAX_CHUNKS: usize = 16;

/// Maximum size of a chunk that is kept.
// A chunk of usual size has 250 KB.
const MAX_CHUNK: usize = 1024 * 1024;

/// A part of the stream.
#[derive(Clone, Debug)]
pub(super) struct RecordChunk {
    /// The events.
    pub(super) text: Bytes,
    /// Number of the last record that was read.
    pub(super) read: u64,
}

/// The latest chunks, by the numbers of the records between which they are.
#[derive(Debug, Default)]
pub(super) struct RecordChunks(Mutex<VecDeque<(Range<u64>, RecordChunk)>>);

/// Returns the end of the chunk after a record. Chunks end at the same records, wherever a stream began,
/// so that streams can share them.
pub(super) fn chunk_end(after: u64, latest: u64) -> u64 {
    (after + 1).next_multiple_of(CHUNK).min(latest).max(after)
}

/// The record as an event of a stream.
fn event(kept: &KeptRecord) -> String {
    format!("id: {}\nevent: record\ndata: {}\n\n", kept.id, kept.to_json())
}

impl RecordChunks {
    /// Returns the events after the start of a range, up to its end.
    ///
    /// # Errors
    /// The records are no longer known.
    pub(super) fn read(
        &self,
        live: &LiveServer,
        range: Range<u64>,
        filter: &RecordFilter,
    ) -> Result<RecordChunk, RecordsError> {
        let is_shared = filter.is_empty();
        if is_shared && let Some(chunk) = self.find(&range) {
            return Ok(chunk);
        }
        let limit = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let (records, read) = live.records(range.start, limit, filter)?;
        let text: String = records.iter().map(event).collect();
        let chunk = RecordChunk { text: text.into(), read };
        if is_shared && !chunk.text.is_empty() && chunk.text.len() <= MAX_CHUNK && read == range.end
        {
            self.keep(range, chunk.clone());
        }
        Ok(chunk)
    }

    /// Forgets all chunks. No stream is open.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn find(&self, range: &Range<u64>) -> Option<RecordChunk> {
        let chunks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = chunks.iter().rev().find(|(kept, _)| kept == range);
        found.map(|(_, chunk)| chunk.clone())
    }

    fn keep(&self, range: Range<u64>, chunk: RecordChunk) {
        let mut chunks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if chunks.len() == MAX_CHUNKS {
            chunks.pop_front();
        }
        chunks.push_back((range, chunk));
    }
}

#[cfg(test)]
mod tests {
    use super::chunk_end;

    #[test]
    fn chunks_of_streams_end_at_the_same_records() {
        assert_eq!([chunk_end(0, 9), chunk_end(9, 9), chunk_end(12, 9)], [9, 9, 12]);
        assert_eq!([chunk_end(3, 5_000), chunk_end(200, 5_000)], [256, 256]);
        assert_eq!([chunk_end(256, 5_000), chunk_end(4_992, 5_000)], [512, 5_000]);
    }
}
