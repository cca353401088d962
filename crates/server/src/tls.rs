//! TLS by the server itself: loads and reloads the certificate, and asks clients for theirs without demanding one.

use std::{path::Path, sync::Arc};

use parking_lot::RwLock;
use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use crate::config;

/// Why TLS cannot be served with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{path}: {source}")]
    File { path: String, source: rustls::pki_types::pem::Error },
    #[error("{path}: holds no certificate")]
    Empty { path: String },
    #[error("the certificate cannot be served: {0}")]
    Certificate(#[from] rustls::Error),
    #[error("{path}: cannot verify client certificates: {source}")]
    ClientCa { path: String, source: rustls::server::VerifierBuilderError },
}

/// The certificate in force; swapped as a whole on reload.
pub struct TlsState {
    files: config::Tls,
    loaded: RwLock<Arc<Loaded>>,
}

struct Loaded {
    server: Arc<ServerConfig>,
    client_ca: Option<ClientCa>,
}

/// Who may sign client certificates.
#[derive(Clone)]
pub struct ClientCa(Arc<dyn ClientCertVerifier>);

impl TlsState {
    /// Loads the files.
    ///
    /// # Errors
    /// A file is missing or unreadable, or key and certificate do not belong together.
    pub fn load(files: &config::Tls) -> Result<Self, TlsError> {
        let loaded = RwLock::new(Arc::new(load(files)?));
        Ok(Self { files: files.clone(), loaded })
    }

    /// Loads the files again. Connections already open keep what they began with.
    ///
    /// # Errors
    /// As [`TlsState::load`]; what was in force stays in force.
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = Arc::new(load(&self.files)?);
        *self.loaded.write() = fresh;
        Ok(())
    }

    /// Reloads at every SIGHUP, for as long as it is polled. A bad file is logged and changes nothing.
    ///
    /// # Errors
    /// The signal cannot be waited for.
    pub async fn reload_on_hangup(&self) -> std::io::Result<()> {
        let mut hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
        while hangup.recv().await.is_some() {
            match self.reload() {
                Ok(()) => tracing::info!("TLS certificate reloaded"),
                Err(error) => tracing::error!(%error, "TLS certificate not reloaded; the old one stays"),
            }
        }
        Ok(())
    }

    /// What the next handshake uses.
    pub(crate) fn server_config(&self) -> Arc<ServerConfig> {
        self.loaded.read().server.clone()
    }

    /// Whether a client's certificates, leaf first, lead to the configured client CA.
    pub(crate) fn verifies(&self, certificates: &[CertificateDer<'_>]) -> bool {
        let client_ca = self.loaded.read().client_ca.clone();
        client_ca.is_some_and(|ca| verify_chain(certificates, &ca))
    }
}

impl ClientCa {
    /// Reads the authorities in a PEM file.
    ///
    /// # Errors
    /// The file cannot be read or holds no usable certificate.
    pub fn load(file: &Path) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(file)? {
            roots.add(certificate)?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        let verifier = builder.build().map_err(|source| TlsError::ClientCa { path: name(file), source })?;
        Ok(Self(verifier))
    }
}

/// Whether `certificates`, leaf first, lead to `ca`, hold now, and may be used by a client (RFC 5280 section 6).
#[must_use]
pub fn verify_chain(certificates: &[CertificateDer<'_>], ca: &ClientCa) -> bool {
    let [leaf, intermediates @ ..] = certificates else { return false };
    ca.0.verify_client_cert(leaf, intermediates, UnixTime::now()).is_ok()
}

fn load(files: &config::Tls) -> Result<Loaded, TlsError> {
    let chain = certificates(&files.certificate)?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|source| TlsError::File { path: name(&files.key), source })?;
    let client_ca = files.client_ca.as_deref().map(ClientCa::load).transpose()?;
    let provider = provider();
    let anyone = AnyCertificate(provider.signature_verification_algorithms);
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_client_cert_verifier(Arc::new(anyone))
        .with_single_cert(chain, key)?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Loaded { server: Arc::new(server), client_ca })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|source| TlsError::File { path: name(file), source })?;
    if certificates.is_empty() { Err(TlsError::Empty { path: name(file) }) } else { Ok(certificates) }
}

fn name(file: &Path) -> String {
    file.display().to_string()
}

/// Lets a client show any certificate whose key it holds. Self-signed ones are matched later by the keys registered for
/// the client (RFC 8705 section 2.2); a chain is judged by [`verify_chain`].
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
