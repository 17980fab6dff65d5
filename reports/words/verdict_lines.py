"""The verdict on a run's correctness, with what violates it, and the cells that must not be quoted. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from reports.words import wording as words
from reports.words.metrics import is_mostly_rejected
from reports.words.series import cell_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.words.wording import Cell

_MAX_NAMED = 5
_MAX_VALUES = 6
_MAX_CHARACTERS = 48

Severity = Literal["valid", "invalid", "unchecked", "unusable", "failed", "doubtful"]
_ORDER: tuple[Severity, ...] = ("invalid", "failed", "unchecked", "valid", "doubtful", "unusable")
Check = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Banner:
    """A verdict on the whole run: its state, a sentence, and the cells that it is about."""

    severity: Severity
    text: str
    details: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    """Of the details those that say more than a cell's name."""


def violations(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """A line per cell with wrong data: which check, how many violations, and the first of them."""
    cells = words.redact(summary["cells"])
    return tuple(_said(cell, cells, valid=False) for cell in cells if cell["verdict"]["valid"] is False)


def banners(summary: Mapping[str, Any]) -> tuple[Banner, ...]:
    """Worst first: the verdict on correctness, gates that failed or say little, cells not to be quoted."""
    cells, gates = summary["cells"], summary.get("gates") or {}
    found = (
        *_verdict(cells, failed=bool(gates.get("breaches"))),
        *_failed(gates.get("breaches") or ()),
        *_doubtful(gates.get("doubts") or ()),
        *_rejected(cells),
        *_unusable(cells),
    )
    return tuple(sorted(found, key=lambda banner: _ORDER.index(banner.severity)))


def with_gates(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The summary with `gate_failed` in each cell: whether one of its gates was not passed."""
    failed = {breach["cell"] for breach in (summary.get("gates") or {}).get("breaches", ())}
    return {**summary, "cells": [{**cell, "gate_failed": cell["id"] in failed} for cell in summary["cells"]]}


def _unusable(cells: Sequence[Cell]) -> tuple[Banner, ...]:
    unusable = [cell for cell in cells if not cell["usable"]]
    if not unusable:
        return ()
    text = f"{_of(len(unusable), cells)} not usable: drawn hollow, not to be quoted. The warnings say why."
    return (Banner("unusable", text, _limited([cell_name(cell, cells) for cell in unusable])),)


def _rejected(cells: Sequence[Cell]) -> tuple[Banner, ...]:
    """Cells that measure how often the business rule says no, such as those that found the stock sold out."""
    found = [cell for cell in cells if cell["usable"] and is_mostly_rejected(cell)]
    if not found:
        return ()
    text = f"In {_some(len(found), cells)} the business rule refused most attempts: not compared with others."
    return (Banner("doubtful", text, _limited([cell_name(cell, cells) for cell in found])),)


def _failed(breaches: Sequence[Mapping[str, Any]]) -> tuple[Banner, ...]:
    """The gates that a run did not pass, those that had nothing to measure among them."""
    if not breaches:
        return ()
    failed = any(breach["measured"] is not None for breach in breaches)
    text = f"{words.counted(len(breaches), 'gate')} {'failed' if failed else 'had nothing to measure'}."
    told = _limited([str(breach["text"]) for breach in breaches])
    return (Banner("failed", text, told, told),)


def _doubtful(doubts: Sequence[Mapping[str, Any]]) -> tuple[Banner, ...]:
    if not doubts:
        return ()
    text = f"{words.counted(len(doubts), 'gate')} met, but only because most users hardly committed."
    told = _limited([str(doubt["text"]) for doubt in doubts])
    return (Banner("doubtful", text, told, told),)


def _verdict(cells: Sequence[Cell], *, failed: bool) -> tuple[Banner, ...]:
    """What is wrong, then what is not known; if there is neither, that all is well; of no cell nothing.

    `failed`: whether a gate failed. Then "valid" alone would read as if the run had passed.
    """
    if not cells:
        return ()
    wrong = [cell for cell in cells if cell["verdict"]["valid"] is False]
    open_ = [cell for cell in cells if cell["verdict"]["valid"] is None]
    if not (wrong or open_):
        held = f"every invariant held in {words.counted(len(cells), 'cell')}"
        text = f"The data is valid ({held}), but the run did not pass." if failed else f"Valid: {held}."
        return (Banner("valid", text),)
    return (*([_invalid(wrong, cells)] if wrong else []), *([_unchecked(open_, cells)] if open_ else []))


def _invalid(wrong: Sequence[Cell], cells: Sequence[Cell]) -> Banner:
    text = f"Invalid: {_of(len(wrong), cells)} wrong: an invariant was violated."
    said = _limited([_said(cell, cells, valid=False) for cell in wrong])
    return Banner("invalid", text, said, said)


def _unchecked(open_: Sequence[Cell], cells: Sequence[Cell]) -> Banner:
    told = _limited([_said(cell, cells, valid=None) for cell in open_ if _told(cell, valid=None)])
    if len(open_) == len(cells):
        return Banner("unchecked", "Not checked: no cell has a verdict.", told, told)
    others = all(cell["verdict"]["valid"] is not False for cell in cells)
    text = f"Not wholly checked: {_of(len(open_), cells)} without a verdict"
    text += "; the others are valid." if others else "."
    return Banner("unchecked", text, _limited([_said(cell, cells, valid=None) for cell in open_]), told)


def _said(cell: Cell, cells: Sequence[Cell], *, valid: bool | None) -> str:
    """A cell with what its checks of one value found."""
    told = "; ".join(_told(cell, valid=valid))
    return f"{cell_name(cell, cells)}: {told}" if told else cell_name(cell, cells)


def _told(cell: Cell, *, valid: bool | None) -> list[str]:
    checks = [check for check in cell["verdict"]["checks"] if check["valid"] is valid]
    return [told for told in map(_violations if valid is False else _reason, checks) if told]


def _violations(check: Check) -> str:
    """A check that found something: how many, and the first, the worst and the last of them."""
    found: dict[str, list[str]] = {}
    for place in ("first", "worst", "last"):
        if check.get(place):
            found.setdefault(_values(check[place]), []).append(place)
    shown = [f"{values} ({words.joined(places)})" for values, places in found.items()]
    if len(found) == 1:
        shown = list(found)
    if not found and check.get("details"):
        shown = [_values(check["details"])]
    return f"{check['name']}: {words.counted(check['count'], 'violation')}" + (
        f": {'; '.join(shown)}" if shown else ""
    )


def _reason(check: Check) -> str:
    """A check that could not decide: why, where it is known."""
    error = (check.get("details") or {}).get("error")
    return f"{check['name']}: {_short(error)}" if error else ""


def _values(values: Mapping[str, Any]) -> str:
    told = [f"{name.replace('_', ' ')} {_short(value)}" for name, value in values.items()]
    return ", ".join([*told[:_MAX_VALUES], *(["…"] if len(told) > _MAX_VALUES else [])])


def _short(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # ids and balances: a comma at thousands would not be found in the database
    text = words.ABSENT if value is None else str(value)
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"


def _limited(names: Sequence[str]) -> tuple[str, ...]:
    more = len(names) - _MAX_NAMED
    return (*names[:_MAX_NAMED], f"and {more} more") if more > 0 else tuple(names)


def _of(some: int, cells: Sequence[Cell]) -> str:
    return f"{_some(some, cells)} {'is' if some == 1 else 'are'}"


def _some(some: int, cells: Sequence[Cell]) -> str:
    return f"{some:,} of {words.counted(len(cells), 'cell')}"
