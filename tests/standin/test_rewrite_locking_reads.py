"""Rewriting FOR UPDATE and FOR KEY SHARE: each row that a query returns goes to a function."""

# ruff: noqa: S608 - texts of statements that nobody runs

from __future__ import annotations

import pytest

from hotrow.standin.rewriting.rewrite import rewrite


def refused(message: str) -> str:
    """The call that a refusal becomes."""
    return f"SELECT hotrow.refuse('0A000', '{message}')"


KIND = refused("locking clauses other than FOR UPDATE/FOR KEY SHARE are not supported")


def locked(query: str, alias: str = "account", *, table: str = "account", kind: str = "for_update") -> str:
    """The rewritten FROM; `query` is the text inside the fence, from FROM on."""
    fence = f"SELECT COALESCE({alias}.*) AS __row {query}"
    return f"FROM (SELECT (__l.__row).* FROM ({fence}) AS __l WHERE {table}__{kind}(__l.__row)) AS {alias}"


ACCOUNT = locked("FROM account WHERE id = 1 OFFSET 0")


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        ("SELECT balance FROM account WHERE id = 1 FOR UPDATE", f"SELECT balance {ACCOUNT}"),
        ("SELECT * FROM account FOR UPDATE", f"SELECT * {locked('FROM account OFFSET 0')}"),
        ("select * from account for update", f"select * {locked('from account OFFSET 0')}"),
        ("SELECT * FROM account WHERE id = 1 FOR UPDATE OF account", f"SELECT * {ACCOUNT}"),
        ("SELECT * FROM account WHERE id = 1 FOR UPDATE NOWAIT", f"SELECT * {ACCOUNT}"),
        ("SELECT * FROM account WHERE id = 1 FOR UPDATE OF account SKIP LOCKED", f"SELECT * {ACCOUNT}"),
        (
            "SELECT 1 FROM account WHERE id = $1 FOR KEY SHARE",
            f"SELECT 1 {locked('FROM account WHERE id = $1 OFFSET 0', kind='for_key_share')}",
        ),
        (
            "SELECT a.id FROM account AS a WHERE a.id = 1 FOR UPDATE OF a",
            f"SELECT a.id {locked('FROM account AS a WHERE a.id = 1 OFFSET 0', 'a')}",
        ),
        (
            "SELECT 1 FROM ONLY account a FOR UPDATE",
            f"SELECT 1 {locked('FROM ONLY account a OFFSET 0', 'a')}",
        ),
        ("TABLE account FOR UPDATE", f"SELECT * {locked('FROM account OFFSET 0')}"),
        ("(SELECT * FROM account WHERE id = 1) FOR UPDATE", f"SELECT * {ACCOUNT}"),
        ("((TABLE account)) FOR UPDATE NOWAIT", f"SELECT * {locked('FROM account OFFSET 0')}"),
        ("SELECT * FROM account WHERE id = 1 FOR KEY SHARE FOR UPDATE OF account", f"SELECT * {ACCOUNT}"),
        (
            'SELECT o.id FROM s."Order" o FOR UPDATE',
            "SELECT o.id "
            + locked('FROM s."Order" o OFFSET 0', "o", table='s."Order"').replace(
                '"__for_update', '__for_update"'
            ),
        ),
    ],
)
def test_the_function_is_called_for_the_rows_that_are_returned(read: str, expected: str) -> None:
    """The query is behind a fence, and the select list still uses the same name for the table."""
    assert " ".join(rewrite(read).split()) == expected


@pytest.mark.parametrize(
    ("read", "inner", "outer"),
    [
        ("ORDER BY id FOR UPDATE", "OFFSET 0", " ORDER BY id"),
        ("ORDER BY 1 DESC FOR UPDATE", "OFFSET 0", " ORDER BY 1 DESC"),
        ("ORDER BY id LIMIT 1 FOR UPDATE", "ORDER BY id LIMIT 1 OFFSET 0", " ORDER BY id"),
        ("ORDER BY id FOR UPDATE LIMIT 1", "ORDER BY id LIMIT 1 OFFSET 0", " ORDER BY id"),
        ("LIMIT $1 OFFSET $2 FOR UPDATE", "LIMIT $1 OFFSET $2", ""),
        ("OFFSET 2 LIMIT 1 FOR UPDATE SKIP LOCKED", "OFFSET 2 LIMIT 1", ""),
        ("FETCH FIRST 2 ROWS ONLY FOR UPDATE", "FETCH FIRST 2 ROWS ONLY OFFSET 0", ""),
        (
            "ORDER BY account.id + 1, (SELECT 1) LIMIT 1 FOR UPDATE",
            "ORDER BY account.id + 1, (SELECT 1) LIMIT 1 OFFSET 0",
            " ORDER BY account.id + 1, (SELECT 1)",
        ),
    ],
)
def test_limits_go_inside_and_the_order_where_they_need_it(read: str, inner: str, outer: str) -> None:
    """Rows beyond LIMIT are never touched; the result keeps its order."""
    expected = locked(f"FROM account {inner}")

    assert rewrite(f"SELECT id FROM account {read}") == f"SELECT id {expected}{outer}"


@pytest.mark.parametrize(
    ("columns", "order", "inside"),
    [
        ("id", "1", "(id)"),
        ("id", "1 DESC NULLS LAST", "(id) DESC NULLS LAST"),
        ("id, CASE WHEN id > 1 THEN 2 END, 3", "2", "(CASE WHEN id > 1 THEN 2 END)"),
        ("balance AS b", "b", "(balance)"),
        ("ALL balance b", "b DESC", "(balance) DESC"),
        ("-balance AS balance", "balance", "(-balance)"),
        ("abs(1) OVERALL", "overall", "(abs(1))"),
        ("abs(id), 2", "abs", "(abs(id))"),
        ("balance::text", "balance", "(balance::text)"),
        ("id, *", "1", "(id)"),
        ("*", "2", "(SELECT __q.__c2 FROM (SELECT account.*) AS __q (__c1, __c2))"),
        ("balance + id", "id", "id"),
        ("balance IS NULL", "null", "null"),
        ("account.id AS id", "id", "id"),
        ("balance AS b", "balance", "balance"),
        ("balance AS b", "b + 1", "b + 1"),
        ("id", "7", "7"),
    ],
)
def test_an_order_by_the_list_goes_inside_as_what_it_means(columns: str, order: str, inside: str) -> None:
    """Numbers and names of computed columns have no meaning in the subquery."""
    read = f"SELECT {columns} FROM account ORDER BY {order} LIMIT 1 FOR UPDATE"

    query = locked(f"FROM account ORDER BY {inside} LIMIT 1 OFFSET 0")
    assert rewrite(read) == f"SELECT {columns} {query} ORDER BY {order}"


def test_a_schema_is_dropped_where_the_table_has_an_alias() -> None:
    """PostgreSQL does not accept `public.account.id` if account is an alias."""
    read = (
        "SELECT s.account.id FROM s.account WHERE s.account.id = 1 ORDER BY s.account.id, s.b.id FOR UPDATE"
    )
    inner = "FROM s.account WHERE s.account.id = 1 OFFSET 0"

    assert (
        rewrite(read) == f"SELECT account.id {locked(inner, table='s.account')} ORDER BY account.id, s.b.id"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("WITH next AS (", ") UPDATE account SET balance = 0 FROM next WHERE next.id = account.id"),
        ("UPDATE account SET balance = 0 WHERE id = (", ") RETURNING id"),
        ("DELETE FROM job WHERE id IN (", ")"),
        ("EXPLAIN ", ""),
        ("DECLARE c CURSOR FOR ", ""),
        ("PREPARE p AS ", ""),
        ("INSERT INTO job ", " RETURNING id"),
        ("CREATE VIEW v AS ", ""),
        ("SELECT 1 FROM job WHERE a IS DISTINCT FROM (", ") AND true"),
    ],
)
def test_a_locking_read_may_be_part_of_a_statement(before: str, after: str) -> None:
    """The clause belongs to the SELECT in the same parentheses; the text around it stays."""
    read = "SELECT id FROM account WHERE id = 1 FOR UPDATE"

    assert rewrite(before + read + after, rules=False) == f"{before}SELECT id {ACCOUNT}{after}"


def test_locking_reads_in_each_other() -> None:
    """A subquery in WHERE is rewritten before it goes behind the fence of the outer one."""
    read = "SELECT id FROM job WHERE id = (SELECT id FROM account WHERE id = 1 FOR UPDATE) FOR KEY SHARE"
    query = f"FROM job WHERE id = (SELECT id {ACCOUNT}) OFFSET 0"

    assert rewrite(read) == f"SELECT id {locked(query, 'job', table='job', kind='for_key_share')}"


@pytest.mark.parametrize(
    "read",
    [
        "SELECT owner FROM account GROUP BY owner FOR UPDATE",
        "SELECT owner FROM account GROUP BY owner HAVING true FOR UPDATE",
        "SELECT DISTINCT owner FROM account FOR UPDATE",
        "SELECT id FROM account UNION ALL SELECT id FROM job FOR UPDATE",
        "SELECT id FROM account EXCEPT SELECT id FROM job FOR UPDATE",
        "SELECT count(*) FROM account FOR UPDATE",
        "SELECT coalesce(max(id), 0) FROM account FOR KEY SHARE",
        "SELECT rank() OVER (ORDER BY id) FROM account FOR UPDATE",
        "SELECT 1 FOR UPDATE",
        "SELECT id FROM account FOR UPDATE OF other",
        "SELECT id FROM account WHERE id IN (SELECT id FROM job FOR UPDATE) GROUP BY id FOR UPDATE",
    ],
)
def test_what_postgresql_refuses_itself_stays(read: str) -> None:
    """PostgreSQL has its own error for it, and locks nothing."""
    assert rewrite(read) == read


def test_an_aggregate_of_a_subquery_is_no_aggregate_of_the_list() -> None:
    """Each row of the list is still a row of the table."""
    read = "SELECT id, (SELECT max(id) FROM job) FROM account WHERE id = 1 FOR UPDATE"

    assert rewrite(read) == f"SELECT id, (SELECT max(id) FROM job) {ACCOUNT}"


@pytest.mark.parametrize("rules", [True, False])
@pytest.mark.parametrize(
    "read",
    [
        "SELECT * FROM account FOR SHARE",
        "SELECT * FROM account FOR NO KEY UPDATE NOWAIT",
        "SELECT * FROM account a JOIN job j ON a.id = j.id FOR SHARE OF a",
        "SELECT * FROM account FOR UPDATE FOR SHARE",
        "DELETE FROM job WHERE id = (SELECT id FROM account FOR SHARE)",
        "TABLE account FOR SHARE",
        "(SELECT * FROM account) FOR NO KEY UPDATE",
    ],
)
def test_weaker_locks_are_refused(read: str, rules: bool) -> None:
    """They are refused with Aurora DSQL's words, whether its rules are on or off."""
    assert rewrite(read, rules=rules) == KIND


@pytest.mark.parametrize(
    "read",
    [
        "TABLE account UNION TABLE job FOR UPDATE",
        "(SELECT * FROM account) UNION ALL (SELECT * FROM job) FOR UPDATE",
    ],
)
def test_what_is_no_locking_clause_of_a_query_stays(read: str) -> None:
    """PostgreSQL refuses to lock the rows of a UNION."""
    assert rewrite(read) == read
