//! Credentials that calls present, and how they are verified.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use serde_json::{Map, Value as Json};
use subtle::ConstantTimeEq as _;

use super::call::ApiCall;
use super::condition::{CallCondition, CallError};
use super::issued::{IssuedToken, IssuedTokens, Issuing};
use super::token::TokenAlgorithm;
use crate::template::{Object, TextTemplate};

/// A credential that calls present.
#[derive(Clone, Debug)]
pub struct CredentialRule {
    /// Its name.
    pub name: String,
    pub(super) place: CredentialPlace,
    /// Scheme before the value, such as `Bearer`.
    pub(super) scheme: Option<String>,
    /// Whether the value is also valid without its scheme.
    pub(super) bare: bool,
    pub(super) proof: CredentialProof,
    /// How long an issued token is valid; `None` without a limit.
    pub life: Option<SignedDuration>,
    /// Claims of the token that examples present.
    pub(super) example: Vec<(String, TextTemplate)>,
}

/// Where a call presents a credential.
#[derive(Clone, Debug)]
pub(super) enum CredentialPlace {
    Header(String),
    /// In whichever header.
    AnyHeader,
    Query(String),
    /// A parameter of the path.
    Path(String),
    Cookie(String),
    /// Among the parameters of the query and the body.
    Parameters,
}

/// The header that examples use if any will do.
const EXAMPLE_HEADER: &str = "X-Token";

/// What makes a credential valid.
#[derive(Clone, Debug)]
pub(super) enum CredentialProof {
    /// It has this value.
    Value(TextTemplate),
    /// A call has issued it. The template generates tokens.
    Issued(TextTemplate),
    /// It has this user and password.
    Basic { user: TextTemplate, password: TextTemplate },
    /// The parameters have these values.
    Fields(Vec<(String, TextTemplate)>),
    /// It is a token that was signed with a key of the account.
    Jwt(JwtRule),
    /// Anything is accepted.
    Anything,
}

/// A token that is verified by its signature.
#[derive(Clone, Debug)]
pub(super) struct JwtRule {
    pub(super) algorithm: TokenAlgorithm,
    pub(super) key: TextTemplate,
    pub(super) kid: Option<String>,
    /// Claims that it must have.
    pub(super) claims: Vec<(String, TextTemplate)>,
}

/// How `OpenAPI` describes a credential.
pub(super) enum CredentialScheme<'a> {
    /// A scheme of HTTP.
    Http(&'static str),
    /// A value at a place of this name.
    Value { place: &'static str, name: &'a str },
}

/// A credential as a call presents it. It is a secret, valid or not.
#[derive(Clone, Debug)]
pub struct Presented(pub String);

/// What credentials are verified with.
pub struct AuthContext<'a> {
    /// The call.
    pub call: &'a ApiCall,
    /// Parameters of the path, decoded.
    pub path: &'a [(String, String)],
    /// Parameters of the query and the body.
    pub params: &'a Map<String, Json>,
    /// The tokens that calls have issued.
    pub tokens: &'a IssuedTokens,
    /// Roots of the account.
    pub roots: &'a dyn Object,
}

impl CredentialRule {
    /// Returns what a call has in the places of the credential.
    pub fn presented(&self, auth: &AuthContext<'_>) -> Vec<Presented> {
        if let CredentialProof::Fields(fields) = &self.proof {
            let texts = fields.iter().filter_map(|(name, _)| parameter(auth.params, name));
            return texts.map(Presented).collect();
        }
        let Some(text) = self.text(auth) else { return Vec::new() };
        // Without its scheme, so that the token is also found elsewhere in the call.
        let token = self.token(&text).unwrap_or(&text).to_owned();
        let password = match self.proof {
            CredentialProof::Basic { .. } => decode_basic(&token).map(|(_, password)| password),
            _ => None,
        };
        [token].into_iter().chain(password).map(Presented).collect()
    }

    /// Returns the names of the parameters that contain the credential.
    pub fn parameter_names(&self) -> impl Iterator<Item = &str> {
        let (fields, query) = match (&self.proof, &self.place) {
            (CredentialProof::Fields(fields), _) => (fields.as_slice(), None),
            (_, CredentialPlace::Query(name)) => (&[][..], Some(name.as_str())),
            _ => (&[][..], None),
        };
        fields.iter().map(|(name, _)| name.as_str()).chain(query)
    }

    /// Returns true if anything is accepted.
    pub fn is_unverified(&self) -> bool {
        matches!(self.proof, CredentialProof::Anything)
    }

    /// Returns true if a scheme must stand before the value.
    pub(super) fn needs_scheme(&self) -> bool {
        self.scheme.is_some()
    }

    /// Returns true if tokens of this credential can be issued.
    pub(super) fn can_be_issued(&self) -> bool {
        matches!(self.proof, CredentialProof::Issued(_) | CredentialProof::Jwt(_))
    }

    fn text(&self, auth: &AuthContext<'_>) -> Option<String> {
        let text = match &self.place {
            CredentialPlace::Header(name) => auth.call.header(name).map(str::to_owned),
            CredentialPlace::Query(name) => {
                let mut pairs = auth.call.query_pairs().into_iter();
                pairs.find(|(known, _)| known == name).map(|(_, value)| value)
            }
            // Only its value shows which header it is.
            CredentialPlace::AnyHeader => {
                let mut values = auth.call.headers.iter().map(|(_, value)| value);
                values.find(|value| self.is_value(value, auth)).cloned()
            }
            CredentialPlace::Cookie(name) => cookie(auth.call, name),
            CredentialPlace::Path(name) => {
                let mut pairs = auth.path.iter();
                pairs.find(|(known, _)| known == name).map(|(_, value)| value.clone())
            }
            CredentialPlace::Parameters => None,
        };
        text.filter(|text| !text.is_empty())
    }

    fn is_value(&self, text: &str, auth: &AuthContext<'_>) -> bool {
        match &self.proof {
            CredentialProof::Value(value) => {
                bool::from(text.as_bytes().ct_eq(value.render(auth.roots).as_bytes()))
            }
            _ => false,
        }
    }

    /// Returns the token in a text; `None` if the text lacks the scheme.
    fn token<'t>(&self, text: &'t str) -> Option<&'t str> {
        let Some(scheme) = &self.scheme else { return Some(text) };
        match text.split_once(' ') {
            Some((found, token)) if found.eq_ignore_ascii_case(scheme) => Some(token.trim()),
            _ => Some(text).filter(|_| self.bare),
        }
    }

    /// Returns true if a call has the credential in its place, with its scheme.
    pub fn is_presented(&self, auth: &AuthContext<'_>) -> bool {
        match &self.proof {
            CredentialProof::Fields(_) => !self.presented(auth).is_empty(),
            _ => self.presented_token(auth).is_some(),
        }
    }

    /// Returns the token that a call presents.
    pub fn presented_token(&self, auth: &AuthContext<'_>) -> Option<String> {
        let text = self.text(auth)?;
        self.token(&text).map(str::to_owned)
    }

    /// Checks the credential of a call. Returns its claims, if it has some.
    pub fn verify(&self, auth: &AuthContext<'_>) -> Result<Map<String, Json>, CallError> {
        if let CredentialProof::Fields(fields) = &self.proof {
            return self.verify_fields(fields, auth);
        }
        let Some(text) = self.text(auth) else { return Err(self.missing()) };
        let token = self.token(&text).ok_or_else(|| self.invalid())?;
        let is = |template: &TextTemplate, text: &str| {
            bool::from(text.as_bytes().ct_eq(template.render(auth.roots).as_bytes()))
        };
        let claims = match &self.proof {
            CredentialProof::Value(value) => is(value, token).then(Map::new),
            CredentialProof::Basic { user, password } => {
                let decoded = decode_basic(token);
                let is_valid = decoded.is_some_and(|(u, p)| is(user, &u) & is(password, &p));
                is_valid.then(Map::new)
            }
            CredentialProof::Issued(_) => match auth.tokens.get(&self.name, token) {
                Some(issued) if issued.has_expired(auth.call.received_at) => {
                    return Err(self.expired());
                }
                issued => issued.map(|issued| issued.claims.clone()),
            },
            CredentialProof::Jwt(rule) => self.verify_jwt(rule, token, auth)?,
            CredentialProof::Anything => Some(Map::new()),
            // Handled above.
            CredentialProof::Fields(_) => None,
        };
        claims.ok_or_else(|| self.invalid())
    }

    fn verify_fields(
        &self,
        fields: &[(String, TextTemplate)],
        auth: &AuthContext<'_>,
    ) -> Result<Map<String, Json>, CallError> {
        let mut is_valid = true;
        for (name, expected) in fields {
            let text = parameter(auth.params, name).filter(|text| !text.is_empty());
            let Some(text) = text else { return Err(self.missing()) };
            let expected = expected.render(auth.roots);
            is_valid &= bool::from(text.as_bytes().ct_eq(expected.as_bytes()));
        }
        if is_valid { Ok(Map::new()) } else { Err(self.invalid()) }
    }

    fn verify_jwt(
        &self,
        rule: &JwtRule,
        token: &str,
        auth: &AuthContext<'_>,
    ) -> Result<Option<Map<String, Json>>, CallError> {
        let key = rule.key.render(auth.roots);
        let Some(claims) = rule.algorithm.verify(&key, token) else {
            return Ok(None);
        };
        let has = |(name, expected): &(String, TextTemplate)| {
            claims.get(name).is_some_and(|claim| *claim == expected.render(auth.roots))
        };
        if !rule.claims.iter().all(has) || auth.tokens.is_revoked(token) {
            return Ok(None);
        }
        let expires_at = claims.get("exp").and_then(Json::as_i64);
        if expires_at.is_some_and(|at| at <= auth.call.received_at.as_second()) {
            return Err(self.expired());
        }
        Ok(Some(claims))
    }

    /// Issues a token; `None` for a credential of another kind.
    pub fn issue(&self, issuing: Issuing<'_>) -> Option<IssuedToken> {
        let (at, expires_at) = issuing.period(self.life);
        match &self.proof {
            CredentialProof::Issued(template) => {
                let token = template.text(issuing.roots, &issuing.seeds(&self.name), "token");
                Some(IssuedToken { token, claims: issuing.claims, expires_at })
            }
            CredentialProof::Jwt(rule) => {
                let own = rule.claims.iter();
                let own = own.map(|(name, text)| (name.clone(), text.render(issuing.roots).into()));
                let mut claims: Map<String, Json> = own.collect();
                claims.extend(issuing.claims);
                if let Some(expires_at) = expires_at {
                    claims.insert("exp".into(), expires_at.as_second().into());
                    claims.insert("iat".into(), at.as_second().into());
                }
                let key = rule.key.render(issuing.roots);
                // Without a valid key there is no token, which `check` reports.
                let token = rule.algorithm.sign(&key, rule.kid.as_deref(), &claims)?;
                Some(IssuedToken { token, claims, expires_at })
            }
            _ => None,
        }
    }

    /// Returns true unless it is a token that the account's key cannot sign.
    pub fn has_usable_key(&self, roots: &dyn Object) -> bool {
        let CredentialProof::Jwt(rule) = &self.proof else { return true };
        rule.algorithm.sign(&rule.key.render(roots), None, &Map::new()).is_some()
    }

    /// Returns the claims of the token that an example presents.
    pub fn example_claims(&self, roots: &dyn Object) -> Map<String, Json> {
        let claims = self.example.iter();
        claims.map(|(name, text)| (name.clone(), text.render(roots).into())).collect()
    }

    fn missing(&self) -> CallError {
        let message = format!("the call has no {}", self.describe());
        CallError::new(CallCondition::missing(&self.name), message)
    }

    fn invalid(&self) -> CallError {
        let message = format!("the {} is not valid", self.describe());
        CallError::new(CallCondition::invalid(&self.name), message)
    }

    fn expired(&self) -> CallError {
        let message = format!("the {} has expired", self.describe());
        CallError::new(CallCondition::expired(&self.name), message)
    }

    /// Describes the credential, such as `bearer token in the header Authorization`.
    pub fn describe(&self) -> String {
        let what = match (&self.proof, self.scheme.as_deref()) {
            (CredentialProof::Basic { .. }, _) => "user and password",
            (CredentialProof::Jwt(_), _) => "token",
            (_, Some("Bearer")) => "bearer token",
            _ => "credential",
        };
        match &self.place {
            CredentialPlace::Header(name) => format!("{what} in the header `{name}`"),
            CredentialPlace::AnyHeader => format!("{what} in a header"),
            CredentialPlace::Query(name) => format!("{what} in the query parameter `{name}`"),
            CredentialPlace::Cookie(name) => format!("{what} in the cookie `{name}`"),
            CredentialPlace::Path(name) => format!("{what} in the path parameter `{name}`"),
            CredentialPlace::Parameters => {
                let names = self.parameter_names().map(|name| format!("`{name}`"));
                format!("parameters {}", names.collect::<Vec<_>>().join(" and "))
            }
        }
    }

    /// Returns how `OpenAPI` describes the credential.
    ///
    /// `None` for a part of the path, which is a parameter there.
    pub(super) fn scheme_of_openapi(&self) -> Option<CredentialScheme<'_>> {
        let value = |place, name| CredentialScheme::Value { place, name };
        Some(match (&self.place, self.scheme.as_deref()) {
            (CredentialPlace::Path(_), _) => return None,
            (CredentialPlace::Header(_), Some("Bearer")) => CredentialScheme::Http("bearer"),
            (CredentialPlace::Header(_), Some("Basic")) => CredentialScheme::Http("basic"),
            (CredentialPlace::Header(name), _) => value("header", name),
            (CredentialPlace::AnyHeader, _) => value("header", EXAMPLE_HEADER),
            (CredentialPlace::Query(name), _) => value("query", name),
            (CredentialPlace::Cookie(name), _) => value("cookie", name),
            // The last one is the secret, by convention.
            (CredentialPlace::Parameters, _) => {
                value("query", self.parameter_names().last().unwrap_or_default())
            }
        })
    }

    /// Adds the valid credential to a call. `token` is that of a credential that is issued.
    pub fn add_to(&self, call: &mut ApiCall, token: Option<&str>, roots: &dyn Object) {
        let value = match &self.proof {
            CredentialProof::Value(value) => value.render(roots),
            CredentialProof::Basic { user, password } => {
                STANDARD.encode(format!("{}:{}", user.render(roots), password.render(roots)))
            }
            CredentialProof::Issued(_) | CredentialProof::Jwt(_) => {
                token.unwrap_or_default().to_owned()
            }
            CredentialProof::Anything => "anything".to_owned(),
            CredentialProof::Fields(fields) => {
                let fields = fields.iter().map(|(name, text)| (name.as_str(), text.render(roots)));
                return fields.for_each(|(name, value)| add_to_query(call, name, &value));
            }
        };
        let value = self.scheme.iter().fold(value, |value, scheme| format!("{scheme} {value}"));
        match &self.place {
            CredentialPlace::Header(name) => call.headers.push((name.clone(), value)),
            CredentialPlace::AnyHeader => call.headers.push((EXAMPLE_HEADER.to_owned(), value)),
            CredentialPlace::Query(name) => add_to_query(call, name, &value),
            CredentialPlace::Cookie(name) => {
                call.headers.push(("Cookie".to_owned(), format!("{name}={value}")));
            }
            // The example of the operation has the whole path.
            CredentialPlace::Path(_) | CredentialPlace::Parameters => {}
        }
    }
}

/// Returns the value of a cookie.
fn cookie(call: &ApiCall, name: &str) -> Option<String> {
    let mut cookies = call.header("cookie")?.split(';').filter_map(|cookie| cookie.split_once('='));
    let found = cookies.find(|(known, _)| known.trim() == name);
    found.map(|(_, value)| value.trim().to_owned())
}

fn add_to_query(call: &mut ApiCall, name: &str, value: &str) {
    let mut query = url::form_urlencoded::Serializer::new(std::mem::take(&mut call.query));
    call.query = query.append_pair(name, value).finish();
}

/// Returns a parameter as text.
fn parameter(params: &Map<String, Json>, name: &str) -> Option<String> {
    match params.get(name)? {
        Json::String(text) => Some(text.clone()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
        other => Some(other.to_string()),
    }
}

/// Returns the user and the password of a basic credential.
fn decode_basic(token: &str) -> Option<(String, String)> {
    let decoded = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
