//! Memory of commands with much input, as Linux reports it.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::support::{Receiver, Reply, Server};

/// The peak of memory of a dry run of this many scenarios, in KiB, once all of them are planned.
fn peak_of_scenarios(number: usize) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    for at in 0..number {
        let say = "[[step]]\nsay = { by = 'visitor', text = 'Where is my order?' }\n".repeat(200);
        let text = format!("name = 'chat {at}'\n[[step]]\nopen = {{}}\n{say}");
        fs::write(folder.path().join(format!("{at}.toml")), text).unwrap();
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_standin"))
        .args(["run", ".", "--vendor", "ebbot", "--dry-run", "-v"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let peak = peak(&child);
    child.kill().unwrap();
    child.wait().unwrap();
    peak.unwrap()
}

/// The peak of memory of a running process so far, in KiB.
fn peak(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().trim_end_matches(" kB").parse().ok()
}

/// The peak of memory of a command that succeeds, in KiB.
fn peak_of_command(folder: &Path, arguments: &[&str]) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_standin"))
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut highest = 0;
    loop {
        highest = peak(&child).unwrap_or(0).max(highest);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{arguments:?}");
            return highest;
        }
        sleep(Duration::from_millis(1));
    }
}

#[test]
fn scenarios_are_not_kept_until_their_turn() {
    let (few, many) = (peak_of_scenarios(20), peak_of_scenarios(620));
    // Their steps need 25 KiB each.
    assert!(many < few + 8 * 1024, "{few} KiB for 20 scenarios, {many} KiB for 620");
}

#[test]
fn a_stored_run_is_read_record_by_record() {
    let receiver = Receiver::responding_to_events(|_, _| Reply::Status(200, "x".repeat(60_000)));
    let (folder, url) = (tempfile::tempdir().unwrap(), receiver.url());
    let run = ["run", "handover", "--vendor", "wotnot", "--to", &url, "--conversations", "100"];
    let run = [&run[..], &["--journal", "j.db", "--resume", "--quiet"]].concat();
    peak_of_command(folder.path(), &run);
    let size = fs::metadata(folder.path().join("j.db")).unwrap().len() / 1024;
    assert!(size > 40 * 1024, "{size} KiB");
    let least = peak_of_command(folder.path(), &["vendors"]);
    let redeliver = ["journal", "redeliver", "j.db", "7-1"];
    for arguments in [&run[..], &redeliver] {
        let peak = peak_of_command(folder.path(), arguments);
        assert!(peak < least + size / 2, "{arguments:?}: {peak} KiB, {least} KiB for `vendors`");
    }
    // Without its last record, the run was interrupted.
    let database = rusqlite::Connection::open(folder.path().join("j.db")).unwrap();
    let last = "DELETE FROM record WHERE run = 1 AND \
                seq = (SELECT max(seq) FROM record WHERE run = 1)";
    database.execute_batch("DROP TRIGGER record_remains").unwrap();
    assert_eq!(database.execute(last, []).unwrap(), 1);
    drop(database);
    let sent = receiver.requests().len();
    let peak = peak_of_command(folder.path(), &run);
    assert!(peak < least + size / 2, "resumed: {peak} KiB, {least} KiB for `vendors`");
    assert_eq!(receiver.requests().len(), sent, "every attempt has a result");
}

#[test]
fn an_idle_server_with_all_vendors_needs_little_memory() {
    let server = Server::start(&[]);
    assert_eq!(server.request("GET /readyz", "", "").status, 200);
    // Without the pages of the binary, which are large in a debug build.
    let own = || {
        let status = fs::read_to_string(format!("/proc/{}/status", server.process.id())).unwrap();
        let own = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        own.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    // What only the start needed goes back to the system a second and a half later.
    let mut kilobytes = own();
    for _ in 0..100 {
        if kilobytes < 15_500 {
            break;
        }
        sleep(Duration::from_millis(100));
        kilobytes = own();
    }
    assert!(kilobytes < 15_500, "{kilobytes} kB");
}
