//! The handshake: the request that tests an endpoint, and the check of its response.

use serde_json::Value as Json;
use subtle::ConstantTimeEq as _;

use super::context::TemplateContext;
use super::forms::OnFailure;
use crate::base::seed::SeedScope;
use crate::base::text::excerpt;
use crate::policy::StatusSet;
use crate::template::{JsonTemplate, TextTemplate};

/// A vendor's handshake.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// The request and the required response; `None` if the vendor has no handshake.
    pub proof: Option<Proof>,
    /// Whether events are sent to an endpoint whose handshake failed.
    pub on_failure: OnFailure,
}

/// The handshake request and the response that passes it.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Statuses that pass.
    pub success: StatusSet,
    pub(super) body: JsonTemplate,
    pub(super) challenge: Option<Challenge>,
    pub(super) echo: Option<TextTemplate>,
    pub(super) echo_key: Option<String>,
}

/// A text that is generated for each handshake.
#[derive(Clone, Debug)]
pub(super) struct Challenge {
    /// The text, which generates values.
    pub(super) text: TextTemplate,
    /// JSON pointer to its place in the body.
    pub(super) pointer: String,
}

/// Maximum number of characters of an invalid response that an error quotes: enough to recognise
/// an error page, and short enough for one line.
const QUOTED: usize = 60;

impl Handshake {
    /// Returns true if an endpoint whose handshake failed receives no events.
    pub fn refuses(&self) -> bool {
        self.on_failure == OnFailure::Refuse
    }
}

impl Proof {
    /// Returns true if each handshake sends a new challenge.
    pub(super) fn sends_challenge(&self) -> bool {
        self.challenge.is_some()
    }

    /// Returns true if the response must contain a token.
    pub(super) fn has_echo(&self) -> bool {
        self.echo.is_some()
    }

    /// Returns the challenge of one handshake; empty if the vendor sends none.
    pub fn challenge(&self, roots: &TemplateContext<'_>, seeds: &SeedScope) -> String {
        let challenge = self.challenge.as_ref();
        challenge
            .map(|challenge| challenge.text.text(roots, seeds, "challenge"))
            .unwrap_or_default()
    }

    /// Returns the challenge of a handshake request, or `None` if the body is not that of a
    /// handshake.
    pub(super) fn received_challenge(
        &self,
        roots: &TemplateContext<'_>,
        body: &str,
    ) -> Option<String> {
        let challenge = match &self.challenge {
            Some(challenge) => {
                let json: Json = serde_json::from_str(body).ok()?;
                json.pointer(&challenge.pointer)?.as_str()?.to_owned()
            }
            None => String::new(),
        };
        (self.request_body(roots, &challenge) == body).then_some(challenge)
    }

    /// Returns the body of the handshake request.
    pub fn request_body(&self, roots: &TemplateContext<'_>, challenge: &str) -> String {
        self.body
            .render(&roots.clone().with_value("challenge", challenge.into()))
            .unwrap_or_default()
    }

    /// Returns a response body that passes; empty if any body does.
    pub fn response_body(&self, roots: &TemplateContext<'_>, challenge: &str) -> String {
        let Some(echo) = self.echo(roots, challenge) else { return String::new() };
        match &self.echo_key {
            Some(key) => serde_json::json!({key: echo}).to_string(),
            None => echo,
        }
    }

    /// Returns the token that the response must contain, if it must contain one.
    fn echo(&self, roots: &TemplateContext<'_>, challenge: &str) -> Option<String> {
        let roots = roots.clone().with_value("challenge", challenge.into());
        self.echo.as_ref().map(|echo| echo.render(&roots))
    }

    /// Checks an endpoint's response. The error says how the response differs from what the vendor
    /// requires.
    pub fn check_response(
        &self,
        roots: &TemplateContext<'_>,
        challenge: &str,
        status: u16,
        body: &str,
    ) -> Result<(), String> {
        if !self.success.contains(status) {
            return Err(invalid_status(status, &self.success));
        }
        let Some(expected) = self.echo(roots, challenge) else { return Ok(()) };
        let found = body.trim();
        // Most frameworks end a body with a newline. The untrimmed comparison is for tokens with
        // whitespace at an end.
        if same(found, &expected) || same(body, &expected) {
            return Ok(());
        }
        let how = match &self.echo_key {
            Some(key) => format!("return the token as text, or as JSON under `{key}`"),
            None => "return the token as text".to_owned(),
        };
        match (serde_json::from_str(found), &self.echo_key) {
            (Ok(Json::Object(response)), Some(key)) => match response.get(key) {
                Some(Json::String(found)) if same(found, &expected) => Ok(()),
                Some(_) => Err(format!("the response has another token under `{key}`")),
                None => Err(format!("the response is JSON but has no `{key}`; {how}")),
            },
            (Ok(Json::String(found)), _) if same(&found, &expected) => {
                Err(format!("the token in the response is quoted; {how}"))
            }
            _ if found.is_empty() => Err(format!("the response body is empty; {how}")),
            // Typically the login or error page of a proxy in front of the receiver.
            _ if found.starts_with('<') => Err(format!(
                "the response is an HTML page, not the token: `{}`",
                excerpt(found, QUOTED)
            )),
            _ => Err(format!("the response is not the token: `{}`; {how}", excerpt(found, QUOTED))),
        }
    }
}

fn invalid_status(status: u16, success: &StatusSet) -> String {
    match status {
        300..=399 => {
            format!("the endpoint redirects (status {status}); redirects are not followed")
        }
        _ => format!("the endpoint responded with status {status}, expected {success}"),
    }
}

fn same(one: &str, other: &str) -> bool {
    // Constant time, because the token is a secret.
    one.as_bytes().ct_eq(other.as_bytes()).into()
}
