"""Rewriting table DDL: it changes the base table."""

from __future__ import annotations

import pytest

from hotrow.standin.rewriting.rewrite import rewrite


@pytest.mark.parametrize(
    ("ddl", "expected"),
    [
        ("DROP TABLE a", "DROP TABLE a__base"),
        ("DROP TABLE IF EXISTS a, s.b CASCADE", "DROP TABLE IF EXISTS a__base, s.b__base CASCADE"),
        ('DROP TABLE "A""b"', 'DROP TABLE "A""b__base"'),
        ("ALTER TABLE a ADD COLUMN n int", "ALTER TABLE a__base ADD COLUMN n int"),
        ("ALTER TABLE IF EXISTS ONLY s.a DROP n", "ALTER TABLE IF EXISTS ONLY s.a__base DROP n"),
        ("ALTER TABLE a RENAME TO b", "ALTER TABLE a__base RENAME TO b__base"),
        ("ALTER TABLE a RENAME COLUMN x TO y", "ALTER TABLE a__base RENAME COLUMN x TO y"),
        ("ALTER TABLE a RENAME x TO y", "ALTER TABLE a__base RENAME x TO y"),
        (
            "ALTER TABLE a ADD FOREIGN KEY (c) REFERENCES a (id) NOT VALID",
            "ALTER TABLE a__base ADD FOREIGN KEY (c) REFERENCES a__base (id) NOT VALID",
        ),
        (
            "CREATE TABLE p (c int REFERENCES c, FOREIGN KEY (c) REFERENCES s.d NOT VALID)",
            "CREATE TABLE p (c int REFERENCES c__base, FOREIGN KEY (c) REFERENCES s.d__base NOT VALID)",
        ),
        ("CREATE TABLE t (id int, p int REFERENCES t)", "CREATE TABLE t (id int, p int REFERENCES t)"),
        ("CREATE TABLE s.t (p int REFERENCES T)", "CREATE TABLE s.t (p int REFERENCES T)"),
        (
            "CREATE TABLE IF NOT EXISTS t (p int REFERENCES T)",
            "CREATE TABLE IF NOT EXISTS t (p int REFERENCES T)",
        ),
        ("CREATE TABLE s.t (p int REFERENCES x.t)", "CREATE TABLE s.t (p int REFERENCES x.t__base)"),
        (
            "CREATE TABLE b (x text, LIKE a INCLUDING ALL, CHECK (x LIKE y))",
            "CREATE TABLE b (x text, LIKE a__base INCLUDING ALL, CHECK (x LIKE y))",
        ),
        ("COMMENT ON TABLE s.a IS 'x'", "COMMENT ON TABLE s.a__base IS 'x'"),
        ("COMMENT ON CONSTRAINT c ON s.a IS 'x'", "COMMENT ON CONSTRAINT c ON s.a__base IS 'x'"),
        ("COMMENT ON CONSTRAINT c ON DOMAIN d IS 'x'", "COMMENT ON CONSTRAINT c ON DOMAIN d IS 'x'"),
        ("COPY a TO STDOUT", "COPY (SELECT * FROM a) TO STDOUT"),
        ("COPY s.a (x, y) TO STDOUT (FORMAT csv)", "COPY (SELECT x, y FROM s.a) TO STDOUT (FORMAT csv)"),
    ],
)
@pytest.mark.parametrize("rules", [True, False])
def test_ddl_reaches_the_base_table(ddl: str, expected: str, rules: bool) -> None:
    """The base table replaces each name, except in a foreign key of a new table to itself."""
    assert rewrite(ddl, rules=rules) == expected


@pytest.mark.parametrize("rules", [True, False])
@pytest.mark.parametrize(
    ("ddl", "command"),
    [
        ("CREATE INDEX ASYNC ON a (x)", "CREATE INDEX ON a__base (x)"),
        (
            "CREATE UNIQUE INDEX ASYNC IF NOT EXISTS i ON s.a ((lower(x))) WHERE y = 'z'",
            "CREATE UNIQUE INDEX IF NOT EXISTS i ON s.a__base ((lower(x))) WHERE y = ''z''",
        ),
        ("CREATE INDEX ASYNC i ON ONLY a (x) -- soon", "CREATE INDEX i ON ONLY a__base (x)"),
    ],
)
def test_an_asynchronous_index_is_a_job(ddl: str, command: str, rules: bool) -> None:
    """The answer is a row with the job's id."""
    assert rewrite(ddl, rules=rules).startswith(f"SELECT hotrow.create_index('{command}') AS job_id")


@pytest.mark.parametrize(
    ("ddl", "expected"),
    [
        ("CREATE INDEX i ON a (x)", "CREATE INDEX i ON a__base (x)"),
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON a (x)", "CREATE UNIQUE INDEX i ON a__base (x)"),
        ("TRUNCATE a", "TRUNCATE a__base"),
        ("TRUNCATE TABLE ONLY a, s.b CASCADE", "TRUNCATE TABLE ONLY a__base, s.b__base CASCADE"),
        (
            "CREATE UNLOGGED TABLE b (c int REFERENCES c)",
            "CREATE UNLOGGED TABLE b (c int REFERENCES c__base)",
        ),
    ],
)
def test_without_rules_more_ddl_reaches_the_base_table(ddl: str, expected: str) -> None:
    """Without rules, DDL that Aurora DSQL refuses reaches PostgreSQL."""
    assert rewrite(ddl, rules=False) == expected
