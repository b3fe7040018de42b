//! Serves the built-in files: whatever the id in a link, its ending says what it leads to.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{ACCEPT_RANGES, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};

use super::{ServerHandle, start};
use crate::base::file_store::{FILES, FileStore};

/// Serves the built-in files on a port of loopback. Where it is taken, nothing is served, and the
/// shelf says why.
pub fn serve_files(port: u16) -> (Option<ServerHandle>, Arc<FileStore>) {
    let file_store = Arc::new(FileStore::default());
    let shared = web::Data::from(Arc::clone(&file_store));
    let serving = start(port, move |app| {
        let files = web::resource("/files/{name}").route(web::get().to(give));
        app.app_data(shared.clone()).service(files.route(web::head().to(give)));
    });
    match serving {
        Ok(serving) => (Some(serving), file_store),
        Err(error) => (None, Arc::new(FileStore::unavailable(format!("port {port}: {error}")))),
    }
}

async fn give(
    request: HttpRequest,
    name: web::Path<String>,
    file_store: web::Data<FileStore>,
) -> HttpResponse {
    let is_id = |id: &str| id.len() == 16 && id.chars().all(|c| c.is_ascii_hexdigit());
    let named = name.split_once('.').filter(|(id, _)| is_id(id));
    let file = named.and_then(|(_, ending)| FILES.iter().find(|file| file.ending == ending));
    let Some(file) = file else { return HttpResponse::NotFound().finish() };
    if request.method() == Method::GET {
        file_store.open(&name);
    }
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, file.media_type))
        .insert_header((ACCEPT_RANGES, "none"))
        .body(file.bytes)
}
