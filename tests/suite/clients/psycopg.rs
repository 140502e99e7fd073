//! psycopg 3: what Python tools do, in a script of its own.

use super::python;

#[test]
fn psycopg_works() {
    assert_eq!(python::output("psycopg_session.py", "alice", &[]).trim(), "7 checks");
}
