"""SET of the parameters that Aurora DSQL lets a session set, and of others."""

from __future__ import annotations

import pytest

from hotrow.standin.rewriting.rewrite import rewrite
from tests.support.refusals import refusal

REFUSED = {
    "SET statement_timeout = '5s'": "statement_timeout",
    "SET LOCAL statement_timeout TO 5000": "statement_timeout",
    'SET SESSION "statement_timeout" = DEFAULT': "statement_timeout",
    "SET client_min_messages TO warning": "client_min_messages",
    "SET default_transaction_isolation = 'repeatable read'": "default_transaction_isolation",
    "SET my.setting = '1'": "my.setting",
    "SET TRANSACTION READ ONLY": "TRANSACTION",
    "SET LOCAL TRANSACTION ISOLATION LEVEL REPEATABLE READ": "TRANSACTION",
    "SET ROLE app": "role",
    "SET SESSION ROLE NONE": "role",
    "SET role = 'app'": "role",
    "SET SESSION AUTHORIZATION app": "session_authorization",
}
TAKEN = [
    "SET search_path TO a, b",
    "SET SESSION application_name = 'x'",
    "SET LOCAL enable_seqscan = off",
    "SET NAMES 'UTF8'",
    "SET TIME ZONE 'UTC'",
    "SET SCHEMA 'a'",
    "SET DateStyle TO ISO",
    "SET LOCAL ROLE app",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "SET hotrow.rules = off",
    "RESET ROLE",
    "RESET statement_timeout",
    "RESET ALL",
]


@pytest.mark.parametrize(("statement", "name"), REFUSED.items())
def test_other_parameters_are_refused_by_name(statement: str, name: str) -> None:
    """The text is Aurora DSQL's."""
    text = f'setting configuration parameter "{name}" not supported'
    assert refusal(statement)[:2] == ("0A000", text)


@pytest.mark.parametrize(
    "statement",
    [
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    ],
)
def test_an_isolation_level_that_does_not_exist_is_refused_by_name(statement: str) -> None:
    """The level is refused, not the parameter."""
    assert refusal(statement)[:2] == ("0A000", "Unsupported isolation level: SERIALIZABLE")


@pytest.mark.parametrize("statement", TAKEN)
def test_the_parameters_of_a_session_reach_postgresql(statement: str) -> None:
    """The text stays as it is."""
    assert rewrite(statement) == statement


@pytest.mark.parametrize("verb", ["SET", "SHOW", "RESET"])
def test_a_parameter_that_only_aurora_dsql_has_gets_a_name_that_postgresql_takes(verb: str) -> None:
    """PostgreSQL takes an unknown parameter only with a dot in its name."""
    assert rewrite(f"{verb} disable_sync_create_index") == f"{verb} dsql.disable_sync_create_index"
