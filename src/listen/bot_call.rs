//! Presentation of the calls of the bundled receiver's bot.

use anstyle::{AnsiColor, Style};
use serde_json::{Value as Json, json};

use crate::base::text::{escape, excerpt};

/// A call of a bot, after its response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotCallReport {
    /// Id of the vendor whose API was called.
    pub vendor: String,
    /// Name of the operation.
    pub operation: String,
    /// URL of the call; empty if it could not be made.
    pub url: String,
    /// Status of the response.
    pub status: Option<u16>,
    /// Why the call failed.
    pub error: Option<String>,
}

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();
/// Maximum number of characters of an error.
const MAX_ERROR: usize = 300;

impl BotCallReport {
    pub(super) fn new(vendor: &str, operation: &str) -> Self {
        Self {
            vendor: vendor.to_owned(),
            operation: operation.to_owned(),
            url: String::new(),
            status: None,
            error: None,
        }
    }

    /// Adds why the call failed.
    pub(super) fn failed(mut self, error: String) -> Self {
        self.error = Some(error);
        self
    }

    /// Returns the call as JSON, without the query of the URL, which may hold credentials.
    pub fn to_json(&self) -> Json {
        json!({"call": {
            "vendor": self.vendor,
            "operation": self.operation,
            "url": self.shown_url(),
            "status": self.status,
            "error": self.error,
        }})
    }

    fn shown_url(&self) -> &str {
        self.url.split('?').next().unwrap_or_default()
    }

    /// Formats the call as one line.
    pub fn summary(&self) -> String {
        let (style, mark) = if self.error.is_none() { (GOOD, "✓") } else { (BAD, "✗") };
        let status = self.status.map(|status| format!(", status {status}")).unwrap_or_default();
        let mut line = format!(
            "                 {DIM}bot:{DIM:#} {style}{mark}{style:#} {}{DIM}{status}{DIM:#}",
            escape(&self.operation)
        );
        if let Some(error) = &self.error {
            let url = escape(self.shown_url());
            let error = excerpt(error.trim(), MAX_ERROR);
            line += &format!("\n                           {url}: {error}");
        }
        line
    }
}
