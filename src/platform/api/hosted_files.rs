//! Files that calls upload to the vendor, and the links with which they are transferred.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::body::CallFile;
use crate::template::{Object, Value};

/// Maximum number of files of an account. The oldest file is removed to make room.
const MAX_FILES: usize = 1_000;

/// Maximum size of all files of an account, in bytes.
const MAX_BYTES: usize = 256 * 1024 * 1024;

/// A file at the vendor.
#[derive(Clone, Debug)]
pub struct HostedFile {
    /// Path of its URL.
    pub path: String,
    /// The file; `None` before it has been uploaded.
    pub content: Option<Arc<CallFile>>,
    /// The links to it, the newest last.
    links: Vec<FileLink>,
    /// Orders the files by the time of their first link.
    number: u64,
}

/// A file at the vendor, in the form in which it is stored, beside its content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredFile {
    /// Path of its URL.
    pub path: String,
    /// Whether it has been uploaded.
    is_uploaded: bool,
    media_type: Option<String>,
    links: Vec<FileLink>,
    number: u64,
}

/// A link with which a file can be transferred for some time.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLink {
    /// The secret part of the URL.
    pub signature: String,
    /// Wall time at which it expires.
    pub expires_at: Timestamp,
}

/// The files of an account, by path.
#[derive(Clone, Debug, Default)]
pub struct HostedFiles {
    files: BTreeMap<String, HostedFile>,
    made: u64,
}

impl fmt::Debug for FileLink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl HostedFiles {
    /// Returns the file with this path. With a signature, only if a valid link has it.
    pub fn find(&self, path: &str, signature: Option<&str>, now: Timestamp) -> Option<&HostedFile> {
        let file = self.files.get(path)?;
        let is_valid = |link: &FileLink| {
            signature.is_none_or(|signature| link.signature == signature && link.expires_at > now)
        };
        file.links.iter().any(is_valid).then_some(file)
    }

    /// Creates a link to a file, which need not exist yet. Returns the file and the link.
    pub fn link(
        &mut self,
        path: &str,
        signature: String,
        now: Timestamp,
        life: SignedDuration,
    ) -> (HostedFile, FileLink) {
        self.make_room(path, 0);
        self.made += 1;
        let number = self.made;
        let file = self.files.entry(path.to_owned()).or_insert_with(|| HostedFile {
            path: path.to_owned(),
            content: None,
            links: Vec::new(),
            number,
        });
        file.links.retain(|link| link.expires_at > now);
        let expires_at = now.checked_add(life).unwrap_or(Timestamp::MAX);
        let link = FileLink { signature, expires_at };
        file.links.push(link.clone());
        (file.clone(), link)
    }

    /// Returns the files that are new or have other links or another content than in an earlier state.
    pub fn changed_since<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a HostedFile> {
        let is_same = |file: &HostedFile| {
            let known = before.files.get(&file.path);
            known.is_some_and(|known| known.links == file.links && !file.has_new_content(known))
        };
        self.files.values().filter(move |file| !is_same(file))
    }

    /// Returns the paths of files of an earlier state that are gone.
    pub fn removed_since<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a String> {
        before.files.keys().filter(|path| !self.files.contains_key(*path))
    }

    /// Returns the file with this path.
    pub fn get(&self, path: &str) -> Option<&HostedFile> {
        self.files.get(path)
    }

    /// Restores a file that was stored, with its content.
    pub fn restore(&mut self, stored: StoredFile, bytes: Option<Vec<u8>>) {
        let StoredFile { path, is_uploaded, media_type, links, number } = stored;
        self.made = self.made.max(number);
        let content = bytes.filter(|_| is_uploaded);
        let content = content.map(|bytes| Arc::new(CallFile { media_type, bytes }));
        self.files.insert(path.clone(), HostedFile { path, content, links, number });
    }

    /// Stores the content of a file.
    pub fn store(&mut self, path: &str, content: CallFile) {
        self.make_room(path, content.bytes.len());
        if let Some(file) = self.files.get_mut(path) {
            file.content = Some(Arc::new(content));
        }
    }

    /// Removes the oldest other files until there is room for this one, with so many more bytes.
    fn make_room(&mut self, path: &str, needed: usize) {
        let size = |file: &HostedFile| file.content.as_ref().map_or(0, |known| known.bytes.len());
        let is_new = !self.files.contains_key(path);
        let mut bytes = needed + self.files.values().map(size).sum::<usize>();
        while (is_new && self.files.len() >= MAX_FILES) || bytes > MAX_BYTES {
            let others = self.files.values().filter(|file| file.path != path);
            let oldest = others.min_by_key(|file| file.number).map(|file| file.path.clone());
            let Some(oldest) = oldest else { return };
            bytes -= self.files.remove(&oldest).as_ref().map_or(0, size);
        }
    }
}

impl HostedFile {
    /// Returns whether it has another content than in an earlier state.
    pub fn has_new_content(&self, before: &Self) -> bool {
        match (&self.content, &before.content) {
            (Some(now), Some(before)) => !Arc::ptr_eq(now, before),
            (now, before) => now.is_some() != before.is_some(),
        }
    }

    /// Returns what is stored of it, beside its content.
    pub fn stored(&self) -> StoredFile {
        StoredFile {
            path: self.path.clone(),
            is_uploaded: self.content.is_some(),
            media_type: self.content.as_ref().and_then(|content| content.media_type.clone()),
            links: self.links.clone(),
            number: self.number,
        }
    }
}

impl Object for HostedFile {
    fn get(&self, name: &str) -> Value<'_> {
        match name {
            "path" => self.path.as_str().into(),
            "size" => Value::from(self.content.as_ref().map_or(0, |content| content.bytes.len())),
            _ => Value::Absent,
        }
    }
}

impl Object for FileLink {
    fn get(&self, name: &str) -> Value<'_> {
        match name {
            "signature" => self.signature.as_str().into(),
            "expires_at" => Value::Time(self.expires_at),
            _ => Value::Absent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_valid_for_its_life_and_its_file_only() {
        let mut files = HostedFiles::default();
        let life = SignedDuration::from_secs(60);
        let at = |second| Timestamp::from_second(second).unwrap();
        files.link("/a", "one".into(), at(0), life);
        files.link("/b", "two".into(), at(30), life);
        assert!(files.find("/a", Some("one"), at(59)).is_some());
        for (path, signature, second) in [("/a", "one", 60), ("/a", "two", 1), ("/c", "one", 1)] {
            assert!(files.find(path, Some(signature), at(second)).is_none(), "{path} {signature}");
        }
        assert!(files.find("/a", None, at(90)).is_some_and(|file| file.content.is_none()));
    }

    #[test]
    fn the_oldest_file_makes_room() {
        let mut files = HostedFiles::default();
        let life = SignedDuration::from_secs(60);
        for number in 0..=MAX_FILES {
            files.link(&format!("/{number}"), "s".into(), Timestamp::UNIX_EPOCH, life);
        }
        assert!(files.find("/0", None, Timestamp::UNIX_EPOCH).is_none());
        // Another link to a file needs no room.
        files.link("/1", "t".into(), Timestamp::UNIX_EPOCH, life);
        assert!(files.find("/1", None, Timestamp::UNIX_EPOCH).is_some());
    }

    #[test]
    fn stored_files_make_room_too() {
        let mut files = HostedFiles::default();
        let life = SignedDuration::from_secs(60);
        let half = || CallFile { media_type: None, bytes: vec![0; MAX_BYTES / 2] };
        for path in ["/0", "/1", "/2"] {
            files.link(path, "s".into(), Timestamp::UNIX_EPOCH, life);
        }
        ["/0", "/1", "/2"].into_iter().for_each(|path| files.store(path, half()));
        let is_kept = |path| files.find(path, None, Timestamp::UNIX_EPOCH).is_some();
        assert_eq!(["/0", "/1", "/2"].map(is_kept), [false, true, true]);
    }
}
