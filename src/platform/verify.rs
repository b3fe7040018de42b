//! Verifies received requests with the account's credentials, as a receiver does.
//!
//! The bundled receiver uses this. It knows the account, so it can report which header is invalid
//! and which mistake produces the value.

use serde_json::Value as Json;
use subtle::ConstantTimeEq as _;

use super::account::Account;
use super::handshake::Proof;
use super::mistakes::common_mistakes;
use super::signing::Signing;
use crate::record::Mistake;

/// The result of one check on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was checked: `body`, or a header name.
    pub name: String,
    /// Why the check failed; `None` if it passed.
    pub error: Option<String>,
}

/// The result of verifying a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationReport {
    /// The response body to the handshake, if the request is the handshake.
    pub handshake: Option<String>,
    /// The event name in the body.
    pub event: Option<String>,
    /// The message text in the body.
    pub text: Option<String>,
    /// The checks, the body first and then the headers in the vendor's order.
    pub checks: Vec<Check>,
}

impl VerificationReport {
    /// Returns true if every check passed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.error.is_none())
    }
}

/// Verifies requests that were sent with an account's credentials.
#[derive(Clone, Copy, Debug)]
pub struct Verifier<'a> {
    account: &'a Account,
}

/// Number of attempts whose headers are accepted. A header may contain the attempt number, which a
/// receiver does not know.
const ATTEMPTS: u32 = 10;

impl<'a> Verifier<'a> {
    /// Verifies against the credentials of this account.
    pub fn of(account: &'a Account) -> Self {
        Self { account }
    }

    /// Verifies a request. `header` returns the value of a header, ignoring the case of its name.
    pub fn verify(self, body: &str, header: &dyn Fn(&str) -> Option<String>) -> VerificationReport {
        let account = self.account;
        let proof = account.platform.handshake.proof.as_ref();
        // Both kinds of requests go to the same URL; only the body tells them apart.
        let is_handshake = |proof: &&Proof| proof.request_body(&account.roots()) == body;
        let handshake =
            proof.filter(is_handshake).map(|proof| proof.response_body(&account.roots()));
        let json: Option<Json> = serde_json::from_str(body).ok();
        let find = |pointers: &[String]| -> Option<String> {
            let found = pointers.iter().find_map(|pointer| json.as_ref()?.pointer(pointer))?;
            Some(found.as_str().map_or_else(|| found.to_string(), str::to_owned))
        };
        let error = json.is_none().then(|| "is not JSON".into());
        let mut checks = vec![Check { name: "body".into(), error }];
        checks.extend(self.header_checks(body, handshake.is_some(), header));
        let event = find(&account.platform.show.event);
        let text = find(&account.platform.show.text);
        VerificationReport { handshake, event, text, checks }
    }

    fn header_checks(
        self,
        body: &str,
        is_handshake: bool,
        header: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<Check> {
        let signing = Signing::of(self.account);
        let attempts: Vec<_> = if is_handshake {
            vec![signing.handshake_headers(body)]
        } else {
            (1..=ATTEMPTS).map(|attempt| signing.headers(body, attempt)).collect()
        };
        let mut checks = Vec::new();
        // The attempts differ in values only: every attempt has the same headers in the same order.
        for (index, (name, _)) in attempts[0].iter().enumerate() {
            // Parameters of the media type, such as `charset`, make no difference for JSON.
            let is_type = name.eq_ignore_ascii_case("content-type");
            let bare = |value: &str| {
                let end = value.find(';').filter(|_| is_type).unwrap_or(value.len());
                value[..end].to_owned()
            };
            let expected = attempts.iter().map(|headers| bare(&headers[index].1));
            let found = header(name).map(|value| bare(&value));
            let error = header_error(found.as_deref(), expected).map(|error| {
                match self.mistake(body, found.as_deref()) {
                    Some(mistake) => format!("{error}: it is computed {}", mistake.computed),
                    None => error,
                }
            });
            checks.push(Check { name: name.clone(), error });
        }
        checks
    }

    /// Returns the common mistake that produces a value, if there is one.
    fn mistake(self, body: &str, value: Option<&str>) -> Option<Mistake> {
        let mut mistakes = (1..=ATTEMPTS).flat_map(|attempt| self.mistakes(body, attempt));
        mistakes.find(|mistake| value == Some(mistake.value.as_str()))
    }

    /// Returns the header values that common mistakes in verification compute for this body.
    pub fn mistakes(self, body: &str, attempt: u32) -> Vec<Mistake> {
        common_mistakes(self.account, body, attempt)
    }
}

fn header_error(found: Option<&str>, mut expected: impl Iterator<Item = String>) -> Option<String> {
    let Some(found) = found else { return Some("is missing".into()) };
    // Constant time, because a header may contain a secret.
    let matches = expected.any(|expected| found.as_bytes().ct_eq(expected.as_bytes()).into());
    (!matches).then(|| "does not match the account's credentials for this body".into())
}
