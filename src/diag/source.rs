//! A file's text under the name that people know it by, and a place in it.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::base::limits::MAX_FILE;

/// One file, or a text that stands for one.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The name that problems are reported under, usually the path as the user gave it.
    pub name: String,
    /// The whole text, without a byte order mark.
    pub text: String,
}

/// Why a file could not become a source.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be opened or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is a directory, a pipe or a device.
    #[error("not a regular file")]
    NotAFile,
    /// It is larger than a file of ours may be.
    #[error("larger than {} KiB", MAX_FILE / 1024)]
    TooLarge,
    /// It is not text.
    #[error("not UTF-8: the byte at offset {0} is not part of a character")]
    NotText(usize),
}

impl Source {
    /// A source of this name and text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let text: String = text.into();
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        Arc::new(Self { name: name.into(), text })
    }

    /// Reads a regular file of at most [`MAX_FILE`] bytes; what a pipe or a device would give is
    /// never waited for.
    pub fn read(path: &Path) -> Result<Arc<Self>, ReadError> {
        if !path.metadata()?.is_file() {
            return Err(ReadError::NotAFile);
        }
        let mut bytes = Vec::new();
        let limit = u64::try_from(MAX_FILE).unwrap_or(u64::MAX) + 1;
        File::open(path)?.take(limit).read_to_end(&mut bytes)?;
        if bytes.len() > MAX_FILE {
            return Err(ReadError::TooLarge);
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(path.display().to_string(), text)),
            Err(error) => Err(ReadError::NotText(error.utf8_error().valid_up_to())),
        }
    }

    /// The place of these bytes of the text.
    pub fn place(self: &Arc<Self>, span: Range<usize>) -> Place {
        Place { source: Arc::clone(self), span }
    }
}

/// A stretch of a source. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub source: Arc<Source>,
    /// The bytes of its text.
    pub span: Range<usize>,
}

impl Place {
    /// The text at this place.
    pub fn text(&self) -> &str {
        self.source.text.get(self.span.clone()).unwrap_or_default()
    }

    /// Line and column, both counted from 1, the column in characters.
    pub fn line_column(&self) -> (usize, usize) {
        let before = self.source.text.get(..self.span.start).unwrap_or_default();
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
        let start = self.span.start + from + at;
        self.source.place(start..start + part.len())
    }
}
