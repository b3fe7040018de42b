//! The CA of this user, and the certificates that the APIs of vendors present.
//!
//! Clients expect https at a vendor. They trust the certificate if they trust the CA, which is made
//! once, so that a client has to be configured once.

use std::fs;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use etcetera::{BaseStrategy as _, choose_base_strategy};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use sha2::{Digest as _, Sha256};
use x509_parser::parse_x509_certificate;
use x509_parser::pem::parse_x509_pem;

use crate::base::clock::Clock;

/// File of the certificate, which clients get.
const CERTIFICATE: &str = "ca.pem";
/// File of the private key.
const KEY: &str = "ca-key.pem";
/// Days for which a CA is valid: ten years.
const CA_DAYS: i64 = 3650;
/// Days for which a certificate is valid. Clients of Apple accept no more than 825.
const CERTIFICATE_DAYS: i64 = 397;
/// Names of this machine that every certificate has.
const LOCAL_NAMES: [&str; 4] = ["localhost", "127.0.0.1", "::1", "host.docker.internal"];

/// The CA of a user.
#[derive(Debug)]
pub struct CertificateAuthority {
    /// File of its certificate, in PEM format.
    pub file: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    valid_until: Timestamp,
}

/// A certificate with its key. Clones share it.
#[derive(Clone, Debug)]
pub struct ServerCertificate(pub(super) Arc<ServerConfig>);

/// Why there is no CA.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// There is no folder that can hold it.
    #[error("the CA cannot be stored: {0}; set `XDG_DATA_HOME` to a folder that can be written")]
    NoFolder(String),
    /// The files are not those of a valid CA.
    #[error(
        "the CA in `{folder}` cannot be used: {reason}; delete this folder, and a new CA is made"
    )]
    Invalid {
        /// Folder of the files.
        folder: String,
        /// What is wrong with them.
        reason: String,
    },
    /// A certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(String),
}

impl CertificateAuthority {
    /// Opens the CA of this user. The first use makes it.
    ///
    /// # Errors
    ///
    /// Fails if there is no folder for it, or if its files are damaged or expired.
    pub fn of_user() -> Result<Self, AuthorityError> {
        let folders = choose_base_strategy().map_err(|error| no_folder(&error))?;
        Self::open_or_create(&folders.data_dir().join("standin"), Clock::System.now())
    }

    /// Returns the path of the certificate of this user's CA. It may not exist yet.
    ///
    /// # Errors
    ///
    /// Fails if this user has no folder for data.
    pub fn user_file() -> Result<PathBuf, AuthorityError> {
        let folders = choose_base_strategy().map_err(|error| no_folder(&error))?;
        Ok(folders.data_dir().join("standin").join("ca").join(CERTIFICATE))
    }

    /// Opens the CA in the subfolder `ca` of this folder, or makes it. Processes that do so at the same
    /// time get the same CA.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be written, or if the files are damaged or expired at this time.
    pub fn open_or_create(folder: &Path, now: Timestamp) -> Result<Self, AuthorityError> {
        let own = folder.join("ca");
        if !own.exists() {
            create(folder, &own, now).map_err(|error| no_folder(&error))?;
        }
        open(&own, now)
    }

    /// Makes a certificate for this machine, the address of a network interface, and these host names.
    ///
    /// # Errors
    ///
    /// Fails if a host name is not valid.
    pub fn certificate(
        &self,
        interface: IpAddr,
        hosts: &[String],
    ) -> Result<ServerCertificate, AuthorityError> {
        let mut names: Vec<String> = LOCAL_NAMES.map(str::to_owned).into();
        names.extend(Some(interface).filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_string()));
        names.extend_from_slice(hosts);
        names.sort();
        names.dedup();
        self.sign(names).map_err(|error| AuthorityError::Certificate(error.to_string()))
    }

    fn sign(&self, names: Vec<String>) -> anyhow::Result<ServerCertificate> {
        let mut params = CertificateParams::new(names)?;
        let now = Clock::System.now();
        params.distinguished_name = named("standin".to_owned());
        let until = self.valid_until.min(now + days(CERTIFICATE_DAYS));
        set_validity(&mut params, now - days(1), until);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Python 3.13 and later require it.
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(ServerCertificate(Arc::new(config)))
    }
}

fn no_folder(error: &dyn std::error::Error) -> AuthorityError {
    AuthorityError::NoFolder(error.to_string())
}

/// Makes a CA. Nothing changes if another process makes one meanwhile.
fn create(folder: &Path, own: &Path, now: Timestamp) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // Complete before it gets its name. The name cannot be given twice, because a folder that is not
    // empty is not replaced.
    let new = tempfile::Builder::new().prefix(".ca-").tempdir_in(folder)?;
    let (certificate, key) = new_authority(now).map_err(io::Error::other)?;
    write(&new.path().join(CERTIFICATE), &certificate, 0o644)?;
    write(&new.path().join(KEY), &key, 0o600)?;
    // The client under test may be another user.
    set_mode(new.path(), 0o755)?;
    match fs::rename(new.path(), own) {
        Err(_) if own.exists() => Ok(()),
        renamed => renamed,
    }
}

/// Returns certificate and key of a new CA, in PEM format.
fn new_authority(now: Timestamp) -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    // Clients look for a CA by its name. Two CAs must not have the same.
    let number = hex::encode(&Sha256::digest(key.public_key_raw())[..4]);
    params.distinguished_name = named(format!("standin test CA {number}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, now - days(1), now + days(CA_DAYS));
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// Opens the CA in a folder.
fn open(folder: &Path, now: Timestamp) -> Result<CertificateAuthority, AuthorityError> {
    let invalid =
        |reason: String| AuthorityError::Invalid { folder: folder.display().to_string(), reason };
    let read = |name: &str| {
        fs::read_to_string(folder.join(name)).map_err(|error| invalid(format!("`{name}`: {error}")))
    };
    let (certificate, key) = (read(CERTIFICATE)?, read(KEY)?);
    let key = KeyPair::from_pem(&key)
        .map_err(|_| invalid(format!("`{KEY}` does not contain a private key")))?;
    let valid_until = checked_end(&certificate, &key, now).map_err(invalid)?;
    let issuer = Issuer::from_ca_cert_pem(&certificate, key)
        .map_err(|error| invalid(format!("`{CERTIFICATE}`: {error}")))?;
    Ok(CertificateAuthority { file: folder.join(CERTIFICATE), issuer, valid_until })
}

/// Checks the certificate of a CA, and returns until when it is valid. The error is a reason.
fn checked_end(certificate: &str, key: &KeyPair, now: Timestamp) -> Result<Timestamp, String> {
    let unreadable = || format!("`{CERTIFICATE}` does not contain a certificate");
    let (_, pem) = parse_x509_pem(certificate.as_bytes()).map_err(|_| unreadable())?;
    let (_, parsed) = parse_x509_certificate(&pem.contents).map_err(|_| unreadable())?;
    if *parsed.public_key().subject_public_key.data != *key.public_key_raw() {
        return Err(format!("`{CERTIFICATE}` and `{KEY}` do not belong together"));
    }
    let end = parsed.validity().not_after.timestamp();
    let end = Timestamp::from_second(end).map_err(|_| unreadable())?;
    if end <= now {
        return Err(format!("`{CERTIFICATE}` expired on {}", date(end)));
    }
    Ok(end)
}

/// Writes a new file with these permissions.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options.open(path)?.write_all(text.as_bytes())
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

fn named(name: String) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn days(number: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * number)
}

fn date(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

/// Sets from which day until which day a certificate is valid.
fn set_validity(params: &mut CertificateParams, from: Timestamp, until: Timestamp) {
    let midnight = |time: Timestamp| {
        let date = date(time);
        date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = midnight(from);
    params.not_after = midnight(until);
}
