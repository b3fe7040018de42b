//! Source text of a file, and spans in it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::base::file::{self, ReadError};

/// A file, or a text that is treated as a file.
#[derive(PartialEq, Eq)]
pub struct Source {
    /// Name in messages, usually the path that the user specified.
    pub name: String,
    /// Content, without a byte order mark. A bundled file is not copied.
    pub text: Cow<'static, str>,
    /// Ranges of the text that are never printed, such as secrets, in ascending order.
    hidden: Vec<Range<usize>>,
}

/// Minimum length, in bytes, of hidden texts that are replaced in messages. Shorter ones would
/// match in unrelated words.
const MIN_MASKED: usize = 3;

impl Source {
    /// Creates a source from a name and a text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Self::embedded(name, Cow::Owned(text.into()))
    }

    /// Creates a source from a file of the binary, whose text is not copied.
    pub fn embedded(name: impl Into<String>, text: Cow<'static, str>) -> Arc<Self> {
        // Some Windows editors add a byte order mark, which the TOML and JSON parsers reject.
        let text = text.strip_prefix('\u{feff}').map(|rest| rest.to_owned().into()).unwrap_or(text);
        Arc::new(Self { name: name.into(), text, hidden: Vec::new() })
    }

    /// Reads a file with [`file::read`].
    pub fn read(path: &Path) -> Result<Arc<Self>, ReadError> {
        Ok(Self::new(path.display().to_string(), file::read(path)?))
    }

    /// Returns a copy with these ranges of the text hidden. They must be in ascending order.
    pub fn hiding(&self, hidden: Vec<Range<usize>>) -> Arc<Self> {
        Arc::new(Self { name: self.name.clone(), text: self.text.clone(), hidden })
    }

    /// Returns a copy whose text is never printed, not even in part.
    pub fn withholding(&self) -> Arc<Self> {
        self.hiding(std::iter::once(0..self.text.len()).collect())
    }

    /// Returns true if the whole text is hidden.
    pub fn is_withheld(&self) -> bool {
        self.hidden.first().is_some_and(|range| range.len() == self.text.len())
    }

    /// Returns a range of the text for printing, with a star for each hidden byte.
    pub fn shown(&self, range: Range<usize>) -> Cow<'_, str> {
        let text = self.text.get(range.clone()).unwrap_or_default();
        let overlaps =
            |hidden: &&Range<usize>| hidden.start < range.end && range.start < hidden.end;
        let mut hidden = self.hidden.iter().filter(overlaps).peekable();
        if hidden.peek().is_none() {
            return text.into();
        }
        let mut shown = String::with_capacity(text.len());
        let mut at = range.start;
        for hidden in hidden {
            // A hidden range may begin inside of another one, and may end after the shown range.
            let (from, to) = (hidden.start.max(at), hidden.end.min(range.end));
            if from >= to {
                continue;
            }
            shown.push_str(&self.text[at..from]);
            // One star for each byte keeps the columns of the marked range.
            shown.push_str(&"*".repeat(to - from));
            at = to;
        }
        shown.push_str(&self.text[at..range.end]);
        shown.into()
    }

    /// Replaces the hidden texts of the file in a message by `***`.
    pub fn mask_hidden(&self, message: &str) -> String {
        let mut message = message.to_owned();
        for range in self.hidden.iter().filter(|range| range.len() >= MIN_MASKED) {
            message = message.replace(&self.text[range.clone()], "***");
        }
        message
    }

    /// Returns the span of a byte range.
    pub fn span(self: &Arc<Self>, range: Range<usize>) -> SourceSpan {
        SourceSpan { source: Arc::clone(self), range }
    }
}

/// Prints the name only, because the text may contain secrets.
impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Source({:?})", self.name)
    }
}

/// A range of a source. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSpan {
    /// The source.
    pub source: Arc<Source>,
    /// Byte range in the text.
    pub range: Range<usize>,
}

impl SourceSpan {
    /// Returns the text of the span.
    pub fn text(&self) -> &str {
        self.source.text.get(self.range.clone()).unwrap_or_default()
    }

    /// Returns line and column of the start, both counted from 1, the column in characters.
    pub fn line_column(&self) -> (usize, usize) {
        let before = self.source.text.get(..self.range.start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// Formats the start as `file:line:column`.
    pub fn short(&self) -> String {
        let (line, column) = self.line_column();
        format!("{}:{line}:{column}", self.source.name)
    }

    /// Returns the span of `part` inside this span. The search starts `from` bytes after the start
    /// of the span. If the source does not contain the text, for example because characters are
    /// escaped, returns the whole span.
    #[must_use]
    pub fn find(&self, part: &str, from: usize) -> Self {
        let found = self.text().get(from..).and_then(|rest| rest.find(part));
        let Some(at) = found else { return self.clone() };
        let start = self.range.start + from + at;
        self.source.span(start..start + part.len())
    }
}
