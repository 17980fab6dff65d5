"""Statements that only Aurora DSQL has, in PostgreSQL's words: AWS IAM GRANT and REVOKE, and a parameter."""

from __future__ import annotations

from hotrow.standin.rewriting.sql_text import Refusal, Statement, literal

_SYNC_INDEX = "disable_sync_create_index"
_NAMESPACE = "dsql."
"""PostgreSQL takes a parameter that it does not know only if its name has a dot."""


def replace_own(statement: Statement) -> str | None:
    """The text for the stand-in of a statement that PostgreSQL does not have; None for other statements.

    Raises:
        Refusal: AWS IAM with anything but a GRANT or a REVOKE.
    """
    if statement.at(0, "AWS", "IAM"):
        return _iam(statement)
    if statement[0].word in {"SET", "RESET", "SHOW"}:
        index = statement.after_any(1, "SESSION", "LOCAL")
        if statement[index].folded == _SYNC_INDEX:
            token = statement[index]
            return statement.edited([(token.start, token.end, _NAMESPACE + _SYNC_INDEX)])
    return None


def _iam(statement: Statement) -> str:
    """AWS IAM GRANT role TO 'arn', or REVOKE role FROM 'arn', as a call, which answers without rows."""
    role, arn = statement[3], statement[5]
    for verb, preposition, procedure in (("GRANT", "TO", "grant_iam"), ("REVOKE", "FROM", "revoke_iam")):
        if statement.at(2, verb) and statement.at(4, preposition) and arn.text[:1] == "'":
            return f"CALL hotrow.{procedure}({literal(role.folded)}, {literal(arn.folded)})"
    wrong = 4 if statement[2].word in {"GRANT", "REVOKE"} else 2
    where = f'at or near "{statement[wrong].text}"' if wrong < len(statement.tokens) else "at end of input"
    raise Refusal(f"syntax error {where}", sqlstate="42601")
