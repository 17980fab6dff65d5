"""Which errors a cell's attempts ended in: how many of each sort, and what the first of them said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hotrow.attempt.record import Flag, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from analysis.counts import Counts

_TEXTS = ("message", "statement", "place")


def count_errors(
    cell: Counts, number: int, kinds: Sequence[str], texts: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The sorts of `error` and `unknown` in the interval, most attempts first.

    Attempts that a receipt resolved are left out: `in_doubt` has them.

    Args:
        cell: the attempts of its interval.
        number: the cell's id.
        kinds: of the scenario; its name is given only if there are several.
        texts: what `hotrow.run.error_log` read; a sort that none of them is of has no text.
    """
    attempts = cell.attempts
    failed = (attempts["outcome"] == Outcome.ERROR) | (attempts["outcome"] == Outcome.UNKNOWN)
    ended = attempts[failed & ((attempts["flags"] & Flag.RESOLVED) == 0)]
    sorts, counts = np.unique(ended[["kind", "outcome", "sqlstate"]], return_counts=True)
    told, several = _by_sort(number, texts), len(kinds) > 1
    found = []
    for (kind, outcome, state), count in zip(sorts.tolist(), counts.tolist(), strict=True):
        named = {
            "kind": kinds[kind] if several and kind < len(kinds) else None,
            "outcome": Outcome(outcome).name.lower(),
            "sqlstate": state.decode("ascii", "replace"),
        }
        sort = (kind, named["outcome"], named["sqlstate"])
        found.append(_error({**named, "attempts": count}, told.get(sort, ())))
    return sorted(found, key=lambda error: -int(error["attempts"]))


def _by_sort(number: int, texts: Sequence[Mapping[str, Any]]) -> dict[tuple[Any, ...], list[Any]]:
    """The texts of one cell by kind, outcome and SQLSTATE, each message once."""
    found: dict[tuple[Any, ...], list[Any]] = {}
    for text in texts:
        if text["cell"] == number:
            same = found.setdefault((text["kind"], text["outcome"], text["sqlstate"]), [])
            if text["message"] not in [other["message"] for other in same]:
                same.append(text)
    return found


def _error(counted: Mapping[str, Any], texts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first = texts[0] if texts else dict.fromkeys(_TEXTS)
    return {
        **counted,
        "sqlstate": counted["sqlstate"] or None,
        **{name: first[name] for name in _TEXTS},
        "others": max(len(texts) - 1, 0),
    }
