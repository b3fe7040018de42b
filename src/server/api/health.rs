//! Paths for monitoring. They need no token and show nothing about conversations.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};

use super::error::ApiError;
use crate::server::live::LiveServer;

/// Media type of the `OpenMetrics` format.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The process responds.
pub(super) async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// The server accepts new runs.
pub(super) async fn ready(live: web::Data<LiveServer>) -> Result<HttpResponse, ApiError> {
    match live.readiness() {
        Ok(()) => Ok(HttpResponse::Ok().content_type("text/plain").body("ready\n")),
        Err(reason) => {
            Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", reason.to_string()))
        }
    }
}

/// Numbers for Prometheus.
pub(super) async fn metrics(live: web::Data<LiveServer>) -> HttpResponse {
    let text = live.history.metrics.text();
    HttpResponse::Ok().insert_header((CONTENT_TYPE, OPEN_METRICS)).body(text)
}
