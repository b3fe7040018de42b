//! Credentials that calls present, and how they are verified.

use subtle::ConstantTimeEq as _;

use super::call::ApiCall;
use super::condition::{CallCondition, CallError};
use super::forms::{CredentialForm, CredentialKind};
use crate::diag::{Problem, Problems, Spanned, code};
use crate::template::{CompileContext, Object, TextRules, TextTemplate};

/// Scheme of a bearer credential, with its space.
const BEARER: &str = "Bearer ";

/// A credential that calls present.
#[derive(Clone, Debug)]
pub struct CredentialRule {
    /// Its name.
    pub name: String,
    kind: CredentialKind,
    place: CredentialPlace,
    value: TextTemplate,
}

/// Where a call presents a credential.
#[derive(Clone, Debug)]
enum CredentialPlace {
    Header(String),
    Query(String),
}

/// A credential as a call presents it. It is a secret, valid or not.
#[derive(Clone, Debug)]
pub struct Presented(pub String);

impl CredentialRule {
    pub(super) fn check(
        form: &CredentialForm,
        context: &CompileContext<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let place = place(&form.place, problems);
        let value = TextTemplate::check(&form.value, context, TextRules::default(), problems);
        Some(Self {
            name: form.name.value.clone(),
            kind: form.kind.value,
            place: place?,
            value: value?,
        })
    }

    /// Returns what a call has in the place of the credential.
    pub fn presented(&self, call: &ApiCall) -> Option<Presented> {
        let text = self.text(call)?;
        // Without its scheme, so that the token is also found elsewhere in the call.
        let token = self.token(&text).unwrap_or(&text);
        Some(Presented(token.to_owned()))
    }

    fn text(&self, call: &ApiCall) -> Option<String> {
        match &self.place {
            CredentialPlace::Header(name) => call.header(name).map(str::to_owned),
            CredentialPlace::Query(name) => {
                let mut pairs = call.query_pairs().into_iter();
                pairs.find(|(known, _)| known == name).map(|(_, value)| value)
            }
        }
    }

    /// Returns the token in a text; `None` if the text lacks the scheme.
    fn token<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self.kind {
            CredentialKind::Raw => Some(text),
            CredentialKind::Bearer => {
                let (scheme, token) = text.split_at_checked(BEARER.len())?;
                scheme.eq_ignore_ascii_case(BEARER).then(|| token.trim())
            }
        }
    }

    /// Checks the credential of a call.
    pub fn verify(&self, call: &ApiCall, root: &dyn Object) -> Result<(), CallError> {
        let Some(text) = self.text(call).filter(|text| !text.is_empty()) else {
            let message = format!("the call has no {}", self.describe());
            return Err(CallError::new(CallCondition::missing(&self.name), message));
        };
        let expected = self.value.render(root);
        let is_valid = |token: &str| bool::from(token.as_bytes().ct_eq(expected.as_bytes()));
        if self.token(&text).is_some_and(is_valid) {
            return Ok(());
        }
        let message = format!("the {} is not valid", self.describe());
        Err(CallError::new(CallCondition::invalid(&self.name), message))
    }

    /// Describes the credential, such as `bearer token in the header Authorization`.
    pub fn describe(&self) -> String {
        let what = match self.kind {
            CredentialKind::Raw => "credential",
            CredentialKind::Bearer => "bearer token",
        };
        match &self.place {
            CredentialPlace::Header(name) => format!("{what} in the header `{name}`"),
            CredentialPlace::Query(name) => format!("{what} in the query parameter `{name}`"),
        }
    }

    /// Returns the place and the name of a credential that is a plain value; `None` for a bearer token.
    pub(super) fn api_key(&self) -> Option<(&'static str, &str)> {
        match (&self.place, self.kind) {
            (CredentialPlace::Header(_), CredentialKind::Bearer) => None,
            (CredentialPlace::Header(name), _) => Some(("header", name)),
            (CredentialPlace::Query(name), _) => Some(("query", name)),
        }
    }

    /// Adds the valid credential to a call.
    pub fn add_to(&self, call: &mut ApiCall, root: &dyn Object) {
        let value = self.value.render(root);
        let value = match self.kind {
            CredentialKind::Raw => value,
            CredentialKind::Bearer => format!("{BEARER}{value}"),
        };
        match &self.place {
            CredentialPlace::Header(name) => call.headers.push((name.clone(), value)),
            CredentialPlace::Query(name) => {
                let mut query =
                    url::form_urlencoded::Serializer::new(std::mem::take(&mut call.query));
                call.query = query.append_pair(name, &value).finish();
            }
        }
    }
}

fn place(text: &Spanned<String>, problems: &mut Problems) -> Option<CredentialPlace> {
    let place = match text.split_once(':') {
        Some(("header", name)) if !name.is_empty() => CredentialPlace::Header(name.to_owned()),
        Some(("query", name)) if !name.is_empty() => CredentialPlace::Query(name.to_owned()),
        _ => {
            let message = format!("`{}` is not a place of a credential", text.value);
            let problem = Problem::at(&text.span, code::UNKNOWN_VALUE, message);
            problems.push(problem.help("write `header:NAME` or `query:NAME`"));
            return None;
        }
    };
    Some(place)
}
