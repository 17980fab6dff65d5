"""Refuses SET of the parameters that Aurora DSQL does not let a session set."""

from __future__ import annotations

from hotrow.standin.rewriting.sql_text import Refusal, Statement

SETTINGS = frozenset(
    {"application_name", "client_encoding", "datestyle", "extra_float_digits", "intervalstyle", "timezone"}
    | {"search_path", "disable_sync_create_index", "dsql.enable_batched_nestloop"}
    | {"enable_bitmapscan", "enable_hashjoin", "enable_indexonlyscan", "enable_indexscan", "enable_material"}
    | {"enable_mergejoin", "enable_nestloop", "enable_seqscan"}
)
"""The parameters that a session of Aurora DSQL may set (AWS: "Supported session parameters")."""
_OWN = "hotrow."
_LEVEL = "REPEATABLE READ"


def may_set(name: str) -> bool:
    """Whether a session may set this parameter: one that Aurora DSQL has, or one of the stand-in's own."""
    return name.lower() in SETTINGS or name.lower().startswith(_OWN)


def not_supported(name: str) -> Refusal:
    """Aurora DSQL's answer to a parameter that it does not let a session set."""
    return Refusal(f'setting configuration parameter "{name}" not supported')


def check_level(statement: Statement) -> None:
    """Check the isolation level that a statement names.

    Raises:
        Refusal: Aurora DSQL does not have it.
    """
    found = statement.find("ISOLATION", "LEVEL")
    if found is None:
        return
    count = 1 if statement.at(found + 2, "SERIALIZABLE") else 2
    level = " ".join(token.word for token in statement.tokens[found + 2 : found + 2 + count])
    if level != _LEVEL:
        raise Refusal(f"Unsupported isolation level: {level}")


def check_set(statement: Statement) -> None:
    """Check a SET.

    Raises:
        Refusal: Aurora DSQL does not accept it.
    """
    start = statement.after_any(1, "SESSION", "LOCAL")
    word = statement[start].word
    if word == "TRANSACTION":
        check_level(statement)
        raise not_supported("TRANSACTION")
    if word == "CHARACTERISTICS":
        check_level(statement)
    elif word == "CONSTRAINTS":
        if statement.tokens[-1].word != "DEFERRED":
            raise Refusal("unsupported statement: SET CONSTRAINTS")
    elif word == "AUTHORIZATION":
        raise not_supported("session_authorization")
    elif word == "ROLE":
        _check_role(statement)
    elif word not in {"NAMES", "SCHEMA", "TIME", "ALL"}:
        name = ".".join(token.folded for token in statement.tokens[start : statement.name_end(start)][::2])
        if name == "role":
            _check_role(statement)
        elif name and not may_set(name):
            raise not_supported(name)


def _check_role(statement: Statement) -> None:
    """A role can be set for one transaction only."""
    if not statement.at(1, "LOCAL"):
        hint = "SET LOCAL ROLE works within a transaction."
        raise Refusal('setting configuration parameter "role" not supported', hint=hint)
