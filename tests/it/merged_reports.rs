//! `report merge`: the reports of the parts of a suite become one.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use crate::support::{Receiver, Reply, code, standin_in, stderr, stdout};

const SCENARIOS: [&str; 3] = ["handover", "transfer", "attachments"];

/// Plays the suite, or one part of it, with reports of this name in every format.
fn play(folder: &Path, url: &str, name: &str, arguments: &[&str]) {
    let fixed = ["run", SCENARIOS[0], SCENARIOS[1], "--vendor", "ebbot,wotnot", "-q", "--to", url];
    let kinds = ["junit", "json", "html", "har", "md"];
    let reports: Vec<String> =
        kinds.iter().map(|kind| format!("--report={kind}={name}.{kind}")).collect();
    let reports: Vec<&str> = reports.iter().map(String::as_str).collect();
    let output = standin_in(folder, &[&fixed[..], arguments, &reports].concat());
    assert_eq!(code(&output), 1, "{}", stderr(&output));
}

/// A report without what differs between two plays: times.
fn comparable(json: &str) -> Json {
    fn clean(json: &mut Json) {
        match json {
            Json::Object(table) => {
                table.retain(|key, _| {
                    !["wall_time", "timings", "duration_ms", "duration_us"].contains(&key.as_str())
                });
                table.values_mut().for_each(clean);
            }
            Json::Array(items) => items.iter_mut().for_each(clean),
            _ => {}
        }
    }
    let mut json = serde_json::from_str(json).unwrap();
    clean(&mut json);
    json
}

#[test]
fn merged_parts_are_the_report_of_the_whole_suite() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::responding(|_, request| {
        let status = if request.body.contains("close") { 500 } else { 200 };
        Reply::Status(status, "{}".into())
    });
    let url = receiver.url();
    play(folder.path(), &url, "whole", &[]);
    // The parts in which the runs of the suite stand one after the other.
    play(folder.path(), &url, "first", &["--filter", "ebbot"]);
    play(folder.path(), &url, "second", &["--filter", "wotnot"]);
    let merge = ["report", "merge", "first.json", "second.json"];
    let reports = ["--report=json=all.json", "--report=junit=all.xml", "--report=html=all.html"];
    let output = standin_in(folder.path(), &[&merge[..], &reports].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output), "merged 2 reports: 0 of 4 runs passed\n");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let (whole, merged) = (comparable(&read("whole.json")), comparable(&read("all.json")));
    let sorted = |report: &Json| {
        let mut runs: Vec<Json> = report["runs"].as_array().unwrap().clone();
        runs.sort_by_key(|run| {
            format!("{} {}", run["started"]["vendor"], run["started"]["scenario"])
        });
        runs
    };
    assert_eq!(whole["totals"], merged["totals"]);
    assert_eq!(whole["verdict"], merged["verdict"]);
    assert_eq!(sorted(&whole), sorted(&merged));
    let junit = read("all.xml");
    let document = roxmltree::Document::parse(&junit).unwrap();
    let suites = document.descendants().filter(|node| node.has_tag_name("testsuite"));
    assert_eq!(suites.count(), 4);
    let attribute = |text: &str, name: &str| {
        let document = roxmltree::Document::parse(text).unwrap();
        document.root_element().attribute(name).unwrap().to_owned()
    };
    for name in ["tests", "failures", "errors"] {
        assert_eq!(attribute(&junit, name), attribute(&read("whole.junit"), name), "{name}");
    }
    // Written again, a report does not change.
    let again =
        standin_in(folder.path(), &["report", "merge", "all.json", "--report", "json=again.json"]);
    assert_eq!(code(&again), 0, "{}", stderr(&again));
    assert_eq!(read("again.json"), read("all.json"));
}

#[test]
fn files_that_are_no_reports_are_all_reported_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("other.json"), "{\"runs\": []}").unwrap();
    fs::write(folder.path().join("old.json"), "{\"version\": 0, \"runs\": []}").unwrap();
    let merge = ["report", "merge", "other.json", "old.json", "none.json", "--report", "md=all.md"];
    let output = standin_in(folder.path(), &merge);
    assert_eq!(code(&output), 2);
    let told = stderr(&output);
    for part in [
        "cannot read report `other.json`: `version` or `runs` is missing",
        "cannot read report `old.json`: version 0 of the format, expected 1",
        "cannot read report `none.json`",
        "--report json=FILE",
    ] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
    assert!(!folder.path().join("all.md").exists());
}
