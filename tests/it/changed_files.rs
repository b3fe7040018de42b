//! Scenario files that change while a command runs.

use std::fs;
use std::path::Path;

use crate::support::{Receiver, Reply, code, standin_in, stderr};

const SCENARIO: &str = "name = 'a chat'\n[[step]]\nopen = {}\n\
                        [[step]]\nsay = { by = 'visitor', text = 'Where is my order?' }\n";
const TABLE: &str = "name = 'rows'\nrows = 'rows.csv'\n[vars]\nwhat = ''\n[[step]]\nopen = {}\n\
                     [[step]]\nsay = { by = 'visitor', text = '${vars.what}' }\n";

/// Runs the scenarios of a folder, while `change` is made at the first request. Returns the exit code,
/// the error, and the bodies that the receiver got.
fn run_during(
    folder: &Path,
    arguments: &[&str],
    change: impl Fn() + Send + Sync + 'static,
) -> (i32, String, String) {
    let receiver = Receiver::responding_to_events(move |number, _| {
        if number == 1 {
            change();
        }
        Reply::good()
    });
    let url = receiver.url();
    let all = [&["run", "--vendor", "ebbot", "--to", &url], arguments].concat();
    let output = standin_in(folder, &all);
    let bodies: Vec<_> = receiver.requests().into_iter().map(|request| request.body).collect();
    (code(&output), stderr(&output), bodies.concat())
}

#[test]
fn a_scenario_that_changes_before_its_turn_is_not_run() {
    for jobs in ["1", "3"] {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c", "d", "e"] {
            fs::write(folder.path().join(format!("{name}.toml")), SCENARIO).unwrap();
        }
        let changed = folder.path().join("e.toml");
        let change =
            move || fs::write(&changed, SCENARIO.replace("Where is my order?", "OTHER")).unwrap();
        let (code, error, bodies) = run_during(folder.path(), &[".", "--jobs", jobs], change);
        assert!(error.contains("e.toml`, or a file that it names, has changed"), "{error}");
        assert_eq!(code, 2, "{error}");
        assert!(bodies.contains("Where is my order?") && !bodies.contains("OTHER"));
    }
}

#[test]
fn a_scenario_that_disappears_or_breaks_before_its_turn_is_not_run() {
    type Change = fn(&Path);
    let changes: [Change; 3] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::write(path, "[[step").unwrap(),
        |path| fs::write(path, "name = 'a chat'\n[[step]]\nopen = {}\n").unwrap(),
    ];
    for change in changes {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.toml"), SCENARIO).unwrap();
        let changed = folder.path().join("b.toml");
        fs::write(&changed, SCENARIO).unwrap();
        let (code, error, _) = run_during(folder.path(), &["."], move || change(&changed));
        assert_eq!(code, 2, "{error}");
        assert!(error.contains("b.toml"), "{error}");
    }
}

#[test]
fn a_table_that_changes_before_the_turn_of_its_row_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), SCENARIO).unwrap();
    fs::write(folder.path().join("b.toml"), TABLE).unwrap();
    let rows = folder.path().join("rows.csv");
    fs::write(&rows, "what\nfirst\nsecond\n").unwrap();
    let change = move || fs::write(&rows, "what\nfirst\nOTHER\n").unwrap();
    let (code, error, bodies) = run_during(folder.path(), &["."], change);
    assert_eq!(code, 2, "{error}");
    assert!(error.contains("b.toml`, or a file that it names, has changed"), "{error}");
    assert!(bodies.contains("first") && !bodies.contains("OTHER"));
}

#[test]
fn rows_and_vendors_are_planned_in_order() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), TABLE).unwrap();
    fs::write(folder.path().join("b.toml"), SCENARIO).unwrap();
    fs::write(folder.path().join("rows.csv"), "what\nalpha\nbeta\ngamma\n").unwrap();
    let receiver = Receiver::accepting();
    let to = ["run", ".", "--vendor", "ebbot,wotnot", "--to", &receiver.url()];
    for filter in [&[][..], &["--filter", "wotnot"], &["--filter", "b.toml"]] {
        let output = standin_in(folder.path(), &[&to[..], filter].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
    }
    let bodies: Vec<_> = receiver.requests().into_iter().map(|request| request.body).collect();
    let of = |text: &str| bodies.iter().filter(|body| body.contains(text)).count();
    let numbers = ["alpha", "beta", "gamma"].map(of);
    assert!(numbers[0] > 0 && numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
}
