"""SQLAlchemy's inspector over all that the user sees; run by sqlalchemy.rs, with PG* in the environment.

Prints what it found as JSON: the test looks for what must not be there.
"""

import json
import os

import sqlalchemy
from sqlalchemy import MetaData, create_engine, inspect, select

url = sqlalchemy.URL.create(
    "postgresql+psycopg",
    os.environ["PGUSER"],
    os.environ["PGPASSWORD"],
    os.environ["PGHOST"],
    int(os.environ["PGPORT"]),
    os.environ["PGDATABASE"],
)
engine = create_engine(url)
inspector = inspect(engine)
found = {"schemas": inspector.get_schema_names(), "tables": {}, "views": {}}
for schema in ("public", "catalog"):
    names = inspector.get_table_names(schema=schema) + inspector.get_materialized_view_names(schema=schema)
    for name in names:
        found["tables"][f"{schema}.{name}"] = {
            "columns": {
                column["name"]: [str(column["type"]), column["nullable"], str(column.get("default"))]
                for column in inspector.get_columns(name, schema=schema)
            },
            "primary_key": inspector.get_pk_constraint(name, schema=schema),
            "foreign_keys": inspector.get_foreign_keys(name, schema=schema),
            "indexes": inspector.get_indexes(name, schema=schema),
            "unique": inspector.get_unique_constraints(name, schema=schema),
            "checks": inspector.get_check_constraints(name, schema=schema),
            "comment": inspector.get_table_comment(name, schema=schema),
        }
    for name in inspector.get_view_names(schema=schema):
        found["views"][f"{schema}.{name}"] = inspector.get_view_definition(name, schema=schema)
found["sequences"] = inspector.get_sequence_names(schema="public")
found["enums"] = inspector.get_enums(schema="public")
found["staff"] = inspector.has_table("staff", schema="public")

# All at once, as ORMs do it, and a query made of what was found.
metadata = MetaData()
metadata.reflect(engine, schema="public", views=True)
customers = metadata.tables["public.customers"]
with engine.connect() as connection:
    found["row"] = [str(value) for value in connection.execute(select(customers).limit(1)).one()]
    found["user"] = connection.execute(select(sqlalchemy.func.current_user())).scalar()
    found["reflected"] = sorted(metadata.tables)
print(json.dumps(found, default=str))
