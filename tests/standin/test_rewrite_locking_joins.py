"""Rewriting FOR UPDATE and FOR KEY SHARE of joins: the functions are called in ORDER BY."""

# ruff: noqa: S608 - texts of statements that nobody runs

from __future__ import annotations

import pytest

from hotrow.standin.rewriting.rewrite import rewrite

ALIAS = "SELECT hotrow.refuse('0A000', 'the stand-in locks no rows of a join that has an alias')"
BOTH = "ORDER BY (a__for_update(a.*) AND b__for_update(b.*)) OFFSET 0"


@pytest.mark.parametrize(
    ("tables", "of", "calls"),
    [
        ("a, b", "", "a__for_update(a.*) AND b__for_update(b.*)"),
        ("a, b", " OF b", "b__for_update(b.*)"),
        ("a AS x JOIN s.b y ON x.id = y.id", " OF y, x", "a__for_update(x.*) AND s.b__for_update(y.*)"),
        ("a NATURAL JOIN b", " OF a FOR KEY SHARE OF b", "a__for_update(a.*) AND b__for_key_share(b.*)"),
        ("a, b", " FOR KEY SHARE", "a__for_update(a.*) AND b__for_update(b.*)"),
        ("a x JOIN b USING (id) AS u CROSS JOIN c", " OF c", "c__for_update(c.*)"),
        ("(a JOIN b ON a.x IS DISTINCT FROM b.x)", "", "a__for_update(a.*) AND b__for_update(b.*)"),
        ("a JOIN b JOIN c ON left(b.x, 1) = c.x ON true", " OF b", "b__for_update(b.*)"),
        ("a, generate_series(1, 2) AS g (n)", "", "a__for_update(a.*)"),
        ("a, ROWS FROM (f(1), g(2)) WITH ORDINALITY r", " SKIP LOCKED", "a__for_update(a.*)"),
        ("a, LATERAL f(a.id) AS (x int)", "", "a__for_update(a.*)"),
        ("a, (VALUES (1)) v (x)", "", "a__for_update(a.*)"),
        ("a AS t (x, y)", "", "a__for_update(t.*)"),
        ("a LEFT JOIN b ON a.id = b.id", " OF a", "a__for_update(a.*)"),
        ("a RIGHT OUTER JOIN (b CROSS JOIN c) ON true", " OF c", "c__for_update(c.*)"),
        ("ONLY (a) x, b *", " NOWAIT", "a__for_update(x.*) AND b__for_update(b.*)"),
    ],
)
def test_each_locked_table_has_a_call_in_order_by(tables: str, of: str, calls: str) -> None:
    """FROM stays as it is, so every name in the statement means what it meant."""
    read = f"SELECT * FROM {tables} WHERE true FOR UPDATE{of}"

    assert rewrite(read) == f"SELECT * FROM {tables} WHERE true ORDER BY ({calls}) OFFSET 0"


def test_the_client_s_order_comes_first() -> None:
    """All calls return true, so the order of the rows does not change."""
    read = "SELECT * FROM a, b ORDER BY 2, a.x DESC FOR UPDATE"

    assert rewrite(read) == f"SELECT * FROM a, b {BOTH.replace('ORDER BY ', 'ORDER BY 2, a.x DESC, ')}"


@pytest.mark.parametrize(
    ("tables", "nullable"),
    [
        ("a LEFT JOIN b ON a.id = b.id", ["b"]),
        ("a RIGHT JOIN b USING (id)", ["a"]),
        ("a NATURAL FULL OUTER JOIN b", ["a", "b"]),
        ("c LEFT JOIN (a JOIN b ON true) ON true", ["a", "b"]),
        ("a LEFT JOIN c LEFT JOIN b ON true ON true", ["b"]),
        ("c RIGHT JOIN a ON true, b", []),
    ],
)
def test_postgresql_is_asked_about_what_an_outer_join_may_not_have(tables: str, nullable: list[str]) -> None:
    """It plans the lock of no row (LIMIT 0), and refuses it unless the join is an inner join in truth."""
    fresh = rewrite(f"SELECT 1 FROM {tables} WHERE a.id > 0 FOR UPDATE OF a, b")

    locks = " ".join(f"FOR UPDATE OF {name}" for name in nullable)
    check = f", EXISTS (SELECT FROM {tables} WHERE a.id > 0 LIMIT 0 {locks})" if nullable else ""
    expected = f"SELECT 1 FROM {tables} WHERE a.id > 0 {BOTH.replace(' OFFSET 0', check + ' OFFSET 0')}"
    assert fresh == expected


@pytest.mark.parametrize(
    ("limit", "counted", "condition"),
    [
        ("LIMIT 1", "row_number()", "COALESCE(row_number() OVER __w - 0 <= (1)::bigint, true)"),
        ("FETCH FIRST ROW ONLY", "row_number()", "COALESCE(row_number() OVER __w - 0 <= (1)::bigint, true)"),
        ("FETCH NEXT 2 ROWS WITH TIES", "rank()", "COALESCE(rank() OVER __w - 0 <= (2)::bigint, true)"),
        ("OFFSET $1 ROWS", "row_number()", "row_number() OVER __w > COALESCE(($1)::bigint, 0)"),
        (
            "LIMIT $1 OFFSET $2",
            "row_number()",
            (
                "row_number() OVER __w > COALESCE(($2)::bigint, 0)"
                " AND COALESCE(row_number() OVER __w - COALESCE(($2)::bigint, 0) <= ($1)::bigint, true)"
            ),
        ),
        ("LIMIT ALL", "row_number()", "true"),
    ],
)
def test_rows_beyond_the_limit_are_counted_and_not_locked(limit: str, counted: str, condition: str) -> None:
    """A window function counts the rows in the client's order; labels are replaced by what they stand for."""
    fresh = rewrite(f"SELECT a.id + 1 AS n FROM a, b ORDER BY n DESC, b.id {limit} FOR UPDATE OF a")

    assert fresh == (
        "SELECT a.id + 1 AS n FROM a, b WINDOW __w AS (ORDER BY (a.id + 1) DESC, b.id)"
        f" ORDER BY {counted} OVER __w, CASE WHEN {condition} THEN a__for_update(a.*) END {limit}"
    )


def test_a_number_counts_the_columns_of_a_star() -> None:
    """The names of the columns are in the catalogue, but their numbers are not needed there."""
    fresh = rewrite("SELECT *, 1 FROM a, b ORDER BY 2 LIMIT 1 FOR UPDATE OF a")
    assert "ORDER BY (SELECT __q.__c2 FROM (SELECT a.*, b.*, 1) AS __q (__c1, __c2)))" in fresh

    merged = rewrite("SELECT * FROM a JOIN b USING (id) ORDER BY 2 LIMIT 1 FOR UPDATE OF a")
    assert merged.startswith("SELECT hotrow.refuse('0A000'")


def test_a_query_in_from_gets_the_clause() -> None:
    """Its rows are locked as it returns them."""
    inner = rewrite("SELECT id FROM a LIMIT 1 FOR KEY SHARE")

    assert rewrite("SELECT * FROM (SELECT id FROM a LIMIT 1) q FOR KEY SHARE") == f"SELECT * FROM ({inner}) q"
    assert rewrite("SELECT * FROM (SELECT id FROM a LIMIT 1) q, b FOR UPDATE OF b FOR KEY SHARE OF q") == (
        f"SELECT * FROM ({inner}) q, b ORDER BY (b__for_update(b.*)) OFFSET 0"
    )


@pytest.mark.parametrize(
    ("read", "locks"),
    [
        ("WITH q AS (SELECT 1) SELECT * FROM q FOR UPDATE", False),
        ("WITH p AS (SELECT 1), q (x) AS MATERIALIZED (SELECT 1) SELECT * FROM q FOR UPDATE", False),
        ("WITH p AS (SELECT 1) SELECT * FROM (SELECT * FROM p FOR UPDATE) x", False),
        ("WITH RECURSIVE q AS (SELECT * FROM q FOR UPDATE) SELECT 1", False),
        ("WITH q AS (SELECT * FROM q FOR UPDATE) SELECT 1", True),
        ("SELECT 1 FROM (WITH q AS (SELECT 1) SELECT 1) x, (SELECT * FROM q FOR UPDATE) y", True),
        ("WITH q AS (SELECT 1) SELECT * FROM s.q FOR UPDATE", True),
    ],
)
def test_the_name_of_a_with_query_is_no_table_where_it_is_known(read: str, locks: bool) -> None:
    """PostgreSQL locks no rows of a WITH query."""
    fresh = rewrite(read)

    assert ("__for_update(" in fresh) is locks
    assert " FOR UPDATE" not in fresh


@pytest.mark.parametrize(
    "read",
    [
        "SELECT * FROM a, b FOR UPDATE OF c",
        "SELECT * FROM a, b FOR UPDATE OF s.a",
        "SELECT * FROM a, f(1) FOR UPDATE OF f",
        "WITH q AS (SELECT 1) SELECT * FROM q, a FOR UPDATE OF q",
        "SELECT * FROM (a JOIN b ON true) AS j FOR UPDATE OF j",
        "SELECT count(*) FROM a, b FOR UPDATE",
        "SELECT a.x FROM a, b GROUP BY a.x FOR UPDATE",
        "SELECT * FROM (SELECT x FROM a UNION SELECT x FROM b) q FOR UPDATE",
    ],
)
def test_what_postgresql_refuses_stays(read: str) -> None:
    """PostgreSQL has its own error for it, and locks nothing."""
    assert rewrite(read) == read


@pytest.mark.parametrize("of", ["", " OF a"])
def test_a_join_with_an_alias_hides_its_tables(of: str) -> None:
    """No expression can name their rows."""
    assert rewrite(f"SELECT * FROM (a JOIN b ON true) AS j FOR UPDATE{of}") == ALIAS
