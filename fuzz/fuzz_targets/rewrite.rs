//! See `scrim_fuzz::rewrite`.

#![cfg_attr(fuzzing, no_main)]

scrim_fuzz::target!(text, scrim_fuzz::rewrite::run);
