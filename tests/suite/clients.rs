//! Real clients, not only our own: psql, tokio-postgres, psycopg.

mod pg_dump;
mod psql;
mod psycopg;
mod tokio_postgres;
