//! Establishes connections: resolves a name, drops the addresses that the egress policy forbids,
//! and connects to what is left. The checked address is the one that is connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::{fmt, io};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep_until};
use url::Url;

use super::connection::Connection;
use super::connection_options::ConnectionOptions;
use super::failure::AttemptFailure;
use super::throttle::Throttle;
use super::tls::{self, client_config};
use super::tunnel::open_tunnel;
use crate::base::address::{BlockedAddress, EgressPolicy, ip_host, is_localhost};
use crate::record::AttemptOutcome;

/// How host names are resolved.
#[derive(Clone)]
enum HostNames {
    System,
    Custom(Resolver),
}

/// Returns the addresses of a host name.
pub type Resolver = Arc<dyn Fn(&str) -> Vec<IpAddr> + Send + Sync>;

impl fmt::Debug for HostNames {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if matches!(self, Self::System) { "System" } else { "Custom" })
    }
}

/// Connects to receivers within the egress policy. Clones share the throttle.
#[derive(Clone, Debug)]
pub struct Connector {
    egress: EgressPolicy,
    names: HostNames,
    throttle: Arc<Throttle>,
    /// Created for the first connection with TLS: the CA certificates of the system need 100 KiB.
    tls: Arc<OnceLock<Arc<ClientConfig>>>,
}

impl Connector {
    /// A connector that allows what the operator allows.
    pub fn new(egress: EgressPolicy) -> Self {
        let (names, throttle) = (HostNames::System, Arc::default());
        Self { egress, names, throttle, tls: Arc::default() }
    }

    /// Replaces the system's resolver.
    #[must_use]
    pub fn with_names(self, resolver: Resolver) -> Self {
        Self { names: HostNames::Custom(resolver), ..self }
    }

    /// Checks a URL whose host is an address against the egress policy.
    pub(super) fn check_literal(&self, url: &Url) -> Result<(), AttemptFailure> {
        self.egress.check_url(url).map_err(|forbidden| blocked("the receiver", &forbidden))
    }

    /// Waits until the rate limit for public receivers allows another request.
    pub(super) async fn wait_turn(&self, url: &Url, options: &ConnectionOptions) {
        if options.may_be_public(self.egress, url) {
            let host = url.host_str().unwrap_or_default();
            sleep_until(self.throttle.turn(host, Instant::now())).await;
        }
    }

    /// The TLS configuration, for clients of other libraries.
    pub(super) fn tls_config(&self, options: &ConnectionOptions) -> ClientConfig {
        (**self.tls(options)).clone()
    }

    /// The TLS configuration of the options, or that of the system.
    fn tls<'a>(&'a self, options: &'a ConnectionOptions) -> &'a Arc<ClientConfig> {
        let system = || self.tls.get_or_init(|| Arc::new(client_config()));
        options.tls().unwrap_or_else(system)
    }

    /// Performs the TLS handshake on a new connection, if the URL's scheme is `https`.
    pub(super) async fn secure(
        &self,
        url: &Url,
        options: &ConnectionOptions,
        stream: TcpStream,
    ) -> Result<Connection, AttemptFailure> {
        if url.scheme() != "https" {
            return Ok(Connection::Plain(stream));
        }
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host)
            .map_err(|error| AttemptFailure::new(AttemptOutcome::Tls, error.to_string()))?;
        let stream = tls::connect(self.tls(options), name, stream).await?;
        Ok(Connection::Tls(Box::new(stream)))
    }

    /// Connects without TLS: to the receiver, or to the proxy, with a tunnel for TLS.
    pub(super) async fn tcp(
        &self,
        url: &Url,
        options: &ConnectionOptions,
    ) -> Result<TcpStream, AttemptFailure> {
        let Some(proxy) = &options.proxy else { return self.connect(url, options).await };
        let target = self.target_behind_proxy(url, options).await?;
        let stream = self.connect(&proxy.url, options).await;
        let stream = stream.map_err(|failure| {
            let proxy = proxy.host_and_port();
            let reason = format!("no connection to the proxy {proxy}: {}", failure.reason);
            AttemptFailure { reason, ..failure }
        })?;
        if url.scheme() == "https" { open_tunnel(stream, proxy, &target).await } else { Ok(stream) }
    }

    /// Connects to the host of a URL.
    async fn connect(
        &self,
        url: &Url,
        options: &ConnectionOptions,
    ) -> Result<TcpStream, AttemptFailure> {
        let port = url.port_or_known_default().unwrap_or_default();
        let addresses = match ip_host(url) {
            Some(address) => {
                self.check_literal(url)?;
                vec![address]
            }
            None => {
                let name = url.host_str().unwrap_or_default();
                self.addresses(name, port, options).await?
            }
        };
        let addresses: Vec<SocketAddr> =
            addresses.into_iter().map(|address| (address, port).into()).collect();
        let stream = TcpStream::connect(addresses.as_slice()).await;
        let stream =
            stream.map_err(|error| AttemptFailure::of(&error, AttemptOutcome::Unreachable))?;
        // A request is one write. Nagle's algorithm would delay the end of longer ones.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    /// Returns the host and port of a receiver to which a proxy connects. The proxy resolves the name.
    /// Its addresses are checked as they are here, and a name that is unknown here may be public.
    pub(super) async fn target_behind_proxy(
        &self,
        url: &Url,
        options: &ConnectionOptions,
    ) -> Result<String, AttemptFailure> {
        let port = url.port_or_known_default().unwrap_or_default();
        let name = url.host_str().unwrap_or_default();
        if ip_host(url).is_some() {
            self.check_literal(url)?;
            return Ok(format!("{name}:{port}"));
        }
        let has_rule = options.resolve.iter().any(|rule| rule.applies_to(name, port));
        match self.addresses(name, port, options).await {
            Ok(addresses) if has_rule => Ok(SocketAddr::new(addresses[0], port).to_string()),
            Ok(_) => Ok(format!("{name}:{port}")),
            Err(failure) if failure.outcome == AttemptOutcome::Dns && !has_rule => {
                if self.egress.public {
                    return Ok(format!("{name}:{port}"));
                }
                let reason = format!(
                    "the proxy is not asked for `{name}`: the name is unknown here, so that it may be \
                     that of a public address"
                );
                Err(AttemptFailure::new(AttemptOutcome::EgressBlocked, reason).helped(
                    "add `--allow-public` if you are authorized to send requests to this host, or \
                     give its address with `--resolve`",
                ))
            }
            Err(failure) => Err(failure),
        }
    }

    /// The addresses of a host name that the egress policy allows.
    pub(super) async fn addresses(
        &self,
        name: &str,
        port: u16,
        options: &ConnectionOptions,
    ) -> Result<Vec<IpAddr>, AttemptFailure> {
        if let Some(rule) = options.resolve.iter().find(|rule| rule.applies_to(name, port)) {
            return self.allowed(name, &rule.addresses);
        }
        // Not every resolver knows these names. Like curl, standin does not ask one (RFC 6761).
        if is_localhost(name) {
            return Ok(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
        }
        let found: Vec<IpAddr> = match &self.names {
            HostNames::Custom(resolver) => resolver(name),
            HostNames::System => match lookup_host((name, 0)).await {
                Ok(found) => found.map(|address| address.ip()).collect(),
                Err(error) => {
                    let failure = AttemptFailure::of(&error, AttemptOutcome::Dns);
                    let is_local = failure.outcome == AttemptOutcome::LocalError;
                    return Err(if is_local { failure } else { unresolved(name, &error) });
                }
            },
        };
        if found.is_empty() { Err(no_address(name)) } else { self.allowed(name, &found) }
    }

    /// Keeps the allowed addresses; fails if there are none.
    fn allowed(&self, name: &str, addresses: &[IpAddr]) -> Result<Vec<IpAddr>, AttemptFailure> {
        let checked =
            addresses.iter().map(|address| self.egress.check(*address).map(|()| *address));
        let (allowed, forbidden): (Vec<_>, Vec<_>) = checked.partition(Result::is_ok);
        match forbidden.first() {
            Some(Err(forbidden)) if allowed.is_empty() => Err(blocked(name, forbidden)),
            _ => Ok(allowed.into_iter().flatten().collect()),
        }
    }
}

/// The failure of a name that the resolver does not know.
fn unresolved(name: &str, error: &io::Error) -> AttemptFailure {
    let reason = error.to_string();
    // `std` puts this in front of the reason of the resolver.
    let reason = reason.strip_prefix("failed to lookup address information: ").unwrap_or(&reason);
    let reason = format!("the host name `{name}` cannot be resolved: {reason}");
    let failure = AttemptFailure::new(AttemptOutcome::Dns, reason);
    if name.ends_with(".docker.internal") {
        return failure.helped(format!(
            "`{name}` exists in Docker Desktop only. On Linux, start the container with \
             `--add-host {name}:host-gateway` (in Compose: `extra_hosts`). Outside of containers, use \
             `localhost`"
        ));
    }
    if name.ends_with(".containers.internal") {
        return failure.helped(format!(
            "`{name}` exists inside containers of Podman only. Outside of containers, use `localhost`"
        ));
    }
    if !name.contains('.') {
        return failure.helped(format!(
            "a name without a dot, such as that of a Compose service, exists in its own network only. \
             Run standin in that network, or publish the port and use `localhost`: `{name}` is \
             not known here"
        ));
    }
    failure.helped("check the spelling of the host name, and the network of this machine")
}

fn no_address(name: &str) -> AttemptFailure {
    AttemptFailure::new(AttemptOutcome::Dns, format!("`{name}` has no address"))
}

fn blocked(host: &str, forbidden: &BlockedAddress) -> AttemptFailure {
    let reason = format!("{host} is not sent to: {forbidden}; {}", forbidden.help());
    AttemptFailure::new(AttemptOutcome::EgressBlocked, reason)
}
