//! Records as JSON lines, a public format.

use std::io::{self, Write};

use super::Report;
use crate::record::Record;

/// Writes each record as one line of JSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonLines;

impl Report for JsonLines {
    fn tell(&mut self, record: &Record, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, record)?;
        out.write_all(b"\n")
    }
}
