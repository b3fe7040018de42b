//! CPU time per request: `cargo bench --bench transport [REQUESTS]`.
//!
//! Two tables. The first measures the transport alone against a receiver in this process, with kept
//! connections and with a connection for each request. The second measures whole runs of the
//! command against `oha` with a fixed body of the same size, in turns, and prints ratios of CPU
//! times. It needs `oha` and `bash` in `PATH` (`cargo install oha --locked`).
//!
//! Compare ratios within one table only: absolute figures depend on the machine and its load.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench ends where it cannot continue"
)]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use standin::base::address::EgressPolicy;
use standin::delivery::{Connector, Http1Client, Request, Transport as _};
use standin::policy::WireFormat;
use standin::record::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Requests that are under way at once; the limit of a run for one host.
const CONCURRENCY: u32 = 32;
/// Rounds of the comparison; the median counts.
const ROUNDS: usize = 5;
/// What `oha` sends, by size in bytes: about what the vendors' events have on average.
const BODY: usize = 600;

fn main() {
    let requests = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(20_000);
    let (address, _) = receiver();
    let url = format!("http://{address}/hooks");
    println!("transport, {requests} requests of {BODY} bytes, {CONCURRENCY} at once");
    for keep_alive in [true, false] {
        let micros = median((0..ROUNDS).map(|_| transport(&url, requests, keep_alive)).collect());
        println!("  {:<36} {micros:>7.1} µs CPU per request", name(keep_alive));
    }
    compare(requests);
}

fn name(keep_alive: bool) -> &'static str {
    if keep_alive { "kept connections" } else { "a connection for each request" }
}

/// CPU microseconds per request of the transport on one thread.
fn transport(url: &str, requests: u32, keep_alive: bool) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let wire = WireFormat { keep_alive, ..WireFormat::default() };
    let client = Arc::new(Http1Client::new(Connector::new(EgressPolicy::default()), wire));
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let request = Request {
        method: Method::Post,
        url: url.parse().unwrap(),
        headers: vec![
            header("Content-Type", "application/json"),
            header("User-Agent", "bench/1.0"),
            header("Accept", "*/*"),
        ],
        body: "x".repeat(BODY).into(),
        connect: Duration::from_secs(10),
        total: Duration::from_secs(10),
        fault: None,
        options: std::sync::Arc::default(),
    };
    let send = |count: u32| {
        let tasks: Vec<_> = (0..CONCURRENCY)
            .map(|_| {
                let (client, request) = (Arc::clone(&client), request.clone());
                async move {
                    for _ in 0..count / CONCURRENCY {
                        let result = client.send(request.clone()).await;
                        assert_eq!(result.status, Some(200), "{result:?}");
                    }
                }
            })
            .map(|task| runtime.spawn(task))
            .collect();
        runtime.block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
        });
    };
    send(CONCURRENCY * 10); // connections, caches and the allocator are warm then
    let before = thread_cpu();
    send(requests);
    (thread_cpu() - before) * 1e6 / f64::from(requests)
}

/// CPU time of this thread in seconds. Without unsafe code, only Linux provides it.
fn thread_cpu() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default()).as_secs_f64()
}

/// A vendor with whether its connections are kept.
const VENDORS: [(&str, bool); 4] =
    [("ebbot", true), ("liveperson", true), ("wotnot", false), ("erxes", false)];

/// Compares whole runs with `oha`.
fn compare(requests: u32) {
    let has_oha = Command::new("oha").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !has_oha {
        println!("\nno comparison with oha: it is not installed (`cargo install oha --locked`)");
        return;
    }
    println!("\nwhole runs beside oha, CPU µs per delivery, median of {ROUNDS} rounds in turns");
    println!("  {:<12} {:>10} {:>10} {:>8}  connections", "vendor", "standin", "oha", "ratio");
    let (address, count) = receiver();
    let folder = std::env::temp_dir().join(format!("standin-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let oha_with = |keep_alive| {
        let before = count.load(Ordering::SeqCst);
        let cpu = cpu_of(&oha(address, requests, keep_alive));
        cpu / f64::from(count.load(Ordering::SeqCst) - before)
    };
    for (vendor, keep_alive) in VENDORS {
        for journal in [None, Some(folder.join("run.db"))] {
            let mut rounds = Vec::new();
            for _ in 0..ROUNDS {
                let before = count.load(Ordering::SeqCst);
                let cpu = cpu_of(&run(vendor, address, journal.as_deref()));
                let standin = cpu / f64::from(count.load(Ordering::SeqCst) - before);
                rounds.push((standin, oha_with(keep_alive)));
                journal.iter().for_each(|file| fs::remove_file(file).unwrap());
            }
            let ratio = median(rounds.iter().map(|(standin, oha)| standin / oha).collect());
            let standin = median(rounds.iter().map(|(standin, _)| *standin).collect());
            let oha = median(rounds.iter().map(|(_, oha)| *oha).collect());
            let journal = if journal.is_some() { ", with a journal" } else { "" };
            let kept = name(keep_alive);
            println!("  {vendor:<12} {standin:>10.1} {oha:>10.1} {ratio:>7.1}x  {kept}{journal}");
        }
    }
    fs::remove_dir_all(&folder).unwrap();
}

fn run(vendor: &str, to: SocketAddr, journal: Option<&Path>) -> String {
    let journal = journal.map(|file| format!("--journal {}", file.display())).unwrap_or_default();
    format!(
        "{} run inventory --vendor {vendor} --conversations 100 --quiet --to http://{to}/ {journal}",
        env!("CARGO_BIN_EXE_standin")
    )
}

fn oha(to: SocketAddr, requests: u32, keep_alive: bool) -> String {
    let close = if keep_alive { "" } else { "--disable-keepalive" };
    let body = "x".repeat(BODY);
    format!(
        "oha --no-tui -n {requests} -c {CONCURRENCY} -m POST -T application/json -d {body} {close} \
         http://{to}/"
    )
}

/// CPU microseconds of a command, user and system.
fn cpu_of(command: &str) -> f64 {
    // bash reports the CPU times of its children; no safe function of `std` does.
    let timed = format!("TIMEFORMAT='%3U %3S'; time {command} > /dev/null 2> /dev/null");
    let output = Command::new("bash").args(["-c", &timed]).output().unwrap();
    assert!(output.status.success(), "{command}: {}", output.status);
    let times = String::from_utf8(output.stderr).unwrap();
    times.split_whitespace().map(|seconds| seconds.parse::<f64>().unwrap()).sum::<f64>() * 1e6
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A receiver that responds 200 to everything, on a separate thread, and counts requests. A token
/// comes back, so that handshakes pass.
fn receiver() -> (SocketAddr, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    let (sender, address) = std::sync::mpsc::channel();
    let counter = Arc::clone(&count);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(respond(stream, Arc::clone(&counter)));
            }
        });
    });
    (address.recv().unwrap(), count)
}

/// Responds to every request of a connection.
async fn respond(mut stream: TcpStream, count: Arc<AtomicU32>) {
    let mut read = Vec::new();
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        if let Ok(httparse::Status::Complete(head)) = request.parse(&read) {
            let length =
                request.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
            let length = length.map_or(0, |h| str::from_utf8(h.value).unwrap().parse().unwrap());
            if read.len() >= head + length {
                count.fetch_add(1, Ordering::SeqCst);
                let body = &read[head..head + length];
                let echo: &[u8] = if body.starts_with(b"{\"token\"") { body } else { b"{}" };
                let status = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", echo.len());
                let response = [status.as_bytes(), echo].concat();
                read.drain(..head + length);
                if stream.write_all(&response).await.is_err() {
                    return;
                }
                continue;
            }
        }
        if !matches!(stream.read_buf(&mut read).await, Ok(1..)) {
            return;
        }
    }
}
