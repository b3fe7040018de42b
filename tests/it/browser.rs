//! The page in a real browser. The tests themselves are in `tests/browser`.

use std::process::Command;

use crate::support::path;

#[test]
#[ignore = "requires Chromium, and `npm ci` in tests/browser"]
fn the_page_works_in_chromium() {
    let tests = Command::new("node")
        .arg("--test")
        .current_dir(path("tests/browser"))
        .env("STANDIN", env!("CARGO_BIN_EXE_standin"))
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&tests.stdout);
    assert!(tests.status.success(), "{printed}");
    assert!(printed.contains("# pass "), "no test was run:\n{printed}");
}
