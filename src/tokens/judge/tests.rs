//! Tokens signed by keys of the test's own. RSA is in the suite, since ring makes no such keys.

use std::sync::Arc;

use proptest::prelude::*;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair,
};
use serde_json::json;

use super::*;
use crate::tokens::{KeyPlace, KeysFault};

enum Signer {
    Ecdsa(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    fn p256() -> Signer {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        Signer::Ecdsa(
            EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &SystemRandom::new()).unwrap(),
        )
    }

    fn p384() -> Signer {
        let algorithm = &ECDSA_P384_SHA384_FIXED_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        Signer::Ecdsa(
            EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &SystemRandom::new()).unwrap(),
        )
    }

    fn ed() -> Signer {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Signer::Ed(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
    }

    fn public(&self) -> &[u8] {
        match self {
            Signer::Ecdsa(pair) => pair.public_key().as_ref(),
            Signer::Ed(pair) => pair.public_key().as_ref(),
        }
    }

    fn jwk(&self, kid: &str) -> Value {
        let public = self.public();
        let part = |from: usize, to: usize| URL_SAFE_NO_PAD.encode(&public[from..to]);
        match public.len() {
            32 => json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": part(0, 32)}),
            65 => {
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": part(1, 33), "y": part(33, 65)})
            }
            97 => {
                json!({"kty": "EC", "crv": "P-384", "kid": kid, "x": part(1, 49), "y": part(49, 97)})
            }
            _ => unreachable!(),
        }
    }

    fn sign(&self, head: &Value, claims: &Value) -> String {
        let message = message(head, claims);
        let signed = match self {
            Signer::Ecdsa(pair) => {
                pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref().to_vec()
            }
            Signer::Ed(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signed))
    }
}

fn message(head: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(head), part(claims))
}

fn set(keys: &[Value]) -> Keys {
    Keys::read(json!({"keys": keys}).to_string().as_bytes()).unwrap()
}

fn options() -> TokenOptions {
    TokenOptions {
        issuer: "https://id.example.com".to_owned(),
        audience: vec!["scrim".to_owned(), "desk".to_owned()],
        keys: KeyPlace::File {
            path: "keys.json".into(),
            keys: Arc::new(set(&[Signer::ed().jwk("x")])),
        },
        user_claim: vec!["sub".to_owned()],
        role_claim: None,
        algorithms: ALGORITHMS.map(|(_, algorithm)| algorithm).to_vec(),
        leeway: Duration::from_secs(10),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn head() -> Value {
    json!({"alg": "ES256", "typ": "JWT", "kid": "one"})
}

fn claims() -> Value {
    json!({"iss": "https://id.example.com", "aud": "scrim", "sub": "kim", "exp": now() + 60})
}

/// With these members in the place of others; null takes one away.
fn with(mut value: Value, changes: Value) -> Value {
    for (name, change) in changes.as_object().unwrap() {
        let members = value.as_object_mut().unwrap();
        match change.is_null() {
            true => drop(members.remove(name)),
            false => drop(members.insert(name.clone(), change.clone())),
        }
    }
    value
}

#[test]
fn good_tokens_of_each_kind_of_key() {
    for (signer, alg) in
        [(Signer::p256(), "ES256"), (Signer::p384(), "ES384"), (Signer::ed(), "EdDSA")]
    {
        let keys = set(&[Signer::p256().jwk("other"), signer.jwk("one")]);
        let token = signer.sign(&with(head(), json!({"alg": alg})), &claims());
        let judged = judge(&token, &keys, &options()).map_err(|fault| (alg, fault)).unwrap();
        let until = judged.until.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        assert!((now() + 65..=now() + 70).contains(&until), "{alg}: the leeway is part of it");
        // By another key of the same name it is not.
        let others =
            set(&[Signer::p256().jwk("one"), Signer::p384().jwk("one"), Signer::ed().jwk("one")]);
        assert_eq!(judge(&token, &others, &options()).err(), Some(Fault::Signature), "{alg}");
    }
}

#[test]
fn what_the_claims_may_be() {
    let signer = Signer::p256();
    let keys = set(&[signer.jwk("one")]);
    for (changes, expected) in [
        (json!({"aud": ["other", "desk"]}), None),
        (json!({"exp": now() - 5}), None),
        (json!({"exp": now() as f64 + 0.5}), None),
        (json!({"nbf": now() + 5}), None),
        (json!({"nbf": now() - 5, "iat": now() + 5000, "jti": "x"}), None),
        (json!({"exp": now() - 15}), Some(Fault::Expired)),
        (json!({"exp": 0}), Some(Fault::Expired)),
        (json!({"exp": null}), Some(Fault::Incomplete)),
        (json!({"exp": (now() + 60).to_string()}), Some(Fault::Incomplete)),
        (json!({"exp": [now() + 60]}), Some(Fault::Incomplete)),
        (json!({"exp": -1}), Some(Fault::Incomplete)),
        (json!({"exp": 1e300}), Some(Fault::Incomplete)),
        (json!({"exp": u64::MAX}), Some(Fault::Incomplete)),
        (json!({"nbf": now() + 15}), Some(Fault::TooEarly)),
        (json!({"nbf": "never"}), Some(Fault::Incomplete)),
        (json!({"iss": null}), Some(Fault::Incomplete)),
        (json!({"iss": "https://id.example.com/"}), Some(Fault::Issuer)),
        (json!({"iss": "https://id.example.org"}), Some(Fault::Issuer)),
        (json!({"iss": ["https://id.example.com"]}), Some(Fault::Issuer)),
        (json!({"iss": ["https://id.example.com", "x"]}), Some(Fault::Issuer)),
        (json!({"aud": null}), Some(Fault::Incomplete)),
        (json!({"aud": "scrim2"}), Some(Fault::Audience)),
        (json!({"aud": []}), Some(Fault::Audience)),
        (json!({"aud": ["other"]}), Some(Fault::Audience)),
        (json!({"aud": {"scrim": true}}), Some(Fault::Incomplete)),
    ] {
        let token = signer.sign(&head(), &with(claims(), changes.clone()));
        let fault = judge(&token, &keys, &options()).err();
        // A list where a number belongs is not told apart from what is no JSON.
        let fault = fault.map(|it| if it == Fault::Malformed { Fault::Incomplete } else { it });
        assert_eq!(fault, expected, "{changes}");
    }
}

#[test]
fn what_the_header_may_be() {
    let (signer, other) = (Signer::p256(), Signer::p256());
    let one = set(&[signer.jwk("one")]);
    let two = set(&[signer.jwk("one"), other.jwk("two"), Signer::ed().jwk("three")]);
    for (keys, changes, expected) in [
        (&one, json!({"typ": null}), None),
        (&one, json!({"typ": "at+JWT"}), None),
        (&one, json!({"kid": null}), None),
        (&one, json!({"typ": "logout+jwt"}), Some(Fault::Kind)),
        (&one, json!({"kid": "two"}), Some(Fault::UnknownKey)),
        (&one, json!({"kid": ""}), Some(Fault::UnknownKey)),
        (&one, json!({"kid": 1}), Some(Fault::Malformed)),
        (&one, json!({"crit": ["exp"]}), Some(Fault::Critical)),
        (&one, json!({"b64": false}), Some(Fault::Critical)),
        (&two, json!({"kid": null}), Some(Fault::NoKeyId)),
        (&two, json!({"kid": "two"}), Some(Fault::Signature)),
        // Another algorithm than the key's.
        (&two, json!({"kid": "three"}), Some(Fault::Misfit)),
        (&one, json!({"alg": "ES384"}), Some(Fault::Misfit)),
        (&one, json!({"alg": "RS256"}), Some(Fault::Misfit)),
        (&one, json!({"alg": "EdDSA"}), Some(Fault::Misfit)),
        (&one, json!({"alg": "none"}), Some(Fault::Algorithm)),
        (&one, json!({"alg": "nOnE"}), Some(Fault::Algorithm)),
        (&one, json!({"alg": "es256"}), Some(Fault::Algorithm)),
        (&one, json!({"alg": "HS256"}), Some(Fault::Algorithm)),
        (&one, json!({"alg": ""}), Some(Fault::Algorithm)),
        (&one, json!({"alg": null}), Some(Fault::Malformed)),
        (&one, json!({"alg": ["ES256"]}), Some(Fault::Malformed)),
    ] {
        let token = signer.sign(&with(head(), changes.clone()), &claims());
        assert_eq!(judge(&token, keys, &options()).err(), expected, "{changes}");
    }
    // What brings its own key is checked by ours all the same.
    let own = json!({"jwk": other.jwk("one"), "jku": "https://evil.example.com/keys", "x5u": "x"});
    let token = other.sign(&with(head(), own), &claims());
    assert_eq!(judge(&token, &one, &options()).err(), Some(Fault::Signature));
    let narrow = TokenOptions { algorithms: vec![Algorithm::EdDSA], ..options() };
    let token = signer.sign(&head(), &claims());
    assert_eq!(judge(&token, &one, &narrow).err(), Some(Fault::Algorithm));
}

/// The oldest of tricks: a public key as a shared secret, and no signature at all.
#[test]
fn public_keys_are_no_secrets() {
    let signer = Signer::p256();
    let jwk = signer.jwk("one");
    let mut symmetric = jwk.clone();
    symmetric["kty"] = "oct".into();
    symmetric["k"] = URL_SAFE_NO_PAD.encode(signer.public()).into();
    let keys = set(&[jwk.clone(), symmetric]);
    assert!(keys.holds_secrets() && keys.count() == 1);
    for secret in [signer.public().to_vec(), jwk.to_string().into_bytes()] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        for alg in ["HS256", "ES256"] {
            let message = message(&with(head(), json!({"alg": alg})), &claims());
            let tag = hmac::sign(&key, message.as_bytes());
            let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag));
            let expected = if alg == "HS256" { Fault::Algorithm } else { Fault::Signature };
            assert_eq!(judge(&token, &keys, &options()).err(), Some(expected));
        }
    }
    let bare = message(&head(), &claims());
    for token in [format!("{bare}."), format!("{bare}.AA")] {
        assert_eq!(judge(&token, &keys, &options()).err(), Some(Fault::Signature));
    }
    let unsigned = message(&with(head(), json!({"alg": "none"})), &claims());
    assert_eq!(judge(&format!("{unsigned}."), &keys, &options()).err(), Some(Fault::Algorithm));
}

#[test]
fn what_is_no_token() {
    let signer = Signer::p256();
    let keys = set(&[signer.jwk("one")]);
    let good = signer.sign(&head(), &claims());
    assert!(judge(&good, &keys, &options()).is_ok());
    let (message, signed) = good.rsplit_once('.').unwrap();
    let (first, second) = message.split_once('.').unwrap();
    let twice = r#"{"alg":"none","alg":"ES256","kid":"one"}"#;
    let twice = format!("{}.{second}.{signed}", URL_SAFE_NO_PAD.encode(twice));
    for token in [
        "",
        ".",
        "..",
        "...",
        "password",
        message,
        first,
        &format!("{good}."),
        &format!("{good}.{signed}.{signed}"),
        &format!(" {good}"),
        &format!("{first}=.{second}.{signed}"),
        &twice,
    ] {
        assert_eq!(judge(token, &keys, &options()).err(), Some(Fault::Malformed), "{token}");
    }
}

#[test]
fn users_and_roles_of_claims() {
    let signer = Signer::p256();
    let keys = set(&[signer.jwk("one")]);
    let path = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let of_user = path(&["support", "analyst", "agent"]);
    let options = |user: &[&str], role: &[&str]| TokenOptions {
        user_claim: path(user),
        role_claim: (!role.is_empty()).then(|| path(role)),
        ..options()
    };
    let judged = |more: Value, options: &TokenOptions| {
        let token = signer.sign(&head(), &with(claims(), more));
        let claims = judge(&token, &keys, options)?;
        claims.judge_user("kim", options)?;
        claims.roles(&of_user, options)
    };
    let sub = options(&["sub"], &[]);
    assert_eq!(judged(json!({}), &sub), Ok(of_user.clone()));
    for (more, fault) in [
        (json!({"sub": "Kim"}), Fault::User),
        (json!({"sub": "kim "}), Fault::User),
        (json!({"sub": "kim\u{0}"}), Fault::User),
        (json!({"sub": null}), Fault::NoUser),
        (json!({"sub": ["kim"]}), Fault::Malformed),
        (json!({"sub": 7}), Fault::NoUser),
    ] {
        assert_eq!(judged(more.clone(), &sub), Err(fault), "{more}");
    }
    let deep = options(&["user", "name"], &["realm_access", "roles"]);
    let with_roles =
        |roles: Value| json!({"user": {"name": "kim"}, "realm_access": {"roles": roles}});
    for (roles, expected) in [
        (json!("analyst"), Ok(path(&["analyst"]))),
        (json!(["agent", "support", "agent"]), Ok(path(&["support", "agent"]))),
        (json!([]), Err(Fault::NoRole)),
        (json!(null), Err(Fault::NoRole)),
        (json!({"support": true}), Err(Fault::NoRole)),
        (json!(["support", 1]), Err(Fault::NoRole)),
        (json!(["support", "admin"]), Err(Fault::Role)),
        (json!("support analyst"), Err(Fault::Role)),
        (json!(""), Err(Fault::Role)),
        (json!(["Support"]), Err(Fault::Role)),
    ] {
        assert_eq!(judged(with_roles(roles.clone()), &deep), expected, "{roles}");
    }
    assert_eq!(judged(json!({"user": "kim"}), &deep), Err(Fault::NoUser));
    // A dot in a name is a dot.
    let dotted = options(&["user.name"], &[]);
    assert_eq!(judged(json!({"user": {"name": "kim"}}), &dotted), Err(Fault::NoUser));
    assert_eq!(judged(json!({"user.name": "kim"}), &dotted), Ok(of_user.clone()));
}

#[test]
fn keys_that_check_tokens_and_others() {
    let (p256, ed) = (Signer::p256().jwk("a"), Signer::ed().jwk("b"));
    let count = |keys: &[Value]| {
        Keys::read(json!({"keys": keys}).to_string().as_bytes()).map(|keys| keys.count())
    };
    let short = URL_SAFE_NO_PAD.encode([1; 31]);
    let rsa = |bits: usize| json!({"kty": "RSA", "kid": "r", "n": URL_SAFE_NO_PAD.encode(vec![0xff; bits / 8]), "e": "AQAB"});
    for (key, fits) in [
        (p256.clone(), true),
        (ed.clone(), true),
        (with(p256.clone(), json!({"use": "sig", "alg": "ES256", "key_ops": ["verify"]})), true),
        (with(p256.clone(), json!({"kid": null})), true),
        (rsa(2048), true),
        (rsa(4096), true),
        (with(rsa(2048), json!({"alg": "PS384"})), true),
        (rsa(1024), false),
        (rsa(16384), false),
        (with(rsa(2048), json!({"alg": "ES256"})), false),
        (with(rsa(2048), json!({"alg": "RSA-OAEP"})), false),
        (with(rsa(2048), json!({"alg": "XX512"})), false),
        (with(rsa(2048), json!({"n": ""})), false),
        (with(p256.clone(), json!({"use": "enc"})), false),
        (with(p256.clone(), json!({"key_ops": ["deriveKey"]})), false),
        (with(p256.clone(), json!({"alg": "HS256"})), false),
        (with(p256.clone(), json!({"crv": "P-384"})), false),
        (with(p256.clone(), json!({"crv": "secp256k1"})), false),
        (with(p256.clone(), json!({"x": short.clone()})), false),
        (with(ed.clone(), json!({"x": short})), false),
        (with(ed.clone(), json!({"crv": "P-256"})), false),
        (json!({"kty": "oct", "k": "AAAA", "kid": "s"}), false),
        (json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"}), false),
        (json!({}), false),
        (json!("key"), false),
    ] {
        let expected = if fits { Ok(1) } else { Err(KeysFault::NoneFits(1)) };
        assert_eq!(count(std::slice::from_ref(&key)), expected, "{key}");
        // One that does not fit takes no other away.
        assert_eq!(count(&[key, ed.clone()]), Ok(1 + usize::from(fits)));
    }
    assert_eq!(count(&[]), Err(KeysFault::NoneFits(0)));
    for text in ["", "[]", "{}", "{\"keys\": {}}", "{\"keys\": [", "\u{0}"] {
        assert_eq!(Keys::read(text.as_bytes()).err(), Some(KeysFault::NoSet), "{text}");
    }
    assert_eq!(Keys::read(b"\n-----BEGIN PUBLIC KEY-----").err(), Some(KeysFault::Pem));
    let private = with(p256, json!({"d": "AAAA"}));
    assert!(set(&[private]).holds_secrets());
}

proptest! {
    #[test]
    fn a_changed_token_lets_nobody_in(at in any::<prop::sample::Index>(), byte in 0x21_u8..0x7f) {
        let signer = Signer::ed();
        let keys = set(&[signer.jwk("one")]);
        let good = signer.sign(&with(head(), json!({"alg": "EdDSA"})), &claims());
        let mut bytes = good.clone().into_bytes();
        let place = at.index(bytes.len());
        bytes[place] = byte;
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(judge(&changed, &keys, &options()).is_ok(), changed == good);
    }

    #[test]
    fn no_text_panics(head in "\\PC{0,80}", claims in "\\PC{0,80}", text in "\\PC{0,80}") {
        let keys = set(&[Signer::ed().jwk("one")]);
        let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let token = format!("{}.{}.{}", encoded(&head), encoded(&claims), encoded(&text));
        prop_assert!(judge(&token, &keys, &options()).is_err());
        prop_assert!(judge(&text, &keys, &options()).is_err());
        let _ = Keys::read(text.as_bytes());
    }
}
