"""Every figure of every cell as a CSV file, one row per cell. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a text that begins with one of these for a formula."""


def cell_csv(cells: Sequence[Mapping[str, Any]]) -> str:
    """The cells as CSV with a head; a column per figure, in the order of summary.json.

    A column is named by its path, such as `latency_ms.p99`; `conflict_rate` is the value of the estimate, and
    `conflict_rate.low` the lower end of its interval. Absent values are empty. Lists are left out, except the
    codes of warnings. A text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    rows = [dict(_figures(cell)) for cell in cells]
    heads = list(dict.fromkeys(name for row in rows for name in row))
    file = io.StringIO()
    writer = csv.DictWriter(file, heads, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _figures(values: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """(path, value) of everything that is not a list, depth first."""
    figures: list[tuple[str, Any]] = []
    for name, value in values.items():
        path = before.removesuffix(".") if name == "value" and before else f"{before}{name}"
        if isinstance(value, Mapping):
            figures += _figures(value, f"{path}.")
        elif name == "warnings" and not before:
            figures.append((path, " ".join(_text(warning["code"]) for warning in value)))
        elif not isinstance(value, Sequence) or isinstance(value, str):
            figures.append((path, _text(value)))
    return figures


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
