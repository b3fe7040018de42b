//! `run --exec`: a program that runs as long as the runs do.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::support::{
    Background, Receiver, code, configured, free_port, standin_in, stderr, stdout,
};

/// Whether a process exists.
fn is_alive(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    // A dead process stays until its parent has asked for its end.
    !status.is_empty() && !status.contains(") Z ")
}

fn wait_for(what: &str, is_true: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < Duration::from_secs(30), "waited for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_gets_the_addresses_and_is_stopped_with_everything_it_started() {
    let folder = configured("");
    let receiver = Receiver::accepting();
    let url = receiver.url();
    // A process in the background that ignores SIGTERM, and one that does not.
    let command = "echo noise; (trap '' TERM; while :; do sleep 0.1; done) & echo $! > stubborn; \
                   echo $$ > own; printenv STANDIN_URL STANDIN_CA HTTPS_PROXY NO_PROXY WOTNOT_API_TOKEN \
                   > variables; trap 'echo asked > ended; exit 0' TERM; while :; do sleep 0.05; done";
    let arguments = [
        "run",
        "handover",
        "--vendor",
        "wotnot",
        "--to",
        &url,
        "--listen",
        "--serve-proxy",
        "--json",
        "--exec",
        command,
    ];
    let start = Instant::now();
    let output = standin_in(folder.path(), &arguments);
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
    for line in stdout(&output).lines() {
        assert!(serde_json::from_str::<Json>(line).is_ok(), "{line}");
    }
    assert!(stderr(&output).contains("noise"));
    let variables = read(&folder.path().join("variables"));
    let told = stderr(&output);
    let lines: Vec<&str> = variables.lines().collect();
    assert_eq!(lines.len(), 5, "{variables}");
    assert!(told.contains(&format!("WotNot API: {}\n", lines[0])), "{told}{variables}");
    assert!(told.contains(&format!("CA file: {}\n", lines[1])));
    assert!(told.contains(&format!("proxy: {}\n", lines[2])));
    assert_eq!(read(&folder.path().join("ended")), "asked\n", "SIGTERM comes first");
    for file in ["own", "stubborn"] {
        let pid = read(&folder.path().join(file));
        wait_for("the end of a process", || !is_alive(&pid));
    }
    assert!(
        start.elapsed() > Duration::from_secs(5),
        "the stubborn process was killed after a while"
    );
}

#[test]
fn a_receiver_is_started_and_waited_for() {
    let folder = configured("");
    let port = free_port();
    let program = env!("CARGO_BIN_EXE_standin");
    let command = format!("sleep 0.5; exec {program} listen ebbot --port {port}");
    let url = format!("http://127.0.0.1:{port}/");
    let arguments = ["run", "handover", "--vendor", "ebbot", "--to", &url, "--exec", &command];
    let output = standin_in(folder.path(), &arguments);
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
}

#[test]
fn a_run_fails_if_the_program_ends_early_and_names_it() {
    let folder = configured("");
    let receiver = Receiver::accepting();
    let url = receiver.url();
    let story = "name = 'waits'\n[[step]]\nopen = {}\n\
                 [[step]]\nsay = { by = 'visitor', text = 'Hi' }\nafter = '100s'\n";
    fs::write(folder.path().join("story.toml"), story).unwrap();
    let run = |url: &str, command: &str| {
        let arguments = ["run", "story.toml", "--vendor", "ebbot", "--to", url, "--clock", "real"];
        let exec = ["--exec", command, "--deadline", "20s"];
        let output = standin_in(folder.path(), &[&arguments[..], &exec[..]].concat());
        (code(&output), stdout(&output) + &stderr(&output))
    };
    let start = Instant::now();
    let (exit, told) = run(&url, "sleep 0.5; exit 7");
    assert_eq!(exit, 1, "{told}");
    assert!(
        told.contains("the command of --exec, `sleep 0.5; exit 7`, ended with code 7"),
        "{told}"
    );
    // While it waits for a receiver that will never be there.
    let (exit, told) = run("http://127.0.0.1:1/", "exit 3");
    assert_eq!(exit, 1, "{told}");
    assert!(told.contains("ended with code 3"), "{told}");
    let (exit, told) = run(&url, "kill -9 $$");
    assert_eq!(exit, 1, "{told}");
    assert!(told.contains("was ended by signal 9"), "{told}");
    assert!(start.elapsed() < Duration::from_secs(19), "none waited for the deadline");
    let quick = ["run", "handover", "--vendor", "ebbot", "--to", &url, "--exec", "true"];
    assert_eq!(code(&standin_in(folder.path(), &quick)), 0, "it may end with code 0");
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_run_stops_the_program() {
    let folder = configured("");
    let receiver = Receiver::accepting();
    let url = receiver.url();
    let command = "echo $$ > own; while :; do sleep 0.05; done";
    let arguments = ["run", "handover", "--vendor", "ebbot", "--to", &url];
    let options = ["--clock", "real", "--exec", command];
    let run = Background::start(folder.path(), &[&arguments[..], &options[..]].concat());
    let own = folder.path().join("own");
    wait_for("the program", || !read(&own).is_empty() && !receiver.requests().is_empty());
    let ended = run.terminate();
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    let pid = read(&own);
    wait_for("the end of the program", || !is_alive(&pid));
}
