//! The bundled receiver: verifies what comes, answers handshakes, and misbehaves on request.
//!
//! It knows the accounts, so it can say why a request is right or wrong. The demo, `standin listen`
//! and tests use the same one.

mod received;
mod wrong;

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt as _;

use crate::base::limits::{MAX_REQUEST, REQUEST_TIMEOUT};
use crate::server::{Serving, start};
use crate::vendor::{Account, Receipt};

pub use received::Received;
pub use wrong::Wrong;

/// A receiver for the webhooks of these accounts.
#[derive(Clone, Debug)]
pub struct Receiver {
    accounts: Vec<Arc<Account>>,
    wrong: Vec<Wrong>,
}

/// What is done with each request that came.
type Show = Arc<dyn Fn(&Received) + Send + Sync>;

impl Receiver {
    /// A receiver for these accounts: for one, whatever the path; for several, each under its
    /// vendor's id.
    pub fn new(accounts: Vec<Arc<Account>>, wrong: Vec<Wrong>) -> Self {
        Self { accounts, wrong }
    }

    fn account(&self, path: &str) -> Option<&Arc<Account>> {
        if let [one] = self.accounts.as_slice() {
            return Some(one);
        }
        let first = path.trim_start_matches('/').split('/').next();
        self.accounts.iter().find(|account| Some(account.vendor.id.as_str()) == first)
    }
}

/// Starts a receiver on loopback. It shows each request once it is answered.
pub fn serve(
    receiver: Receiver,
    port: u16,
    show: impl Fn(&Received) + Send + Sync + 'static,
) -> std::io::Result<Serving> {
    let (receiver, show): (_, Show) = (web::Data::new(receiver), Arc::new(show));
    let show = web::Data::new(show);
    start(port, move |app| {
        let app = app.app_data(receiver.clone()).app_data(show.clone());
        app.default_service(web::to(receive));
    })
}

async fn receive(
    request: HttpRequest,
    payload: web::Payload,
    receiver: web::Data<Receiver>,
    show: web::Data<Show>,
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
    let receipt = account.receive(&body, &header);
    let delay: Duration = receiver.wrong.iter().filter_map(Wrong::delay).sum();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let (status, answer) = answer(&receiver.wrong, &receipt);
    let is_handshake = receipt.handshake.is_some();
    let received = Received {
        vendor: account.vendor.id.clone(),
        method: request.method().to_string(),
        path: request.path().to_owned(),
        body,
        receipt,
        status,
        on_purpose: receiver.wrong.iter().filter(|w| w.concerns(is_handshake)).cloned().collect(),
    };
    (*show)(&received);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    HttpResponse::build(status).content_type(ContentType::json()).body(answer)
}

/// The status and the body that a request is answered with.
fn answer(wrong: &[Wrong], receipt: &Receipt) -> (u16, String) {
    let status = wrong.iter().find_map(Wrong::status);
    let wrong_token = wrong.contains(&Wrong::Token);
    match (&receipt.handshake, status) {
        (_, Some(status)) => (status, r#"{"error":"wrong on purpose, as --wrong asks"}"#.into()),
        (Some(_), None) if wrong_token => (200, r#"{"token":"not the token"}"#.into()),
        (Some(reply), None) if reply.is_empty() => (200, "{}".into()),
        (Some(reply), None) => (200, reply.clone()),
        (None, None) if receipt.is_right() => (200, "{}".into()),
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
