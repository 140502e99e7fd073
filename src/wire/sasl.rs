//! SCRAM-SHA-256 towards the client.
