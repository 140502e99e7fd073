"""How a newer libpq begins a session; run by startups.rs as alice, with PG* in the environment."""

import threading

import psycopg

checks = 0


def check(got, expected):
    global checks
    assert got == expected, f"expected {expected!r}, got {got!r}"
    checks += 1


assert psycopg.pq.version() >= 180000, f"libpq {psycopg.pq.version()} has no protocol 3.2"
SLOW = "SELECT count(*) FROM " + ", ".join(f"orders o{n}" for n in range(12))

for words in (
    "sslmode=verify-full sslnegotiation=direct max_protocol_version=3.2",
    "sslmode=verify-full sslnegotiation=direct channel_binding=require",
    "sslmode=verify-full max_protocol_version=latest channel_binding=require",
    "sslmode=verify-full max_protocol_version=3.0",
    "sslmode=disable min_protocol_version=3.2 max_protocol_version=3.2",
):
    with psycopg.connect(words, autocommit=True) as connection:
        check(connection.execute("SHOW scrim.user").fetchone(), ("alice",))
        # A cancel goes the same way, TLS or not, with the key of the version.
        ended = threading.Event()

        def cancel():
            while not ended.wait(0.1):
                connection.cancel_safe()

        canceller = threading.Thread(target=cancel)
        canceller.start()
        try:
            connection.execute(SLOW)
            raise AssertionError("nothing was cancelled")
        except psycopg.errors.QueryCanceled:
            checks += 1
        finally:
            ended.set()
            canceller.join()
        check(connection.execute("SELECT 1").fetchone(), (1,))

print(f"{checks} checks")
