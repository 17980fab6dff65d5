"""What a rewritten statement refuses."""

from __future__ import annotations

import re

from hotrow.standin.rewriting.rewrite import rewrite

_CALL = re.compile(r"SELECT hotrow\.refuse\('((?:[^']|'')*)', '((?:[^']|'')*)'(?:, '((?:[^']|'')*)')?\)")


def refusal(statement: str) -> tuple[str, str, str]:
    """The SQLSTATE, the message and the hint of a refusal; three empty texts if nothing is refused."""
    match = _CALL.match(rewrite(statement))
    if match is None:
        return "", "", ""
    state, message, hint = (text.replace("''", "'") for text in match.groups(default=""))
    return state, message, hint
