"""What PostgreSQL 17 and 18 have and 16 has not is refused with PostgreSQL 16's own errors."""

from __future__ import annotations

import pytest

from tests.support.refusals import refusal

MISSING = 'missing FROM-clause entry for table "{}"'
NEAR = 'syntax error at or near "{}"'
REFUSED = {
    "UPDATE account SET balance = 1 RETURNING old.balance": ("42P01", MISSING.format("old")),
    "UPDATE account SET balance = 1 RETURNING id, NEW.balance": ("42P01", MISSING.format("new")),
    "INSERT INTO account VALUES (1) RETURNING (old.balance IS NULL)": ("42P01", MISSING.format("old")),
    "DELETE FROM a RETURNING WITH (OLD AS o) o.x": ("42601", NEAR.format("WITH")),
    "MERGE INTO a USING b ON a.x = b.x WHEN NOT MATCHED BY SOURCE THEN DELETE": ("42601", NEAR.format("BY")),
    "MERGE INTO a USING b ON a.x = b.x WHEN MATCHED THEN DELETE RETURNING *": (
        "42601", NEAR.format("RETURNING"),
    ),
    "WITH b AS (SELECT 1) MERGE INTO a USING b ON true WHEN MATCHED THEN DELETE RETURNING merge_action()": (
        "42601", NEAR.format("RETURNING"),
    ),
    "SELECT * FROM JSON_TABLE('[]', '$[*]' COLUMNS (x int PATH '$'))": ("42601", NEAR.format("COLUMNS")),
    "SELECT json_value(body, '$.a') FROM a": ("42883", "function json_value does not exist"),
    "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1) VIRTUAL)": ("42601", NEAR.format("VIRTUAL")),
    "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1))": ("42601", NEAR.format(")")),
    "CREATE TABLE t (a int, v daterange, PRIMARY KEY (a, v WITHOUT OVERLAPS))": (
        "0A000", "datatype daterange not supported",
    ),
    "CREATE TABLE t (a int, d d, PRIMARY KEY (a, d WITHOUT OVERLAPS))": ("42601", NEAR.format("WITHOUT")),
    "CREATE TABLE t (a int, CHECK (a > 0) NOT ENFORCED)": ("42601", NEAR.format("ENFORCED")),
    "ALTER TABLE t ALTER b SET EXPRESSION AS (a)": ("42601", NEAR.format("EXPRESSION")),
}  # fmt: skip
TAKEN = [
    "UPDATE account AS old SET balance = 1 RETURNING old.balance",
    "UPDATE account SET balance = new.balance FROM changes AS new WHERE new.id = account.id RETURNING new.id",
    "INSERT INTO news VALUES ('old') RETURNING news.text, 'old.', renewed.old.x",
    "WITH m AS (SELECT 1) MERGE INTO a USING b ON a.x = b.x WHEN NOT MATCHED THEN INSERT VALUES (1)",
    "SELECT merge, s.json_value(1) FROM a",
    "INSERT INTO a SELECT json_agg(x) FROM b RETURNING a.merge",
    "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1) STORED)",
]


@pytest.mark.parametrize(("statement", "answer"), REFUSED.items())
def test_newer_sql_is_refused(statement: str, answer: tuple[str, str]) -> None:
    """Aurora DSQL is compatible with PostgreSQL 16 and answers as it does; the hint says so."""
    state, message, hint = refusal(statement)
    assert (state, message) == answer
    assert "PostgreSQL 16" in hint or state == "0A000"


@pytest.mark.parametrize("statement", TAKEN)
def test_what_only_looks_newer_is_not_refused(statement: str) -> None:
    """Names and aliases are no keywords."""
    assert refusal(statement) == ("", "", "")
