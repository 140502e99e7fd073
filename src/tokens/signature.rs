//! Signatures of tokens, checked by ring.
//!
//! jsonwebtoken takes one provider of cryptography for the whole process. Nothing else here uses it, so it is ours or
//! nobody is let in.

use std::sync::LazyLock;

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};

static PROVIDER: CryptoProvider = CryptoProvider {
    // Scrim makes no tokens.
    signer_factory: |_, _| Err(Error::from(ErrorKind::UnsupportedAlgorithm)),
    verifier_factory: verifier,
    // For making JWKs, which nobody does.
    key_utils: KeyUtils::new_unimplemented(),
};

static IS_OURS: LazyLock<bool> = LazyLock::new(|| PROVIDER.install_default().is_ok());

/// True when ring checks what jsonwebtoken has checked. Must be asked before.
pub(super) fn is_ready() -> bool {
    *IS_OURS
}

fn verifier(
    algorithm: &Algorithm,
    key: &DecodingKey,
) -> jsonwebtoken::errors::Result<Box<dyn JwtVerifier>> {
    let by = By::of(*algorithm).ok_or(ErrorKind::UnsupportedAlgorithm)?;
    // A key of another family has another form, and fits nothing.
    if key.family() != algorithm.family() {
        return Err(ErrorKind::InvalidKeyFormat.into());
    }
    Ok(Box::new(RingVerifier { algorithm: *algorithm, by, key: key.clone() }))
}

struct RingVerifier {
    algorithm: Algorithm,
    by: By,
    key: DecodingKey,
}

#[derive(Clone, Copy)]
enum By {
    Rsa(&'static RsaParameters),
    Bytes(&'static dyn VerificationAlgorithm),
}

impl By {
    /// An allow-list: what is symmetric, or newer than this line, is nothing.
    fn of(algorithm: Algorithm) -> Option<By> {
        Some(match algorithm {
            Algorithm::RS256 => By::Rsa(&RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => By::Rsa(&RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => By::Rsa(&RSA_PKCS1_2048_8192_SHA512),
            Algorithm::PS256 => By::Rsa(&RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => By::Rsa(&RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => By::Rsa(&RSA_PSS_2048_8192_SHA512),
            Algorithm::ES256 => By::Bytes(&ECDSA_P256_SHA256_FIXED),
            Algorithm::ES384 => By::Bytes(&ECDSA_P384_SHA384_FIXED),
            Algorithm::EdDSA => By::Bytes(&ED25519),
            _ => return None,
        })
    }
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signed: &Vec<u8>) -> Result<(), signature::Error> {
        let verified = match (self.by, self.key.kind()) {
            (By::Rsa(parameters), DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signed)
            }
            (By::Bytes(algorithm), DecodingKeyKind::SecretOrDer(key)) => {
                UnparsedPublicKey::new(algorithm, key).verify(message, signed)
            }
            (By::Rsa(_), DecodingKeyKind::SecretOrDer(_))
            | (By::Bytes(_), DecodingKeyKind::RsaModulusExponent { .. }) => {
                return Err(signature::Error::new());
            }
        };
        verified.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
