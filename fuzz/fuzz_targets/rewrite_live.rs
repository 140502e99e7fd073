//! See `scrim_fuzz::rewrite_live`.

#![cfg_attr(fuzzing, no_main)]

scrim_fuzz::target!(text, scrim_fuzz::rewrite_live::run);
