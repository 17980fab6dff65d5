"""A client's SQL text on its way to the stand-in, whose tables are views.

Locking reads, upserts and the DDL of tables are put in terms of what stands behind a view; what Aurora DSQL
refuses becomes a call of `hotrow.refuse`, which aborts an open transaction as the refusal does. All else
passes byte for byte.
"""

from __future__ import annotations

import re

from hotrow.standin.rewriting.locking_reads import replace_locking
from hotrow.standin.rewriting.refusals import check_rules
from hotrow.standin.rewriting.sql_text import NotUnderstood, Refusal, Statement, literal, parse, splice
from hotrow.standin.rewriting.table_ddl import replace_ddl
from hotrow.standin.rewriting.upserts import replace_upsert

_LEAD = re.compile(
    r"\s*(?:--|/\*|(?:alter|comment|copy|create|do|drop|listen|lock|notify|prepare|release|savepoint|set|start"
    r"|truncate|unlisten|vacuum)\b|(?:begin|rollback)\s*\S)"
)
"""How a text starts that may have to be rewritten, if it is not one with FOR or ON CONFLICT."""
_CHARACTERS_MAX = 524_288
"""Of a text that is cut into tokens: a second for as many as this can have."""
_REWRITTEN = re.compile(r"\bon\s+conflict\b|\bfor\s+(?:update|key\s+share)\b", re.IGNORECASE)
_PARAMETERS = re.compile(r"\$(\d{1,5})\b")


def rewrite(statement: str, *, rules: bool = True) -> str:
    """What the stand-in gets in place of a client's text, which may hold several statements.

    `rules` false: only what the stand-in needs is rewritten, and what Aurora DSQL refuses is let through.
    What is not understood comes out as it came in. Nothing is raised: a refusal is text too.
    """
    if not _may_matter(statement):
        return statement
    if len(statement) > _CHARACTERS_MAX:
        return _long(statement)
    try:
        statements = parse(statement)
    except NotUnderstood:
        return statement
    return splice(statement, [(one.start, one.end, _rewritten(one, rules=rules)) for one in statements])


def _may_matter(text: str) -> bool:
    """Whether the text is worth cutting into tokens; half a microsecond for most reads and writes."""
    folded = text.lower().rstrip("; \n")
    # three searches for fixed words are five times as fast as one regular expression for them
    return "for" in folded or "conflict" in folded or ";" in folded or _LEAD.match(folded) is not None


def _long(statement: str) -> str:
    """A text that takes seconds to cut up: refused if it has what must be rewritten, else as it is."""
    if not _REWRITTEN.search(statement):
        return statement
    parameters = max((int(number) for number in _PARAMETERS.findall(statement)), default=0)
    clauses = "ON CONFLICT, FOR UPDATE and FOR KEY SHARE"
    message = f"the stand-in takes {clauses} in up to {_CHARACTERS_MAX} characters: send values as parameters"
    return _refusal(Refusal(message, sqlstate="54000"), parameters)


def _rewritten(statement: Statement, *, rules: bool) -> str:
    try:
        if rules:
            check_rules(statement)
        return _translated(statement, rules=rules)
    except Refusal as refusal:
        return _refusal(refusal, statement.parameters)


def _translated(statement: Statement, *, rules: bool) -> str:
    """The statement without what a view cannot have."""
    unlocked = replace_locking(statement)
    if unlocked is not None and statement.find("ON", "CONFLICT") is None:
        return unlocked  # of the rest, only an upsert can have a locking read in it
    if unlocked is not None:
        (statement,) = parse(unlocked)
    fresh = replace_upsert(statement) or replace_ddl(statement, rules=rules)
    return fresh or statement.edited([])


def _refusal(refusal: Refusal, parameters: int) -> str:
    """A call that raises; it takes as many parameters as the statement, or Bind would fail first."""
    call = f"SELECT hotrow.refuse({literal(refusal.sqlstate)}, {literal(str(refusal))})"
    taken = ", ".join(f"${n}::text" for n in range(1, parameters + 1))
    return f"{call} FROM (SELECT {taken}) AS __parameters" if taken else call
