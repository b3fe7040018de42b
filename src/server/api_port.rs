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
use crate::base::limits::{HEAD_TIMEOUT, MAX_CONNECTIONS};
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
        let mut server = ApiServer::default();
        server.add(self, slot)?;
        server.start()
    }
}

/// A server for the APIs of several vendors. Its ports share their threads: each thread of a server
/// costs about 200 KiB.
#[derive(Default)]
pub struct ApiServer {
    ports: Vec<BoundPort>,
}

/// A port that is bound, but not served yet. Connections to it wait.
struct BoundPort {
    listener: TcpListener,
    address: SocketAddr,
    entrance: Entrance,
    configure: Arc<ConfigureFunction>,
}

type ConfigureFunction = dyn Fn(&mut ServiceConfig) + Send + Sync;

impl ApiServer {
    /// Adds the API of a vendor. Returns its address.
    ///
    /// # Errors
    ///
    /// Fails if the port is in use or cannot be bound.
    pub fn add(&mut self, port: &ApiPort, slot: &EmulatorSlot) -> io::Result<SocketAddr> {
        let slot = slot.clone();
        self.bind(port, None, Arc::new(move |app| configure_vendor_api(app, &slot)))
    }

    /// Adds a forward proxy to the APIs of these vendors. Returns its address.
    ///
    /// # Errors
    ///
    /// Fails if the port is in use or cannot be bound.
    pub fn add_proxy(&mut self, port: &ApiPort, sites: Vec<ProxySite>) -> io::Result<SocketAddr> {
        let sites = Arc::new(ProxySites(sites));
        let shared = web::Data::from(Arc::clone(&sites));
        let configure = Arc::new(move |app: &mut _| configure_proxy(app, shared.clone()));
        self.bind(port, Some(sites), configure)
    }

    fn bind(
        &mut self,
        port: &ApiPort,
        proxy: Option<Arc<ProxySites>>,
        configure: Arc<ConfigureFunction>,
    ) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind((port.interface, port.port))?;
        let address = listener.local_addr()?;
        let entrance = Entrance { certificate: port.certificate.clone(), proxy };
        self.ports.push(BoundPort { listener, address, entrance, configure });
        Ok(address)
    }

    /// Returns whether there is no port.
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    /// Starts to serve the ports. The handle has the address of the first one.
    ///
    /// # Errors
    ///
    /// Fails if there is no port, or the server cannot be started.
    pub fn start(self) -> io::Result<ServerHandle> {
        let first = self.ports.first().ok_or(io::ErrorKind::AddrNotAvailable)?.address;
        let mut server = Server::build()
            .workers(1)
            .max_concurrent_connections(MAX_CONNECTIONS * self.ports.len())
            .disable_signals()
            // In seconds. Limits the wait for open connections when actix stops gracefully.
            .shutdown_timeout(1);
        for BoundPort { listener, address, entrance, configure } in self.ports {
            server = server.listen("vendor API", listener, move || {
                let (entrance, configure) = (entrance.clone(), Arc::clone(&configure));
                let enter = fn_service(move |socket: TcpStream| enter(entrance.clone(), socket));
                let app = App::new().configure(|app| configure(app)).into_factory();
                let app = app.map_err(|error: actix_web::Error| error.error_response());
                let http = HttpService::build()
                    .client_request_timeout(HEAD_TIMEOUT)
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
            })?;
        }
        run_in_thread(server.run(), first)
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
