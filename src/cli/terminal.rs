//! Output of commands: data goes to standard output, messages go to standard error.

use std::fmt::Display;
use std::io::{self, Write as _};

use super::exit::{CommandError, ExitStatus};
use crate::base::text::escape;
use crate::diag::render::render;

/// Prints data to standard output.
pub(super) fn print(data: impl Display) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    match write!(out, "{data}").and_then(|()| out.flush()) {
        // The reader closed the pipe, as `standin vendors | head` does. That is not an error.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
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
            ExitStatus::CannotWork
        }
    }
}
