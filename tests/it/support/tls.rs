//! Receivers with TLS, and their certificates.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
};

/// A CA.
pub(crate) fn issuer(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate of a server with its key.
pub(crate) struct Identity(CertificateDer<'static>, PrivateKeyDer<'static>);

impl Identity {
    /// Returns the certificate in PEM format.
    pub(crate) fn pem(&self) -> String {
        let encoded = base64::engine::general_purpose::STANDARD.encode(&self.0);
        format!("-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n")
    }
}

pub(crate) fn signed(
    params: &CertificateParams,
    issuer: &CertifiedIssuer<'_, KeyPair>,
) -> Identity {
    let key = KeyPair::generate().unwrap();
    Identity(params.signed_by(&key, issuer).unwrap().der().clone(), key.into())
}

pub(crate) fn self_signed(params: &CertificateParams) -> Identity {
    let key = KeyPair::generate().unwrap();
    Identity(params.self_signed(&key).unwrap().der().clone(), key.into())
}

/// A receiver with TLS that is about to be started.
pub(crate) struct TlsReceiver {
    identity: Identity,
    versions: Vec<&'static SupportedProtocolVersion>,
    clients: Option<CertificateDer<'static>>,
    protocols: Vec<Vec<u8>>,
}

/// The requests that a receiver has got.
pub(crate) type TlsRequests = Arc<Mutex<Vec<String>>>;

impl TlsReceiver {
    pub(crate) fn new(identity: Identity) -> Self {
        let versions = vec![&TLS12, &TLS13];
        Self { identity, versions, clients: None, protocols: Vec::new() }
    }

    pub(crate) fn versions(self, versions: &[&'static SupportedProtocolVersion]) -> Self {
        Self { versions: versions.to_vec(), ..self }
    }

    /// Requires clients to have a certificate of this CA.
    pub(crate) fn clients(self, issuer: &CertifiedIssuer<'_, KeyPair>) -> Self {
        Self { clients: Some(issuer.der().clone()), ..self }
    }

    /// Supports only this protocol, by its name in TLS (ALPN).
    pub(crate) fn protocol(self, name: &str) -> Self {
        Self { protocols: vec![name.as_bytes().to_vec()], ..self }
    }

    /// Starts the receiver. Returns its URL and the requests that it gets.
    pub(crate) fn start(self) -> (String, TlsRequests) {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(&self.versions).unwrap();
        let builder = match self.clients {
            None => builder.with_no_client_auth(),
            Some(issuer) => {
                let mut roots = RootCertStore::empty();
                roots.add(issuer).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.unwrap())
            }
        };
        let Identity(certificate, key) = self.identity;
        let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
        config.alpn_protocols = self.protocols;
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = TlsRequests::default();
        let kept = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let session = ServerConnection::new(Arc::clone(&config)).unwrap();
                let kept = Arc::clone(&kept);
                thread::spawn(move || {
                    let mut stream = StreamOwned::new(session, stream);
                    let mut buffer = vec![0; 64 * 1024];
                    // The requests of these tests arrive in one piece.
                    while let Ok(count @ 1..) = stream.read(&mut buffer) {
                        let request = String::from_utf8_lossy(&buffer[..count]).into_owned();
                        kept.lock().unwrap().push(request);
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
                    }
                });
            }
        });
        (format!("https://localhost:{port}/"), requests)
    }
}
