//! The configuration file: where to send, with which credentials, from which seed.
//!
//! `config.example.toml` is embedded and is the default; a `standin.toml` lies over it, flags and
//! environment over that. What a vendor makes of its settings is left to `vendor`.

mod hidden;
mod receiver;

use std::num::NonZeroU16;
use std::sync::Arc;

use jiff::Timestamp;

use crate::base::secret::Reference;
use crate::diag::{
    Form as _, Problem, Problems, Scalar, Source, Spanned, SyntaxNode, TableOf, code, toml,
};
use crate::form;

pub use receiver::{
    EndpointForm, HEADER_VALUE, check_header_name, check_header_value, is_header_value,
    receiver_url,
};

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
        seed: Option<Spanned<u64>>,
        /// When the first conversation begins.
        start: Option<Spanned<StartTime>>,
        /// Settings of one vendor, under its id.
        vendor: TableOf<VendorSettings>,
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
        revision: Option<Spanned<String>>,
        /// Values over those of the fixed test account.
        account: TableOf<SyntaxNode>,
        /// Credentials over the fixed test ones: `env:NAME`, `file:PATH`, or the value.
        secret: TableOf<Spanned<Reference>>,
        /// Choices where the vendor documents nothing.
        option: TableOf<Spanned<String>>,
    }
}

form! {
    /// What `standin demo` shows.
    pub struct DemoForm {
        /// The vendor.
        vendor: Option<Spanned<String>>,
        /// The scenario.
        scenario: Option<Spanned<String>>,
    }
}

form! {
    /// The built-in files that links in payloads point to.
    pub struct FilesForm {
        /// The port on which they can be fetched while standin runs.
        port: Option<Spanned<NonZeroU16>>,
    }
}

/// When a run begins, as the user says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartTime {
    /// At this instant of run time.
    At(Timestamp),
    /// At the current time.
    Now,
}

impl StartTime {
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

impl Scalar for StartTime {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        let text = String::parse_node(node)?;
        Self::parse(&text).map_err(|message| Problem::at(&node.span, code::WRONG_TYPE, message))
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "examples": ["2026-01-05T09:00:00Z", "now"]})
    }
}

/// The configuration: a file of the user's over the defaults.
#[derive(Clone, Debug)]
pub struct Config {
    /// The seed.
    pub seed: u64,
    /// When the first conversation begins.
    pub start: StartTime,
    /// Settings of vendors, by id.
    pub vendors: TableOf<VendorSettings>,
    /// Receivers.
    pub endpoints: Vec<EndpointForm>,
    /// The vendor that the demo shows.
    pub demo_vendor: Spanned<String>,
    /// The scenario that the demo shows.
    pub demo_scenario: Spanned<String>,
    /// The port on which built-in files can be fetched.
    pub files_port: u16,
}

impl Config {
    /// Reads a configuration; what it leaves out is as in [`EXAMPLE`].
    pub fn read(source: Option<&Arc<Source>>) -> Result<Self, Problems> {
        let (config, problems) = Self::draft(source);
        problems.or(config)
    }

    /// What of a configuration could be read, so that the rest of it is checked as well, and what is
    /// wrong with it so far.
    pub fn draft(source: Option<&Arc<Source>>) -> (Option<Self>, Problems) {
        let (form, mut problems) = source.map(read_form).unwrap_or_default();
        let config = (!problems.broke_parsing()).then(|| Self::over_defaults(form));
        let config = config.and_then(|config| problems.note(config));
        (config, problems)
    }

    fn over_defaults(form: Option<ConfigForm>) -> Result<Self, Problems> {
        let (defaults, problems) = read_form(&Source::new("config.example.toml", EXAMPLE));
        let defaults = problems.or(defaults)?;
        let seed = first(form.as_ref(), &defaults, |form| form.seed.clone())?.value;
        let start = first(form.as_ref(), &defaults, |form| form.start.clone())?.value;
        let demo_vendor =
            first(form.as_ref(), &defaults, |form| form.demo.as_ref()?.vendor.clone())?;
        let demo_scenario =
            first(form.as_ref(), &defaults, |form| form.demo.as_ref()?.scenario.clone())?;
        let files_port = first(form.as_ref(), &defaults, |form| form.files.as_ref()?.port.clone())?;
        let files_port = files_port.value.get();
        let (vendors, endpoints) =
            form.map(|form| (form.vendor, form.endpoint)).unwrap_or_default();
        Ok(Self { seed, start, vendors, endpoints, demo_vendor, demo_scenario, files_port })
    }

    /// Whether a file is meant to be a configuration: it has more keys of one than `others`, which
    /// are those of what else it could be. Where that does not tell, it is so if it is `named` so.
    pub fn is_meant(source: &Arc<Source>, others: &[&str], named: bool) -> bool {
        let (node, _) = toml::parse(source);
        let count = |known: &[&str]| {
            let keys = node.as_table().into_iter().flat_map(|table| &table.0);
            keys.filter(|(key, _)| known.contains(&key.name.as_str())).count()
        };
        let (ours, theirs) = (count(ConfigForm::KEYS), count(others));
        ours > theirs || named && ours == theirs
    }
}

/// The value of the user's file, else the default.
fn first<T>(
    form: Option<&ConfigForm>,
    defaults: &ConfigForm,
    get: fn(&ConfigForm) -> Option<T>,
) -> Result<T, Problem> {
    form.and_then(get).or_else(|| get(defaults)).ok_or_else(|| {
        Problem::anywhere(code::MISSING_KEY, "`config.example.toml` lacks a default")
    })
}

/// A port.
impl Scalar for NonZeroU16 {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        let port = i64::parse_node(node)?;
        let checked = u16::try_from(port).ok().and_then(Self::new);
        let message = format!("a port is from 1 to 65535, not {port}");
        checked.ok_or_else(|| Problem::at(&node.span, code::WRONG_TYPE, message))
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "integer", "minimum": 1, "maximum": u16::MAX})
    }
}

fn read_form(source: &Arc<Source>) -> (Option<ConfigForm>, Problems) {
    let source = source.hiding(hidden::hidden(&source.text));
    let (node, mut problems) = toml::parse(&source);
    if problems.broke_parsing() {
        return (None, problems);
    }
    let form = ConfigForm::read(&node, &mut problems);
    for endpoint in form.iter().flat_map(|form| &form.endpoint) {
        endpoint.check_headers(&mut problems);
    }
    (form, problems)
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
        assert_eq!(config.vendors.get("x").unwrap().secret.get("token").unwrap().0, "env:X");
        assert!(defaults.endpoints.is_empty());
        assert_eq!(defaults.files_port, FILES_PORT, "the example holds the default");
    }

    #[test]
    fn a_configuration_is_known_by_its_keys() {
        let is_meant = |text: &str| {
            Config::is_meant(&Source::new("x.toml", text), &["name", "vendors", "step"], false)
        };
        assert!(is_meant("seed = 1\n[[endpoint]]\nurl = ''\n"));
        assert!(!is_meant("vendor = 'acme'\nname = 'a'\n[[step]]\nopen = {}\n"));
        assert!(!is_meant(""));
    }
}
