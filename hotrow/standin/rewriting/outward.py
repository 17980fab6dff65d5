"""What a client may read in the stand-in's errors: its own tables' names, not those of what stands behind."""

from __future__ import annotations

import re

_BESIDE = (
    "base|writes|shares|excluded|or_nothing|insert_new|insert|update|delete"
    "|for_update|for_key_share|check_rows|apply"
)
_INNER = re.compile(rf"([\w$]+)__(?:{_BESIDE})(?![\w$])")
_WRITES = "__writes"
_INNER_COLUMNS = 5
"""At the end of each row of a write set; none of their values contains a comma."""
_ROW = "Failing row contains ("
_CONTEXT = frozenset("Wqp")
"""Where in the stand-in's functions it happened: the client called none of them."""
_TEXTS = frozenset("MDHtn")


def outer_names(text: str) -> str:
    """The text with a table's own name for the names of what stands behind it; it is a table, no view."""
    tables = {found[1] for found in _INNER.finditer(text)}
    text = _INNER.sub(r"\1", text)
    for table in tables:
        text = re.sub(rf"\bview ((?:\w+\.)?{re.escape(table)})\b", r"table \1", text)
    return text


def outward(fields: dict[str, str]) -> dict[str, str]:
    """The fields of an ErrorResponse or a NoticeResponse, by their letters, as a plain table's would be."""
    detail = fields.get("D", "")
    kept = {letter: text for letter, text in fields.items() if letter not in _CONTEXT}
    if fields.get("t", "").endswith(_WRITES) and detail.startswith(_ROW):
        kept["D"] = f"{detail.rsplit(', ', _INNER_COLUMNS)[0]})."
    letters = [letter for letter in kept if letter in _TEXTS]
    # together: what is an inner name in one of them is a table in the others; no text has a zero
    shown = outer_names("\0".join(kept[letter] for letter in letters)).split("\0")
    return kept | dict(zip(letters, shown, strict=True))
