//! Real clients, not only our own: psql, tokio-postgres, psycopg.

mod psql;
mod psycopg;
mod tokio_postgres;
