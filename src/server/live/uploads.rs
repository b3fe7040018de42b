//! Files that people have uploaded, for messages that link to them.

use std::path::Path;
use std::sync::Arc;

use super::LiveServer;
use super::error::LiveError;
use crate::base::attachment::Attachment;
use crate::base::limits::{MAX_ATTACHMENTS, MAX_FILE_NAME};
use crate::diag::{Problem, code};
use crate::journal::{AccountItem, JournalError};

/// Kind of the stored items. Each has the name of the file, a newline and the content.
const KIND: &str = "upload";

/// A file that messages can link to.
#[derive(Clone, Debug)]
pub struct UploadedFile {
    /// The URL of the file.
    pub url: String,
    /// File name.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// Size in bytes.
    pub size: usize,
}

impl LiveServer {
    /// Stores a file and serves it beside the sample attachments. Equal contents have one URL.
    ///
    /// # Errors
    /// The name is not that of a file, files cannot be served, all files together are too large, or the
    /// journal failed.
    pub fn upload_file(&self, name: &str, bytes: Vec<u8>) -> Result<UploadedFile, LiveError> {
        self.readiness()?;
        check_name(name)?;
        if let Some(reason) = self.files.unavailable_reason() {
            let message = format!("files cannot be served: {reason}");
            return Err(LiveError::unavailable(message, "choose another port with `--files-port`"));
        }
        let attachment = Arc::new(Attachment::new(Path::new(name), bytes));
        if !self.files.add_within(&attachment, MAX_ATTACHMENTS) {
            let most = MAX_ATTACHMENTS / 1024 / 1024;
            let message = format!("all files together are larger than {most} MiB");
            return Err(LiveError::conflict(
                message,
                "attach a smaller file, or one that was uploaded before",
            ));
        }
        if let Some(journal) = &self.journal {
            let value = [attachment.name.as_bytes(), b"\n", &attachment.bytes].concat();
            let key = attachment.url_name.clone();
            let item = AccountItem { kind: KIND.to_owned(), key, value: Some(value) };
            if !journal.uploads().write(&[item]) {
                return Err(self.not_stored());
            }
        }
        let base = self.vendors.first().map(|vendor| vendor.account().files.clone());
        let url = format!("{}/{}", base.unwrap_or_default(), attachment.url_name);
        let Attachment { name, media_type, bytes, .. } = &*attachment;
        let (name, media_type, size) = (name.clone(), media_type.clone(), bytes.len());
        Ok(UploadedFile { url, name, media_type, size })
    }

    /// Serves the uploaded files of an earlier process again.
    pub(super) fn restore_uploads(&self) -> Result<(), JournalError> {
        let Some(journal) = &self.journal else { return Ok(()) };
        for AccountItem { value, .. } in journal.uploads().items()? {
            let value = value.unwrap_or_default();
            let Some(end) = value.iter().position(|byte| *byte == b'\n') else { continue };
            let (name, bytes) = (String::from_utf8_lossy(&value[..end]), &value[end + 1..]);
            self.files.add(Arc::new(Attachment::new(Path::new(&*name), bytes.to_vec())));
        }
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), LiveError> {
    let is_plain = |c: char| !c.is_control() && !matches!(c, '/' | '\\');
    if (1..=MAX_FILE_NAME).contains(&name.len()) && name.chars().all(is_plain) && name != ".." {
        return Ok(());
    }
    let message = format!("expected a file name of at most {MAX_FILE_NAME} bytes without a folder");
    let problem = Problem::anywhere(code::INVALID_TYPE, message);
    Err(problem.help("example: `photo.png`").into())
}
