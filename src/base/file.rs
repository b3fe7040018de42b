//! Reads user files: regular files up to a size limit.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::base::limits::{MAX_ATTACHMENT, MAX_FILE};

/// Error from reading a user file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be opened or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The path is a directory, a pipe or a device.
    #[error("not a regular file")]
    NotAFile,
    /// The path is a symbolic link that leads out of the folder that was named.
    #[error("a symbolic link that leads out of the folder")]
    Outside,
    /// The file is larger than this number of bytes.
    #[error("larger than {} KiB", .0 / 1024)]
    TooLarge(usize),
    /// The file is not UTF-8; holds the offset of the first invalid byte.
    #[error("not valid UTF-8: invalid byte at offset {0}")]
    NotText(usize),
}

impl ReadError {
    /// Suggests how to fix the error.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Io(_) => None,
            Self::NotAFile => Some("directories, pipes and devices are not supported"),
            Self::Outside => Some("copy the file into the folder, or name it on the command line"),
            Self::TooLarge(MAX_FILE) => Some("split it into several files"),
            Self::TooLarge(_) => Some("use a smaller file"),
            Self::NotText(_) => Some("save it as UTF-8"),
        }
    }
}

/// Checks that a file found in a folder is in it after all symbolic links are followed.
// A folder may come from somebody else. A link in it must not make files of this machine readable,
// for example as the body of a request.
pub fn check_inside(folder: &Path, path: &Path) -> Result<(), ReadError> {
    if path.canonicalize()?.starts_with(folder.canonicalize()?) {
        return Ok(());
    }
    Err(ReadError::Outside)
}

/// Reads a regular file of at most [`MAX_FILE`] bytes as UTF-8.
pub fn read(path: &Path) -> Result<String, ReadError> {
    // Checked before opening: opening a pipe without a writer would block.
    if !path.metadata()?.is_file() {
        return Err(ReadError::NotAFile);
    }
    read_text(File::open(path)?)
}

/// Reads at most [`MAX_FILE`] bytes as UTF-8.
pub fn read_text(from: impl io::Read) -> Result<String, ReadError> {
    let bytes = read_at_most(MAX_FILE, from)?;
    String::from_utf8(bytes).map_err(|error| ReadError::NotText(error.utf8_error().valid_up_to()))
}

/// Reads a regular file of at most [`MAX_ATTACHMENT`] bytes.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, ReadError> {
    if !path.metadata()?.is_file() {
        return Err(ReadError::NotAFile);
    }
    read_at_most(MAX_ATTACHMENT, File::open(path)?)
}

fn read_at_most(limit: usize, from: impl io::Read) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    // One byte more than allowed shows that the file is too large. The size in the metadata is not
    // enough, because the file may grow while it is read.
    from.take(u64::try_from(limit).unwrap_or(u64::MAX) + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(ReadError::TooLarge(limit));
    }
    Ok(bytes)
}
