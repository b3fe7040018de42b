//! A file's text under the name that people know it by, and a place in it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::base::file::{self, ReadError};

/// One file, or a text that stands for one.
#[derive(PartialEq, Eq)]
pub struct Source {
    /// The name that problems are reported under, usually the path as the user gave it.
    pub name: String,
    /// The whole text, without a byte order mark.
    pub text: String,
    /// The stretches of the text that are never shown, such as secrets, in order.
    hidden: Vec<Range<usize>>,
}

/// Hidden stretches of fewer bytes are not looked for in messages: they are in any text.
const SHORT: usize = 3;

impl Source {
    /// A source of this name and text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let text: String = text.into();
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        Arc::new(Self { name: name.into(), text, hidden: Vec::new() })
    }

    /// Reads a file as [`file::read`] does.
    pub fn read(path: &Path) -> Result<Arc<Self>, ReadError> {
        Ok(Self::new(path.display().to_string(), file::read(path)?))
    }

    /// The same with these stretches of its text hidden, in order.
    pub fn hiding(&self, hidden: Vec<Range<usize>>) -> Arc<Self> {
        Arc::new(Self { name: self.name.clone(), text: self.text.clone(), hidden })
    }

    /// The text in this span as it may be shown: a star for each byte that is hidden.
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
        for range in hidden {
            let (from, to) = (range.start.max(at), range.end.min(range.end));
            shown.push_str(&self.text[at..from]);
            shown.push_str(&"*".repeat(to - from));
            at = to;
        }
        shown.push_str(&self.text[at..range.end]);
        shown.into()
    }

    /// A message about the file without what is hidden in it.
    pub fn without_hidden(&self, message: &str) -> String {
        let mut message = message.to_owned();
        for range in self.hidden.iter().filter(|range| range.len() >= SHORT) {
            message = message.replace(&self.text[range.clone()], "***");
        }
        message
    }

    /// The place of these bytes of the text.
    pub fn span(self: &Arc<Self>, range: Range<usize>) -> SourceSpan {
        SourceSpan { source: Arc::clone(self), range }
    }
}

/// A source shows its name only: its text may hold secrets.
impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Source({:?})", self.name)
    }
}

/// A stretch of a source. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSpan {
    /// The file.
    pub source: Arc<Source>,
    /// The bytes of its text.
    pub range: Range<usize>,
}

impl SourceSpan {
    /// The text at this place.
    pub fn text(&self) -> &str {
        self.source.text.get(self.range.clone()).unwrap_or_default()
    }

    /// Line and column, both counted from 1, the column in characters.
    pub fn line_column(&self) -> (usize, usize) {
        let before = self.source.text.get(..self.range.start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// `file:line:column`.
    pub fn short(&self) -> String {
        let (line, column) = self.line_column();
        format!("{}:{line}:{column}", self.source.name)
    }

    /// The place of `part` inside this one, where the source spells it so; else the whole place.
    /// `from` is where to begin looking, in bytes from the start of this place.
    #[must_use]
    pub fn find(&self, part: &str, from: usize) -> Self {
        let found = self.text().get(from..).and_then(|rest| rest.find(part));
        let Some(at) = found else { return self.clone() };
        let start = self.range.start + from + at;
        self.source.span(start..start + part.len())
    }
}
