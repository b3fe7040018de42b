//! Logs the requests to the control API and the page.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

use crate::base::clock::Stopwatch;

/// Logs a request and the status of its response. The query and the headers may contain secrets.
pub(super) async fn logged<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let (watch, method, path) =
        (Stopwatch::start(), request.method().clone(), request.path().to_owned());
    let response = next.call(request).await?;
    let (status, millis, method) = (response.status().as_u16(), watch.millis(), method.as_str());
    if status < 500 {
        tracing::info!(method, path, status, millis, "request");
    } else {
        tracing::error!(method, path, status, millis, "request");
    }
    Ok(response)
}
