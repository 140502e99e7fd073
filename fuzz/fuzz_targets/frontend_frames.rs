//! See `scrim_fuzz::frontend_frames`.

#![cfg_attr(fuzzing, no_main)]

scrim_fuzz::target!(bytes, scrim_fuzz::frontend_frames::run);
