//! Ports that serve the APIs of vendors, with and without TLS.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;

use actix_http::error::DispatchError;
use actix_http::{Extensions, HttpService, Protocol};
use actix_server::Server;
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::App;
use actix_web::dev::AppConfig;
use actix_web::web::{self, ServiceConfig};
use tokio::net::TcpStream;

use super::authority::ServerCertificate;
use super::entrance::{EnteredStream, Entrance};
use super::proxy::{TunnelHost, configure_proxy};
use super::proxy_sites::{ProxySite, ProxySites};
use super::vendor_api::{SecureConnection, configure_vendor_api};
use super::{ServerHandle, run_in_thread};
use crate::base::limits::{MAX_CONNECTIONS, REQUEST_TIMEOUT};
use crate::emulator::EmulatorSlot;

/// Where an API or the proxy listens, and with which certificate.
#[derive(Clone, Debug)]
pub struct ApiPort {
    /// Network interface.
    pub interface: IpAddr,
    /// Port; 0 selects a free one.
    pub port: u16,
    /// Certificate; `None` for HTTP without TLS only.
    pub certificate: Option<ServerCertificate>,
}

impl ApiPort {
    /// A port of an interface without TLS.
    pub fn plain(interface: IpAddr, port: u16) -> Self {
        Self { interface, port, certificate: None }
    }

    /// Serves the API of a vendor.
    ///
    /// # Errors
    ///
    /// Fails if the port is in use or cannot be bound.
    pub fn serve(&self, slot: &EmulatorSlot) -> io::Result<ServerHandle> {
        let slot = slot.clone();
        self.start(None, move |app| configure_vendor_api(app, &slot))
    }

    /// Serves a forward proxy to the APIs of these vendors.
    ///
    /// # Errors
    ///
    /// Fails if the port is in use or cannot be bound.
    pub fn serve_proxy(&self, sites: Vec<ProxySite>) -> io::Result<ServerHandle> {
        let sites = Arc::new(ProxySites(sites));
        let shared = web::Data::from(Arc::clone(&sites));
        self.start(Some(sites), move |app| configure_proxy(app, shared.clone()))
    }

    fn start(
        &self,
        proxy: Option<Arc<ProxySites>>,
        configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> io::Result<ServerHandle> {
        let listener = TcpListener::bind((self.interface, self.port))?;
        let address = listener.local_addr()?;
        let entrance = Entrance { certificate: self.certificate.clone(), proxy };
        let server = Server::build()
            .workers(1)
            .max_concurrent_connections(MAX_CONNECTIONS)
            .disable_signals()
            // In seconds. Limits the wait for open connections when actix stops gracefully.
            .shutdown_timeout(1)
            .listen("vendor API", listener, move || {
                let entrance = entrance.clone();
                let enter = fn_service(move |socket: TcpStream| enter(entrance.clone(), socket));
                let app = App::new().configure(configure.clone()).into_factory();
                let app = app.map_err(|error: actix_web::Error| error.error_response());
                let http = HttpService::build()
                    .client_request_timeout(REQUEST_TIMEOUT)
                    .local_addr(address)
                    .on_connect_ext(|stream: &EnteredStream, data: &mut Extensions| {
                        if stream.is_tls {
                            data.insert(SecureConnection);
                        }
                        TunnelHost::of(stream).into_iter().for_each(|host| {
                            data.insert(host);
                        });
                    })
                    .finish(map_config(app, |()| AppConfig::default()));
                enter.and_then(http)
            })?
            .run();
        run_in_thread(server, address)
    }
}

/// Prepares a connection for the HTTP service.
async fn enter(entrance: Entrance, socket: TcpStream) -> Result<EnteredConnection, DispatchError> {
    let client = socket.peer_addr().ok();
    let stream = entrance.enter(socket).await.map_err(DispatchError::Io)?;
    Ok((stream, Protocol::Http1, client))
}

/// A connection as the HTTP service takes it, with the address of the client.
type EnteredConnection = (EnteredStream, Protocol, Option<SocketAddr>);
