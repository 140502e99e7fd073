//! TLS by rustls, towards clients and towards the database.
