//! Records as JSON lines: the public format of `--json` and `journal export`.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use super::Report;
use crate::base::text::is_hidden;
use crate::record::Record;

/// Writes each record as one line of JSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonLines;

impl Report for JsonLines {
    fn record(&mut self, record: &Record, out: &mut dyn Write) -> io::Result<()> {
        write_json_line(record, out)
    }
}

/// Writes a value as one line of JSON.
///
/// # Errors
/// The line cannot be written.
pub fn write_json_line(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut *out, ControlEscaper))?;
    out.write_all(b"\n")
}

/// Escapes invisible characters and those that control a terminal.
// Responses of a receiver are part of the records. Printed raw, they could change the terminal.
struct ControlEscaper;

impl Formatter for ControlEscaper {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_hidden) {
            writer.write_all(&rest.as_bytes()[..at])?;
            let mut after = rest[at..].chars();
            if let Some(hidden) = after.next() {
                // Four digits suffice: every hidden character is below U+10000.
                write!(writer, "\\u{:04x}", u32::from(hidden))?;
            }
            rest = after.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}
