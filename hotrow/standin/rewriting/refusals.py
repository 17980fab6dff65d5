"""Refuses what Aurora DSQL refuses, with its own texts, as far as the words of a statement show it.

Sources: AWS's pages on supported SQL, and answers of clusters in 2026 that AWS and users have published.
The texts are the cluster's as of 2026-09. What the stand-in adds is in the hint.
"""

from __future__ import annotations

from types import MappingProxyType

from hotrow.standin.rewriting.refused_alter import check_alter_table
from hotrow.standin.rewriting.refused_create import check_create
from hotrow.standin.rewriting.refused_newer import check_newer
from hotrow.standin.rewriting.refused_settings import check_level, check_set
from hotrow.standin.rewriting.sql_text import Refusal, Statement

_UNSUPPORTED = MappingProxyType(
    {
        "TRUNCATE": "Truncate",
        "LISTEN": "Listen",
        "NOTIFY": "Notify",
        "UNLISTEN": "Unlisten",
        "DO": "Do",
        "DISCARD": "Discard",
        "PREPARE": "Prepare",
        "DECLARE": "DeclareCursor",
        "LOAD": "Load",
        "CHECKPOINT": "CheckPoint",
        "CLUSTER": "Cluster",
        "REINDEX": "Reindex",
        "SECURITY LABEL": "SecLabel",
        "IMPORT FOREIGN SCHEMA": "ImportForeignSchema",
        "REFRESH MATERIALIZED VIEW": "RefreshMatView",
        "ALTER SYSTEM": "AlterSystem",
        "ALTER DATABASE": "AlterDatabase",
        "ALTER TEXT SEARCH CONFIGURATION": "AlterTSConfiguration",
        "CREATE ACCESS METHOD": "CreateAm",
        "CREATE AGGREGATE": "Define",
        "CREATE CAST": "CreateCast",
        "CREATE COLLATION": "Define",
        "CREATE CONVERSION": "CreateConversion",
        "CREATE DATABASE": "Createdb",
        "CREATE EVENT TRIGGER": "CreateEventTrig",
        "CREATE EXTENSION": "CreateExtension",
        "CREATE FOREIGN DATA WRAPPER": "CreateFdw",
        "CREATE FOREIGN TABLE": "CreateForeignTable",
        "CREATE LANGUAGE": "CreatePLang",
        "CREATE MATERIALIZED VIEW": "CreateTableAs",
        "CREATE OPERATOR": "Define",
        "CREATE OPERATOR CLASS": "CreateOpClass",
        "CREATE OPERATOR FAMILY": "CreateOpFamily",
        "CREATE POLICY": "CreatePolicy",
        "CREATE PUBLICATION": "CreatePublication",
        "CREATE RULE": "Rule",
        "CREATE SERVER": "CreateForeignServer",
        "CREATE SUBSCRIPTION": "CreateSubscription",
        "CREATE TABLESPACE": "CreateTableSpace",
        "CREATE TEXT SEARCH": "Define",
        "CREATE TRANSFORM": "CreateTransform",
        "CREATE USER MAPPING": "CreateUserMapping",
        "DROP DATABASE": "Dropdb",
    }
)
"""The first words of statements, and their names in `unsupported statement: …`."""

_OTHER_TEXTS = MappingProxyType(
    {
        "SAVEPOINT": "unsupported transaction statement: SAVEPOINT",
        "RELEASE": "unsupported transaction statement: RELEASE",
        "ROLLBACK TO": "unsupported transaction statement: ROLLBACK TO",
        "ROLLBACK WORK TO": "unsupported transaction statement: ROLLBACK TO",
        "ROLLBACK TRANSACTION TO": "unsupported transaction statement: ROLLBACK TO",
        "PREPARE TRANSACTION": "unsupported transaction statement: PREPARE TRANSACTION",
        "COMMIT PREPARED": "unsupported transaction statement: COMMIT PREPARED",
        "ROLLBACK PREPARED": "unsupported transaction statement: ROLLBACK PREPARED",
        "VACUUM": "unsupported VACUUM statement",
        "ALTER TYPE": "ALTER TYPE not supported",
        "CREATE TRIGGER": "CREATE TRIGGER not supported",
        "CREATE CONSTRAINT TRIGGER": "CREATE TRIGGER not supported",
        "CREATE PROCEDURE": "PROCEDURE is not supported",
        "CREATE TEMP VIEW": "TEMPORARY or TEMP view not supported for CREATE VIEW",
        "CREATE TEMPORARY VIEW": "TEMPORARY or TEMP view not supported for CREATE VIEW",
        "CREATE TEMP SEQUENCE": "TEMPORARY or TEMP sequence not supported for CREATE SEQUENCE",
        "CREATE TEMPORARY SEQUENCE": "TEMPORARY or TEMP sequence not supported for CREATE SEQUENCE",
        "CREATE TEMP": "TEMPORARY or TEMP table not supported for CREATE TABLE",
        "CREATE TEMPORARY": "TEMPORARY or TEMP table not supported for CREATE TABLE",
        "CREATE UNLOGGED": "UNLOGGED table not supported for CREATE TABLE",
        "DROP INDEX CONCURRENTLY": "DROP INDEX CONCURRENTLY must be first action in transaction",
    }
)
_DROPPED_TYPES = frozenset(
    {"TYPE", "AGGREGATE", "CAST", "COLLATION", "EXTENSION", "OPERATOR", "POLICY", "RULE", "SERVER", "TRIGGER"}
    | {"MATERIALIZED", "PUBLICATION", "TEXT", "FOREIGN", "LANGUAGE", "EVENT", "CONVERSION", "ACCESS"}
)
_MOST_WORDS = 4
_DOMAIN_ADDITIONS = frozenset({"CONSTRAINT", "CHECK", "NOT"})


def check_rules(statement: Statement) -> None:
    """Check that Aurora DSQL accepts the statement, as far as its words show it.

    Raises:
        Refusal: Aurora DSQL does not accept it.
    """
    _check_first_words(statement)
    first = statement[0].word
    if first in {"BEGIN", "START"}:
        _check_modes(statement)
    elif first == "SET":
        check_set(statement)
    elif first == "CREATE":
        check_create(statement)
    elif statement.at(0, "ALTER", "TABLE"):
        check_alter_table(statement)
    elif first in {"ALTER", "DROP"}:
        _check_other_ddl(statement)
    check_newer(statement)
    _check_query(statement)


def _check_first_words(statement: Statement) -> None:
    words = [token.word for token in statement.tokens[: _MOST_WORDS + 2]]
    if words[:3] == ["CREATE", "OR", "REPLACE"]:
        del words[1:3]
    if words[:1] == ["CREATE"] and words[1:2] in (["GLOBAL"], ["LOCAL"], ["TRUSTED"]):
        del words[1]
    for length in range(_MOST_WORDS, 0, -1):
        start = " ".join(words[:length])
        if start in _OTHER_TEXTS:
            raise Refusal(_OTHER_TEXTS[start])
        if start in _UNSUPPORTED:
            raise Refusal(f"unsupported statement: {_UNSUPPORTED[start]}")


def _check_modes(statement: Statement) -> None:
    """Refuse the transaction modes that Aurora DSQL does not have."""
    check_level(statement)
    deferrable = statement.find("DEFERRABLE")
    if deferrable is not None and not statement.at(deferrable - 1, "NOT"):
        raise Refusal("unsupported transaction mode: DEFERRABLE")


def _check_other_ddl(statement: Statement) -> None:
    """ALTER and DROP of anything but tables."""
    if statement.at(0, "DROP") and statement[1].word in _DROPPED_TYPES:
        raise Refusal("unsupported object in DROP statement")
    if statement.at(0, "DROP", "DOMAIN") and statement.find("CASCADE") is not None:
        raise Refusal("DROP DOMAIN with CASCADE unsupported")
    if statement.at(0, "ALTER", "SEQUENCE"):
        check_create(statement)
    if statement[1].word in {"ROLE", "USER"} and statement.at(statement.name_end(2), "SET"):
        raise Refusal("unsupported statement: AlterRoleSet")
    if statement.at(0, "ALTER", "INDEX"):
        action = statement.name_end(statement.after(2, "IF", "EXISTS"))
        if statement[action].word in {"SET", "RESET", "ALTER", "ATTACH"}:
            raise Refusal(f"unsupported ALTER INDEX {statement[action].word} statement")
    if statement.at(0, "ALTER", "DOMAIN"):
        action = statement.name_end(2)
        if statement.at(action, "SET", "NOT"):
            raise Refusal("unsupported ALTER DOMAIN SET NOT NULL statement")
        if statement.at(action, "ADD") and statement[action + 1].word in _DOMAIN_ADDITIONS:
            raise Refusal("unsupported ALTER DOMAIN ADD CONSTRAINT statement")


def _check_query(statement: Statement) -> None:
    """What a cluster refuses in queries."""
    if statement.at(0, "SELECT"):
        into, source = statement.find("INTO", depth=0), statement.find("FROM", depth=0)
        if into is not None and (source is None or into < source):
            raise Refusal("unsupported statement: CreateTableAs")
    for i, token in enumerate(statement.tokens):
        if token.word == "TABLESAMPLE" and statement.at(i + 2, "("):
            raise Refusal("TABLESAMPLE clause not supported")
        is_call = statement.at(i + 1, "(") and not statement.at(i - 1, "FUNCTION")
        if is_call and _is_unsupported_function(token.folded):
            raise Refusal(f"function {token.folded} not supported")


def _is_unsupported_function(name: str) -> bool:
    return name == "pg_backend_pid" or name.startswith(("pg_advisory_", "pg_try_advisory_"))
