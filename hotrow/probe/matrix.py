"""The matrix of probes and targets as values, and its output as a table, Markdown, steps or JSON."""

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
"""The table cell of a target that behaves as Aurora DSQL does."""
NOT_REACHED = "not reached"
_LOCKING = re.compile(r"FOR (?:NO KEY UPDATE|KEY SHARE|UPDATE|SHARE)$")
_ERROR = re.compile(r"\d[0-9A-Z]{4}(?: OC\d{3})?")
_MAX_ANSWER_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Row:
    """One probe, as each target played it."""

    probe: Probe
    played: tuple[Played, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Every probe on every target. `targets` are their labels, which contain no secrets."""

    targets: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def holds(self) -> bool:
        """Whether every target behaves as Aurora DSQL does in every probe."""
        return all(played.holds for row in self.rows for played in row.played)

    def hold_count(self, target: int) -> int:
        """The number of probes in which this target behaves as Aurora DSQL does."""
        return sum(row.played[target].holds for row in self.rows)

    def summary(self) -> list[str]:
        """One line per target."""
        return [
            f"{label}: {self.hold_count(index)} of {len(self.rows)} as Aurora DSQL"
            for index, label in enumerate(self.targets)
        ]

    def as_json(self) -> dict[str, Any]:
        """The matrix as JSON values, with every step."""
        return {
            "targets": [
                {"target": label, "probes": len(self.rows), "hold": self.hold_count(index)}
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
    grid = Table(box=box.SIMPLE, pad_edge=False)
    for heading in ("probe", "Aurora DSQL", *matrix.targets):
        grid.add_column(Text(heading), overflow="fold")
    for row in matrix.rows:
        cells = [
            Text(SAME, style="green") if played.holds else Text(cell(played), style="red")
            for played in row.played
        ]
        grid.add_row(Text(row.probe.name), Text(decisive(row.probe)), *cells)
    return grid


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
    """The lines that show every step of each probe in which a target differs."""
    for row in matrix.rows:
        for label, played in zip(matrix.targets, row.played, strict=True):
            if not played.holds:
                yield f"{row.probe.name} · {label}"
                yield from _step_lines(played)


def cell(played: Played) -> str:
    """The table cell of a target that differs: its first step with another answer."""
    if played.refused:
        return _cut(played.refused)
    different = played.difference
    if different is None:
        return f"never {played.lacks}"
    return f"{_brief(different.step)} → {_cut(_text(different))}"


def decisive(probe: Probe) -> str:
    """The decisive step with Aurora DSQL's answers: the first step that may fail, or else the last step."""
    step = next((step for step in probe.steps if _may_fail(step)), probe.steps[-1])
    return f"{_brief(step)} → {_cut(' | '.join(step.expected))}"


def _may_fail(step: Step) -> bool:
    return any(_ERROR.fullmatch(answer) for answer in step.expected)


def _brief(step: Step) -> str:
    """The session and the command of a step: `b: UPDATE`, `a: SELECT … FOR UPDATE`."""
    verb = step.sql.split()[0]
    locking = _LOCKING.search(step.sql)
    return f"{step.session}: {verb}{f' … {locking.group()}' if locking else ''}"


def _text(observed: Observed) -> str:
    return observed.answer.text if observed.answer else NOT_REACHED


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_ANSWER_LENGTH else f"{text[: _MAX_ANSWER_LENGTH - 1]}…"


def _step_lines(played: Played) -> Iterator[str]:
    if played.refused:
        yield f"  {played.refused}"
    for observed in played.observed:
        step, answer = observed.step, observed.answer
        sign = " " if observed.holds else "!"
        yield f"{sign} {step.session}: {step.sql} -> {' | '.join(step.expected)}"
        if not observed.holds:
            message = f" ({answer.message})" if answer and answer.message else ""
            yield f"    observed: {_text(observed)}{message}"
    if played.lacks:
        yield f"! some: {played.lacks}"


def _played_json(played: Played) -> dict[str, Any]:
    return {
        "holds": played.holds,
        "refused": played.refused or None,
        "lacks": played.lacks,
        "observed": [
            {
                "answer": observed.answer.text if observed.answer else None,
                "message": (observed.answer.message or None) if observed.answer else None,
                "holds": observed.holds,
            }
            for observed in played.observed
        ],
    }
