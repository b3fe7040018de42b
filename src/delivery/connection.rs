//! A connection to a receiver, with or without TLS.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// An established connection.
#[derive(Debug)]
pub(super) enum Connection {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    /// The TCP connection, below TLS if there is any.
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }

    /// Whether the connection is open and holds no unread bytes. Unread bytes belong to an earlier
    /// request: taken for the next response, they would shift every response by one.
    pub(super) fn is_idle(&mut self) -> bool {
        // Bytes that TLS has already decrypted are not visible on the socket.
        if let Self::Tls(stream) = self {
            let (mut byte, mut context) = ([0], Context::from_waker(Waker::noop()));
            let mut buffer = ReadBuf::new(&mut byte);
            if Pin::new(stream).poll_read(&mut context, &mut buffer).is_ready() {
                return false;
            }
        }
        self.peek().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Whether a receiver without TLS has sent something that was not read. With TLS, the bytes
    /// may belong to the handshake.
    pub(super) fn has_waiting_bytes(&self) -> bool {
        matches!(self, Self::Plain(_)) && matches!(self.peek(), Ok(1..))
    }

    /// Peeks at one byte. 0 bytes are the end of the connection.
    fn peek(&self) -> io::Result<usize> {
        // The socket is asked directly: tokio learns of a close only when its event loop runs.
        SockRef::from(self.tcp()).peek(&mut [MaybeUninit::uninit()])
    }

    /// Makes the connection end with a reset when it is dropped.
    pub(super) fn reset_on_drop(&self) {
        let _ = self.tcp().set_zero_linger();
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
