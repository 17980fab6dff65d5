"""Statements that Aurora DSQL refuses become a call that raises its error; here all but DDL and newer SQL."""

from __future__ import annotations

import pytest

from hotrow.standin.rewriting.rewrite import rewrite
from tests.support.refusals import refusal

SAVEPOINT = "unsupported transaction statement: "
LEVEL = "Unsupported isolation level: "
NAMES = {
    "TRUNCATE account": "Truncate",
    "LISTEN news": "Listen",
    "UNLISTEN *": "Unlisten",
    "NOTIFY news, 'x'": "Notify",
    "DO $$ BEGIN END $$": "Do",
    "ALTER SYSTEM SET work_mem = '4MB'": "AlterSystem",
    "CREATE DATABASE d": "Createdb",
    "CREATE MATERIALIZED VIEW v AS SELECT 1": "CreateTableAs",
    "CREATE TABLE t AS SELECT 1": "CreateTableAs",
    "SELECT 1 AS x INTO t FROM a": "CreateTableAs",
    "CREATE EXTENSION IF NOT EXISTS hstore": "CreateExtension",
    "CREATE EVENT TRIGGER t ON sql_drop EXECUTE FUNCTION f()": "CreateEventTrig",
    "CREATE POLICY p ON account FOR UPDATE USING (true)": "CreatePolicy",
    "CREATE OR REPLACE RULE r AS ON INSERT TO a DO NOTHING": "Rule",
    "CREATE FOREIGN TABLE t (id int) SERVER s": "CreateForeignTable",
    "CREATE TEXT SEARCH DICTIONARY d (template = simple)": "Define",
    "CREATE OPERATOR CLASS c FOR TYPE int USING btree AS OPERATOR 1 <": "CreateOpClass",
    "REINDEX TABLE a": "Reindex",
    "DISCARD ALL": "Discard",
    "PREPARE p (int) AS SELECT $1": "Prepare",
    "DECLARE c CURSOR FOR SELECT 1": "DeclareCursor",
    "ALTER ROLE app SET search_path = s": "AlterRoleSet",
    "SET CONSTRAINTS ALL IMMEDIATE": "SET CONSTRAINTS",
}

REFUSED = {
    "SAVEPOINT s": SAVEPOINT + "SAVEPOINT",
    "RELEASE SAVEPOINT s": SAVEPOINT + "RELEASE",
    "RELEASE s": SAVEPOINT + "RELEASE",
    "ROLLBACK TO s": SAVEPOINT + "ROLLBACK TO",
    "rollback transaction to savepoint s": SAVEPOINT + "ROLLBACK TO",
    "ROLLBACK WORK TO s": SAVEPOINT + "ROLLBACK TO",
    "PREPARE TRANSACTION 'x'": SAVEPOINT + "PREPARE TRANSACTION",
    "BEGIN ISOLATION LEVEL SERIALIZABLE": LEVEL + "SERIALIZABLE",
    "BEGIN READ ONLY, ISOLATION LEVEL read committed": LEVEL + "READ COMMITTED",
    "START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY": LEVEL + "SERIALIZABLE",
    "BEGIN TRANSACTION READ ONLY DEFERRABLE": "unsupported transaction mode: DEFERRABLE",
    "COMMIT PREPARED 'x'": SAVEPOINT + "COMMIT PREPARED",
    "ALTER INDEX i SET (fillfactor = 70)": "unsupported ALTER INDEX SET statement",
    "VACUUM ANALYZE account": "unsupported VACUUM statement",
    "DROP MATERIALIZED VIEW v": "unsupported object in DROP statement",
    "SELECT * FROM account TABLESAMPLE system (1)": "TABLESAMPLE clause not supported",
    "SELECT pg_backend_pid()": "function pg_backend_pid not supported",
    "SELECT pg_catalog.pg_try_advisory_xact_lock(1)": "function pg_try_advisory_xact_lock not supported",
} | {statement: f"unsupported statement: {name}" for statement, name in NAMES.items()}

ALWAYS_REFUSED = {
    "LOCK TABLE a IN EXCLUSIVE MODE": "unsupported statement: Lock",
    "LOCK a": "unsupported statement: Lock",
    "ALTER TABLE ASYNC a ADD x int": "unsupported ALTER TABLE ASYNC statement",
}


@pytest.mark.parametrize(("statement", "message"), [*REFUSED.items(), *ALWAYS_REFUSED.items()])
def test_a_refusal_is_a_call_that_raises(statement: str, message: str) -> None:
    """The call has Aurora DSQL's SQLSTATE and message."""
    assert refusal(statement)[:2] == ("0A000", message)


@pytest.mark.parametrize("statement", REFUSED)
def test_without_rules_nothing_is_refused_for_aurora_s_sake(statement: str) -> None:
    """Without rules, PostgreSQL gets the statement."""
    assert "hotrow.refuse" not in rewrite(statement, rules=False)


@pytest.mark.parametrize(("statement", "message"), ALWAYS_REFUSED.items())
def test_what_the_stand_in_cannot_do_is_refused_without_rules_too(statement: str, message: str) -> None:
    """The stand-in cannot run these statements at all."""
    assert rewrite(statement, rules=False) == f"SELECT hotrow.refuse('0A000', '{message}')"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO account SELECT 1 FROM b",
        "SELECT 1 FROM (SELECT x FROM b) AS tablesample",
        "SELECT 'pg_advisory_lock(1)', \"pg_backend_pid\" FROM account",
        "SET CONSTRAINTS ALL DEFERRED",
    ],
)
def test_what_only_looks_alike_is_not_refused(statement: str) -> None:
    """Words count only at the right position."""
    assert rewrite(statement) == statement


def test_a_refusal_takes_the_parameters_of_the_statement() -> None:
    """With another number of parameters, Bind would fail before the statement does."""
    assert rewrite("SELECT * FROM a WHERE x = $2 AND y = $1 AND z = '$3' FOR SHARE").endswith(
        ") FROM (SELECT $1::text, $2::text) AS __parameters"
    )
