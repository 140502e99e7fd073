"""Every table of the desk as DuckDB's extension for PostgreSQL reads it: binary COPY of ranges of ctid.

Run by duckdb.rs. Writes each table as CSV into the folder that is given, and prints their names and sizes as JSON.
"""

import json
import os
import sys

import duckdb
from duckdb_extensions import import_extension

folder = sys.argv[1]
import_extension("postgres_scanner")
connection = duckdb.connect()
connection.execute("LOAD postgres_scanner")
# DuckDB's arrays have one number of dimensions, PostgreSQL's have not.
connection.execute("SET pg_array_as_varchar = true")
# Small tables in many ranges, so that ranges are what is tried.
connection.execute("SET pg_pages_per_task = 1")
connection.execute("ATTACH '' AS desk (TYPE postgres, READ_ONLY)")

tables, closed = {}, []
for database, schema, table, *_ in connection.execute("SHOW ALL TABLES").fetchall():
    if database != "desk":
        continue
    name = f"{schema}.{table}"
    path = os.path.join(folder, f"{name}.csv")
    relation = f'desk.{schema}."{table}"'
    try:
        connection.execute(f"COPY (SELECT * FROM {relation}) TO '{path}' (FORMAT csv)")
    except duckdb.Error as error:
        # A view that does what the role may not do.
        if f"relation `{name}` is closed to this role" not in str(error):
            raise
        closed.append(name)
        continue
    (tables[name],) = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()

columns = "id, name, email, phone, birth_date, balance::varchar"
first = connection.execute(f"SELECT {columns} FROM desk.public.customers WHERE id = 1").fetchone()
joined = connection.execute(
    "SELECT c.email, count(*) FROM desk.public.orders o JOIN desk.public.customers c ON c.id = o.customer_id "
    "WHERE c.id = 1 GROUP BY ALL"
).fetchall()
sent = connection.execute(
    "SELECT * FROM postgres_query('desk', 'SELECT email FROM customers WHERE id = 1')"
).fetchall()
found = {"tables": tables, "closed": closed, "first": first, "joined": joined, "sent": sent}
print(json.dumps(found, default=str))
