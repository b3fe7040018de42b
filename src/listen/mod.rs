//! The bundled receiver: verifies what comes, answers handshakes, and misbehaves on request.
//!
//! It knows the accounts, so it can say why a request is right or wrong. The demo, `standin listen`
//! and tests use the same one.

mod received;

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt as _;
use jiff::SignedDuration;

use crate::base::limits::{MAX_REQUEST, REQUEST_TIMEOUT};
use crate::fault::{Fault, FaultKind, Faults};
use crate::platform::{Account, VerificationReport};
use crate::server::{ServerHandle, start};

pub use received::Received;

/// A receiver for the webhooks of these accounts.
#[derive(Clone, Debug)]
pub struct BundledReceiver {
    accounts: Vec<Arc<Account>>,
    wrong: Faults,
}

/// What is done with each request that came.
type ReceivedCallback = Arc<dyn Fn(&Received) + Send + Sync>;

impl BundledReceiver {
    /// A receiver for these accounts: for one, whatever the path; for several, each under its
    /// vendor's id. It is wrong in these ways.
    pub fn new(accounts: Vec<Arc<Account>>, wrong: Vec<Fault>) -> Self {
        Self { accounts, wrong: Faults(wrong) }
    }

    fn account(&self, path: &str) -> Option<&Arc<Account>> {
        if let [one] = self.accounts.as_slice() {
            return Some(one);
        }
        let first = path.trim_start_matches('/').split('/').next();
        self.accounts.iter().find(|account| Some(account.platform.id.as_str()) == first)
    }
}

/// Starts a receiver on loopback. It shows each request once it is answered.
pub fn serve(
    receiver: BundledReceiver,
    port: u16,
    show: impl Fn(&Received) + Send + Sync + 'static,
) -> std::io::Result<ServerHandle> {
    let (receiver, show): (_, ReceivedCallback) = (web::Data::new(receiver), Arc::new(show));
    let show = web::Data::new(show);
    start(port, move |app| {
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
    let body = match tokio::time::timeout(REQUEST_TIMEOUT, read(payload)).await {
        Ok(Ok(body)) => body,
        Ok(Err(status)) => return HttpResponse::build(status).force_close().finish(),
        Err(_) => return HttpResponse::RequestTimeout().force_close().finish(),
    };
    let Some(account) = receiver.account(request.path()) else {
        return HttpResponse::NotFound().finish();
    };
    let body = String::from_utf8_lossy(&body).into_owned();
    let header = |name: &str| -> Option<String> {
        String::from_utf8(request.headers().get(name)?.as_bytes().to_vec()).ok()
    };
    let receipt = account.verify(&body, &header);
    let delays = receiver.wrong.0.iter().filter_map(|fault| fault.amount.time());
    let delay: Duration = delays.map(SignedDuration::unsigned_abs).sum();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let (status, answer) = answer(&receiver.wrong, &receipt);
    // Another token comes back in handshakes only.
    let concerns = |fault: &&Fault| receipt.handshake.is_some() || fault.kind != FaultKind::Token;
    let on_purpose = Faults(receiver.wrong.0.iter().filter(concerns).cloned().collect());
    let received = Received {
        vendor: account.platform.id.clone(),
        method: request.method().to_string(),
        path: request.path().to_owned(),
        body,
        receipt,
        status,
        on_purpose,
    };
    (*show)(&received);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    HttpResponse::build(status).content_type(ContentType::json()).body(answer)
}

/// The status and the body that a request is answered with.
fn answer(wrong: &Faults, receipt: &VerificationReport) -> (u16, String) {
    let status = wrong.0.iter().find(|fault| fault.kind == FaultKind::Status);
    let status = status.and_then(|fault| u16::try_from(fault.amount.number()).ok());
    let wrong_token = wrong.has(FaultKind::Token);
    match (&receipt.handshake, status) {
        (_, Some(status)) => (status, r#"{"error":"wrong on purpose, as --wrong asks"}"#.into()),
        (Some(_), None) if wrong_token => (200, r#"{"token":"not the token"}"#.into()),
        (Some(reply), None) if reply.is_empty() => (200, "{}".into()),
        (Some(reply), None) => (200, reply.clone()),
        (None, None) if receipt.passed() => (200, "{}".into()),
        (None, None) => (401, r#"{"error":"not verified"}"#.into()),
    }
}

async fn read(mut payload: web::Payload) -> Result<Vec<u8>, StatusCode> {
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
