//! An issuer of the test's own: its keys, its tokens.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA512,
    RsaKeyPair,
};
use serde_json::{Value, json};

pub enum Signer {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Signer {
    pub fn ecdsa() -> Signer {
        let (kind, dice) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let key = EcdsaKeyPair::generate_pkcs8(kind, &dice).expect("a key");
        Signer::Ecdsa(EcdsaKeyPair::from_pkcs8(kind, key.as_ref(), &dice).expect("a key"))
    }

    pub fn rsa() -> Signer {
        let made = Command::new("openssl")
            .args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
            .args(["-outform", "DER"])
            .output()
            .expect("openssl");
        // Versions of openssl differ in the form that they write.
        let key = RsaKeyPair::from_pkcs8(&made.stdout);
        Signer::Rsa(key.or_else(|_| RsaKeyPair::from_der(&made.stdout)).expect("a key"))
    }

    /// The public part, as an issuer publishes it.
    pub fn jwk(&self, kid: &str) -> Value {
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Signer::Ecdsa(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig",
                       "x": encoded(x), "y": encoded(y)})
            }
            Signer::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "kid": kid, "use": "sig",
                       "n": encoded(&public.n), "e": encoded(&public.e)})
            }
        }
    }

    pub fn token(&self, head: &Value, claims: &Value) -> String {
        let message = message(head, claims);
        let dice = SystemRandom::new();
        let signed = match self {
            Signer::Ecdsa(pair) => {
                pair.sign(&dice, message.as_bytes()).expect("signed").as_ref().to_vec()
            }
            Signer::Rsa(pair) => {
                let mut signed = vec![0; pair.public().modulus_len()];
                let done = match head["alg"] == "PS512" {
                    true => pair.sign(&RSA_PSS_SHA512, &dice, message.as_bytes(), &mut signed),
                    false => pair.sign(&RSA_PKCS1_SHA256, &dice, message.as_bytes(), &mut signed),
                };
                done.expect("signed");
                signed
            }
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signed))
    }
}

/// What is signed.
pub fn message(head: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(head), part(claims))
}

pub fn set(keys: &[Value]) -> String {
    json!({"keys": keys}).to_string()
}

pub fn head(alg: &str, kid: &str) -> Value {
    json!({"alg": alg, "typ": "JWT", "kid": kid})
}

/// Of a user with a role, for ten minutes.
pub fn claims(email: &str, role: &str) -> Value {
    json!({"iss": "https://id.example.com", "aud": ["scrim"], "sub": "0815", "email": email,
           "scrim": {"roles": [role]}, "exp": now() + 600})
}

/// With these members in the place of others; null takes one away.
pub fn with(mut value: Value, changes: &Value) -> Value {
    let members = value.as_object_mut().expect("members");
    for (name, change) in changes.as_object().expect("members") {
        match change.is_null() {
            true => drop(members.remove(name)),
            false => drop(members.insert(name.clone(), change.clone())),
        }
    }
    value
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}
