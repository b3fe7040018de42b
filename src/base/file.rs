//! Reading files of the user's: regular ones only, and never more than a limit.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::base::limits::MAX_FILE;

/// Why a file could not be read.
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

impl ReadError {
    /// What to do about it, where there is something.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Io(_) => None,
            Self::NotAFile => Some("a folder, a pipe or a device is none"),
            Self::TooLarge => Some("tell it in several files"),
            Self::NotText(_) => Some("save it as UTF-8"),
        }
    }
}

/// The text of a regular file of at most [`MAX_FILE`] bytes; what a pipe or a device would give is
/// never waited for.
pub fn read(path: &Path) -> Result<String, ReadError> {
    if !path.metadata()?.is_file() {
        return Err(ReadError::NotAFile);
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_FILE).unwrap_or(u64::MAX) + 1;
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_FILE {
        return Err(ReadError::TooLarge);
    }
    String::from_utf8(bytes).map_err(|error| ReadError::NotText(error.utf8_error().valid_up_to()))
}
