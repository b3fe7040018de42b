//! Misbehaving receivers: each attempt is one request on one connection, has the expected outcome,
//! ends before its timeout, and reads a limited amount.
//!
//! Each row of the table is a test.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use standin::base::address::EgressPolicy;
use standin::base::limits::MAX_RESPONSE_BODY;
use standin::delivery::{Connector, Http1Client, Request, Transport as _};
use standin::policy::WireFormat;
use standin::record::{AttemptOutcome, AttemptResult, Method};

use crate::support::{Connection, Hostile};

/// Time limit of an attempt that is expected to time out.
const SHORT: Duration = Duration::from_secs(1);
/// Time limit of an attempt that is not expected to time out.
const LONG: Duration = Duration::from_secs(60);
/// No pause between writes.
const NONE: Duration = Duration::ZERO;
/// A small pause between writes.
const DRIP: Duration = Duration::from_millis(20);
/// A large chunk.
static MUCH: [u8; 65_536] = [b'x'; 65_536];
/// Bytes that the buffers of both sockets may hold without being read.
const IN_SOCKETS: usize = 24 * 1024 * 1024;

/// Sends one request in the default header order and one in a vendor's order.
fn send_in_each_order(url: &str, limit: impl Fn(&mut Request)) -> [AttemptResult; 2] {
    let mut request = Request {
        method: Method::Post,
        url: url.parse().unwrap(),
        headers: vec![("Content-Type".into(), "application/json".into())],
        body: format!("[{}]", "1,".repeat(50_000) + "1").into(),
        connect: LONG,
        total: LONG,
        fault: None,
        options: std::sync::Arc::default(),
    };
    limit(&mut request);
    let connector = Connector::new(EgressPolicy::default());
    let header_order = ["Content-Length", "Host", "Content-Type"].map(str::to_owned).into();
    let ordered = WireFormat { header_order, ..WireFormat::default() };
    let clients =
        [WireFormat::default(), ordered].map(|wire| Http1Client::new(connector.clone(), wire));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (one, other) = tokio::join!(clients[0].send(request.clone()), clients[1].send(request));
        [one, other]
    })
}

/// Shortens the time limit of an attempt that is expected to time out.
fn limit_time(outcome: AttemptOutcome) -> impl Fn(&mut Request) {
    move |request| match outcome {
        AttemptOutcome::TimeoutConnect => request.connect = SHORT,
        AttemptOutcome::TimeoutHead | AttemptOutcome::TimeoutBody => request.total = SHORT,
        _ => {}
    }
}

fn check_results(receiver: &Hostile, scheme: &str, outcome: AttemptOutcome, status: Option<u16>) {
    for result in send_in_each_order(&receiver.url(scheme), limit_time(outcome)) {
        assert_eq!((result.outcome, result.status), (outcome, status), "{result:?}");
        assert!(result.body.len() <= MAX_RESPONSE_BODY);
        assert_eq!(result.reason.is_none(), outcome == AttemptOutcome::Responded, "{result:?}");
        let is_strange =
            result.reason.is_some_and(|why| why.starts_with("the response is not valid HTTP/1.1"));
        assert_eq!(is_strange, outcome == AttemptOutcome::Protocol);
    }
    assert_eq!(receiver.connections(), 2, "each attempt is one connection");
    assert!(receiver.requests() <= 2, "each attempt is at most one request");
    // Until it times out, an attempt may read more, but it does not keep it.
    let is_late = outcome == AttemptOutcome::TimeoutHead;
    assert!(
        is_late || receiver.written() < 2 * IN_SOCKETS,
        "{} bytes were read",
        receiver.written()
    );
}

macro_rules! hostile {
    ($($name:ident($scheme:literal): $behavior:expr => $outcome:ident $(, $status:literal)?;)*) => { $(
        #[test]
        fn $name() {
            let status: Option<u16> = None $(.or(Some($status)))?;
            check_results(&Hostile::new($behavior), $scheme, AttemptOutcome::$outcome, status);
        }
    )* };
}

hostile! {
    // Too slow.
    never_answers("http"): |connection| connection.read_request().wait() => TimeoutHead;
    never_reads("http"): |_| sleep(Duration::from_secs(30)) => TimeoutHead;
    stalls_in_the_head("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nContent-"); connection.wait(); } => TimeoutHead;
    drips_the_head("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nX: "); connection.write_forever(b"x", DRIP); } => TimeoutHead;
    says_continue_for_ever("http"): |connection| connection.read_request().write_forever(b"HTTP/1.1 100 Continue\r\n\r\n", NONE) => TimeoutHead;
    stalls_after_the_head("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"); connection.wait(); } => TimeoutBody, 200;
    drips_the_body("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\n\r\n"); connection.write_forever(b"x", DRIP); } => TimeoutBody, 200;
    stalls_in_a_chunk("http"): |connection| { connection.read_request().write("HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"); connection.wait(); } => TimeoutBody, 500;

    // Closes the connection.
    closes_at_once("http"): |_| {} => Reset;
    closes_without_an_answer("http"): |connection| connection.read_request().close() => Reset;
    closes_in_the_head("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nContent-Le"); connection.close(); } => Reset;
    resets_without_an_answer("http"): |connection| connection.read_request().reset() => Reset;
    closes_in_the_body("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"); connection.close(); } => BodyIncomplete, 200;
    resets_in_the_body("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"); connection.reset(); } => BodyIncomplete, 200;
    resets_where_the_close_is_the_end("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\n\r\nabc"); connection.reset(); } => BodyIncomplete, 200;
    closes_in_a_chunk("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"); connection.close(); } => BodyIncomplete, 200;
    answers_with_status_zero("http"): |connection| { connection.read_request().write("HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n"); connection.close(); } => Protocol;
    closes_between_chunks("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"); connection.close(); } => BodyIncomplete, 200;
    promises_more_than_there_is("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999\r\n\r\nabc"); connection.close(); } => BodyIncomplete, 200;

    // Not HTTP/1.1.
    speaks_no_http("http"): |connection| { connection.read_request().write("this is no HTTP\r\n\r\n"); connection.close(); } => Protocol;
    speaks_no_http_and_waits("http"): |connection| { connection.read_request().write("220 mail.example.test ESMTP\r\n"); connection.wait(); } => Protocol;
    speaks_bytes("http"): |connection| { connection.read_request().write([0, 255, 13, 10, 0]); connection.close(); } => Protocol;
    speaks_http_9("http"): |connection| { connection.read_request().write("HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n"); connection.close(); } => Protocol;
    speaks_in_lower_case("http"): |connection| { connection.read_request().write("http/1.1 200 ok\r\nContent-Length: 0\r\n\r\n"); connection.close(); } => Protocol;
    has_a_status_of_four_digits("http"): |connection| { connection.read_request().write("HTTP/1.1 1000 OK\r\nContent-Length: 0\r\n\r\n"); connection.close(); } => Protocol;
    has_no_status("http"): |connection| { connection.read_request().write("HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n"); connection.close(); } => Protocol;
    has_two_lengths("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"); connection.close(); } => Protocol;
    has_a_negative_length("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc"); connection.close(); } => Protocol;
    has_a_length_beyond_numbers("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nabc"); connection.close(); } => Protocol;
    has_a_control_character_in_a_header("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n"); connection.close(); } => Protocol;
    has_a_space_in_a_name("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nX Y: a\r\nContent-Length: 0\r\n\r\n"); connection.close(); } => Protocol;
    has_a_chunk_without_size("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n"); connection.close(); } => Protocol, 200;
    has_a_chunk_longer_than_it_says("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n"); connection.close(); } => Protocol, 200;

    // Too long.
    has_five_thousand_headers("http"): |connection| { let many = "X: y\r\n".repeat(5_000); connection.read_request().write(format!("HTTP/1.1 200 OK\r\n{many}\r\n")); connection.close(); } => HeadTooLarge;
    has_a_header_of_two_megabytes("http"): |connection| { let long = "y".repeat(2_000_000); connection.read_request().write(format!("HTTP/1.1 200 OK\r\nX: {long}\r\n\r\n")); connection.close(); } => HeadTooLarge;
    has_a_header_without_end("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nX: "); connection.write_forever(&MUCH, NONE); } => HeadTooLarge;
    has_a_body_without_end("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\n\r\n"); connection.write_forever(&MUCH, NONE); } => Responded, 200;
    has_a_body_of_a_terabyte("http"): |connection| { connection.read_request().write("HTTP/1.1 201 OK\r\nContent-Length: 1099511627776\r\n\r\n"); connection.write_forever(&MUCH, NONE); } => Responded, 201;
    has_chunks_without_end("http"): |connection| { connection.read_request().write("HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n"); connection.write_forever(b"10\r\n0123456789abcdef\r\n", NONE); } => Responded, 500;
    has_a_chunk_size_without_end("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;"); connection.write_forever(&MUCH, NONE); } => Protocol, 200;
    has_a_gzip_bomb("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 200000\r\n\r\n\x1f"); connection.write(vec![0; 199_999]); connection.close(); } => Responded, 200;

    // Unusual but valid HTTP.
    has_a_status_of_its_own("http"): |connection| { connection.read_request().write("HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"); connection.close(); } => Responded, 999;
    refuses("http"): |connection| { connection.read_request().write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"); connection.close(); } => Responded, 403;
    is_gone("http"): |connection| { connection.read_request().write("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"); connection.close(); } => Responded, 410;
    has_enough("http"): |connection| { connection.read_request().write("HTTP/1.1 429 Slow\r\nRetry-After: 999999999\r\nContent-Length: 0\r\n\r\n"); connection.close(); } => Responded, 429;
    answers_before_it_has_read("http"): |connection| { connection.read_some().write("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"); connection.read_request().close(); } => Responded, 413;
    continues_first("http"): |connection| { connection.read_request().write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); connection.close(); } => Responded, 200;
    answers_twice("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"); connection.close(); } => Responded, 200;
    speaks_http_1_0("http"): |connection| { connection.read_request().write("HTTP/1.0 200 OK\r\n\r\nhello"); connection.close(); } => Responded, 200;
    has_a_length_and_chunks("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"); connection.close(); } => Responded, 200;
    has_a_body_where_none_belongs("http"): |connection| { connection.read_request().write("HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\nhello"); connection.close(); } => Responded, 204;
    has_the_same_length_twice("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"); connection.close(); } => Responded, 200;
    has_trailers("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n"); connection.close(); } => Responded, 200;
    ends_lines_in_its_own_way("http"): |connection| { connection.read_request().write("HTTP/1.1 200 OK\nContent-Length: 2\n\nok"); connection.close(); } => Responded, 200;
    drips_everything("http"): |connection| { connection.read_request(); for byte in "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".bytes() { connection.write([byte]); } connection.close(); } => Responded, 200;

    // No TLS.
    speaks_http_where_tls_is_wanted("https"): |connection| { connection.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"); connection.wait(); } => Tls;
    closes_where_tls_is_wanted("https"): Connection::close => Tls;
    speaks_an_old_tls("https"): |connection| { connection.write([0x15, 3, 1, 0, 2, 2, 70]); connection.wait(); } => Tls;
    waits_where_tls_is_wanted("https"): Connection::wait => TimeoutConnect;
}

/// A redirect reports its target and is not followed.
#[test]
fn redirects() {
    let receiver = Hostile::new(|connection| {
        connection.read_request().write("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n");
        connection.close();
    });
    for result in send_in_each_order(&receiver.url("http"), |_| {}) {
        assert_eq!((result.outcome, result.status), (AttemptOutcome::Responded, Some(302)));
        assert_eq!(result.location.as_deref(), Some("http://169.254.169.254/latest"));
    }
    assert_eq!(receiver.requests(), 2);
}

#[test]
fn refuses_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    for result in send_in_each_order(&url, |_| {}) {
        assert_eq!(result.outcome, AttemptOutcome::Refused, "{result:?}");
    }
}

#[cfg(target_os = "linux")] // elsewhere a full backlog refuses
#[test]
fn has_a_full_backlog() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let _fills_the_backlog = std::net::TcpStream::connect(address).unwrap();
    for result in
        send_in_each_order(&format!("http://{address}/"), |request| request.connect = SHORT)
    {
        assert_eq!(result.outcome, AttemptOutcome::TimeoutConnect, "{result:?}");
    }
    // With equal limits, the outcome is still the missing connection.
    let both = |request: &mut Request| (request.connect, request.total) = (SHORT, SHORT);
    for result in send_in_each_order(&format!("http://{address}/"), both) {
        assert_eq!(result.outcome, AttemptOutcome::TimeoutConnect, "{result:?}");
    }
}

#[test]
fn a_hung_receiver_does_not_starve_another() {
    let hung = Hostile::new(|connection| connection.read_request().wait());
    let healthy = Hostile::new(|connection| {
        connection.read_request().write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        connection.close();
    });
    let request = |receiver: &Hostile, total| Request {
        method: Method::Post,
        url: receiver.url("http").parse().unwrap(),
        headers: Vec::new(),
        body: "{}".into(),
        connect: LONG,
        total,
        fault: None,
        options: std::sync::Arc::default(),
    };
    let client = Http1Client::new(Connector::new(EgressPolicy::default()), WireFormat::default());
    let client = Arc::new(client);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let waiting: Vec<_> = (0..256)
            .map(|_| {
                let (client, request) = (Arc::clone(&client), request(&hung, LONG));
                tokio::spawn(async move { client.send(request).await })
            })
            .collect();
        for _ in 0..32 {
            let result = client.send(request(&healthy, LONG)).await;
            assert_eq!(result.status, Some(200), "{result:?}");
        }
        assert!(waiting.iter().all(|task| !task.is_finished()));
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
    });
    assert_eq!(healthy.requests(), 32);
}
