//! See `scrim_fuzz::backend_frames`.

#![cfg_attr(fuzzing, no_main)]

scrim_fuzz::target!(bytes, scrim_fuzz::backend_frames::run);
