//! Helpers of the tests: receivers on real sockets, runs against them, and commands.

mod background;
mod forward_proxy;
mod hostile;
mod live_api;
mod play;
mod receiver;
mod server;
pub(crate) mod tls;

pub(crate) use background::Background;
pub(crate) use forward_proxy::ForwardingProxy;
pub(crate) use hostile::{Connection, Hostile};
pub(crate) use live_api::{ApiResponse, LiveApi, request, wait_for_events, websocket_handshake};
pub(crate) use play::{
    NEEDING_CALLS, RunBuilder, RunOutcome, bundled_revisions, bundled_vendors, catalog, play,
    revisions, vendors,
};
pub(crate) use receiver::{ReceivedRequest, Receiver, Reply, accept, fetch};
pub(crate) use server::{SLOW, Server, ServerResponse};

use std::env;
use std::fs;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;

use tempfile::TempDir;

/// Where the commands of the tests keep their CA, instead of in the folder of the user.
pub(crate) const DATA_HOME: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/data");

/// A path inside the repository.
pub(crate) fn path(relative: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// Whether expected output is written instead of compared: `STANDIN_BLESS` is set. In CI this would
/// accept every change, so it is refused there.
pub(crate) fn is_blessing() -> bool {
    let is_set = |name| env::var_os(name).is_some();
    assert!(!is_set("STANDIN_BLESS") || !is_set("CI"), "STANDIN_BLESS is refused where CI is set");
    is_set("STANDIN_BLESS")
}

/// The entries of a folder in the repository, sorted. A folder without entries is an error, so that
/// a test that checks each of them checks something.
pub(crate) fn entries(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(path(folder)).unwrap();
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    assert!(!entries.is_empty(), "{folder} is empty");
    entries.sort();
    entries
}

/// Computes a value for each item, with as many threads as there are cores, in the order of the items.
/// A panic of one is a panic of the whole.
pub(crate) fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let Some((at, item)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            items.get(at).map(|item| (at, item))
        } {
            done.push((at, work(item)));
        }
        done
    };
    let cores = thread::available_parallelism().map_or(2, NonZero::get);
    let mut all: Vec<(usize, R)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores.min(items.len())).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, result)| result).collect()
}

/// Asserts that a document contains a text between a marker line and the next `<!-- end -->`. With
/// `STANDIN_BLESS`, writes the text there.
pub(crate) fn assert_document_contains(document: &str, begin: &str, text: &str) {
    const END: &str = "<!-- end -->\n";
    let file = path(document);
    let whole = fs::read_to_string(&file).unwrap();
    let (before, rest) = whole.split_once(begin).unwrap_or_else(|| panic!("no {begin}"));
    let (told, after) = rest.split_once(END).unwrap_or_else(|| panic!("no {END}"));
    if is_blessing() {
        fs::write(&file, format!("{before}{begin}{text}{END}{after}")).unwrap();
    } else {
        assert_eq!(told, text, "STANDIN_BLESS=1 rewrites {document}");
    }
}

/// Runs the binary in an empty folder.
pub(crate) fn standin(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    standin_in(folder.path(), arguments)
}

/// Runs the binary in this folder.
pub(crate) fn standin_in(folder: &std::path::Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_standin"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("XDG_DATA_HOME", DATA_HOME)
        .output()
        .unwrap()
}

/// A temporary folder with a configuration file.
pub(crate) fn configured(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("standin.toml"), config).unwrap();
    folder
}

/// The standard output of a command.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The exit code of a command.
pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// The standard error of a command.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A port of this machine that nobody uses at present.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        // Systems take the ports of outgoing connections from 32,768 on. One of them could get the port
        // before the test uses it.
        let next = std::process::id() * 97 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(10_000 + next % 20_000).unwrap();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
