//! The life of connections: header names on the wire, reuse, dead connections, early responses,
//! readiness, and exhaustion of this machine's resources.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;
use standin::base::address::EgressPolicy;
use standin::delivery::{Connector, Http1Client, Request, Transport as _, WireFault};
use standin::policy::WireFormat;
use standin::record::{AttemptOutcome, AttemptResult, Method};

use crate::support::{
    ReceivedRequest, Receiver, Reply, accept, bundled_vendors, play, standin, standin_in, stderr,
    stdout,
};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

fn request(url: &str, body: &str) -> Request {
    Request {
        method: Method::Post,
        url: url.parse().unwrap(),
        headers: vec![("Content-Type".into(), "application/json".into())],
        body: body.into(),
        connect: Duration::from_secs(10),
        total: Duration::from_secs(10),
        fault: None,
        options: std::sync::Arc::default(),
    }
}

fn client() -> Http1Client {
    Http1Client::new(Connector::new(EgressPolicy::default()), WireFormat::default())
}

/// Reads one request with a content length.
fn read_request(stream: &mut TcpStream) -> Option<String> {
    let (mut heard, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&heard).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_ascii_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.unwrap().parse::<usize>().unwrap() {
                return Some(text);
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(count) => heard.extend_from_slice(&chunk[..count]),
        }
    }
}

/// A receiver whose connections are served, one after the other, by `serve` with their number.
fn receiver(serve: impl Fn(usize, TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            serve(number, stream);
        }
    });
    url
}

/// Sends requests one after the other, with a pause that lets a close arrive.
fn send_each(url: &str, bodies: &[&str]) -> Vec<AttemptResult> {
    let (client, runtime) = (client(), tokio::runtime::Runtime::new().unwrap());
    let send = |body: &&str| {
        let result = runtime.block_on(client.send(request(url, body)));
        thread::sleep(Duration::from_millis(100));
        result
    };
    bodies.iter().map(send).collect()
}

/// The names of a head, in order.
fn names(head: &str) -> Vec<&str> {
    head.lines().skip(1).filter_map(|line| Some(line.split_once(": ")?.0)).collect()
}

#[test]
fn header_names_have_each_vendors_case_and_order() {
    for (vendor, expected) in [
        (
            "ebbot",
            &["Accept", "Content-Type", "User-Agent", "Content-Length", "Host", "Connection"][..],
        ),
        (
            "liveperson",
            &[
                "Content-Type",
                "x-liveperson-account-id",
                "x-liveperson-client-id",
                "x-liveperson-signature",
                "Content-Length",
                "Host",
                "Connection",
                "User-Agent",
            ],
        ),
        (
            "wotnot",
            &[
                "Host",
                "User-Agent",
                "Accept",
                "Connection",
                "Authorization",
                "Content-Length",
                "Content-Type",
            ],
        ),
        (
            "erxes",
            &[
                "User-Agent",
                "Accept",
                "Content-Type",
                "Content-Length",
                "Erxes-token",
                "Host",
                "Connection",
            ],
        ),
    ] {
        let labels = ["wotnot", "swiftsell", "replycx"];
        let same = if vendor == "wotnot" { &labels[..] } else { &[vendor] };
        for vendor in same {
            let receiver = Receiver::accepting();
            play("handover").at(vendor).to(&receiver);
            let events = receiver.events();
            assert!(!events.is_empty());
            for request in events {
                assert_eq!(names(&request.head), expected, "{vendor}");
            }
        }
    }
    let known = ["ebbot", "erxes", "liveperson", "replycx", "swiftsell", "wotnot"];
    let all: Vec<String> = bundled_vendors().iter().map(|vendor| vendor.id.clone()).collect();
    assert_eq!(all, known, "a vendor without a row above");
}

#[test]
fn fidelity_shows_which_headers_are_assumed() {
    for (vendor, header) in
        [("ebbot", "User-Agent"), ("liveperson", "User-Agent"), ("wotnot", "User-Agent")]
    {
        let shown = stdout(&standin(&["vendors", vendor, "--fidelity"]));
        let line = shown.lines().find(|line| line.contains(&format!("header {header} ")));
        let line = line.unwrap_or_else(|| panic!("{vendor}: {shown}"));
        assert!(line.contains("assumed") || line.contains("inferred"), "{line}");
    }
}

#[test]
fn a_vendor_reuses_connections_if_its_client_does() {
    for (vendor, reuses) in [("ebbot", true), ("wotnot", false), ("erxes", false)] {
        let (sender, connections) = mpsc::channel();
        let url = receiver(move |_, mut stream| {
            sender.send(()).unwrap();
            thread::spawn(move || {
                while let Some(heard) = read_request(&mut stream) {
                    let (head, body) = heard.split_once("\r\n\r\n").unwrap();
                    let received = ReceivedRequest { head: head.into(), body: body.into() };
                    let Reply::Status(_, body) = accept(&received) else { unreachable!() };
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                    stream.write_all((head + &body).as_bytes()).unwrap();
                }
            });
        });
        let played = play("handover").at(vendor).against(&url);
        let requests = usize::try_from(played.finished.attempts + played.finished.handshakes);
        let connections = connections.try_iter().count();
        assert!(played.finished.attempts > 3);
        assert_eq!(connections, if reuses { 1 } else { requests.unwrap() }, "{vendor}");
    }
}

#[test]
fn a_closed_idle_connection_is_noticed_before_the_first_byte() {
    let (sender, heard) = mpsc::channel();
    let url = receiver(move |number, mut stream| {
        sender.send((number, read_request(&mut stream))).unwrap();
        stream.write_all(OK).unwrap();
    });
    let results = send_each(&url, &["1", "2"]);
    for result in &results {
        assert_eq!(result.status, Some(200), "{result:?}");
        assert!(!result.reconnected, "the request was written once");
        assert!(result.timings.connect_us.is_some());
        assert!(result.timings.first_byte_us.unwrap() <= result.timings.total_us);
    }
    assert_eq!(heard.try_iter().filter(|(_, heard)| heard.is_some()).count(), 2);
}

#[test]
fn a_request_that_is_sent_again_on_a_new_connection_is_reported() {
    let (sender, heard) = mpsc::channel();
    let url = receiver(move |number, mut stream| {
        sender.send((number, read_request(&mut stream).unwrap())).unwrap();
        stream.write_all(OK).unwrap();
        if number == 0 {
            // The second request arrives in full, and the connection closes without a response.
            sender.send((number, read_request(&mut stream).unwrap())).unwrap();
        }
    });
    let results = send_each(&url, &["1", "2"]);
    let reported: Vec<_> =
        results.iter().map(|result| (result.status, result.reconnected)).collect();
    assert_eq!(reported, [(Some(200), false), (Some(200), true)], "{results:?}");
    let heard: Vec<_> = heard.try_iter().map(|(number, text)| (number, text.pop_body())).collect();
    assert_eq!(heard, [(0, '1'), (0, '2'), (1, '2')]);
}

trait PopBody {
    fn pop_body(self) -> char;
}

impl PopBody for String {
    /// The last character.
    fn pop_body(mut self) -> char {
        self.pop().unwrap()
    }
}

#[test]
fn a_request_is_sent_again_once_and_never_after_a_response_has_begun() {
    // The first connection serves one request. The next request on it gets this incomplete response.
    let failing = |response: &'static [u8]| {
        receiver(move |number, mut stream| {
            read_request(&mut stream);
            if number > 0 {
                return; // the new connection is closed as well
            }
            stream.write_all(OK).unwrap();
            read_request(&mut stream);
            let _ = stream.write_all(response);
        })
    };
    let [_, twice] = &send_each(&failing(b""), &["1", "2"])[..] else { panic!() };
    assert_eq!((twice.outcome, twice.reconnected), (AttemptOutcome::Reset, true), "{twice:?}");
    let [_, begun] = &send_each(&failing(b"HTTP/1.1 200 O"), &["1", "2"])[..] else { panic!() };
    assert_eq!((begun.outcome, begun.reconnected), (AttemptOutcome::Reset, false), "{begun:?}");
}

#[test]
fn bytes_on_an_idle_connection_are_not_the_next_response() {
    let url = receiver(|_, mut stream| {
        thread::spawn(move || {
            while read_request(&mut stream).is_some() {
                stream.write_all(OK).unwrap();
                thread::sleep(Duration::from_millis(20));
                // A second response to the same request.
                let _ = stream.write_all(b"HTTP/1.1 500 Stale\r\nContent-Length: 0\r\n\r\n");
            }
        });
    });
    for result in send_each(&url, &["1", "2", "3"]) {
        assert_eq!((result.status, result.reconnected), (Some(200), false), "{result:?}");
    }
}

#[test]
fn a_response_counts_although_the_body_was_not_read() {
    let body = "x".repeat(8 * 1024 * 1024); // more than the sockets hold
    for resets in [false, true] {
        let url = receiver(move |_, mut stream| {
            stream.read_exact(&mut [0; 64]).unwrap();
            stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig").unwrap();
            thread::sleep(Duration::from_millis(50));
            if resets {
                SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
        });
        let (client, runtime) = (client(), tokio::runtime::Runtime::new().unwrap());
        let began = Instant::now();
        let result = runtime.block_on(client.send(request(&url, &body)));
        assert_eq!((result.outcome, result.status), (AttemptOutcome::Responded, Some(413)));
        assert_eq!(result.body.text(), "big");
        assert!(result.early, "{result:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}

#[test]
fn a_response_before_the_request_is_noted() {
    let scenario = "name = 'x'\n[[step]]\nopen = {}\n\
                    [[step]]\nsay = { by = 'visitor', text = 'Hello' }\nfault = ['huge:16MiB']\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("story.toml"), scenario).unwrap();
    let url = receiver(|_, mut stream| {
        let mut head = [0; 16 * 1024];
        let length = stream.read(&mut head).unwrap();
        let head = String::from_utf8_lossy(&head[..length]).to_ascii_lowercase();
        let size = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if size.parse::<usize>().unwrap() < 1024 * 1024 {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            return;
        }
        // The body is larger than what the sockets hold, so that it is never written completely.
        let _ = stream.write_all(b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n");
        thread::sleep(Duration::from_millis(50));
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    let run = ["run", "story.toml", "--vendor", "erxes", "--to", &url];
    let told = stdout(&standin_in(folder.path(), &run));
    assert!(
        told.contains("2 responses came before the request was written; the receiver"),
        "{told}"
    );
    let accepting = Receiver::accepting();
    let run = ["run", "handover", "--vendor", "erxes", "--to", &accepting.url()];
    let told = stdout(&standin_in(folder.path(), &run));
    assert!(!told.contains("came before"), "{told}");
}

#[test]
fn a_slow_body_of_any_size_ends_within_half_of_the_timeout() {
    let url = receiver(|_, mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(OK);
    });
    let (client, runtime) = (client(), tokio::runtime::Runtime::new().unwrap());
    for (size, least) in [(100_000, 1_000), (1_000, 400)] {
        let mut slow = request(&url, &"x".repeat(size));
        (slow.fault, slow.total) = (Some(WireFault::SlowBody), Duration::from_secs(4));
        let result = runtime.block_on(client.send(slow));
        assert_eq!((result.outcome, result.status), (AttemptOutcome::Responded, Some(200)));
        let millis = result.timings.total_ms();
        assert!((least..3_500).contains(&millis), "{size} bytes took {millis} ms");
    }
}

#[test]
fn a_get_has_no_content_length() {
    let (sender, heard) = mpsc::channel();
    let url = receiver(move |_, mut stream| {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).unwrap();
        sender.send(String::from_utf8_lossy(&chunk[..count]).into_owned()).unwrap();
        stream.write_all(OK).unwrap();
    });
    let get = Request { method: Method::Get, ..request(&url, "") };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    assert_eq!(runtime.block_on(client().send(get)).status, Some(200));
    let heard = heard.recv().unwrap();
    assert_eq!(names(heard.split_once("\r\n\r\n").unwrap().0), ["Host", "Content-Type"]);
}

#[test]
fn ready_means_an_http_response() {
    // As a published container port: for a second, connections are accepted and closed.
    let began = Instant::now();
    let url = receiver(move |_, mut stream| {
        if began.elapsed() < Duration::from_secs(1) {
            return;
        }
        thread::spawn(move || {
            let (mut head, mut byte) = (Vec::new(), [0]);
            while stream.read(&mut byte).is_ok_and(|count| count > 0) {
                head.push(byte[0]);
                if head.ends_with(b"\r\n\r\n") {
                    let head = String::from_utf8(std::mem::take(&mut head)).unwrap();
                    // What the application does with requests of this method is its own matter.
                    let status = if head.starts_with("HEAD ") { 405 } else { 200 };
                    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
                    stream.write_all(answer.as_bytes()).unwrap();
                    let length =
                        head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
                    let length: usize = length.map_or(0, |length| length.parse().unwrap());
                    stream.read_exact(&mut vec![0; length]).unwrap();
                }
            }
        });
    });
    let run = ["run", "handover", "--vendor", "ebbot", "--to", &url, "--wait-ready", "20s"];
    let output = standin(&run);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[test]
fn a_port_without_http_is_never_ready() {
    let silent = receiver(|_, stream| std::mem::forget(stream));
    let began = Instant::now();
    let run = ["run", "handover", "--vendor", "ebbot", "--to", &silent, "--wait-ready", "1s"];
    let output = standin(&run);
    assert_eq!(output.status.code(), Some(3), "{}{}", stdout(&output), stderr(&output));
    assert!(
        stderr(&output).contains("is not ready: no response within 1 s"),
        "{}",
        stderr(&output)
    );
    assert!(began.elapsed() < Duration::from_secs(5));
}

/// Runs thirty conversations with few file descriptors. The receiver holds each connection open, so
/// that each conversation needs its own descriptor.
#[cfg(unix)]
fn run_with_few_descriptors(held: Duration) -> Output {
    let url = receiver(move |_, mut stream| {
        thread::spawn(move || {
            read_request(&mut stream);
            thread::sleep(held);
            let _ = stream.write_all(OK);
        });
    });
    let folder = tempfile::tempdir().unwrap();
    // One delivery for each conversation
    std::fs::write(folder.path().join("story.toml"), "[[step]]\nopen = {}\n").unwrap();
    let command = format!(
        "ulimit -n 24; exec {} run story.toml --vendor ebbot --conversations 30 --json --to {url}",
        env!("CARGO_BIN_EXE_standin")
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &command]).current_dir(folder.path()).env_clear().output().unwrap()
}

#[cfg(unix)]
#[test]
fn a_connection_waits_for_a_file_descriptor() {
    let output = run_with_few_descriptors(Duration::from_millis(20));
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(!stdout(&output).contains("\"outcome\":\"local_error\""), "{}", stdout(&output));
}

#[cfg(unix)]
#[test]
fn exhausted_file_descriptors_are_a_local_error() {
    let output = run_with_few_descriptors(Duration::from_secs(60));
    let records = stdout(&output);
    let local = records.lines().find(|line| line.contains("\"outcome\":\"local_error\""));
    let local = local.unwrap_or_else(|| panic!("{records}{}", stderr(&output)));
    assert!(local.contains("this machine ran out of file descriptors"), "{local}");
    assert!(!records.contains("\"unreachable\""), "{records}");
    assert_eq!(output.status.code(), Some(3), "the receiver is not to blame: {records}");
}
