//! Real clients, not only our own: psql, pg_dump, tokio-postgres, psycopg, SQLAlchemy, pgjdbc.

mod jdbc;
mod pg_dump;
mod psql;
mod psycopg;
mod sqlalchemy;
mod tokio_postgres;
