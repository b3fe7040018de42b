//! A receiver on a real socket that keeps every byte it got and answers as it is told.
//!
//! Written on plain threads and sockets, so that it shares nothing with the code under test.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value as Json;

/// One request that came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    /// The head as it came, without the empty line.
    pub(crate) head: String,
    /// The body as it came.
    pub(crate) body: String,
}

/// How a request is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// With a status and a body.
    Status(u16, String),
    /// With bytes as they are.
    Raw(Vec<u8>),
    /// So late, and then so.
    Late(Duration, Box<Reply>),
    /// Not at all: the connection is closed.
    Close,
}

/// How the request of this number, counted from 0, is answered.
type Answer = dyn Fn(usize, &Came) -> Reply + Send + Sync;

/// A receiver.
pub(crate) struct Receiver {
    address: SocketAddr,
    came: Arc<Mutex<Vec<Came>>>,
}

impl Reply {
    /// A good answer.
    pub(crate) fn good() -> Self {
        Self::Status(200, "{}".into())
    }

    /// The same, so late.
    pub(crate) fn after(self, delay: Duration) -> Self {
        Self::Late(delay, Box::new(self))
    }
}

impl Came {
    /// The value of a header, whatever the case of its name.
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

    /// Whether the request only asks for a good answer: it is about nothing.
    pub(crate) fn is_ping(&self) -> bool {
        let json = serde_json::from_str(&self.body).unwrap_or_default();
        let Json::Object(table) = json else { return false };
        table.keys().all(|key| key == "text")
    }

    /// The token, where the request asks for it back.
    pub(crate) fn token(&self) -> Option<String> {
        let json: Json = serde_json::from_str(&self.body).ok()?;
        let table = json.as_object().filter(|table| table.len() == 1)?;
        Some(table.get("token").or_else(|| table.get("knock"))?.as_str()?.to_owned())
    }
}

/// The answer of a receiver that agrees: a token comes back, everything else is fine.
pub(crate) fn agree(came: &Came) -> Reply {
    match came.token() {
        Some(token) => Reply::Status(200, token),
        None => Reply::good(),
    }
}

impl Receiver {
    /// A receiver that agrees and accepts everything.
    pub(crate) fn agreeing() -> Self {
        Self::answering(|_, came| agree(came))
    }

    /// A receiver that agrees, and then answers every event like this.
    pub(crate) fn to_events(
        answer: impl Fn(usize, &Came) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::answering(move |number, came| {
            if came.token().is_some() || came.body == "{}" {
                agree(came)
            } else {
                answer(number, came)
            }
        })
    }

    /// A receiver that answers everything like this.
    pub(crate) fn answering(
        answer: impl Fn(usize, &Came) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
    }

    /// The same, where this listens.
    pub(crate) fn on(
        listener: TcpListener,
        answer: impl Fn(usize, &Came) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let came = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer): (_, Arc<Answer>) = (Arc::clone(&came), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                thread::spawn(move || converse(stream, &kept, &*answer));
            }
        });
        Self { address, came }
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    /// How many requests came.
    pub(crate) fn count(&self) -> usize {
        self.came.lock().unwrap().len()
    }

    /// Everything that came.
    pub(crate) fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }

    /// What came after the handshake.
    pub(crate) fn events(&self) -> Vec<Came> {
        self.came().into_iter().filter(|came| came.token().is_none() && !came.is_ping()).collect()
    }
}

fn converse(mut stream: TcpStream, kept: &Mutex<Vec<Came>>, answer: &Answer) {
    let mut buffer = Vec::new();
    while let Some(came) = read(&mut stream, &mut buffer) {
        let number = {
            let mut kept = kept.lock().unwrap();
            kept.push(came.clone());
            kept.len() - 1
        };
        if !reply(&mut stream, answer(number, &came)) {
            return;
        }
    }
}

/// Reads one request; what comes behind it stays in the buffer.
fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Came> {
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
                return Some(Came { head, body });
            }
        }
        let mut chunk = [0; 16 * 1024];
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(count) => buffer.extend_from_slice(&chunk[..count]),
        }
    }
}

/// Answers; gives whether the connection goes on.
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

/// What a GET or HEAD of an address on loopback gives: the head and the body.
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
