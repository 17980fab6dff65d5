"""Rewriting INSERT … ON CONFLICT."""

# ruff: noqa: S608 - texts of statements that nobody runs

from __future__ import annotations

import pytest

from hotrow.standin.rewriting.rewrite import rewrite

TARGET = (
    "SELECT hotrow.refuse('0A000', 'the stand-in takes the columns of a unique index as conflict target')"
)
OWN = (
    "SELECT hotrow.refuse('0A000', 'the stand-in takes INSERT … ON CONFLICT as a statement of its own only')"
)
EXCLUDED = "excluded AS MATERIALIZED (INSERT INTO account__excluded"
UNSEEN = (
    "FROM excluded WHERE CASE WHEN EXISTS (SELECT FROM account AS __seen"
    " WHERE hotrow.has_key('account__base', 'id') AND __seen.id = excluded.id) THEN false ELSE true END"
)


@pytest.mark.parametrize(
    ("insert", "expected"),
    [
        ("INTO account VALUES (1, 2)", "INTO account__or_nothing AS account VALUES (1, 2)"),
        ("INTO account AS a (id) VALUES ($1)", "INTO account__or_nothing AS a (id) VALUES ($1)"),
        ("INTO account DEFAULT VALUES", "INTO account__or_nothing AS account DEFAULT VALUES"),
        ("INTO account SELECT * FROM job", "INTO account__or_nothing AS account SELECT * FROM job"),
        ('INTO s."Order" VALUES (1)', 'INTO s."Order__or_nothing" AS "Order" VALUES (1)'),
    ],
)
def test_do_nothing_without_a_target_goes_to_a_view_that_skips(insert: str, expected: str) -> None:
    """The view checks every unique index. RETURNING uses the table's name."""
    assert rewrite(f"INSERT {insert} ON CONFLICT DO NOTHING") == f"INSERT {expected}"


def test_do_nothing_of_one_row_asks_whether_the_key_is_seen() -> None:
    """Defaults and types come from the view that writes nothing."""
    insert = "INSERT INTO account (id, owner) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING RETURNING id"

    assert rewrite(insert) == (
        f"WITH {EXCLUDED} (id, owner) VALUES ($1, $2) RETURNING *)"
        f" INSERT INTO account SELECT excluded.* {UNSEEN} RETURNING id"
    )


@pytest.mark.parametrize("rows", ["VALUES (1), (1)", "SELECT id FROM job", "(VALUES (1), (2))"])
def test_do_nothing_of_several_rows_takes_the_first_of_each_key(rows: str) -> None:
    """Like PostgreSQL; rows with a NULL in the key are all inserted."""
    key = "excluded.id, CASE WHEN ROW(excluded.id) IS NOT NULL THEN 0 ELSE row_number() OVER () END"

    assert rewrite(f"INSERT INTO account AS a {rows} ON CONFLICT (id) DO NOTHING") == (
        f"WITH {EXCLUDED} {rows} RETURNING *) INSERT INTO account AS a"
        f" SELECT DISTINCT ON ({key}) excluded.* {UNSEEN} ORDER BY {key}, row_number() OVER ()"
    )


KEY = "hotrow.has_key('account__base', 'id') AND account.id = excluded.id"
MERGE = f"MERGE INTO account USING excluded ON {KEY}"
NEW = "WHEN NOT MATCHED THEN INSERT VALUES (excluded.*) RETURNING account.*"
TAGGED = "INSERT INTO account__excluded AS account SELECT __merged.* FROM __merged"


@pytest.mark.parametrize(
    ("action", "matched", "returning"),
    [
        ("UPDATE SET balance = 0", "WHEN MATCHED THEN UPDATE SET balance = 0", ""),
        (
            "UPDATE SET (a, b) = (SELECT 1, 2 WHERE true) RETURNING a",
            "WHEN MATCHED THEN UPDATE SET (a, b) = (SELECT 1, 2 WHERE true)",
            " RETURNING a",
        ),
        (
            "UPDATE SET balance = excluded.balance WHERE account.a OR excluded.b RETURNING account.id",
            (
                "WHEN MATCHED AND (account.a OR excluded.b) THEN UPDATE SET balance = excluded.balance"
                " WHEN MATCHED THEN DO NOTHING"
            ),
            " RETURNING account.id",
        ),
    ],
)
def test_do_update_is_a_merge(action: str, matched: str, returning: str) -> None:
    """The merged rows go into the view that writes nothing, for RETURNING and the tag INSERT 0 n."""
    merged = f"__merged AS ({MERGE} {matched} {NEW})"

    assert rewrite(f"INSERT INTO account VALUES ($1, $2) ON CONFLICT (id) DO {action}") == (
        f"WITH {EXCLUDED} VALUES ($1, $2) RETURNING *), {merged} {TAGGED}{returning}"
    )


def test_do_update_of_several_rows_refuses_two_of_one_key() -> None:
    """PostgreSQL refuses to update a row twice (21000), but MERGE on a view would do it."""
    fresh = rewrite("INSERT INTO account VALUES (1, 2), (1, 3) ON CONFLICT (id) DO UPDATE SET balance = 0")

    assert (
        "SELECT hotrow.refuse('21000', 'ON CONFLICT DO UPDATE command cannot affect row a second time')"
        in fresh
    )
    assert "FROM excluded GROUP BY excluded.id HAVING count(*) > 1 AND ROW(excluded.id) IS NOT NULL" in fresh
    assert f"MERGE INTO account USING __once AS excluded ON {KEY}" in fresh


def test_all_columns_of_a_target_make_the_key() -> None:
    """The columns keep their quotes, and the table has the statement's alias."""
    insert = 'INSERT INTO seat AS s VALUES (1, 2) ON CONFLICT (flight, "Place") DO UPDATE SET x = s.x'

    assert (
        "MERGE INTO seat AS s USING excluded ON hotrow.has_key('seat__base', 'flight', 'Place')"
        ' AND s.flight = excluded.flight AND s."Place" = excluded."Place"'
    ) in rewrite(insert)


@pytest.mark.parametrize(
    ("lead", "expected"),
    [
        ("WITH x AS (SELECT 1) ", "WITH x AS (SELECT 1) , excluded AS"),
        ("WITH RECURSIVE x AS (SELECT 1) ", "WITH RECURSIVE x AS (SELECT 1) , excluded AS"),
        ("EXPLAIN (COSTS OFF) ", "EXPLAIN (COSTS OFF) WITH excluded AS"),
        ("PREPARE p (int) AS ", "PREPARE p (int) AS WITH excluded AS"),
        ("/* orm */ ", "/* orm */ WITH excluded AS"),
    ],
)
def test_what_stands_before_the_insert_stays(lead: str, expected: str) -> None:
    """The client's WITH queries come first, because the rows may be read from them."""
    insert = f"{lead}INSERT INTO a SELECT * FROM x ON CONFLICT (id) DO NOTHING"
    assert rewrite(insert, rules=False).startswith(expected)


def test_a_with_of_the_rows_stays_with_them() -> None:
    """In INSERT … WITH … SELECT, the WITH queries are a part of the rows."""
    fresh = rewrite("INSERT INTO account WITH x AS (SELECT 1) SELECT * FROM x ON CONFLICT (id) DO NOTHING")

    assert fresh.startswith(f"WITH {EXCLUDED} WITH x AS (SELECT 1) SELECT * FROM x RETURNING *)")


def test_returning_loses_the_schema_before_an_alias() -> None:
    """The last INSERT has only an alias for the table."""
    insert = "INSERT INTO s.a VALUES (1) ON CONFLICT {} RETURNING s.a.id, s.b.id"

    assert rewrite(insert.format("(id) DO UPDATE SET n = s.a.n")).endswith(" RETURNING a.id, s.b.id")
    assert rewrite(insert.format("DO NOTHING")).endswith(" RETURNING a.id, s.b.id")


@pytest.mark.parametrize(
    "target",
    [
        "(lower(owner))",
        "(id) WHERE balance > 0",
        "ON CONSTRAINT pk",
        '(id COLLATE "C")',
        "(id text_ops, x)",
        "((id))",
    ],
)
@pytest.mark.parametrize("action", ["NOTHING", "UPDATE SET balance = 0"])
def test_a_target_that_is_not_of_plain_columns_is_refused(target: str, action: str) -> None:
    """The meaning of an expression or a constraint's name is in the catalogue, which is not read here."""
    assert rewrite(f"INSERT INTO account VALUES (1) ON CONFLICT {target} DO {action}") == TARGET


@pytest.mark.parametrize(
    "statement",
    [
        "WITH x AS (INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING RETURNING id) SELECT * FROM x",
        "WITH x AS (WITH y AS (SELECT 1) INSERT INTO a SELECT 1 ON CONFLICT DO NOTHING) SELECT 1",
    ],
)
def test_an_upsert_in_a_with_query_is_refused(statement: str) -> None:
    """WITH queries that write belong at the top of a statement."""
    assert rewrite(statement) == OWN


def test_do_update_without_a_target_is_postgresql_s_to_answer() -> None:
    """PostgreSQL reports a syntax error (42601)."""
    insert = "INSERT INTO account VALUES (1) ON CONFLICT DO UPDATE SET balance = 0"

    assert rewrite(insert) == insert


def test_locking_reads_give_the_rows_of_an_upsert() -> None:
    """Both rewritings meet in one statement."""
    fresh = rewrite("INSERT INTO job SELECT id FROM account FOR UPDATE ON CONFLICT DO NOTHING RETURNING id")

    assert fresh.startswith("INSERT INTO job__or_nothing AS job SELECT id FROM (SELECT (__l.__row).* FROM (")
    assert fresh.endswith("WHERE account__for_update(__l.__row)) AS account RETURNING id")
