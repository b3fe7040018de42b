//! `standin snippet`: prints a receiver that verifies the requests of a vendor.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};

use super::exit::{CommandError, ExitStatus};
use super::global::Global;
use super::setup::Setup;
use super::shell_variable::variable;
use super::terminal::print;
use crate::diag::{Problem, code};
use crate::platform::{Account, Algorithm, EchoScheme, SecretEcho, VerificationScheme};

/// Print a receiver that verifies the requests of a vendor, in a programming language
#[derive(Debug, Args)]
pub(super) struct SnippetArgs {
    /// Vendor whose requests are verified: VENDOR or VENDOR@REVISION
    vendor: String,
    /// Programming language
    #[arg(long, value_name = "LANGUAGE")]
    lang: Language,
}

/// A programming language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    /// `Node.js`
    Node,
    /// Python
    Python,
    /// Go
    Go,
    /// Rust
    Rust,
    /// PHP
    Php,
    /// C#
    Csharp,
    /// Java
    Java,
}

impl Language {
    /// The receiver, with `{{name}}` for values. Lines between `{{#name}}` and `{{/name}}` belong to
    /// vendors with this property.
    fn template(self) -> &'static str {
        match self {
            Self::Node => include_str!("../../snippets/receiver.js"),
            Self::Python => include_str!("../../snippets/receiver.py"),
            Self::Go => include_str!("../../snippets/receiver.go"),
            Self::Rust => include_str!("../../snippets/receiver.rs"),
            Self::Php => include_str!("../../snippets/receiver.php"),
            Self::Csharp => include_str!("../../snippets/receiver.cs"),
            Self::Java => include_str!("../../snippets/receiver.java"),
        }
    }
}

pub(super) fn snippet(args: &SnippetArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    let vendor = setup.vendor(&args.vendor)?;
    let account = setup.account(&vendor)?;
    let values = values(&account)?;
    print(render(args.lang.template(), &values))?;
    Ok(ExitStatus::Passed)
}

/// Returns the values of a template for an account, and the properties that it has.
fn values(account: &Account) -> Result<BTreeMap<String, String>, Problem> {
    let vendor = &account.platform;
    let echo = EchoScheme::of(account);
    let scheme = VerificationScheme::of(account);
    if echo == EchoScheme::Other || scheme == VerificationScheme::Other {
        let message =
            format!("there is no snippet for the way in which {} is verified", vendor.name);
        let help = format!("`standin secrets {}` describes it", vendor.full_id());
        return Err(Problem::anywhere(code::VENDOR_CANNOT, message).help(help));
    }
    let mut values = BTreeMap::new();
    let mut set = |name: &str, value: &str| values.insert(name.to_owned(), value.to_owned());
    set("vendor", &vendor.name);
    set("id", &vendor.full_id());
    let header = match &scheme {
        VerificationScheme::Token(header) => {
            set("token", "");
            Some(header)
        }
        VerificationScheme::Hmac(header, algorithm, encoding) => {
            set("hmac", "");
            set(encoding.as_str(), "");
            let hash = match algorithm {
                Algorithm::HmacSha1 => "sha1",
                Algorithm::HmacSha256 => "sha256",
                Algorithm::HmacSha512 => "sha512",
            };
            let is_sha1 = matches!(algorithm, Algorithm::HmacSha1);
            set("hash", hash);
            set("hash_crate", if is_sha1 { "sha1" } else { "sha2" });
            set("HASH", &hash.to_uppercase());
            set("Hash", &hash.replacen('s', "S", 1));
            Some(header)
        }
        VerificationScheme::Nothing | VerificationScheme::Other => None,
    };
    if let Some(header) = header {
        set("verified", "");
        set("header", &header.name);
        set("header_lower", &header.name.to_lowercase());
        set("header_cgi", &format!("HTTP_{}", header.name.to_uppercase().replace('-', "_")));
        set("prefix", &header.prefix);
        set("env", &variable(&vendor.id, &header.secret));
    } else {
        set("unverified", "");
    }
    if let EchoScheme::Secret(SecretEcho { secret, key }) = echo {
        set("echo", "");
        set("key", &key);
        set("env", &variable(&vendor.id, &secret));
        set("credential", "");
    } else if header.is_some() {
        set("credential", "");
    }
    Ok(values)
}

/// Fills a template. Markers of sections stand on lines of their own, as comments of the language.
fn render(template: &str, values: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut hidden: Option<&str> = None;
    for line in template.lines() {
        if let Some(name) = marker(line, "{{#") {
            if hidden.is_none() && !values.contains_key(name) {
                hidden = Some(name);
            }
        } else if let Some(name) = marker(line, "{{/") {
            hidden = hidden.filter(|hidden| *hidden != name);
        } else if hidden.is_none() {
            let mut line = line.to_owned();
            for (name, value) in values {
                line = line.replace(&format!("{{{{{name}}}}}"), value);
            }
            out += line.trim_end();
            out.push('\n');
        }
    }
    out
}

/// Returns the name of a section, if a line is its marker.
fn marker<'a>(line: &'a str, begin: &str) -> Option<&'a str> {
    line.trim().trim_start_matches(['/', '#', ' ']).strip_prefix(begin)?.strip_suffix("}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_without_their_property_are_removed() {
        let template = "a {{x}}\n// {{#yes}}\n  b\n# {{#no}}\nc\n// {{#yes}}\nd\n// {{/yes}}\n# {{/no}}\n// {{/yes}}\ne\n";
        let values = [("x", "1"), ("yes", "")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(render(template, &values.into()), "a 1\n  b\ne\n");
    }
}
