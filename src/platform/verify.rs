//! Verifies received requests with the account's credentials, as a receiver does.
//!
//! The bundled receiver uses this. It knows the account, so it can report which header is invalid
//! and which mistake produces the value.

use serde_json::Value as Json;
use subtle::ConstantTimeEq as _;

use super::account::Account;
use super::forms::Purpose;
use super::handshake::Proof;
use super::mistakes::common_mistakes;
use super::request_facts::{RequestFacts, capture};
use super::signing::Signing;
use crate::base::text::excerpt;
use crate::record::Mistake;
use crate::template::CapturedTexts;

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
    /// The conversation's id in the body.
    pub conversation: Option<String>,
    /// The event's time in the body, as it is written there.
    pub time: Option<String>,
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
        let roots = account.roots();
        let proof = account.platform.handshake.proof.as_ref();
        // Both kinds of requests go to the same URL; only the body tells them apart.
        let reply = |proof: &Proof| {
            let challenge = proof.received_challenge(&roots, body)?;
            Some(proof.response_body(&roots, &challenge))
        };
        let handshake = proof.and_then(reply);
        let purpose = if handshake.is_some() { Purpose::Handshake } else { Purpose::Event };
        let json: Option<Json> = serde_json::from_str(body).ok();
        let find = |pointers: &[String]| -> Option<String> {
            let mut found = pointers.iter().filter_map(|pointer| json.as_ref()?.pointer(pointer));
            let found = found.find(|value| !value.is_null())?;
            Some(found.as_str().map_or_else(|| found.to_string(), str::to_owned))
        };
        let error = json.is_none().then(|| "is not JSON".into());
        let mut checks = vec![Check { name: "body".into(), error }];
        checks.extend(self.header_checks(body, purpose, header));
        let show = &account.platform.show;
        VerificationReport {
            handshake,
            event: find(&show.event),
            text: find(&show.text),
            conversation: find(&show.conversation),
            time: find(&show.time),
            checks,
        }
    }

    fn header_checks(
        self,
        body: &str,
        purpose: Purpose,
        header: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<Check> {
        let signing = Signing::of(self.account);
        let (roots, mut captured) = (self.account.roots(), CapturedTexts::default());
        for rule in signing.sent(purpose) {
            if let Some(value) = header(&rule.name) {
                capture(&rule.value, &value, &roots, &mut captured);
            }
        }
        let request = RequestFacts::received(purpose, body, &captured);
        let last = if purpose == Purpose::Handshake { 1 } else { ATTEMPTS };
        let attempts: Vec<_> =
            (1..=last).map(|attempt| signing.headers(&request.with_attempt(attempt))).collect();
        let mut checks = Vec::new();
        let patterns = signing.header_patterns(purpose);
        let is_fixed = |name: &str| {
            let pattern = patterns.iter().find(|(other, _)| other == name);
            pattern.is_some_and(|(_, value)| {
                !value.contains('<') && !self.account.contains_secret(value)
            })
        };
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
                match (found.as_deref(), self.mistake(request, found.as_deref())) {
                    (_, Some(mistake)) => format!("{error}: it is computed {}", mistake.computed),
                    // A header without a credential, such as `User-Agent`.
                    (Some(found), None) if is_fixed(name) => {
                        let found = excerpt(found, QUOTED);
                        format!("is `{found}`, expected `{}`", bare(&attempts[0][index].1))
                    }
                    _ => error,
                }
            });
            checks.push(Check { name: name.clone(), error });
        }
        checks
    }

    /// Returns the common mistake that produces a value, if there is one.
    fn mistake(self, request: RequestFacts<'_>, value: Option<&str>) -> Option<Mistake> {
        let value = value?;
        let attempts = (1..=ATTEMPTS).map(|attempt| request.with_attempt(attempt));
        let mut mistakes = attempts.flat_map(|request| self.mistakes(&request, &[]));
        mistakes.find(|mistake| value == mistake.value)
    }

    /// Returns the header values that common mistakes in verification compute for a request,
    /// without those that would have rejected one of the `accepted` requests.
    pub fn mistakes(
        self,
        request: &RequestFacts<'_>,
        accepted: &[RequestFacts<'_>],
    ) -> Vec<Mistake> {
        common_mistakes(self.account, request, accepted)
    }
}

/// Maximum number of characters of a header value that an error quotes.
const QUOTED: usize = 60;

fn header_error(found: Option<&str>, mut expected: impl Iterator<Item = String>) -> Option<String> {
    let Some(found) = found else { return Some("is missing".into()) };
    // Constant time, because a header may contain a secret.
    let matches = expected.any(|expected| found.as_bytes().ct_eq(expected.as_bytes()).into());
    (!matches).then(|| "does not match the account's credentials for this body".into())
}
