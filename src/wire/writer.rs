//! What Scrim itself says, encoded by pgwire.
