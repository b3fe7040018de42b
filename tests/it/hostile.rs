//! Receivers that do what no receiver should, against both transports: each attempt is one request,
//! meets what is called by its name, ends in time, and reads no more than it must.
//!
//! A row of the table is a test.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use standin::base::address::EgressPolicy;
use standin::base::limits::MAX_ANSWER;
use standin::delivery::{Connector, NetworkTransport, Request, Transport as _};
use standin::record::{AttemptOutcome, AttemptResult, Method};

use crate::support::{Hostile, Line};

/// How long an attempt has that is to run out of time.
const SHORT: Duration = Duration::from_secs(1);
/// How long one has that is not.
const LONG: Duration = Duration::from_secs(60);
/// No pause.
const NONE: Duration = Duration::ZERO;
/// A little at a time.
const DRIP: Duration = Duration::from_millis(20);
/// Much at a time.
static MUCH: [u8; 65_536] = [b'x'; 65_536];
/// What a sender's and a receiver's socket may hold between them, which nobody has read.
const IN_SOCKETS: usize = 24 * 1024 * 1024;

/// Sends one request by each transport: the default one, and the one that writes itself.
fn meet(url: &str, limit: impl Fn(&mut Request)) -> [AttemptResult; 2] {
    let mut request = Request {
        method: Method::Post,
        url: url.parse().unwrap(),
        headers: vec![("Content-Type".into(), "application/json".into())],
        body: format!("[{}]", "1,".repeat(50_000) + "1").into(),
        connect: LONG,
        total: LONG,
        fault: None,
    };
    limit(&mut request);
    let connector = Connector::new(EgressPolicy::default());
    let order = ["Host", "Content-Type", "Content-Length"].map(str::to_owned);
    let (http, wire) = (
        NetworkTransport::new(connector.clone(), None),
        NetworkTransport::new(connector, Some(&order)),
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (http, wire) = tokio::join!(http.send(request.clone()), wire.send(request));
        [http, wire]
    })
}

/// Gives an attempt that is to run out of time little of it.
fn limit(outcome: AttemptOutcome) -> impl Fn(&mut Request) {
    move |request| match outcome {
        AttemptOutcome::TimeoutConnect => request.connect = SHORT,
        AttemptOutcome::TimeoutHead | AttemptOutcome::TimeoutBody => request.total = SHORT,
        _ => {}
    }
}

fn check(receiver: &Hostile, scheme: &str, outcome: AttemptOutcome, status: Option<u16>) {
    for result in meet(&receiver.url(scheme), limit(outcome)) {
        assert_eq!((result.outcome, result.status), (outcome, status), "{result:?}");
        assert!(result.body.len() <= MAX_ANSWER);
        assert_eq!(result.reason.is_none(), outcome == AttemptOutcome::Responded, "{result:?}");
        let is_strange =
            result.reason.is_some_and(|why| why.starts_with("this is no HTTP/1.1 answer"));
        assert_eq!(is_strange, outcome == AttemptOutcome::Protocol);
    }
    assert_eq!(receiver.connections(), 2, "each attempt is one connection");
    assert!(receiver.requests() <= 2, "each attempt is at most one request");
    // What runs out of time may go on reading until then; it keeps nothing of it.
    let is_late = outcome == AttemptOutcome::TimeoutHead;
    assert!(
        is_late || receiver.written() < 2 * IN_SOCKETS,
        "{} bytes were read",
        receiver.written()
    );
}

macro_rules! hostile {
    ($($name:ident($scheme:literal): $does:expr => $outcome:ident $(, $status:literal)?;)*) => { $(
        #[test]
        fn $name() {
            let status: Option<u16> = None $(.or(Some($status)))?;
            check(&Hostile::that($does), $scheme, AttemptOutcome::$outcome, status);
        }
    )* };
}

hostile! {
    // too slow
    never_answers("http"): |line| line.hear().wait() => TimeoutHead;
    never_reads("http"): |_| sleep(Duration::from_secs(30)) => TimeoutHead;
    stalls_in_the_head("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nContent-"); line.wait(); } => TimeoutHead;
    drips_the_head("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nX: "); line.say_forever(b"x", DRIP); } => TimeoutHead;
    says_continue_for_ever("http"): |line| line.hear().say_forever(b"HTTP/1.1 100 Continue\r\n\r\n", NONE) => TimeoutHead;
    stalls_after_the_head("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"); line.wait(); } => TimeoutBody, 200;
    drips_the_body("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\n\r\n"); line.say_forever(b"x", DRIP); } => TimeoutBody, 200;
    stalls_in_a_chunk("http"): |line| { line.hear().say("HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"); line.wait(); } => TimeoutBody, 500;

    // goes away
    closes_at_once("http"): |_| {} => Reset;
    closes_without_an_answer("http"): |line| line.hear().close() => Reset;
    closes_in_the_head("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nContent-Le"); line.close(); } => Reset;
    resets_without_an_answer("http"): |line| line.hear().reset() => Reset;
    closes_in_the_body("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"); line.close(); } => BodyIncomplete, 200;
    resets_in_the_body("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"); line.reset(); } => BodyIncomplete, 200;
    resets_where_the_close_is_the_end("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\n\r\nabc"); line.reset(); } => BodyIncomplete, 200;
    closes_in_a_chunk("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"); line.close(); } => BodyIncomplete, 200;
    answers_with_status_zero("http"): |line| { line.hear().say("HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n"); line.close(); } => Protocol;
    closes_between_chunks("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"); line.close(); } => BodyIncomplete, 200;
    promises_more_than_there_is("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999\r\n\r\nabc"); line.close(); } => BodyIncomplete, 200;

    // speaks something else
    speaks_no_http("http"): |line| { line.hear().say("this is no HTTP\r\n\r\n"); line.close(); } => Protocol;
    speaks_no_http_and_waits("http"): |line| { line.hear().say("220 mail.example.test ESMTP\r\n"); line.wait(); } => Protocol;
    speaks_bytes("http"): |line| { line.hear().say([0, 255, 13, 10, 0]); line.close(); } => Protocol;
    speaks_http_9("http"): |line| { line.hear().say("HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n"); line.close(); } => Protocol;
    speaks_in_lower_case("http"): |line| { line.hear().say("http/1.1 200 ok\r\nContent-Length: 0\r\n\r\n"); line.close(); } => Protocol;
    has_a_status_of_four_digits("http"): |line| { line.hear().say("HTTP/1.1 1000 OK\r\nContent-Length: 0\r\n\r\n"); line.close(); } => Protocol;
    has_no_status("http"): |line| { line.hear().say("HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n"); line.close(); } => Protocol;
    has_two_lengths("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"); line.close(); } => Protocol;
    has_a_negative_length("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc"); line.close(); } => Protocol;
    has_a_length_beyond_numbers("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nabc"); line.close(); } => Protocol;
    has_a_control_character_in_a_header("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n"); line.close(); } => Protocol;
    has_a_space_in_a_name("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nX Y: a\r\nContent-Length: 0\r\n\r\n"); line.close(); } => Protocol;
    has_a_chunk_without_size("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n"); line.close(); } => Protocol, 200;
    has_a_chunk_longer_than_it_says("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n"); line.close(); } => Protocol, 200;

    // says too much
    has_five_thousand_headers("http"): |line| { let many = "X: y\r\n".repeat(5_000); line.hear().say(format!("HTTP/1.1 200 OK\r\n{many}\r\n")); line.close(); } => HeadTooLarge;
    has_a_header_of_two_megabytes("http"): |line| { let long = "y".repeat(2_000_000); line.hear().say(format!("HTTP/1.1 200 OK\r\nX: {long}\r\n\r\n")); line.close(); } => HeadTooLarge;
    has_a_header_without_end("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nX: "); line.say_forever(&MUCH, NONE); } => HeadTooLarge;
    has_a_body_without_end("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\n\r\n"); line.say_forever(&MUCH, NONE); } => Responded, 200;
    has_a_body_of_a_terabyte("http"): |line| { line.hear().say("HTTP/1.1 201 OK\r\nContent-Length: 1099511627776\r\n\r\n"); line.say_forever(&MUCH, NONE); } => Responded, 201;
    has_chunks_without_end("http"): |line| { line.hear().say("HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n"); line.say_forever(b"10\r\n0123456789abcdef\r\n", NONE); } => Responded, 500;
    has_a_chunk_size_without_end("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;"); line.say_forever(&MUCH, NONE); } => Protocol, 200;
    has_a_gzip_bomb("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 200000\r\n\r\n\x1f"); line.say(vec![0; 199_999]); line.close(); } => Responded, 200;

    // is odd, and still HTTP
    has_a_status_of_its_own("http"): |line| { line.hear().say("HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"); line.close(); } => Responded, 999;
    refuses("http"): |line| { line.hear().say("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"); line.close(); } => Responded, 403;
    is_gone("http"): |line| { line.hear().say("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"); line.close(); } => Responded, 410;
    has_enough("http"): |line| { line.hear().say("HTTP/1.1 429 Slow\r\nRetry-After: 999999999\r\nContent-Length: 0\r\n\r\n"); line.close(); } => Responded, 429;
    answers_before_it_has_read("http"): |line| { line.hear_some().say("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"); line.hear().close(); } => Responded, 413;
    continues_first("http"): |line| { line.hear().say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); line.close(); } => Responded, 200;
    answers_twice("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"); line.close(); } => Responded, 200;
    speaks_http_1_0("http"): |line| { line.hear().say("HTTP/1.0 200 OK\r\n\r\nhello"); line.close(); } => Responded, 200;
    has_a_length_and_chunks("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"); line.close(); } => Responded, 200;
    has_a_body_where_none_belongs("http"): |line| { line.hear().say("HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\nhello"); line.close(); } => Responded, 204;
    has_the_same_length_twice("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"); line.close(); } => Responded, 200;
    has_trailers("http"): |line| { line.hear().say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n"); line.close(); } => Responded, 200;
    ends_lines_in_its_own_way("http"): |line| { line.hear().say("HTTP/1.1 200 OK\nContent-Length: 2\n\nok"); line.close(); } => Responded, 200;
    drips_everything("http"): |line| { line.hear(); for byte in "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".bytes() { line.say([byte]); } line.close(); } => Responded, 200;

    // speaks no TLS
    speaks_http_where_tls_is_wanted("https"): |line| { line.say("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"); line.wait(); } => Tls;
    closes_where_tls_is_wanted("https"): Line::close => Tls;
    speaks_an_old_tls("https"): |line| { line.say([0x15, 3, 1, 0, 2, 2, 70]); line.wait(); } => Tls;
    waits_where_tls_is_wanted("https"): Line::wait => TimeoutConnect;
}

/// Where each of these redirects points is told, and nobody goes there.
#[test]
fn redirects() {
    let receiver = Hostile::that(|line| {
        line.hear().say("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n");
        line.close();
    });
    for result in meet(&receiver.url("http"), |_| {}) {
        assert_eq!((result.outcome, result.status), (AttemptOutcome::Responded, Some(302)));
        assert_eq!(result.location.as_deref(), Some("http://169.254.169.254/latest"));
    }
    assert_eq!(receiver.requests(), 2);
}

#[test]
fn does_not_listen() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    for result in meet(&url, |_| {}) {
        assert_eq!(result.outcome, AttemptOutcome::Refused, "{result:?}");
    }
}

#[cfg(target_os = "linux")] // elsewhere a full backlog refuses
#[test]
fn has_no_room_for_a_connection() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let _fills_the_backlog = std::net::TcpStream::connect(address).unwrap();
    for result in meet(&format!("http://{address}/"), |request| request.connect = SHORT) {
        assert_eq!(result.outcome, AttemptOutcome::TimeoutConnect, "{result:?}");
    }
    // Where both limits are the same, it is still the connection that was not made.
    let both = |request: &mut Request| (request.connect, request.total) = (SHORT, SHORT);
    for result in meet(&format!("http://{address}/"), both) {
        assert_eq!(result.outcome, AttemptOutcome::TimeoutConnect, "{result:?}");
    }
}

#[test]
fn a_hung_receiver_does_not_starve_another() {
    let hung = Hostile::that(|line| line.hear().wait());
    let healthy = Hostile::that(|line| {
        line.hear().say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        line.close();
    });
    let request = |receiver: &Hostile, total| Request {
        method: Method::Post,
        url: receiver.url("http").parse().unwrap(),
        headers: Vec::new(),
        body: "{}".into(),
        connect: LONG,
        total,
        fault: None,
    };
    for order in [None, Some(["Host".to_owned()])] {
        let order = order.as_ref().map(<[String; 1]>::as_slice);
        let net = Arc::new(NetworkTransport::new(Connector::new(EgressPolicy::default()), order));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let waiting: Vec<_> = (0..256)
                .map(|_| {
                    let (net, request) = (Arc::clone(&net), request(&hung, LONG));
                    tokio::spawn(async move { net.send(request).await })
                })
                .collect();
            for _ in 0..32 {
                let result = net.send(request(&healthy, LONG)).await;
                assert_eq!(result.status, Some(200), "{result:?}");
            }
            assert!(waiting.iter().all(|task| !task.is_finished()));
            waiting.iter().for_each(tokio::task::JoinHandle::abort);
        });
    }
    assert_eq!(healthy.requests(), 64);
}
