//! What keeps pages of other sites from using a server of this machine through a browser: the name in
//! the `Host` header, and headers of every response.
//!
//! A page of another site can make a browser send requests to this machine, and a name of that site
//! can resolve to this machine.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderMap, HeaderName, HeaderValue};

/// Returns the host name of a request, without the port: a port may be forwarded. `None` if there is no
/// `Host` header, several, a malformed one, or one that differs from the request line.
pub fn requested_host(request: &HttpRequest) -> Option<&str> {
    let mut hosts = request.headers().get_all(HOST);
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return None };
    let host = host.to_str().ok()?;
    let authority = request.uri().authority();
    // A request line with a whole URL must name the same host.
    if authority.is_some_and(|authority| !authority.as_str().eq_ignore_ascii_case(host)) {
        return None;
    }
    name_of(host)
}

/// Returns the name of a `Host` header, without the port; `None` if it is malformed.
fn name_of(host: &str) -> Option<&str> {
    let end = match host.strip_prefix('[') {
        Some(address) => address.find(']')? + 2,
        None => host.find(':').unwrap_or(host.len()),
    };
    let (name, port) = host.split_at(end);
    let is_port = |port: &str| port.chars().all(|c| c.is_ascii_digit());
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some(name)
}

/// The headers of every response. Nothing is framed, cached or read by other sites.
const SECURITY_HEADERS: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// Adds the security headers to a response, with this content security policy.
pub fn secure(headers: &mut HeaderMap, policy: HeaderValue) {
    for (name, value) in SECURITY_HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(HeaderName::from_static("content-security-policy"), policy);
}
