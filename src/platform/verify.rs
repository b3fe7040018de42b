//! The receiving side: whether a request is one that the vendor would have sent.
//!
//! The bundled receiver asks here. It knows the account, so it can say which header is wrong and
//! what it should have been.

use serde_json::Value as Json;
use subtle::ConstantTimeEq as _;

use super::Account;
use super::handshake::Proof;

/// Where to find things in a vendor's bodies.
#[derive(Clone, Debug, Default)]
pub(super) struct DisplayPointers {
    pub(super) event: Vec<String>,
    pub(super) text: Vec<String>,
}

/// One thing that was looked at, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// What is wrong with it; nothing where it is right.
    pub error: Option<String>,
}

/// What a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationReport {
    /// The handshake's answer, where it is the handshake.
    pub handshake: Option<String>,
    /// What the body calls its event.
    pub event: Option<String>,
    /// What was said, where it is a message.
    pub text: Option<String>,
    /// What was looked at.
    pub checks: Vec<Check>,
}

impl VerificationReport {
    /// Whether nothing is wrong.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|finding| finding.error.is_none())
    }
}

impl Account {
    /// Looks at a request as a receiver would that was given the account's credentials. `header`
    /// gives the value of a header, whatever the case of its name.
    pub fn verify(
        &self,
        body: &str,
        header: &dyn Fn(&str) -> Option<String>,
    ) -> VerificationReport {
        let proof = self.platform.handshake.proof.as_ref();
        let is_handshake = |proof: &&Proof| self.handshake_body(proof) == body;
        let handshake = proof.filter(is_handshake).map(|proof| self.handshake_reply(proof));
        let json: Option<Json> = serde_json::from_str(body).ok();
        let find = |pointers: &[String]| -> Option<String> {
            let found = pointers.iter().find_map(|pointer| json.as_ref()?.pointer(pointer))?;
            Some(found.as_str().map_or_else(|| found.to_string(), str::to_owned))
        };
        let mut findings = vec![Check {
            name: "body".into(),
            error: json.is_none().then(|| "is not JSON".into()),
        }];
        // A receiver cannot know which attempt it is, so a header may be that of any.
        let attempts: Vec<_> = match &handshake {
            Some(_) => vec![self.handshake_headers(body)],
            None => (1..=ATTEMPTS).map(|attempt| self.headers(body, attempt)).collect(),
        };
        for (at, (name, _)) in attempts[0].iter().enumerate() {
            // What a type of content says beside itself decides nothing about JSON.
            let is_type = name.eq_ignore_ascii_case("content-type");
            let bare = |value: &str| {
                let end = value.find(';').filter(|_| is_type).unwrap_or(value.len());
                value[..end].to_owned()
            };
            let expected = attempts.iter().map(|headers| bare(&headers[at].1));
            let found = header(name).map(|value| bare(&value));
            let wrong = wrong_header(found.as_deref(), expected).map(|wrong| {
                let mistakes = (1..=ATTEMPTS).flat_map(|attempt| self.mistakes(body, attempt));
                let mut made = mistakes.filter(|mistake| found.as_ref() == Some(&mistake.value));
                made.next().map_or(wrong.clone(), |mistake| {
                    format!("{wrong}: it is made {}", mistake.computed)
                })
            });
            findings.push(Check { name: name.clone(), error: wrong });
        }
        let event = find(&self.platform.show.event);
        let text = find(&self.platform.show.text);
        VerificationReport { handshake, event, text, checks: findings }
    }
}

/// Attempts that a header is looked for among.
const ATTEMPTS: u32 = 10;

fn wrong_header(found: Option<&str>, mut expected: impl Iterator<Item = String>) -> Option<String> {
    let Some(found) = found else { return Some("is missing".into()) };
    let fits = expected.any(|expected| found.as_bytes().ct_eq(expected.as_bytes()).into());
    (!fits).then(|| "is not what the account's credentials give for this body".into())
}
