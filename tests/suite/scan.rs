//! `scrim scan`: how well it judges, over the labelled columns of tests/scan, and what it does to a database and to files.

mod binary;
mod figures;
mod generators;
mod labelled;
mod numbers;
mod words;
