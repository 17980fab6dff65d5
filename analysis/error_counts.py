"""The errors of a cell's attempts: how many of each sort, and the first message of each sort."""

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
    """The sorts of `error` and `unknown` in the measured interval, most attempts first.

    Attempts that a receipt resolved are left out: `in_doubt` counts them.

    Args:
        cell: the attempts of the cell's measured interval.
        number: the cell's id.
        kinds: the scenario's kinds of transaction. Errors name their kind only if there are several.
        texts: the error texts that `hotrow.run.error_log` read. A sort without any has no message.
    """
    attempts = cell.attempts
    failed = (attempts["outcome"] == Outcome.ERROR) | (attempts["outcome"] == Outcome.UNKNOWN)
    ended = attempts[failed & ((attempts["flags"] & Flag.RESOLVED) == 0)]
    sorts, counts = np.unique(ended[["kind", "outcome", "sqlstate"]], return_counts=True)
    texts_of, several = _by_sort(number, texts), len(kinds) > 1
    errors = []
    for (kind, outcome, sqlstate), count in zip(sorts.tolist(), counts.tolist(), strict=True):
        fields = {
            "kind": kinds[kind] if several and kind < len(kinds) else None,
            "outcome": Outcome(outcome).name.lower(),
            "sqlstate": sqlstate.decode("ascii", "replace"),
            "attempts": count,
        }
        sort = (kind, fields["outcome"], fields["sqlstate"])
        errors.append(_error(fields, texts_of.get(sort, ())))
    return sorted(errors, key=lambda error: -int(error["attempts"]))


def _by_sort(number: int, texts: Sequence[Mapping[str, Any]]) -> dict[tuple[Any, ...], list[Any]]:
    """The texts of one cell by kind, outcome and SQLSTATE, each message once."""
    by_sort: dict[tuple[Any, ...], list[Any]] = {}
    for text in texts:
        if text["cell"] == number:
            same_sort = by_sort.setdefault((text["kind"], text["outcome"], text["sqlstate"]), [])
            if text["message"] not in [other["message"] for other in same_sort]:
                same_sort.append(text)
    return by_sort


def _error(fields: Mapping[str, Any], texts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first = texts[0] if texts else dict.fromkeys(_TEXTS)
    return {
        **fields,
        "sqlstate": fields["sqlstate"] or None,
        **{name: first[name] for name in _TEXTS},
        "others": max(len(texts) - 1, 0),
    }
