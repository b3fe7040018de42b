//! The page: static files that are embedded in the binary. Everything else comes from the control API.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{ServiceConfig, get, head, resource};
use actix_web::{HttpRequest, HttpResponse};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "page/"]
struct PageFiles;

/// Returns whether the page has a file at this path.
pub(super) fn has_file(path: &str) -> bool {
    PageFiles::get(file_name(path)).is_some()
}

/// The file at a path; `/` is the page itself.
fn file_name(path: &str) -> &str {
    match path.trim_start_matches('/') {
        "" => "index.html",
        "docs" => "docs.html",
        name => name,
    }
}

pub(super) fn routes(app: &mut ServiceConfig) {
    let names = PageFiles::iter().map(|name| format!("/{name}"));
    for path in names.chain(["/".to_owned(), "/docs".to_owned()]) {
        app.service(resource(path).route(get().to(send)).route(head().to(send)));
    }
}

async fn send(request: HttpRequest) -> HttpResponse {
    let name = file_name(request.path());
    let Some(file) = PageFiles::get(name) else { return HttpResponse::NotFound().finish() };
    HttpResponse::Ok().insert_header((CONTENT_TYPE, media_type(name))).body(file.data.into_owned())
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
