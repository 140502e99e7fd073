"""One session through each of the drivers that Python tools use; run by drivers.rs with the driver's name.

Prints what came back as JSON, so that two servers can be compared. The address is in libpq's variables.
"""

import asyncio
import io
import json
import os
import sys

HOST, PORT, DATABASE = os.environ["PGHOST"], int(os.environ["PGPORT"]), os.environ["PGDATABASE"]
USER, PASSWORD = os.environ["PGUSER"], os.environ["PGPASSWORD"]
found = []


def saw(*values):
    found.append(values)


async def of_asyncpg():
    import asyncpg

    place = {"host": HOST, "port": PORT, "user": USER, "password": PASSWORD, "database": DATABASE}
    connection = await asyncpg.connect(**place)
    one = "SELECT id, name, email, balance, birth_date, region FROM customers WHERE id = $1"
    saw(*(await connection.fetchrow(one, 1)))
    async with connection.transaction():
        saw(len([row async for row in connection.cursor("SELECT * FROM customers", prefetch=7)]))
    counted = await connection.prepare("SELECT count(*) FROM customers WHERE region = ANY($1::text[])")
    saw(await counted.fetchval(["seoul"]), counted.get_attributes()[0].name)
    # Types that it does not know are asked for in the catalogs.
    saw(await connection.fetchval("SELECT 'calm'::mood"), await connection.fetchval("SELECT ROW(1, 'x'::text)"))
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    saw(await connection.fetchval("SELECT profile FROM customers WHERE id = 1"))
    for source in ("SELECT id, email FROM customers WHERE id < 3 ORDER BY id",):
        copied = io.BytesIO()
        saw(await connection.copy_from_query(source, output=copied), copied.getvalue())
    copied = io.BytesIO()
    saw(await connection.copy_from_table("customers", output=copied, format="csv"), sorted(copied.getvalue().split(b"\n")))
    for wrong in ("SELECT 1/0", "SELECT nothing FROM customers", "SELECT"):
        try:
            saw(await connection.fetch(wrong))
        except asyncpg.PostgresError as error:
            saw(type(error).__name__, error.sqlstate, str(error))
    try:
        await asyncio.wait_for(connection.fetch("SELECT count(*) FROM generate_series(1, 2000000000)"), 0.5)
    except asyncio.TimeoutError:
        saw("cancelled", await connection.fetchval("SELECT 7"))
    await connection.reset()
    await connection.close()
    pool = await asyncpg.create_pool(min_size=2, max_size=6, **place)

    async def email(number):
        async with pool.acquire() as lent:
            return await lent.fetchval("SELECT email FROM customers WHERE id = $1", number % 40 + 1)

    saw(*(await asyncio.gather(*[email(number) for number in range(80)])))
    await pool.close()


def of_django():
    import django
    from django.conf import settings

    place = {"HOST": HOST, "PORT": PORT, "NAME": DATABASE, "USER": USER, "PASSWORD": PASSWORD}
    settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", **place}})
    django.setup()
    from django.db import DatabaseError, connection, models, transaction

    class Customer(models.Model):
        name, email, region = models.TextField(), models.TextField(), models.TextField()
        created_at, profile = models.DateTimeField(), models.JSONField()

        class Meta:
            managed, db_table, app_label = False, "customers", "desk"

    class Order(models.Model):
        customer = models.ForeignKey(Customer, on_delete=models.CASCADE)

        class Meta:
            managed, db_table, app_label = False, "orders", "desk"

    saw(Customer.objects.get(pk=1).email, Customer.objects.count(), Customer.objects.filter(name__icontains="k").count())
    saw(*Customer.objects.values("region").annotate(n=models.Count("id")).order_by("region"))
    saw(*Order.objects.values("customer__email").annotate(n=models.Count("id")).order_by("-n", "customer__email"))
    saw(len(list(Customer.objects.iterator(chunk_size=7))))
    saw(*Customer.objects.dates("created_at", "year"), Customer.objects.filter(profile__plan="pro").count())
    with transaction.atomic():
        saw(*[order.customer.name for order in Order.objects.select_related("customer").order_by("id")[:3]])
        try:
            with transaction.atomic():
                connection.cursor().execute("SELECT 1/0")
        except DatabaseError as error:
            saw(type(error).__name__, str(error))
        saw(Customer.objects.select_for_update().filter(pk=1).first().name)
    saw(*Customer.objects.in_bulk([1, 2]), Customer.objects.filter(email__in=Order.objects.values("customer__email")).count())
    with connection.cursor() as cursor:
        fields = connection.introspection.get_table_description(cursor, "products")
        saw(*[(field.name, field.type_code, field.null_ok) for field in fields])


def of_psycopg2():
    import psycopg2
    import psycopg2.extras

    connection = psycopg2.connect(host=HOST, port=PORT, user=USER, password=PASSWORD, dbname=DATABASE)
    cursor = connection.cursor(cursor_factory=psycopg2.extras.DictCursor)
    cursor.execute("SELECT id, email FROM customers WHERE id IN %s ORDER BY id", ((1, 2),))
    saw(*cursor.fetchall())
    named = connection.cursor("named", scrollable=True)
    named.itersize = 5
    named.execute("SELECT id FROM customers ORDER BY id")
    saw(len(list(named)))
    named.scroll(0, mode="absolute")
    saw(named.fetchone())
    copied = io.StringIO()
    cursor.copy_expert("COPY (SELECT id, email FROM customers WHERE id = 1) TO STDOUT", copied)
    cursor.copy_to(copied, "products", columns=("id", "name"))
    saw(*sorted(copied.getvalue().splitlines()))
    connection.commit()
    connection.set_session(isolation_level="SERIALIZABLE", readonly=True)
    cursor.execute("SHOW transaction_isolation")
    saw(*cursor.fetchall())
    connection.rollback()
    connection.set_session(isolation_level="DEFAULT", readonly=False, autocommit=True)
    psycopg2.extras.register_uuid()
    connection.cancel()
    connection.reset()
    connection.set_session(autocommit=True)
    for wrong in ("SELECT 1/0", "SELECT nothing FROM customers"):
        try:
            cursor.execute(wrong)
        except psycopg2.Error as error:
            saw(type(error).__name__, error.pgcode, error.diag.message_primary)
    saw(connection.encoding, connection.get_transaction_status(), connection.get_parameter_status("integer_datetimes"))


def of_pg8000():
    import pg8000.native

    place = {"host": HOST, "port": PORT} if not HOST.startswith("/") else {"unix_sock": f"{HOST}/.s.PGSQL.{PORT}"}
    connection = pg8000.native.Connection(USER, password=PASSWORD, database=DATABASE, **place)
    saw(*connection.run("SELECT id, email, profile, birth_date, balance FROM customers WHERE id = :i", i=1))
    prepared = connection.prepare("SELECT :v::int + 1")
    saw(*[prepared.run(v=number) for number in range(3)])
    prepared.close()
    copied = io.BytesIO()
    connection.run("COPY (SELECT id, name FROM customers ORDER BY id) TO STDOUT WITH (FORMAT csv)", stream=copied)
    saw(copied.getvalue())
    connection.run("START TRANSACTION")
    try:
        connection.run("SELECT nothing FROM customers")
    except pg8000.native.DatabaseError as error:
        saw({key: error.args[0].get(key) for key in "SCM"})
    connection.run("ROLLBACK")
    saw(*connection.run("SELECT unnest(array_agg(region ORDER BY id)) FROM customers WHERE id < 5"))
    connection.close()


driver = sys.argv[1]
asyncio.run(of_asyncpg()) if driver == "asyncpg" else globals()[f"of_{driver}"]()
print(json.dumps(found, default=str))
