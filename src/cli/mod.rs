//! The commands, a file each. Arguments in, one call, an exit code out.
