//! Secret values, which are used but never printed, and references to them in configuration files.

use std::path::Path;
use std::{env, fmt};

use crate::base::file;

/// Minimum length of a secret, in bytes. A shorter one occurs in unrelated text, so that it cannot be
/// removed from output.
pub const MIN_SECRET: usize = 4;

/// A secret value. Its `Debug` output is `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    value: String,
    public: bool,
}

impl Secret {
    /// Creates a secret from a value that the user provided.
    pub fn private(value: String) -> Self {
        Self { value, public: false }
    }

    /// Creates a built-in test credential. It is the same for all users, so it is not redacted.
    pub fn public(value: String) -> Self {
        Self { value, public: true }
    }

    /// Returns the value, for use in a header, a signature or a handshake.
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// Returns true for a built-in test credential.
    pub fn is_public(&self) -> bool {
        self.public
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// Error: a reference gives no usable secret. Its text never contains a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// The variable or the file is missing.
    #[error("{0}")]
    Unreadable(String),
    /// There is no value.
    #[error("the secret is empty")]
    Empty,
    /// The value is shorter than [`MIN_SECRET`].
    #[error("the secret is shorter than {MIN_SECRET} bytes")]
    TooShort,
}

impl InvalidSecret {
    /// Suggests how to fix the error.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "set the variable, or create the file",
            Self::Empty => "write the value, `env:NAME` or `file:PATH`",
            Self::TooShort => {
                "use a longer one: a short secret cannot be recognized in output and removed"
            }
        }
    }
}

/// A secret in a configuration file: `env:NAME`, `file:PATH`, or the value itself. Its `Debug`
/// output is `***`, because it may be the value.
#[derive(Clone, PartialEq, Eq)]
pub struct Reference(pub String);

impl Reference {
    /// Reads the secret from the environment or the file.
    pub fn resolve(&self) -> Result<Secret, InvalidSecret> {
        let value = self.read_external().unwrap_or_else(|| Ok(self.0.clone()));
        let value = value.map_err(InvalidSecret::Unreadable)?;
        // An empty secret would silently sign with an empty key.
        if value.is_empty() {
            return Err(match self.0.split_once(':').filter(|_| self.is_external()) {
                Some(("env", name)) => {
                    InvalidSecret::Unreadable(format!("the environment variable `{name}` is empty"))
                }
                Some((_, path)) => InvalidSecret::Unreadable(format!("the file `{path}` is empty")),
                None => InvalidSecret::Empty,
            });
        }
        if value.len() < MIN_SECRET {
            return Err(InvalidSecret::TooShort);
        }
        Ok(Secret::private(value))
    }

    /// Returns true for `env:NAME` and `file:PATH`, whose value is outside the configuration file.
    pub fn is_external(&self) -> bool {
        self.0.starts_with("env:") || self.0.starts_with("file:")
    }

    /// Explains a value that is written like a reference of another program. It would be sent as it
    /// is. The text never contains the value.
    pub fn mistaken(&self) -> Option<&'static str> {
        if let Some(help) = self.incomplete() {
            return Some(help);
        }
        // A scheme such as `Bearer` can precede the token.
        let (before, last) = self.0.rsplit_once(' ').unwrap_or(("", &self.0));
        let is_name = |name: &str| {
            !name.is_empty()
                && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        };
        let inside = |from: &str, to: &str| {
            last.strip_prefix(from).and_then(|rest| rest.strip_suffix(to)).is_some_and(is_name)
        };
        let lower = last.to_ascii_lowercase();
        let is_reference = lower.starts_with("env:") || lower.starts_with("file:");
        let is_variable = inside("$", "") || inside("${", "}") || inside("%", "%");
        let is_lookup = ["env.", "process.env.", "env(", "getenv("].iter().any(|start| {
            lower.strip_prefix(start).is_some_and(|rest| {
                let name = &last[last.len() - rest.len()..];
                is_name(name.trim_end_matches(')').trim_matches(['"', '\'']))
            })
        });
        let is_command = self.0.contains("$(") || self.0.contains("{{");
        if is_variable || is_lookup || is_command {
            return Some("standin expands no shell variables: write `env:NAME` as the whole value");
        }
        if is_reference && !before.is_empty() {
            return Some(
                "a reference must be the whole value: put the whole header into the variable or file",
            );
        }
        (is_reference && !self.is_external())
            .then_some("write `env:` and `file:` in lowercase: `env:NAME`, `file:PATH`")
    }

    /// Explains a reference without a name or a path.
    fn incomplete(&self) -> Option<&'static str> {
        let rest = self.0.strip_prefix("env:").or_else(|| self.0.strip_prefix("file:"))?;
        if rest.trim().is_empty() {
            return Some("write a name or a path after the colon: `env:NAME`, `file:PATH`");
        }
        if rest.starts_with(char::is_whitespace) {
            return Some("remove the space after the colon: `env:NAME`, `file:PATH`");
        }
        rest.starts_with("//").then_some("write a path, not a URL: `file:PATH`")
    }

    /// Reads the value of `env:NAME` or `file:PATH`; `None` if the text is the value itself.
    fn read_external(&self) -> Option<Result<String, String>> {
        if let Some(reason) = self.incomplete() {
            return Some(Err(reason.to_owned()));
        }
        if let Some(name) = self.0.strip_prefix("env:") {
            return Some(
                env::var(name).map_err(|_| format!("the environment variable `{name}` is not set")),
            );
        }
        let path = self.0.strip_prefix("file:")?;
        let read = file::read(Path::new(path));
        let read = read.map_err(|error| format!("cannot read `{path}`: {error}"));
        // Editors add a byte order mark or, like `echo`, a newline. Neither is part of the secret.
        let content = |text: String| {
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            text.trim_end_matches(['\r', '\n']).to_owned()
        };
        Some(read.map(content))
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}
