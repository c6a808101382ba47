//! TLS as libpq's `sslmode` means it, by rustls.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

/// How much a connection must be encrypted and the server proven: libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    /// Never TLS.
    Disable,
    /// TLS only where the server refuses to do without.
    Allow,
    /// TLS where the server has it.
    Prefer,
    /// Always TLS; the server is not proven unless there is a root certificate.
    Require,
    /// Always TLS, with a certificate from a trusted authority.
    VerifyCa,
    /// Always TLS, with a certificate from a trusted authority for this very host.
    VerifyFull,
}

impl SslMode {
    /// The names, as libpq spells them.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("disable", Self::Disable),
        ("allow", Self::Allow),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];
}

/// Where the trusted authorities' certificates are: libpq's `sslrootcert`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// The operating system's.
    System,
    /// A PEM file; where it does not exist, only `verify-ca` and `verify-full` mind.
    File(PathBuf),
    /// No file, because there is no home folder to have one.
    None,
}

/// The client's own certificate and its key, in PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate and its chain.
    pub certificate: PathBuf,
    /// Its private key, without a passphrase.
    pub key: PathBuf,
}

/// All that decides about TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// How much is asked for.
    pub mode: SslMode,
    /// Whom to trust.
    pub roots: Roots,
    /// Who we are, if the server asks.
    pub client: Option<ClientCertificate>,
}

/// How far a server's certificate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    /// Not at all: encryption only.
    Nothing,
    /// Its chain leads to a trusted root.
    Chain,
    /// And it is for the host that was asked for.
    ChainAndName,
}

impl TlsSettings {
    /// Returns rustls's configuration, or the reason why there is none: a file that cannot be read or used.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(ring::default_provider());
        let roots = self.load_roots()?;
        let check = match (self.mode, roots.is_empty()) {
            (SslMode::VerifyFull, _) => Check::ChainAndName,
            // libpq: a root certificate that is there is used, whatever the mode.
            (SslMode::VerifyCa, _) | (_, false) => Check::Chain,
            (_, true) => Check::Nothing,
        };
        let verifier = Verifier {
            check,
            anchors: anchors(&roots),
            roots,
            provider: Arc::clone(&provider),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        match &self.client {
            None => Ok(builder.with_no_client_auth()),
            Some(client) => {
                let (chain, key) = client.load()?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| format!("{}: {error}", client.certificate.display()))
            }
        }
    }

    fn load_roots(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let needed = self.mode >= SslMode::VerifyCa;
        match &self.roots {
            Roots::System => load_system_roots(),
            Roots::File(path) if path.exists() => load_certificates(path),
            Roots::File(path) if needed => Err(format!(
                "the root certificate file {} does not exist",
                path.display()
            )),
            Roots::None if needed => Err("no root certificate file is known".to_owned()),
            Roots::File(_) | Roots::None => Ok(Vec::new()),
        }
    }
}

/// Returns the certificates of the authorities that the system trusts.
///
/// # Errors
/// There are none.
pub(crate) fn load_system_roots() -> Result<Vec<CertificateDer<'static>>, String> {
    let loaded = rustls_native_certs::load_native_certs();
    if !loaded.certs.is_empty() {
        return Ok(loaded.certs);
    }
    let why = loaded.errors.first().map(ToString::to_string);
    Err(format!(
        "the system has no root certificates: {}",
        why.unwrap_or_else(|| "none were found".to_owned())
    ))
}

fn load_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let fail = |error: rustls::pki_types::pem::Error| format!("{}: {error}", path.display());
    let certificates = CertificateDer::pem_file_iter(path)
        .map_err(fail)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(fail)?;
    if certificates.is_empty() {
        return Err(format!("{} holds no certificate", path.display()));
    }
    Ok(certificates)
}

fn anchors(roots: &[CertificateDer<'static>]) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().cloned());
    store
}

type ChainAndKey = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl ClientCertificate {
    fn load(&self) -> Result<ChainAndKey, String> {
        let shown = self.key.display();
        let metadata = fs::metadata(&self.key).map_err(|error| format!("{shown}: {error}"))?;
        // As libpq: nobody else may read the key, but root's key may be readable by a group.
        let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
        if metadata.permissions().mode() & forbidden != 0 {
            return Err(format!(
                "others may read the private key {shown}; run `chmod 600 {shown}`"
            ));
        }
        let key =
            PrivateKeyDer::from_pem_file(&self.key).map_err(|error| format!("{shown}: {error}"))?;
        Ok((load_certificates(&self.certificate)?, key))
    }
}

/// Checks a server's certificate as far as `sslmode` asks. The handshake's signature is always checked: without it,
/// a certificate copied by someone in between would pass SCRAM's channel binding.
#[derive(Debug)]
struct Verifier {
    check: Check,
    anchors: RootCertStore,
    roots: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn check_chain(
        &self,
        end_entity: &CertificateDer<'_>,
        parsed: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let algorithms = self.provider.signature_verification_algorithms.all;
        let result = verify_server_cert_signed_by_trust_anchor(
            parsed,
            &self.anchors,
            intermediates,
            now,
            algorithms,
        );
        match result {
            // A self-signed certificate that is itself trusted, as `openssl req -x509` makes them. webpki comes to
            // this complaint only after it has found the certificate's dates to be right.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(other)))
                if other.to_string().contains("CaUsedAsEndEntity")
                    && self.roots.iter().any(|root| root == end_entity) =>
            {
                Ok(())
            }
            other => other,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.check != Check::Nothing {
            let parsed = ParsedCertificate::try_from(end_entity)?;
            self.check_chain(end_entity, &parsed, intermediates, now)?;
            if self.check == Check::ChainAndName {
                verify_server_name(&parsed, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
