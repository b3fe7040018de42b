//! Reads one HTTP/1.1 answer off a connection, and no more of it than the limits allow.
//!
//! What has come is kept in the answer itself, so that somebody whose patience ends can see how far
//! it got.

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::failure::Failure;
use crate::base::limits::{MAX_ANSWER, MAX_ANSWER_HEAD, MAX_ANSWER_HEADERS};
use crate::record::Outcome;

/// An answer, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: Option<u16>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) location: Option<String>,
    pub(super) body: Vec<u8>,
    /// Whether there was more of the body than is kept.
    pub(super) truncated: bool,
    /// Whether another request can go over the same connection.
    pub(super) goes_on: bool,
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// What of a head matters.
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
    location: Option<String>,
    framing: Framing,
    closes: bool,
}

/// A head is looked at with each piece that comes until it has this many bytes, so that what is no
/// HTTP is seen at once; beyond, only where it may end, so that looking stays cheap.
const EAGER: usize = 1024;
/// Bytes of a line between chunks.
const MAX_CHUNK_LINE: usize = 4 * 1024;

impl Answer {
    /// Reads the answer to its end or to the cap; what lies beyond stays unread.
    pub(super) async fn read(&mut self, stream: impl AsyncRead + Unpin) -> Result<(), Failure> {
        let mut incoming = Incoming { stream, buffer: Vec::new() };
        let head = incoming.head().await?;
        self.status = Some(head.status);
        self.headers = head.headers;
        self.location = head.location;
        let is_whole = match head.framing {
            Framing::Length(length) => self.take(&mut incoming, length).await?,
            Framing::Chunked => self.chunks(&mut incoming).await?,
            Framing::UntilClose => self.rest(&mut incoming).await?,
        };
        let ends = head.framing != Framing::UntilClose;
        self.goes_on = is_whole && ends && !head.closes && incoming.buffer.is_empty();
        Ok(())
    }

    /// Keeps so many bytes of the body; gives whether all of them were kept.
    async fn take<S: AsyncRead + Unpin>(
        &mut self,
        incoming: &mut Incoming<S>,
        mut length: u64,
    ) -> Result<bool, Failure> {
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
        incoming: &mut Incoming<S>,
    ) -> Result<bool, Failure> {
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
        incoming: &mut Incoming<S>,
    ) -> Result<bool, Failure> {
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
                return Err(Failure::protocol("a chunk is longer than it says"));
            }
        }
    }

    /// Whether more has come than is kept; if so, cuts it.
    fn is_full(&mut self) -> bool {
        self.truncated = self.body.len() > MAX_ANSWER;
        self.body.truncate(MAX_ANSWER);
        self.truncated
    }
}

/// A connection, and what has come over it that nobody has looked at.
struct Incoming<S> {
    stream: S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + Unpin> Incoming<S> {
    /// Waits for more bytes; none is the end.
    async fn more(&mut self) -> Result<usize, Failure> {
        self.buffer.reserve(8 * 1024);
        let read = self.stream.read_buf(&mut self.buffer).await;
        read.map_err(|error| Failure::of(&error, Outcome::Reset))
    }

    /// The head of the answer itself; what comes before it only says that it will come.
    async fn head(&mut self) -> Result<Head, Failure> {
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
            if self.buffer.len() > MAX_ANSWER_HEAD {
                return Err(Failure::large_head());
            }
            new = self.more().await?;
            if new == 0 {
                parse(&self.buffer)?;
                return Err(Failure::closed());
            }
        }
    }

    /// The size of the next chunk.
    async fn chunk_size(&mut self) -> Result<u64, Failure> {
        loop {
            let parsed = httparse::parse_chunk_size(&self.buffer);
            match parsed.map_err(|_| Failure::protocol("a chunk has no size"))? {
                httparse::Status::Complete((length, size)) => {
                    self.buffer.drain(..length);
                    return Ok(size);
                }
                httparse::Status::Partial => self.more_of_line().await?,
            }
        }
    }

    /// The next line, without its end.
    async fn line(&mut self) -> Result<Vec<u8>, Failure> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(line.trim_ascii_end().to_vec());
            }
            self.more_of_line().await?;
        }
    }

    async fn more_of_line(&mut self) -> Result<(), Failure> {
        if self.buffer.len() > MAX_CHUNK_LINE {
            return Err(Failure::protocol("a line between chunks is too long"));
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
fn parse(bytes: &[u8]) -> Result<Option<(usize, Head)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_ANSWER_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Failure::large_head()),
        Err(error) => return Err(Failure::protocol(error)),
    };
    if length > MAX_ANSWER_HEAD {
        return Err(Failure::large_head());
    }
    let status = response.code.unwrap_or_default();
    if status < 100 {
        return Err(Failure::protocol("invalid response status"));
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
        _ if status < 200 || status == 204 || status == 304 => Framing::Length(0),
        // Where there is a length too, it does not count.
        Some(_) if has("transfer-encoding", "chunked") => Framing::Chunked,
        Some(_) => Framing::UntilClose,
        None => length_of(&all("content-length"))?,
    };
    let location = all("location").first().map(|to| String::from_utf8_lossy(to).into_owned());
    let closes = response.version != Some(1) || has("connection", "close");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = response.headers.iter().map(|header| (header.name.into(), text(header.value)));
    let headers = headers.collect();
    Ok(Some((length, Head { status, headers, location, framing, closes })))
}

/// The framing of a body by its length; several lengths must agree.
fn length_of(values: &[&[u8]]) -> Result<Framing, Failure> {
    let wrong = || Failure::protocol("the answer's content-length is no length");
    let Some(first) = values.first() else { return Ok(Framing::UntilClose) };
    let is_number = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
    if !is_number || values.iter().any(|value| value != first) {
        return Err(wrong());
    }
    let length = std::str::from_utf8(first).ok().and_then(|text| text.parse().ok());
    length.map(Framing::Length).ok_or_else(wrong)
}

fn incomplete() -> Failure {
    Failure::new(Outcome::BodyIncomplete, "the connection was closed before the answer's end")
}

/// A failure in the body: the answer has begun.
fn broken(failure: Failure) -> Failure {
    Failure { outcome: Outcome::BodyIncomplete, ..failure }
}
