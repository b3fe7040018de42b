//! How much watchers slow down a server, and how fast it shows what happened:
//! `cargo bench --bench watchers [ROUNDS]`.
//!
//! Plays the same run with and without 64 streams of records, in turns. Then fills the history with
//! 100,000 records and measures lists of deliveries, and the time until a record is on a stream.
//! `STANDIN=FILE` measures another binary.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark may panic and prints its result"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

const WATCHERS: usize = 64;
/// Conversations of a measured run, which makes 12 deliveries in each.
const CONVERSATIONS: u32 = 1_000;
/// A server without a journal keeps as many.
const RECORDS: u64 = 100_000;

fn main() {
    let rounds = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(7);
    let receiver = receiver();
    let folder = std::env::temp_dir().join(format!("standin-watchers-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for (name, path) in [("no journal", None), ("journal", Some(folder.join("standin.db")))] {
        let server = Server::start(receiver, path.as_deref());
        server.play(CONVERSATIONS);
        let (mut alone, mut watched) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            alone.push(server.play(CONVERSATIONS));
            let watchers = Watchers::start(&server);
            watched.push(server.play(CONVERSATIONS));
            let bytes = watchers.stop();
            println!(
                "  {name}: {} ms, watched {} ms; {} MiB to each watcher",
                alone[alone.len() - 1].wall.as_millis(),
                watched[watched.len() - 1].wall.as_millis(),
                bytes / WATCHERS / 1024 / 1024
            );
        }
        compare(name, &mut alone, &mut watched);
    }
    let server = Server::start(receiver, None);
    while server.last_record() < RECORDS {
        server.play(CONVERSATIONS);
    }
    lists(&server);
    stream_latency(&server);
    fs::remove_dir_all(&folder).unwrap();
}

/// What a run took.
struct Cost {
    wall: Duration,
    /// CPU time of the server, in ticks of 10 ms.
    ticks: u64,
}

/// Prints the medians of both, and the difference.
fn compare(name: &str, alone: &mut [Cost], watched: &mut [Cost]) {
    let wall = |costs: &mut [Cost]| {
        costs.sort_by_key(|cost| cost.wall);
        costs[costs.len() / 2].wall.as_secs_f64() * 1000.0
    };
    let cpu = |costs: &mut [Cost]| {
        costs.sort_by_key(|cost| cost.ticks);
        costs[costs.len() / 2].ticks * 10
    };
    let (before, after) = (wall(alone), wall(watched));
    println!(
        "{name:<10} run {before:.0} ms, with {WATCHERS} watchers {after:.0} ms ({:+.1} %); CPU {} ms, {} ms",
        (after / before - 1.0) * 100.0,
        cpu(alone),
        cpu(watched)
    );
}

/// Measures pages of deliveries, with filters that match many, few and none.
fn lists(server: &Server) {
    let newest = server.get("/deliveries?limit=1");
    let id = newest["items"][0]["conversation"].as_str().unwrap().to_owned();
    for query in [
        "limit=100".to_owned(),
        "limit=500&before=40000".to_owned(),
        "event_type=Content".to_owned(),
        "state=failed".to_owned(),
        "event_type=nothing".to_owned(),
        format!("conversation={id}"),
        "conversation=1-1".to_owned(),
    ] {
        let mut times: Vec<Duration> = (0..20)
            .map(|_| {
                let began = Instant::now();
                server.get(&format!("/deliveries?{query}"));
                began.elapsed()
            })
            .collect();
        times.sort();
        println!(
            "deliveries?{query:<24} median {:>6.1} ms, slowest {:>6.1} ms",
            millis(times[10]),
            millis(times[19])
        );
    }
}

/// Measures the time from an action to its record on a stream.
fn stream_latency(server: &Server) {
    let run = server.post("/runs", &json!({"vendor": "ebbot", "source": OPEN, "speed": 1.0}));
    let conversation = format!("{}-1", run["run"]);
    thread::sleep(Duration::from_millis(300));
    let mut stream = server.stream();
    let mut times: Vec<Duration> = (0..40)
        .map(|number| {
            thread::sleep(Duration::from_millis(30));
            let text = format!("number {number}.");
            let began = Instant::now();
            let say = json!({"say": {"by": "visitor", "text": text}});
            server.post(&format!("/conversations/{conversation}/actions"), &say);
            let mut line = String::new();
            while !line.contains(&text) {
                line.clear();
                stream.read_line(&mut line).unwrap();
            }
            began.elapsed()
        })
        .collect();
    times.sort();
    println!(
        "record on a stream: median {:.1} ms, slowest {:.1} ms",
        millis(times[20]),
        millis(times[39])
    );
}

const OPEN: &str = "name = 'open'\n[[step]]\nopen = {}\n[[step]]\nafter = '1h'\nsay = { by = 'visitor', text = 'late' }\n";

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// A running server.
struct Server {
    child: Child,
    address: String,
    token: String,
}

impl Server {
    fn start(receiver: SocketAddr, journal: Option<&std::path::Path>) -> Self {
        let binary = std::env::var("STANDIN").unwrap_or(env!("CARGO_BIN_EXE_standin").into());
        let mut command = Command::new(binary);
        command.args(["serve", "--port", "0", "--to", &format!("ebbot=http://{receiver}/")]);
        match journal {
            Some(path) => command.arg("--journal").arg(path),
            None => command.arg("--no-journal"),
        };
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let page = lines.find_map(|line| {
            let line = line.unwrap();
            Some(line.split_once("http://").filter(|_| line.contains("#token="))?.1.to_owned())
        });
        // The rest is read, so that the server can print.
        thread::spawn(move || lines.for_each(drop));
        let page = page.unwrap();
        let (address, token) = page.split_once("/#token=").unwrap();
        Self { child, address: address.to_owned(), token: token.trim().to_owned() }
    }

    /// Plays a run without waiting, and waits for its verdict.
    fn play(&self, conversations: u32) -> Cost {
        let ticks = self.ticks();
        let began = Instant::now();
        let run = json!({
            "vendor": "ebbot", "scenario": "handover", "clock": "virtual",
            "conversations": conversations,
        });
        let run = self.post("/runs", &run);
        let run = self.get(&format!("/runs/{}?wait=60", run["run"]));
        let wall = began.elapsed();
        assert_eq!(run["result"]["verdict"], json!("passed"), "{run}");
        Cost { wall, ticks: self.ticks() - ticks }
    }

    fn last_record(&self) -> u64 {
        self.get("/deliveries?limit=1")["items"][0]["number"].as_u64().unwrap_or(0)
    }

    fn get(&self, path: &str) -> Json {
        self.call("GET", path, "")
    }

    fn post(&self, path: &str, body: &Json) -> Json {
        self.call("POST", path, &body.to_string())
    }

    fn call(&self, method: &str, path: &str, body: &str) -> Json {
        let mut stream = self.send(method, path, body);
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 ") || head.contains(" 201 "), "{path}: {response}");
        serde_json::from_str(body).unwrap()
    }

    fn send(&self, method: &str, path: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            self.token,
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// Opens a stream of records.
    fn stream(&self) -> BufReader<TcpStream> {
        let mut stream = BufReader::new(self.send("GET", "/records/stream", ""));
        let mut line = String::new();
        while !line.starts_with("retry:") {
            line.clear();
            assert_ne!(stream.read_line(&mut line).unwrap(), 0, "the stream has ended");
        }
        stream
    }

    /// CPU time of the process in ticks; 0 on systems without `/proc`.
    fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap().split_whitespace();
        fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Clients that read the stream of records as fast as it comes.
struct Watchers {
    bytes: Arc<AtomicUsize>,
    is_stopped: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Watchers {
    fn start(server: &Server) -> Self {
        let (bytes, is_stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let watch = |mut stream: TcpStream| {
            let (bytes, is_stopped) = (Arc::clone(&bytes), Arc::clone(&is_stopped));
            stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            thread::spawn(move || {
                let mut buffer = vec![0; 256 * 1024];
                while !is_stopped.load(Ordering::Relaxed) {
                    if let Ok(read) = stream.read(&mut buffer) {
                        bytes.fetch_add(read, Ordering::Relaxed);
                    }
                }
            })
        };
        let threads = (0..WATCHERS).map(|_| watch(server.stream().into_inner())).collect();
        Self { bytes, is_stopped, threads }
    }

    /// Stops the clients once nothing more comes. Returns the number of bytes that they have read.
    fn stop(self) -> usize {
        let mut before = usize::MAX;
        while before != self.bytes.load(Ordering::Relaxed) {
            before = self.bytes.load(Ordering::Relaxed);
            // Longer than a stream pauses after a full part.
            thread::sleep(Duration::from_secs(2));
        }
        self.is_stopped.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        before
    }
}

/// Starts a receiver that responds with 200 to every request, with a thread for each connection.
fn receiver() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map(Result::unwrap) {
            thread::spawn(move || respond(stream));
        }
    });
    address
}

/// Responds to every request of a connection.
fn respond(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut line, mut length) = (String::new(), 0);
        loop {
            line.clear();
            if !matches!(reader.read_line(&mut line), Ok(1..)) {
                return;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length]).unwrap();
        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err() {
            return;
        }
    }
}
