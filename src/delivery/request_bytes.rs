//! The bytes of a request: header names in the vendor's case and order, and the framing that a
//! fault asks for.

use url::Position;

use super::failure::AttemptFailure;
use super::transport::{Request, WireFault};
use crate::base::limits::MAX_HEADER;
use crate::record::{AttemptOutcome, Method};

/// A request as it is written.
#[derive(Debug)]
pub(super) struct RequestBytes {
    /// Head and body.
    pub(super) bytes: Vec<u8>,
    /// Length of the head.
    pub(super) head: usize,
}

impl RequestBytes {
    /// Renders a request. `order` lists the names of the head in the vendor's order; it may be
    /// empty. Fails if a header cannot be sent.
    pub(super) fn new(request: &Request, order: &[String]) -> Result<Self, AttemptFailure> {
        let url = &request.url;
        // A proxy needs the whole URL (RFC 9112, section 3.2.2).
        let proxy = request.options.plain_proxy(url);
        let from = if proxy.is_some() { Position::BeforeScheme } else { Position::BeforePath };
        let target = &url[from..Position::AfterQuery];
        let mut bytes = Vec::with_capacity(512 + request.body.len());
        for part in [request.method.as_str(), " ", target, " HTTP/1.1\r\n"] {
            bytes.extend_from_slice(part.as_bytes());
        }
        let host = &url[Position::BeforeHost..Position::AfterPort];
        let framing = framing(request);
        let mut headers = headers(request, host, framing.as_ref(), order);
        let authorization = proxy.and_then(|proxy| proxy.authorization.as_ref());
        headers.extend(authorization.map(|value| ("Proxy-Authorization", value.expose())));
        for (name, value) in headers {
            check(name, value)?;
            for part in [name, ": ", value, "\r\n"] {
                bytes.extend_from_slice(part.as_bytes());
            }
        }
        bytes.extend_from_slice(b"\r\n");
        let head = bytes.len();
        if request.fault == Some(WireFault::Chunked) {
            write_chunks(request.body.as_bytes(), &mut bytes);
        } else {
            bytes.extend_from_slice(request.body.as_bytes());
        }
        Ok(Self { bytes, head })
    }

    /// The head and the first half of the body.
    pub(super) fn half(&self) -> &[u8] {
        &self.bytes[..usize::midpoint(self.head, self.bytes.len())]
    }
}

const CONTENT_LENGTH: &str = "Content-Length";
const TRANSFER_ENCODING: &str = "Transfer-Encoding";

/// The header that frames the body; absent without a body, as HTTP clients do for `GET`.
fn framing(request: &Request) -> Option<(&'static str, String)> {
    if request.method == Method::Get {
        return None;
    }
    let length = request.body.len();
    Some(match request.fault {
        Some(WireFault::Chunked) => (TRANSFER_ENCODING, "chunked".to_owned()),
        Some(WireFault::LengthLonger) => (CONTENT_LENGTH, (length + 1).to_string()),
        Some(WireFault::LengthShorter) => (CONTENT_LENGTH, length.saturating_sub(1).to_string()),
        _ => (CONTENT_LENGTH, length.to_string()),
    })
}

/// All headers in the order of the head.
fn headers<'a>(
    request: &'a Request,
    host: &'a str,
    framing: Option<&'a (&'static str, String)>,
    order: &[String],
) -> Vec<(&'a str, &'a str)> {
    let mut headers = Vec::with_capacity(request.headers.len() + 3);
    headers.push(("Host", host));
    headers.extend(request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    if let Some(WireFault::HeaderTwice(name)) = &request.fault {
        let again = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).copied();
        headers.extend(again);
    }
    headers.extend(framing.map(|(name, value)| (*name, value.as_str())));
    if !order.is_empty() {
        let rank = |name: &str| {
            // What replaces the length takes its place.
            let name = if name == TRANSFER_ENCODING { CONTENT_LENGTH } else { name };
            let place = order.iter().position(|listed| listed.eq_ignore_ascii_case(name));
            place.unwrap_or(order.len())
        };
        headers.sort_by_key(|(name, _)| rank(name));
    }
    headers
}

/// The body in two chunks, of which an empty one is not written: it would end the body.
fn write_chunks(body: &[u8], bytes: &mut Vec<u8>) {
    let (first, second) = body.split_at(body.len() / 2);
    for chunk in [first, second].into_iter().filter(|chunk| !chunk.is_empty()) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
}

/// Checks that a header can be sent: a line break in a value would begin another header.
fn check(name: &str, value: &str) -> Result<(), AttemptFailure> {
    let invalid = |what| {
        let reason = format!("the header `{name}` {what}");
        Err(AttemptFailure::new(AttemptOutcome::Unsendable, reason))
    };
    if value.len() > MAX_HEADER {
        return invalid("is longer than 8 KiB");
    }
    if name.is_empty() || !name.bytes().all(is_token) {
        return invalid("has an invalid name");
    }
    if !value.bytes().all(|byte| byte == b'\t' || byte >= b' ' && byte != 0x7f) {
        return invalid("contains characters that a header cannot contain");
    }
    Ok(())
}

/// Whether a byte may stand in a header name (`token`, RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
