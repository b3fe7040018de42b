//! `send --body` and `sign`: bodies of the user with the headers of a vendor.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use standin::platform::{Account, Verifier};

use crate::support::{Receiver, bundled_vendors, code, standin_in, stderr, stdout};

/// A body that no vendor would write in this way, with a newline at its end.
const BODY: &str = "{ \"odd\":\t[1.50 , \"\u{00e9}\"] }\n";

fn piped(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_standin"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_body_of_ones_own_is_sent_byte_for_byte_and_signed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("own.txt"), BODY).unwrap();
    for vendor in &bundled_vendors() {
        let receiver = Receiver::accepting();
        let url = receiver.url();
        let output =
            standin_in(folder.path(), &["send", &vendor.id, "--body", "own.txt", "--to", &url]);
        assert_eq!(code(&output), 0, "{}: {}", vendor.id, stdout(&output) + &stderr(&output));
        let events = receiver.events();
        let [event] = events.as_slice() else { panic!("{}: {events:?}", vendor.id) };
        assert_eq!(event.body, BODY, "{}", vendor.id);
        let account = Account::test(vendor);
        let receipt = Verifier::of(&account).verify(&event.body, &|name| event.header(name));
        assert!(receipt.passed(), "{}: {receipt:?}", vendor.id);
    }
}

#[test]
fn a_body_is_read_from_standard_input_for_a_named_event() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::accepting());
    let url = receiver.url();
    let send = ["send", "ebbot", "chat.close", "--body", "-", "--to", &url];
    let output = piped(folder.path(), &send, "from a pipe");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(receiver.events()[0].body, "from a pipe");
    assert!(stdout(&output).contains("chat.close"), "{}", stdout(&output));
    let both = standin_in(folder.path(), &["send", "ebbot", "--body", "-", "--set", "text=x"]);
    assert_eq!(code(&both), 2, "{}", stderr(&both));
    let none = standin_in(folder.path(), &["send", "ebbot", "--to", &url]);
    assert!(stderr(&none).contains("EVENT_TYPE"), "{}", stderr(&none));
}

#[test]
fn sign_prints_the_headers_of_a_request_that_the_vendor_would_send() {
    let folder = tempfile::tempdir().unwrap();
    for vendor in &bundled_vendors() {
        let output = piped(folder.path(), &["sign", &vendor.id, "--body", "-"], BODY);
        assert_eq!(code(&output), 0, "{}: {}", vendor.id, stderr(&output));
        let printed = stdout(&output);
        let header = |name: &str| {
            let pairs = printed.lines().filter_map(|line| line.split_once(": "));
            let mut pairs = pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name));
            pairs.next().map(|(_, value)| value.to_owned())
        };
        let account = Account::test(vendor);
        let receipt = Verifier::of(&account).verify(BODY, &header);
        assert!(receipt.passed(), "{}: {printed}", vendor.id);
        assert!(header("Content-Type").is_some(), "{}: {printed}", vendor.id);
    }
    let unknown = piped(folder.path(), &["sign", "ebbot", "--body", "-", "--event", "x"], "");
    assert!(stderr(&unknown).contains("sends no `x`"), "{}", stderr(&unknown));
}

#[test]
fn sign_prints_the_signature_of_a_configured_secret_but_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[vendor.liveperson.secret]\nclient_secret = 'canary-secret'\n\
                  [vendor.replycx.secret]\ntoken = 'canary-token'\n";
    fs::write(folder.path().join("standin.toml"), config).unwrap();
    let sign = |vendor| piped(folder.path(), &["sign", vendor, "--body", "-"], "{}");
    let (signed, token) = (sign("liveperson"), sign("replycx"));
    for output in [&signed, &token] {
        assert_eq!(code(output), 0, "{}", stderr(output));
        assert!(!stdout(output).contains("canary"), "{}", stdout(output));
    }
    assert!(stdout(&token).contains("${secret.token}"), "{}", stdout(&token));
    assert!(stdout(&signed).to_lowercase().contains("signature: "), "{}", stdout(&signed));
}
