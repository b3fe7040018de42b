//! Reads the bodies of requests, within limited memory for all that have not arrived as a whole.

use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt as _};

use crate::base::limits::MAX_BUFFERED_BYTES;

/// Bytes of all bodies that are being read.
static TOTAL: AtomicUsize = AtomicUsize::new(0);

/// Why a body was not read.
#[derive(Debug)]
pub enum UnreadBody {
    /// It ended too early, or is malformed.
    Broken(PayloadError),
    /// It has more bytes than it may have.
    TooLarge,
    /// The other bodies that are being read need all the memory.
    NoMemory,
}

/// Reads a body of at most this size.
///
/// # Errors
/// It is too large, it does not arrive, or there is no memory for it.
pub async fn read_body(
    mut payload: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    most: usize,
) -> Result<Vec<u8>, UnreadBody> {
    let (mut body, mut buffered) = (Vec::new(), BufferedBytes::default());
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(UnreadBody::Broken)?;
        if body.len() + chunk.len() > most {
            return Err(UnreadBody::TooLarge);
        }
        if !buffered.grow(chunk.len()) {
            return Err(UnreadBody::NoMemory);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The bytes of a body that is being read, as a part of what all of them may need.
#[derive(Debug, Default)]
struct BufferedBytes(usize);

impl BufferedBytes {
    /// Adds the bytes of a chunk. Returns whether there is memory for them.
    fn grow(&mut self, bytes: usize) -> bool {
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
