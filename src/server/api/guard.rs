//! Decides which requests reach the control API: by host name, origin and token.
//!
//! A page of another site can make a browser send requests to this machine, and a name of that site
//! can resolve to this machine. Neither gets further than here.

use std::fmt;
use std::net::SocketAddr;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use subtle::ConstantTimeEq as _;

use super::error::ApiError;
use crate::base::limits::MIN_API_TOKEN;
use crate::server::browser_safety::{requested_host, secure};
use crate::server::page;

/// Paths that need no token, beside the files of the page.
const PUBLIC: &[&str] = &["/healthz", "/readyz", "/metrics"];

/// Bytes of a generated token.
const TOKEN_BYTES: usize = 32;

/// The bearer token of the control API.
#[derive(Clone)]
pub struct ApiToken(String);

impl ApiToken {
    /// Takes a token that the operator chose.
    ///
    /// # Errors
    /// It is too short, or it cannot be sent in a header.
    pub fn chosen(text: &str) -> Result<Self, String> {
        if text.len() < MIN_API_TOKEN {
            return Err(format!("the token must have at least {MIN_API_TOKEN} characters"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the token must consist of visible ASCII characters".into());
        }
        Ok(Self(text.to_owned()))
    }

    /// Generates a random token.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn random() -> Result<Self, String> {
        let mut bytes = [0; TOKEN_BYTES];
        let filled = SystemRandom::new().fill(&mut bytes);
        filled.map_err(|_| "the system provides no random numbers".to_owned())?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Returns the text of the token.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn matches(&self, given: &str) -> bool {
        given.as_bytes().ct_eq(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ApiToken(…)")
    }
}

/// Who may use the control API, and under which names it is reached.
#[derive(Clone, Debug)]
pub struct AccessRules {
    /// The token of the control API.
    pub token: ApiToken,
    /// Host names beside `localhost` and the addresses of this machine.
    pub hosts: Vec<String>,
}

/// The access rules of a listener.
#[derive(Debug)]
pub(super) struct Access {
    rules: AccessRules,
    address: SocketAddr,
}

impl Access {
    pub(super) fn new(rules: AccessRules, address: SocketAddr) -> Self {
        Self { rules, address }
    }

    /// Returns why a request is refused.
    fn refusal(&self, request: &HttpRequest) -> Option<HttpResponse> {
        if !self.is_for_this_host(request) {
            // No body: the client is not one that could use it.
            return Some(HttpResponse::MisdirectedRequest().finish());
        }
        if is_cross_site(request) {
            let message = "requests of other sites cannot change anything";
            return Some(ApiError::new(StatusCode::FORBIDDEN, "cross_site", message).response());
        }
        if is_public(request) || self.has_token(request.headers()) {
            return None;
        }
        let message = "this path needs the header `Authorization: Bearer TOKEN`";
        let error = ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message);
        let hint = "the token is in the URL that `standin serve` prints, behind `#token=`";
        Some(error.hint(hint).response())
    }

    fn is_for_this_host(&self, request: &HttpRequest) -> bool {
        requested_host(request).is_some_and(|name| self.is_own_name(name))
    }

    fn is_own_name(&self, name: &str) -> bool {
        let is = |own: &str| name.eq_ignore_ascii_case(own);
        let bound = self.address.ip();
        let address = name.trim_matches(['[', ']']).parse();
        let is_address = address.is_ok_and(|ip: std::net::IpAddr| ip == bound || ip.is_loopback());
        is_address || is("localhost") || self.rules.hosts.iter().any(|host| is(host))
    }

    fn has_token(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = given.and_then(|given| given.strip_prefix("Bearer "));
        token.is_some_and(|token| self.rules.token.matches(token))
    }
}

fn is_public(request: &HttpRequest) -> bool {
    let path = request.path();
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    reads && (PUBLIC.contains(&path) || page::has_file(path))
}

/// Returns true for a request that a page of another site makes a browser send, if it can change
/// something. Other programs send neither header.
fn is_cross_site(request: &HttpRequest) -> bool {
    if [Method::GET, Method::HEAD].contains(request.method()) {
        return false;
    }
    let text = |name: HeaderName| -> Option<&str> {
        Some(request.headers().get(name)?.to_str().unwrap_or("invalid"))
    };
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return !["same-origin", "none"].contains(&site);
    }
    let Some(origin) = text(header::ORIGIN) else { return false };
    let host = text(header::HOST).unwrap_or_default();
    origin.split_once("://").is_none_or(|(_, origin)| !origin.eq_ignore_ascii_case(host))
}

/// Refuses requests without access, and adds the security headers to every response.
pub(super) async fn guard<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let access = request.app_data::<Data<Access>>().cloned();
    let refusal = match &access {
        Some(access) => access.refusal(request.request()),
        None => Some(HttpResponse::InternalServerError().finish()),
    };
    let mut response = match refusal {
        Some(refusal) => request.into_response(refusal).map_into_right_body(),
        None => next.call(request).await?.map_into_left_body(),
    };
    secure(response.headers_mut(), HeaderValue::from_static(POLICY));
    Ok(response)
}

/// The content security policy of every response. Nothing is loaded from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
