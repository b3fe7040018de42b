//! A tunnel through a forward proxy, for receivers with TLS (RFC 9110, section 9.3.6).

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::failure::AttemptFailure;
use crate::base::limits::MAX_RESPONSE_HEAD;
use crate::base::route::ForwardProxy;
use crate::record::AttemptOutcome;

/// Asks a proxy for a tunnel to this host and port.
pub(super) async fn open_tunnel(
    mut stream: TcpStream,
    proxy: &ForwardProxy,
    target: &str,
) -> Result<TcpStream, AttemptFailure> {
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(authorization) = &proxy.authorization {
        request += &format!("Proxy-Authorization: {}\r\n", authorization.expose());
    }
    request += "\r\n";
    let written = stream.write_all(request.as_bytes()).await;
    written.map_err(|error| failed(proxy, &error.to_string()))?;
    // Byte by byte: what follows the head belongs to the receiver.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await;
        head.push(byte.map_err(|_| failed(proxy, "it closed the connection"))?);
        if head.len() > MAX_RESPONSE_HEAD {
            return Err(failed(proxy, "its response is too long"));
        }
    }
    match status(&head) {
        Some(200..=299) => Ok(stream),
        Some(407) => Err(failed(proxy, "it requires credentials (407)")
            .helped("write them into the URL of the proxy: `http://USER:PASSWORD@HOST:PORT`")),
        Some(status) => {
            Err(failed(proxy, &format!("it refuses to connect to {target} ({status})")))
        }
        None => Err(failed(proxy, "its response is not valid HTTP/1.1")),
    }
}

fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

fn failed(proxy: &ForwardProxy, reason: &str) -> AttemptFailure {
    let reason = format!("no connection through the proxy {}: {reason}", proxy.host_and_port());
    AttemptFailure::new(AttemptOutcome::Unreachable, reason)
}
