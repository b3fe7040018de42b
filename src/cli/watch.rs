//! `--watch`: repeats a command whenever a file changes.
//!
//! Files are polled. That costs a few lookups per second and works on every system and file system,
//! including network mounts and containers where change notifications are lost.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use super::exit::{CommandError, ExitStatus};
use super::global::Global;
use super::inputs::STANDARD_INPUT;
use super::setup::{Signals, config_path, runtime};
use super::terminal::{note, report_error};
use crate::base::text::count;
use crate::diag::{Problem, code};

/// Interval between two looks at the files.
// Fast enough to feel immediate after saving, slow enough to cost nothing.
const INTERVAL: Duration = Duration::from_millis(200);

/// State of files: path, time of modification and size.
pub(super) type FileSnapshot = Vec<(PathBuf, Option<(SystemTime, u64)>)>;

/// Calls `command` now and whenever one of the files, the configuration or a vendor folder changes, or
/// a file that the command adds to its argument.
/// Ctrl-C ends the loop with the exit status of the last call.
pub(super) fn watch(
    paths: &[String],
    global: &Global,
    mut command: impl FnMut(&mut BTreeSet<PathBuf>) -> Result<ExitStatus, CommandError>,
) -> Result<ExitStatus, CommandError> {
    if paths.iter().any(|path| path == STANDARD_INPUT) {
        let message = "standard input cannot be watched";
        let problem = Problem::anywhere(code::NOTHING_TO_RUN, message);
        return Err(problem.help("save the scenario in a file").into());
    }
    let mut watched: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    watched.extend(config_path(global));
    watched.extend(global.templates.clone());
    let interrupted = interrupted()?;
    let mut named = BTreeSet::new();
    loop {
        // Taken before the command, so that a change during it is not missed.
        let mut before = snapshot(&watched, &named);
        let known = std::mem::take(&mut named);
        let exit = command(&mut named).unwrap_or_else(report_error);
        // Files that are new to the watch start with their present state.
        let added: BTreeSet<PathBuf> = named.difference(&known).cloned().collect();
        let in_snapshot: BTreeSet<PathBuf> = before.iter().map(|(path, _)| path.clone()).collect();
        before.retain(|(path, _)| !known.contains(path) || named.contains(path));
        let added = snapshot(&[], &added).into_iter();
        before.extend(added.filter(|(path, _)| !in_snapshot.contains(path)));
        before.sort();
        let files = count(before.len(), "file", "files");
        note(format_args!("watching {files}. Press Ctrl-C to stop.\n"));
        let mut seen = before.clone();
        loop {
            if interrupted.recv_timeout(INTERVAL) != Err(mpsc::RecvTimeoutError::Timeout) {
                return Ok(exit);
            }
            let now = snapshot(&watched, &named);
            // Two equal snapshots in a row: an editor may still be writing the file.
            if now != before && now == seen {
                break;
            }
            seen = now;
        }
    }
}

/// Returns a channel that receives a message when Ctrl-C is pressed.
fn interrupted() -> Result<mpsc::Receiver<()>, CommandError> {
    let (sender, receiver) = mpsc::channel();
    let runtime = runtime(1)?;
    let mut signals = runtime.block_on(async { Signals::listen() })?;
    std::thread::Builder::new().spawn(move || {
        runtime.block_on(signals.next());
        let _ = sender.send(());
    })?;
    Ok(receiver)
}

/// Returns the state of files, and of the inputs in folders.
pub(super) fn snapshot(paths: &[PathBuf], named: &BTreeSet<PathBuf>) -> FileSnapshot {
    let mut snapshot = Vec::new();
    paths.iter().chain(named).for_each(|path| add_to_snapshot(path, &mut snapshot));
    snapshot.sort();
    // A named file can lie in a folder that is watched.
    snapshot.dedup();
    snapshot
}

fn add_to_snapshot(path: &Path, snapshot: &mut FileSnapshot) {
    let Ok(entries) = std::fs::read_dir(path) else {
        // A missing file is part of the snapshot: its creation is a change too.
        let metadata = path.metadata().ok();
        let state = metadata.and_then(|metadata| Some((metadata.modified().ok()?, metadata.len())));
        return snapshot.push((path.to_owned(), state));
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_input = path.extension().is_some_and(|end| end == "toml" || end == "json");
        // `file_type` does not follow symbolic links: linked folders can form a cycle.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) || is_input {
            add_to_snapshot(&path, snapshot);
        }
    }
}
