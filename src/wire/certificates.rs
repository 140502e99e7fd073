//! Certificates for trying Scrim out: a certificate authority of its own and a server certificate for this machine.
//!
//! Not for use beyond that: the authority's key is thrown away, so nothing else can be signed by it, and nothing
//! renews. The server's key is readable by its owner only.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// Certificates could not be made or written.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The folder or a file in it.
    #[error("cannot write certificates: {0}")]
    Write(#[from] io::Error),
    /// rcgen.
    #[error("cannot make certificates: {0}")]
    Make(#[from] rcgen::Error),
}

/// Writes `ca.crt`, `server.crt` and `server.key` into `folder` (created when missing), for `localhost`,
/// `127.0.0.1` and `::1`. What is there under these names is replaced.
pub fn make_certificates(folder: &Path) -> Result<(), CertificateError> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.distinguished_name.push(DnType::CommonName, "Scrim demo authority");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_certificate = ca.self_signed(&ca_key)?;
    let issuer = Issuer::new(ca, ca_key);

    let key = KeyPair::generate()?;
    let names = ["localhost", "127.0.0.1", "::1"];
    let mut server = CertificateParams::new(names.map(str::to_owned))?;
    server.distinguished_name.push(DnType::CommonName, "localhost");
    server.use_authority_key_identifier_extension = true;
    let certificate = server.signed_by(&key, &issuer)?;

    fs::create_dir_all(folder)?;
    fs::write(folder.join("ca.crt"), ca_certificate.pem())?;
    fs::write(folder.join("server.crt"), certificate.pem())?;
    write_private(&folder.join("server.key"), &key.serialize_pem())?;
    Ok(())
}

/// A new file that only its owner can read from the first moment on: never one that was open to others before.
fn write_private(file: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(file)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::make_certificates;

    #[test]
    fn the_key_is_its_owners_only_also_the_second_time() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("server.key");
        std::fs::write(&key, "old").unwrap();
        for _ in 0..2 {
            make_certificates(folder.path()).unwrap();
            let mode = std::fs::metadata(&key).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
