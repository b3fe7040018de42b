//! Secrets: values that may be used and never shown.

use std::path::Path;
use std::{env, fmt};

use crate::base::file;

/// A secret's value. It shows itself as `***`, whoever prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    value: String,
    public: bool,
}

impl Secret {
    /// A secret that the user gave.
    pub fn private(value: String) -> Self {
        Self { value, public: false }
    }

    /// A built-in test credential: the same for everybody, so there is nothing to hide.
    pub fn public(value: String) -> Self {
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

/// What a configuration writes for a secret: `env:NAME`, `file:PATH`, or the value itself. It shows
/// itself as little as a secret does.
#[derive(Clone, PartialEq, Eq)]
pub struct Reference(pub String);

impl Reference {
    /// The secret. The error names what is referred to, never a value.
    pub fn resolve(&self) -> Result<Secret, String> {
        let value = self.referred().unwrap_or_else(|| Ok(self.0.clone()))?;
        if value.is_empty() {
            return Err("the secret is empty".into());
        }
        Ok(Secret::private(value))
    }

    /// Whether it stands for a value elsewhere.
    pub fn is_elsewhere(&self) -> bool {
        self.0.starts_with("env:") || self.0.starts_with("file:")
    }

    /// The value behind `env:NAME` or `file:PATH`; nothing where there is no reference.
    fn referred(&self) -> Option<Result<String, String>> {
        if let Some(name) = self.0.strip_prefix("env:") {
            return Some(env::var(name).map_err(|_| format!("the environment has no `{name}`")));
        }
        let path = self.0.strip_prefix("file:")?;
        let read = file::read(Path::new(path));
        let read = read.map_err(|error| format!("cannot read the secret in `{path}`: {error}"));
        Some(read.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}
