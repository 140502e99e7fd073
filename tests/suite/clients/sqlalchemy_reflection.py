"""SQLAlchemy's inspector over all that the user sees; run by sqlalchemy.rs, with PG* in the environment.

Prints what it found as JSON: the test looks for what must not be there.
"""

import json
import os

import sqlalchemy
from sqlalchemy import MetaData, create_engine, inspect, select
from sqlalchemy.engine.reflection import ObjectKind

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


def all_of(kind, schema):
    """What one question tells of all tables and views, by their names."""
    answer = getattr(inspector, f"get_multi_{kind}")(schema=schema, kind=ObjectKind.ANY)
    return {f"{schema}.{name}": value for (_, name), value in answer.items()}


KINDS = ("pk_constraint", "foreign_keys", "indexes", "unique_constraints", "check_constraints", "table_comment")
for schema in ("public", "catalog"):
    for name, columns in all_of("columns", schema).items():
        shown = {c["name"]: [str(c["type"]), c["nullable"], str(c.get("default"))] for c in columns}
        found["tables"][name] = {"columns": shown}
    for kind in KINDS:
        for name, value in all_of(kind, schema).items():
            found["tables"][name][kind] = value
for name in ("customer_contacts", "customer_numbers"):
    if inspector.has_table(name, schema="public"):
        found["views"][name] = inspector.get_view_definition(name, schema="public")
found["sequences"] = inspector.get_sequence_names(schema="public")
found["enums"] = inspector.get_enums(schema="public")
found["staff"] = inspector.has_table("staff", schema="public")

# As ORMs do it, and a query made of what was found.
metadata = MetaData()
metadata.reflect(engine, schema="public", only=["customers", "orders"])
customers = metadata.tables["public.customers"]
with engine.connect() as connection:
    found["row"] = [str(value) for value in connection.execute(select(customers).limit(1)).one()]
    found["user"] = connection.execute(select(sqlalchemy.func.current_user())).scalar()
    found["reflected"] = sorted(metadata.tables)
print(json.dumps(found, default=str))
