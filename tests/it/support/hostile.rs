//! A misbehaving receiver that counts connections, requests and bytes.
//!
//! It uses plain threads and sockets, so that it shares no code with the program under test.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

/// The behavior of a receiver on a connection.
type Behavior = fn(&mut Connection);

/// A misbehaving receiver.
pub(crate) struct Hostile {
    address: SocketAddr,
    counts: Arc<Counts>,
}

/// Counters of a receiver.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) connections: AtomicUsize,
    pub(crate) requests: AtomicUsize,
    /// Bytes written to the sender.
    pub(crate) written: AtomicUsize,
}

/// One connection of a receiver.
pub(crate) struct Connection {
    stream: TcpStream,
    counts: Arc<Counts>,
}

impl Hostile {
    /// Starts a receiver with this behavior on each connection.
    pub(crate) fn new(behavior: Behavior) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let counts: Arc<Counts> = Arc::default();
        let kept = Arc::clone(&counts);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counts = Arc::clone(&kept);
                counts.connections.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || behavior(&mut Connection { stream, counts }));
            }
        });
        Self { address, counts }
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/hooks", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> usize {
        self.counts.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn written(&self) -> usize {
        self.counts.written.load(Ordering::SeqCst)
    }
}

impl Connection {
    /// Responds to every request until the sender closes the connection.
    pub(crate) fn serve(&mut self, answer: &str) {
        let mut heard = 0;
        loop {
            self.read_request();
            if self.counts.requests.load(Ordering::SeqCst) == heard {
                return;
            }
            heard = self.counts.requests.load(Ordering::SeqCst);
            self.write(answer);
        }
    }

    /// Reads a complete request.
    pub(crate) fn read_request(&mut self) -> &mut Self {
        let mut buffer = Vec::new();
        let mut chunk = [0; 16 * 1024];
        loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
                let length =
                    head.lines().find_map(|connection| connection.strip_prefix("content-length: "));
                if buffer.len() >= end + 4 + length.unwrap().parse::<usize>().unwrap() {
                    self.counts.requests.fetch_add(1, Ordering::SeqCst);
                    return self;
                }
            }
            match self.stream.read(&mut chunk) {
                Ok(0) | Err(_) => return self,
                Ok(count) => buffer.extend_from_slice(&chunk[..count]),
            }
        }
    }

    /// Reads the beginning of a request.
    pub(crate) fn read_some(&mut self) -> &mut Self {
        let _ = self.stream.read(&mut [0; 16]);
        self
    }

    /// Writes bytes. Returns whether the connection is still open.
    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let written = self.stream.write_all(bytes.as_ref()).is_ok();
        if written {
            self.counts.written.fetch_add(bytes.as_ref().len(), Ordering::SeqCst);
        }
        written
    }

    /// Writes bytes repeatedly until the sender closes the connection.
    pub(crate) fn write_forever(&mut self, bytes: &[u8], every: Duration) {
        while self.write(bytes) {
            thread::sleep(every);
        }
    }

    /// Waits silently until the sender closes the connection.
    pub(crate) fn wait(&mut self) {
        let mut chunk = [0; 1024];
        while matches!(self.stream.read(&mut chunk), Ok(1..)) {}
    }

    /// Closes the writing side.
    pub(crate) fn close(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
        self.wait();
    }

    /// Resets the connection.
    pub(crate) fn reset(&mut self) {
        thread::sleep(Duration::from_millis(50)); // a reset discards bytes that have not arrived
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}
