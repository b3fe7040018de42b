//! Calls of receivers to the APIs of vendors: list and read.

use actix_web::web::{Data, Json, Path, Query, ServiceConfig, block, get, resource};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::error::{ApiError, ErrorResponse, interrupted};
use crate::base::limits::{MAX_PAGE, PAGE_SIZE};
use crate::server::live::{
    CallFilter, CallSummary, HistoryFilter, HistoryPage, KeptRecord, LiveServer,
};

pub(super) fn routes(app: &mut ServiceConfig) {
    app.service(resource("/api/v1/calls").route(get().to(list)))
        .service(resource("/api/v1/calls/{number}").route(get().to(read)));
}

/// Which calls to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct CallQuery {
    /// Only those of this run.
    run: Option<u32>,
    /// Only those of this conversation, such as `3-1`.
    conversation: Option<String>,
    /// Only those of this vendor.
    vendor: Option<String>,
    /// Only those with this route, operation, or vendor-neutral name such as `send_message`.
    operation: Option<String>,
    /// Only those with a status that is no 2xx or 3xx, or only the others.
    failed: Option<bool>,
    /// Only those with a smaller number: the next page.
    before: Option<u64>,
    /// Number of entries, at most 500. Default: 100.
    limit: Option<usize>,
}

/// A page of calls.
#[derive(Serialize, ToSchema)]
pub(super) struct CallList {
    items: Vec<CallSummary>,
    /// Value of `before` for the next page, if there may be one.
    next: Option<u64>,
}

/// A call with everything that is known about it.
#[derive(Serialize, ToSchema)]
pub(super) struct CallDetail {
    /// What the list shows.
    call: CallSummary,
    /// Its record, with the request and the response. The response has a
    /// separate record if it waited for the conversation.
    #[schema(value_type = Vec<Object>)]
    records: Vec<Box<RawValue>>,
}

/// Lists calls, the newest first.
#[utoipa::path(get, path = "/api/v1/calls", tag = "calls", params(CallQuery),
    responses((status = 200, body = CallList), (status = 503, body = ErrorResponse)))]
pub(super) async fn list(
    live: Data<LiveServer>,
    query: Query<CallQuery>,
) -> Result<Json<CallList>, ApiError> {
    let CallQuery { run, conversation, vendor, operation, failed, before, limit } =
        query.into_inner();
    let limit = limit.unwrap_or(PAGE_SIZE).clamp(1, MAX_PAGE);
    let within = HistoryFilter { before, run, conversation, vendor };
    let filter = CallFilter { within, operation, failed };
    // Reading many of a journal must not delay other requests.
    let found = block(move || live.calls(&filter, limit)).await.map_err(|_| interrupted())?;
    let HistoryPage { items, next } = found?;
    Ok(Json(CallList { items, next }))
}

/// Returns a call with its request and its response.
#[utoipa::path(get, path = "/api/v1/calls/{number}", tag = "calls",
    params(("number" = u64, Path, description = "Number of its record, as in the list")),
    responses((status = 200, body = CallDetail), (status = 404, body = ErrorResponse),
              (status = 503, body = ErrorResponse)))]
pub(super) async fn read(
    live: Data<LiveServer>,
    number: Path<u64>,
) -> Result<Json<CallDetail>, ApiError> {
    let number = number.into_inner();
    let (call, records) = live.call(number)?.ok_or_else(|| {
        let error = ApiError::not_found(format!("there is no call `{number}`"));
        error.hint("`GET /api/v1/calls` lists the calls")
    })?;
    let records = records.iter().filter_map(KeptRecord::to_raw).collect();
    Ok(Json(CallDetail { call, records }))
}
