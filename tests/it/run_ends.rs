//! When runs end before their scripts do: failures, deadlines, interruptions.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use crate::support::{Receiver, Reply, code, standin, stderr, stdout};

#[test]
fn runs_can_be_filtered_parallel_and_stopped_at_the_first_failure() {
    let receiver = Receiver::accepting();
    let url = receiver.url();
    let told = |arguments: &[&str]| {
        let output = standin(&[&["run", "--vendor", "ebbot", "--to", &url], arguments].concat());
        (code(&output), stdout(&output), stderr(&output))
    };
    let (exit, out, _) = told(&["handover", "transfer", "rating", "--jobs", "3", "--quiet"]);
    assert_eq!(exit, 0, "{out}");
    let titles: Vec<&str> = out.lines().filter(|line| line.starts_with("passed, ")).collect();
    assert_eq!(titles.len(), 3, "{out}");
    assert!(titles[0].contains("hands over") && out.contains("total: 3 of 3 runs passed"), "{out}");
    let (exit, out, _) = told(&["handover", "transfer", "--filter", "TRANS", "--quiet"]);
    let verdicts = out.lines().filter(|line| line.starts_with("passed, ")).count();
    assert!(exit == 0 && verdicts == 1, "{out}");
    let (exit, _, err) = told(&["handover", "--filter", "nothing"]);
    assert_eq!(exit, 1);
    assert!(err.contains("no run matches `--filter`"), "{err}");
}

#[test]
fn fail_fast_starts_no_run_after_a_failed_one() {
    let receiver = Receiver::responding(|_, _| Reply::Status(500, "broken".into()));
    let url = receiver.url();
    let output =
        standin(&["run", "handover", "transfer", "--vendor", "ebbot", "--to", &url, "--fail-fast"]);
    let told = stdout(&output);
    assert_eq!(code(&output), 1);
    assert!(told.contains("total: 0 of 2 runs passed (0 of "), "{told}");
    assert!(told.contains("1 not started because of --fail-fast"), "{told}");
}

/// The number of requests that a receiver gets from a run with these flags, and its output.
fn run_with(receiver: &Receiver, flags: &[&str]) -> (usize, String) {
    let to = receiver.url();
    let arguments = ["run", "handover", "--vendor", "ebbot", "--to", &to];
    let output = standin(&[&arguments[..], flags].concat());
    assert_eq!(code(&output), 1, "{}", stdout(&output));
    (receiver.requests().len(), stdout(&output))
}

#[test]
fn failures_end_a_run_at_the_limit() {
    let failing = || Receiver::responding(|_, _| Reply::Status(500, String::new()));
    let (requests, printed) = run_with(&failing(), &["--fail-fast"]);
    assert!(requests < 12, "{requests}");
    assert!(printed.contains("stopped after 1 failure"), "{printed}");
    let (more, printed) = run_with(&failing(), &["--max-failures", "3"]);
    assert!((3..12).contains(&more), "{more}");
    assert!(printed.contains("stopped after 3 failures"), "{printed}");
}

#[test]
fn a_run_ends_at_its_deadline() {
    let slow = || Receiver::responding(|_, _| Reply::good().after(Duration::from_millis(400)));
    let (requests, printed) = run_with(&slow(), &["--deadline", "1s"]);
    assert!(requests < 12, "{requests}");
    assert!(printed.contains("stopped at the deadline"), "{printed}");
}

#[cfg(unix)]
#[test]
fn an_interruption_ends_the_wait_for_a_receiver_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let began = std::time::Instant::now();
    let child = Command::new(env!("CARGO_BIN_EXE_standin"))
        .args(["run", "handover", "--vendor", "ebbot", "--wait-ready", "60s", "--to", &url])
        .env_clear()
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The second attempt shows that the command waits. It gets no response.
    drop(listener.accept().unwrap());
    let _connection = listener.accept().unwrap();
    assert!(
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success()
    );
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(began.elapsed() < Duration::from_secs(20));
}
