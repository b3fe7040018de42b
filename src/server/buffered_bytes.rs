//! The memory for the bodies of requests that have not arrived as a whole.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::base::limits::MAX_BUFFERED_BYTES;

/// Bytes of all bodies that are being read.
static TOTAL: AtomicUsize = AtomicUsize::new(0);

/// The bytes of a body that is being read, as a part of what all of them may need.
#[derive(Debug, Default)]
pub struct BufferedBytes(usize);

impl BufferedBytes {
    /// Adds the bytes of a chunk. Returns whether there is memory for them.
    #[must_use]
    pub fn grow(&mut self, bytes: usize) -> bool {
        let total = TOTAL.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.0 += bytes;
        total <= MAX_BUFFERED_BYTES
    }
}

impl Drop for BufferedBytes {
    fn drop(&mut self) {
        TOTAL.fetch_sub(self.0, Ordering::Relaxed);
    }
}
