//! TLS: the configuration of connections, and a sentence for each reason why one fails.
//!
//! The messages of the TLS library name its types. A user needs to know what is wrong with the
//! receiver, and what to do about it.

use std::cell::Cell;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WantsClientCert};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error,
    OtherError, SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::failure::AttemptFailure;
use crate::record::AttemptOutcome;

/// Returns the configuration of TLS connections: the CA certificates of the system, or those of
/// `SSL_CERT_FILE` and `SSL_CERT_DIR`.
pub(super) fn client_config() -> ClientConfig {
    // Once per process; an error means that a provider is installed already.
    let _ = ring::default_provider().install_default();
    let provider = Arc::new(ring::default_provider());
    let inner = system_verifier(&provider);
    let verifier = ExplainingVerifier { inner, trusted: Vec::new(), is_insecure: false, provider };
    with_protocol(verifier.builder().with_no_client_auth())
}

/// Returns the beginning of a configuration that also trusts these CAs, or verifies no certificates.
///
/// # Errors
/// A certificate is invalid.
pub(super) fn unauthenticated_config(
    roots: Vec<CertificateDer<'static>>,
    is_insecure: bool,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    let _ = ring::default_provider().install_default();
    let provider = Arc::new(ring::default_provider());
    let inner = if roots.is_empty() {
        system_verifier(&provider)
    } else {
        Some(Verifier::new_with_extra_roots(roots.clone(), Arc::clone(&provider))?)
    };
    Ok(ExplainingVerifier { inner, trusted: roots, is_insecure, provider }.builder())
}

/// Returns the verifier of the system. A system without CA certificates can still send without TLS.
fn system_verifier(provider: &Arc<CryptoProvider>) -> Option<Verifier> {
    let roots = roots_despite_empty_variable();
    if roots.is_empty() {
        Verifier::new(Arc::clone(provider)).ok()
    } else {
        Verifier::new_with_extra_roots(roots, Arc::clone(provider)).ok()
    }
}

/// Returns the CA certificates of the system if `SSL_CERT_FILE` is empty, as a CI may leave it. The
/// verifier takes the empty text for a path, and reads no others then.
#[cfg(target_os = "linux")]
fn roots_despite_empty_variable() -> Vec<CertificateDer<'static>> {
    if !env::var_os("SSL_CERT_FILE").is_some_and(|path| path.is_empty()) {
        return Vec::new();
    }
    let found = openssl_probe::probe();
    let folder = found.cert_dir.first().map(AsRef::as_ref);
    rustls_native_certs::load_certs_from_paths(found.cert_file.as_deref(), folder).certs
}

#[cfg(not(target_os = "linux"))]
fn roots_despite_empty_variable() -> Vec<CertificateDer<'static>> {
    Vec::new()
}

/// Returns the value of an environment variable. An empty one counts as not set.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Offers HTTP/1.1 only, so that a receiver that supports only HTTP/2 says so.
pub(super) fn with_protocol(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.client_auth_cert_resolver = Arc::new(NotingResolver(config.client_auth_cert_resolver));
    config
}

tokio::task_local! {
    /// Whether the receiver has asked for a client certificate in the handshake of this task.
    // Not in the configuration: connections share it, and one with another resolver resumes no session.
    static CERTIFICATE_ASKED: Cell<bool>;
}

/// Notes that the receiver asks for a client certificate: the alert of a receiver with TLS 1.2 does not
/// say that it misses one.
#[derive(Debug)]
struct NotingResolver(Arc<dyn ResolvesClientCert>);

impl ResolvesClientCert for NotingResolver {
    fn resolve(
        &self,
        root_hint_subjects: &[&[u8]],
        sigschemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        // Requests of readiness probes are made outside of `connect`.
        let _ = CERTIFICATE_ASKED.try_with(|asked| asked.set(true));
        self.0.resolve(root_hint_subjects, sigschemes)
    }

    fn has_certs(&self) -> bool {
        self.0.has_certs()
    }
}

/// Performs the handshake on a new connection.
pub(super) async fn connect(
    config: &Arc<ClientConfig>,
    name: ServerName<'static>,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, AttemptFailure> {
    let connecting = TlsConnector::from(Arc::clone(config)).connect(name, stream);
    let connected = CERTIFICATE_ASKED
        .scope(Cell::new(false), async { (connecting.await, CERTIFICATE_ASKED.with(Cell::get)) });
    let (connected, is_certificate_asked) = connected.await;
    connected.map_err(|error| {
        let failure = AttemptFailure::in_handshake(&error);
        let ended = is_rejected(&error) || failure == closed();
        match (ended && is_certificate_asked, config.client_auth_cert_resolver.has_certs()) {
            (false, _) => failure,
            (true, false) => certificate_required(),
            (true, true) => certificate_rejected("handshake_failure"),
        }
    })
}

/// Returns true if the receiver ended the handshake with an alert that has no reason.
fn is_rejected(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
    matches!(error, Some(Error::AlertReceived(AlertDescription::HandshakeFailure)))
}

/// Verifies certificates as the system does, and explains why one is rejected.
#[derive(Debug)]
struct ExplainingVerifier {
    /// `None` if there are no CA certificates.
    inner: Option<Verifier>,
    /// Certificates that the user trusts in addition to those of the system.
    trusted: Vec<CertificateDer<'static>>,
    /// Whether every certificate is accepted.
    is_insecure: bool,
    provider: Arc<CryptoProvider>,
}

impl ExplainingVerifier {
    /// Begins a configuration with this verifier.
    fn builder(self) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        ClientConfig::builder().dangerous().with_custom_certificate_verifier(Arc::new(self))
    }

    /// Returns whether the user trusts this certificate itself, not only its CA.
    fn is_trusted(&self, certificate: &CertificateDer<'_>) -> bool {
        let is_same = |other: &CertificateDer<'_>| other.as_ref() == certificate.as_ref();
        self.trusted.iter().any(is_same) || own_roots().iter().any(is_same)
    }
}

/// Returns the certificates of `SSL_CERT_FILE`.
fn own_roots() -> Vec<CertificateDer<'static>> {
    let path = env::var_os("SSL_CERT_FILE");
    let all = path.and_then(|path| CertificateDer::pem_file_iter(path).ok());
    all.into_iter().flatten().filter_map(Result::ok).collect()
}

/// Verifies name and dates of a self-signed certificate that the user trusts. The library takes such a
/// certificate for a CA, which cannot be that of a server; OpenSSL and Node.js accept it.
fn verify_trusted(
    certificate: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), AttemptFailure> {
    let unreadable = || tls("the certificate of the receiver cannot be parsed");
    let parsed = webpki::EndEntityCert::try_from(certificate).map_err(|_| unreadable())?;
    if parsed.verify_is_valid_for_subject_name(server_name).is_err() {
        let names = parsed.valid_dns_names().map(str::to_owned).collect::<Vec<_>>();
        return Err(wrong_name(&names, &server_name.to_str()));
    }
    let (_, fields) = x509_parser::parse_x509_certificate(certificate).map_err(|_| unreadable())?;
    let at =
        |time: i64| UnixTime::since_unix_epoch(Duration::from_secs(time.try_into().unwrap_or(0)));
    let not_before = at(fields.validity().not_before.timestamp());
    let not_after = at(fields.validity().not_after.timestamp());
    if now > not_after {
        let error = CertificateError::ExpiredContext { time: now, not_after };
        return Err(rejected(&error, false));
    }
    if now < not_before {
        let error = CertificateError::NotValidYetContext { time: now, not_before };
        return Err(rejected(&error, false));
    }
    Ok(())
}

impl ServerCertVerifier for ExplainingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.is_insecure {
            return Ok(ServerCertVerified::assertion());
        }
        let Some(inner) = &self.inner else { return Err(as_rustls_error(no_roots())) };
        let verified =
            inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let error = match verified {
            Err(Error::InvalidCertificate(error)) => error,
            other => return other,
        };
        let is_self_signed = is_self_signed(end_entity);
        if is_self_signed && self.is_trusted(end_entity) {
            let verified = verify_trusted(end_entity, server_name, now);
            return verified.map(|()| ServerCertVerified::assertion()).map_err(as_rustls_error);
        }
        Err(as_rustls_error(rejected(&error, is_self_signed)))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Wraps a failure, so that it passes through the TLS library.
fn as_rustls_error(failure: AttemptFailure) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(failure))))
}

/// Returns whether a certificate names itself as its issuer.
fn is_self_signed(certificate: &CertificateDer<'_>) -> bool {
    let parsed = webpki::EndEntityCert::try_from(certificate);
    parsed.is_ok_and(|certificate| certificate.issuer() == certificate.subject())
}

/// Returns the failure that an error of the TLS library stands for.
pub(super) fn failure(error: &Error) -> AttemptFailure {
    match error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => inner
            .downcast_ref::<AttemptFailure>()
            .cloned()
            .unwrap_or_else(|| tls(format!("the certificate of the receiver is invalid: {inner}"))),
        Error::InvalidCertificate(error) => rejected(error, false),
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => no_tls(),
        Error::AlertReceived(alert) => alerted(*alert),
        Error::PeerIncompatible(reason) => {
            let reason =
                format!("the receiver and standin have no TLS settings in common: {reason:?}");
            tls(reason).helped("standin supports TLS 1.2 and 1.3")
        }
        other => tls(format!("the TLS handshake failed: {other}")),
    }
}

fn tls(reason: impl Into<String>) -> AttemptFailure {
    AttemptFailure::new(AttemptOutcome::Tls, reason)
}

/// The failure of a receiver that sends something other than TLS.
pub(super) fn no_tls() -> AttemptFailure {
    tls("the server does not speak TLS on this port")
        .helped("if the receiver speaks plain HTTP, write `http://` in its URL")
}

/// The failure of a receiver that speaks HTTP/2 and no HTTP/1.1.
pub(super) fn only_http2() -> AttemptFailure {
    AttemptFailure::new(AttemptOutcome::Protocol, "the receiver speaks only HTTP/2 on this port")
        .helped("enable HTTP/1.1 in the receiver: vendors send webhooks with HTTP/1.1")
}

/// The failure of a connection that the receiver closed during the handshake.
pub(super) fn closed() -> AttemptFailure {
    tls("the connection was closed during the TLS handshake")
        .helped("if the receiver speaks plain HTTP, write `http://` in its URL")
}

/// Returns the failure of a rejected certificate.
fn rejected(error: &CertificateError, is_self_signed: bool) -> AttemptFailure {
    match error {
        CertificateError::ExpiredContext { not_after, .. } => {
            tls(format!("the certificate of the receiver expired on {}", date(*not_after)))
                .helped("renew the certificate")
        }
        CertificateError::Expired => {
            tls("the certificate of the receiver has expired").helped("renew the certificate")
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            let from = date(*not_before);
            tls(format!("the certificate of the receiver is not valid before {from}"))
                .helped("check the clock of this machine, and the dates of the certificate")
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<String> =
                presented.iter().map(|name| bare_name(name).to_owned()).collect();
            wrong_name(&names, &expected.to_str())
        }
        // A self-signed certificate often says that it is a CA, which is a different error.
        _ if is_self_signed => tls("the certificate of the receiver is self-signed").helped(
            "pass its PEM file with `--ca`, or sign it with your own CA, for example with `mkcert`, and \
             pass that; `--insecure` accepts every certificate",
        ),
        CertificateError::UnknownIssuer => {
            let unknown = tls("the certificate of the receiver is signed by an unknown CA");
            unknown.helped(useless_setting().unwrap_or_else(|| {
                "pass the PEM file of the CA with `--ca`, or set `SSL_CERT_FILE` to it; if the CA is \
                 public, let the receiver send its intermediate certificates too"
                    .to_owned()
            }))
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            tls("the certificate of the receiver has a signature that is not accepted, such as SHA-1")
                .helped("sign it with SHA-256, for example with `openssl x509 -sha256`")
        }
        // The signature of the handshake fails for keys that are too short, too.
        CertificateError::BadSignature => {
            tls("the certificate of the receiver has an invalid signature or a key that is too short")
                .helped("create it with an RSA key of at least 2,048 bits, or with an EC key")
        }
        CertificateError::BadEncoding => tls("the certificate of the receiver cannot be parsed")
            .helped("create it again, in version 3 of X.509"),
        CertificateError::Revoked => {
            tls("the certificate of the receiver is revoked").helped("use another certificate")
        }
        other if is_of_client(other) => {
            tls("the certificate of the receiver is not for servers")
                .helped("its extended key usage must contain `serverAuth`")
        }
        other => tls(format!("the certificate of the receiver is invalid: {other}")),
    }
}

/// Returns the failure of a certificate for other hosts.
fn wrong_name(names: &[String], host: &str) -> AttemptFailure {
    let alternative = if host.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
    if names.is_empty() {
        return tls("the certificate of the receiver contains no host name").helped(format!(
            "add `subjectAltName={alternative}:{host}` to it; its common name does not count"
        ));
    }
    let names = names.join("`, `");
    tls(format!("the certificate of the receiver is for `{names}`, not for `{host}`"))
        .helped(format!("use a certificate that contains the name `{host}`"))
}

/// Returns true if the extended key usage of a certificate excludes servers. The verifier of the system
/// reports it with a type that is not public.
fn is_of_client(error: &CertificateError) -> bool {
    match error {
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => true,
        CertificateError::Other(other) => format!("{other:?}").contains("EkuError"),
        _ => false,
    }
}

/// Returns the help for a variable that is set, and gives no certificate.
fn useless_setting() -> Option<String> {
    let is_pem = |path: &Path| {
        fs::read_to_string(path).is_ok_and(|text| text.contains("-----BEGIN CERTIFICATE-----"))
    };
    let file = variable("SSL_CERT_FILE").filter(|path| !is_pem(path.as_ref()));
    let folder = variable("SSL_CERT_DIR").filter(|path| !Path::new(path).is_dir());
    let file = file.map(|path| ("SSL_CERT_FILE", path, "has no certificate in PEM format"));
    let folder = folder.map(|path| ("SSL_CERT_DIR", path, "is no folder"));
    let (name, path, why) = file.or(folder)?;
    let path = path.to_string_lossy();
    let expected =
        if name == "SSL_CERT_FILE" { "the PEM file" } else { "a folder with the PEM file" };
    Some(format!("`{name}` is set to `{path}`, which {why}: set it to {expected} of the CA"))
}

/// The failure of a system without CA certificates.
fn no_roots() -> AttemptFailure {
    let set = ["SSL_CERT_FILE", "SSL_CERT_DIR"].map(|name| Some((name, variable(name)?)));
    let mut set = set.into_iter().flatten();
    match set.next() {
        Some((name, value)) => {
            let value = value.to_string_lossy();
            tls(format!("no CA certificate could be read from `{name}` (`{value}`)"))
                .helped(format!("set `{name}` to certificates in PEM format, or unset it"))
        }
        None => tls("this system has no CA certificates")
            .helped("install them (package `ca-certificates`), or set `SSL_CERT_FILE`"),
    }
}

fn certificate_required() -> AttemptFailure {
    tls("the receiver requires a client certificate")
        .helped("pass one that it accepts with `--cert` and `--key`")
}

fn certificate_rejected(alert: &str) -> AttemptFailure {
    tls(format!("the receiver rejects the client certificate ({alert})"))
        .helped("pass one that it accepts with `--cert` and `--key`")
}

/// Returns the failure that the receiver reported in an alert.
fn alerted(alert: AlertDescription) -> AttemptFailure {
    match alert {
        // Servers with TLS 1.2 report a missing certificate as a bad one.
        AlertDescription::CertificateRequired
        | AlertDescription::BadCertificate
        | AlertDescription::NoCertificate => certificate_required(),
        AlertDescription::UnknownCA
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateExpired
        | AlertDescription::UnsupportedCertificate => certificate_rejected(&format!("{alert:?}")),
        AlertDescription::NoApplicationProtocol => only_http2(),
        AlertDescription::HandshakeFailure => tls(
            "the receiver rejected the TLS handshake (handshake_failure)",
        )
        .helped(
            "it may require a client certificate (`--cert` and `--key`), or support none of the \
                 ciphers of TLS 1.2 and 1.3",
        ),
        AlertDescription::ProtocolVersion => {
            tls("the receiver does not support the TLS versions of standin")
                .helped("enable TLS 1.2 or 1.3 in the receiver")
        }
        AlertDescription::UnrecognisedName => {
            tls("the receiver has no certificate for this host name")
                .helped("use a host name in the URL that the receiver serves")
        }
        other => tls(format!("the receiver ended the TLS connection with the alert {other:?}")),
    }
}

fn date(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds)
        .map_or_else(|_| "an unknown date".to_owned(), |time| time.strftime("%Y-%m-%d").to_string())
}

/// Removes the type that the library writes around a name: `DnsName("a.example")`, `IpAddress(::1)`.
fn bare_name(name: &str) -> &str {
    let inside = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inside.unwrap_or(name).trim_matches('"')
}
