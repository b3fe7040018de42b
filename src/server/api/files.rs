//! Files that people attach to messages.

use actix_web::web::{Data, Payload, Query, ServiceConfig, post, resource};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body;
use super::error::{ApiError, ErrorResponse};
use crate::server::live::{LiveServer, UploadedFile};

pub(super) fn routes(app: &mut ServiceConfig) {
    app.service(resource("/api/v1/files").route(post().to(upload)));
}

/// What to upload.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct FileQuery {
    /// File name. Its extension determines the media type.
    name: String,
}

/// A file that messages can link to. The keys are those of the action `say`.
#[derive(Serialize, ToSchema)]
pub(super) struct UploadedFileEntry {
    /// The URL of the file.
    link: String,
    /// File name.
    file_name: String,
    /// Media type.
    mime_type: String,
    /// Size in bytes.
    size: usize,
}

impl From<UploadedFile> for UploadedFileEntry {
    fn from(file: UploadedFile) -> Self {
        let UploadedFile { url, name, media_type, size } = file;
        Self { link: url, file_name: name, mime_type: media_type, size }
    }
}

/// Uploads a file that messages can link to.
///
/// The response has the fields of the action `say` that link to it.
#[utoipa::path(post, path = "/api/v1/files", tag = "conversations",
    params(FileQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = UploadedFileEntry), (status = 409, body = ErrorResponse),
              (status = 422, body = ErrorResponse), (status = 503, body = ErrorResponse)))]
pub(super) async fn upload(
    live: Data<LiveServer>,
    query: Query<FileQuery>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let bytes = body::file(&request, payload).await?;
    let name = query.into_inner().name;
    // Storing a file of several megabytes takes longer than others should wait.
    let stored = actix_web::web::block(move || live.upload_file(&name, bytes)).await;
    let stored = stored.map_err(|error| ApiError::invalid(error.to_string()))??;
    Ok(HttpResponse::Created().json(UploadedFileEntry::from(stored)))
}
