//! `--json=FILE` and `--dry-run --json`: lines of JSON beside other output.

use std::fs;

use serde_json::Value as Json;

use crate::support::{Receiver, code, path, standin_in, stderr, stdout};

fn lines(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn records_go_to_a_file_beside_the_usual_output() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::accepting());
    let url = receiver.url();
    let run = ["run", "handover", "transfer", "--vendor", "ebbot", "--to", &url];
    let options = ["-q", "--jobs", "2", "--json=records.jsonl"];
    let output = standin_in(folder.path(), &[&run[..], &options].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("total: 2 of 2 runs passed"), "{}", stdout(&output));
    let records = lines(&fs::read_to_string(folder.path().join("records.jsonl")).unwrap());
    let runs: Vec<i64> = records.iter().map(|record| record["run"].as_i64().unwrap()).collect();
    assert!(runs.is_sorted() && runs.first() == Some(&1) && runs.last() == Some(&2), "{runs:?}");
    let finished = records.iter().filter(|record| record["kind"] == "run.finished");
    assert_eq!(finished.count(), 2);
}

#[test]
fn a_file_that_cannot_be_written_is_reported_before_anything_is_sent() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::accepting());
    let url = receiver.url();
    let run = ["run", "handover", "--vendor", "ebbot", "--to", &url, "--json=no/folder.jsonl"];
    let output = standin_in(folder.path(), &run);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains("cannot write `no/folder.jsonl`"), "{}", stderr(&output));
    assert!(receiver.requests().is_empty());
}

#[test]
fn a_dry_run_as_json_has_every_request_with_headers_and_body() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = path("scenarios/handover.toml");
    fs::copy(&scenario, folder.path().join("story.toml")).unwrap();
    let run = ["run", "story.toml", "--vendor", "wotnot", "--dry-run"];
    let console = standin_in(folder.path(), &[&run[..], &["--json"]].concat());
    assert_eq!(code(&console), 0, "{}", stderr(&console));
    let items = lines(&stdout(&console));
    assert_eq!(items[0]["kind"], "dry_run.started");
    assert_eq!(items[0]["data"]["vendor"], "wotnot");
    let requests: Vec<_> = items.iter().filter(|item| item["kind"] == "dry_run.request").collect();
    let last = &items[items.len() - 1];
    assert_eq!(
        (&last["kind"], &last["data"]["requests"]),
        (&"dry_run.finished".into(), &requests.len().into())
    );
    let receiver = Receiver::accepting();
    let url = receiver.url();
    let sent = ["run", "story.toml", "--vendor", "wotnot", "--to", &url];
    assert_eq!(code(&standin_in(folder.path(), &sent)), 0);
    let received = receiver.requests();
    assert_eq!(received.len(), requests.len());
    for (planned, received) in requests.iter().zip(&received) {
        assert_eq!(planned["data"]["body"], received.body.as_str());
        for header in planned["data"]["headers"].as_array().unwrap() {
            let (name, value) = (header[0].as_str().unwrap(), header[1].as_str());
            assert_eq!(received.header(name).as_deref(), value, "{name}");
        }
    }
    let both = standin_in(folder.path(), &[&run[..], &["--json=items.jsonl"]].concat());
    assert!(stdout(&both).contains("nothing was sent"), "{}", stdout(&both));
    let written = fs::read_to_string(folder.path().join("items.jsonl")).unwrap();
    assert_eq!(written, stdout(&console));
}
