//! The forward proxy, for clients in which the host name of a vendor is fixed.
//!
//! It never connects to another server: requests for the host names of the emulated vendors reach the
//! emulated APIs, and everything else is refused.

use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, web};

use super::entrance::EnteredStream;
use super::proxy_sites::ProxySites;
use super::vendor_api::respond_from;

/// Host name of the tunnel through which a connection came.
pub(super) struct TunnelHost(pub(super) String);

impl TunnelHost {
    /// Returns the host of a connection that came through a tunnel.
    pub(super) fn of(stream: &EnteredStream) -> Option<Self> {
        stream.tunnel.clone().map(Self)
    }
}

/// Configures an application to serve all sites.
pub(super) fn configure_proxy(app: &mut ServiceConfig, sites: web::Data<ProxySites>) {
    app.app_data(sites).default_service(web::to(respond));
}

async fn respond(
    request: HttpRequest,
    payload: web::Payload,
    sites: web::Data<ProxySites>,
) -> HttpResponse {
    let tunnel = request.conn_data::<TunnelHost>().map(|host| host.0.as_str());
    // Only the absolute form of a request, `GET http://host/path`, is one to a proxy.
    let target = tunnel.or_else(|| request.uri().host());
    match target.and_then(|host| sites.find(host)).cloned() {
        Some(slot) => respond_from(&slot, &request, payload).await,
        None => {
            let target = target.unwrap_or_else(|| request.path()).to_owned();
            HttpResponse::Forbidden()
                .content_type("text/plain; charset=utf-8")
                .body(sites.refusal(&target))
        }
    }
}
