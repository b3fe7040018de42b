//! Output that is not read to its end, as in `standin … | head`.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Receiver, standin_in};

/// The exit code of a command whose output nobody reads.
fn exit_code_unread(folder: &Path, arguments: &str) -> i32 {
    // The pipe is closed before the command begins.
    let script = format!(
        "exec 3>&1; code=$({{ {{ sleep 0.3; '{}' {arguments}; echo $? >&4; }} | true; }} 4>&1); \
         echo $code",
        env!("CARGO_BIN_EXE_standin")
    );
    let output = Command::new("sh").args(["-c", &script]).current_dir(folder).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn the_reader_of_the_output_does_not_change_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = folder.path().join("own");
    fs::create_dir(&vendor).unwrap();
    fs::write(vendor.join("vendor.toml"), "id = 'own'\nname = 'Own'\nextends = 'ebbot'\n").unwrap();
    // More list elements than a template may iterate over, so that a dry run fails.
    let mut walk = r#"{"$if": "a.kind", "$is": "image", "$then": "x"}"#.to_owned();
    for name in ["h", "g", "f", "e", "d", "c", "b", "a"] {
        walk = format!(r#"{{"$each": "{name} in conversation.messages", "$do": [{walk}]}}"#);
    }
    fs::write(vendor.join("message.json"), format!("[{walk}]")).unwrap();
    let receiver = Receiver::accepting();
    let to = receiver.url();
    let run = ["run", "handover", "--vendor", "ebbot", "--to", &to, "--journal", "j.db"];
    assert!(standin_in(folder.path(), &run).status.success());
    for arguments in [
        "journal export j.db",
        "journal show j.db -v",
        "journal list j.db",
        "run handover --vendor ebbot --to http://127.0.0.1:1/ --dry-run -v",
        "run handover --vendor own --templates . --dry-run -v",
        "vendors ebbot",
    ] {
        let words: Vec<&str> = arguments.split(' ').collect();
        let read = standin_in(folder.path(), &words).status.code();
        assert_eq!(read, Some(i32::from(arguments.contains("own"))), "{arguments}");
        assert_eq!(Some(exit_code_unread(folder.path(), arguments)), read, "{arguments}");
    }
}
