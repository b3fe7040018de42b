//! Dialling, for both transports: a name becomes addresses, those that may not be sent to are left
//! out, and what is left is connected to. What is checked is what is dialled.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Url;

use super::failure::AttemptFailure;
use super::throttle::Throttle;
use crate::base::address::{BlockedAddress, EgressPolicy, ip_host};
use crate::record::AttemptOutcome;

/// How names become addresses.
#[derive(Clone)]
enum HostNames {
    /// As the machine does it.
    System,
    /// As this says.
    Fixed(Resolver),
}

/// Says which addresses a name has.
pub type Resolver = Arc<dyn Fn(&str) -> Vec<IpAddr> + Send + Sync>;

impl fmt::Debug for HostNames {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if matches!(self, Self::System) { "System" } else { "Fixed" })
    }
}

/// Who may be dialled, and how.
#[derive(Clone, Debug)]
pub struct Connector {
    egress: EgressPolicy,
    names: HostNames,
    throttle: Arc<Throttle>,
    pub(super) tls: Arc<ClientConfig>,
}

/// How long it takes until a receiver that does not listen is looked for again.
const AGAIN: Duration = Duration::from_millis(100);

/// A connection, plain or with TLS around it.
pub(super) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {
    /// The connection below TLS.
    fn tcp(&self) -> &TcpStream;
}

impl Connection for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Connection for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl Connector {
    /// Dials what the operator allows.
    pub fn new(egress: EgressPolicy) -> Self {
        let (names, throttle) = (HostNames::System, Arc::default());
        Self { egress, names, throttle, tls: Arc::new(tls()) }
    }

    /// The same, with other addresses for names.
    #[must_use]
    pub fn with_names(self, look: Resolver) -> Self {
        Self { names: HostNames::Fixed(look), ..self }
    }

    /// Whether the host may be sent to, where it is an address: reqwest asks nobody about those.
    pub(super) fn check(&self, url: &Url) -> Result<(), AttemptFailure> {
        self.egress.check_url(url).map_err(|forbidden| blocked("the receiver", &forbidden))
    }

    /// Waits until a receiver that may be somebody else's may be sent to again.
    pub(super) async fn turn(&self, url: &Url) {
        if self.egress.may_be_public(url) {
            let host = url.host_str().unwrap_or_default();
            sleep_until(self.throttle.turn(host, Instant::now())).await;
        }
    }

    /// Waits until something listens there, at most so long.
    pub async fn listens(&self, url: &Url, within: Duration) -> Result<(), AttemptFailure> {
        let deadline = Instant::now() + within;
        loop {
            match timeout_at(deadline, self.tcp(url)).await {
                Ok(Ok(_)) => return Ok(()),
                Err(_) => return Err(AttemptFailure::no_connection(within)),
                Ok(Err(failure)) => {
                    let is_late = Instant::now() + AGAIN > deadline;
                    if is_late || failure.outcome == AttemptOutcome::EgressBlocked {
                        return Err(failure);
                    }
                }
            }
            sleep(AGAIN).await;
        }
    }

    /// Connects, with TLS where the scheme says so.
    pub(super) async fn connect(&self, url: &Url) -> Result<Box<dyn Connection>, AttemptFailure> {
        let stream = self.tcp(url).await?;
        if url.scheme() != "https" {
            return Ok(Box::new(stream));
        }
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host)
            .map_err(|error| AttemptFailure::new(AttemptOutcome::Tls, error.to_string()))?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(name, stream).await;
        Ok(Box::new(stream.map_err(|error| AttemptFailure::in_handshake(&error))?))
    }

    async fn tcp(&self, url: &Url) -> Result<TcpStream, AttemptFailure> {
        let port = url.port_or_known_default().unwrap_or_default();
        let addresses = match ip_host(url) {
            Some(address) => {
                self.check(url)?;
                vec![address]
            }
            None => self.resolve(url.host_str().unwrap_or_default()).await?,
        };
        let addresses: Vec<SocketAddr> =
            addresses.into_iter().map(|address| (address, port).into()).collect();
        let stream = TcpStream::connect(addresses.as_slice()).await;
        let stream =
            stream.map_err(|error| AttemptFailure::of(&error, AttemptOutcome::Unreachable))?;
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    /// The addresses of a name that may be sent to.
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, AttemptFailure> {
        let found: io::Result<Vec<IpAddr>> = match &self.names {
            HostNames::System => {
                lookup_host((name, 0)).await.map(|found| found.map(|at| at.ip()).collect())
            }
            HostNames::Fixed(names) => Ok(names(name)),
        };
        match found {
            Ok(found) if !found.is_empty() => self.allowed(name, &found),
            _ => Err(AttemptFailure::new(AttemptOutcome::Dns, format!("`{name}` has no address"))),
        }
    }

    /// Those of a name's addresses that may be sent to; none is a failure.
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

impl Resolve for Connector {
    fn resolve(&self, name: Name) -> Resolving {
        let connector = self.clone();
        Box::pin(async move {
            let addresses = Connector::resolve(&connector, name.as_str()).await?;
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

fn blocked(host: &str, forbidden: &BlockedAddress) -> AttemptFailure {
    let reason = format!("{host} is not sent to: {forbidden}; {}", forbidden.help());
    AttemptFailure::new(AttemptOutcome::EgressBlocked, reason)
}

/// TLS with the machine's own trust. A machine that trusts nobody can still send without TLS.
fn tls() -> ClientConfig {
    // Asked for once per process; somebody else may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match ClientConfig::builder().with_platform_verifier() {
        Ok(builder) => builder.with_no_client_auth(),
        Err(_) => ClientConfig::builder()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth(),
    }
}
