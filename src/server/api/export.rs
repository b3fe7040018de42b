//! Records as JSON lines. A response has all of them, but memory holds only a few at a time.

use std::io;

use actix_web::web::{Bytes, Data};
use futures_util::stream::{Stream, unfold};

use crate::server::live::{KeptRecord, LiveServer, RecordFilter, RecordsError};

/// Records in one chunk.
const CHUNK: usize = 256;

/// Records to write, up to the last one at the time of the request.
pub(super) struct RecordExport {
    live: Data<LiveServer>,
    filter: RecordFilter,
    after: u64,
    last: u64,
}

impl RecordExport {
    pub(super) fn new(live: Data<LiveServer>, filter: RecordFilter, after: u64) -> Self {
        let last = live.changes().borrow().records;
        Self { live, filter, after, last }
    }

    /// Returns the lines. An error that occurs later ends the response before its end.
    pub(super) fn into_lines(
        mut self,
    ) -> Result<impl Stream<Item = io::Result<Bytes>>, RecordsError> {
        // Read now, so that the response can report an error.
        let first = self.chunk()?;
        let state = (self, Some(Ok(first)));
        Ok(unfold(state, |(mut export, ready)| async move {
            let chunk = match ready {
                Some(first) => first,
                None if export.after >= export.last => return None,
                None => export.chunk(),
            };
            let chunk = chunk.map(Bytes::from).map_err(|_| {
                export.after = export.last;
                io::Error::other("records cannot be read any more")
            });
            Some((chunk, (export, None)))
        }))
    }

    /// Returns the next lines; an empty text if none of the records matches the filter.
    fn chunk(&mut self) -> Result<String, RecordsError> {
        let (records, read) = self.live.records(self.after, CHUNK, &self.filter)?;
        // At the end, nothing more is read.
        self.after = if read > self.after { read } else { self.last };
        let is_part = |kept: &&KeptRecord| kept.id <= self.last;
        Ok(records.iter().filter(is_part).map(|kept| kept.to_json() + "\n").collect())
    }
}
