"""Rewriting INSERT … ON CONFLICT."""

# ruff: noqa: S608 - texts of statements that nobody runs

from __future__ import annotations

import pytest

from hotrow.standin.rewriting.rewrite import rewrite

CLASS = "the stand-in takes a conflict target without COLLATE and operator classes"
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
MERGE = (
    "MERGE INTO account USING excluded ON hotrow.has_key('account__base', 'id')"
    " AND account.id = (SELECT __k.id FROM excluded AS __k)"
)
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
        " AND s.flight = (SELECT __k.flight FROM excluded AS __k)"
        ' AND s."Place" = (SELECT __k."Place" FROM excluded AS __k)'
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


INDEXES = [
    ("(lower(owner))", "hotrow.inferred_index('account__base', 'account', 'a', 'lower(owner)', NULL)"),
    ("((id))", "hotrow.inferred_index('account__base', 'account', 'a', '(id)', NULL)"),
    (
        "(id, a.\"X\") WHERE state = 'new'",
        "hotrow.inferred_index('account__base', 'account', 'a', 'id, a.\"X\"', 'state = ''new''')",
    ),
    ("ON CONSTRAINT Pk", "hotrow.constraint_index('account__base', 'pk')"),
    ('ON CONSTRAINT "P k"', "hotrow.constraint_index('account__base', 'P k')"),
]
"""Conflict targets that do not name plain columns, and the calls that find their indexes."""


@pytest.mark.parametrize(("target", "index"), INDEXES)
def test_a_function_of_the_table_compares_rows_by_the_index_of_a_target(target: str, index: str) -> None:
    """What an expression or a constraint's name means is in the catalogue, which is not read here."""
    insert = f"INSERT INTO account AS a VALUES (1) ON CONFLICT {target} DO "
    same = f"account__same(ROW(a.*), ROW(excluded.*), {index})"

    assert f"MERGE INTO account AS a USING excluded ON {same} WHEN" in rewrite(f"{insert}UPDATE SET n = 0")
    assert f"EXISTS (SELECT FROM account AS __seen WHERE {same.replace('ROW(a.*)', 'ROW(__seen.*)')})" in (
        rewrite(f"{insert}NOTHING")
    )


@pytest.mark.parametrize(("target", "index"), INDEXES)
def test_several_rows_are_numbered_to_find_two_of_one_key(target: str, index: str) -> None:
    """DO NOTHING takes the first of them, and DO UPDATE refuses both."""
    insert = f"INSERT INTO account AS a VALUES (1), (2) ON CONFLICT {target} DO "
    twice = f"__f.__n < __it.__n AND account__same(__f.__row, __it.__row, {index})"

    nothing, update = rewrite(f"{insert}NOTHING"), rewrite(f"{insert}UPDATE SET n = 0")
    assert f"NOT EXISTS (SELECT FROM __numbered AS __f WHERE {twice})" in nothing
    assert f"__numbered AS __f, __numbered AS __it WHERE {twice} LIMIT 1) IS NULL" in update
    assert "SELECT hotrow.refuse('21000'" in update


@pytest.mark.parametrize("target", ['(id COLLATE "C")', "(id text_ops, x)", "(lower(x) text_ops) WHERE y"])
@pytest.mark.parametrize("action", ["NOTHING", "UPDATE SET balance = 0"])
def test_a_target_with_a_collation_or_an_operator_class_is_refused(target: str, action: str) -> None:
    """They would have to be compared with those of the index."""
    refused = f"SELECT hotrow.refuse('0A000', '{CLASS}')"

    assert rewrite(f"INSERT INTO account VALUES (1) ON CONFLICT {target} DO {action}") == refused


def test_an_upsert_in_a_with_query_has_its_queries_before_it() -> None:
    """WITH queries that write belong at the top of a statement, so they cannot be inside."""
    merge = rewrite("INSERT INTO a VALUES ($1) ON CONFLICT (id) DO UPDATE SET n = 1 RETURNING id")
    queries, _, final = merge.removeprefix("WITH ").rpartition(" INSERT INTO ")
    queries = (
        queries.replace("excluded AS M", "__excluded1 AS M")
        .replace("USING excluded", "USING __excluded1 AS excluded")
        .replace("FROM excluded AS __k", "FROM __excluded1 AS __k")
        .replace("__merged", "__merged1")
    )

    fresh = rewrite(
        "WITH w AS (SELECT 1), x (y) AS (INSERT INTO a VALUES ($1) ON CONFLICT (id) DO UPDATE SET n = 1"
        " RETURNING id), z AS NOT MATERIALIZED (WITH v AS (SELECT 2) INSERT INTO b SELECT * FROM v"
        " ON CONFLICT DO NOTHING) SELECT * FROM x"
    )
    assert fresh == (
        f"WITH w AS (SELECT 1), {queries}, x (y) AS (INSERT INTO {final.replace('__merged', '__merged1')}), z"
        " AS NOT MATERIALIZED (WITH v AS (SELECT 2) INSERT INTO b__or_nothing AS b SELECT * FROM v)"
        " SELECT * FROM x"
    )


def test_with_queries_and_the_statement_itself_may_be_upserts() -> None:
    """Only the statement's own proposed rows are a query with the name excluded."""
    inner = "INSERT INTO a VALUES (1) ON CONFLICT (id) DO NOTHING RETURNING id"
    fresh = rewrite(f"WITH x AS ({inner}) INSERT INTO b SELECT id FROM x ON CONFLICT (id) DO NOTHING")

    assert fresh.startswith("WITH __excluded1 AS MATERIALIZED (INSERT INTO a__excluded VALUES (1)")
    assert " x AS (INSERT INTO a SELECT excluded.* FROM __excluded1 AS excluded WHERE" in fresh
    assert ", excluded AS MATERIALIZED (INSERT INTO b__excluded SELECT id FROM x RETURNING *) INSERT" in fresh


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM (WITH x AS (INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING) SELECT 1) y",
    ],
)
def test_an_upsert_that_is_not_at_the_top_stays(statement: str) -> None:
    """PostgreSQL refuses a WITH query that writes anywhere else."""
    assert rewrite(statement) == statement


def test_do_update_without_a_target_is_postgresql_s_to_answer() -> None:
    """PostgreSQL reports a syntax error (42601)."""
    insert = "INSERT INTO account VALUES (1) ON CONFLICT DO UPDATE SET balance = 0"

    assert rewrite(insert) == insert


def test_locking_reads_give_the_rows_of_an_upsert() -> None:
    """Both rewritings meet in one statement."""
    fresh = rewrite("INSERT INTO job SELECT id FROM account FOR UPDATE ON CONFLICT DO NOTHING RETURNING id")

    assert fresh.startswith("INSERT INTO job__or_nothing AS job SELECT id FROM (SELECT (__l.__row).* FROM (")
    assert fresh.endswith("WHERE account__for_update(__l.__row)) AS account RETURNING id")
