//! Lets web pages of this machine call the API of a vendor from a browser, as far as the vendor does.
//!
//! Pages of other sites get no access: a browser sends their requests from this machine.

use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
    CONTENT_LENGTH, HeaderMap, HeaderValue, VARY,
};
use actix_web::{HttpRequest, HttpResponse};
use url::{Host, Url};

use super::browser_safety::requested_host;
use crate::platform::api::CorsRule;

/// Methods that pages may use: those that the `cors` package of Express lists by default.
const METHODS: &str = "GET,HEAD,PUT,PATCH,POST,DELETE";

/// The page from which a call comes.
pub(super) struct CallingPage {
    origin: HeaderValue,
    is_local: bool,
    has_credentials: bool,
}

impl CallingPage {
    /// The page that a request names, under the vendor's rule about pages.
    pub(super) fn new(origin: &HeaderValue, request: &HttpRequest, rule: CorsRule) -> Self {
        let called = requested_host(request).unwrap_or_default();
        let is_local = origin.to_str().is_ok_and(|origin| is_local(origin, called));
        Self { origin: origin.clone(), is_local, has_credentials: rule.has_credentials }
    }

    /// Returns the response to a request by which a browser asks whether a call is allowed.
    pub(super) fn preflight(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let asked = request.headers().get(ACCESS_CONTROL_REQUEST_METHOD);
        if request.method() != Method::OPTIONS || asked.is_none() {
            return None;
        }
        let mut response = HttpResponse::NoContent().finish();
        let headers = response.headers_mut();
        self.allow(headers);
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
        headers.append(VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
        if let Some(requested) = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, requested.clone());
        }
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        Some(response)
    }

    /// Adds the headers by which a browser lets the page read a response.
    pub(super) fn allow(&self, headers: &mut HeaderMap) {
        headers.append(VARY, HeaderValue::from_static("Origin"));
        if self.is_local {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, self.origin.clone());
        }
        if self.has_credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

/// Returns whether a page is of this machine: of a loopback address, or of the address that is called.
fn is_local(origin: &str, called: &str) -> bool {
    let Ok(url) = Url::parse(origin) else { return false };
    let (is_loopback, is_address) = match url.host() {
        Some(Host::Domain(name)) => (name == "localhost" || name.ends_with(".localhost"), false),
        Some(Host::Ipv4(address)) => (address.is_loopback(), true),
        Some(Host::Ipv6(address)) => (address.is_loopback(), true),
        None => (false, false),
    };
    // A name that is called proves nothing: another site can let its name resolve to this machine.
    is_loopback || (is_address && url.host_str() == Some(called))
}
