//! The documentation matches the program.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value as Json;

use crate::support::{Receiver, Reply, path, standin, standin_in, stderr, stdout};

/// The code blocks between a marker of a document and the next `<!-- end -->`.
fn blocks(document: &str, from: &str) -> Vec<String> {
    let text = fs::read_to_string(path(document)).unwrap();
    let text = text.split(from).nth(1).unwrap().split("<!-- end -->").next().unwrap();
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        match line.strip_prefix("    ") {
            Some(code) => *blocks.last_mut().unwrap() += &format!("{code}\n"),
            None if line.is_empty() => {}
            None => blocks.push(String::new()),
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

#[test]
fn the_smallest_vendor_works_and_every_line_is_required() {
    let blocks = blocks("docs/vendors.md", "<!-- the smallest vendor; a test checks it -->");
    let [vendor, template] = blocks.as_slice() else { panic!("{blocks:?}") };
    let folder = tempfile::tempdir().unwrap();
    let vendor_folder = folder.path().join("acme");
    fs::create_dir(&vendor_folder).unwrap();
    fs::write(vendor_folder.join("message.json"), template).unwrap();
    let check = |vendor: &str| {
        fs::write(vendor_folder.join("vendor.toml"), vendor).unwrap();
        standin_in(folder.path(), &["check", "acme"])
    };
    let output = check(vendor);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let receiver = Receiver::accepting();
    let to = receiver.url();
    let run = ["run", "handover", "--vendor", "acme", "--to", &to, "--templates", "."];
    assert_eq!(standin_in(folder.path(), &run).status.code(), Some(0));
    assert_eq!(receiver.requests()[0].json()["type"], "message");
    for required in ["id ", "name ", "json ", "success ", "redirects", "timeout", "kind ="] {
        let without: Vec<&str> =
            vendor.lines().filter(|line| !line.starts_with(required)).collect();
        assert_eq!(check(&without.join("\n")).status.code(), Some(2), "without {required}");
    }
}

#[test]
fn every_kind_of_record_and_every_key_is_documented() {
    let document = fs::read_to_string(path("docs/json.md")).unwrap();
    let mut names = BTreeSet::new();
    let receiver = Receiver::responding(|_, _| Reply::Status(500, String::new()));
    for (vendor, story) in [("erxes", "handover"), ("wotnot", "handover"), ("ebbot", "attachments")]
    {
        let to = receiver.url();
        let run = ["run", story, "--vendor", vendor, "--to", &to, "--json", "--events", "*"];
        for line in stdout(&standin(&run)).lines() {
            let record: Json = serde_json::from_str(line).unwrap();
            names.insert(record["kind"].as_str().unwrap().to_owned());
            let data = record["data"].as_object().unwrap();
            names.extend(record.as_object().unwrap().keys().chain(data.keys()).cloned());
            let inner = ["result", "files"].iter().filter_map(|key| data.get(*key)?.as_object());
            names.extend(inner.flat_map(|inner| inner.keys().cloned()));
        }
    }
    assert!(names.len() > 40, "{names:?}");
    let missing: Vec<&String> =
        names.iter().filter(|name| !document.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/json.md lacks {missing:?}");
}
