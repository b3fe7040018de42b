//! Output of commands: data goes to standard output, messages go to standard error.

use std::fmt::Display;
use std::io::{self, Write as _};

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

/// Prints a line to standard error.
pub(super) fn note(line: impl Display) {
    // If standard error is closed, there is no place left to report the failure.
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Prints the error that ended a command and returns the exit status for it.
pub(super) fn report_error(error: CommandError) -> ExitStatus {
    match error {
        CommandError::Input(problems) => {
            note(render(problems));
            ExitStatus::InvalidInput
        }
        CommandError::Environment(error) => {
            // Escaped, since the text may quote a response of the receiver.
            note(format_args!("error: {}", escape(&format!("{error:#}"))));
            if let Some(resource) = exhausted(&error) {
                note(format_args!("this machine ran out of {resource}"));
            }
            ExitStatus::CannotWork
        }
    }
}
