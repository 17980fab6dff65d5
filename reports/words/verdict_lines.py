"""The banners of a run: correctness with its violations, gates, and cells that must not be quoted. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hotrow.simulated_run import is_simulated
from reports.words import wording as words
from reports.words.metrics import is_mostly_rejected
from reports.words.observed_words import OBSERVED
from reports.words.series import cell_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reports.words.wording import Cell

_MAX_NAMED = 5
_MAX_VALUES = 6
_MAX_CHARACTERS = 48

Severity = Literal["valid", "invalid", "unchecked", "unusable", "failed", "doubtful", "interrupted"]
_ORDER: tuple[Severity, ...] = (
    "invalid",
    "failed",
    "unchecked",
    "valid",
    "interrupted",
    "doubtful",
    "unusable",
)
Check = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Banner:
    """A verdict on the whole run: its severity, a sentence, and the cells that it is about."""

    severity: Severity
    text: str
    details: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()
    """Those details that say more than a cell's name."""


_SIMULATED = (Banner("unchecked", "Simulated: there is no database, and so no data to check."),)


def violations(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """One line per cell with wrong data: the checks, the number of violations, and the first of them."""
    cells = words.redact(summary["cells"])
    name = cell_names(cells)
    return tuple(_with_checks(cell, name, valid=False) for cell in cells if cell["verdict"]["valid"] is False)


def check_text(check: Mapping[str, Any]) -> str:
    """In words, what a check of one cell found, or why it could not decide; empty if it holds."""
    if check["valid"]:
        return ""
    return _violations(dict(check)) if check["valid"] is False else _reason(dict(check))


def banners(summary: Mapping[str, Any]) -> tuple[Banner, ...]:
    """The banners of a run, worst first: correctness, gates that failed or prove little, unusable cells."""
    cells, gates = summary["cells"], summary.get("gates") or {}
    simulated = is_simulated(summary["run"])
    unsorted = (
        *_interrupted(summary),
        *(_SIMULATED if simulated else _verdict(cells, failed=bool(gates.get("breaches")))),
        *_failed(gates.get("breaches") or ()),
        *_doubtful(gates.get("doubts") or ()),
        *_rejected(cells),
        *_unusable(cells),
    )
    return tuple(sorted(unsorted, key=lambda banner: _ORDER.index(banner.severity)))


def with_gates(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The summary with `gate_failed` in each cell: whether the cell did not pass one of its gates."""
    failed = {breach["cell"] for breach in (summary.get("gates") or {}).get("breaches", ())}
    return {**summary, "cells": [{**cell, "gate_failed": cell["id"] in failed} for cell in summary["cells"]]}


def _interrupted(summary: Mapping[str, Any]) -> tuple[Banner, ...]:
    """A run that ended before all planned cells were measured; the cell that was cut short is named."""
    cells, planned = summary["cells"], summary.get("planned_cells")
    cut = [cell for cell in cells if any(warning["code"] == "interrupted" for warning in cell["warnings"])]
    missing = any(warning["code"] == "cells_missing" for warning in summary["warnings"])
    if not cut and not missing:
        return ()
    name, whole = cell_names(cells), len(cells) - len(cut)
    of = "" if planned is None else f" of {words.counted(planned, 'cell')}"
    text = f"Interrupted after {whole:,}{of}: " if of else "Interrupted: "
    text += "the others were not measured to their end." if cells else "nothing was measured."
    details = [f"{name(cell)}: cut short after {cell['seconds']:.1f} s" for cell in cut]
    return (Banner("interrupted", text, _limited(details), _limited(details)),)


def _unusable(cells: Sequence[Cell]) -> tuple[Banner, ...]:
    unusable = [cell for cell in cells if not cell["usable"]]
    if not unusable:
        return ()
    it_is, it = ("It is", "it") if len(unusable) == 1 else ("They are", "them")
    text = (
        f"{_some(len(unusable), cells)} {_is(len(unusable))} not usable. {it_is} drawn hollow; do not quote "
        f"{it}. The warnings give the reasons."
    )
    return (Banner("unusable", text, _limited(list(map(cell_names(cells), unusable)))),)


def _rejected(cells: Sequence[Cell]) -> tuple[Banner, ...]:
    """Cells that measure rejections by the business rule, such as those of a sold-out shop."""
    rejected = [cell for cell in cells if cell["usable"] and is_mostly_rejected(cell)]
    if not rejected:
        return ()
    it_is = "It is" if len(rejected) == 1 else "They are"
    text = (
        f"The business rule rejected most attempts in {_some(len(rejected), cells)}. {it_is} not compared "
        "with others."
    )
    return (Banner("doubtful", text, _limited(list(map(cell_names(cells), rejected)))),)


def _failed(breaches: Sequence[Mapping[str, Any]]) -> tuple[Banner, ...]:
    """The gates that a run did not pass, including those that had nothing to measure."""
    if not breaches:
        return ()
    failed = any(breach["measured"] is not None for breach in breaches)
    text = f"{words.counted(len(breaches), 'gate')} {'failed' if failed else 'had nothing to measure'}."
    details = _limited([str(breach["text"]) for breach in breaches])
    return (Banner("failed", text, details, details),)


def _doubtful(doubts: Sequence[Mapping[str, Any]]) -> tuple[Banner, ...]:
    if not doubts:
        return ()
    was = "was" if len(doubts) == 1 else "were"
    text = f"{words.counted(len(doubts), 'gate')} {was} met, but only because most users hardly committed."
    details = _limited([str(doubt["text"]) for doubt in doubts])
    return (Banner("doubtful", text, details, details),)


def _verdict(cells: Sequence[Cell], *, failed: bool) -> tuple[Banner, ...]:
    """The banners on correctness: invalid cells, then unchecked ones, or else that all cells are valid.

    `failed`: whether a gate failed. If one did, "valid" alone would read as if the run had passed.
    """
    if not cells or all(cell["skew"] == OBSERVED for cell in cells):  # nothing was there to check
        return ()
    wrong = [cell for cell in cells if cell["verdict"]["valid"] is False]
    unchecked = [cell for cell in cells if cell["verdict"]["valid"] is None]
    if not (wrong or unchecked):
        reason = f"every invariant held in {words.counted(len(cells), 'cell')}"
        text = f"The data is valid ({reason}), but the run did not pass." if failed else f"Valid: {reason}."
        return (Banner("valid", text),)
    return (
        *([_invalid(wrong, cells)] if wrong else []),
        *([_unchecked(unchecked, cells)] if unchecked else []),
    )


def _invalid(wrong: Sequence[Cell], cells: Sequence[Cell]) -> Banner:
    text = f"Invalid: an invariant was violated in {_some(len(wrong), cells)}."
    name = cell_names(cells)
    details = _limited([_with_checks(cell, name, valid=False) for cell in wrong])
    return Banner("invalid", text, details, details)


def _unchecked(unchecked: Sequence[Cell], cells: Sequence[Cell]) -> Banner:
    name, reasons = cell_names(cells), [cell for cell in unchecked if _check_results(cell, valid=None)]
    explained = _limited([_with_checks(cell, name, valid=None) for cell in reasons])
    if len(unchecked) == len(cells):
        return Banner("unchecked", "Not checked: no cell has a verdict.", explained, explained)
    others = all(cell["verdict"]["valid"] is not False for cell in cells)
    has = "has" if len(unchecked) == 1 else "have"
    text = f"Not fully checked: {_some(len(unchecked), cells)} {has} no verdict"
    text += "; the others are valid." if others else "."
    details = _limited([_with_checks(cell, name, valid=None) for cell in unchecked])
    return Banner("unchecked", text, details, explained)


def _with_checks(cell: Cell, name: Callable[[Cell], str], *, valid: bool | None) -> str:
    """A cell's name with the results of its checks that have this verdict."""
    results = "; ".join(_check_results(cell, valid=valid))
    return f"{name(cell)}: {results}" if results else name(cell)


def _check_results(cell: Cell, *, valid: bool | None) -> list[str]:
    checks = [check for check in cell["verdict"]["checks"] if check["valid"] is valid]
    return [result for result in map(_violations if valid is False else _reason, checks) if result]


def _violations(check: Check) -> str:
    """A check with the number of its violations, and the first, the worst and the last of them."""
    by_values: dict[str, list[str]] = {}
    for rank in ("first", "worst", "last"):
        if check.get(rank):
            by_values.setdefault(_values(check[rank]), []).append(rank)
    shown = [f"{values} ({words.joined(ranks)})" for values, ranks in by_values.items()]
    if len(by_values) == 1:
        shown = list(by_values)
    if not by_values and check.get("details"):
        shown = [_values(check["details"])]
    return f"{check['name']}: {words.counted(check['count'], 'violation')}" + (
        f": {'; '.join(shown)}" if shown else ""
    )


def _reason(check: Check) -> str:
    """A check that could not decide, with the reason; empty if the reason is unknown."""
    error = (check.get("details") or {}).get("error")
    return f"{check['name']}: {_short(error)}" if error else ""


def _values(values: Mapping[str, Any]) -> str:
    texts = [f"{name.replace('_', ' ')} {_short(value)}" for name, value in values.items()]
    return ", ".join([*texts[:_MAX_VALUES], *(["…"] if len(texts) > _MAX_VALUES else [])])


def _short(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # ids and balances: without a comma at thousands, so that a search finds them
    text = words.ABSENT if value is None else str(value)
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"


def _limited(names: Sequence[str]) -> tuple[str, ...]:
    more = len(names) - _MAX_NAMED
    return (*names[:_MAX_NAMED], f"and {more} more") if more > 0 else tuple(names)


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _some(some: int, cells: Sequence[Cell]) -> str:
    return f"{some:,} of {words.counted(len(cells), 'cell')}"
