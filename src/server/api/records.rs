//! Records: as JSON lines, and as a stream of server-sent events.

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use actix_web::web::{Data, Query, ServiceConfig, get, resource};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use utoipa::IntoParams;

use super::error::{ApiError, ErrorResponse};
use super::export::RecordExport;
use super::stream::{StreamGuard, StreamLimit, events};
use crate::server::live::{LiveServer, RecordFilter, RecordGap, RecordsError};

pub(super) fn routes(app: &mut ServiceConfig) {
    app.service(resource("/api/v1/records").route(get().to(list)))
        .service(resource("/api/v1/records/stream").route(get().to(stream)));
}

/// Records of a journal that are returned by default.
const DEFAULT_RECORDS: u64 = 10_000;

/// Which records to return.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordQuery {
    /// Only those after this number. Default: all in memory, or the last 10,000 of a journal; for a
    /// stream, only new ones.
    after: Option<u64>,
    /// Only those of this run.
    run: Option<u32>,
    /// Only those of this conversation, such as `3-1`.
    conversation: Option<String>,
}

impl RecordQuery {
    fn filter(&self) -> RecordFilter {
        RecordFilter { run: self.run, conversation: self.conversation.clone() }
    }
}

/// Returns records, one JSON object a line.
#[utoipa::path(get, path = "/api/v1/records", tag = "records", params(RecordQuery),
    responses((status = 200, body = String, content_type = "application/x-ndjson"),
              (status = 410, body = ErrorResponse), (status = 503, body = ErrorResponse)))]
pub(super) async fn list(
    live: Data<LiveServer>,
    query: Query<RecordQuery>,
) -> Result<HttpResponse, ApiError> {
    let oldest = live.history.first() - 1;
    let stored = live.changes().borrow().records.saturating_sub(DEFAULT_RECORDS);
    let default = if live.journal_path().is_some() { oldest.min(stored) } else { oldest };
    let export = RecordExport::new(live, query.filter(), query.after.unwrap_or(default));
    let lines = export.into_lines().map_err(|error| match error {
        RecordsError::Gap(RecordGap { first }) => {
            let message = format!("records before {first} are no longer in memory");
            ApiError::new(StatusCode::GONE, "gone", message).hint("omit `after`")
        }
        RecordsError::Unreadable(error) => error.into(),
    })?;
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").streaming(lines))
}

/// Streams records as server-sent events.
///
/// Events: `record` with a record; `change` if a run or an endpoint changed; `gap` if records were
/// forgotten before they could be sent. A client that reconnects sends `Last-Event-ID`.
#[utoipa::path(get, path = "/api/v1/records/stream", tag = "records",
    params(RecordQuery, ("Last-Event-ID" = Option<u64>, Header,
        description = "Number of the last record that the client has")),
    responses((status = 200, body = String, content_type = "text/event-stream"),
              (status = 503, body = ErrorResponse)))]
pub(super) async fn stream(
    live: Data<LiveServer>,
    streams: Data<StreamLimit>,
    request: HttpRequest,
    query: Query<RecordQuery>,
) -> Result<HttpResponse, ApiError> {
    let Some(guard) = StreamGuard::enter(streams) else {
        let message = "too many streams are open";
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", message));
    };
    let last = request.headers().get("last-event-id").map(HeaderValue::to_str);
    let last =
        match last {
            None => None,
            Some(text) => Some(text.ok().and_then(|text| text.parse().ok()).ok_or_else(|| {
                ApiError::invalid("`Last-Event-ID` must be the number of a record")
            })?),
        };
    let latest = live.changes().borrow().records;
    let after = last.or(query.after).unwrap_or(latest).min(latest);
    let events = events(live, query.filter(), after, guard);
    Ok(HttpResponse::Ok().content_type("text/event-stream").streaming(events))
}
