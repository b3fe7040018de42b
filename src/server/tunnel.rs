//! Reads the request of a client that asks a proxy for a tunnel: `CONNECT host:port`.

use httparse::{EMPTY_HEADER, Request, Status};

/// How such a request begins.
pub(super) const CONNECT: &[u8] = b"CONNECT ";
/// Maximum size of its head.
const MAX_HEAD: usize = 8 * 1024;
/// Maximum number of its headers.
const MAX_HEADERS: usize = 64;

/// The head of a request for a tunnel.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ConnectHead {
    /// Host name, in lower case.
    pub(super) host: String,
    /// Port.
    pub(super) port: u16,
    /// Size of the head.
    pub(super) length: usize,
}

/// Reads the head; `None` while it is not complete. The error is a message for the client.
pub(super) fn connect_head(bytes: &[u8]) -> Result<Option<ConnectHead>, String> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = Request::new(&mut headers);
    let invalid = || "the CONNECT request is not valid\n".to_owned();
    let length = match request.parse(bytes).map_err(|_| invalid())? {
        Status::Complete(length) => length,
        Status::Partial if bytes.len() > MAX_HEAD => return Err(invalid()),
        Status::Partial => return Ok(None),
    };
    let target = request.path.and_then(|target| target.rsplit_once(':'));
    let target = target.and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = target.ok_or_else(invalid)?;
    Ok(Some(ConnectHead { host: host.to_ascii_lowercase(), port, length }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_read_when_it_is_complete() {
        let head = b"CONNECT API.acme.example.test:443 HTTP/1.1\r\nHost: x\r\n\r\n\x16";
        let read = ConnectHead {
            host: "api.acme.example.test".to_owned(),
            port: 443,
            length: head.len() - 1,
        };
        assert_eq!(connect_head(head), Ok(Some(read)));
        assert_eq!(connect_head(&head[..40]), Ok(None));
        for invalid in ["CONNECT x HTTP/1.1\r\n\r\n", "CONNECT x:70000 HTTP/1.1\r\n\r\n"] {
            assert!(connect_head(invalid.as_bytes()).is_err(), "{invalid}");
        }
        let endless = format!("CONNECT x:1 HTTP/1.1\r\nA: {}", "a".repeat(MAX_HEAD));
        assert!(connect_head(endless.as_bytes()).is_err());
    }
}
