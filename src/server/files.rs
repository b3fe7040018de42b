//! Serves the files that attachment URLs in payloads refer to: those of scenarios, and sample files.
//!
//! The extension of a URL selects the sample file; the id in it can be any.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{ACCEPT_RANGES, CONTENT_TYPE};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};

use super::{ServerHandle, start_on};
use crate::base::attachment::ID_LENGTH;
use crate::base::file_store::{FILES, FileStore};
use crate::config::FilesAddress;

/// Serves the files.
///
/// Returns no handle if the port cannot be used. The file store then has the reason.
pub fn serve_files(address: &FilesAddress) -> (Option<ServerHandle>, Arc<FileStore>) {
    let file_store = Arc::new(FileStore::default());
    let shared = web::Data::from(Arc::clone(&file_store));
    let port = address.port;
    let server = start_on(address.interface(), port, move |app| {
        let files = web::resource("/files/{name}").route(web::get().to(send_file));
        app.app_data(shared.clone()).service(files.route(web::head().to(send_file)));
    });
    match server {
        Ok(server) => (Some(server), file_store),
        Err(error) => (None, Arc::new(FileStore::unavailable(format!("port {port}: {error}")))),
    }
}

async fn send_file(
    request: HttpRequest,
    name: web::Path<String>,
    file_store: web::Data<FileStore>,
) -> HttpResponse {
    let own = file_store.attachment(&name);
    let is_id = |id: &str| id.len() == ID_LENGTH && id.chars().all(|c| c.is_ascii_hexdigit());
    let extension = name.split_once('.').filter(|(id, _)| is_id(id)).map(|(_, ending)| ending);
    let sample =
        extension.and_then(|extension| FILES.iter().find(|file| file.extension == extension));
    let (media_type, bytes) = match (&own, sample) {
        (Some(own), _) => (own.media_type.as_str(), Bytes::copy_from_slice(&own.bytes)),
        (None, Some(sample)) => (sample.media_type, Bytes::from_static(sample.bytes)),
        (None, None) => return HttpResponse::NotFound().finish(),
    };
    // A HEAD request does not count as fetched.
    if request.method() == Method::GET {
        file_store.mark_fetched(&name);
    }
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media_type))
        // Range requests are not supported. The header tells clients not to send them.
        .insert_header((ACCEPT_RANGES, "none"))
        .body(bytes)
}
