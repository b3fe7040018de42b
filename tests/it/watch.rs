//! `--watch`: repeats a command when a file changes. Ctrl-C exits with the last status.

#![cfg(unix)]

use std::fs;
use std::time::Duration;

use crate::support::{Background, Receiver, Reply};

const RIGHT: &str = "[[step]]\nopen = {}\n";
const WRONG: &str = "[[stp]]\nopen = {}\n";
const WATCHING: &str = "Press Ctrl-C to stop";

#[test]
fn check_repeats_when_a_file_changes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("story.toml");
    fs::write(&file, RIGHT).unwrap();
    let mut watching = Background::start(folder.path(), &["check", ".", "--watch"]);
    assert_eq!(watching.line(), "1 file checked, no problems\n");
    watching.read_stderr_until(WATCHING);
    fs::write(&file, WRONG).unwrap();
    assert!(watching.read_stderr_until(WATCHING).contains("did you mean `step`?"));
    fs::write(folder.path().join("another.toml"), RIGHT).unwrap();
    watching.read_stderr_until(WATCHING);
    fs::remove_file(&file).unwrap();
    assert_eq!(watching.line(), "1 file checked, no problems\n");
    watching.read_stderr_until(WATCHING);
    fs::write(&file, WRONG).unwrap();
    watching.read_stderr_until(WATCHING);
    assert_eq!(watching.interrupt().code, Some(2), "as the last time");
}

#[test]
fn run_repeats_when_its_scenario_or_the_configuration_changes() {
    let receiver = Receiver::accepting();
    let folder = tempfile::tempdir().unwrap();
    let config = |url: &str| {
        let text = format!("[[endpoint]]\nvendor = 'ebbot'\nurl = '{url}'\n");
        fs::write(folder.path().join("standin.toml"), text).unwrap();
    };
    config("http://127.0.0.1:1/");
    fs::write(folder.path().join("story.toml"), RIGHT).unwrap();
    let arguments = ["run", "story.toml", "--vendor", "ebbot", "--quiet", "--watch"];
    let mut watching = Background::start(folder.path(), &arguments);
    watching.read_stderr_until(WATCHING);
    assert!(receiver.requests().is_empty());
    config(&receiver.url());
    watching.read_stderr_until(WATCHING);
    assert_eq!(receiver.requests().len(), 1);
    let ended = watching.interrupt();
    assert_eq!(ended.code, Some(0));
    assert!(ended.stdout.contains("failed") && ended.stdout.contains("passed"), "{}", ended.stdout);
}

#[test]
fn a_change_during_the_first_run_is_not_missed() {
    let receiver = Receiver::responding(|_, _| Reply::good().after(Duration::from_secs(1)));
    let folder = tempfile::tempdir().unwrap();
    let story = folder.path().join("story.toml");
    let text = format!("include = 'people.toml'\n{RIGHT}");
    fs::write(folder.path().join("people.toml"), "[vars]\na = 1\n").unwrap();
    fs::write(&story, &text).unwrap();
    let to = receiver.url();
    let arguments = ["run", "story.toml", "--vendor", "ebbot", "--to", &to, "--watch"];
    let mut watching = Background::start(folder.path(), &arguments);
    while receiver.count() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    fs::write(&story, format!("{text}# changed\n")).unwrap();
    watching.read_stderr_until(WATCHING);
    watching.read_stderr_until(WATCHING);
    assert_eq!(receiver.count(), 2);
    watching.interrupt();
}

#[test]
fn interrupted_demo_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Background::start(folder.path(), &["demo", "--speed", "0.01"]);
    demo.line();
    let ended = demo.interrupt();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(4), "interrupted\n"));
}

#[test]
fn sigterm_is_an_interruption_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Background::start(folder.path(), &["demo", "--speed", "0.01"]);
    demo.line();
    let ended = demo.terminate();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(4), "interrupted\n"));
    let mut listening = Background::start(folder.path(), &["listen", "ebbot", "--port", "0"]);
    listening.read_stderr_until(WATCHING);
    let ended = listening.terminate();
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("0 requests: 0 passed, 0 failed"), "{}", ended.stderr);
}
