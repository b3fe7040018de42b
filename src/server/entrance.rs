//! The entrance of a port that takes HTTP with and without TLS. The first byte of a connection decides.
//!
//! At the port of the proxy, a connection can begin with `CONNECT`. What follows enters again.

use std::io::{self, Cursor};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::authority::ServerCertificate;
use super::proxy_sites::ProxySites;
use super::tunnel::{CONNECT, ConnectHead, connect_head};
use crate::base::limits::HEAD_TIMEOUT;

/// First byte of a TLS connection: the type of a handshake record (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// What a port takes.
#[derive(Clone, Debug, Default)]
pub(super) struct Entrance {
    /// Certificate; `None` if the port takes only HTTP without TLS.
    pub(super) certificate: Option<ServerCertificate>,
    /// The sites to which `CONNECT` opens a tunnel; `None` if the port is not that of a proxy.
    pub(super) proxy: Option<Arc<ProxySites>>,
}

/// A connection on which HTTP is spoken.
pub(super) struct EnteredStream {
    io: Box<dyn ByteStream>,
    /// Host name of the tunnel through which it came.
    pub(super) tunnel: Option<String>,
    /// Whether it is encrypted.
    pub(super) is_tls: bool,
}

trait ByteStream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> ByteStream for T {}

impl Entrance {
    /// Prepares a connection for HTTP. Fails if the client is too slow.
    pub(super) async fn enter(self, socket: TcpStream) -> io::Result<EnteredStream> {
        let entering = timeout(HEAD_TIMEOUT, self.prepare(socket));
        entering.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn prepare(self, mut socket: TcpStream) -> io::Result<EnteredStream> {
        let mut beginning = Vec::new();
        let mut tunnel = None;
        read_some(&mut socket, &mut beginning).await?;
        if let Some(sites) = &self.proxy
            && let Some(host) = open_tunnel(&mut socket, &mut beginning, sites).await?
        {
            tunnel = Some(host);
            if beginning.is_empty() {
                read_some(&mut socket, &mut beginning).await?;
            }
        }
        let is_tls = beginning.first() == Some(&TLS_HANDSHAKE);
        let (reader, writer) = socket.into_split();
        let plain = tokio::io::join(Cursor::new(beginning).chain(reader), writer);
        let is_tls = is_tls && self.certificate.is_some();
        let io: Box<dyn ByteStream> = match self.certificate {
            Some(certificate) if is_tls => {
                Box::new(TlsAcceptor::from(certificate.0).accept(plain).await?)
            }
            _ => Box::new(plain),
        };
        Ok(EnteredStream { io, tunnel, is_tls })
    }
}

/// Reads at least one byte.
async fn read_some(socket: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<()> {
    match socket.read_buf(bytes).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// Opens the tunnel that a connection asks for at its beginning, and returns its host. The rest of the
/// beginning stays. A refused connection ends with an error.
async fn open_tunnel(
    socket: &mut TcpStream,
    beginning: &mut Vec<u8>,
    sites: &ProxySites,
) -> io::Result<Option<String>> {
    let head = loop {
        let known = beginning.len().min(CONNECT.len());
        if beginning[..known] != CONNECT[..known] {
            return Ok(None);
        }
        match connect_head(beginning) {
            Ok(Some(head)) => break Ok(head),
            Ok(None) => read_some(socket, beginning).await?,
            Err(reason) => break Err(reason),
        }
    };
    let opened = head.and_then(|head: ConnectHead| {
        if sites.allows(&head.host, head.port) {
            return Ok(head);
        }
        Err(sites.refusal(&format!("{}:{}", head.host, head.port)))
    });
    match opened {
        Ok(head) => {
            beginning.drain(..head.length);
            socket.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
            Ok(Some(head.host))
        }
        Err(refusal) => {
            let length = refusal.len();
            let head = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\n";
            let head = format!("{head}Content-Length: {length}\r\nConnection: close\r\n\r\n");
            socket.write_all(format!("{head}{refusal}").as_bytes()).await?;
            socket.shutdown().await?;
            Err(io::ErrorKind::ConnectionRefused.into())
        }
    }
}

impl AsyncRead for EnteredStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl AsyncWrite for EnteredStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
