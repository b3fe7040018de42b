//! Names of accounts besides the test account of a vendor.

/// Maximum length of a name.
const MAX_LENGTH: usize = 64;

/// The name of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountName(String);

impl AccountName {
    /// Parses a name. The error is a message for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        // These need no quotes in a shell, and nothing that prints the name has to escape it.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !text.is_empty() && text.len() <= MAX_LENGTH && text.chars().all(is_plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "expected 1 to {MAX_LENGTH} letters, digits and the characters `-`, `_` and `.`"
        ))
    }

    /// Returns the name as a text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
