//! What 10,000 conversations at once cost, without a journal and with one:
//! `cargo bench --bench load [CONVERSATIONS]`.
//!
//! Each run is the command itself against a receiver in this process. What came is compared with
//! the journal, delivery by delivery; memory is the peak of both processes.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench ends where it cannot go on")]

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

/// The hashes of the bodies that came, in order.
type Came = Arc<Mutex<Vec<u64>>>;

fn main() {
    let conversations = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(10_000);
    let (address, came) = receiver();
    let folder = std::env::temp_dir().join(format!("standin-load-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    println!("{conversations} conversations of `handover`, requests a second, peak of memory");
    let mut kept = Vec::new();
    for vendor in ["ebbot", "erxes", "liveperson"] {
        for durability in [None, Some("process"), Some("power")] {
            came.lock().unwrap().clear();
            let name = durability.unwrap_or("none");
            let journal = folder.join(format!("{vendor}-{name}.db"));
            let (took, peak) = run(vendor, conversations, address, &journal, durability);
            let bodies = came.lock().unwrap().clone();
            let (number, own) = (bodies.len(), peak_of(std::process::id()).unwrap_or(0));
            let rate = u128::try_from(number).unwrap() * 1000 / took.as_millis();
            println!(
                "{vendor:<10} journal {name:<8} {number:>7} requests {rate:>6}/s  {:>4} MiB + {} MiB",
                peak / 1024,
                own / 1024,
            );
            kept.extend(durability.map(|_| (journal, bodies)));
        }
    }
    // Whole journals are read last, since that takes more than everything before.
    for (journal, bodies) in kept {
        let name = journal.file_name().unwrap().display();
        println!("{name}: {} out of order", out_of_order(&journal, &bodies));
    }
    fs::remove_dir_all(&folder).unwrap();
}

/// Runs the command; gives how long it took and the peak of its memory in KiB.
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

/// The peak of a process's memory in KiB, where the system tells it.
fn peak_of(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().trim_end_matches(" kB").parse().ok()
}

fn hash(body: &[u8]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(body)
}

/// How many deliveries came before the one ahead of them in their conversation, or not at all.
fn out_of_order(journal: &Path, came: &[u64]) -> usize {
    let mut places = HashMap::new();
    for record in Journal::open(journal).unwrap().records(1).unwrap() {
        if let RecordKind::DeliveryPlanned { delivery, body, .. } = record.kind {
            let (conversation, number) = delivery.split_once('-').unwrap();
            let place: (u32, u32) = (conversation.parse().unwrap(), number.parse().unwrap());
            places.insert(hash(body.as_bytes()), place);
        }
    }
    let mut last: HashMap<u32, u32> = HashMap::new();
    let mut wrong = places.len();
    for (conversation, number) in came.iter().filter_map(|body| places.get(body)) {
        let before = last.insert(*conversation, *number).unwrap_or(0);
        wrong -= usize::from(before + 1 == *number);
    }
    wrong
}

/// A receiver that answers 200 to everything, on a thread of its own.
fn receiver() -> (SocketAddr, Came) {
    let came = Came::default();
    let (told, address) = std::sync::mpsc::channel();
    let all = Arc::clone(&came);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            told.send(listener.local_addr().unwrap()).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&all)));
            }
        });
    });
    (address.recv().unwrap(), came)
}

/// Answers every request of a connection.
async fn answer(mut stream: TcpStream, came: Came) {
    let mut read = Vec::new();
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        if let Ok(httparse::Status::Complete(head)) = request.parse(&read) {
            let length =
                request.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
            let length = length.map_or(0, |h| str::from_utf8(h.value).unwrap().parse().unwrap());
            if read.len() >= head + length {
                came.lock().unwrap().push(hash(&read[head..head + length]));
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
