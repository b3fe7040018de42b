//! What standin serves on loopback: how a server is started and stopped, and the built-in files.
//!
//! Receiving webhooks is left to `listen`.

mod files;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use actix_web::web::ServiceConfig;
use actix_web::{App, HttpServer};

pub use files::serve_files;

/// A server that is up.
#[derive(Debug)]
pub struct ServerHandle {
    /// Where it listens.
    pub address: SocketAddr,
    handle: actix_web::dev::ServerHandle,
    thread: std::thread::JoinHandle<()>,
}

/// Starts a server on a port of loopback; port 0 takes one that is free.
pub fn start(
    port: u16,
    configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> io::Result<ServerHandle> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let address = listener.local_addr()?;
    let server = HttpServer::new(move || App::new().configure(configure.clone()))
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)?
        .run();
    let handle = server.handle();
    let thread = std::thread::spawn(move || {
        let _ = actix_web::rt::System::new().block_on(server);
    });
    Ok(ServerHandle { address, handle, thread })
}

impl ServerHandle {
    /// Stops it.
    pub async fn stop(self) {
        self.handle.stop(false).await;
        let _ = self.thread.join();
    }
}
