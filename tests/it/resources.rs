//! Limits of the machine: what is missing is named, and the exit code is 3.
#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Output};

use crate::support::{Receiver, stderr, stdout};

/// Runs the binary in a folder under a limit, such as `-n 12`, through a shell.
fn limited(folder: &Path, limit: &str, arguments: &str) -> Output {
    let binary = env!("CARGO_BIN_EXE_standin");
    let script = format!("ulimit {limit} && exec {binary} {arguments}");
    // Other shells lack `ulimit -u`.
    Command::new("bash").args(["-c", &script]).current_dir(folder).env_clear().output().unwrap()
}

fn assert_cannot_work(output: &Output, resource: &str, case: &str) {
    let (out, err) = (stdout(output), stderr(output));
    assert_eq!(output.status.code(), Some(3), "{case}: {out}{err}");
    assert!(err.contains(&format!("ran out of {resource}")), "{case}: {out}{err}");
    assert!(!err.contains("panicked"), "{case}: {err}");
}

#[test]
fn too_few_file_descriptors_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    // From the first file that cannot be opened to the last socket of the servers.
    for limit in 4..=13 {
        let limit = format!("-n {limit}");
        let output = limited(folder.path(), &limit, "demo --speed 1000");
        assert_cannot_work(&output, "file descriptors", &limit);
    }
    let output = limited(folder.path(), "-n 6", "listen --port 0");
    assert_cannot_work(&output, "file descriptors", "listen");
}

#[test]
fn a_low_soft_limit_of_file_descriptors_is_raised() {
    let folder = tempfile::tempdir().unwrap();
    let output = limited(folder.path(), "-S -n 12", "demo --speed 1000");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_file_that_is_too_large_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::accepting();
    let run = format!("run handover --vendor ebbot --to {} --journal j.db", receiver.url());
    for arguments in ["schema scenario > schema.json", "man pages", &run] {
        let output = limited(folder.path(), "-f 2", arguments);
        assert_cannot_work(&output, "file size", arguments);
    }
}

#[test]
fn a_panic_ends_with_one_line_and_without_its_message() {
    let receiver = Receiver::accepting();
    // A thread of the journal, and a task of the runtime.
    for point in ["writing!", "intent!"] {
        let folder = tempfile::tempdir().unwrap();
        let url = receiver.url();
        let output = Command::new(env!("CARGO_BIN_EXE_standin"))
            .args(["run", "handover", "--vendor", "ebbot", "--journal", "j.db", "--to", &url])
            .current_dir(folder.path())
            .env_clear()
            .env("STANDIN_CRASH_AT", point)
            .output()
            .unwrap();
        let err = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{point}: {err}");
        let expected = "error: internal error of standin at src/base/fail_points.rs:";
        assert!(err.starts_with(expected) && err.lines().count() == 1, "{point}: {err}");
    }
}

#[test]
#[ignore = "requires a user other than root, who has no limit of threads"]
fn too_few_threads_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let output = limited(folder.path(), "-u 1", "demo --speed 1000");
    assert_cannot_work(&output, "threads", "demo");
}
