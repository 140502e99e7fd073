"""What a Python tool does with a connection; run by psycopg.rs as alice, with PG* in the environment."""

import datetime
import decimal

import psycopg

checks = 0


def check(got, expected):
    global checks
    assert got == expected, f"expected {expected!r}, got {got!r}"
    checks += 1


with psycopg.connect(autocommit=True) as connection:
    # Parameters, text and binary results.
    sql = "SELECT email, balance, birth_date FROM customers WHERE id = %s"
    row = ("m***@example.com", decimal.Decimal("1290000.00"), datetime.date(1985, 1, 1))
    for binary in (False, True):
        check(connection.execute(sql, [1], binary=binary).fetchone(), row)

    # Prepared after five executions by default; here at once, and again.
    for customer in (1, 2, 3):
        found = connection.execute(
            "SELECT id FROM customers WHERE id = %s", [customer], prepare=True
        ).fetchone()
        assert found == (customer,), found
    checks += 1

    # The server's own error, then Scrim's, in a transaction each; the session goes on.
    for statement, state in (("SELECT 1/0", "22012"), ("SELECT reveal_email(1)", "42501")):
        try:
            with connection.transaction():
                connection.execute(statement)
        except psycopg.Error as error:
            check(error.sqlstate, state)

    # Pipeline mode: statements go out before answers come back, one of them refused.
    with connection.pipeline() as pipeline:
        cursors = [connection.execute("SELECT %s::int", [number]) for number in range(5)]
        pipeline.sync()
        check([cursor.fetchone()[0] for cursor in cursors], [0, 1, 2, 3, 4])
    try:
        with connection.pipeline():
            connection.execute("SELECT 1")
            connection.execute("SELECT reveal_email(1)")
            connection.execute("SELECT 2")
    except psycopg.Error as error:
        assert error.sqlstate == "42501", error
    check(connection.execute("SELECT count(*) FROM customers").fetchone(), (40,))

print(checks, "checks")
