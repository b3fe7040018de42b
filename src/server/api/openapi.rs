//! The `OpenAPI` document of the control API, generated from the handlers.

use actix_web::HttpResponse;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::{
    calls, conversations, deliveries, endpoints, files, records, reset, runs, scenarios, vendors,
};

/// The control API.
#[derive(OpenApi)]
#[openapi(
    info(title = "standin control API", license(name = "MIT OR Apache-2.0")),
    paths(
        vendors::list, vendors::read, vendors::sample,
        scenarios::list, scenarios::read, scenarios::upload, scenarios::remove, scenarios::check,
        runs::list, runs::start, runs::read, runs::report, runs::restart, runs::steer,
        conversations::list, conversations::read, conversations::act, files::upload,
        endpoints::list, endpoints::add, endpoints::remove,
        deliveries::list, deliveries::read, deliveries::verification, deliveries::redeliver,
        calls::list, calls::read, records::list, records::stream, reset::reset,
    ),
    modifiers(&BearerToken, &CommonErrors),
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

/// Errors that every operation can have, before its handler begins.
struct CommonErrors;

/// Statuses of every operation.
const OF_ALL: &[&str] = &["400", "401", "403", "421"];

/// Statuses of an operation with a body.
const OF_BODIES: &[&str] = &["408", "409", "413", "415"];

impl Modify for CommonErrors {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let error = Ref::from_schema_name("ErrorResponse");
        let content = ContentBuilder::new().schema(Some(error)).build();
        let response = ResponseBuilder::new().description("The request is refused");
        let response = response.content("application/json", content).build();
        for item in document.paths.paths.values_mut() {
            let PathItem { get, put, post, delete, .. } = item;
            for operation in [get, put, post, delete].into_iter().flatten() {
                let of_body = OF_BODIES.iter().filter(|_| operation.request_body.is_some());
                for status in OF_ALL.iter().chain(of_body) {
                    let responses = &mut operation.responses.responses;
                    responses
                        .entry((*status).to_owned())
                        .or_insert_with(|| RefOr::T(response.clone()));
                }
            }
        }
    }
}

/// Returns the document.
pub(super) async fn document() -> HttpResponse {
    HttpResponse::Ok().json(ControlApi::openapi())
}
