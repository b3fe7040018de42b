//! The handshake: how an endpoint proves that it agrees, and what is wrong with its answer.

use serde_json::Value as Json;
use subtle::ConstantTimeEq as _;

use super::Account;
use super::forms::OnFailure;
use crate::base::text::excerpt;
use crate::policy::StatusSet;
use crate::template::{JsonTemplate, TextTemplate};

/// A vendor's handshake.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// What proves that an endpoint agrees; nothing where there is no handshake.
    pub proof: Option<Proof>,
    /// What follows where it does not agree: whether it is sent to all the same.
    pub on_failure: OnFailure,
}

/// What proves that an endpoint agrees.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Which answers are good.
    pub success: StatusSet,
    pub(super) body: JsonTemplate,
    pub(super) echo: Option<TextTemplate>,
    pub(super) echo_key: Option<String>,
}

/// How much of a wrong answer is shown.
const SHOWN: usize = 60;

impl Handshake {
    /// Whether a failed handshake keeps everything from being sent.
    pub fn refuses(&self) -> bool {
        self.on_failure == OnFailure::Refuse
    }
}

impl Account {
    /// The body of the handshake's request.
    pub fn handshake_body(&self, proof: &Proof) -> String {
        proof.body.render(&self.roots()).unwrap_or_default()
    }

    /// What a receiver must answer in the handshake: the body that proves that it agrees.
    pub fn handshake_reply(&self, proof: &Proof) -> String {
        let Some(echo) = self.echo(proof) else { return String::new() };
        match &proof.echo_key {
            Some(key) => serde_json::json!({key: echo}).to_string(),
            None => echo,
        }
    }

    /// What must come back.
    pub fn echo(&self, proof: &Proof) -> Option<String> {
        proof.echo.as_ref().map(|echo| echo.render(&self.roots()))
    }

    /// What is wrong with an endpoint's answer, if anything.
    pub fn judge_answer(&self, proof: &Proof, status: u16, body: &str) -> Result<(), String> {
        if !proof.success.contains(status) {
            return Err(wrong_status(status, &proof.success));
        }
        let Some(wanted) = self.echo(proof) else { return Ok(()) };
        let came = body.trim();
        if same(came, &wanted) || same(body, &wanted) {
            return Ok(());
        }
        let how = match &proof.echo_key {
            Some(key) => format!("as text, or as JSON under `{key}`"),
            None => "as text".to_owned(),
        };
        match (serde_json::from_str(came), &proof.echo_key) {
            (Ok(Json::Object(answer)), Some(key)) => match answer.get(key) {
                Some(Json::String(found)) if same(found, &wanted) => Ok(()),
                Some(_) => Err(format!("another token came back under `{key}`")),
                None => Err(format!(
                    "the answer is JSON without `{key}`; the token must come back {how}"
                )),
            },
            (Ok(Json::String(found)), _) if same(&found, &wanted) => {
                Err(format!("the token came back in quotes; it must come back {how}"))
            }
            _ if came.is_empty() => {
                Err(format!("the answer is empty; the token must come back {how}"))
            }
            _ if came.starts_with('<') => {
                Err(format!("the answer is a web page, not the token: `{}`", excerpt(came, SHOWN)))
            }
            _ => Err(format!(
                "another token came back, or none: `{}`; it must come back {how}",
                excerpt(came, SHOWN)
            )),
        }
    }
}

fn wrong_status(status: u16, success: &StatusSet) -> String {
    match status {
        300..=399 => {
            format!("the endpoint redirects (status {status}), and redirects are not followed")
        }
        _ => format!("the endpoint answered with status {status}, not {success}"),
    }
}

fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}
