//! A journal that was changed, replaced or not written: no reader believes it, and no run passes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::support::{Receiver, Reply, configured, standin_in, stderr, stdout};

const STORY: &str = "[[step]]\nopen = {}\n[[step]]\nsay = { by = 'visitor', text = 'Hello' }\n\
                     [[step]]\nsay = { by = 'bot', text = 'Good day' }\n";

/// A folder with a scenario.
fn folder() -> tempfile::TempDir {
    let folder = configured("");
    fs::write(folder.path().join("story.toml"), STORY).unwrap();
    folder
}

/// Runs a command. Returns its exit code and its output.
fn standin(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = standin_in(folder, arguments);
    (output.status.code(), stdout(&output) + &stderr(&output))
}

fn run(folder: &Path, to: &str, more: &[&str]) -> (Option<i32>, String) {
    let fixed = ["run", "story.toml", "--vendor", "ebbot", "--to", to, "--journal", "j.db"];
    standin(folder, &[&fixed[..], more].concat())
}

/// Replaces a text in the records of a journal, without new checksums.
fn edit(folder: &Path, from: &str, to: &str) {
    let journal = Connection::open(folder.join("j.db")).unwrap();
    journal.execute_batch("DROP TRIGGER record_stays").unwrap();
    let update = "UPDATE record SET record = replace(record, ?1, ?2) WHERE record LIKE ?3";
    let changed = journal.execute(update, (from, to, format!("%{from}%"))).unwrap();
    assert!(changed > 0, "{from}");
}

#[test]
fn an_edited_verdict_is_not_believed() {
    let folder = folder();
    let failing = Receiver::responding(|_, _| Reply::Status(500, String::new()));
    assert_eq!(run(folder.path(), &failing.url(), &[]).0, Some(1));
    edit(folder.path(), "\"verdict\":\"failed\"", "\"verdict\":\"passed\"");
    for command in [
        &["journal", "list", "j.db"][..],
        &["journal", "show", "j.db"],
        &["journal", "export", "j.db"],
        &["journal", "doctor", "j.db"],
        &["journal", "redeliver", "j.db", "1-1"],
    ] {
        let (code, told) = standin(folder.path(), command);
        assert_eq!(code, Some(3), "{command:?}: {told}");
        assert!(told.contains("damaged"), "{command:?}: {told}");
    }
    let before = failing.count();
    let (code, told) = run(folder.path(), &failing.url(), &["--resume"]);
    assert_eq!(code, Some(3), "{told}");
    assert_eq!(failing.count(), before);
}

#[test]
fn an_edited_body_is_not_sent_again() {
    let (folder, receiver) = (folder(), Receiver::accepting());
    assert_eq!(run(folder.path(), &receiver.url(), &[]).0, Some(0));
    edit(folder.path(), "Hello", "Jello");
    let before = receiver.count();
    let (code, told) = standin(folder.path(), &["journal", "redeliver", "j.db", "1-1"]);
    assert_eq!(code, Some(3), "{told}");
    assert_eq!(receiver.count(), before);
}

/// Something that happens to a journal.
type ActOnJournal = fn(PathBuf);

/// Runs a scenario against a receiver that does something with the journal at its second request.
fn run_while(act: impl Fn(PathBuf) + Send + Sync + 'static) -> (Option<i32>, String) {
    let folder = folder();
    let path = folder.path().join("j.db");
    let receiver = Receiver::responding(move |number, _| {
        if number == 1 {
            act(path.clone());
        }
        Reply::good()
    });
    run(folder.path(), &receiver.url(), &[])
}

#[test]
fn a_journal_that_disappears_during_a_run_ends_it() {
    let cases: [(&str, ActOnJournal); 4] = [
        ("is no longer at its path", |path| fs::remove_file(path).unwrap()),
        ("is no longer at its path", |path| {
            fs::rename(&path, path.with_extension("moved")).unwrap();
        }),
        ("was replaced by another file", |path| {
            let copy = path.with_extension("copy");
            fs::copy(&path, &copy).unwrap();
            fs::rename(copy, path).unwrap();
        }),
        ("has a second name", |path| fs::hard_link(&path, path.with_extension("link")).unwrap()),
    ];
    for (reason, act) in cases {
        let (code, told) = run_while(act);
        assert_eq!(code, Some(3), "{reason}: {told}");
        assert!(told.contains(reason), "{told}");
    }
    assert_eq!(run_while(|_| {}).0, Some(0));
}

#[test]
fn a_row_that_is_discarded_without_an_error_ends_the_run() {
    for trigger in [
        "BEFORE INSERT ON record WHEN NEW.seq = 4 BEGIN SELECT RAISE(IGNORE); END",
        "AFTER INSERT ON record WHEN NEW.seq = 4 BEGIN DELETE FROM record WHERE seq = 3; END",
        "BEFORE INSERT ON record WHEN NEW.record LIKE '%run.finished%' BEGIN SELECT RAISE(IGNORE); END",
    ] {
        let (folder, receiver) = (folder(), Receiver::accepting());
        assert_eq!(run(folder.path(), &receiver.url(), &[]).0, Some(0));
        let journal = Connection::open(folder.path().join("j.db")).unwrap();
        journal.execute_batch("DROP TRIGGER record_remains").unwrap();
        journal.execute_batch(&format!("CREATE TRIGGER discard {trigger}")).unwrap();
        drop(journal);
        let (code, told) = run(folder.path(), &receiver.url(), &["--seed", "2"]);
        assert_eq!(code, Some(3), "{trigger}: {told}");
        assert!(told.contains("were not stored"), "{told}");
    }
}

#[test]
fn a_journal_with_a_second_name_is_refused_and_a_link_shares_its_lock() {
    let (folder, receiver) = (folder(), Receiver::accepting());
    assert_eq!(run(folder.path(), &receiver.url(), &[]).0, Some(0));
    fs::hard_link(folder.path().join("j.db"), folder.path().join("hard.db")).unwrap();
    let (code, told) = run(folder.path(), &receiver.url(), &[]);
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("has a second name"), "{told}");
    assert_eq!(standin(folder.path(), &["journal", "list", "j.db"]).0, Some(0));
    fs::remove_file(folder.path().join("hard.db")).unwrap();
    assert_eq!(run(folder.path(), &receiver.url(), &[]).0, Some(0));

    // A link to a file that does not exist yet names the same journal as the file.
    symlink("new.db", folder.path().join("link.db")).unwrap();
    let inner = folder.path().to_owned();
    let (url, told) = (receiver.url(), std::sync::Arc::new(std::sync::Mutex::new(None)));
    let seen = std::sync::Arc::clone(&told);
    let outer = Receiver::responding(move |number, _| {
        if number == 0 {
            let again = ["run", "story.toml", "--vendor", "ebbot", "--to", &url];
            let again = [&again[..], &["--journal", "new.db"]].concat();
            *seen.lock().unwrap() = Some(standin(&inner, &again));
        }
        Reply::good()
    });
    let first = ["run", "story.toml", "--vendor", "ebbot", "--to", &outer.url()];
    let first = standin(folder.path(), &[&first[..], &["--journal", "link.db"]].concat());
    assert_eq!(first.0, Some(0), "{}", first.1);
    let (code, second) = told.lock().unwrap().take().unwrap();
    assert_eq!(code, Some(3), "{second}");
    assert!(second.contains("is being written by another process"), "{second}");
}
