//! Names of tables and values as a file writes them, for help that shows what to write instead.

use crate::diag::source::SourceSpan;

/// Returns the name in the header of a table, if the table begins with one. Of a table that is only
/// a part of the name, it is the first part.
pub(super) fn header_name(span: &SourceSpan) -> Option<&str> {
    let text = &span.source.text;
    let start = text.get(..span.range.start)?.rfind('\n').map_or(0, |end| end + 1);
    let header = text.get(start..)?.trim_start().strip_prefix('[')?;
    let is_whole = span.text().starts_with('[');
    let name = header.split(|c| c == ']' || c == '.' && !is_whole).next()?.trim();
    (!name.is_empty() && !name.starts_with('[') && !span.source.is_withheld()).then_some(name)
}

/// Returns the key of a value at the start of a line, such as `cast` in `cast = []`.
pub(super) fn assigned_name(span: &SourceSpan) -> Option<&str> {
    let before = span.source.text.get(..span.range.start)?;
    let line = before.get(before.rfind('\n').map_or(0, |end| end + 1)..)?;
    let name = line.trim_end().strip_suffix('=')?.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    (!name.is_empty() && name.chars().all(is_name) && !span.source.is_withheld()).then_some(name)
}

/// Returns the name in the header of a list of tables, such as `cast` in `[[cast]]`.
pub(super) fn list_header_name(span: &SourceSpan) -> Option<&str> {
    let name = span.text().strip_prefix("[[")?.split("]]").next()?.trim();
    (!name.is_empty() && !span.source.is_withheld()).then_some(name)
}
