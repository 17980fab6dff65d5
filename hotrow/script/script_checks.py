"""The checks of a script: the statements of `mine.check.sql`, each with the comment before it.

The comment names what is true if the data is right, and may say how the rows are read:

- nothing more: every row that the statement returns after a cell is a violation;
- `-- before`: the statement must return the same rows before and after a cell, or, if a statement with
  `-- after` follows, that one must return after the cell what this one returned before it;
- `-- once per transaction`: its single number grows by 1 with every committed transaction, or with
  `-- once per NAME` with every one of this kind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hotrow.scenario import applied_once, judge
from hotrow.script.cutting import cut
from hotrow.script.sql_template import read_template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hotrow.scenario import Session, State, Tally, Verdict
    from hotrow.script.source_text import Source

_COMMENT = re.compile(r"--[ \t]*(?P<text>[^\r\n]*)")
_ONCE = re.compile(r"once per (?P<kind>\S+)")
_MAX_NAME = 60
EVERY = "transaction"
"""What `-- once per` counts if it is to count all kinds."""


@dataclass(frozen=True, slots=True)
class ScriptCheck:
    """One check: its name and its statements."""

    name: str
    sql: str
    after: str = ""
    """The statement of `-- after`; empty if there is none."""
    same: bool = False
    """Whether rows before and after a cell are compared."""
    once: str = ""
    """The kind of transaction that counts once; empty if nothing is counted."""

    def observe(self, session: Session) -> Mapping[str, Any]:
        """The rows of the statements, with the names of their columns."""
        return {"rows": _rows(session, self.sql), "after": _rows(session, self.after) if self.after else None}

    def judge(self, before: State, after: State, tally: Tally, kinds: Sequence[str]) -> Verdict:
        """The verdict on a cell."""
        if self.once:
            counted = _number(after["rows"]) - _number(before["rows"])
            counting = tally if self.once == EVERY else tally.kinds[list(kinds).index(self.once)]
            return applied_once(self.name, counted, counting)
        if not self.same:
            return judge(self.name, after["rows"])
        rows = after["rows"] if after["after"] is None else after["after"]
        return judge(self.name, list(_differences(before["rows"], rows)))


def read_checks(source: Source, kinds: Sequence[str]) -> list[ScriptCheck]:
    """The checks of a file.

    Raises:
        ScriptError: a backslash command, a variable, or a comment that does not fit.
    """
    checks: list[ScriptCheck] = []
    for piece in cut(source):
        if piece.word is not None or len(piece.parts) > 1:
            raise source.error(piece.start, "a check is a single statement without backslash commands")
        template = read_template(source, piece.parts[0])
        if template.words[:1] not in {("SELECT",), ("WITH",), ("VALUES",), ("TABLE",)}:
            raise source.error(piece.start, "a check is a SELECT whose rows are the violations")
        sql = source.text[piece.start : piece.end]
        comments = [match["text"].strip() for match in _COMMENT.finditer(piece.lead)]
        mode = next((text for text in reversed(comments) if _is_mode(text)), "")
        names = [text for text in comments if text and not _is_mode(text)]
        if mode == "after":
            if not (checks and checks[-1].same and not checks[-1].after):
                raise source.error(piece.start, "`-- after` must follow a statement with `-- before`")
            last = checks.pop()
            checks.append(ScriptCheck(last.name, last.sql, sql, same=True))
            continue
        once = _ONCE.fullmatch(mode)
        if once is not None and once["kind"] not in {EVERY, *kinds}:
            known = ", ".join((EVERY, *kinds))
            raise source.error(piece.start, f"`-- {mode}`: once per what? {known} are counted")
        name = (names[-1] if names else " ".join(sql.split()))[:_MAX_NAME]
        checks.append(ScriptCheck(name, sql, same=mode == "before", once=once["kind"] if once else ""))
    return checks


def _is_mode(text: str) -> bool:
    return text in {"before", "after"} or _ONCE.fullmatch(text) is not None


def _rows(session: Session, sql: str) -> list[dict[str, Any]]:
    result = session.execute(sql)
    names = [
        name if name not in result.columns[:number] else f"{name} {number + 1}"
        for number, name in enumerate(result.columns)
    ]
    return [dict(zip(names, row, strict=True)) for row in result.rows]


def _number(rows: Sequence[Mapping[str, Any]]) -> Any:
    """The number that a statement with `-- once per …` returned."""
    values = [value for row in rows for value in row.values()]
    if len(values) != 1:
        raise ValueError(f"`-- once per …` needs one number; the statement returned {len(values)} values")
    return values[0] or 0


def _differences(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """The rows that only one of the two has. Their order does not matter, nor do the names of columns."""
    left = [list(row.values()) for row in before]
    right = [list(row.values()) for row in after]
    missing, added = _without(left, right), _without(right, left)
    for number in range(max(len(missing), len(added))):
        yield {
            "before": missing[number] if number < len(missing) else None,
            "after": added[number] if number < len(added) else None,
        }


def _without(rows: Sequence[list[Any]], others: Sequence[list[Any]]) -> list[list[Any]]:
    rest = list(map(repr, others))
    kept = []
    for row in rows:
        if repr(row) in rest:
            rest.remove(repr(row))
        else:
            kept.append(row)
    return kept
