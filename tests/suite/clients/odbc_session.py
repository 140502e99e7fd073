"""What a tool does through psqlODBC; run by odbc.rs, with the options of the connection as arguments."""

import json
import os
import sys

import pyodbc

place = f"Server={os.environ['PGHOST']};Port={os.environ['PGPORT']};Database={os.environ['PGDATABASE']}"
login = f"Uid={os.environ['PGUSER']};Pwd={os.environ['PGPASSWORD']}"
connection = pyodbc.connect(f"Driver=PostgreSQL Unicode;{place};{login};{sys.argv[1]}", autocommit=False)
cursor = connection.cursor()
found = {}
found["rows"] = [list(row) for row in cursor.execute("SELECT id, email FROM customers WHERE id < ? ORDER BY id", 9)]
# More than a fetch of the cursor brings at once.
found["all"] = len(cursor.execute("SELECT * FROM customers").fetchall())
found["tables"] = [f"{row.table_schem}.{row.table_name}" for row in cursor.tables()]
found["columns"] = [row.column_name for row in cursor.columns(table="customers", schema="public")]
found["primary"] = [row.column_name for row in cursor.primaryKeys("customers", schema="public")]
found["foreign"] = sorted({row.fktable_name for row in cursor.foreignKeys("customers", schema="public")})
found["statistics"] = sorted({row.index_name for row in cursor.statistics("customers", schema="public")} - {None})
found["sizes"] = [[row[6], row[10], row[11]] for row in cursor.statistics("customers", schema="public", quick=True)]
connection.commit()
try:
    cursor.execute("SELECT reveal_email(1)")
except pyodbc.Error as error:
    found["refused"] = error.args[0]
connection.rollback()
found["after"] = cursor.execute("SELECT email FROM customers WHERE id = 1").fetchone()[0]
print(json.dumps(found, default=str))
