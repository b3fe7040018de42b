//! Shows what the bundled receiver has received: as JSON, and as a page. No webhook is a GET request.

use std::net::IpAddr;
use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, HeaderValue, VARY};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, PreEscaped, html};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use url::form_urlencoded;

use super::state::ReceiverState;
use crate::server::{requested_host, secure};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page with its content security policy.
struct InspectPage {
    html: String,
    policy: String,
}

/// Everything that is received comes later, as JSON.
static PAGE: LazyLock<InspectPage> = LazyLock::new(|| {
    let digest = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        digest(STYLE),
        digest(SCRIPT)
    );
    let html = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "standin listen" }
                // Browsers ask for an icon unless they have one.
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                (PreEscaped(include_str!("page.html")))
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    InspectPage { html: html.into_string(), policy }
});

/// The policy of JSON, which loads nothing.
const JSON_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Shows the state of a receiver.
#[derive(Clone, Debug, Default)]
pub(super) struct Inspector {
    /// Number of requests that have to arrive.
    pub(super) exit_after: Option<u64>,
    /// Host names of this machine, beside `localhost`.
    pub(super) hosts: Vec<String>,
}

impl Inspector {
    /// Responds to a GET or HEAD request.
    pub(super) fn respond(&self, request: &HttpRequest, state: &ReceiverState) -> HttpResponse {
        let found = match Inspected::of(request.path()) {
            // A test whether a server listens need not know its name.
            None if !accepts_html(request) => return with_policy(links(), JSON_POLICY),
            _ if !self.is_own_host(request) => {
                return with_policy(wrong_host(), JSON_POLICY);
            }
            None => return with_policy(page(), &PAGE.policy),
            Some(Inspected::State) => Ok(state.to_json(self.exit_after)),
            Some(Inspected::Requests) => self.requests(request, state),
            Some(Inspected::Request(number)) => {
                number.and_then(|number| state.request(number)).ok_or(StatusCode::NOT_FOUND)
            }
            Some(Inspected::Event(number)) => {
                number.and_then(|number| state.event(number)).ok_or(StatusCode::NOT_FOUND)
            }
        };
        let response = match found {
            Ok(json) => HttpResponse::Ok().json(json),
            Err(status) => HttpResponse::build(status).json(paths()),
        };
        with_policy(response, JSON_POLICY)
    }

    /// Returns the requests after the number `after` of the query.
    fn requests(&self, request: &HttpRequest, state: &ReceiverState) -> Result<Json, StatusCode> {
        let mut query = form_urlencoded::parse(request.query_string().as_bytes());
        let after = query.find(|(name, _)| name == "after").map(|(_, value)| value.parse());
        let after = after.unwrap_or(Ok(0)).map_err(|_| StatusCode::BAD_REQUEST)?;
        Ok(state.after(after, self.exit_after))
    }

    /// Returns whether a request names this machine: a name of another site can resolve to it, an address
    /// cannot.
    fn is_own_host(&self, request: &HttpRequest) -> bool {
        requested_host(request).is_some_and(|name| {
            let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
            let mut own = self.hosts.iter().map(String::as_str).chain(["localhost"]);
            is_address || own.any(|own| own.eq_ignore_ascii_case(name))
        })
    }
}

/// What can be looked at. A number is missing if it is invalid.
enum Inspected {
    State,
    Requests,
    Request(Option<usize>),
    Event(Option<usize>),
}

impl Inspected {
    fn of(path: &str) -> Option<Self> {
        let number = |text: &str| text.parse().ok();
        match path.trim_matches('/').split_once('/') {
            Some(("requests", text)) => Some(Self::Request(number(text))),
            Some(("events", text)) => Some(Self::Event(number(text))),
            None if path == "/state" => Some(Self::State),
            None if path == "/requests" => Some(Self::Requests),
            _ => None,
        }
    }
}

fn paths() -> Json {
    json!({"state": "/state", "requests": "/requests?after=0", "request": "/requests/1", "event": "/events/1"})
}

fn links() -> HttpResponse {
    HttpResponse::Ok().insert_header((VARY, "Accept")).json(paths())
}

fn page() -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((VARY, "Accept")).content_type("text/html; charset=utf-8");
    response.body(PAGE.html.as_str())
}

fn with_policy(mut response: HttpResponse, policy: &str) -> HttpResponse {
    let policy = HeaderValue::from_str(policy).unwrap_or(HeaderValue::from_static(JSON_POLICY));
    secure(response.headers_mut(), policy);
    response
}

fn accepts_html(request: &HttpRequest) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn wrong_host() -> HttpResponse {
    let hint = "use localhost or an address, or start `standin listen` with `--allow-host NAME`";
    let error = json!({"code": "wrong_host", "message": "this host name is unknown", "hint": hint});
    HttpResponse::MisdirectedRequest().json(json!({"error": error}))
}
