//! See `scrim_fuzz::travelling`.

#![cfg_attr(fuzzing, no_main)]

scrim_fuzz::target!(text, scrim_fuzz::travelling::run);
