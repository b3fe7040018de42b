//! A request that came, and how it is told.

use anstyle::{AnsiColor, Style};

use crate::base::text::{escape, excerpt};
use crate::fault::Faults;
use crate::platform::VerificationReport;

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The vendor whose account it was for.
    pub vendor: String,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The body as it came.
    pub body: String,
    /// What it is, and what is wrong with it.
    pub receipt: VerificationReport,
    /// The status of our answer.
    pub status: u16,
    /// How the answer was wrong on purpose.
    pub on_purpose: Faults,
}

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();
/// Characters of a text that are shown.
const SHOWN: usize = 60;

impl Received {
    /// The request in one line, and a line for each thing that is wrong.
    pub fn told(&self) -> String {
        let receipt = &self.receipt;
        let what = match (&receipt.handshake, &receipt.event) {
            (Some(_), _) => "handshake".to_owned(),
            (None, Some(event)) => escape(event),
            (None, None) => "something without a name".to_owned(),
        };
        let text = receipt.text.as_ref().map(|text| format!(" “{}”", excerpt(text, SHOWN)));
        let text = text.unwrap_or_default();
        let (style, mark) = if receipt.passed() { (GOOD, "✓") } else { (BAD, "✗") };
        let checked: Vec<&str> = receipt
            .checks
            .iter()
            .filter(|finding| finding.error.is_none())
            .map(|finding| finding.name.as_str())
            .collect();
        let mut told = format!(
            "                 {DIM}receiver:{DIM:#} {style}{mark}{style:#} {what}{text} {DIM}· {} bytes, {} verified, answered {}{}{DIM:#}",
            self.body.len(),
            checked.len(),
            self.status,
            self.purpose()
        );
        for finding in &receipt.checks {
            if let Some(wrong) = &finding.error {
                told += &format!(
                    "\n                           {BAD}{}{BAD:#} {wrong}",
                    escape(&finding.name)
                );
            }
        }
        told
    }

    fn purpose(&self) -> String {
        if self.on_purpose.is_empty() {
            return String::new();
        }
        format!(" · wrong on purpose: {}", self.on_purpose)
    }
}
