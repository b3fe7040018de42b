//! The configuration file: where to send, with which credentials, from which seed.
//!
//! `config.example.toml` is embedded and is the default; a `standin.toml` lies over it, flags and
//! environment over that. What a vendor makes of its settings is left to `vendor`.

use std::sync::Arc;

use jiff::Timestamp;
use url::{ParseError, Url};

use crate::base::text::mask;
use crate::diag::form::Fault;
use crate::diag::{At, Form as _, Named, Node, Problem, Problems, Scalar, Source, code, toml};
use crate::form;

/// The file that documents every key and holds every default.
pub const EXAMPLE: &str = include_str!("../../config.example.toml");

/// The port on which built-in files can be fetched while standin runs, unless the configuration
/// says otherwise. Links name it, so it is part of what is sent.
pub const FILES_PORT: u16 = 4999;

/// The address below which built-in files can be fetched.
pub fn files_url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/files")
}

form! {
    /// The configuration of standin.
    pub struct ConfigForm {
        /// What everything random is drawn from; the same seed sends the same bytes.
        seed: Option<At<u64>>,
        /// When the first conversation begins.
        start: Option<At<Start>>,
        /// Settings of one vendor, under its id.
        vendor: Named<VendorSettings>,
        /// Receivers.
        endpoint: Vec<EndpointForm>,
        /// What `standin demo` shows.
        demo: Option<DemoForm>,
        /// The built-in files that links in payloads point to.
        files: Option<FilesForm>,
    }
}

form! {
    /// Settings of one vendor.
    pub struct VendorSettings {
        /// The revision of the vendor's wire format.
        revision: Option<At<String>>,
        /// Values over those of the fixed test account.
        account: Named<Node>,
        /// Credentials over the fixed test ones: `env:NAME`, `file:PATH`, or the value.
        secret: Named<At<String>>,
        /// Choices where the vendor documents nothing.
        option: Named<At<String>>,
    }
}

form! {
    /// A receiver.
    pub struct EndpointForm {
        /// The vendor that sends to it.
        vendor: At<String>,
        /// Its address.
        url: At<Url>,
        /// What it is sent; the vendor's default without it.
        events: Option<Vec<At<String>>>,
        /// Headers beside the vendor's.
        headers: Named<At<String>>,
    }
}

form! {
    /// What `standin demo` shows.
    pub struct DemoForm {
        /// The vendor.
        vendor: Option<At<String>>,
        /// The scenario.
        scenario: Option<At<String>>,
    }
}

form! {
    /// The built-in files that links in payloads point to.
    pub struct FilesForm {
        /// The port on which they can be fetched while standin runs.
        port: Option<At<u64>>,
    }
}

/// When a run begins, as the user says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At this instant of run time.
    At(Timestamp),
    /// At the current time.
    Now,
}

impl Start {
    /// Reads an instant or `now`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Self::Now);
        }
        let instant = text.parse().map_err(|_| {
            format!("`{text}` is neither an instant such as `2026-01-05T09:00:00Z` nor `now`")
        });
        instant.map(Self::At)
    }
}

impl Scalar for Start {
    fn scan(node: &Node) -> Result<Self, Fault> {
        let text = String::scan(node)?;
        let fault = |message| Fault { code: code::WRONG_TYPE, message, help: None };
        Self::parse(&text).map_err(fault)
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "examples": ["2026-01-05T09:00:00Z", "now"]})
    }
}

impl Scalar for Url {
    fn scan(node: &Node) -> Result<Self, Fault> {
        let text = String::scan(node)?;
        let fault = |message| Fault { code: code::WRONG_URL, message, help: None };
        receiver_url(&text).map_err(fault)
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "format": "uri"})
    }
}

/// Reads a receiver's address: http or https, without user name and password.
pub fn receiver_url(text: &str) -> Result<Url, String> {
    let shown = mask(text);
    let url = match Url::parse(text) {
        Ok(url) if is_host_and_port(&url) => return Err(no_scheme(&shown)),
        Ok(url) => url,
        Err(ParseError::RelativeUrlWithoutBase) if text.starts_with(char::is_alphanumeric) => {
            return Err(no_scheme(&shown));
        }
        Err(error) => return Err(format!("`{shown}` is not an address: {error}")),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{}` addresses are not sent to, only http and https", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address must not hold a user name or a password".into());
    }
    if url.port() == Some(0) {
        return Err("port 0 is no receiver's port".into());
    }
    Ok(url)
}

/// Whether what reads as a scheme is a host, since a port follows.
fn is_host_and_port(url: &Url) -> bool {
    url.cannot_be_a_base() && url.path().starts_with(|c: char| c.is_ascii_digit())
}

fn no_scheme(shown: &str) -> String {
    format!("`{shown}` lacks its scheme: write `http://{shown}`")
}

/// The configuration: a file of the user's over the defaults.
#[derive(Clone, Debug)]
pub struct Config {
    /// The seed.
    pub seed: u64,
    /// When the first conversation begins.
    pub start: Start,
    /// Settings of vendors, by id.
    pub vendors: Named<VendorSettings>,
    /// Receivers.
    pub endpoints: Vec<EndpointForm>,
    /// The vendor that the demo shows.
    pub demo_vendor: String,
    /// The scenario that the demo shows.
    pub demo_scenario: String,
    /// The port on which built-in files can be fetched.
    pub files_port: u16,
}

impl Config {
    /// Reads a configuration; what it leaves out is as in [`EXAMPLE`].
    pub fn read(source: Option<&Arc<Source>>) -> Result<Self, Problems> {
        let defaults = read_form(&Source::new("config.example.toml", EXAMPLE))?;
        let form = source.map(read_form).transpose()?;
        let user = |get: fn(&ConfigForm) -> Option<String>| {
            form.as_ref().and_then(get).or_else(|| get(&defaults)).unwrap_or_default()
        };
        let demo_vendor = user(|form| Some(form.demo.as_ref()?.vendor.as_ref()?.value.clone()));
        let demo_scenario = user(|form| Some(form.demo.as_ref()?.scenario.as_ref()?.value.clone()));
        let first = form.as_ref().unwrap_or(&defaults);
        let seed = first.seed.as_ref().or(defaults.seed.as_ref()).map(|seed| seed.value);
        let start = first.start.as_ref().or(defaults.start.as_ref()).map(|start| start.value);
        let (Some(seed), Some(start)) = (seed, start) else {
            let message = "`config.example.toml` lacks a default";
            return Err(Problem::anywhere(code::MISSING_KEY, message).into());
        };
        let files_port = first.files.as_ref().and_then(|files| files.port.as_ref());
        let files_port = files_port.map_or(Ok(FILES_PORT), check_port)?;
        let (vendors, endpoints) =
            form.map(|form| (form.vendor, form.endpoint)).unwrap_or_default();
        Ok(Self { seed, start, vendors, endpoints, demo_vendor, demo_scenario, files_port })
    }
}

fn check_port(port: &At<u64>) -> Result<u16, Problem> {
    let checked = u16::try_from(port.value).ok().filter(|port| *port > 0);
    let message = format!("a port is from 1 to 65535, not {}", port.value);
    checked.ok_or_else(|| Problem::at(&port.place, code::WRONG_TYPE, message))
}

fn read_form(source: &Arc<Source>) -> Result<ConfigForm, Problems> {
    let (node, mut problems) = toml::parse(source);
    let form = ConfigForm::read(&node, &mut problems);
    problems.or(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_file_lies_over_the_defaults() {
        let source = Source::new("standin.toml", "seed = 7\n[vendor.x]\nsecret.token = 'env:X'\n");
        let config = Config::read(Some(&source)).unwrap();
        let defaults = Config::read(None).unwrap();
        assert_eq!((config.seed, config.start), (7, defaults.start));
        assert_eq!(config.vendors.get("x").unwrap().secret.get("token").unwrap().as_str(), "env:X");
        assert!(defaults.endpoints.is_empty());
        assert_eq!(defaults.files_port, FILES_PORT, "the example holds the default");
    }

    #[test]
    fn addresses_that_are_not_sent_to_are_refused() {
        for wrong in [
            "",
            "//x",
            "http://",
            "http://a b/",
            "http://x:99999/",
            "ftp://x",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "http://u:p@x/",
            "http://u:p@x:99999/",
            "u:p@x",
            "http://[::1%25eth0]/",
            "http://x:0/",
        ] {
            let told = receiver_url(wrong).unwrap_err();
            assert!(!told.contains("u:p"), "{told}");
        }
        for bare in ["localhost", "localhost:3000", "u:3@localhost"] {
            assert!(receiver_url(bare).unwrap_err().contains("lacks its scheme"), "{bare}");
        }
        assert_eq!(receiver_url("http://2130706433/").unwrap().as_str(), "http://127.0.0.1/");
    }
}
