//! Throughput and memory of 10,000 parallel conversations, without and with a journal, and the
//! memory of conversations that wait for their next step: `cargo bench --bench load [CONVERSATIONS]`.
//!
//! Each run executes the command against a receiver in this process, and compares the received
//! requests with the journal. Memory is the peak of both processes.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark may panic and prints its result"
)]

use std::collections::HashMap;
use std::fs;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use standin::journal::Journal;
use standin::record::RecordKind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Hashes of the received bodies, in order.
type ReceivedBodies = Arc<Mutex<Vec<u64>>>;

fn main() {
    let conversations = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(10_000);
    let (address, received) = receiver();
    let folder = std::env::temp_dir().join(format!("standin-load-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    println!("{conversations} conversations of `handover`, requests per second, peak memory");
    let mut journals = Vec::new();
    for vendor in ["ebbot", "erxes", "liveperson"] {
        for durability in [None, Some("process"), Some("power")] {
            received.lock().unwrap().clear();
            let name = durability.unwrap_or("none");
            let journal = folder.join(format!("{vendor}-{name}.db"));
            let (took, peak) = run(vendor, conversations, address, &journal, durability);
            let bodies = received.lock().unwrap().clone();
            let (number, receiver_peak) = (bodies.len(), peak_of(std::process::id()).unwrap_or(0));
            let rate = u128::try_from(number).unwrap() * 1000 / took.as_millis();
            println!(
                "{vendor:<10} journal {name:<8} {number:>7} requests {rate:>6}/s  {:>4} MiB + {} MiB",
                peak / 1024,
                receiver_peak / 1024,
            );
            journals.extend(durability.map(|_| (journal, bodies)));
        }
    }
    // Journals are read last: loading one needs more memory than a run, and would raise the peak.
    for (journal, bodies) in journals {
        let name = journal.file_name().unwrap().display();
        println!("{name}: {} out of order", out_of_order(&journal, &bodies));
    }
    for vendor in ["ebbot", "erxes", "liveperson"] {
        let few = sleeping(vendor, 1, address, &folder, &received);
        let all = sleeping(vendor, conversations, address, &folder, &received);
        let each = (all.saturating_sub(few)) * 1024 / u64::from(conversations);
        println!("{vendor:<10} {conversations} sleeping conversations: {each} bytes each");
    }
    fs::remove_dir_all(&folder).unwrap();
}

/// A conversation that waits for an hour after its first message.
const SLEEPING: &str = r#"
name = "Sleeping"
[[step]]
open = {}
[[step]]
say = { by = "visitor", text = "Hello" }
[[step]]
after = "1h"
say = { by = "visitor", text = "Are you still there?" }
"#;

/// The memory in KiB of a command whose conversations all wait.
fn sleeping(
    vendor: &str,
    conversations: u32,
    to: SocketAddr,
    folder: &Path,
    received: &ReceivedBodies,
) -> u64 {
    let file = folder.join("sleeping.toml");
    fs::write(&file, SLEEPING).unwrap();
    received.lock().unwrap().clear();
    let mut command = Command::new(env!("CARGO_BIN_EXE_standin"));
    command.arg("run").arg(&file).args(["--vendor", vendor, "--clock", "real", "--quiet"]);
    command.args(["--conversations", &conversations.to_string(), "--to", &format!("http://{to}/")]);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    // All sleep once no request has arrived for a while.
    let mut before = usize::MAX;
    loop {
        thread::sleep(Duration::from_secs(1));
        let now = received.lock().unwrap().len();
        if now > 0 && now == before {
            break;
        }
        before = now;
    }
    let memory = memory_of(child.id(), "VmRSS:").unwrap_or(0);
    child.kill().unwrap();
    child.wait().unwrap();
    memory
}

/// Runs the command. Returns its duration and its peak memory in KiB.
fn run(
    vendor: &str,
    conversations: u32,
    to: SocketAddr,
    journal: &Path,
    durability: Option<&str>,
) -> (Duration, u64) {
    let began = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_standin"));
    command.args(["run", "handover", "--vendor", vendor, "--quiet", "--conversations"]);
    command.args([conversations.to_string(), "--to".into(), format!("http://{to}/")]);
    if let Some(durability) = durability {
        command.arg("--journal").arg(journal).args(["--durability", durability]);
    }
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let mut peak = 0;
    let status = loop {
        peak = peak_of(child.id()).unwrap_or(0).max(peak);
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    assert!(status.success(), "{vendor} with {durability:?}: {status}");
    (began.elapsed(), peak)
}

/// Peak memory of a process in KiB, if the system has `/proc`.
fn peak_of(process: u32) -> Option<u64> {
    memory_of(process, "VmHWM:")
}

/// A memory figure of a process in KiB.
fn memory_of(process: u32, figure: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let found = status.lines().find_map(|line| line.strip_prefix(figure))?;
    found.trim().trim_end_matches(" kB").parse().ok()
}

fn hash(body: &[u8]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(body)
}

/// Number of deliveries that were lost, or received before their predecessor in the conversation.
fn out_of_order(journal: &Path, received: &[u64]) -> usize {
    let mut positions = HashMap::new();
    for record in Journal::open(journal).unwrap().records(1).map(Result::unwrap) {
        if let RecordKind::DeliveryPlanned { delivery, body, .. } = record.kind {
            let (conversation, number) = delivery.split_once('-').unwrap();
            let position: (u32, u32) = (conversation.parse().unwrap(), number.parse().unwrap());
            positions.insert(hash(body.as_bytes()), position);
        }
    }
    let mut last: HashMap<u32, u32> = HashMap::new();
    let mut misplaced = positions.len();
    for (conversation, number) in received.iter().filter_map(|body| positions.get(body)) {
        let before = last.insert(*conversation, *number).unwrap_or(0);
        misplaced -= usize::from(before + 1 == *number);
    }
    misplaced
}

/// Starts a receiver that responds with 200 to every request, on a separate thread.
fn receiver() -> (SocketAddr, ReceivedBodies) {
    let received = ReceivedBodies::default();
    let (sender, address) = std::sync::mpsc::channel();
    let all = Arc::clone(&received);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve_connection(stream, Arc::clone(&all)));
            }
        });
    });
    (address.recv().unwrap(), received)
}

/// Responds to every request of a connection.
async fn serve_connection(mut stream: TcpStream, received: ReceivedBodies) {
    let mut read = Vec::new();
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        if let Ok(httparse::Status::Complete(head)) = request.parse(&read) {
            let length =
                request.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
            let length = length.map_or(0, |h| str::from_utf8(h.value).unwrap().parse().unwrap());
            if read.len() >= head + length {
                received.lock().unwrap().push(hash(&read[head..head + length]));
                read.drain(..head + length);
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                if stream.write_all(answer).await.is_err() {
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
