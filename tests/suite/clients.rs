//! Real clients, not only our own: psql, pg_dump, tokio-postgres, psycopg, SQLAlchemy, pgjdbc, psqlODBC, DuckDB, ogr2ogr,
//! asyncpg, Django, psycopg2, pg8000, node-postgres, postgres.js, Adminer.

mod adminer;
mod drivers;
mod duckdb;
mod gdal;
mod jdbc;
mod odbc;
mod pg_dump;
mod psql;
mod psycopg;
mod script;
mod sqlalchemy;
mod sqlx;
mod suites;
mod tokio_postgres;

pub(crate) use script::python;
