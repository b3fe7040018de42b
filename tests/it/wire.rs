//! The bytes of requests: kept connections, and requests with wire faults.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use standin::base::address::EgressPolicy;
use standin::delivery::{Connector, Http1Client, Request, Transport as _, WireFault};
use standin::policy::WireFormat;
use standin::record::{AttemptOutcome, AttemptResult, Method};

use crate::support::{Connection, Hostile, path, standin_in, stderr};

fn send(net: &Http1Client, url: &str, connection: &str, fault: Option<WireFault>) -> AttemptResult {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let request = Request {
        method: Method::Post,
        url: url.parse().unwrap(),
        headers: vec![header("X-Two", "2"), header("Connection", connection), header("X-One", "1")],
        body: "0123456789".repeat(20).into(),
        connect: Duration::from_secs(60),
        total: Duration::from_secs(60),
        fault,
        options: std::sync::Arc::default(),
    };
    tokio::runtime::Handle::current().block_on(net.send(request))
}

fn http1_transport() -> Http1Client {
    let order = ["X-One", "Content-Length", "Connection", "Host"].map(str::to_owned);
    client(WireFormat { header_order: order.into(), ..WireFormat::default() })
}

fn client(wire: WireFormat) -> Http1Client {
    Http1Client::new(Connector::new(EgressPolicy::default()), wire)
}

/// Number of connections for three requests, each sent after the response to the previous one.
fn connections(connection: &str, serve: fn(&mut Connection)) -> usize {
    let receiver = Hostile::new(serve);
    let net = http1_transport();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    for _ in 0..3 {
        let result = send(&net, &receiver.url("http"), connection, None);
        assert_eq!(
            (result.outcome, result.status),
            (AttemptOutcome::Responded, Some(200)),
            "{result:?}"
        );
        thread::sleep(Duration::from_millis(100)); // an end of the connection has come by then
    }
    assert_eq!(receiver.requests(), 3);
    receiver.connections()
}

#[test]
fn a_connection_is_kept_if_both_sides_allow_it() {
    let plain: fn(&mut Connection) =
        |connection| connection.serve("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let chunked: fn(&mut Connection) = |connection| {
        connection
            .serve("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    };
    let closes: fn(&mut Connection) = |connection| {
        connection.serve("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n");
    };
    let too_much: fn(&mut Connection) = |connection| {
        connection.serve("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 No\r\n\r\n");
    };
    let closes_silently: fn(&mut Connection) = |connection| {
        connection.read_request().write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    };
    assert_eq!(connections("keep-alive", plain), 1);
    assert_eq!(connections("keep-alive", chunked), 1);
    assert_eq!(connections("close", plain), 3);
    assert_eq!(connections("keep-alive", closes), 3);
    assert_eq!(connections("keep-alive", too_much), 3);
    assert_eq!(connections("keep-alive", closes_silently), 3);
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The sender closed its side.
    Closed,
    /// The sender waits for a response.
    Waits,
    /// The sender reset the connection.
    Reset,
}

/// The bytes received over one connection, and the number of pieces.
struct Heard {
    text: String,
    pieces: usize,
    end: End,
}

/// Reads until no more bytes arrive, then responds.
fn read_until_end(mut stream: TcpStream) -> Heard {
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let (mut bytes, mut pieces) = (Vec::new(), 0);
    let end = loop {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk) {
            Ok(0) => break End::Closed,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break End::Reset,
            Err(_) => break End::Waits,
        }
        pieces += 1;
    };
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    Heard { text: String::from_utf8(bytes).unwrap(), pieces, end }
}

/// The bytes of a request with this fault, and the result of the attempt.
fn received_with_fault(net: &Http1Client, fault: Option<WireFault>) -> (Heard, AttemptResult) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let hearing = thread::spawn(move || read_until_end(listener.accept().unwrap().0));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let result = send(net, &format!("http://{address}/a%20b?c=d#e"), "close", fault);
    let heard = hearing.join().unwrap();
    let text = heard.text.replace(&address.to_string(), "receiver");
    (Heard { text, ..heard }, result)
}

const BODY: &str = "01234567890123456789012345678901234567890123456789\
                    01234567890123456789012345678901234567890123456789\
                    01234567890123456789012345678901234567890123456789\
                    01234567890123456789012345678901234567890123456789";

/// A complete request with this framing header and this text after the head.
fn complete_request(framing: &str, body: &str) -> String {
    format!(
        "POST /a%20b?c=d HTTP/1.1\r\nX-One: 1\r\n{framing}\r\nConnection: close\r\n\
         Host: receiver\r\nX-Two: 2\r\n\r\n{body}"
    )
}

fn faulty(fault: &WireFault, expected: &str, end: End) -> Heard {
    let (heard, result) = received_with_fault(&http1_transport(), Some(fault.clone()));
    assert_eq!((heard.text.as_str(), heard.end), (expected, end), "{fault:?}");
    let outcome = if end == End::Reset { AttemptOutcome::Reset } else { AttemptOutcome::Responded };
    assert_eq!(result.outcome, outcome, "{fault:?}: {result:?}");
    heard
}

#[test]
fn header_names_have_the_vendors_order_and_case() {
    let (heard, result) = received_with_fault(&http1_transport(), None);
    assert_eq!(heard.text, complete_request("Content-Length: 200", BODY));
    assert_eq!((result.outcome, heard.end), (AttemptOutcome::Responded, End::Waits));
}

#[test]
fn without_an_order_host_is_first_and_the_length_last() {
    let default = client(WireFormat::default());
    let (plain, _) = received_with_fault(&default, None);
    let head = "POST /a%20b?c=d HTTP/1.1\r\nHost: receiver\r\nX-Two: 2\r\nConnection: close\r\n\
                X-One: 1\r\nContent-Length: 200\r\n\r\n";
    assert_eq!(plain.text, format!("{head}{BODY}"));
    let (slow, _) = received_with_fault(&default, Some(WireFault::SlowBody));
    assert_eq!(plain.text, slow.text, "a fault changes nothing else");
}

#[test]
fn a_body_can_be_truncated() {
    let cut = complete_request("Content-Length: 200", &BODY[..100]);
    faulty(&WireFault::BodyCut, &cut, End::Closed);
}

#[test]
fn a_connection_can_be_reset_in_the_body() {
    let cut = complete_request("Content-Length: 200", &BODY[..100]);
    faulty(&WireFault::ResetInBody, &cut, End::Reset);
}

#[test]
fn a_content_length_can_be_wrong() {
    faulty(&WireFault::LengthLonger, &complete_request("Content-Length: 201", BODY), End::Waits);
    faulty(&WireFault::LengthShorter, &complete_request("Content-Length: 199", BODY), End::Waits);
}

#[test]
fn a_body_can_be_sent_slowly() {
    let heard =
        faulty(&WireFault::SlowBody, &complete_request("Content-Length: 200", BODY), End::Waits);
    assert!(heard.pieces > 2, "{} pieces", heard.pieces);
}

#[test]
fn a_body_can_be_chunked() {
    let chunks = format!("64\r\n{}\r\n64\r\n{}\r\n0\r\n\r\n", &BODY[..100], &BODY[100..]);
    faulty(
        &WireFault::Chunked,
        &complete_request("Transfer-Encoding: chunked", &chunks),
        End::Waits,
    );
}

#[test]
fn a_header_can_be_duplicated() {
    let twice =
        complete_request("Content-Length: 200", BODY).replace("X-One: 1", "X-One: 1\r\nX-One: 1");
    faulty(&WireFault::HeaderTwice("x-one".into()), &twice, End::Waits);
}

#[test]
fn a_header_order_must_be_complete() {
    let broken = |wire: &str| {
        let folder = tempfile::tempdir().unwrap();
        let ours = path("tests/vendors/parlour/vendor.toml");
        let ours = std::fs::read_to_string(ours).unwrap();
        let line = ours.lines().find(|connection| connection.starts_with("wire ")).unwrap();
        let file = folder.path().join("vendor.toml");
        std::fs::write(file, ours.replace(line, &format!("wire = {wire}"))).unwrap();
        let output = standin_in(folder.path(), &["check", "."]);
        assert_eq!(output.status.code(), Some(2));
        stderr(&output)
    };
    let told = broken("['Host', 'Content-length', 'Host', 'X-Parlour-Key']");
    for wrong in [
        "unknown header `Content-length` in `wire`",
        "did you mean `Content-Length`?",
        "duplicate header `Host` in `wire`",
        "`wire` does not list the header `Content-Type`",
    ] {
        assert!(told.contains(wrong), "{told}");
    }
}
