//! Doing something again whenever a file changes.
//!
//! Files are looked at, not listened to: that is a few lookups a second, and works alike on every
//! system and every kind of disk.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use super::setup::{Signals, config_path, runtime};
use super::{CommandError, ExitStatus, Global, note, tell};
use crate::base::text::count;

/// How often files are looked at.
const INTERVAL: Duration = Duration::from_millis(200);

/// How files look: each with its size and when it was written.
type FileSnapshot = Vec<(PathBuf, Option<(SystemTime, u64)>)>;

/// Does something now and whenever one of these files, the configuration or a template changes.
/// Ctrl-C ends it as the last time ended.
pub(super) fn watch(
    paths: &[String],
    global: &Global,
    mut once: impl FnMut() -> Result<ExitStatus, CommandError>,
) -> Result<ExitStatus, CommandError> {
    let mut watched: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    watched.extend(config_path(global));
    watched.extend(global.templates.clone());
    let interrupted = interrupted()?;
    loop {
        let before = look(&watched);
        let exit = once().unwrap_or_else(tell);
        note(format_args!("watching {}; Ctrl-C ends it\n", count(before.len(), "file", "files")));
        let mut seen = before.clone();
        loop {
            if interrupted.recv_timeout(INTERVAL) != Err(mpsc::RecvTimeoutError::Timeout) {
                return Ok(exit);
            }
            let now = look(&watched);
            // A file that is still being written looks different twice.
            if now != before && now == seen {
                break;
            }
            seen = now;
        }
    }
}

/// Tells when Ctrl-C is pressed.
fn interrupted() -> Result<mpsc::Receiver<()>, CommandError> {
    let (tell, told) = mpsc::channel();
    let runtime = runtime()?;
    let mut interrupts = runtime.block_on(async { Signals::listen() })?;
    std::thread::spawn(move || {
        runtime.block_on(interrupts.next());
        let _ = tell.send(());
    });
    Ok(told)
}

fn look(paths: &[PathBuf]) -> FileSnapshot {
    let mut look = Vec::new();
    paths.iter().for_each(|path| look_at(path, &mut look));
    look.sort();
    look
}

/// Links to folders are not followed: they can lead in circles.
fn look_at(path: &Path, look: &mut FileSnapshot) {
    let Ok(entries) = std::fs::read_dir(path) else {
        let metadata = path.metadata().ok();
        let written = metadata.and_then(|found| Some((found.modified().ok()?, found.len())));
        return look.push((path.to_owned(), written));
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_ours = path.extension().is_some_and(|end| end == "toml" || end == "json");
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) || is_ours {
            look_at(&path, look);
        }
    }
}
