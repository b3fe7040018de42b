//! Reads one HTTP/1.1 answer off a connection, and no more of it than the limits allow.
//!
//! What has come is kept in the answer itself, so that somebody whose patience ends can see how far
//! it got.

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::failure::AttemptFailure;
use crate::base::limits::{MAX_RESPONSE_BODY, MAX_RESPONSE_HEAD, MAX_RESPONSE_HEADERS};
use crate::record::AttemptOutcome;

/// An answer, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct HttpResponse {
    pub(super) status: Option<u16>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) location: Option<String>,
    pub(super) body: Vec<u8>,
    /// Whether there was more of the body than is kept.
    pub(super) truncated: bool,
    /// Whether another request can go over the same connection.
    pub(super) keep_alive: bool,
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyFraming {
    Length(u64),
    Chunked,
    UntilClose,
}

/// What of a head matters.
struct ResponseHead {
    status: u16,
    headers: Vec<(String, String)>,
    location: Option<String>,
    framing: BodyFraming,
    closes: bool,
}

/// A head is looked at with each piece that comes until it has this many bytes, so that what is no
/// HTTP is seen at once; beyond, only where it may end, so that looking stays cheap.
const EAGER: usize = 1024;
/// Bytes of a line between chunks.
const MAX_CHUNK_LINE: usize = 4 * 1024;

impl HttpResponse {
    /// Reads the answer to its end or to the cap; what lies beyond stays unread.
    pub(super) async fn read(
        &mut self,
        stream: impl AsyncRead + Unpin,
    ) -> Result<(), AttemptFailure> {
        let mut incoming = ResponseReader { stream, buffer: Vec::new() };
        let head = incoming.head().await?;
        self.status = Some(head.status);
        self.headers = head.headers;
        self.location = head.location;
        let is_whole = match head.framing {
            BodyFraming::Length(length) => self.take(&mut incoming, length).await?,
            BodyFraming::Chunked => self.chunks(&mut incoming).await?,
            BodyFraming::UntilClose => self.rest(&mut incoming).await?,
        };
        let ends = head.framing != BodyFraming::UntilClose;
        self.keep_alive = is_whole && ends && !head.closes && incoming.buffer.is_empty();
        Ok(())
    }

    /// Keeps so many bytes of the body; gives whether all of them were kept.
    async fn take<S: AsyncRead + Unpin>(
        &mut self,
        incoming: &mut ResponseReader<S>,
        mut length: u64,
    ) -> Result<bool, AttemptFailure> {
        while length > 0 {
            if incoming.buffer.is_empty() && incoming.more().await.map_err(broken)? == 0 {
                return Err(incomplete());
            }
            let count = usize::try_from(length).unwrap_or(usize::MAX).min(incoming.buffer.len());
            self.body.extend(incoming.buffer.drain(..count));
            length -= count as u64;
            if self.is_full() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn rest<S: AsyncRead + Unpin>(
        &mut self,
        incoming: &mut ResponseReader<S>,
    ) -> Result<bool, AttemptFailure> {
        loop {
            self.body.append(&mut incoming.buffer);
            if self.is_full() {
                return Ok(false);
            }
            if incoming.more().await.map_err(broken)? == 0 {
                return Ok(true);
            }
        }
    }

    async fn chunks<S: AsyncRead + Unpin>(
        &mut self,
        incoming: &mut ResponseReader<S>,
    ) -> Result<bool, AttemptFailure> {
        loop {
            let size = incoming.chunk_size().await?;
            if size == 0 {
                // Trailers are of no interest; a connection with some is not used again.
                return Ok(incoming.line().await?.is_empty());
            }
            if !self.take(incoming, size).await? {
                return Ok(false);
            }
            if !incoming.line().await?.is_empty() {
                return Err(AttemptFailure::protocol("a chunk is longer than it says"));
            }
        }
    }

    /// Whether more has come than is kept; if so, cuts it.
    fn is_full(&mut self) -> bool {
        self.truncated = self.body.len() > MAX_RESPONSE_BODY;
        self.body.truncate(MAX_RESPONSE_BODY);
        self.truncated
    }
}

/// A connection, and what has come over it that nobody has looked at.
struct ResponseReader<S> {
    stream: S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + Unpin> ResponseReader<S> {
    /// Waits for more bytes; none is the end.
    async fn more(&mut self) -> Result<usize, AttemptFailure> {
        self.buffer.reserve(8 * 1024);
        let read = self.stream.read_buf(&mut self.buffer).await;
        read.map_err(|error| AttemptFailure::of(&error, AttemptOutcome::Reset))
    }

    /// The head of the answer itself; what comes before it only says that it will come.
    async fn head(&mut self) -> Result<ResponseHead, AttemptFailure> {
        let mut new = 0;
        loop {
            let seen = self.buffer.len();
            // An end can begin in what was there before.
            let may_end = self.buffer[seen - (new + 3).min(seen)..].windows(2).any(is_end);
            if (seen <= EAGER || may_end)
                && let Some((length, head)) = parse(&self.buffer)?
            {
                self.buffer.drain(..length);
                if (100..200).contains(&head.status) && head.status != SWITCHING {
                    new = self.buffer.len();
                    if new > 0 {
                        continue;
                    }
                } else {
                    return Ok(head);
                }
            }
            if self.buffer.len() > MAX_RESPONSE_HEAD {
                return Err(AttemptFailure::large_head());
            }
            new = self.more().await?;
            if new == 0 {
                parse(&self.buffer)?;
                return Err(AttemptFailure::closed());
            }
        }
    }

    /// The size of the next chunk.
    async fn chunk_size(&mut self) -> Result<u64, AttemptFailure> {
        loop {
            let parsed = httparse::parse_chunk_size(&self.buffer);
            match parsed.map_err(|_| AttemptFailure::protocol("a chunk has no size"))? {
                httparse::Status::Complete((length, size)) => {
                    self.buffer.drain(..length);
                    return Ok(size);
                }
                httparse::Status::Partial => self.more_of_line().await?,
            }
        }
    }

    /// The next line, without its end.
    async fn line(&mut self) -> Result<Vec<u8>, AttemptFailure> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(line.trim_ascii_end().to_vec());
            }
            self.more_of_line().await?;
        }
    }

    async fn more_of_line(&mut self) -> Result<(), AttemptFailure> {
        if self.buffer.len() > MAX_CHUNK_LINE {
            return Err(AttemptFailure::protocol("a line between chunks is too long"));
        }
        if self.more().await.map_err(broken)? == 0 { Err(incomplete()) } else { Ok(()) }
    }
}

/// After it the connection is no longer HTTP, so it is an answer.
const SWITCHING: u16 = 101;

/// Whether two bytes can be the last of a head: an empty line, its end written either way.
fn is_end(pair: &[u8]) -> bool {
    matches!(pair, b"\n\n" | b"\n\r")
}

/// The head at the beginning of these bytes and its length, where it is all there.
fn parse(bytes: &[u8]) -> Result<Option<(usize, ResponseHead)>, AttemptFailure> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_RESPONSE_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(AttemptFailure::large_head()),
        Err(error) => return Err(AttemptFailure::protocol(error)),
    };
    if length > MAX_RESPONSE_HEAD {
        return Err(AttemptFailure::large_head());
    }
    let status = response.code.unwrap_or_default();
    if status < 100 {
        return Err(AttemptFailure::protocol("invalid response status"));
    }
    let all = |name: &str| -> Vec<&[u8]> {
        let named = response.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value).collect()
    };
    let has = |name: &str, word: &str| {
        let is_word = |part: &[u8]| part.trim_ascii().eq_ignore_ascii_case(word.as_bytes());
        all(name).iter().any(|value| value.split(|byte| *byte == b',').any(is_word))
    };
    let framing = match all("transfer-encoding").last() {
        _ if status < 200 || status == 204 || status == 304 => BodyFraming::Length(0),
        // Where there is a length too, it does not count.
        Some(_) if has("transfer-encoding", "chunked") => BodyFraming::Chunked,
        Some(_) => BodyFraming::UntilClose,
        None => length_of(&all("content-length"))?,
    };
    let location = all("location").first().map(|to| String::from_utf8_lossy(to).into_owned());
    let closes = response.version != Some(1) || has("connection", "close");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = response.headers.iter().map(|header| (header.name.into(), text(header.value)));
    let headers = headers.collect();
    Ok(Some((length, ResponseHead { status, headers, location, framing, closes })))
}

/// The framing of a body by its length; several lengths must agree.
fn length_of(values: &[&[u8]]) -> Result<BodyFraming, AttemptFailure> {
    let wrong = || AttemptFailure::protocol("the answer's content-length is no length");
    let Some(first) = values.first() else { return Ok(BodyFraming::UntilClose) };
    let is_number = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
    if !is_number || values.iter().any(|value| value != first) {
        return Err(wrong());
    }
    let length = std::str::from_utf8(first).ok().and_then(|text| text.parse().ok());
    length.map(BodyFraming::Length).ok_or_else(wrong)
}

fn incomplete() -> AttemptFailure {
    AttemptFailure::new(
        AttemptOutcome::BodyIncomplete,
        "the connection was closed before the answer's end",
    )
}

/// A failure in the body: the answer has begun.
fn broken(failure: AttemptFailure) -> AttemptFailure {
    AttemptFailure { outcome: AttemptOutcome::BodyIncomplete, ..failure }
}
