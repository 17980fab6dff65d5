"""Recognises statements that begin or end a transaction."""

from __future__ import annotations

import re
from functools import lru_cache

from hotrow.standin.rewriting.sql_text import NotUnderstood, Statement, parse

_SUSPECT = re.compile(
    r"\b(?:COMMIT|END|ABORT|ROLLBACK|BEGIN|START|PREPARE|TRANSACTION|SESSION)\b", re.IGNORECASE
)
"""Every such statement contains one of these words; few others do."""
_COMMITS, _ROLLS_BACK = frozenset({"COMMIT", "END"}), frozenset({"ROLLBACK", "ABORT"})
_ALWAYS = frozenset({"COMMIT", "END", "ABORT", "BEGIN"})
_WITH_NEXT = frozenset({("START", "TRANSACTION"), ("PREPARE", "TRANSACTION")})


def controls_transaction(sql: str) -> bool:
    """Whether the statement begins or ends a transaction, or sets its isolation. Savepoints do not.

    Comments and case do not matter. A statement that PostgreSQL cannot parse does none of this.
    """
    if not _SUSPECT.search(sql):
        return False
    try:
        return any(_controls(statement) for statement in parse(sql))
    except NotUnderstood:
        return False


@lru_cache(1024)
def ending_of(sql: str) -> str | None:
    """`COMMIT` or `ROLLBACK` if the text ends a transaction in this way, perhaps among other statements.

    Of several endings it is `COMMIT` if there is one: after a lost connection it may have been applied.
    """
    if not _SUSPECT.search(sql):
        return None
    try:
        statements = parse(sql)
    except NotUnderstood:
        return None
    words = {statement[0].word for statement in statements if _controls(statement)}
    if words & _COMMITS:
        return "COMMIT"
    return "ROLLBACK" if words & _ROLLS_BACK else None


def _controls(statement: Statement) -> bool:
    first = statement[0].word
    if first == "ROLLBACK":
        return statement[statement.after_any(1, "WORK", "TRANSACTION")].word != "TO"
    if first == "SET":
        position = statement.after_any(1, "LOCAL", "SESSION")
        return statement.at(position, "TRANSACTION") or statement.at(position, "CHARACTERISTICS")
    return first in _ALWAYS or (first, statement[1].word) in _WITH_NEXT
