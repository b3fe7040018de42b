//! Reading a journal, also after its writer was killed: always possible, and without changing it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};
use rusqlite::Connection;
use standin::journal::Journal;
use tempfile::TempDir;

use crate::journal::{self, JournalFixture};
use crate::support::{Receiver, standin_in, stderr, stdout};

const STORY: &str = "name = 'a chat'\n[[step]]\nopen = {}\n\
                     [[step]]\nsay = { by = 'visitor', text = 'Hello' }\n";

/// A folder with a scenario.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("story.toml"), STORY).unwrap();
    folder
}

/// Plays the scenario with a journal, in the background.
fn start(folder: &Path, url: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_standin"))
        .args(["run", "story.toml", "--vendor", "ebbot", "--to", url, "--journal", "j.db"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The files of a folder that belong to the journal, with their contents.
fn journal_files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(folder).unwrap().flatten();
    let named = files.map(|file| (file.file_name().into_string().unwrap(), file.path()));
    let mut files: Vec<_> = named
        .filter(|(name, _)| name == "j.db" || name == "j.db-journal")
        .map(|(name, path)| (name, fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// A writer that is killed while it changes the journal mode leaves a rollback journal.
#[test]
fn a_journal_with_an_unfinished_change_can_be_read() {
    let (receiver, folder, killed) =
        (Receiver::accepting(), folder(), tempfile::tempdir().unwrap());
    start(folder.path(), &receiver.url()).wait().unwrap();
    let listed = stdout(&standin_in(folder.path(), &["journal", "list", "j.db"]));
    assert!(listed.contains("passed"), "{listed}");
    let writer = Connection::open(folder.path().join("j.db")).unwrap();
    // A cache of one page spills changes into the file before they are committed.
    writer.execute_batch("PRAGMA cache_size = 1; BEGIN").unwrap();
    let row = "INSERT INTO record VALUES ((9 << 32) + ?1, hex(zeroblob(9000)), x'00')";
    (1..50).for_each(|seq| assert_eq!(writer.execute(row, [seq]).unwrap(), 1));
    for (name, bytes) in journal_files(folder.path()) {
        fs::write(killed.path().join(name), bytes).unwrap();
    }
    drop(writer);
    let before = journal_files(killed.path());
    assert_eq!(before.len(), 2, "the journal and its rollback journal");
    for command in ["list", "show", "export", "doctor"] {
        let output = standin_in(killed.path(), &["journal", command, "j.db"]);
        assert_eq!(output.status.code(), Some(0), "{command}: {}", stderr(&output));
    }
    assert_eq!(stdout(&standin_in(killed.path(), &["journal", "list", "j.db"])), listed);
    assert!(journal_files(killed.path()) == before, "reading has changed the journal");
}

/// Waits at most 20 seconds until the condition holds or the process ends.
fn wait_for(child: &mut Child, condition: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !condition() && child.try_wait().unwrap().is_none() && Instant::now() < until {
        sleep(Duration::from_micros(100));
    }
}

#[test]
fn a_journal_can_be_read_whenever_its_writer_is_killed() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut found = 0;
    for number in 0..40 {
        let (receiver, folder) = (Receiver::accepting(), folder());
        let mut child = start(folder.path(), &receiver.url());
        let (path, lock) = (folder.path().join("j.db"), folder.path().join("j.db.lock"));
        if number % 2 == 0 {
            wait_for(&mut child, || lock.exists()); // while the journal is created
        } else {
            wait_for(&mut child, || receiver.events().len() == 3); // while it is closed
        }
        sleep(Duration::from_micros(rng.random_range(0..6_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        if !path.exists() {
            continue; // nothing has been recorded
        }
        found += 1;
        let journal = Journal::open(&path).unwrap_or_else(|error| panic!("{number}: {error}"));
        let runs = journal.runs().unwrap_or_else(|error| panic!("{number}: {error}"));
        assert_eq!(journal.examine().unwrap(), [], "{number}");
        for run in runs {
            assert!(journal.records(run.run).all(|record| record.is_ok()), "{number}");
        }
    }
    assert!(found >= 20, "only {found} of 40 kills left a journal");
}

#[test]
fn doctor_accepts_deliveries_dropped_by_a_fault() {
    let receiver = Receiver::accepting();
    let fixture = JournalFixture::of(&receiver, &[]);
    let story = journal::STORY.replacen("say =", "fault = 'drop'\nsay =", 1);
    fs::write(fixture.folder.path().join("story.toml"), story).unwrap();
    let output = fixture.run(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let output = fixture.journal_command(&["doctor", "j.db"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
}

#[test]
fn a_run_that_repeats_ids_of_an_earlier_run_is_noted() {
    let receiver = Receiver::accepting();
    let fixture = JournalFixture::of(&receiver, &[]);
    let first = fixture.run(&[]);
    assert!(!stderr(&first).contains("same ids"), "{}", stderr(&first));
    let second = fixture.run(&[]);
    assert!(stderr(&second).contains("note: run 1 of the journal sent the same ids"));
    let random = fixture.run(&["--seed", "random"]);
    assert!(!stderr(&random).contains("same ids"), "{}", stderr(&random));
}

/// What the format before row numbers has in place of the table with them.
const OLDER_FORMAT: &str = "
    CREATE TABLE older (
        run INTEGER NOT NULL, seq INTEGER NOT NULL, record TEXT NOT NULL, seal BLOB NOT NULL,
        PRIMARY KEY (run, seq)
    ) WITHOUT ROWID;
    INSERT INTO older SELECT id >> 32, id & 4294967295, record, seal FROM record;
    DROP TABLE record;
    ALTER TABLE older RENAME TO record;
    CREATE TRIGGER record_stays BEFORE UPDATE ON record BEGIN SELECT RAISE(ABORT, 'append-only'); END;
    CREATE TRIGGER record_remains BEFORE DELETE ON record
        WHEN NOT EXISTS (SELECT 1 FROM expired WHERE expired.run = OLD.run)
        BEGIN SELECT RAISE(ABORT, 'append-only'); END;
    PRAGMA user_version = 3;";

#[test]
fn a_journal_of_an_older_format_is_read_and_continued() {
    let (receiver, folder) = (Receiver::accepting(), folder());
    start(folder.path(), &receiver.url()).wait().unwrap();
    start(folder.path(), &receiver.url()).wait().unwrap();
    let read = || {
        let commands = [&["list"][..], &["show", "j.db", "2"], &["export"], &["doctor"]];
        let read = commands.iter().map(|command| {
            let more = if command.len() == 1 { &["j.db"][..] } else { &[] };
            let output = standin_in(folder.path(), &[&["journal"], *command, more].concat());
            assert_eq!(output.status.code(), Some(0), "{command:?}: {}", stderr(&output));
            stdout(&output)
        });
        read.collect::<Vec<String>>()
    };
    let before = read();
    let journal = Connection::open(folder.path().join("j.db")).unwrap();
    journal.execute_batch(OLDER_FORMAT).unwrap();
    drop(journal);
    let files = journal_files(folder.path());
    assert_eq!(read(), before);
    assert!(journal_files(folder.path()) == files, "reading has changed the journal");

    start(folder.path(), &receiver.url()).wait().unwrap();
    let after = read();
    let (list, more) = (before[0].trim_end(), after[0].trim_end());
    assert!(more.lines().count() == list.lines().count() + 1, "{list}\n{more}");
    assert_eq!(after[1], before[1], "the second run");
    // Deleting is still refused, other than that of an expired run.
    let journal = Connection::open(folder.path().join("j.db")).unwrap();
    let version: i64 = journal.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert!(version > 3);
    let refused = journal.execute("DELETE FROM record WHERE run = 1", []).unwrap_err();
    assert!(refused.to_string().contains("append-only"), "{refused}");
}

#[test]
fn rows_with_extreme_numbers_are_reported_and_end_no_reader_in_a_loop() {
    let receiver = Receiver::accepting();
    for id in [i64::MIN, i64::MAX, (i64::from(i32::MAX) << 32) + 1, -1] {
        let folder = folder();
        start(folder.path(), &receiver.url()).wait().unwrap();
        let journal = Connection::open(folder.path().join("j.db")).unwrap();
        let row = "INSERT INTO record SELECT ?1, record, seal FROM record LIMIT 1";
        assert_eq!(journal.execute(row, [id]).unwrap(), 1);
        drop(journal);
        let mut doctor = Command::new(env!("CARGO_BIN_EXE_standin"))
            .args(["journal", "doctor", "j.db"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for(&mut doctor, || false);
        let ended = doctor.try_wait().unwrap();
        let _ = doctor.kill();
        assert_eq!(ended.and_then(|status| status.code()), Some(3), "{id}");
    }
}
