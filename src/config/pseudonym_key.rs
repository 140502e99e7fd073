//! The key of the masks `pseudonym`, `shift` and `noise`.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

use crate::mask;

/// What is shorter could be guessed.
const BYTES_MIN: usize = 32;
/// What is longer is some other file.
const BYTES_MAX: u64 = 64 * 1024;

/// The key, as settings of server connections of masked sessions.
#[derive(Debug, Clone)]
pub struct PseudonymKey {
    settings: Vec<(&'static str, SecretString)>,
}

impl PseudonymKey {
    /// Reads a file: its bytes are the secret, whatever they are (hexadecimal, base64, or as they come from a
    /// generator), without a newline at the end. Tells too whether others than its owner may read it.
    ///
    /// # Errors
    /// Why there is no key, in words.
    pub(super) fn read(path: &Path) -> Result<(PseudonymKey, bool), String> {
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(|error| error.to_string())?;
        let mode = file.metadata().map_err(|error| error.to_string())?.permissions().mode();
        file.take(BYTES_MAX.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| error.to_string())?;
        let secret = SecretSlice::from(bytes);
        let bytes = secret.expose_secret();
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if bytes.len() < BYTES_MIN {
            return Err(format!(
                "it has {} bytes, and a key has at least {BYTES_MIN}",
                bytes.len()
            ));
        }
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > BYTES_MAX {
            return Err(format!("it is larger than {} KiB", BYTES_MAX >> 10));
        }
        let settings = mask::key_settings(bytes);
        let settings = settings.map(|(name, value)| (name, SecretString::from(value)));
        Ok((PseudonymKey { settings: settings.into() }, mode & 0o077 != 0))
    }

    /// Startup parameters for a server connection.
    pub fn parameters(&self) -> impl Iterator<Item = (String, String)> {
        let settings = self.settings.iter();
        settings.map(|(name, value)| ((*name).to_owned(), value.expose_secret().to_owned()))
    }
}
