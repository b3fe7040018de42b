//! The bundled receiver: verifies webhooks, completes handshakes, and injects faults on request.
//!
//! It knows the accounts, so it can explain why a request fails verification. `standin demo`,
//! `standin listen` and the tests use it.

mod bot_call;
mod echo_bot;
mod inspect;
mod received;
mod state;
mod stored_request;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::ContentType;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use jiff::SignedDuration;
use serde_json::json;

use crate::base::clock::Clock;
use crate::base::limits::{BODY_TIMEOUT, MAX_REQUEST};
use crate::base::redact::Redactor;
use crate::fault::{Fault, FaultKind, Faults};
use crate::platform::{Account, VerificationReport, Verifier};
use crate::server::{ServerHandle, UnreadBody, read_body, start_on_all};

use self::inspect::Inspector;
use self::state::ReceiverState;
use self::stored_request::StoredRequest;

pub use bot_call::BotCallReport;
pub use echo_bot::EchoBot;
pub use received::{Credential, Received};
pub use state::RequestCounts;

/// A receiver for the webhooks of one or more accounts.
#[derive(Clone, Debug)]
pub struct BundledReceiver {
    accounts: Vec<Arc<Account>>,
    faults: Faults,
    state: Arc<ReceiverState>,
    /// Replaces configured secrets in what it shows.
    redactor: Redactor,
    inspector: Inspector,
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
        let secrets = accounts.iter().flat_map(|account| account.secret_references());
        Self {
            redactor: Redactor::new(secrets),
            accounts,
            faults: Faults(faults),
            state: Arc::new(ReceiverState::new()),
            inspector: Inspector::default(),
            bots: BTreeMap::new(),
        }
    }

    /// Sets the number of requests that have to arrive.
    #[must_use]
    pub fn with_exit_after(mut self, exit_after: Option<u64>) -> Self {
        self.inspector.exit_after = exit_after;
        self
    }

    /// Sets the host names under which what was received is shown, beside `localhost` and addresses.
    #[must_use]
    pub fn with_hosts(mut self, hosts: Vec<String>) -> Self {
        self.inspector.hosts = hosts;
        self
    }

    /// Adds a bot that responds to the webhooks of a vendor.
    #[must_use]
    pub fn with_bot(mut self, vendor: &str, bot: EchoBot) -> Self {
        self.bots.insert(vendor.to_owned(), bot);
        self
    }

    /// Returns the numbers of requests that it got.
    pub fn counts(&self) -> RequestCounts {
        self.state.counts()
    }

    /// Returns whether every request passed verification, and as many arrived as have to.
    pub fn has_passed(&self) -> bool {
        self.counts().has_passed(self.inspector.exit_after)
    }

    /// Stores a request. Returns the number of its event, unless the receiver responds as if it had not
    /// stored it.
    fn store(&self, received: &Received) -> Option<usize> {
        let mut received = received.clone();
        self.redactor.redact(&mut received.body);
        if let Some(text) = &mut received.report.text {
            self.redactor.redact(text);
        }
        self.state.store(StoredRequest::new(received, Clock::System.now()))
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
        return receiver.inspector.respond(&request, &receiver.state);
    }
    let body = match tokio::time::timeout(BODY_TIMEOUT, read_body(payload, MAX_REQUEST)).await {
        Ok(Ok(body)) => body,
        // The rest of the body is unread, so the connection cannot be reused.
        Ok(Err(error)) => return HttpResponse::build(unread(&error)).force_close().finish(),
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
    let status = status(&receiver.faults, &report);
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
    let number = receiver.store(&received);
    (*show)(&received);
    let is_event = received.report.passed() && received.report.handshake.is_none();
    // A retry of the vendor would get a second response of the bot.
    if is_event
        && (200..300).contains(&received.status)
        && let Some(bot) = receiver.bots.get(&received.vendor)
    {
        bot.respond(&received.body);
    }
    let response = response_body(&received, number);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    HttpResponse::build(status).content_type(ContentType::json()).body(response)
}

/// Returns the status code of the response.
fn status(faults: &Faults, report: &VerificationReport) -> u16 {
    let status = faults.0.iter().find(|fault| fault.kind == FaultKind::Status);
    let status = status.and_then(|fault| u16::try_from(fault.amount.number()).ok());
    status.unwrap_or(if report.passed() { 200 } else { 401 })
}

/// Returns the body of the response. A stored event has this number.
fn response_body(received: &Received, number: Option<usize>) -> String {
    let Received { report, faults, .. } = received;
    match &report.handshake {
        _ if faults.has(FaultKind::Status) => r#"{"error":"fault injected by --wrong"}"#.into(),
        _ if !report.passed() => r#"{"error":"verification failed"}"#.into(),
        Some(_) if faults.has(FaultKind::Token) => r#"{"token":"not the token"}"#.into(),
        Some(reply) if reply.is_empty() => "{}".into(),
        Some(reply) => reply.clone(),
        None => json!({"number": number}).to_string(),
    }
}

/// Returns the status of the response to a request without its body.
fn unread(error: &UnreadBody) -> StatusCode {
    match error {
        UnreadBody::Broken(_) => StatusCode::BAD_REQUEST,
        UnreadBody::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        UnreadBody::NoMemory => StatusCode::SERVICE_UNAVAILABLE,
    }
}
