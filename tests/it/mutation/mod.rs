//! Mutated inputs of every kind: each is accepted or gives problems, and nothing panics.
//!
//! Every input is a function of the seed and its number. `STANDIN_FUZZ_SEED` sets the seed and
//! `STANDIN_FUZZ_SECONDS` the time for each kind of input. A failure prints how to repeat it.

mod mutate;

use std::fs;
use std::io::{Read as _, Seek as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};
use standin::base::seed::SeedScope;
use standin::config::Config;
use standin::diag::{Problems, Source, render::render};
use standin::emulator::rehearse;
use standin::fidelity;
use standin::journal::Journal;
use standin::platform::{Account, Catalog, Platform, PlatformFolder, VendorRef};
use standin::scenario::{self, SharedStaff};

use self::mutate::mutate;
use crate::support::{Receiver, entries, path, standin_in};

/// Number of inputs of each kind where no time is set.
const INPUTS: u64 = 300;

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::bundled);
static VENDORS: LazyLock<Vec<Arc<Platform>>> = LazyLock::new(|| {
    CATALOG.ids().map(|id| CATALOG.load(&VendorRef::parse(id)).unwrap()).collect()
});

/// Calls `check` with generators of random numbers, `inputs` times or until the time is used up.
fn for_each_input(kind: &str, inputs: u64, mut check: impl FnMut(&mut ChaCha8Rng)) {
    let variable = |name: &str| Some(std::env::var(name).ok()?.parse::<u64>().unwrap());
    let seed = variable("STANDIN_FUZZ_SEED").unwrap_or(1);
    let only = variable("STANDIN_FUZZ_ONLY");
    let time = variable("STANDIN_FUZZ_SECONDS").map(Duration::from_secs);
    let began = Instant::now();
    let mut number = only.unwrap_or_default();
    while time.map_or(number < inputs, |time| began.elapsed() < time) || only.is_some() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(1 << 32).wrapping_add(number));
        let checked = catch_unwind(AssertUnwindSafe(|| check(&mut rng)));
        let again = format!("STANDIN_FUZZ_SEED={seed} STANDIN_FUZZ_ONLY={number}");
        assert!(checked.is_ok(), "again: {again} cargo test --test it mutated_{kind}");
        if only.is_some() {
            return;
        }
        number += 1;
    }
    // Not `println!`, which the lints forbid.
    let _ = writeln!(std::io::stdout(), "seed {seed}: {number} {kind}");
    assert_ne!(number, 0);
}

fn any<'a, T>(items: &'a [T], rng: &mut ChaCha8Rng) -> &'a T {
    &items[rng.random_range(0..items.len())]
}

/// Mutates one of the texts, with parts of another one.
fn mutate_one(texts: &[String], rng: &mut ChaCha8Rng) -> String {
    let (text, other) = (any(texts, rng), any(texts, rng));
    mutate(text, other, rng)
}

fn assert_rendered<T>(result: Result<T, Problems>) -> Option<T> {
    result.map_err(|problems| assert!(!render(problems).is_empty())).ok()
}

fn texts(folder: &str) -> Vec<String> {
    entries(folder).iter().filter_map(|file| fs::read_to_string(file).ok()).collect()
}

#[test]
fn mutated_scenarios_are_played_or_rejected() {
    let bundled = texts("scenarios");
    for_each_input("scenarios", INPUTS, |rng| {
        let text = mutate_one(&bundled, rng);
        let source = Source::new("mutated.toml", text);
        let parsed = scenario::read(&source);
        let checked = parsed.and_then(|parsed| scenario::check(parsed, &VENDORS, &VENDORS));
        let Some(script) = assert_rendered(checked) else { return };
        let vendor = any(&VENDORS, rng);
        let account = Arc::new(Account::test(vendor));
        let start = "2026-01-05T09:00:00Z".parse().unwrap();
        let staff = SharedStaff::new(&script, &account, SeedScope::of_run(1), start);
        let subscriptions = std::slice::from_ref(&vendor.default_subscription);
        // A valid scenario may have far more steps than one input should take.
        let script = Arc::new(script);
        rehearse(&script, &account, subscriptions, &staff, 1).take(100).for_each(drop);
    });
}

#[test]
fn mutated_configurations_are_read_or_rejected() {
    let mut samples: Vec<String> = entries("tests/diagnostics")
        .iter()
        .filter(|file| file.file_name().unwrap().to_string_lossy().starts_with("config-"))
        .filter(|file| file.extension().is_some_and(|extension| extension == "toml"))
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    assert!(samples.len() > 10);
    samples.push(standin::config::EXAMPLE.to_owned());
    for_each_input("configurations", INPUTS, |rng| {
        let text = mutate_one(&samples, rng);
        assert_rendered(Config::read(Some(&Source::new("mutated.toml", text))));
    });
}

#[test]
fn mutated_vendor_folders_are_loaded_or_rejected() {
    let mut folders: Vec<PlatformFolder> = PlatformFolder::bundled().into_values().collect();
    folders.push(PlatformFolder::read(&path("tests/vendors/parlour")).unwrap());
    for_each_input("vendor_folders", INPUTS, |rng| {
        let mut folder = any(&folders, rng).clone();
        let names: Vec<String> = folder.files.keys().cloned().collect();
        // Half of the changes are in the file on which everything depends.
        let name = if rng.random() { "vendor.toml".to_owned() } else { any(&names, rng).clone() };
        let other = &folder.files[any(&names, rng)];
        let text = mutate(&folder.files[&name].text, &other.text, rng);
        folder.files.insert(name.clone(), Source::new(name, text));
        let revision = any(&folder.revisions(), rng).clone();
        if let Some(vendor) = assert_rendered(CATALOG.load_folder(&folder, &revision)) {
            assert_rendered(fidelity::samples(&vendor));
        }
    });
}

#[test]
fn mutated_command_lines_end_with_a_known_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines: Vec<String> = entries("tests/diagnostics")
        .iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "args"))
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    lines.extend(
        [
            "run handover --vendor ebbot --to http://127.0.0.1:1/ --dry-run -v",
            "send wotnot note --set message.text=x --curl",
            "vendors liveperson --fidelity",
            "secrets erxes",
            "schema scenario",
            "journal list j.db",
        ]
        .map(str::to_owned),
    );
    for_each_input("command_lines", INPUTS / 10, |rng| {
        let line = mutate_one(&lines, rng).replace('\0', "");
        // Half of the lines keep quotes and spaces in one argument.
        let arguments: Vec<&str> = if rng.random() {
            line.split_whitespace().collect()
        } else {
            line.split(' ').collect()
        };
        assert_known_exit(folder.path(), &arguments);
    });
}

/// Runs the binary. A command that waits, such as `listen`, is killed.
fn assert_known_exit(folder: &Path, arguments: &[&str]) {
    let error = tempfile::tempfile().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_standin"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(error.try_clone().unwrap())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > Duration::from_secs(5) {
            child.kill().unwrap();
            child.wait().unwrap();
            return;
        }
        thread::sleep(Duration::from_millis(2));
    };
    let mut text = String::new();
    (&error).rewind().unwrap();
    (&error).read_to_string(&mut text).unwrap();
    let is_known = status.code().is_some_and(|code| (0..=4).contains(&code));
    assert!(is_known && !text.contains("internal error"), "{arguments:?}: {status}\n{text}");
}

#[test]
fn mutated_journals_are_read_or_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::accepting();
    let url = receiver.url();
    let run = ["run", "handover", "--vendor", "ebbot", "--to", &url, "--journal", "j.db"];
    assert!(standin_in(folder.path(), &run).status.success());
    let bytes = fs::read(folder.path().join("j.db")).unwrap();
    let file = folder.path().join("mutated.db");
    for_each_input("journals", INPUTS, |rng| {
        let mut bytes = bytes.clone();
        for _ in 0..rng.random_range(1..=20) {
            // The head describes the file, so that it gets as many changes as the rest.
            let end = if rng.random() { 200 } else { bytes.len() };
            let at = rng.random_range(0..end);
            bytes[at] = rng.random();
        }
        if rng.random_range(0..4) == 0 {
            bytes.truncate(rng.random_range(0..bytes.len()));
        }
        fs::write(&file, bytes).unwrap();
        let Ok(journal) = Journal::open(&file) else { return };
        let _ = journal.examine();
        for run in journal.runs().into_iter().flatten() {
            journal.records(run.run).for_each(drop);
            let _ = journal.earlier(&[run.run]);
        }
    });
}
