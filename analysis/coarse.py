"""Cells whose `writes` are known to be coarser than the rows, because another cell of the run proved it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.expected import ABSENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def without_rows(cells: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The summaries of cells; no row is named in those whose `writes` another cell proved to be too coarse.

    Commits can prove it only where they overlap: one user never does. What a transaction writes depends on
    the scenario and its knobs alone, so the proof holds for every cell that has the same.
    """
    proven = [_writer(cell) for cell in cells if cell["limit"]["hottest_row_overlap"] is not None]
    return [_without_row(cell) if _writer(cell) in proven else dict(cell) for cell in cells]


def _writer(cell: Mapping[str, Any]) -> tuple[Any, ...]:
    return cell["scenario"], cell["knobs"]


def _without_row(cell: Mapping[str, Any]) -> dict[str, Any]:
    """A cell without hot keys and prediction; instead of the row, its limit is what took most time."""
    limit, shares = cell["limit"], cell["limit"]["user_time"]
    name = max(shares, key=shares.__getitem__) if limit["name"] == "hottest_row" else limit["name"]
    unnamed = {part: value for part, value in limit.items() if part != "row"}
    return {
        **cell,
        "limit": {**unnamed, "name": name, "hottest_row_busy": None},
        "hot_keys": [],
        "predicted": dict(ABSENT),
    }
