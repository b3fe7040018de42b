//! Secrets: values that may be used and never shown.

use std::fmt;

/// A secret's value. It shows itself as `***`, whoever prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    value: String,
    public: bool,
}

impl Secret {
    /// A secret that the user gave.
    pub fn given(value: String) -> Self {
        Self { value, public: false }
    }

    /// A built-in test credential: the same for everybody, so there is nothing to hide.
    pub fn test(value: String) -> Self {
        Self { value, public: true }
    }

    /// The value, for a header, a signature or a handshake.
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// Whether the value is a built-in test credential.
    pub fn is_public(&self) -> bool {
        self.public
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}
