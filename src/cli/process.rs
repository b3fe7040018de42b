//! Settings of the process: limits, signals, and what happens after a panic.

use std::io::{self, Write as _};
use std::panic::{self, PanicHookInfo};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use super::exit::ExitStatus;
use crate::base::resources::{exhausted_resource, missing_resource};

/// Number of files that a run may need: connections, and the files of the journal.
#[cfg(unix)]
const MAX_OPEN_FILES: u64 = 65_536;

/// Prepares the process. Called once, before anything else.
pub(super) fn prepare() {
    panic::set_hook(Box::new(end_after_panic));
    #[cfg(unix)]
    {
        // Best effort: with fewer files, a run waits until one is closed.
        let _ = rlimit::increase_nofile_limit(MAX_OPEN_FILES);
        // The default action kills the process. With a handler, the write fails with an error.
        let signal = signal_hook::consts::SIGXFSZ;
        let _ = signal_hook::flag::register(signal, Arc::clone(&FILE_TOO_LARGE));
    }
}

/// Set once a write exceeded the limit of the file size.
static FILE_TOO_LARGE: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Returns the resource of this machine that ran out, if this caused the error.
pub(super) fn exhausted(error: &anyhow::Error) -> Option<&'static str> {
    // The errors of SQLite do not contain those of the system.
    if FILE_TOO_LARGE.load(Ordering::Relaxed) {
        return exhausted_resource(&io::ErrorKind::FileTooLarge.into());
    }
    error.chain().filter_map(|cause| cause.downcast_ref()).find_map(|error: &io::Error| {
        let is_thread = error.kind() == io::ErrorKind::WouldBlock;
        if is_thread { missing_resource() } else { exhausted_resource(error) }
    })
}

/// Prints one line and ends the process.
// The message of a panic is not printed: it may quote a file, and so a credential.
#[expect(clippy::exit, reason = "threads of libraries would survive, and the run would hang")]
fn end_after_panic(panic: &PanicHookInfo<'_>) {
    let reason = missing_resource().map(|resource| format!("this machine ran out of {resource}"));
    let reason = reason.unwrap_or_else(|| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        format!("internal error of standin at {place}; please report it")
    });
    // Nothing is left to do if standard error is closed.
    let _ = writeln!(io::stderr(), "error: {reason}");
    process::exit(ExitStatus::CannotWork as i32);
}
