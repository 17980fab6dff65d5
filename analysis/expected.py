"""The prediction for a measured cell: the closed form with its skew, conflict window, cycle and policy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.keysets import key_sets, space_sets
from analysis.model import FULL_EFFORT, Effort, Loop, predict
from analysis.timing import spread
from hotrow.attempt.record import Outcome
from hotrow.attempt.retry import APPLICATION, recorded_policy
from hotrow.errors import RunError, UsageError
from hotrow.keys.spaces import Spaces, lay_out, read_sizes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analysis.counts import Counts
    from analysis.keysets import KeySets
    from analysis.timing import Timing
    from hotrow.keys.skew import Skew
    from hotrow.keys.table import Table

ABSENT: Mapping[str, None] = {"conflict_rate": None, "goodput_per_s": None}
MAX_REJECTED_SHARE = 0.05
"""If the business rule rejected a larger share of the attempts, what commits depends on the data. The closed
form does not know the data."""
_MS = 1e-3


def layout_of(cell: Mapping[str, Any], skews: Mapping[str, Skew]) -> Table | Spaces | None:
    """The skew of a cell, laid out over its keys; None if the run's skews do not contain it.

    Args:
        cell: the cell from run.json.
        skews: the skews of the run, by their texts.

    Raises:
        RunError: the cell has too few keys for its skew.
    """
    skew = skews.get(cell["skew"])
    try:
        return None if skew is None else lay_out(skew, cell["keys"], read_sizes(cell.get("spaces", ())))
    except UsageError as error:
        raise RunError(f"run.json is damaged: cell {cell['id']} cannot have been run: {error}") from error


def expect(
    cell: Mapping[str, Any], table: Table | Spaces | None, counts: Counts, times: Timing, think_s: float
) -> dict[str, float | None]:
    """Predicted conflict rate and goodput of a cell, from all of its attempts. See `expect_of`."""
    rejected = np.count_nonzero(counts.attempts["outcome"] == Outcome.REJECTED)
    few_rejected = rejected <= MAX_REJECTED_SHARE * len(counts.attempts)
    loop = _loop(cell["users"], counts, times, think_s)
    return expect_of(cell, table, loop if few_rejected else None)


def expect_of(
    cell: Mapping[str, Any], table: Table | Spaces | None, loop: Loop | None, *, effort: Effort = FULL_EFFORT
) -> dict[str, float | None]:
    """Predicted conflict rate and goodput of a cell whose users ran this loop.

    Both are None if the closed form does not hold, or if skew, conflict window or cycle are unknown. It holds
    if transactions write exactly what they draw, and nearly all of their attempts reach COMMIT.
    """
    if table is None or loop is None or not cell.get("closed_form", True):
        return dict(ABSENT)
    policy = recorded_policy(cell["retry"])
    # Give-ups of a budget depend on other transactions; in the model they depend on the policy alone. An
    # application's own policy is not known.
    if policy.name in {"budget", APPLICATION}:
        return dict(ABSENT)
    sets = _row_sets(table, cell["keys_per_transaction"], cell.get("rows_per_key", 1))
    with np.errstate(all="ignore"):  # a key that is certain to be drawn leaves the others 0 / 0
        predicted = predict(sets, loop, policy, redraw=cell["redraw"], effort=effort)
    if not math.isfinite(predicted.conflict_rate) or not math.isfinite(predicted.goodput_per_s):
        return dict(ABSENT)
    return {"conflict_rate": predicted.conflict_rate, "goodput_per_s": predicted.goodput_per_s}


def _row_sets(table: Table | Spaces, keys_per_transaction: int, rows_per_key: int) -> KeySets:
    """The sets of rows that transactions take: of each key they draw, one of its rows, all equally likely.

    If the skew has fewer keys than a transaction draws, one row of each key stands for the set.
    """
    if isinstance(table, Spaces):
        return space_sets([(*space.table.groups(), space.size.drawn) for space in table.spaces])
    p, keys = table.groups()
    drawn = min(keys_per_transaction, round(float(keys.sum())))
    return key_sets(p / rows_per_key, keys * rows_per_key, drawn)


def _loop(users: int, counts: Counts, times: Timing, think_s: float) -> Loop | None:
    """The measured loop. `outside` is the cycle without conflict window, backoff and think time."""
    if times.cycle_ms is None or len(times.window_ms) == 0 or times.window_ms.mean() <= 0:
        return None
    attempts = len(counts.attempts)
    window_ms = float(times.window_ms.mean())
    think_ms = think_s / _MS * counts.first_tries / attempts
    outside_ms = max(0.0, times.cycle_ms - window_ms - times.backoff_ms - think_ms)
    return Loop(
        users=users,
        window_s=window_ms * _MS,
        outside_s=outside_ms * _MS,
        think_s=think_s,
        spread=spread(times.window_ms),
        reach=len(times.window_ms) / attempts,
    )
