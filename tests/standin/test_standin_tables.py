"""Everything beside an adopted table: it is made, changed and dropped with the table, and bounded in size."""

# ruff: noqa: S608 - names and numbers of our own

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from hotrow.standin.rewriting.rewrite import rewrite
from tests.support.interleaving import play

if TYPE_CHECKING:
    from collections.abc import Iterator

FAMILY = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
SHOP = (
    "CREATE TABLE parent (id int PRIMARY KEY, code text UNIQUE)",
    """CREATE TABLE child (
        id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE,
        code text REFERENCES parent (code) ON DELETE SET NULL)""",
    "INSERT INTO parent VALUES (1, 'a'), (2, 'b'), (3, 'c')",
    "INSERT INTO child VALUES (1, 1, 'b'), (2, 2, 'c'), (3, NULL, NULL)",
)


class Client:
    """A connection whose statements are rewritten, as in hotrow and in the endpoint."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def __call__(self, statement: str) -> Any:
        """The rows, or the command tag."""
        cursor = self.connection.execute(rewrite(statement))
        return cursor.fetchall() if cursor.description else cursor.statusmessage


@pytest.fixture
def client(dsn: str, schema: str) -> Iterator[Client]:
    with psycopg.connect(dsn, autocommit=True, options=f"-c search_path={schema}") as connection:
        yield Client(connection)


@pytest.fixture
def shop(client: Client) -> Client:
    for statement in SHOP:
        client(statement)
    return client


def children(client: Client) -> list[tuple[Any, ...]]:
    return client("SELECT id, parent, code FROM child ORDER BY id")


def test_a_changed_key_is_followed_by_those_that_refer_to_it(shop: Client) -> None:
    """ON UPDATE CASCADE changes the rows, without an ON DELETE CASCADE on the way."""
    shop("UPDATE parent SET id = 10 WHERE id = 1")

    assert children(shop) == [(1, 10, "b"), (2, 2, "c"), (3, None, None)]


def test_a_deleted_row_takes_along_or_empties_what_refers_to_it(shop: Client) -> None:
    """ON DELETE CASCADE and ON DELETE SET NULL."""
    shop("DELETE FROM parent WHERE id = 3")
    assert children(shop) == [(1, 1, "b"), (2, 2, None), (3, None, None)]

    shop("DELETE FROM parent WHERE id = 1")
    assert children(shop) == [(2, 2, None), (3, None, None)]


def test_each_foreign_key_is_checked_and_a_dropped_one_no_more(shop: Client) -> None:
    """The statement gets 23503, until DROP TABLE … CASCADE removes the foreign key."""
    for row in ("(4, 9, NULL)", "(4, 1, 'z')"):
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            shop(f"INSERT INTO child VALUES {row}")
    with pytest.raises(psycopg.errors.DependentObjectsStillExist):
        shop("DROP TABLE parent")

    assert shop("DROP TABLE parent CASCADE") == "DROP TABLE"
    assert shop("INSERT INTO child VALUES (4, 9, 'z')") == "INSERT 0 1"


def test_a_row_may_refer_to_itself(client: Client) -> None:
    """The row may be inserted, and deleted when no other row references it."""
    client("CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree)")
    client("INSERT INTO tree VALUES (1, 1), (2, 1)")

    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        client("DELETE FROM tree WHERE id = 1")
    client("DELETE FROM tree WHERE id = 2")
    assert client("DELETE FROM tree WHERE id = 1") == "DELETE 1"


def test_columns_may_have_the_names_that_functions_use(client: Client) -> None:
    """A column may have the name of a variable in the stand-in's functions."""
    client(
        'CREATE TABLE odd (state int PRIMARY KEY, op text, upto int, near int, t int, "select" int,'
        " UNIQUE (op, near))"
    )
    client("INSERT INTO odd VALUES (1, 'x', 1, 1, 1, 1)")

    assert client("UPDATE odd SET op = 'y', near = 2 WHERE state = 1 RETURNING op, near") == [("y", 2)]
    assert client('DELETE FROM odd WHERE "select" = 1') == "DELETE 1"


def test_a_dropped_table_leaves_nothing(client: Client) -> None:
    """No relations or functions stay, and CASCADE is not needed."""
    client("CREATE TABLE thing (id int PRIMARY KEY, name text UNIQUE)")

    assert client("DROP TABLE thing") == "DROP TABLE"
    assert client(FAMILY) == []
    assert client("SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace") == []


def test_a_renamed_table_and_a_renamed_column_are_what_they_were(client: Client) -> None:
    """Rows, defaults, indexes and rights stay."""
    client("CREATE TABLE thing (id int PRIMARY KEY, name text DEFAULT 'x' UNIQUE)")
    client("INSERT INTO thing VALUES (1, 'a')")
    client("GRANT SELECT ON thing TO PUBLIC")

    client("ALTER TABLE thing RENAME TO item")
    client("ALTER TABLE item RENAME COLUMN name TO label")

    assert client("INSERT INTO item (id) VALUES (2) RETURNING label") == [("x",)]
    assert client("SELECT id, label FROM item ORDER BY id") == [(1, "a"), (2, "x")]
    with pytest.raises(psycopg.errors.UniqueViolation):
        client("INSERT INTO item VALUES (3, 'a')")
    assert client("SELECT relacl::text LIKE '%=r/%' FROM pg_class WHERE oid = 'item'::regclass") == [(True,)]


def test_a_unique_index_counts_from_when_it_is_made_until_it_is_dropped(client: Client) -> None:
    """Duplicates get 23505 while the index exists."""
    client("CREATE TABLE thing (id int PRIMARY KEY, name text)")
    client("INSERT INTO thing VALUES (1, 'a')")
    ((job,),) = client("CREATE UNIQUE INDEX ASYNC thing_name ON thing (name)")
    assert client(f"CALL sys.wait_for_job('{job}')") == [(True,)]

    with pytest.raises(psycopg.errors.UniqueViolation):
        client("INSERT INTO thing VALUES (2, 'a')")
    client("DROP INDEX thing_name")
    assert client("INSERT INTO thing VALUES (2, 'a')") == "INSERT 0 1"


def test_a_role_works_with_what_it_was_granted_and_with_tables_of_its_own(
    dsn: str, schema: str, client: Client
) -> None:
    """The view's rights apply. A table that a role makes is adopted and belongs to the role."""
    client("CREATE TABLE thing (id int PRIMARY KEY, name text)")
    client(f"CREATE ROLE {schema}_app LOGIN")
    client(f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {schema}_app")
    client(f"GRANT SELECT, INSERT ON thing TO {schema}_app")
    try:
        with psycopg.connect(dsn, user=f"{schema}_app", autocommit=True) as connection:
            app = Client(connection)
            app(f"SET search_path TO {schema}")
            assert app("INSERT INTO thing VALUES (1, 'a')") == "INSERT 0 1"
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app("DELETE FROM thing")
            app("CREATE TABLE mine (id int PRIMARY KEY)")
            app("INSERT INTO mine VALUES (1)")
            app("ALTER TABLE mine ADD COLUMN more int")
            assert app("SELECT id, more FROM mine FOR UPDATE") == [(1, None)]
            app("DROP TABLE mine")
    finally:
        client(f"DROP OWNED BY {schema}_app")
        client(f"DROP ROLE {schema}_app")


def test_alter_table_steps_aside_for_an_open_transaction_and_loses_nothing(
    dsn: str, schema: str, client: Client
) -> None:
    """The open transaction gets OC001.

    Rows, constraints, defaults and index names stay. The next DDL cleans up.
    """
    client(
        "CREATE TABLE thing (id bigint PRIMARY KEY, name text UNIQUE, size int DEFAULT 3 CHECK (size > 0))"
    )
    client("INSERT INTO thing VALUES (1, 'a'), (2, 'b')")
    client("GRANT SELECT ON thing TO PUBLIC")
    script = f"""
        a: BEGIN                                       -> BEGIN
        a: UPDATE thing SET size = 9 WHERE id = 1      -> UPDATE 1
        b: {rewrite("ALTER TABLE thing ADD COLUMN colour text")} -> ALTER TABLE
        b: UPDATE thing SET size = 4, colour = 'red' WHERE id = 2 -> UPDATE 1
        a: COMMIT                                      -> 40001 OC001
        a: SELECT id, size, colour FROM thing ORDER BY id -> 1, 3, None; 2, 4, red
        a: INSERT INTO thing VALUES (3, 'a')           -> 23505
        a: INSERT INTO thing VALUES (3, 'c', 0)        -> 23514
        a: INSERT INTO thing (id) VALUES (3) RETURNING size -> 3"""
    played = play(dsn, schema, script)

    assert [(step, expected) for step, expected, _ in played] == [
        (step, observed) for step, _, observed in played
    ]
    assert client(
        "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'thing'::regclass ORDER BY 1"
    ) == [
        ("thing_name_key",),
        ("thing_pkey",),
    ]
    assert client("SELECT relacl::text LIKE '%=r/%' FROM pg_class WHERE oid = 'thing'::regclass") == [(True,)]
    client("CREATE TABLE other (id int PRIMARY KEY)")
    assert client("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'hotrow\\_gone%'") == []


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ("INSERT INTO other VALUES (1)", "ALTER TABLE"),
        ("DO 'BEGIN UPDATE thing__base SET size = 9; RAISE division_by_zero; END'", "ALTER TABLE"),
        ("INSERT INTO thing VALUES (3, 3)", "55P03"),
        ("UPDATE thing SET size = 9 WHERE id = 1", "55P03"),
        ("DELETE FROM thing WHERE id = 1", "55P03"),
        ("UPDATE thing SET id = 3 WHERE id = 1", "55P03"),
        ("CREATE INDEX ON thing__base (size)", "55P03"),
    ],
)
def test_alter_table_steps_aside_unless_the_table_has_changed_since_its_snapshot(
    dsn: str, schema: str, client: Client, change: str, answer: str
) -> None:
    """A commit that does not change the table does not make ALTER TABLE wait for a reader.

    After each change another session commits to another table.
    """
    client.connection.execute("SET ROLE admin")
    client("CREATE TABLE other (id int PRIMARY KEY)")
    client("CREATE TABLE thing (id int PRIMARY KEY, size int)")
    client("INSERT INTO thing VALUES (1, 1), (2, 2)")
    script = f"""
        b: SET lock_timeout = {"0" if answer == "ALTER TABLE" else "'100ms'"} -> SET
        b: SET ROLE admin                       -> SET
        b: BEGIN                                -> BEGIN
        b: SELECT count(*) FROM other           -> 0
        a: BEGIN                                -> BEGIN
        a: SELECT count(*) FROM thing           -> 2
        c: {change}                             -> *
        d: INSERT INTO other VALUES (2)         -> INSERT 0 1
        b: {rewrite("ALTER TABLE thing ADD COLUMN colour text")} -> {answer}
        b: COMMIT                               -> {"COMMIT" if answer == "ALTER TABLE" else "ROLLBACK"}"""
    played = [step for step in play(dsn, schema, script) if step[1] != "*"]

    assert [(step, expected) for step, expected, _ in played] == [
        (step, observed) for step, _, observed in played
    ]


def test_the_write_set_is_bounded_whoever_comes_and_goes(dsn: str, schema: str, client: Client) -> None:
    """The rows of ended sessions are deleted, and those of a large transaction are not kept."""
    client("CREATE TABLE thing (id int PRIMARY KEY)")
    for id_ in range(200):
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"INSERT INTO {schema}.thing VALUES ({id_})")

    client("INSERT INTO thing SELECT generate_series(1000, 3999)")
    ((rows,),) = client("SELECT count(*) FROM thing__writes")
    assert rows < 200


def test_what_was_read_for_key_share_is_bounded(client: Client) -> None:
    """Rows in account__shares that every snapshot sees are deleted by one in 33 transactions."""
    client("CREATE TABLE parent (id int PRIMARY KEY)")
    client("CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent)")
    client("INSERT INTO parent VALUES (1)")
    for id_ in range(700):
        client(f"INSERT INTO child VALUES ({id_}, 1)")

    ((rows,),) = client("SELECT count(*) FROM parent__shares")
    assert rows < 700


def test_a_foreign_key_is_checked_for_a_role_that_sees_neither_table(
    dsn: str, schema: str, client: Client
) -> None:
    """Like PostgreSQL, the check uses the rights of the table's owner."""
    client("CREATE TABLE parent (id int PRIMARY KEY, note text)")
    client("CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent)")
    client("INSERT INTO parent VALUES (1)")
    client(f"CREATE ROLE {schema}_app LOGIN")
    client(f"GRANT USAGE ON SCHEMA {schema} TO {schema}_app")
    client(f"GRANT INSERT ON child TO {schema}_app")
    try:
        with psycopg.connect(
            dsn, user=f"{schema}_app", autocommit=True, options=f"-c search_path={schema}"
        ) as app:
            app.execute("INSERT INTO child VALUES (1, 1)")
            with pytest.raises(psycopg.errors.ForeignKeyViolation) as caught:
                app.execute("INSERT INTO child VALUES (2, 2)")
        assert caught.value.diag.constraint_name == "child_parent_fkey"
        assert caught.value.diag.table_name == "child"
    finally:
        client(f"DROP OWNED BY {schema}_app")
        client(f"DROP ROLE {schema}_app")


def test_installing_over_an_older_text_keeps_the_tables(client: Client) -> None:
    """A newer SQL text rebuilds the tables and keeps their rows, as an update of hotrow does."""
    client("CREATE TABLE thing (id int PRIMARY KEY, name text)")
    client("INSERT INTO thing VALUES (1, 'a')")
    client("SET hotrow.rules = off")
    client("SELECT set_config('hotrow.adopting', 'on', false)")
    client("SELECT hotrow.remove(hotrow.parts('thing__base'::regclass))")
    client("SELECT hotrow.build('thing__base'::regclass)")

    assert client("UPDATE thing SET name = 'b' RETURNING id, name") == [(1, "b")]


def test_ddl_says_nothing_of_what_is_beside_a_table(client: Client) -> None:
    """No notice comes where plain tables give none."""
    notices: list[str] = []
    client.connection.add_notice_handler(lambda diagnostic: notices.append(str(diagnostic.message_primary)))
    client("CREATE TABLE thing (id int PRIMARY KEY, name text UNIQUE, CHECK (id > 0))")
    client("CREATE TABLE part (id int, thing int REFERENCES thing)")
    client("CREATE VIEW seen AS SELECT id FROM part")
    client("CREATE UNIQUE INDEX ASYNC by_name ON thing (lower(name))")
    client("DROP INDEX by_name")
    client("ALTER TABLE thing ADD COLUMN v int")
    client("DROP VIEW seen")
    client("DROP TABLE part, thing")

    client("DROP TABLE IF EXISTS thing")
    assert notices == ['table "thing__base" does not exist, skipping']
