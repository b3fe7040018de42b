//! The built-in files that links in payloads point to: small, valid, nobody's.
//!
//! `files/make.py` has made them. Serving them is left to `server`.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// A kind of file: every link with its ending leads to these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltInFile {
    /// The ending of its links.
    pub ending: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// What it holds.
    pub bytes: &'static [u8],
}

macro_rules! built_in {
    ($ending:literal, $media_type:literal, $file:literal) => {
        BuiltInFile {
            ending: $ending,
            media_type: $media_type,
            bytes: include_bytes!(concat!("../../files/", $file)),
        }
    };
}

/// Every kind of file.
pub const FILES: &[BuiltInFile] = &[
    built_in!("png", "image/png", "picture.png"),
    built_in!("pdf", "application/pdf", "page.pdf"),
    built_in!("mp3", "audio/mpeg", "sound.mp3"),
    built_in!("mp4", "video/mp4", "film.mp4"),
];

/// Where files can be fetched: what was fetched so far, or why nothing can be.
#[derive(Debug, Default)]
pub struct FileStore {
    fetched: Mutex<BTreeSet<String>>,
    closed: Option<String>,
}

impl FileStore {
    /// A shelf that nothing can be fetched from, for this reason.
    pub fn unavailable(reason: String) -> Self {
        Self { closed: Some(reason), ..Self::default() }
    }

    /// Why nothing can be fetched, where nothing can.
    pub fn unavailable_reason(&self) -> Option<&str> {
        self.closed.as_deref()
    }

    /// Notes that the file of this name was fetched.
    pub fn open(&self, name: &str) {
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }

    /// Whether the file of this name was fetched.
    pub fn was_fetched(&self, name: &str) -> bool {
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }
}
