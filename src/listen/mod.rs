//! The bundled receiver: verifies webhooks, completes handshakes, and injects faults on request.
//!
//! It knows the accounts, so it can explain why a request fails verification. `standin demo`,
//! `standin listen` and the tests use it.

mod bot_call;
mod echo_bot;
mod received;
mod state;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::ContentType;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt as _;
use jiff::SignedDuration;
use serde_json::json;

use crate::base::limits::{MAX_REQUEST, REQUEST_TIMEOUT};
use crate::fault::{Fault, FaultKind, Faults};
use crate::platform::{Account, VerificationReport, Verifier};
use crate::server::{ServerHandle, start_on_all};

use self::state::ReceiverState;

pub use bot_call::BotCallReport;
pub use echo_bot::EchoBot;
pub use received::{Credential, Received};

/// A receiver for the webhooks of one or more accounts.
#[derive(Clone, Debug)]
pub struct BundledReceiver {
    accounts: Vec<Arc<Account>>,
    faults: Faults,
    state: Arc<ReceiverState>,
    /// The bots that respond through the API, by vendor.
    bots: BTreeMap<String, EchoBot>,
}

/// Called with each request after its response is determined.
type ReceivedCallback = Arc<dyn Fn(&Received) + Send + Sync>;

impl BundledReceiver {
    /// Creates a receiver that injects these faults into its responses.
    ///
    /// A single account receives on every path. Of several, each receives under `/<vendor id>`.
    pub fn new(accounts: Vec<Arc<Account>>, faults: Vec<Fault>) -> Self {
        Self { accounts, faults: Faults(faults), state: Arc::default(), bots: BTreeMap::new() }
    }

    /// Adds a bot that responds to the webhooks of a vendor.
    #[must_use]
    pub fn with_bot(mut self, vendor: &str, bot: EchoBot) -> Self {
        self.bots.insert(vendor.to_owned(), bot);
        self
    }

    /// Stores an event, unless the receiver responds as if it had not. Returns its number.
    fn store(&self, account: &Account, report: &VerificationReport, body: &str) -> Option<usize> {
        let is_stored = !self.faults.has(FaultKind::Status);
        is_stored.then(|| self.state.store(&account.platform.id, report, body)).flatten()
    }

    /// Returns the account that receives on a path.
    fn account(&self, path: &str) -> Option<&Arc<Account>> {
        if let [one] = self.accounts.as_slice() {
            return Some(one);
        }
        let first = path.trim_start_matches('/').split('/').next();
        self.accounts.iter().find(|account| Some(account.platform.id.as_str()) == first)
    }
}

/// Starts a receiver on a port of the loopback interface. Port 0 selects a free port.
///
/// `show` is called for each request just before its response is sent.
///
/// # Errors
///
/// Fails if the port is in use or cannot be bound.
pub fn serve(
    receiver: BundledReceiver,
    port: u16,
    show: impl Fn(&Received) + Send + Sync + 'static,
) -> std::io::Result<ServerHandle> {
    serve_on(receiver, &[Ipv4Addr::LOCALHOST.into()], port, show)
}

/// Starts a receiver on a port of these addresses of this machine. An address that this machine does not
/// have is skipped, except the first.
///
/// # Errors
///
/// Fails if the port is in use or cannot be bound.
pub fn serve_on(
    receiver: BundledReceiver,
    hosts: &[IpAddr],
    port: u16,
    show: impl Fn(&Received) + Send + Sync + 'static,
) -> std::io::Result<ServerHandle> {
    let (receiver, show): (_, ReceivedCallback) = (web::Data::new(receiver), Arc::new(show));
    let show = web::Data::new(show);
    start_on_all(hosts, port, move |app| {
        let app = app.app_data(receiver.clone()).app_data(show.clone());
        app.default_service(web::to(receive));
    })
}

async fn receive(
    request: HttpRequest,
    payload: web::Payload,
    receiver: web::Data<BundledReceiver>,
    show: web::Data<ReceivedCallback>,
) -> HttpResponse {
    // A webhook has a body. These requests look at what was received, or whether somebody listens.
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        let links = json!({"state": "/state", "event": "/events/1"});
        return match receiver.state.at(request.path()) {
            Some(found) => HttpResponse::Ok().json(found),
            None if request.path().starts_with("/events/") => HttpResponse::NotFound().json(links),
            None => HttpResponse::Ok().json(links),
        };
    }
    let body = match tokio::time::timeout(REQUEST_TIMEOUT, read_body(payload)).await {
        Ok(Ok(body)) => body,
        // The rest of the body is unread, so the connection cannot be reused.
        Ok(Err(status)) => return HttpResponse::build(status).force_close().finish(),
        Err(_elapsed) => return HttpResponse::RequestTimeout().force_close().finish(),
    };
    let Some(account) = receiver.account(request.path()) else {
        return HttpResponse::NotFound().finish();
    };
    let body = String::from_utf8_lossy(&body).into_owned();
    let header = |name: &str| -> Option<String> {
        String::from_utf8(request.headers().get(name)?.as_bytes().to_vec()).ok()
    };
    let report = Verifier::of(account).verify(&body, &header);
    let delays = receiver.faults.0.iter().filter_map(|fault| fault.amount.time());
    let delay: Duration = delays.map(SignedDuration::unsigned_abs).sum();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let number = receiver.store(account, &report, &body);
    let (status, response) = respond(&receiver.faults, &report, number);
    // Only the response to a handshake has a token that could be wrong.
    let applies = |fault: &&Fault| report.handshake.is_some() || fault.kind != FaultKind::Token;
    let faults = Faults(receiver.faults.0.iter().filter(applies).cloned().collect());
    let received = Received {
        vendor: account.platform.id.clone(),
        method: request.method().to_string(),
        path: request.path().to_owned(),
        body,
        report,
        credential: Credential::of(account),
        status,
        faults,
    };
    (*show)(&received);
    let is_event = received.report.passed() && received.report.handshake.is_none();
    // A retry of the vendor would get a second response of the bot.
    if is_event
        && (200..300).contains(&received.status)
        && let Some(bot) = receiver.bots.get(&received.vendor)
    {
        bot.respond(&received.body);
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    HttpResponse::build(status).content_type(ContentType::json()).body(response)
}

/// Returns the status code and the body of the response. An event has this number.
fn respond(faults: &Faults, report: &VerificationReport, number: Option<usize>) -> (u16, String) {
    let status = faults.0.iter().find(|fault| fault.kind == FaultKind::Status);
    let status = status.and_then(|fault| u16::try_from(fault.amount.number()).ok());
    let has_wrong_token = faults.has(FaultKind::Token);
    match (&report.handshake, status) {
        (_, Some(status)) => (status, r#"{"error":"fault injected by --wrong"}"#.into()),
        (Some(_), None) if has_wrong_token => (200, r#"{"token":"not the token"}"#.into()),
        (Some(reply), None) if reply.is_empty() => (200, "{}".into()),
        (Some(reply), None) => (200, reply.clone()),
        (None, None) if report.passed() => (200, json!({"number": number}).to_string()),
        (None, None) => (401, r#"{"error":"verification failed"}"#.into()),
    }
}

/// Reads a request body of at most [`MAX_REQUEST`] bytes.
async fn read_body(mut payload: web::Payload) -> Result<Vec<u8>, StatusCode> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| StatusCode::BAD_REQUEST)?;
        if body.len() + chunk.len() > MAX_REQUEST {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
