//! Which runs a command plays: tags, parts of a suite, and what failed before.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use crate::support::{Receiver, Reply, accept, code, standin_in, stderr, stdout};

const STEPS: &str =
    "[[step]]\nopen = {}\n[[step]]\nsay = { by = 'visitor', text = '${vars.order}' }\n";

/// A folder with a scenario for each name, which has these keys at its top.
fn folder(scenarios: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, keys) in scenarios {
        let text = format!("name = '{name}'\n{keys}\n[vars]\norder = 1\n{STEPS}");
        fs::write(folder.path().join(format!("{name}.toml")), text).unwrap();
    }
    folder
}

fn run(folder: &Path, receiver: &Receiver, arguments: &[&str]) -> Output {
    let url = receiver.url();
    let all = ["run", ".", "--vendor", "ebbot", "--to", &url, "--quiet"];
    standin_in(folder, &[&all, arguments].concat())
}

/// The names of the runs, in order.
fn played(output: &Output) -> Vec<String> {
    let verdict = |line: &str| {
        let (_, rest) = line
            .split_once(", ")
            .filter(|(verdict, _)| ["passed", "failed", "inconclusive"].contains(verdict))?;
        Some(rest.split(" at ebbot").next()?.to_owned())
    };
    stdout(output).lines().filter_map(verdict).collect()
}

#[test]
fn tags_choose_scenarios() {
    let receiver = Receiver::accepting();
    let folder = folder(&[
        ("both", "tags = ['smoke', 'slow']"),
        ("none", ""),
        ("smoke", "tags = ['smoke']"),
    ]);
    let names = |arguments: &[&str]| played(&run(folder.path(), &receiver, arguments));
    assert_eq!(names(&[]), ["both", "none", "smoke"]);
    assert_eq!(names(&["--tag", "smoke"]), ["both", "smoke"]);
    assert_eq!(names(&["--tag", "!slow"]), ["none", "smoke"]);
    assert_eq!(names(&["--tag", "smoke", "--tag", "!slow"]), ["smoke"]);
    assert_eq!(names(&["--tag", "slow", "--tag", "smoke"]), ["both", "smoke"]);
}

#[test]
fn nothing_to_run_is_a_failure_unless_it_is_allowed() {
    let receiver = Receiver::accepting();
    let folder = folder(&[("one", "")]);
    let output = run(folder.path(), &receiver, &["--tag", "smoke", "--filter", "one"]);
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output).contains("no run matches `--filter` and `--tag`"),
        "{}",
        stderr(&output)
    );
    let output = run(folder.path(), &receiver, &["--tag", "smoke", "--no-runs", "pass"]);
    assert_eq!((code(&output), receiver.count()), (0, 0));
}

#[test]
fn every_run_belongs_to_one_shard() {
    let receiver = Receiver::accepting();
    let rows = "[[row]]\norder = 1\n[[row]]\norder = 2\n[[row]]\norder = 3\n";
    let folder = folder(&[("first", ""), ("second", "")]);
    let path = folder.path().join("second.toml");
    let text =
        fs::read_to_string(&path).unwrap().replacen("[[step]]", &format!("{rows}[[step]]"), 1);
    fs::write(&path, text).unwrap();
    let names = |arguments: &[&str]| played(&run(folder.path(), &receiver, arguments));
    let all = names(&[]);
    assert_eq!(all.len(), 4);
    assert_eq!(names(&["--shard", "1/2"]), [all[0].clone(), all[2].clone()]);
    assert_eq!(names(&["--shard", "2/2"]), [all[1].clone(), all[3].clone()]);
    // The parts are those of the runs that match otherwise.
    assert_eq!(names(&["--shard", "2/3", "--filter", "row"]), [all[2].clone()]);
    for invalid in ["0/2", "3/2", "1", "1/0", "a/b"] {
        let output = run(folder.path(), &receiver, &["--shard", invalid]);
        assert_eq!(code(&output), 2, "{invalid}");
        assert!(stderr(&output).contains("`1/3` for the first of three parts"), "{invalid}");
    }
}

#[test]
fn what_failed_in_a_report_is_run_again() {
    let is_repaired = Arc::new(AtomicBool::new(false));
    let repaired = Arc::clone(&is_repaired);
    let receiver = Receiver::responding(move |_, received| {
        let is_wrong =
            received.body.contains("\"value\":\"2\"") && !repaired.load(Ordering::SeqCst);
        if is_wrong { Reply::Status(500, "{}".into()) } else { accept(received) }
    });
    let rows = "[[row]]\norder = 1\n[[row]]\norder = 2\n";
    let folder = folder(&[("orders", ""), ("other", "")]);
    let path = folder.path().join("orders.toml");
    let text =
        fs::read_to_string(&path).unwrap().replacen("[[step]]", &format!("{rows}[[step]]"), 1);
    fs::write(&path, text).unwrap();
    let output = run(folder.path(), &receiver, &["--report", "json=last.json"]);
    assert_eq!((code(&output), played(&output).len()), (1, 3), "{}", stdout(&output));

    is_repaired.store(true, Ordering::SeqCst);
    let again = ["--rerun-failed", "last.json", "--report", "json=last.json"];
    let output = run(folder.path(), &receiver, &again);
    assert_eq!((code(&output), played(&output)), (0, vec!["orders, row 2: 2".to_owned()]));
    let output = run(folder.path(), &receiver, &again);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("no run matches `--rerun-failed`"), "{}", stderr(&output));

    fs::write(folder.path().join("no.json"), "{\"runs\": 1}").unwrap();
    for (file, exit, why) in
        [("no.json", 2, "is not a report in JSON"), ("none.json", 2, "cannot be read")]
    {
        let output = run(folder.path(), &receiver, &["--rerun-failed", file]);
        assert_eq!(code(&output), exit, "{}", stderr(&output));
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
}
