//! Requests that the bundled receiver got, and their presentation.

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::base::text::{escape, excerpt};
use crate::fault::Faults;
use crate::platform::{Account, Check, ReceiverGuide, VerificationReport};

/// Request that the receiver got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Id of the vendor whose account it is for.
    pub vendor: String,
    /// HTTP method.
    pub method: String,
    /// Path of the URL.
    pub path: String,
    /// Request body.
    pub body: String,
    /// Event, checks and errors.
    pub report: VerificationReport,
    /// Credential that authenticates events of this account.
    pub credential: Credential,
    /// Status of the response.
    pub status: u16,
    /// Faults that were injected into the response.
    pub faults: Faults,
}

/// Proof that a request comes from the vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Signature over the body.
    Signature,
    /// Shared token.
    Token,
    /// A secret that no header carries, such as a token in the body.
    NotInHeaders,
    /// No proof: the vendor has no secret, so any sender can produce such a request.
    Missing,
}

impl Credential {
    /// Returns the credential in the headers of an account's events.
    pub fn of(account: &Account) -> Self {
        let headers = ReceiverGuide::of(account).headers();
        let has = |text: &str| headers.iter().any(|(_, value)| value.contains(text));
        if has("<signature") {
            return Self::Signature;
        }
        let has_secret = account.secrets.values().any(|secret| has(secret.expose()));
        match (has_secret, account.secrets.is_empty()) {
            (true, _) => Self::Token,
            (false, false) => Self::NotInHeaders,
            (false, true) => Self::Missing,
        }
    }
}

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();
/// Maximum number of characters of a message text, so that a request fits on one or two lines.
const MAX_TEXT: usize = 60;

/// The public form of a received request.
#[derive(Serialize)]
struct ReceivedJson<'a> {
    vendor: &'a str,
    method: &'a str,
    path: &'a str,
    /// The vendor's name of the event type.
    event: Option<&'a str>,
    handshake: bool,
    passed: bool,
    /// What failed, each with its name.
    errors: Vec<String>,
    status: u16,
    body: &'a str,
}

impl Received {
    /// Returns the request as one line of JSON.
    pub fn to_json(&self) -> String {
        let json = ReceivedJson {
            vendor: &self.vendor,
            method: &self.method,
            path: &self.path,
            event: self.report.event.as_deref(),
            handshake: self.report.handshake.is_some(),
            passed: self.report.passed(),
            errors: self.errors(),
            status: self.status,
            body: &self.body,
        };
        serde_json::to_string(&json).unwrap_or_default()
    }

    /// Returns what failed, each with its name.
    pub(super) fn errors(&self) -> Vec<String> {
        let error = |check: &Check| {
            let error = check.error.as_ref()?;
            Some(format!("{} {error}", check.name))
        };
        self.report.checks.iter().filter_map(error).collect()
    }

    /// Formats the request as one line, followed by one line for each failed check.
    pub fn summary(&self) -> String {
        let report = &self.report;
        let title = match (&report.handshake, &report.event) {
            (Some(_), _) => "handshake".to_owned(),
            (None, Some(event)) => escape(event),
            (None, None) => "unknown event".to_owned(),
        };
        let text = report.text.as_ref().map(|text| format!(" “{}”", excerpt(text, MAX_TEXT)));
        let text = text.unwrap_or_default();
        let (style, mark) = if report.passed() { (GOOD, "✓") } else { (BAD, "✗") };
        // Indented like the records of a run, between which `demo` prints these lines.
        let mut summary = format!(
            "                 {DIM}receiver:{DIM:#} {style}{mark}{style:#} {title}{text} \
             {DIM}· {} bytes, {}, responded {}{}{DIM:#}",
            self.body.len(),
            self.verification(),
            self.status,
            self.injected_faults()
        );
        for check in &report.checks {
            if let Some(error) = &check.error {
                let name = escape(&check.name);
                summary += &format!("\n                           {BAD}{name}{BAD:#} {error}");
            }
        }
        summary
    }

    /// Describes the result of the verification.
    pub(super) fn verification(&self) -> String {
        let checks = &self.report.checks;
        let failed = checks.iter().filter(|check| check.error.is_some()).count();
        if failed > 0 {
            return format!("{failed} of {} checks failed", checks.len());
        }
        // A handshake may carry no credential. The response proves that the receiver knows it.
        let text = match (&self.report.handshake, self.credential) {
            (Some(_), _) | (None, Credential::NotInHeaders) => "headers as expected",
            (None, Credential::Signature) => "signature verified",
            (None, Credential::Token) => "token verified",
            (None, Credential::Missing) => "headers as expected, nothing to verify",
        };
        text.to_owned()
    }

    fn injected_faults(&self) -> String {
        if self.faults.is_empty() {
            return String::new();
        }
        format!(" · injected fault: {}", self.faults)
    }
}
