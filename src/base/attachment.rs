//! Files that scenarios attach to messages.

use std::path::Path;

use sha2::{Digest as _, Sha256};

/// Length of the id in an attachment URL, in hexadecimal digits.
pub const ID_LENGTH: usize = 16;

/// A file of a scenario that a message links to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// File name, without a folder.
    pub name: String,
    /// Media type, by the extension of the name.
    pub media_type: String,
    /// Content.
    pub bytes: Vec<u8>,
    /// The last part of its URLs: a hash of the content, and the extension.
    pub url_name: String,
}

impl Attachment {
    /// Creates the attachment of a file with this path.
    pub fn new(path: &Path, bytes: Vec<u8>) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let media_type = mime_guess::from_path(path).first_or_octet_stream().to_string();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let is_plain = |text: &&str| text.chars().all(|c| c.is_ascii_alphanumeric());
        let extension = extension.filter(is_plain).unwrap_or("bin").to_ascii_lowercase();
        // The same bytes have the same URL in every run; a changed file has another one.
        let id = hex::encode(&Sha256::digest(&bytes)[..ID_LENGTH / 2]);
        Self { name, media_type, bytes, url_name: format!("{id}.{extension}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_depends_on_the_content_and_the_media_type_on_the_name() {
        let [one, same, other, unknown] =
            [("a/One.PDF", "x"), ("two.pdf", "x"), ("one.pdf", "y"), ("none", "x")]
                .map(|(path, text)| Attachment::new(Path::new(path), text.into()));
        assert_eq!((one.name.as_str(), one.media_type.as_str()), ("One.PDF", "application/pdf"));
        assert_eq!(one.url_name, same.url_name);
        assert_ne!(one.url_name, other.url_name);
        assert_eq!(unknown.media_type, "application/octet-stream");
        assert_eq!(unknown.url_name[ID_LENGTH..], *".bin");
    }
}
