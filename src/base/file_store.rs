//! Files behind the attachment links of payloads, and a record of which were fetched.
//!
//! The sample files are small and valid; `files/make.py` generates them. Scenarios add files of their
//! own. Module `server` serves both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::attachment::Attachment;

/// A sample file. Every link with its extension returns these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltInFile {
    /// File name extension, without the dot.
    pub extension: &'static str,
    /// Media type for the `Content-Type` header.
    pub media_type: &'static str,
    /// Content.
    pub bytes: &'static [u8],
}

macro_rules! built_in {
    ($extension:literal, $media_type:literal, $file:literal) => {
        BuiltInFile {
            extension: $extension,
            media_type: $media_type,
            bytes: include_bytes!(concat!("../../files/", $file)),
        }
    };
}

/// All sample files.
// One file for each extension keeps the binary small: every link gets the same bytes.
pub const FILES: &[BuiltInFile] = &[
    built_in!("png", "image/png", "picture.png"),
    built_in!("pdf", "application/pdf", "page.pdf"),
    built_in!("mp3", "audio/mpeg", "sound.mp3"),
    built_in!("mp4", "video/mp4", "film.mp4"),
];

/// The attachments of scenarios, and the files that were fetched during a run, or why they cannot be
/// served.
#[derive(Debug, Default)]
pub struct FileStore {
    attachments: Mutex<BTreeMap<String, Arc<Attachment>>>,
    fetched: Mutex<BTreeSet<String>>,
    unavailable: Option<String>,
}

impl FileStore {
    /// Creates a store whose files cannot be served, for example because the port is in use.
    pub fn unavailable(reason: String) -> Self {
        Self { unavailable: Some(reason), ..Self::default() }
    }

    /// Returns the reason why files cannot be served, if there is one.
    pub fn unavailable_reason(&self) -> Option<&str> {
        self.unavailable.as_deref()
    }

    /// Adds a file of a scenario.
    pub fn add(&self, attachment: Arc<Attachment>) {
        locked(&self.attachments).insert(attachment.url_name.clone(), attachment);
    }

    /// Adds a file, unless all together would have more bytes than this. Returns whether it is there.
    pub fn add_within(&self, attachment: &Arc<Attachment>, most: usize) -> bool {
        let mut attachments = locked(&self.attachments);
        let others = attachments.values().filter(|other| other.url_name != attachment.url_name);
        let fits =
            others.map(|other| other.bytes.len()).sum::<usize>() + attachment.bytes.len() <= most;
        if fits {
            attachments.insert(attachment.url_name.clone(), Arc::clone(attachment));
        }
        fits
    }

    /// Returns the file of a scenario with this name in its URL.
    pub fn attachment(&self, url_name: &str) -> Option<Arc<Attachment>> {
        locked(&self.attachments).get(url_name).cloned()
    }

    /// Records that the file with this name was fetched.
    pub fn mark_fetched(&self, name: &str) {
        locked(&self.fetched).insert(name.to_owned());
    }

    /// Returns true if the file with this name was fetched.
    pub fn was_fetched(&self, name: &str) -> bool {
        locked(&self.fetched).contains(name)
    }
}

/// Locks a collection. A panic in another thread cannot leave it inconsistent.
fn locked<T>(collection: &Mutex<T>) -> MutexGuard<'_, T> {
    collection.lock().unwrap_or_else(PoisonError::into_inner)
}
