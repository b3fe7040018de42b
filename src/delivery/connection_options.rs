//! How connections to a receiver are made, where it differs from the default.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;

use super::tls;
use crate::base::address::EgressPolicy;
use crate::base::route::{ForwardProxy, ResolveRule};
use crate::policy::Policy;

/// How connections to a receiver are made, where it differs from the default.
#[derive(Clone, Debug, Default)]
pub struct ConnectionOptions {
    /// Timeout of an attempt, in place of that of the vendor.
    pub timeout: Option<Duration>,
    /// Addresses in place of those that host names have.
    pub resolve: Vec<ResolveRule>,
    /// The proxy through which requests are sent.
    pub proxy: Option<ForwardProxy>,
    /// TLS settings; `None` for those of the system.
    tls: Option<Arc<ClientConfig>>,
}

/// TLS settings for a receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// Certificates of CAs that are trusted in addition to those of the system, in PEM format.
    pub ca: Option<String>,
    /// Whether certificates are not verified.
    pub insecure: bool,
    /// Client certificate with its chain, in PEM format.
    pub cert: Option<String>,
    /// Key of the client certificate, in PEM format; `None` if `cert` contains it.
    pub key: Option<String>,
}

/// Error: a TLS setting cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidTlsSetting {
    /// The setting: `ca`, `cert` or `key`.
    pub setting: &'static str,
    message: &'static str,
    /// How to fix it.
    pub help: &'static str,
}

impl ConnectionOptions {
    /// Sets TLS settings.
    ///
    /// # Errors
    /// A certificate or the key cannot be used.
    pub fn with_tls(self, settings: &TlsSettings) -> Result<Self, InvalidTlsSetting> {
        if *settings == TlsSettings::default() {
            return Ok(self);
        }
        Ok(Self { tls: Some(Arc::new(settings.client_config()?)), ..self })
    }

    /// The timeout for establishing the connection.
    pub fn connect(&self, policy: &Policy) -> Duration {
        policy.connect.unsigned_abs().min(self.total(policy))
    }

    /// The timeout for a whole attempt.
    pub fn total(&self, policy: &Policy) -> Duration {
        self.timeout.unwrap_or_else(|| policy.total.unsigned_abs())
    }

    /// Returns whether a request to this URL may reach a public network.
    pub fn may_be_public(&self, egress: EgressPolicy, url: &Url) -> bool {
        let is_public = |proxy: &ForwardProxy| egress.may_be_public(&proxy.url);
        egress.may_be_public(url) || self.proxy.as_ref().is_some_and(is_public)
    }

    /// Returns whether requests with these options can share a connection with others that have `other`.
    pub(super) fn shares_with(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        let is_default = |options: &Self| {
            options.tls.is_none() && options.proxy.is_none() && options.resolve.is_empty()
        };
        Arc::ptr_eq(self, other) || is_default(self) && is_default(other)
    }

    /// The TLS settings, if they differ from those of the system.
    pub(super) fn tls(&self) -> Option<&Arc<ClientConfig>> {
        self.tls.as_ref()
    }

    /// The proxy to which a request to this URL is sent as it is, with the URL as its target. Requests
    /// with TLS go through a tunnel instead.
    pub(super) fn plain_proxy(&self, url: &Url) -> Option<&ForwardProxy> {
        self.proxy.as_ref().filter(|_| url.scheme() == "http")
    }
}

impl TlsSettings {
    fn client_config(&self) -> Result<ClientConfig, InvalidTlsSetting> {
        let roots = self.ca.as_deref().map(|pem| certificates(pem, "ca")).transpose()?;
        let builder = tls::unauthenticated_config(roots.unwrap_or_default(), self.insecure);
        let builder = builder.map_err(|_| invalid("ca", "a certificate of the file is invalid"))?;
        let Some(cert) = &self.cert else {
            return Ok(tls::with_protocol(builder.with_no_client_auth()));
        };
        let chain = certificates(cert, "cert")?;
        let (key, setting) = match &self.key {
            Some(key) => (key, "key"),
            None => (cert, "cert"),
        };
        let is_missing = self.key.is_none() && !key.contains("PRIVATE KEY");
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| InvalidTlsSetting {
            setting,
            message: "the file contains no private key",
            help: if is_missing {
                "pass the key with `--key`, or set `key`"
            } else {
                "use a key in PEM format without a password, such as `openssl pkey -in key.pem` prints it"
            },
        })?;
        let config = builder.with_client_auth_cert(chain, key);
        let config = config.map_err(|_| InvalidTlsSetting {
            setting,
            message: "the key does not belong to the client certificate",
            help: "use the key with which the certificate was requested; the first certificate of the \
                   file must be that of the client",
        })?;
        Ok(tls::with_protocol(config))
    }
}

fn certificates(
    pem: &str,
    setting: &'static str,
) -> Result<Vec<CertificateDer<'static>>, InvalidTlsSetting> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let found = found.map_err(|_| invalid(setting, "the file is not in PEM format"))?;
    if found.is_empty() {
        return Err(invalid(setting, "the file contains no certificate"));
    }
    Ok(found)
}

fn invalid(setting: &'static str, message: &'static str) -> InvalidTlsSetting {
    let help = "use a file in PEM format, which begins with `-----BEGIN CERTIFICATE-----`";
    InvalidTlsSetting { setting, message, help }
}
