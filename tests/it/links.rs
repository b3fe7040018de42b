//! Symbolic links in folders do not lead to files elsewhere.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use crate::support::{path, standin_in, stderr, stdout};

/// A folder with a private file, a vendor in `vendors/plain` and a scenario in `stories/`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (vendor, original) = (folder.path().join("vendors/plain"), path("tests/minimal/plain"));
    fs::create_dir_all(&vendor).unwrap();
    for file in fs::read_dir(original).unwrap().flatten() {
        fs::copy(file.path(), vendor.join(file.file_name())).unwrap();
    }
    fs::create_dir(folder.path().join("stories")).unwrap();
    fs::write(folder.path().join("stories/good.toml"), "[[step]]\nopen = {}\n").unwrap();
    fs::write(folder.path().join("private.json"), "{\"private\": canary}").unwrap();
    fs::write(folder.path().join("private.toml"), "password = canary\n").unwrap();
    folder
}

/// Checks a path with the vendors of the folder; returns the exit code and the output.
fn check(folder: &Path, what: &str) -> (Option<i32>, String) {
    let output = standin_in(folder, &["check", what, "--templates", "vendors"]);
    (output.status.code(), stdout(&output) + &stderr(&output))
}

#[test]
fn a_link_out_of_a_folder_is_refused_and_its_target_not_shown() {
    for (link, target, checked) in [
        ("vendors/plain/extra.json", "private.json", "stories"),
        ("vendors/plain/revisions", "stories", "stories"),
        ("vendors/other", "elsewhere", "stories"),
        ("stories/linked.toml", "private.toml", "stories"),
        ("vendors/plain/extra.json", "private.json", "vendors/plain"),
    ] {
        let folder = folder();
        fs::create_dir(folder.path().join("elsewhere")).unwrap();
        fs::write(folder.path().join("elsewhere/vendor.toml"), "id = \"canary\"\n").unwrap();
        symlink(folder.path().join(target), folder.path().join(link)).unwrap();
        let (code, output) = check(folder.path(), checked);
        assert_eq!(code, Some(2), "{link}: {output}");
        let name = link.rsplit('/').next().unwrap();
        assert!(output.contains("E001") && output.contains(name), "{link}: {output}");
        assert!(!output.contains("canary"), "{link}: {output}");
    }
}

#[test]
fn links_within_a_folder_and_named_links_are_followed() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    symlink(at("stories/good.toml"), at("stories/again.toml")).unwrap();
    symlink(at("stories/good.toml"), at("named.toml")).unwrap();
    symlink(at("stories"), at("named")).unwrap();
    for named in ["stories", "named.toml", "named"] {
        let (code, output) = check(folder.path(), named);
        assert_eq!(code, Some(0), "{named}: {output}");
    }
    fs::write(at("token"), "private-token").unwrap();
    symlink(at("token"), at("linked-token")).unwrap();
    fs::write(at("own.toml"), "[vendor.plain]\nsecret.token = 'file:linked-token'\n").unwrap();
    let (code, output) = check(folder.path(), "own.toml");
    assert_eq!(code, Some(0), "{output}");
}
