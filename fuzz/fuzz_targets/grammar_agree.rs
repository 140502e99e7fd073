//! See `scrim_fuzz::grammar_agree`.

#![cfg_attr(fuzzing, no_main)]

scrim_fuzz::target!(text, scrim_fuzz::grammar_agree::run);
