//! A receiver that does what no receiver should, and counts what it was sent.
//!
//! Written on plain threads and sockets, so that it shares nothing with the code under test.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

/// What a receiver does with a connection.
type Does = fn(&mut Line);

/// A receiver that counts.
pub(crate) struct Hostile {
    address: SocketAddr,
    counts: Arc<Counts>,
}

/// What came, and what went.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) connections: AtomicUsize,
    pub(crate) requests: AtomicUsize,
    /// Bytes that the sender let us write.
    pub(crate) written: AtomicUsize,
}

/// One connection of the receiver's.
pub(crate) struct Line {
    stream: TcpStream,
    counts: Arc<Counts>,
}

impl Hostile {
    /// A receiver that does this with each connection.
    pub(crate) fn that(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let counts: Arc<Counts> = Arc::default();
        let kept = Arc::clone(&counts);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counts = Arc::clone(&kept);
                counts.connections.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || does(&mut Line { stream, counts }));
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

impl Line {
    /// Answers every request with this, until the sender goes away.
    pub(crate) fn serve(&mut self, answer: &str) {
        let mut heard = 0;
        loop {
            self.hear();
            if self.counts.requests.load(Ordering::SeqCst) == heard {
                return;
            }
            heard = self.counts.requests.load(Ordering::SeqCst);
            self.say(answer);
        }
    }

    /// Reads a whole request.
    pub(crate) fn hear(&mut self) -> &mut Self {
        let mut buffer = Vec::new();
        let mut chunk = [0; 16 * 1024];
        loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
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
    pub(crate) fn hear_some(&mut self) -> &mut Self {
        let _ = self.stream.read(&mut [0; 16]);
        self
    }

    /// Writes bytes; gives whether the sender still wants them.
    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let written = self.stream.write_all(bytes.as_ref()).is_ok();
        if written {
            self.counts.written.fetch_add(bytes.as_ref().len(), Ordering::SeqCst);
        }
        written
    }

    /// Writes bytes over and over, until the sender has had enough.
    pub(crate) fn say_forever(&mut self, bytes: &[u8], every: Duration) {
        while self.say(bytes) {
            thread::sleep(every);
        }
    }

    /// Waits, without a word, until the sender goes away.
    pub(crate) fn wait(&mut self) {
        let mut chunk = [0; 1024];
        while matches!(self.stream.read(&mut chunk), Ok(1..)) {}
    }

    /// Says that nothing more is coming.
    pub(crate) fn close(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
        self.wait();
    }

    /// Resets the connection.
    pub(crate) fn reset(&mut self) {
        thread::sleep(Duration::from_millis(50)); // what was said arrives first
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}
