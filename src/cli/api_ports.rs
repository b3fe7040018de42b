//! The ports on which a command serves the APIs of vendors, and the proxy to them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context as _;
use clap::Args;

use super::exit::CommandError;
use super::terminal::note;
use crate::emulator::EmulatorSlot;
use crate::platform::Platform;
use crate::platform::api::HostPattern;
use crate::server::{
    ApiPort, ApiServer, AuthorityError, CertificateAuthority, ProxySite, ServerCertificate,
    ServerHandle,
};

/// Option of the proxy.
#[derive(Debug, Args)]
pub(super) struct ProxyArgs {
    /// Also start an HTTP proxy for clients in which the host names of the vendor are fixed; it
    /// serves only these names [default port: a free one]
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true,
          default_missing_value = "0")]
    pub(super) serve_proxy: Option<u16>,
}

/// The APIs that are served, once all their ports are known.
pub(super) struct ApiPorts {
    interface: IpAddr,
    /// The CA of the user; `None` if it cannot be stored.
    pub(super) authority: Option<CertificateAuthority>,
    sites: Vec<ProxySite>,
    server: ApiServer,
    /// The server, once it has started.
    serving: Option<ServerHandle>,
}

impl ApiPorts {
    /// Serves on this network interface. Opens the CA of the user, or notes that there is no https.
    pub(super) fn new(interface: IpAddr) -> Result<Self, CommandError> {
        let authority = user_authority()?;
        let (sites, server) = (Vec::new(), ApiServer::default());
        Ok(Self { interface, authority, sites, server, serving: None })
    }

    /// Adds the API of a vendor. Port 0 selects a free port.
    pub(super) fn add(
        &mut self,
        platform: &Platform,
        port: u16,
        slot: EmulatorSlot,
    ) -> Result<SocketAddr, CommandError> {
        let hosts = platform.api.hosts.clone();
        let api_port = self.port(port, &hosts)?;
        let address = self.server.add(&api_port, &slot).with_context(|| {
            let (name, id) = (&platform.name, &platform.id);
            let place = SocketAddr::new(self.interface, port);
            format!("cannot serve the API of {name} at {place} (set another port with `--port {id}=PORT`)")
        })?;
        self.sites.push(ProxySite { hosts, slot });
        Ok(address)
    }

    /// Adds the proxy to the APIs so far.
    pub(super) fn add_proxy(&mut self, port: u16) -> Result<SocketAddr, CommandError> {
        let hosts = self.hosts();
        let sites = std::mem::take(&mut self.sites);
        let api_port = self.port(port, &hosts)?;
        Ok(self.server.add_proxy(&api_port, sites).context("cannot serve the proxy")?)
    }

    /// Returns the host names that the proxy serves.
    fn hosts(&self) -> Vec<HostPattern> {
        self.sites.iter().flat_map(|site| site.hosts.clone()).collect()
    }

    fn port(&self, port: u16, hosts: &[HostPattern]) -> Result<ApiPort, CommandError> {
        Ok(ApiPort { interface: self.interface, port, certificate: self.certificate(hosts)? })
    }

    fn certificate(
        &self,
        hosts: &[HostPattern],
    ) -> Result<Option<ServerCertificate>, CommandError> {
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let authority = self.authority.as_ref();
        let certificate = authority.map(|ca| ca.certificate(self.interface, &hosts)).transpose();
        Ok(certificate.map_err(anyhow::Error::from)?)
    }

    /// Returns the URLs at which clients reach an address: without TLS, and with TLS.
    pub(super) fn urls(&self, address: SocketAddr) -> Vec<String> {
        let schemes = if self.authority.is_some() { vec!["http", "https"] } else { vec!["http"] };
        let address = reachable(address);
        schemes.into_iter().map(|scheme| format!("{scheme}://{address}")).collect()
    }

    /// Starts to serve the APIs and the proxy that were added. Without any, there is nothing to serve.
    pub(super) fn start(&mut self) -> Result<(), CommandError> {
        let server = std::mem::take(&mut self.server);
        if !server.is_empty() {
            self.serving = Some(server.start().context("cannot serve the APIs")?);
        }
        Ok(())
    }

    /// Stops serving.
    pub(super) async fn stop(self) {
        if let Some(server) = self.serving {
            server.stop().await;
        }
    }
}

/// Opens the CA of the user. Without a folder for it, notes that there is no https.
fn user_authority() -> Result<Option<CertificateAuthority>, CommandError> {
    match CertificateAuthority::of_user() {
        Ok(authority) => Ok(Some(authority)),
        // A container may have no folder that can be written. Many clients need no https.
        Err(error @ AuthorityError::NoFolder(_)) => {
            note(format_args!("note: https is not available: {error}"));
            Ok(None)
        }
        Err(error) => Err(anyhow::Error::from(error).into()),
    }
}

/// Returns an address at which clients on this machine reach a server.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
