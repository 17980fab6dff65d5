"""The matrix of probe and target as values, and how it is shown: a table, Markdown, steps, JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hotrow.probe.notation import Probe, Step
    from hotrow.probe.play import Observed, Played

SAME = "same"
"""The cell of a target that does what Aurora DSQL does."""
NOT_REACHED = "not reached"
_LOCKING = re.compile(r"FOR (?:NO KEY UPDATE|KEY SHARE|UPDATE|SHARE)$")
_ERROR = re.compile(r"\d[0-9A-Z]{4}(?: OC\d{3})?")
_MOST_OF_AN_ANSWER = 40


@dataclass(frozen=True, slots=True)
class Row:
    """One probe, as each target played it."""

    probe: Probe
    played: tuple[Played, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Every probe on every target; `targets` are their labels, free of secrets."""

    targets: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def holds(self) -> bool:
        """Whether every target does in every probe what Aurora DSQL does."""
        return all(played.holds for row in self.rows for played in row.played)

    def held(self, target: int) -> int:
        """How many probes this target plays as Aurora DSQL does."""
        return sum(row.played[target].holds for row in self.rows)

    def summary(self) -> list[str]:
        """One line a target."""
        return [
            f"{label}: {self.held(index)} of {len(self.rows)} as Aurora DSQL"
            for index, label in enumerate(self.targets)
        ]

    def as_json(self) -> dict[str, Any]:
        """The whole matrix, step by step."""
        return {
            "targets": [
                {"target": label, "probes": len(self.rows), "hold": self.held(index)}
                for index, label in enumerate(self.targets)
            ],
            "probes": [self._row_json(row) for row in self.rows],
        }

    def _row_json(self, row: Row) -> dict[str, Any]:
        probe = row.probe
        return {
            "probe": probe.name,
            "tags": list(probe.tags),
            "source": probe.source,
            "some": probe.some,
            "steps": [
                {"session": step.session, "sql": step.sql, "expected": list(step.expected)}
                for step in probe.steps
            ],
            "targets": [
                {"target": label, **_played_json(played)}
                for label, played in zip(self.targets, row.played, strict=True)
            ],
        }


def table(matrix: Matrix) -> Table:
    """The matrix for a console."""
    shown = Table(box=box.SIMPLE, pad_edge=False)
    for heading in ("probe", "Aurora DSQL", *matrix.targets):
        shown.add_column(Text(heading), overflow="fold")
    for row in matrix.rows:
        cells = [
            Text(SAME, style="green") if each.holds else Text(cell(each), style="red") for each in row.played
        ]
        shown.add_row(Text(row.probe.name), Text(decisive(row.probe)), *cells)
    return shown


def markdown(matrix: Matrix) -> str:
    """The matrix for a document."""
    heading = ["probe", "source", "Aurora DSQL", *matrix.targets]
    lines = [heading, ["---"] * len(heading)]
    for row in matrix.rows:
        expected = decisive(row.probe).replace("|", "or")
        cells = [SAME if played.holds else cell(played) for played in row.played]
        lines.append([row.probe.name, row.probe.origin, expected, *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def steps(matrix: Matrix) -> Iterator[str]:
    """Line by line, every step of every probe in which a target differs."""
    for row in matrix.rows:
        for label, played in zip(matrix.targets, row.played, strict=True):
            if not played.holds:
                yield f"{row.probe.name} · {label}"
                yield from _step_lines(played)


def cell(played: Played) -> str:
    """What a target does instead: at the first step that differs."""
    if played.refused:
        return _cut(played.refused)
    different = played.difference
    if different is None:
        return f"never {played.lacks}"
    return f"{_brief(different.step)} → {_cut(_text(different))}"


def decisive(probe: Probe) -> str:
    """The step that the probe is about, with DSQL's answers: the first that may fail, else the last."""
    step = next((step for step in probe.steps if _may_fail(step)), probe.steps[-1])
    return f"{_brief(step)} → {_cut(' | '.join(step.expected))}"


def _may_fail(step: Step) -> bool:
    return any(_ERROR.fullmatch(answer) for answer in step.expected)


def _brief(step: Step) -> str:
    """The session and its command: `b: UPDATE`, `a: SELECT … FOR UPDATE`."""
    verb = step.sql.split()[0]
    locking = _LOCKING.search(step.sql)
    return f"{step.session}: {verb}{f' … {locking.group()}' if locking else ''}"


def _text(observed: Observed) -> str:
    return observed.answer.text if observed.answer else NOT_REACHED


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_OF_AN_ANSWER else f"{text[: _MOST_OF_AN_ANSWER - 1]}…"


def _step_lines(played: Played) -> Iterator[str]:
    if played.refused:
        yield f"  {played.refused}"
    for each in played.observed:
        sign = " " if each.holds else "!"
        yield f"{sign} {each.step.session}: {each.step.sql} -> {' | '.join(each.step.expected)}"
        if not each.holds:
            words = f" ({each.answer.message})" if each.answer and each.answer.message else ""
            yield f"    observed: {_text(each)}{words}"
    if played.lacks:
        yield f"! some: {played.lacks}"


def _played_json(played: Played) -> dict[str, Any]:
    return {
        "holds": played.holds,
        "refused": played.refused or None,
        "lacks": played.lacks,
        "observed": [
            {
                "answer": each.answer.text if each.answer else None,
                "message": (each.answer.message or None) if each.answer else None,
                "holds": each.holds,
            }
            for each in played.observed
        ],
    }
