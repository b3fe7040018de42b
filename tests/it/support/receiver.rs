//! A receiver on a real socket that stores every request and responds as configured.
//!
//! It uses plain threads and sockets, so that it shares no code with the program under test.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value as Json;

/// One received request.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedRequest {
    /// The head, unchanged, without the empty line.
    pub(crate) head: String,
    /// The body, unchanged.
    pub(crate) body: String,
}

/// A response to a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status and a body.
    Status(u16, String),
    /// Raw bytes; the connection is closed afterwards.
    Raw(Vec<u8>),
    /// Another response after a delay.
    Late(Duration, Box<Reply>),
    /// No response: the connection is closed.
    Close,
}

/// The response to a request, by its number, counted from 0.
type Answer = dyn Fn(usize, &ReceivedRequest) -> Reply + Send + Sync;

/// A receiver.
pub(crate) struct Receiver {
    address: SocketAddr,
    received: Arc<Mutex<Vec<ReceivedRequest>>>,
}

impl Reply {
    /// Status 200 with an empty JSON object.
    pub(crate) fn good() -> Self {
        Self::Status(200, "{}".into())
    }

    /// The same response after a delay.
    pub(crate) fn after(self, delay: Duration) -> Self {
        Self::Late(delay, Box::new(self))
    }
}

impl ReceivedRequest {
    /// The value of a header, ignoring the case of its name.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Whether the request is a handshake without a token: it has no content but a text.
    pub(crate) fn is_ping(&self) -> bool {
        let json = serde_json::from_str(&self.body).unwrap_or_default();
        let Json::Object(table) = json else { return false };
        table.contains_key("zen") || table.keys().all(|key| key == "text")
    }

    /// The token of a handshake that must be returned.
    pub(crate) fn token(&self) -> Option<String> {
        let json: Json = serde_json::from_str(&self.body).ok()?;
        if let Some(challenge) = json.get("challenge") {
            return challenge.as_str().map(str::to_owned);
        }
        let table = json.as_object().filter(|table| table.len() == 1)?;
        Some(table.get("token").or_else(|| table.get("knock"))?.as_str()?.to_owned())
    }
}

/// The response of a receiver that accepts everything: it returns the token of a handshake.
pub(crate) fn accept(received: &ReceivedRequest) -> Reply {
    match received.token() {
        Some(token) => Reply::Status(200, token),
        None => Reply::good(),
    }
}

impl Receiver {
    /// A receiver that accepts the handshake and every event.
    pub(crate) fn accepting() -> Self {
        Self::responding(|_, received| accept(received))
    }

    /// A receiver that accepts the handshake and responds to events like this.
    pub(crate) fn responding_to_events(
        answer: impl Fn(usize, &ReceivedRequest) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::responding(move |number, received| {
            if received.token().is_some() || received.is_ping() {
                accept(received)
            } else {
                answer(number, received)
            }
        })
    }

    /// A receiver that responds to every request like this.
    pub(crate) fn responding(
        answer: impl Fn(usize, &ReceivedRequest) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
    }

    /// A receiver on an existing listener.
    pub(crate) fn on(
        listener: TcpListener,
        answer: impl Fn(usize, &ReceivedRequest) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer): (_, Arc<Answer>) = (Arc::clone(&received), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                thread::spawn(move || serve_connection(stream, &kept, &*answer));
            }
        });
        Self { address, received }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    /// Number of received requests.
    pub(crate) fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    /// All received requests.
    pub(crate) fn requests(&self) -> Vec<ReceivedRequest> {
        self.received.lock().unwrap().clone()
    }

    /// The received webhooks: neither handshakes nor the GET requests of `eventually`.
    pub(crate) fn events(&self) -> Vec<ReceivedRequest> {
        let is_event = |received: &ReceivedRequest| {
            received.token().is_none() && !received.is_ping() && received.head.starts_with("POST ")
        };
        self.requests().into_iter().filter(is_event).collect()
    }
}

fn serve_connection(mut stream: TcpStream, kept: &Mutex<Vec<ReceivedRequest>>, answer: &Answer) {
    let mut buffer = Vec::new();
    while let Some(received) = read(&mut stream, &mut buffer) {
        let number = {
            let mut kept = kept.lock().unwrap();
            kept.push(received.clone());
            kept.len() - 1
        };
        if !reply(&mut stream, answer(number, &received)) {
            return;
        }
    }
}

/// Reads one request. Bytes after it stay in the buffer.
fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<ReceivedRequest> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
                })
                .unwrap_or(0);
            if buffer.len() >= end + 4 + length {
                let body = String::from_utf8(buffer[end + 4..end + 4 + length].to_vec()).unwrap();
                buffer.drain(..end + 4 + length);
                return Some(ReceivedRequest { head, body });
            }
        }
        let mut chunk = [0; 16 * 1024];
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(count) => buffer.extend_from_slice(&chunk[..count]),
        }
    }
}

/// Sends a response. Returns whether the connection stays open.
fn reply(stream: &mut TcpStream, reply_with: Reply) -> bool {
    match reply_with {
        Reply::Status(status, body) => {
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status} Wanted\r\nContent-Length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).is_ok()
        }
        Reply::Raw(bytes) => {
            let _ = stream.write_all(&bytes);
            let _ = stream.shutdown(Shutdown::Both);
            false
        }
        Reply::Late(delay, then) => {
            thread::sleep(delay);
            reply(stream, *then)
        }
        Reply::Close => {
            let _ = stream.shutdown(Shutdown::Both);
            false
        }
    }
}

/// Sends GET or HEAD to a loopback URL. Returns the lower-case head and the body.
pub(crate) fn fetch(method: &str, url: &str) -> (String, Vec<u8>) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    (
        String::from_utf8(answer[..end].to_vec()).unwrap().to_ascii_lowercase(),
        answer[end + 4..].to_vec(),
    )
}
