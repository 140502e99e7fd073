//! The one integration binary: it links PostgreSQL's parser and TLS once. Every module is a topic.

mod canary;
mod cases;
mod catalogs;
mod cli;
mod clients;
mod config;
mod dice;
mod explained;
mod faults;
mod grammar;
mod harness;
mod house;
mod key;
mod limits;
mod lookups;
mod masked_copy;
mod parse_rate;
mod random;
mod rules;
mod session;
mod sessions_under_stress;
mod tpch;
mod upstream;
mod writing;
