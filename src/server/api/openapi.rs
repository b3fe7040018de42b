//! The `OpenAPI` document of the control API, generated from the handlers.

use actix_web::HttpResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{conversations, deliveries, endpoints, records, runs, scenarios, vendors};

/// The control API.
#[derive(OpenApi)]
#[openapi(
    info(title = "standin control API", license(name = "MIT OR Apache-2.0")),
    paths(
        vendors::list, vendors::read, vendors::sample,
        scenarios::list, scenarios::read, scenarios::upload, scenarios::remove, scenarios::check,
        runs::list, runs::start, runs::read, runs::report, runs::restart, runs::steer,
        conversations::list, conversations::read, conversations::act,
        endpoints::list, endpoints::add, endpoints::remove,
        deliveries::list, deliveries::read, deliveries::verification, deliveries::redeliver,
        records::list, records::stream,
    ),
    modifiers(&BearerToken),
    security(("token" = [])),
)]
struct ControlApi;

/// Declares the bearer token.
struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(token));
    }
}

/// Returns the document.
pub(super) async fn document() -> HttpResponse {
    HttpResponse::Ok().json(ControlApi::openapi())
}
