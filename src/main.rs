//! Arguments in, one call, an exit code out.

fn main() {}
