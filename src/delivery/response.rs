//! Reads one HTTP/1.1 response from a connection, within the size limits.
//!
//! The response is filled while it arrives, so that after a timeout its beginning is still there.

use std::borrow::Cow;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::failure::{AttemptFailure, SPEAK_TLS};
use super::tls::only_http2;
use crate::base::limits::{
    MAX_KEPT_HEADERS, MAX_RESPONSE_BODY, MAX_RESPONSE_HEAD, MAX_RESPONSE_HEADERS,
};
use crate::base::text::mask;
use crate::record::AttemptOutcome;

/// A response, as far as it has arrived.
#[derive(Debug, Default)]
pub(super) struct HttpResponse {
    pub(super) status: Option<u16>,
    pub(super) headers: Vec<(String, String)>,
    /// Whether some of `headers` are cut.
    pub(super) headers_truncated: bool,
    pub(super) location: Option<String>,
    pub(super) body: Vec<u8>,
    /// Whether the body was longer than `body`.
    pub(super) truncated: bool,
    /// Whether another request can use the same connection.
    pub(super) keep_alive: bool,
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyFraming {
    Length(u64),
    Chunked,
    UntilClose,
}

/// The relevant parts of a head.
struct ResponseHead {
    status: u16,
    headers: Vec<(String, String)>,
    headers_truncated: bool,
    location: Option<String>,
    framing: BodyFraming,
    closes: bool,
}

/// A head of up to this many bytes is parsed with each read, so that a server of another protocol
/// is noticed at once. A longer one is parsed only where it may end: parsing it again with each
/// read would take quadratic time.
const EAGER: usize = 1024;
/// Maximum length of a line between chunks, in bytes.
const MAX_CHUNK_LINE: usize = 4 * 1024;

impl HttpResponse {
    /// Reads the response to its end or to the size limit. What follows stays unread.
    pub(super) async fn read(
        &mut self,
        stream: impl AsyncRead + Unpin,
    ) -> Result<(), AttemptFailure> {
        let mut incoming = ResponseReader { stream, buffer: Vec::new() };
        let head = incoming.head().await?;
        self.status = Some(head.status);
        self.headers = head.headers;
        self.headers_truncated = head.headers_truncated;
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

    /// Reads this many bytes of the body. Returns false if they exceed the size limit.
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
                // Trailers are not read; a connection that carries some is not reused.
                return Ok(incoming.line().await?.is_empty());
            }
            if !self.take(incoming, size).await? {
                return Ok(false);
            }
            if !incoming.line().await?.is_empty() {
                return Err(AttemptFailure::protocol("a chunk is longer than its size"));
            }
        }
    }

    /// Returns what to do about the response, if it is that of a server that expects TLS.
    pub(super) fn help(&self) -> Option<String> {
        let status = self.status?;
        expects_tls(status, &String::from_utf8_lossy(&self.body)).then(|| SPEAK_TLS.to_owned())
    }

    /// Cuts the body at the size limit. Returns whether it was longer.
    fn is_full(&mut self) -> bool {
        self.truncated = self.body.len() > MAX_RESPONSE_BODY;
        self.body.truncate(MAX_RESPONSE_BODY);
        self.truncated
    }
}

/// A connection with bytes that have been read from it but not parsed.
struct ResponseReader<S> {
    stream: S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + Unpin> ResponseReader<S> {
    /// Waits for more bytes. Returns their number; 0 is the end.
    async fn more(&mut self) -> Result<usize, AttemptFailure> {
        self.buffer.reserve(8 * 1024);
        let read = self.stream.read_buf(&mut self.buffer).await;
        read.map_err(|error| AttemptFailure::of(&error, AttemptOutcome::Reset))
    }

    /// Reads the head of the final response; interim responses (1xx) are skipped.
    async fn head(&mut self) -> Result<ResponseHead, AttemptFailure> {
        let mut new = 0;
        loop {
            let seen = self.buffer.len();
            // The end of the head can begin in the bytes of an earlier read.
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

    /// Reads the size of the next chunk.
    async fn chunk_size(&mut self) -> Result<u64, AttemptFailure> {
        loop {
            let parsed = httparse::parse_chunk_size(&self.buffer);
            match parsed.map_err(|_| AttemptFailure::protocol("a chunk has no valid size"))? {
                httparse::Status::Complete((length, size)) => {
                    self.buffer.drain(..length);
                    return Ok(size);
                }
                httparse::Status::Partial => self.more_of_line().await?,
            }
        }
    }

    /// Reads the next line, without its line break.
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

/// A final response, although its status is 1xx: the connection is no longer HTTP after it.
const SWITCHING: u16 = 101;

/// Whether two bytes can be the last of a head: an empty line, with either kind of line break.
fn is_end(pair: &[u8]) -> bool {
    matches!(pair, b"\n\n" | b"\n\r")
}

/// Parses the head at the beginning of these bytes. Returns it with its length once it is complete.
fn parse(bytes: &[u8]) -> Result<Option<(usize, ResponseHead)>, AttemptFailure> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_RESPONSE_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(AttemptFailure::large_head()),
        Err(_) if is_tls(bytes) => return Err(AttemptFailure::unexpected_tls()),
        Err(_) if is_http2(bytes) => return Err(only_http2()),
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
        // Overrides a content length (RFC 9112, section 6.3).
        Some(_) if has("transfer-encoding", "chunked") => BodyFraming::Chunked,
        Some(_) => BodyFraming::UntilClose,
        None => length_of(&all("content-length"))?,
    };
    let closes = response.version != Some(1) || has("connection", "close");
    let limit = header_limit(response.headers);
    let whole = |to: &&[u8]| "location".len() + to.len() <= limit;
    let location = all("location").first().copied().filter(whole);
    let location = location.map(|to| String::from_utf8_lossy(to).into_owned());
    let headers = response.headers.iter().map(|header| kept_header(header, limit)).collect();
    let headers_truncated = response.headers.iter().any(|header| size(header) > limit);
    let head = ResponseHead { status, headers, headers_truncated, location, framing, closes };
    Ok(Some((length, head)))
}

/// The size of name and value.
fn size(header: &httparse::Header<'_>) -> usize {
    header.name.len() + header.value.len()
}

/// The size up to which a header is kept. If all of them are too long together, each gets an equal
/// share, so that a long one does not displace those that decide about retries.
fn header_limit(headers: &[httparse::Header<'_>]) -> usize {
    let total: usize = headers.iter().map(size).sum();
    if total <= MAX_KEPT_HEADERS { usize::MAX } else { MAX_KEPT_HEADERS / headers.len() }
}

/// Name and value of a header, cut to this size.
fn kept_header(header: &httparse::Header<'_>, limit: usize) -> (String, String) {
    let mut value = Cow::Borrowed(header.value);
    if size(header) > limit && header.name.eq_ignore_ascii_case("location") {
        // Before the cut: without its `@`, a password would not be recognized later.
        value = mask(&String::from_utf8_lossy(header.value)).into_bytes().into();
    }
    let name = &header.name[..header.name.len().min(limit)]; // names are ASCII
    let value = &value[..value.len().min(limit - name.len())];
    (name.to_owned(), String::from_utf8_lossy(value).into_owned())
}

/// Returns whether these bytes begin a TLS alert or handshake record of any version.
fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15 | 0x16, 3, 0..=4, ..])
}

/// Returns whether these bytes begin with a frame with which an HTTP/2 connection starts or ends:
/// `SETTINGS` or `GOAWAY` on stream 0 (RFC 9113, section 4.1).
fn is_http2(bytes: &[u8]) -> bool {
    matches!(bytes, [0, _, _, 4 | 7, _, 0, 0, 0, 0, ..])
}

/// Returns whether a server responds like this to plain HTTP on a port for TLS.
fn expects_tls(status: u16, body: &str) -> bool {
    // In order: Go, nginx, Apache.
    let texts =
        ["HTTP request to an HTTPS server", "sent to HTTPS port", "SSL-enabled server port"];
    status == 400 && texts.iter().any(|text| body.contains(text))
}

/// The framing by content length. Several equal lengths count as one (RFC 9112, section 6.3).
fn length_of(values: &[&[u8]]) -> Result<BodyFraming, AttemptFailure> {
    let invalid = || AttemptFailure::protocol("invalid content length");
    let Some(first) = values.first() else { return Ok(BodyFraming::UntilClose) };
    let is_number = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
    if !is_number || values.iter().any(|value| value != first) {
        return Err(invalid());
    }
    let length = std::str::from_utf8(first).ok().and_then(|text| text.parse().ok());
    length.map(BodyFraming::Length).ok_or_else(invalid)
}

fn incomplete() -> AttemptFailure {
    AttemptFailure::new(
        AttemptOutcome::BodyIncomplete,
        "the connection was closed before the end of the response",
    )
}

/// A failure in the body. One of this machine stays what it is.
fn broken(failure: AttemptFailure) -> AttemptFailure {
    match failure.outcome {
        AttemptOutcome::LocalError => failure,
        _ => AttemptFailure { outcome: AttemptOutcome::BodyIncomplete, ..failure },
    }
}
