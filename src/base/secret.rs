//! Secrets: values that may be used and never shown.

use std::{env, fmt, fs};

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

    /// The secret that a configuration refers to: `env:NAME`, `file:PATH`, or the value itself. The
    /// error names the reference, never a value.
    pub fn resolve(reference: &str) -> Result<Self, String> {
        let value = if let Some(name) = reference.strip_prefix("env:") {
            env::var(name).map_err(|_| format!("the environment has no `{name}`"))?
        } else if let Some(path) = reference.strip_prefix("file:") {
            let read = fs::read_to_string(path);
            let text =
                read.map_err(|error| format!("cannot read the secret in `{path}`: {error}"))?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        } else {
            reference.to_owned()
        };
        if value.is_empty() {
            return Err("the secret is empty".into());
        }
        Ok(Self::given(value))
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
