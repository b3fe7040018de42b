//! The wire format of a vendor's HTTP client.

use serde::Serialize;

/// How a vendor's HTTP client writes a request head and whether it reuses connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WireFormat {
    /// Header names in the order of the request head, `Host` and `Content-Length` included. Other
    /// headers follow. If empty: `Host`, the vendor's headers, `Content-Length`.
    pub header_order: Vec<String>,
    /// Whether a connection serves more than one request.
    pub keep_alive: bool,
}

impl Default for WireFormat {
    /// HTTP/1.1 connections are persistent unless a side says otherwise (RFC 9112, section 9.3).
    fn default() -> Self {
        Self { header_order: Vec::new(), keep_alive: true }
    }
}
