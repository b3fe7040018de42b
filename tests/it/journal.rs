//! The journal: what is stored, what is resent, and what remains after crashes and disk errors.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value as Json;
use standin::journal::{Journal, JournalError, JournalWriter, WriteOptions};
use standin::record::{Origin, RecordKind};
use standin::run::VerdictBuilder;

use crate::support::{ReceivedRequest, Receiver, Reply, play, standin_in, stderr, stdout};

/// A folder with a scenario, and the arguments that play it with a journal.
pub(crate) struct JournalFixture {
    pub(crate) folder: tempfile::TempDir,
    arguments: Vec<String>,
}

pub(crate) const STORY: &str = "name = 'a chat'\n[[step]]\nopen = {}\n\
                     [[step]]\nsay = { by = 'visitor', text = 'Hello' }\n\
                     [[step]]\nsay = { by = 'bot', text = 'Good day' }\n\
                     [[step]]\nclose = { by = 'system' }\n";

impl JournalFixture {
    pub(crate) fn of(receiver: &Receiver, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("story.toml"), STORY).unwrap();
        let url = receiver.url();
        let fixed = ["run", "story.toml", "--vendor", "ebbot", "--to", &url, "--journal", "j.db"];
        let arguments = fixed.iter().chain(more).map(ToString::to_string).collect();
        Self { folder, arguments }
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("j.db")
    }

    pub(crate) fn run(&self, more: &[&str]) -> Output {
        let arguments: Vec<&str> =
            self.arguments.iter().map(String::as_str).chain(more.iter().copied()).collect();
        standin_in(self.folder.path(), &arguments)
    }

    /// The same command with another journal.
    #[cfg(unix)]
    fn run_into(&self, journal: &str) -> Output {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let arguments: Vec<&str> =
            arguments.into_iter().map(|word| if word == "j.db" { journal } else { word }).collect();
        standin_in(self.folder.path(), &arguments)
    }

    pub(crate) fn journal_command(&self, arguments: &[&str]) -> Output {
        standin_in(self.folder.path(), &[&["journal"], arguments].concat())
    }

    /// The same command in the background, resuming an interruptedrun.
    fn start(&self) -> Child {
        Command::new(env!("CARGO_BIN_EXE_standin"))
            .args(&self.arguments)
            .arg("--resume")
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// The same command, killed at a fail point.
    fn crash_at(&self, point: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_standin"))
            .args(&self.arguments)
            .arg("--resume")
            .current_dir(self.folder.path())
            .env("STANDIN_CRASH_AT", point)
            .output()
            .unwrap()
    }

    /// Resumes to the end, and compares the requests of the receiver with the journal.
    fn resume_and_check(&self, receiver: &Receiver) {
        let output = self.run(&["--resume", "--quiet"]);
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        let seen = receiver.events();
        check(&self.journal(), &seen);
        let output = self.run(&["--resume", "--quiet"]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(receiver.events().len(), seen.len(), "starting again sends nothing");
        let output = self.journal_command(&["doctor", "j.db"]);
        assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    }
}

/// Checks that the journalcontains every request, in order, and that only deliveries in doubtwere
/// received twice.
fn check(journal: &Path, seen: &[ReceivedRequest]) {
    let journal = Journal::open(journal).unwrap();
    let mut bodies: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    let mut sent: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    let mut recovered: BTreeSet<(u32, u32)> = BTreeSet::new();
    let position = |id: &str| -> (u32, u32) {
        let (conversation, number) = id.split_once('-').unwrap();
        (conversation.parse().unwrap(), number.parse().unwrap())
    };
    for kept in journal.runs().unwrap() {
        for record in journal.records(kept.run).map(Result::unwrap) {
            match record.kind {
                RecordKind::DeliveryPlanned { delivery, body, .. } => {
                    bodies.insert(body.to_string(), position(&delivery));
                }
                RecordKind::AttemptStarted { delivery, origin, .. }
                    if origin != Origin::Replayed =>
                {
                    *sent.entry(position(&delivery)).or_default() += 1;
                    if origin == Origin::Recovered {
                        recovered.insert(position(&delivery));
                    }
                }
                _ => {}
            }
        }
    }
    let mut last: BTreeMap<u32, u32> = BTreeMap::new();
    let mut counts: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    for received in seen {
        let (conversation, number) = bodies[&received.body];
        let count = counts.entry((conversation, number)).or_default();
        *count += 1;
        if *count == 1 {
            let before = last.insert(conversation, number).unwrap_or(0);
            assert_eq!(before + 1, number, "conversation {conversation} has a gap");
        } else {
            assert!(recovered.contains(&(conversation, number)), "twice, and never in doubt");
        }
    }
    assert_eq!(counts.len(), bodies.len(), "everything arrived");
    for (delivery, count) in counts {
        assert!(count <= sent[&delivery], "{delivery:?} came more often than it was written down");
    }
}

#[test]
fn a_run_can_be_listed_shown_and_exported() {
    let receiver = Receiver::accepting();
    let fixture = JournalFixture::of(&receiver, &[]);
    let told = stdout(&fixture.run(&["--json"]));
    let list = fixture.journal_command(&["list", "j.db"]);
    let listed = format!(
        "a chat at ebbot to {}, seed 1: passed, 6 of 6 deliveries passed\n",
        receiver.url()
    );
    assert!(
        stdout(&list).starts_with("1  20") && stdout(&list).ends_with(&listed),
        "{}",
        stdout(&list)
    );
    assert_eq!(stdout(&fixture.journal_command(&["export", "j.db"])), told);
    let shown = stdout(&fixture.journal_command(&["show", "j.db", "1"]));
    assert!(shown.contains("“Good day”") && shown.contains("passed: "), "{shown}");
    let missing = fixture.journal_command(&["show", "j.db", "7"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("no run 7"), "{}", stderr(&missing));
    fixture.resume_and_check(&receiver);
    let files: Vec<_> = fs::read_dir(fixture.folder.path()).unwrap().flatten().collect();
    let names: BTreeSet<String> =
        files.iter().map(|file| file.file_name().into_string().unwrap()).collect();
    assert_eq!(names, ["j.db", "j.db.lock", "story.toml"].map(String::from).into(), "{names:?}");
}

/// Waits until everything is stored.
fn close(journal: Arc<JournalWriter>) -> Result<(), JournalError> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(Arc::into_inner(journal).unwrap().close())
}

#[test]
fn a_verdict_can_be_computed_from_the_journal() {
    let receivers: [fn(usize, &ReceivedRequest) -> Reply; 3] = [
        |_, _| Reply::good(),
        |number, _| Reply::Status(if number % 3 == 2 { 500 } else { 200 }, String::new()),
        |_, _| Reply::Status(401, String::new()),
    ];
    for (vendor, answers) in ["ebbot", "wotnot", "erxes"].into_iter().zip(receivers) {
        let folder = tempfile::tempdir().unwrap();
        let writer =
            JournalWriter::open(&folder.path().join("j.db"), WriteOptions::default()).unwrap();
        let writer = Arc::new(writer);
        let receiver = Receiver::responding(answers);
        let mut verdict = VerdictBuilder::default();
        let played = play(STORY).at(vendor).times(3).journal(&writer).to(&receiver);
        let path = writer.path().to_owned();
        close(writer).unwrap();
        let records =
            Journal::open(&path).unwrap().records(1).collect::<Result<Vec<_>, _>>().unwrap();
        records.iter().for_each(|record| verdict.count(record));
        let Some(RecordKind::RunFinished(kept)) = records.last().map(|last| &last.kind) else {
            panic!("{vendor}: the last record is not the end")
        };
        assert_eq!(verdict.finish(kept.duration_ms), *kept, "{vendor}");
        assert_eq!(*kept, played.finished, "{vendor}");
    }
}

#[test]
fn no_delivery_is_lost_in_a_hundred_kills() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut kills = 0;
    for seed in 1.. {
        let receiver = Receiver::accepting();
        let seed = i32::to_string(&seed);
        let fixture = JournalFixture::of(&receiver, &["--conversations", "20", "--seed", &seed]);
        loop {
            let mut child = fixture.start();
            let target = receiver.count() + rng.random_range(0..=30);
            let until = Instant::now() + Duration::from_secs(20);
            while receiver.count() < target
                && child.try_wait().unwrap().is_none()
                && Instant::now() < until
            {
                sleep(Duration::from_micros(200));
            }
            sleep(Duration::from_micros(rng.random_range(0..3_000)));
            if child.try_wait().unwrap().is_some() {
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
        }
        fixture.resume_and_check(&receiver);
        if kills >= 100 {
            return;
        }
    }
}

#[test]
fn a_run_resumes_after_a_crash_at_every_fail_point() {
    let points = [
        "migrating",
        "writing",
        "writing:3",
        "committed",
        "committed:4",
        "intent",
        "intent:3",
        "met",
        "met:5",
        "finishing",
        "closing",
        "checkpointed",
    ];
    for point in points {
        let receiver = Receiver::accepting();
        let fixture = JournalFixture::of(&receiver, &["--conversations", "2"]);
        let output = fixture.crash_at(point);
        assert_eq!(output.status.code(), None, "{point} is never passed");
        let listed = fixture.journal_command(&["list", "j.db"]);
        let over = ["closing", "checkpointed"].contains(&point);
        let told = stdout(&listed);
        assert_eq!(told.contains("passed"), over, "{point}: {told}{}", stderr(&listed));
        fixture.resume_and_check(&receiver);
    }
}

#[test]
fn attempts_in_doubt_are_named_and_resent_or_failed_as_the_vendor_does() {
    let once = |vendor: &str| {
        let receiver = Receiver::accepting();
        let templates = crate::support::path("tests/vendors").display().to_string();
        let mut fixture = JournalFixture::of(&receiver, &["--templates", &templates]);
        fixture.arguments[3] = vendor.into();
        fixture.crash_at("met:1");
        let listed = stdout(&fixture.journal_command(&["list", "j.db"]));
        let output = fixture.run(&["--resume"]);
        (listed, stdout(&output), receiver.events().len())
    };
    let (listed, told, _) = once("ebbot");
    assert!(listed.contains("interrupted, 1 in doubt: 1-2, attempt 1"), "{listed}");
    assert!(told.contains("passed: "), "{told}");
    // A vendor that retries counts it as a failed attempt.
    for (vendor, outcome) in [("erxes", "failed: "), ("office", "in_doubt, retrying")] {
        let (listed, told, _) = once(vendor);
        assert!(listed.contains("1 in doubt: 1-2, attempt 1"), "{listed}");
        assert!(told.contains("in_doubt") && told.contains(outcome), "{told}");
    }
}

#[test]
fn a_changed_scenario_is_not_resumed() {
    let receiver = Receiver::accepting();
    let fixture = JournalFixture::of(&receiver, &[]);
    fixture.crash_at("met:1");
    fs::write(fixture.folder.path().join("story.toml"), STORY.replace("Hello", "Good morning"))
        .unwrap();
    let before = receiver.events().len();
    assert_eq!(fixture.run(&["--resume"]).status.code(), Some(0));
    assert_eq!(receiver.events().len() - before, 6, "all of it is sent");
}

/// The receiver gets exactly the requests that the journal contains.
#[test]
fn a_run_with_other_settings_is_not_resumed() {
    let receiver = Receiver::accepting();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let story = format!("[faults]\nevery = \"extra_field\"\none_in = 1000\n{STORY}")
        .replace("name = 'a chat'\n", "");
    let vendor =
        fs::read_to_string(crate::support::path("tests/minimal/plain/vendor.toml")).unwrap();
    let copy = |text: &str| {
        let from = crate::support::path("tests/minimal/plain");
        fs::create_dir_all(folder.path().join("vendors/plain")).unwrap();
        for file in fs::read_dir(from).unwrap().map(|file| file.unwrap().path()) {
            let name = file.file_name().unwrap().to_owned();
            fs::copy(&file, folder.path().join("vendors/plain").join(name)).unwrap();
        }
        write("vendors/plain/vendor.toml", text);
    };
    let config = |token: &str| format!("[vendor.wotnot]\nsecret = {{ token = \"{token}\" }}\n");
    let url = receiver.url();
    let run = |vendor: &str, more: &[&str]| {
        let before = receiver.count();
        let fixed = ["run", "story.toml", "--vendor", vendor, "--to", &url, "--journal", "j.db"];
        let all = [&fixed[..], &["--resume", "--templates", "vendors"], more].concat();
        let output = standin_in(folder.path(), &all);
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        receiver.count() > before
    };
    write("story.toml", &story);
    write("standin.toml", &config("first-s3cret-value"));
    copy(&vendor);
    for vendor in ["wotnot", "plain"] {
        assert!(run(vendor, &[]), "the first run is played");
        assert!(!run(vendor, &[]), "the same run is not played again");
    }
    assert!(run("wotnot", &["--conversations", "2"]));
    for limit in [["--max-failures", "7"], ["--deadline", "9m"], ["--max-timeouts", "8"]] {
        assert!(run("wotnot", &limit), "other limits");
        assert!(!run("wotnot", &limit), "the same limits");
    }
    write("standin.toml", &config("other-s3cret-value"));
    assert!(run("wotnot", &[]), "other secrets");
    let journal = fs::read(folder.path().join("j.db")).unwrap();
    assert!(!journal.windows(12).any(|bytes| bytes == b"other-s3cret"));
    assert!(!run("wotnot", &[]));
    write("story.toml", &story.replace("1000", "1001"));
    assert!(run("wotnot", &[]), "other faults");
    write("story.toml", &format!("verify = {{ status = [\"200\"] }}\n{story}"));
    assert!(run("wotnot", &[]), "other statuses");
    write("story.toml", &story);
    copy(&vendor.replace("[\"2xx\"]", "[\"200\"]"));
    assert!(run("plain", &[]), "another policy");
    assert!(!run("plain", &[]));
}

#[test]
fn equal_runs_of_a_command_are_resumed_one_by_one() {
    let receiver = Receiver::accepting();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("story.toml"), STORY).unwrap();
    let url = receiver.url();
    let run = |stories: &[&str]| {
        let before = receiver.count();
        let fixed = ["--vendor", "ebbot", "--to", &url, "--journal", "j.db", "--resume"];
        let output = standin_in(folder.path(), &[&["run"], stories, &fixed].concat());
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        receiver.count() - before
    };
    let once = run(&["story.toml"]);
    assert!(once > 0);
    assert_eq!(run(&["story.toml", "./story.toml"]), once, "another path is another run");
    fs::create_dir(folder.path().join("more")).unwrap();
    let twice = ["story.toml", "story.toml"];
    assert_eq!(run(&twice), once, "the second of two equal runs was never played");
    assert_eq!(run(&twice), 0);
}

#[test]
fn a_full_disk_sends_no_uncommitted_request() {
    // Some are larger than the empty tables by a few records only.
    for kib in [176, 208, 320, 640] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j.db");
        let options = WriteOptions { max_bytes: kib * 1024, ..WriteOptions::default() };
        let writer = JournalWriter::open(&path, options).unwrap();
        let writer = Arc::new(writer);
        let receiver = Receiver::accepting();
        let played = play(STORY).at("ebbot").times(200).journal(&writer).to(&receiver);
        let error = close(writer).unwrap_err();
        assert!(format!("{:#}", anyhow::Error::from(error)).contains("full"));
        assert_ne!(played.finished.verdict, standin::record::Verdict::Passed);
        let journal = Journal::open(&path).unwrap();
        let records: Vec<_> = journal.records(1).map(Result::unwrap).collect();
        let intents =
            records.iter().filter(|r| matches!(r.kind, RecordKind::AttemptStarted { .. })).count();
        // The run ends when the disk is full, also before a request whose intent was stored.
        let sent = receiver.events().len();
        assert!(sent <= intents, "{kib} KiB: {sent} sent, {intents} stored");
        assert_eq!(journal.examine().unwrap(), []);
    }
}

#[test]
fn a_file_that_is_not_a_journal_is_not_modified() {
    let receiver = Receiver::accepting();
    let fixture = JournalFixture::of(&receiver, &[]);
    let path = fixture.journal();
    let refused = |what: &str| {
        let before = fs::read(&path).unwrap_or_default();
        let output = fixture.run(&[]);
        assert_eq!(output.status.code(), Some(3), "{what}");
        assert!(stderr(&output).contains(what), "{}", stderr(&output));
        assert_eq!(fs::read(&path).unwrap_or_default(), before);
        assert!(receiver.requests().is_empty());
    };
    fs::write(&path, "dear diary, today I wrote a journal\n").unwrap();
    refused("is not a standin journal");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused("is not a standin journal");
    fs::remove_dir(&path).unwrap();
    assert!(!path.with_extension("db.lock").exists(), "nothing is left beside it");
    fs::write(&path, "").unwrap();
    let output = fixture.journal_command(&["list", "j.db"]);
    assert!(stderr(&output).contains("is not a standin journal"), "{}", stderr(&output));
    fs::remove_file(&path).unwrap();

    close(Arc::new(JournalWriter::open(&path, WriteOptions::default()).unwrap())).unwrap();
    let whole = fs::read(&path).unwrap();
    let with = |offset: usize, value: u32| {
        let mut bytes = whole.clone();
        bytes[offset..offset + 4].copy_from_slice(&value.to_be_bytes());
        fs::write(&path, bytes).unwrap();
    };
    with(68, 7); // the application's id
    refused("is not a standin journal");
    with(60, 99); // the version of the format
    refused("created by a later version of standin (format 99)");
    fs::write(&path, &whole[..4095]).unwrap();
    refused("the journal");
}

#[test]
fn only_one_process_writes_a_journal() {
    let receiver = Receiver::accepting();
    let fixture = JournalFixture::of(&receiver, &[]);
    let writer = JournalWriter::open(&fixture.journal(), WriteOptions::default()).unwrap();
    let output = fixture.run(&[]);
    assert_eq!(output.status.code(), Some(3));
    let process = std::process::id().to_string();
    assert!(stderr(&output).contains("another process"), "{}", stderr(&output));
    assert!(stderr(&output).contains(&process));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("j.db", fixture.folder.path().join("link.db")).unwrap();
        let output = fixture.run_into("link.db");
        assert!(stderr(&output).contains("another process"), "a link to it is the same journal");
    }
    close(Arc::new(writer)).unwrap();
    assert_eq!(fixture.run(&[]).status.code(), Some(0));
}

#[test]
fn parallel_runs_with_one_journal_do_not_block_each_other() {
    let receiver = Receiver::accepting();
    let fixture = JournalFixture::of(&receiver, &["other.toml", "--jobs", "2", "--quiet"]);
    // One run has more unprinted records than any queue holds.
    let story = "[[step]]\nopen = {}\n[[step]]\nrepeat = { times = 600 }\n\
                 say = { by = 'visitor', text = 'Hello' }\n";
    for name in ["story", "other"] {
        let named = format!("name = '{name}'\n{story}");
        fs::write(fixture.folder.path().join(format!("{name}.toml")), named).unwrap();
    }
    let output = fixture.run(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert_eq!(receiver.events().len(), 2 * 601);
}

#[test]
fn a_flipped_bit_is_detected_or_harmless() {
    let receiver = Receiver::accepting();
    let fixture = JournalFixture::of(&receiver, &["--conversations", "10"]);
    assert_eq!(fixture.run(&[]).status.code(), Some(0));
    let path = fixture.journal();
    let whole = fs::read(&path).unwrap();
    let records = |path: &Path| {
        Journal::open(path).and_then(|journal| journal.records(1).collect::<Result<Vec<_>, _>>())
    };
    let before = records(&path).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut found = 0;
    // How much of its pages SQLite leaves free depends on how records are batched. Free space is zero.
    let used: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    for _ in 0..300 {
        let mut bytes = whole.clone();
        let at = used[rng.random_range(0..used.len())];
        bytes[at] ^= 1 << rng.random_range(0..8);
        fs::write(&path, &bytes).unwrap();
        let troubles = Journal::open(&path).and_then(|journal| journal.examine());
        match troubles {
            Ok(troubles) if troubles.is_empty() => {
                assert_eq!(
                    records(&path).unwrap(),
                    before,
                    "byte {at} changed a record in silence"
                );
            }
            _ => found += 1,
        }
    }
    assert!(found >= 250, "only {found} of 300 were found");
    let mut bytes = whole;
    let hellos = bytes.windows(5).enumerate().filter(|(_, bytes)| bytes == b"Hello");
    let hellos: Vec<usize> = hellos.map(|(at, _)| at).collect();
    hellos.into_iter().for_each(|at| bytes[at] = b'J');
    fs::write(&path, &bytes).unwrap();
    let output = fixture.journal_command(&["doctor", "j.db"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stdout(&output).contains("its checksum is invalid"), "{}", stdout(&output));
}

#[test]
fn a_signal_waits_for_attempts_in_flight() {
    for signal in ["-TERM", "-INT"] {
        let receiver = Receiver::responding(|_, _| Reply::good().after(Duration::from_millis(400)));
        let fixture = JournalFixture::of(&receiver, &["--conversations", "10"]);
        let mut child = fixture.start();
        while receiver.count() == 0 {
            sleep(Duration::from_millis(5));
        }
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(4), "{signal}");
        let listed = stdout(&fixture.journal_command(&["list", "j.db"]));
        assert!(listed.ends_with(", seed 1: interrupted\n"), "nothing is in doubt: {listed}");
        fixture.resume_and_check(&receiver);
    }
}

/// Sends a signal to a process.
fn signal(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
}

/// One signal waits at most ten seconds for attempts in flight, a second one does not wait.
#[test]
fn a_signal_does_not_wait_for_ever() {
    for (signals, expected) in [(1, 9..20), (2, 0..9)] {
        let late = Duration::from_secs(60);
        let receiver = Receiver::responding_to_events(move |_, _| Reply::good().after(late));
        let mut fixture = JournalFixture::of(&receiver, &[]);
        fixture.arguments[3] = "erxes".into(); // its timeout is 30 seconds
        let mut child = fixture.start();
        while receiver.events().is_empty() {
            sleep(Duration::from_millis(5));
        }
        let began = Instant::now();
        for _ in 0..signals {
            signal(&child, "-TERM");
            sleep(Duration::from_millis(500));
            assert!(signals == 2 || child.try_wait().unwrap().is_none(), "it waits");
        }
        assert_eq!(child.wait().unwrap().code(), Some(4), "{signals}");
        let seconds = began.elapsed().as_secs();
        assert!(expected.contains(&seconds), "{signals} signals: {seconds} s");
        let listed = stdout(&fixture.journal_command(&["list", "j.db"]));
        assert!(listed.contains("interrupted, 1 in doubt"), "{listed}");
    }
}

#[cfg(unix)]
#[test]
fn a_journal_may_be_a_link_but_not_a_pipe() {
    let receiver = Receiver::accepting();
    let fixture = JournalFixture::of(&receiver, &[]);
    let at = |name: &str| fixture.folder.path().join(name);
    std::os::unix::fs::symlink("target.db", at("link.db")).unwrap();
    for _ in 0..2 {
        assert_eq!(fixture.run_into("link.db").status.code(), Some(0));
    }
    assert!(at("link.db").is_symlink() && at("target.db").is_file());
    let listed = stdout(&fixture.journal_command(&["list", "target.db"]));
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let created = Command::new("mkfifo").arg(at("pipe.db")).status().unwrap();
    assert!(created.success());
    let refused = fixture.run_into("pipe.db");
    assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("is not a standin journal"));
}

#[test]
fn redeliver_repeats_a_delivery_or_signs_it_again() {
    let receiver = Receiver::accepting();
    let folder = tempfile::tempdir().unwrap();
    let vendors = crate::support::path("tests/vendors").display().to_string();
    let url = receiver.url();
    let standin = |arguments: &[&str]| {
        let output = standin_in(folder.path(), &[arguments, &["--templates", &vendors]].concat());
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        stdout(&output)
    };
    standin(&["run", "handover", "--vendor", "parlour", "--to", &url, "--journal", "j.db"]);
    let first = receiver.events()[0].clone();
    standin(&["journal", "redeliver", "j.db", "1-1"]);
    let again = receiver.events().last().unwrap().clone();
    assert_eq!((&again.head, &again.body), (&first.head, &first.body), "the same bytes");
    standin(&["journal", "redeliver", "j.db", "1-2"]);
    let next = receiver.events().last().unwrap().clone();
    assert_eq!(next.body, receiver.events()[1].body, "of the last run that was played");
    standin(&["journal", "redeliver", "j.db", "1-1", "--run", "1", "--fresh"]);
    let fresh = receiver.events().last().unwrap().clone();
    assert_eq!(fresh.body, first.body);
    let attempt = |received: &ReceivedRequest| received.header("X-Parlour-Attempt").unwrap();
    assert_eq!((attempt(&again), attempt(&fresh)), ("1".into(), "2".into()));
    let listed = standin(&["journal", "list", "j.db"]);
    assert!(listed.contains("redelivery of 1-1 of run 1"));
    let elsewhere = Receiver::accepting();
    standin(&["journal", "redeliver", "j.db", "1-1", "--run", "1", "--to", &elsewhere.url()]);
    assert_eq!(elsewhere.events()[0].body, first.body);
}

#[test]
fn redeliver_judges_as_the_run_did() {
    let receiver = Receiver::accepting();
    let folder = tempfile::tempdir().unwrap();
    let story = "name = \"story\"\n[[step]]\nopen = {}\n[[step]]\nfault = \"reset\"\nsay = { by = \"visitor\", \
                 text = \"One\" }\n[[step]]\nsay = { by = \"visitor\", text = \"Two\" }\n";
    fs::write(folder.path().join("story.toml"), story).unwrap();
    let standin = |arguments: &[&str]| {
        let output = standin_in(folder.path(), arguments);
        (output.status.code(), stdout(&output) + &stderr(&output))
    };
    let to = receiver.url();
    let run = ["run", "story.toml", "--vendor", "erxes@2", "--to", &to, "--journal", "j.db"];
    let (code, told) = standin(&run);
    assert_eq!(code, Some(0), "{told}");
    let exported = standin(&["journal", "export", "j.db"]).1;
    let planned = exported.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    let planned: Vec<Json> = planned.filter(|line| line["kind"] == "delivery.planned").collect();
    let id = |has_fault: bool| {
        let is = |line: &&Json| line["data"]["faults"].as_array().unwrap().is_empty() != has_fault;
        planned.iter().find(is).unwrap()["data"]["delivery"].as_str().unwrap().to_owned()
    };
    let redeliver = |id: &str, to: &str| {
        standin(&["journal", "redeliver", "j.db", id, "--run", "1", "--to", to])
    };
    // A delivery with a fault needs a control, which is sent first.
    let (code, told) = redeliver(&id(true), &to);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("(control)") && told.contains("2 of 2 deliveries passed"), "{told}");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let failing = Receiver::responding(|_, _| Reply::Status(500, String::new()));
    for to in [format!("http://{closed}/"), failing.url()] {
        for has_fault in [false, true] {
            let (code, told) = redeliver(&id(has_fault), &to);
            assert_eq!(code, Some(1), "{has_fault}, {to}: {told}");
        }
    }
    let (_, told) = redeliver(&id(false), &failing.url());
    assert!(told.contains("expected 2xx (this vendor counts status 500 as delivered)"), "{told}");
}

#[test]
fn the_journal_keeps_no_secret_and_redelivery_restores_it() {
    let receiver = Receiver::accepting();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "c4nary-s3cret").unwrap();
    let config = "[vendor.wotnot]\nsecret = { token = 'file:token' }\n\
                  option = { event_token_in = 'bearer' }\n";
    fs::write(folder.path().join("standin.toml"), config).unwrap();
    let url = receiver.url();
    let run = ["run", "handover", "--vendor", "wotnot", "--to", &url, "--journal", "j.db"];
    assert_eq!(standin_in(folder.path(), &run).status.code(), Some(0));
    let kept = fs::read(folder.path().join("j.db")).unwrap();
    assert!(!kept.windows(13).any(|bytes| bytes == b"c4nary-s3cret"));
    let output = standin_in(folder.path(), &["journal", "redeliver", "j.db", "1-1"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let authorization = receiver.events().last().unwrap().header("Authorization").unwrap();
    assert!(authorization.ends_with("c4nary-s3cret"));
    let exported = stdout(&standin_in(folder.path(), &["journal", "export", "j.db", "2"]));
    let kinds: Vec<Json> =
        exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(kinds.len(), 6, "{exported}");
    assert!(!exported.contains("c4nary"));
}
