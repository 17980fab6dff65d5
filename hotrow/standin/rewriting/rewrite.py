"""Rewrites a client's SQL text for the stand-in, whose tables are views.

Locking reads, upserts and table DDL are changed to use the relations and functions behind a view. A
statement that Aurora DSQL refuses becomes a call of `hotrow.refuse`, which aborts an open transaction as the
refusal does. All other text passes byte for byte.
"""

from __future__ import annotations

import re

from hotrow.standin.rewriting.catalogue import names_catalogue, replace_catalogue
from hotrow.standin.rewriting.locking_reads import replace_locking
from hotrow.standin.rewriting.own_statements import replace_own
from hotrow.standin.rewriting.refusals import check_rules
from hotrow.standin.rewriting.sql_text import NotUnderstood, Refusal, Statement, literal, parse, splice
from hotrow.standin.rewriting.table_ddl import replace_ddl
from hotrow.standin.rewriting.upserts import replace_upsert

_MAY_NEED_REWRITING = re.compile(
    r"\s*(?:--|/\*|(?:alter|aws|checkpoint|cluster|comment|copy|create|declare|discard|do|drop|import|listen|load"
    r"|lock|merge|notify|prepare|refresh|reindex|release|savepoint|security|set|show|reset|start|truncate|unlisten"
    r"|vacuum)\b"
    r"|(?:begin|rollback)\s*\S|commit\s+prepared\b)"
)
"""The beginning of a text that may have to be rewritten even if it has neither FOR nor ON CONFLICT."""
_MAX_CHARACTERS = 524_288
"""Longer texts are not cut into tokens. A text of this length takes at most one second."""
_MUST_BE_REWRITTEN = re.compile(r"\bon\s+conflict\b|\bfor\s+(?:update|key\s+share)\b", re.IGNORECASE)
_PARAMETERS = re.compile(r"\$(\d{1,5})\b")


def rewrite(statement: str, *, rules: bool = True) -> str:
    """The text for the stand-in, from a client's text, which may have several statements.

    If `rules` is false, only what the stand-in needs is rewritten, and what Aurora DSQL refuses is let
    through. Text that cannot be cut into tokens stays as it is. Nothing is raised: a refusal is text, too.
    """
    if not _may_matter(statement):
        return statement
    if len(statement) > _MAX_CHARACTERS:
        return _rewrite_long(statement)
    try:
        statements = parse(statement)
    except NotUnderstood:
        return statement
    return splice(statement, [(part.start, part.end, _rewrite_one(part, rules=rules)) for part in statements])


def _may_matter(text: str) -> bool:
    """Whether the text may have to be rewritten. For most reads and writes, this takes 1.3 microseconds."""
    folded = text.lower().rstrip("; \n")
    # three searches for fixed words are five times as fast as one regular expression
    if "for" in folded or "conflict" in folded or ";" in folded or "merge" in folded:
        return True
    if "advisory" in folded or "pg_backend" in folded or "json_" in folded or "tablesample" in folded:
        return True
    if " into " in folded and "insert" not in folded:
        return True
    if "returning" in folded and ("old" in folded or "new" in folded):
        return True
    return _MAY_NEED_REWRITING.match(folded) is not None or names_catalogue(folded)


def _rewrite_long(statement: str) -> str:
    """The result for a text that is too long to be cut: a refusal if it must be rewritten, else the text."""
    if not _MUST_BE_REWRITTEN.search(statement):
        return statement
    parameters = max((int(number) for number in _PARAMETERS.findall(statement)), default=0)
    clauses = "ON CONFLICT, FOR UPDATE and FOR KEY SHARE"
    message = f"the stand-in takes {clauses} in up to {_MAX_CHARACTERS} characters: send values as parameters"
    return _refusal(Refusal(message, sqlstate="54000"), parameters)


def _rewrite_one(statement: Statement, *, rules: bool) -> str:
    try:
        if rules:
            check_rules(statement)
        return _with_catalogue(_translate(statement, rules=rules))
    except Refusal as refusal:
        return _refusal(refusal, statement.parameters)


def _with_catalogue(text: str) -> str:
    """The text with the stand-in's views of the system catalogues, if it names one."""
    return _replace_in(text) if names_catalogue(text.lower()) else text


def _replace_in(text: str) -> str:
    (statement,) = parse(text)
    return replace_catalogue(statement)


def _translate(statement: Statement, *, rules: bool) -> str:
    """The statement with everything that a view does not support replaced."""
    if own := replace_own(statement):
        return own
    unlocked = replace_locking(statement)
    if unlocked is not None and statement.find("ON", "CONFLICT") is None:
        return unlocked  # of the other statements, only an upsert can contain a locking read
    if unlocked is not None:
        (statement,) = parse(unlocked)
    replaced = replace_upsert(statement) or replace_ddl(statement, rules=rules)
    return replaced or statement.edited([])


def _refusal(refusal: Refusal, parameters: int) -> str:
    """A call that raises the error.

    It has as many parameters as the statement, otherwise Bind would fail first.
    """
    texts = [refusal.sqlstate, str(refusal), *([refusal.hint] if refusal.hint else [])]
    call = f"SELECT hotrow.refuse({', '.join(literal(text) for text in texts)})"
    placeholders = ", ".join(f"${n}::text" for n in range(1, parameters + 1))
    return f"{call} FROM (SELECT {placeholders}) AS __parameters" if placeholders else call
