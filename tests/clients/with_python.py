"""Runs in the environment of AWS's Python packages: each connects by the cluster's name and does its work.

Arguments: the name, the port, and the functions below to run. Prints one line of JSON: by function, what it
read, or the error. Only the resolver is ours, because the tests change no hosts file.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import uuid
from contextlib import closing

NAME, PORT = sys.argv[1], int(sys.argv[2])
_resolve = socket.getaddrinfo


def _to_loopback(host, *others, **more):
    return _resolve("127.0.0.1" if host == NAME else host, *others, **more)


socket.getaddrinfo = _to_loopback


def work(execute, fetch, table):
    """DDL, writes in a transaction that its own BEGIN opens, and what is then there."""
    execute(f"CREATE TABLE {table} (id bigint PRIMARY KEY, v text)")
    execute("BEGIN")
    execute(f"INSERT INTO {table} VALUES (1, 'a'), (2, 'b')")
    execute(f"UPDATE {table} SET v = 'c' WHERE id = 1")
    execute(f"DELETE FROM {table} WHERE id = 2")
    execute("COMMIT")
    return [list(row) for row in fetch(f"SELECT * FROM {table}")]


def psycopg():
    import aurora_dsql_psycopg

    with aurora_dsql_psycopg.connect(host=NAME, port=PORT, user="admin", autocommit=True) as connection:
        return work(connection.execute, lambda sql: connection.execute(sql).fetchall(), "by_psycopg")


def psycopg_pool():
    import aurora_dsql_psycopg

    url = f"postgresql://{NAME}:{PORT}/postgres?user=admin"
    with (
        aurora_dsql_psycopg.create_pool(url, min_size=1, max_size=2, open=True) as pool,
        pool.connection() as one,
    ):
        return one.execute("SELECT current_user").fetchone()[0]


def psycopg2():
    import aurora_dsql_psycopg2

    with closing(aurora_dsql_psycopg2.connect(host=NAME, port=PORT, user="admin")) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        return work(cursor.execute, lambda sql: cursor.execute(sql) or cursor.fetchall(), "by_psycopg2")


def asyncpg():
    import aurora_dsql_asyncpg

    async def go():
        connection = await aurora_dsql_asyncpg.connect(
            host=NAME, port=PORT, user="admin", database="postgres"
        )
        await connection.execute("CREATE TABLE by_asyncpg (id bigint PRIMARY KEY, v text)")
        async with connection.transaction():
            await connection.execute("INSERT INTO by_asyncpg VALUES ($1, $2)", 1, "c")
        rows = await connection.fetch("SELECT * FROM by_asyncpg")
        await connection.close()
        return [list(row) for row in rows]

    return asyncio.run(go())


def _sqlalchemy(driver):
    import sqlalchemy as sa
    from aurora_dsql_sqlalchemy import create_dsql_engine
    from sqlalchemy import orm

    engine = create_dsql_engine(host=NAME, user="admin", driver=driver, connect_args={"port": PORT})
    base = orm.declarative_base()

    class Thing(base):
        __tablename__ = f"by_sqlalchemy_{driver}"
        id = sa.Column(sa.Uuid, primary_key=True, default=uuid.uuid4)
        v = sa.Column(sa.String(20), index=True)

    base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add(Thing(v="a"))
        session.commit()
        session.query(Thing).update({"v": "c"})
        session.commit()
        rows = [thing.v for thing in session.query(Thing)]
    seen = sa.inspect(engine)
    table = Thing.__tablename__
    columns = [column["name"] for column in seen.get_columns(table)]
    indexes = [index["column_names"] for index in seen.get_indexes(table)]
    return [rows, columns, seen.get_pk_constraint(table)["constrained_columns"], indexes]


def sqlalchemy_psycopg():
    return _sqlalchemy("psycopg")


def sqlalchemy_psycopg2():
    return _sqlalchemy("psycopg2")


def django():
    import io

    import django as package
    from django.conf import settings

    options = {"sslmode": "verify-full", "sslrootcert": "system"}
    database = {
        "ENGINE": "aurora_dsql_django",
        "HOST": NAME,
        "PORT": PORT,
        "USER": "admin",
        "NAME": "postgres",
    }
    settings.configure(
        DATABASES={"default": {**database, "OPTIONS": options}},
        INSTALLED_APPS=["django.contrib.contenttypes"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    package.setup()
    from django.contrib.contenttypes.models import ContentType
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    ContentType.objects.create(app_label="a", model="b")
    ContentType.objects.filter(app_label="a").update(model="c")
    written = io.StringIO()
    call_command("inspectdb", "django_content_type", stdout=written)
    fields = [name for name in ("app_label", "model") if f"{name} = models.CharField(" in written.getvalue()]
    return [[found.model for found in ContentType.objects.filter(app_label="a")], fields]


def _tortoise(driver):
    import aurora_dsql_tortoise
    from tortoise import Tortoise, fields
    from tortoise.models import Model

    class Thing(Model):
        id = fields.UUIDField(primary_key=True)
        v = fields.CharField(max_length=20)

        class Meta:
            table = f"by_tortoise_{driver}"

    Thing.__module__ = "__main__"
    globals()["Thing"] = Thing

    async def go():
        aurora_dsql_tortoise.register_backends()
        url = f"dsql+{driver}://admin@{NAME}:{PORT}/postgres"
        await Tortoise.init(db_url=url, modules={"models": ["__main__"]})
        await Tortoise.generate_schemas()
        thing = await Thing.create(v="a")
        await Thing.filter(id=thing.id).update(v="c")
        rows = [found.v for found in await Thing.all()]
        await Tortoise.close_connections()
        return rows

    return asyncio.run(go())


def tortoise_asyncpg():
    return _tortoise("asyncpg")


def tortoise_psycopg():
    return _tortoise("psycopg")


def outcome(name):
    """What the function read, or its error as text."""
    try:
        return globals()[name]()
    except Exception as error:  # noqa: BLE001 - an error is a result here
        return f"{type(error).__name__}: {error}"


print(json.dumps({name: outcome(name) for name in sys.argv[3:]}))  # noqa: T201 - the test reads it
