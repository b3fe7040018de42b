//! Clients that open many connections and send nothing, or too slowly: others are served meanwhile, and
//! the connections are closed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use standin::base::limits::{BODY_TIMEOUT, HEAD_TIMEOUT, MAX_BUFFERED_BYTES};

use crate::support::{Background, Server};

/// Connections to each listener.
const FLOOD: usize = 500;
/// Uploads to each listener that do not end.
const UPLOADS: usize = 40;

/// A listener, and a path at which it responds.
struct Listener {
    address: String,
    path: &'static str,
}

impl Listener {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// The first bytes of a response, and how long they took.
    fn probe(&self) -> (String, Duration) {
        let began = Instant::now();
        let mut stream = self.connect();
        let Self { address, path } = self;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut beginning = [0; 9];
        stream.read_exact(&mut beginning).unwrap();
        (String::from_utf8_lossy(&beginning).into_owned(), began.elapsed())
    }

    /// Opens connections. Half of them send a part of a head, the others a head and a part of a body.
    fn flood(&self) -> Vec<TcpStream> {
        let Self { address, path } = self;
        let beginnings = [
            format!("POST {path} HTTP/1.1\r\nHost: {address}"),
            format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 9999\r\n\r\n{{"),
        ];
        (0..FLOOD)
            .map(|number| {
                let mut stream = self.connect();
                stream.write_all(beginnings[number % 2].as_bytes()).unwrap();
                stream
            })
            .collect()
    }
}

/// Memory of a process, in KiB.
#[cfg(target_os = "linux")]
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn many_slow_connections_delay_nobody_and_are_closed() {
    let server = Server::start(&["--vendor", "wotnot"]);
    let folder = std::path::Path::new("/");
    let mut receiver = Background::start(folder, &["listen", "wotnot", "--port", "0"]);
    let line = receiver.read_stderr_until("http://");
    let listen = line.trim().rsplit_once("http://").unwrap().1.trim_end_matches('/').to_owned();
    let vendor = server.get("/api/v1/vendors/wotnot");
    let api = vendor["vendor"]["api"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
    let all = [
        (Listener { address: listen, path: "/" }, receiver.id()),
        (Listener { address: server.address.clone(), path: "/healthz" }, server.process.id()),
        (Listener { address: api, path: "/no/such/route" }, server.process.id()),
    ];
    // One connection to each stays open, to see it closed.
    let mut watched = Vec::new();
    let began = Instant::now();
    for (listener, process) in &all {
        assert!(listener.probe().0.starts_with("HTTP/1.1 "));
        let before = memory(*process);
        let mut flood = listener.flood();
        for round in 0..10 {
            // A byte now and then keeps nothing open.
            for stream in flood.iter_mut().skip(round).step_by(10) {
                let _ = stream.write_all(b"a");
            }
            let (beginning, took) = listener.probe();
            assert_eq!(beginning, "HTTP/1.1 ", "{}", listener.address);
            assert!(took < Duration::from_secs(2), "{}: {took:?}", listener.address);
        }
        let grown = memory(*process).saturating_sub(before);
        assert!(grown < 24 * 1024, "{}: {grown} KiB", listener.address);
        flood.truncate(1);
        watched.append(&mut flood);
    }
    // `api_ports` waits until those to the API of a vendor are closed.
    watched.pop();
    // Uploads that do not end share a limited memory.
    let before = memory(server.process.id());
    let part = vec![b'x'; 6 * 1024 * 1024];
    // Buffers have up to twice the size of their content, and freed ones are returned later. Without a
    // limit, the uploads would take 240 MiB at least.
    let limit = 3 * MAX_BUFFERED_BYTES as u64 / 1024;
    let token = format!("Authorization: Bearer {}", server.token);
    for (listener, target) in [(&all[2].0, "/no"), (&all[1].0, "/api/v1/files?name=a.txt")] {
        let upload = |number: usize| {
            let mut stream = listener.connect();
            let address = &listener.address;
            let head = format!(
                "POST {target} HTTP/1.1\r\nHost: {address}\r\n{token}\r\nContent-Length: 8000000\r\n\
                 Content-Type: application/octet-stream\r\nIdempotency-Key: {number}\r\n\r\n"
            );
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&part);
            stream
        };
        let mut uploads: Vec<TcpStream> = (0..UPLOADS).map(upload).collect();
        // The last one is refused at once: it would wait for the rest of its body.
        let waited = Instant::now();
        let _ = uploads[UPLOADS - 1].read(&mut [0; 12]);
        assert!(waited.elapsed() < BODY_TIMEOUT / 2, "{}", listener.address);
        assert_eq!(listener.probe().0, "HTTP/1.1 ");
        let grown = memory(server.process.id()).saturating_sub(before);
        assert!(grown < limit, "{}: {grown} KiB", listener.address);
        drop(uploads);
    }
    for mut stream in watched {
        let mut rest = Vec::new();
        // A response with status 408, or nothing.
        let _ = stream.read_to_end(&mut rest);
        let rest = String::from_utf8_lossy(&rest).into_owned();
        assert!(rest.is_empty() || rest.contains(" 408 "), "{rest}");
    }
    let limit = HEAD_TIMEOUT * 3;
    assert!(began.elapsed() < limit, "{:?}", began.elapsed());
}
