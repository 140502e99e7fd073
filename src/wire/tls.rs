//! TLS by rustls, towards clients and towards the database.
//!
//! The cryptography provider is named each time (ring), never taken from the process, so that no other crate can
//! change it. Versions are 1.2 and 1.3. Towards clients no session is ever resumed, as with PostgreSQL: who shows a
//! certificate shows it, and has it checked, each time. Towards the database there are two configurations: one that
//! checks the certificate and the host's name, and one that checks nothing and is called dangerous.
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL>

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};

use super::sasl::EndPoint;

/// The protocol's registered name; libpq 17 and later send it.
const ALPN: &[u8] = b"postgresql";

/// TLS cannot be set up as configured.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, unreadable or holds no such PEM section.
    #[error("cannot read {what} from `{}`: {reason}", path.display())]
    File {
        /// `a certificate` or `a private key`.
        what: &'static str,
        /// As configured.
        path: PathBuf,
        /// Why; holds nothing of the file.
        reason: String,
    },
    /// Certificate and key do not fit, or are of a kind that rustls does not know.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// Nobody's certificates can be checked by these authorities.
    #[error("the authorities of clients cannot be used: {0}")]
    Authorities(#[from] VerifierBuilderError),
}

/// What is needed towards clients.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// For rustls.
    pub config: Arc<ServerConfig>,
    /// What a login over it can be bound to; `None` where the certificate's signature defines nothing for it.
    pub end_point: Option<EndPoint>,
}

/// The configuration towards clients: a certificate chain (the server's own first) and its key, both PEM, and whose
/// certificates clients may show. Who shows none is let in too, to log in otherwise; one that none of `client_ca` has
/// signed ends the handshake. Reads the files at once.
pub fn server_config(
    certificate: &Path,
    key: &Path,
    client_ca: Option<&Path>,
) -> Result<Arc<ServerTls>, TlsError> {
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|fault| TlsError::File {
        what: "a private key",
        path: key.to_owned(),
        reason: fault.to_string(),
    })?;
    let end_point = chain.first().and_then(|own| EndPoint::of(own));
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let roots = root_certificates(file)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
                .allow_unauthenticated()
                .build()?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, private)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(ServerTls { config: Arc::new(config), end_point }))
}

/// The authorities of a PEM file.
pub fn root_certificates(file: &Path) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate)?;
    }
    Ok(Arc::new(roots))
}

/// Towards the database, checked: the chain ends at one of `roots` and the certificate names the host.
pub fn client_config_verify_full(roots: Arc<RootCertStore>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(config))
}

/// Towards the database, unchecked: keeps out who listens, not who stands between. For `prefer` and `require`,
/// as libpq means them.
pub fn client_config_dangerous_no_verify() -> Result<Arc<ClientConfig>, TlsError> {
    let provider = provider();
    let verifier = DangerousNoVerify { provider: Arc::clone(&provider) };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// All certificates of a PEM file; at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fault =
        |reason: String| TlsError::File { what: "a certificate", path: file.to_owned(), reason };
    let found: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| fault(error.to_string()))?;
    if found.is_empty() {
        return Err(fault("there is none in it".to_owned()));
    }
    Ok(found)
}

/// Takes any certificate; the handshake's signature is still checked, so the peer does hold its key.
#[derive(Debug)]
struct DangerousNoVerify {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for DangerousNoVerify {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
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
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::pki_types::ServerName;
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::{
        client_config_dangerous_no_verify, client_config_verify_full, root_certificates,
        server_config,
    };
    use crate::wire::certificates::make_certificates;

    async fn shake(
        server: Arc<rustls::ServerConfig>,
        client: Arc<rustls::ClientConfig>,
        name: &'static str,
    ) -> bool {
        let (here, there) = tokio::io::duplex(65_536);
        let name = ServerName::try_from(name).unwrap();
        let (accepted, connected) = tokio::join!(
            TlsAcceptor::from(server).accept(there),
            TlsConnector::from(client).connect(name, here)
        );
        accepted.is_ok() && connected.is_ok()
    }

    #[tokio::test]
    async fn verify_full_checks_signer_and_name_and_the_dangerous_one_nothing() {
        let (ours, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        make_certificates(ours.path()).unwrap();
        make_certificates(other.path()).unwrap();
        let file = |name| ours.path().join(name);
        let server = server_config(&file("server.crt"), &file("server.key"), None).unwrap();
        let server = Arc::clone(&server.config);
        let checked = |folder: &tempfile::TempDir| {
            let roots = root_certificates(&folder.path().join("ca.crt")).unwrap();
            client_config_verify_full(roots).unwrap()
        };
        for name in ["localhost", "127.0.0.1", "::1"] {
            assert!(shake(Arc::clone(&server), checked(&ours), name).await, "{name}");
        }
        assert!(!shake(Arc::clone(&server), checked(&ours), "example.org").await);
        assert!(!shake(Arc::clone(&server), checked(&other), "localhost").await);
        let unchecked = client_config_dangerous_no_verify().unwrap();
        assert!(shake(server, unchecked, "example.org").await);
    }

    #[test]
    fn files_that_hold_nothing_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.crt");
        std::fs::write(&empty, "").unwrap();
        let message = root_certificates(&empty).unwrap_err().to_string();
        assert!(message.contains("cannot read a certificate from `"), "{message}");
        assert!(message.contains("empty.crt"), "{message}");
        assert!(server_config(&empty, &empty, None).is_err());
    }
}
