//! psycopg 3: what Python tools do, in a script of its own.

use super::script::{in_python, through_scrim};

#[test]
fn psycopg_works() {
    assert_eq!(through_scrim("alice", in_python("psycopg_session.py", &[])).trim(), "7 checks");
}
