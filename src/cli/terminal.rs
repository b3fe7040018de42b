//! Output of commands: data goes to standard output, messages go to standard error.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use super::annotations::{command_annotation, is_on_github, problem_annotations};
use super::exit::{CommandError, ExitStatus};
use super::process::exhausted;
use crate::base::text::escape;
use crate::diag::render::render;

/// Prints data to standard output.
pub(super) fn print(data: impl Display) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    is_read(write!(out, "{data}").and_then(|()| out.flush())).map(drop)
}

/// Returns whether the output is still read. A closed pipe, as in `standin … | head`, is not an error.
pub(super) fn is_read(written: io::Result<()>) -> io::Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Standard output that may be closed: what is written then is dropped.
#[derive(Debug)]
pub(super) struct OptionalOutput<W> {
    out: W,
    is_closed: bool,
}

impl<W: io::Write> OptionalOutput<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, is_closed: false }
    }
}

impl<W: io::Write> io::Write for OptionalOutput<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_closed {
            self.is_closed = !is_read(self.out.write_all(bytes))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_closed { Ok(()) } else { is_read(self.out.flush()).map(drop) }
    }
}

/// Whether messages go to the log.
static LOGS: AtomicBool = AtomicBool::new(false);

/// Writes messages to the log instead of standard error from now on.
pub(super) fn log_notes() {
    LOGS.store(true, Ordering::Relaxed);
}

/// Prints a line to standard error.
pub(super) fn note(line: impl Display) {
    if LOGS.load(Ordering::Relaxed) {
        return tracing::info!("{line}");
    }
    write_line(line);
}

/// Prints the text of an error to standard error.
fn error_note(line: impl Display) {
    if LOGS.load(Ordering::Relaxed) {
        return tracing::error!("{line}");
    }
    write_line(line);
}

fn write_line(line: impl Display) {
    // If standard error is closed, there is no place left to report the failure.
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Prints the error that ended a command and returns the exit status for it.
pub(super) fn report_error(error: CommandError) -> ExitStatus {
    match error {
        CommandError::Input(problems) => {
            if is_on_github() {
                problem_annotations(&problems).iter().for_each(note);
            }
            error_note(render(problems));
            ExitStatus::InvalidInput
        }
        CommandError::Environment(error) => {
            // Escaped, since the text may quote a response of the receiver.
            let message = escape(&format!("{error:#}"));
            if is_on_github() {
                note(command_annotation(&message));
            }
            error_note(format_args!("error: {message}"));
            if let Some(resource) = exhausted(&error) {
                error_note(format_args!("this machine ran out of {resource}"));
            }
            ExitStatus::CannotWork
        }
    }
}
