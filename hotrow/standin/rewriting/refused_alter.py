"""Refuses the forms of ALTER TABLE that Aurora DSQL does not have."""

from __future__ import annotations

from types import MappingProxyType

from hotrow.standin.rewriting.columns import check_type, is_table_constraint, read_column
from hotrow.standin.rewriting.refused_create import check_cache, check_identity
from hotrow.standin.rewriting.sql_text import Refusal, Statement
from hotrow.standin.rewriting.table_ddl import altered_at

_REFUSED = MappingProxyType(
    {
        "VALIDATE CONSTRAINT": "VALIDATE CONSTRAINT",
        "ENABLE ROW": "ENABLE ROW SECURITY",
        "DISABLE ROW": "DISABLE ROW SECURITY",
        "FORCE ROW": "FORCE ROW SECURITY",
        "NO FORCE": "NO FORCE ROW SECURITY",
        "ENABLE TRIGGER": "ENABLE TRIGGER",
        "ENABLE ALWAYS": "ENABLE ALWAYS TRIGGER",
        "ENABLE REPLICA": "ENABLE REPLICA TRIGGER",
        "ENABLE RULE": "ENABLE RULE",
        "DISABLE TRIGGER": "DISABLE TRIGGER",
        "DISABLE RULE": "DISABLE RULE",
        "REPLICA IDENTITY": "REPLICA IDENTITY",
        "CLUSTER ON": "CLUSTER ON",
        "SET WITHOUT": "SET WITHOUT CLUSTER",
        "SET (": "SET",
        "RESET (": "RESET",
        "SET LOGGED": "SET LOGGED",
        "SET UNLOGGED": "SET UNLOGGED",
        "SET TABLESPACE": "SET TABLESPACE",
        "SET ACCESS": "SET ACCESS METHOD",
        "ATTACH PARTITION": "ATTACH PARTITION",
        "DETACH PARTITION": "DETACH PARTITION",
        "NO INHERIT": "NO INHERIT",
        "NOT OF": "NOT OF",
    }
)
"""The first two words of actions, and their names in `unsupported ALTER TABLE … statement`."""

_REFUSED_OF_COLUMN = MappingProxyType(
    {
        "SET NOT": "SET NOT NULL",
        "SET DATA": "SET DATA TYPE",
        "SET STATISTICS": "SET STATISTICS",
        "SET COMPRESSION": "SET COMPRESSION",
        "SET (": "SET",
        "RESET (": "RESET",
    }
)
"""The same for the actions of ALTER COLUMN."""


def check_alter_table(statement: Statement) -> None:
    """Check each action of an ALTER TABLE.

    Raises:
        Refusal: Aurora DSQL does not accept it.
    """
    name = altered_at(statement)
    start = statement.name_end(name) + statement.at(statement.name_end(name), "*")
    for first, end in statement.items(start, len(statement.tokens)):
        _check_action(statement, first, end)


def _check_action(statement: Statement, start: int, end: int) -> None:
    if statement.at(start, "ADD"):
        _check_addition(statement, start + 1, end)
    elif statement.at(start, "ALTER") and not statement.at(start + 1, "CONSTRAINT"):
        _check_column_action(statement, statement.after(start + 1, "COLUMN") + 1, end)
    elif not statement.at(2, "ASYNC"):
        action = _REFUSED.get(_two_words(statement, start))
        if action is None and statement.at(start, "INHERIT"):
            action = "INHERIT"
        if action is not None:
            raise _unsupported(action)


def _two_words(statement: Statement, index: int) -> str:
    return f"{statement[index].word} {statement[index + 1].word}"


def _unsupported(action: str) -> Refusal:
    return Refusal(f"unsupported ALTER TABLE {action} statement")


def _check_addition(statement: Statement, start: int, end: int) -> None:
    if is_table_constraint(statement, start):
        _check_constraint(statement, start, end)
    else:
        name = statement.after(statement.after(start, "COLUMN"), "IF", "NOT", "EXISTS")
        _check_column(statement, name, end)


def _check_constraint(statement: Statement, start: int, end: int) -> None:
    kind = start + 2 if statement.at(start, "CONSTRAINT") else start
    if statement.at(kind, "UNIQUE", "USING", "INDEX"):
        return
    not_valid = statement.find("NOT", "VALID", start=kind, depth=0)
    if statement[kind].word in {"CHECK", "FOREIGN"} and not_valid is not None and not_valid < end:
        return
    raise _unsupported("ADD CONSTRAINT")


def _check_column(statement: Statement, name: int, end: int) -> None:
    column = read_column(statement, name, end)
    rest = [token.word for token in statement.tokens[column.type_end : end]]
    if "COLLATE" in rest:
        raise Refusal("COLLATE clause not supported")
    if rest[:1] == ["STORAGE"]:
        del rest[:2]
    if rest not in ([], ["NULL"]):
        hint = "Add the column without it; then ALTER COLUMN … SET DEFAULT, or ADD CONSTRAINT … NOT VALID."
        raise Refusal("ALTER TABLE ADD COLUMN with constraint not supported", hint=hint)
    check_type(statement, column)


def _check_column_action(statement: Statement, start: int, end: int) -> None:
    if statement.at(start, "TYPE"):
        raise _unsupported("ALTER COLUMN ... SET DATA TYPE")
    if statement.at(start, "ADD", "GENERATED"):
        check_identity(statement, start, end)
    if action := _REFUSED_OF_COLUMN.get(_two_words(statement, start)):
        raise _unsupported(f"ALTER COLUMN ... {action}")
    check_cache(statement, start, end)
