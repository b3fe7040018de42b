//! HTTP servers: starting and stopping them, the sample files, and the APIs of emulated vendors.
//!
//! The module `listen` receives webhooks.

mod api;
mod api_port;
mod authority;
mod browser_safety;
mod cors;
mod entrance;
mod files;
pub mod live;
mod page;
mod proxy;
mod proxy_sites;
mod request_body;
mod tunnel;
mod vendor_api;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use actix_web::dev::Server;
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpServer};

use crate::base::limits::{HEAD_TIMEOUT, MAX_CONNECTIONS};

pub use api::{AccessRules, ApiToken, serve_api};
pub use api_port::{ApiPort, ApiServer};
pub use authority::{AuthorityError, CertificateAuthority, ServerCertificate};
pub use browser_safety::{requested_host, secure};
pub use files::serve_files;
pub use live::{EndpointRequest, LiveServer, ReloadPlan, RunRequest, ServerPlan};
pub use proxy_sites::ProxySite;
pub use request_body::{UnreadBody, read_body};
pub use vendor_api::configure_vendor_api;

/// A running server. Dropping the handle does not stop it.
#[derive(Debug)]
pub struct ServerHandle {
    /// Address on which the server listens.
    pub address: SocketAddr,
    handle: actix_web::dev::ServerHandle,
    thread: std::thread::JoinHandle<()>,
}

/// Starts a server on a port of the loopback interface. Port 0 selects a free port.
///
/// # Errors
///
/// Fails if the port is in use or cannot be bound.
pub fn start(
    port: u16,
    configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> io::Result<ServerHandle> {
    start_on(Ipv4Addr::LOCALHOST.into(), port, configure)
}

/// Starts a server on a port of this interface.
fn start_on(
    interface: IpAddr,
    port: u16,
    configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> io::Result<ServerHandle> {
    start_on_all(&[interface], port, configure)
}

/// Starts a server on a port of each of these addresses. An address that this machine does not have is
/// skipped, except the first.
///
/// # Errors
///
/// Fails if the port is in use or cannot be bound.
pub fn start_on_all(
    interfaces: &[IpAddr],
    port: u16,
    configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> io::Result<ServerHandle> {
    let listeners = bind_all(interfaces, port)?;
    let address = listeners.first().ok_or(io::ErrorKind::AddrNotAvailable)?.local_addr()?;
    let mut server = HttpServer::new(move || App::new().configure(configure.clone()))
        // One sender needs no more. The default is one worker per core.
        .workers(1)
        .max_connections(MAX_CONNECTIONS)
        .client_request_timeout(HEAD_TIMEOUT)
        // Signals end the run, which then stops the server.
        .disable_signals()
        // In seconds. Limits the wait for open connections when actix stops gracefully.
        .shutdown_timeout(1);
    for listener in listeners {
        server = server.listen(listener)?;
    }
    run_in_thread(server.run(), address)
}

/// Binds a port on each of these addresses. Port 0 selects a free one for all.
fn bind_all(interfaces: &[IpAddr], port: u16) -> io::Result<Vec<TcpListener>> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    for interface in interfaces {
        let port = listeners
            .first()
            .map_or(Ok(port), |first| Ok::<_, io::Error>(first.local_addr()?.port()))?;
        match TcpListener::bind((*interface, port)) {
            Ok(listener) => listeners.push(listener),
            // Many machines have no IPv6.
            Err(error) if !listeners.is_empty() && error.kind() != io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    Ok(listeners)
}

/// Runs a server in its own thread.
fn run_in_thread(server: Server, address: SocketAddr) -> io::Result<ServerHandle> {
    let handle = server.handle();
    // Actix needs its own runtime, which must not run inside that of the sender.
    let thread = std::thread::Builder::new().spawn(move || {
        let _ = actix_web::rt::System::new().block_on(server);
    })?;
    Ok(ServerHandle { address, handle, thread })
}

impl ServerHandle {
    /// Stops the server after the responses that are being sent.
    pub async fn finish(self) {
        self.handle.stop(true).await;
        let _ = self.thread.join();
    }

    /// Stops the server without waiting for open connections.
    pub async fn stop(self) {
        self.handle.stop(false).await;
        let _ = self.thread.join();
    }
}
