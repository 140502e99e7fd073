//! Authentication towards the server: trust, SCRAM-SHA-256(-PLUS), and nothing weaker.
