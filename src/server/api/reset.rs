//! Deletes what has happened, so that the next test begins with nothing.

use actix_web::web::{Data, Json, ServiceConfig, post, resource};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{ApiError, ErrorResponse};
use crate::server::live::LiveServer;

pub(super) fn routes(app: &mut ServiceConfig) {
    app.service(resource("/api/v1/reset").route(post().to(reset)));
}

/// What was deleted.
#[derive(Serialize, ToSchema)]
pub(super) struct DeletedRuns {
    /// Number of the runs that were deleted.
    runs: usize,
}

/// Ends all runs, and deletes them with their conversations, deliveries and records.
///
/// Endpoints, uploads, and what calls have made at the accounts stay. Numbers are not used again.
#[utoipa::path(post, path = "/api/v1/reset", tag = "runs",
    responses((status = 200, body = DeletedRuns), (status = 503, body = ErrorResponse)))]
pub(super) async fn reset(live: Data<LiveServer>) -> Result<Json<DeletedRuns>, ApiError> {
    Ok(Json(DeletedRuns { runs: live.reset().await? }))
}
