//! Limited resources of this machine: which one an error reports as exhausted.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::thread;

/// Error codes of exhausted file descriptors, by process and by system, and of socket buffers.
/// `std` has no kinds for them.
const EMFILE: i32 = if cfg!(windows) { 10_024 } else { 24 };
const ENFILE: i32 = 23;
const ENOBUFS: i32 = if cfg!(windows) {
    10_055
} else if cfg!(target_os = "linux") {
    105
} else {
    55
};

/// Returns the resource of this machine that ran out, if that is what the error says.
pub fn exhausted_resource(error: &io::Error) -> Option<&'static str> {
    match (error.kind(), error.raw_os_error()) {
        (_, Some(EMFILE)) => Some("file descriptors (see `ulimit -n`)"),
        (_, Some(ENFILE)) => Some("file descriptors"),
        (_, Some(ENOBUFS)) => Some("socket buffers"),
        // Connections in TIME_WAIT keep their ports for a minute.
        (ErrorKind::AddrNotAvailable, _) => Some("local ports"),
        (ErrorKind::OutOfMemory, _) => Some("memory"),
        (ErrorKind::FileTooLarge, _) => Some("file size (see `ulimit -f`)"),
        (ErrorKind::StorageFull, _) => Some("disk space"),
        _ => None,
    }
}

/// Tries to open files and to start a thread; returns the resource that is missing for it.
// Libraries panic when they cannot do this, and the panic has no error that could be asked.
pub fn missing_resource() -> Option<&'static str> {
    let open = |_| std::env::current_exe().and_then(File::open);
    // Several at once, as a runtime needs several: one descriptor may be left.
    let opened: io::Result<Vec<File>> = (0..4).map(open).collect();
    if let Some(resource) = opened.as_ref().err().and_then(exhausted_resource) {
        return Some(resource);
    }
    drop(opened);
    let started = thread::Builder::new().spawn(|| ());
    started.is_err().then_some("threads (see `ulimit -u`)")
}

#[cfg(target_os = "linux")] // error codes differ between systems
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exhausted_resources_are_named() {
        for (code, resource) in [
            (24, Some("file descriptors (see `ulimit -n`)")),
            (23, Some("file descriptors")),
            (105, Some("socket buffers")),
            (99, Some("local ports")),
            (12, Some("memory")),
            (27, Some("file size (see `ulimit -f`)")),
            (28, Some("disk space")),
            (111, None),
        ] {
            assert_eq!(exhausted_resource(&io::Error::from_raw_os_error(code)), resource);
        }
    }
}
