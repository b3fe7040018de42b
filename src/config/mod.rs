//! The configuration file `standin.toml`: receivers, credentials, seed and other settings.
//!
//! The embedded `config.example.toml` contains the defaults. The user's file overrides them;
//! environment variables and flags override both. Module `platform` checks the settings of vendors.

mod endpoint_form;
mod files_address;
mod granted_origin;
mod private;
mod receiver;
mod receiver_address;

use std::num::NonZeroU16;
use std::sync::Arc;

use jiff::Timestamp;

use crate::base::secret::Reference;
use crate::diag::{
    Form as _, Key, Problem, Problems, Scalar, Source, Spanned, SyntaxNode, TableOf, code, toml,
};
use crate::form;

pub use endpoint_form::EndpointForm;
pub use files_address::{FilesAddress, FilesHost};
pub use granted_origin::GrantedOrigin;
pub use receiver::{
    HEADER_VALUE_RULE, check_header_name, check_header_value, invalid_secret, is_header_value,
    receiver_url,
};
pub use receiver_address::{ReceiverAddress, ReceiverUrl};

/// Content of `config.example.toml`, which documents all keys and contains all defaults.
pub const EXAMPLE: &str = include_str!("../../config.example.toml");

/// Default port that serves the sample files. It appears in attachment URLs, so a change of the
/// port changes the bodies that are sent.
pub const FILES_PORT: u16 = 4999;

/// Returns the base URL of the sample files on this machine.
pub fn files_url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/files")
}

form! {
    /// Configuration of standin.
    pub struct ConfigForm {
        /// Seed of all random values. The same seed gives the same requests.
        seed: Option<Spanned<u64>>,
        /// Start of the first conversation: an instant, or `now`.
        start: Option<Spanned<StartTime>>,
        /// Environment variables that scenarios may read as `${env.NAME}`.
        allow_env: Vec<Spanned<String>>,
        /// Origins to which scenarios may send requests, such as `http://localhost:8080`.
        allow_origin: Vec<Spanned<GrantedOrigin>>,
        /// Settings of vendors, by vendor id.
        vendor: TableOf<VendorSettings>,
        /// Receivers that get webhooks.
        endpoint: Vec<EndpointForm>,
        /// Defaults of `standin demo`.
        demo: Option<DemoForm>,
        /// Sample files for attachment links in payloads.
        files: Option<FilesForm>,
    }
}

form! {
    /// Settings of one vendor.
    pub struct VendorSettings {
        /// Revision of the vendor's wire format.
        revision: Option<Spanned<String>>,
        /// Values that override those of the test account.
        account: TableOf<SyntaxNode>,
        /// Credentials that override the test credentials: `env:NAME`, `file:PATH`, or the value.
        secret: TableOf<Spanned<Reference>>,
        /// Options for behaviour that the vendor does not document.
        option: TableOf<Spanned<String>>,
        /// Port of the vendor's API [default: a free port].
        port: Option<Spanned<NonZeroU16>>,
        /// Scenario that `standin serve` plays in conversations that clients open.
        on_open: Option<Spanned<String>>,
    }
}

form! {
    /// Defaults of `standin demo`.
    pub struct DemoForm {
        /// Vendor to show.
        vendor: Option<Spanned<String>>,
        /// Scenario to run.
        scenario: Option<Spanned<String>>,
    }
}

form! {
    /// Sample files for attachment links in payloads.
    pub struct FilesForm {
        /// Port that serves them during a run.
        port: Option<Spanned<NonZeroU16>>,
        /// Host in the links. With another one than this machine, the files are served on all
        /// network interfaces.
        host: Option<Spanned<FilesHost>>,
    }
}

/// Start time of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartTime {
    /// A fixed instant, which makes the run reproducible.
    At(Timestamp),
    /// The current time.
    Now,
}

impl StartTime {
    /// Parses an RFC 3339 instant or `now`. The error is a message for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Self::Now);
        }
        let instant = text.parse().map_err(|_| {
            format!("expected `now` or an instant such as `2026-01-05T09:00:00Z`, found `{text}`")
        });
        instant.map(Self::At)
    }
}

impl Scalar for StartTime {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        let text = String::parse_node(node)?;
        Self::parse(&text).map_err(|message| Problem::at(&node.span, code::INVALID_TYPE, message))
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "examples": ["2026-01-05T09:00:00Z", "now"]})
    }
}

/// The checked configuration: the user's file merged with the defaults.
#[derive(Clone, Debug)]
pub struct Config {
    /// Seed of all random values.
    pub seed: u64,
    /// Start of the first conversation.
    pub start: StartTime,
    /// Environment variables that scenarios may read.
    pub allow_env: Vec<Spanned<String>>,
    /// Origins to which scenarios may send requests.
    pub allow_origin: Vec<Spanned<GrantedOrigin>>,
    /// Settings of vendors, by vendor id.
    pub vendors: TableOf<VendorSettings>,
    /// Receivers that get webhooks.
    pub endpoints: Vec<EndpointForm>,
    /// Default vendor of `standin demo`.
    pub demo_vendor: Spanned<String>,
    /// Default scenario of `standin demo`.
    pub demo_scenario: Spanned<String>,
    /// Whether the user has chosen it.
    is_demo_chosen: bool,
    /// Address of the sample files.
    pub files: FilesAddress,
}

impl Config {
    /// Reads a configuration. Missing keys have the defaults of [`EXAMPLE`].
    pub fn read(source: Option<&Arc<Source>>) -> Result<Self, Problems> {
        let (config, problems) = Self::read_partial(source);
        problems.into_result(config)
    }

    /// Reads a configuration as far as possible. The result is for further checks only, which then
    /// report more problems in the same pass.
    pub fn read_partial(source: Option<&Arc<Source>>) -> (Option<Self>, Problems) {
        let (form, mut problems) = source.map(read_form).unwrap_or_default();
        // After a syntax error, keys may be missing, and their defaults would cause false problems.
        let config = (!problems.broke_parsing()).then(|| Self::over_defaults(form));
        let config = config.and_then(|config| problems.note(config));
        (config, problems)
    }

    fn over_defaults(form: Option<ConfigForm>) -> Result<Self, Problems> {
        // The defaults are parsed like a user's file, so the documented values are the real ones.
        let (defaults, problems) = read_form(&Source::new("config.example.toml", EXAMPLE));
        let defaults = problems.into_result(defaults)?;
        let seed = value_or_default(form.as_ref(), &defaults, |form| form.seed.clone())?.value;
        let start = value_or_default(form.as_ref(), &defaults, |form| form.start.clone())?.value;
        let demo_vendor =
            value_or_default(form.as_ref(), &defaults, |form| form.demo.as_ref()?.vendor.clone())?;
        let demo_scenario = value_or_default(form.as_ref(), &defaults, |form| {
            form.demo.as_ref()?.scenario.clone()
        })?;
        let chosen = form.as_ref().and_then(|form| form.demo.as_ref()?.scenario.as_ref());
        let is_demo_chosen = chosen.is_some();
        let files_port =
            value_or_default(form.as_ref(), &defaults, |form| form.files.as_ref()?.port.clone())?;
        let files_host =
            value_or_default(form.as_ref(), &defaults, |form| form.files.as_ref()?.host.clone())?;
        let files = FilesAddress { host: files_host.value, port: files_port.value.get() };
        let (allow_env, allow_origin, vendors, endpoints) = form
            .map(|form| (form.allow_env, form.allow_origin, form.vendor, form.endpoint))
            .unwrap_or_default();
        Ok(Self {
            seed,
            start,
            allow_env,
            allow_origin,
            vendors,
            endpoints,
            demo_vendor,
            demo_scenario,
            is_demo_chosen,
            files,
        })
    }

    /// Returns the scenario of `standin demo` at a vendor. `story` is that of the vendor's folder.
    pub fn scenario_of_demo<'a>(&'a self, story: Option<&'a str>) -> &'a str {
        story.filter(|_| !self.is_demo_chosen).unwrap_or(&self.demo_scenario.value)
    }

    /// Guesses if a file is a configuration: it has more keys of a configuration than keys in
    /// `other_keys`, those of the other kinds of files. `is_named` decides a tie: it says that the
    /// file has the name of a configuration.
    pub fn is_configuration(source: &Arc<Source>, other_keys: &[&str], is_named: bool) -> bool {
        let (node, _) = toml::parse(source);
        let count = |names: &[&str], others: &[&str]| {
            let has = |names: &[&str], key: &Key| names.contains(&key.name.as_str());
            let keys = node.as_table().into_iter().flat_map(|table| &table.0);
            keys.filter(|(key, _)| has(names, key) && !has(others, key)).count()
        };
        let (own, other) =
            (count(ConfigForm::KEYS, other_keys), count(other_keys, ConfigForm::KEYS));
        // A scenario has at least one key that a configuration does not have.
        let has_shared = count(ConfigForm::KEYS, &[]) > 0;
        own > other || own == other && (is_named || has_shared)
    }
}

/// Returns the value of the user's file, or the default.
fn value_or_default<T>(
    form: Option<&ConfigForm>,
    defaults: &ConfigForm,
    get: fn(&ConfigForm) -> Option<T>,
) -> Result<T, Problem> {
    form.and_then(get).or_else(|| get(defaults)).ok_or_else(|| {
        Problem::anywhere(code::MISSING_KEY, "`config.example.toml` has no default for a key")
    })
}

impl Scalar for NonZeroU16 {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        let port = i64::parse_node(node)?;
        let checked = u16::try_from(port).ok().and_then(Self::new);
        let message = format!("the port must be between 1 and 65535, found {port}");
        checked.ok_or_else(|| Problem::at(&node.span, code::INVALID_TYPE, message))
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "integer", "minimum": 1, "maximum": u16::MAX})
    }
}

/// Returns help for a key of an endpoint in the table of a vendor.
fn endpoint_key_help(problem: &Problem) -> Option<String> {
    let span = problem.span.as_ref().filter(|_| problem.code == code::UNKNOWN_KEY)?;
    let key = span.text();
    let before = span.source.text.get(..span.range.start)?;
    let header = before.lines().rev().find(|line| line.trim_start().starts_with('['))?;
    let vendor = header.trim().strip_prefix("[vendor.")?.strip_suffix(']')?;
    let is_endpoint = EndpointForm::KEYS.contains(&key) && !VendorSettings::KEYS.contains(&key);
    is_endpoint.then(|| {
        format!("`{key}` belongs to a receiver: write it below `[[endpoint]]`, with `vendor = \"{vendor}\"`")
    })
}

fn read_form(source: &Arc<Source>) -> (Option<ConfigForm>, Problems) {
    let (node, problems) = toml::parse(source);
    if problems.broke_parsing() {
        // It is unknown where the credentials are in a text that is not TOML.
        return (None, toml::parse(&source.withholding()).1);
    }
    let source = source.hiding(private::private_ranges(source, &node));
    let (node, mut problems) = toml::parse(&source);
    let form = ConfigForm::read(&node, &mut problems);
    let mut problems = problems.pointing_to_top(ConfigForm::KEYS).helped(endpoint_key_help);
    for endpoint in form.iter().flat_map(|form| &form.endpoint) {
        endpoint.check_headers(&mut problems);
    }
    (form, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_file_overrides_the_defaults() {
        let source = Source::new("standin.toml", "seed = 7\n[vendor.x]\nsecret.token = 'env:X'\n");
        let config = Config::read(Some(&source)).unwrap();
        let defaults = Config::read(None).unwrap();
        assert_eq!((config.seed, config.start), (7, defaults.start));
        assert_eq!(config.vendors.get("x").unwrap().secret.get("token").unwrap().0, "env:X");
        assert!(defaults.endpoints.is_empty());
        assert_eq!(defaults.files.url(), files_url(FILES_PORT), "the example contains the default");
    }

    #[test]
    fn a_configuration_is_recognized_by_its_keys() {
        let is_configuration = |text: &str| {
            Config::is_configuration(
                &Source::new("x.toml", text),
                &["name", "vendors", "step"],
                false,
            )
        };
        assert!(is_configuration("seed = 1\n[[endpoint]]\nurl = ''\n"));
        assert!(!is_configuration("vendor = 'acme'\nname = 'a'\n[[step]]\nopen = {}\n"));
        assert!(!is_configuration(""));
    }
}
