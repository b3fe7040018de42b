//! Environment variables: empty ones count as not set, and switches accept the usual words.

use std::process::{Command, Output};

use crate::support::{Receiver, standin_in, stderr, stdout};

/// Runs the binary in an empty folder with these environment variables.
fn standin_with(variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_standin"))
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn empty_variables_count_as_not_set() {
    let receiver = Receiver::accepting();
    let to = receiver.url();
    let names = ["SEED", "START", "TO", "ALLOW_PUBLIC", "WAIT_READY", "JOURNAL", "CONFIG"];
    let more = ["TEMPLATES", "ACCOUNT", "FILES_PORT", "FILES_HOST", "PORT"];
    let names = names.iter().chain(&more).map(|name| format!("STANDIN_{name}"));
    let names: Vec<String> = names.collect();
    for value in ["", " "] {
        let variables: Vec<(&str, &str)> =
            names.iter().map(|name| (name.as_str(), value)).collect();
        let run = ["run", "handover", "--vendor", "ebbot", "--to", &to];
        let output = standin_with(&variables, &run);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stdout(&output).contains("seed 1, start 2026-01-05"), "{}", stdout(&output));
        // `--help` lists the variables of a command. Each must be in this test.
        for command in ["run", "send", "listen", "demo"] {
            let help = stdout(&standin_with(&[], &[command, "--help"]));
            for part in help.split("[env: ").skip(1) {
                let name = part.split(['=', ']']).next().unwrap();
                assert!(names.iter().any(|known| known == name), "{name}");
            }
        }
    }
    let output = standin_with(&[("STANDIN_SEED", "x")], &["run", "handover", "--to", &to]);
    assert_eq!(output.status.code(), Some(2), "an invalid value is an error");
}

#[test]
fn a_switch_accepts_the_usual_words() {
    let run = ["run", "handover", "--vendor", "ebbot", "--dry-run", "--to", "http://8.8.8.8/"];
    for (value, code) in
        [("1", 0), ("true", 0), ("yes", 0), ("on", 0), ("0", 2), ("false", 2), ("no", 2), ("x", 2)]
    {
        let output = standin_with(&[("STANDIN_ALLOW_PUBLIC", value)], &run);
        assert_eq!(output.status.code(), Some(code), "{value}: {}", stderr(&output));
    }
    let folder = tempfile::tempdir().unwrap();
    let flag = standin_in(folder.path(), &[&run[..], &["--allow-public"]].concat());
    assert_eq!(flag.status.code(), Some(0), "{}", stderr(&flag));
}
