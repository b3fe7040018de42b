//! Serves the API of an emulated vendor: passes each request to the live account.
//!
//! It does not matter who holds the account: a run, or a server that lives longer than a run.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{HeaderValue, ORIGIN, UPGRADE};
use actix_web::http::uri::Authority;
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::web::{Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, rt, web};
use tokio::time::timeout;

use super::cors::CallingPage;
use super::request_body::{UnreadBody, read_body};
use crate::base::clock::Clock;
use crate::base::limits::{BODY_TIMEOUT, MAX_UPLOAD};
use crate::emulator::{CallResponse, EmulatorSlot};
use crate::platform::api::{ApiCall, CallBody};

/// Marks a connection with TLS.
pub(super) struct SecureConnection;

/// Configures an application to serve the API of the vendor whose account is in the slot, with the
/// vendor's paths at its root.
pub fn configure_vendor_api(app: &mut ServiceConfig, slot: &EmulatorSlot) {
    app.app_data(web::Data::new(slot.clone())).default_service(web::to(respond));
}

async fn respond(
    request: HttpRequest,
    payload: web::Payload,
    slot: web::Data<EmulatorSlot>,
) -> HttpResponse {
    respond_from(&slot, &request, payload).await
}

/// Passes a request to the live account in a slot.
pub(super) async fn respond_from(
    slot: &EmulatorSlot,
    request: &HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let page = match request.headers().get(ORIGIN) {
        Some(origin) => slot.cors().await.map(|rule| CallingPage::new(origin, request, rule)),
        None => None,
    };
    if let Some(response) = page.as_ref().and_then(|page| page.preflight(request)) {
        return response;
    }
    let is_handshake = is_websocket_handshake(request);
    // Its connection stays open after the head, as if a body followed.
    let body = if is_handshake { CallBody::Whole(Vec::new()) } else { read(payload).await };
    let header = |(name, value): (&actix_web::http::header::HeaderName, &HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let call = ApiCall {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.query_string().to_owned(),
        base: base(request),
        headers: request.headers().iter().map(header).collect(),
        body,
        received_at: Clock::System.now(),
    };
    // In a separate task: what the call does must be complete although the client may hang up.
    let slot = slot.clone();
    let handled = rt::spawn(async move { slot.call(call).await });
    let Some(response) = handled.await.ok().flatten() else {
        return HttpResponse::ServiceUnavailable().body("no run is in progress\n");
    };
    // Here, so that a client that gives up ends the wait.
    if let Some(delay) = response.delay {
        tokio::time::sleep(delay).await;
    }
    let mut response = to_http(response);
    if is_handshake {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    if let Some(page) = &page {
        page.allow(response.headers_mut());
    }
    response
}

/// Returns true if the client wants to continue with WebSocket frames.
fn is_websocket_handshake(request: &HttpRequest) -> bool {
    let upgrade = request.headers().get(UPGRADE).map(HeaderValue::as_bytes);
    upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case(b"websocket"))
}

/// Returns the URL at which the client addresses the API.
fn base(request: &HttpRequest) -> String {
    let scheme = if request.conn_data::<SecureConnection>().is_some() { "https" } else { "http" };
    let host = request.headers().get("host").and_then(|host| host.to_str().ok());
    let host = host.or(request.uri().authority().map(Authority::as_str));
    format!("{scheme}://{}", host.unwrap_or("localhost"))
}

/// Reads the body of a request, up to the limits of size and time.
async fn read(payload: web::Payload) -> CallBody {
    match timeout(BODY_TIMEOUT, read_body(payload, MAX_UPLOAD)).await {
        Ok(Ok(bytes)) => CallBody::Whole(bytes),
        Ok(Err(UnreadBody::TooLarge | UnreadBody::NoMemory)) => CallBody::TooLarge,
        Ok(Err(UnreadBody::Broken(_))) | Err(_) => CallBody::Incomplete,
    }
}

fn to_http(response: CallResponse) -> HttpResponse {
    let found = &response.response;
    let status = StatusCode::from_u16(found.status).unwrap_or(StatusCode::OK);
    let mut http = HttpResponse::build(status);
    for (name, value) in &found.headers {
        http.append_header((name.as_str(), value.as_str()));
    }
    let bytes = Bytes::from(found.body.clone());
    http.body(CallResponseBody {
        length: bytes.len() as u64,
        bytes: Some(bytes),
        response: Some(response),
    })
}

/// The body of a response. The deliveries that the call causes are sent after it.
struct CallResponseBody {
    length: u64,
    bytes: Option<Bytes>,
    response: Option<CallResponse>,
}

impl MessageBody for CallResponseBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.length)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(self.bytes.take().map(Ok))
    }
}

impl Drop for CallResponseBody {
    fn drop(&mut self) {
        // The server writes to the socket after it has dropped the body, but before it does anything
        // else.
        let response = self.response.take();
        rt::spawn(async move { drop(response) });
    }
}
