//! Endpoints: the receivers of a vendor's events.

use actix_web::web::{Data, Json, Path, Payload, ServiceConfig, delete, get, resource};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body;
use super::error::{ApiError, ErrorResponse};
use crate::server::live::{
    EndpointRequest, EndpointState, HandshakeSummary, ListedEndpoint, LiveServer, ServedVendor,
};

pub(super) fn routes(app: &mut ServiceConfig) {
    let all = resource("/api/v1/endpoints").route(get().to(list));
    app.service(all.route(actix_web::web::post().to(add)))
        .service(resource("/api/v1/endpoints/{vendor}/{number}").route(delete().to(remove)));
}

/// A list of endpoints.
#[derive(Serialize, ToSchema)]
pub(super) struct EndpointList {
    items: Vec<EndpointSummary>,
}

/// An endpoint.
#[derive(Serialize, ToSchema)]
pub(super) struct EndpointSummary {
    /// Id of the vendor.
    vendor: String,
    /// Number among the endpoints of the vendor.
    number: u32,
    /// The receiver's address.
    url: String,
    /// The requested event types, as patterns; absent for the vendor's default.
    events: Option<Vec<String>>,
    /// The event types that it gets now, as patterns; absent before its first run.
    subscribed: Option<Vec<String>>,
    /// Its last handshake.
    handshake: Option<HandshakeSummary>,
    /// Whether a call to the vendor's API has subscribed it.
    subscribed_by_call: bool,
}

/// An endpoint to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddEndpoint {
    /// Id of the vendor.
    vendor: String,
    /// The receiver's address.
    url: String,
    /// Event types, as patterns such as `chat.*`. Default: those of the scenario or the vendor.
    events: Option<Vec<String>>,
}

impl EndpointSummary {
    fn of(vendor: &ServedVendor, listed: ListedEndpoint) -> Self {
        let ListedEndpoint { endpoint, state, is_subscribed_by_call } = listed;
        let subscribed = if is_subscribed_by_call {
            Some(endpoint.plan.subscription.patterns())
        } else {
            vendor.subscribed(&endpoint, &state)
        };
        let EndpointState { handshake, .. } = state;
        Self {
            vendor: vendor.id().to_owned(),
            number: endpoint.plan.number,
            url: endpoint.shown_url(),
            events: endpoint.events,
            subscribed,
            handshake,
            subscribed_by_call: is_subscribed_by_call,
        }
    }
}

/// Lists the endpoints of all vendors.
#[utoipa::path(get, path = "/api/v1/endpoints", tag = "endpoints",
    responses((status = 200, body = EndpointList)))]
pub(super) async fn list(live: Data<LiveServer>) -> Json<EndpointList> {
    let mut items = Vec::new();
    for vendor in live.vendors() {
        let all = live.endpoints(vendor).await.into_iter();
        items.extend(all.map(|listed| EndpointSummary::of(vendor, listed)));
    }
    Json(EndpointList { items })
}

/// Adds an endpoint. It gets the events of later runs.
#[utoipa::path(post, path = "/api/v1/endpoints", tag = "endpoints", request_body = AddEndpoint,
    responses((status = 201, body = EndpointSummary), (status = 400, body = ErrorResponse),
              (status = 404, body = ErrorResponse), (status = 409, body = ErrorResponse),
              (status = 422, body = ErrorResponse), (status = 503, body = ErrorResponse)))]
pub(super) async fn add(
    live: Data<LiveServer>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let AddEndpoint { vendor, url, events } = body::read(&request, payload).await?;
    let request = EndpointRequest { url, events, ..EndpointRequest::default() };
    let endpoint = live.add_endpoint(&vendor, request).await?;
    let state = live.history.endpoint(&vendor, endpoint.plan.number);
    let listed = ListedEndpoint { endpoint, state, is_subscribed_by_call: false };
    let summary = EndpointSummary::of(live.vendor(&vendor)?, listed);
    Ok(HttpResponse::Created().json(summary))
}

/// Removes an endpoint. It gets no more events.
#[utoipa::path(delete, path = "/api/v1/endpoints/{vendor}/{number}", tag = "endpoints",
    params(("vendor" = String, Path, description = "Id of the vendor"),
           ("number" = u32, Path, description = "Number of the endpoint")),
    responses((status = 204), (status = 404, body = ErrorResponse),
              (status = 409, body = ErrorResponse), (status = 503, body = ErrorResponse)))]
pub(super) async fn remove(
    live: Data<LiveServer>,
    path: Path<(String, u32)>,
) -> Result<HttpResponse, ApiError> {
    let (vendor, number) = path.into_inner();
    live.remove_endpoint(&vendor, number).await?;
    Ok(HttpResponse::NoContent().finish())
}
