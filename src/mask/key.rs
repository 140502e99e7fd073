//! The key of keyed masks, as settings of a session.
//!
//! The masks' SQL computes HMAC-SHA256 (RFC 2104) over two settings that hold the key's pads, so that no statement,
//! plan or log holds the key: they hold the settings' names. A server connection gets them at its start, so that RESET
//! ALL and DISCARD ALL bring them back; masked roles can neither read nor change them, and SHOW ALL and pg_settings leave
//! out settings that no module has defined.

use ring::hmac;

/// The setting with the inner pad, 64 bytes in hexadecimal.
pub const INNER_SETTING: &str = "scrim.k_inner";
/// The setting with the outer pad.
pub const OUTER_SETTING: &str = "scrim.k_outer";
/// Hexadecimal digits of a pad.
pub(super) const PAD_DIGITS: usize = 128;
/// SHA-256's block.
const BLOCK_BYTES: usize = 64;
/// What the secret is used for here, so that it may be used for something else too.
const USE: &[u8] = b"scrim pseudonyms 1";

/// True for the settings that hold the key, in any case, and for whatever else could one day.
pub fn is_key_setting(name: &str) -> bool {
    name.to_ascii_lowercase().starts_with("scrim.k_")
}

/// The settings for a secret. Whoever holds them should not let them print.
pub fn key_settings(secret: &[u8]) -> [(&'static str, String); 2] {
    let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), USE);
    let pad = |mask: u8| -> String {
        let key = derived.as_ref().iter().copied().chain(std::iter::repeat(0)).take(BLOCK_BYTES);
        key.map(|byte| format!("{:02x}", byte ^ mask)).collect()
    };
    [(INNER_SETTING, pad(0x36)), (OUTER_SETTING, pad(0x5c))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_are_whole_and_differ() {
        let [(inner, one), (outer, two)] = key_settings(b"0123456789abcdef0123456789abcdef");
        assert!(is_key_setting(inner) && is_key_setting(&outer.to_ascii_uppercase()));
        assert_eq!((one.len(), two.len()), (PAD_DIGITS, PAD_DIGITS));
        // The key has 32 bytes: behind it stand the masks alone.
        assert!(one.ends_with(&"36".repeat(32)) && two.ends_with(&"5c".repeat(32)));
        assert_ne!(key_settings(b"another"), key_settings(b"other"));
    }
}
