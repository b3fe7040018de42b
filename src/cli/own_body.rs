//! `--body`: a request body of the user.

use std::io;
use std::path::Path;

use super::inputs::{STANDARD_INPUT, unreadable_file};
use crate::base::file;
use crate::diag::Problem;

/// Reads a body from a file, or from standard input.
pub(super) fn read_body(name: &str) -> Result<String, Problem> {
    let path = Path::new(name);
    let text =
        if name == STANDARD_INPUT { file::read_text(io::stdin().lock()) } else { file::read(path) };
    text.map_err(|error| unreadable_file(path, &error))
}
