"""Closed forms for the cost of conflicts: a closed loop of users on a skew, where the first committer wins.

An attempt takes its snapshot, works for a conflict window R, and loses if a key of its write set was
committed meanwhile. N users spend R in the window and Z outside it. Two assumptions: attempts of the N - 1
other users begin on a key like a Poisson stream, and the keys of one attempt survive independently.

docs/summary.md gives the error against a discrete-event simulation (tests/analysis/test_model.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from analysis.keysets import KeySets
    from hotrow.attempt.retry import Policy

    Floats = NDArray[np.float64]

_DELAYS = 24
"""Delays are listed for this many failures. Every usual cap is reached by then, so the last delay repeats."""
_ROUNDS = 5_000
_DAMPING = 0.3
_TINY = 1e-9
_STEPS = 2_000


def _constant() -> Floats:
    return np.ones(1)


@dataclass(frozen=True, eq=False, slots=True)
class Loop:
    """The closed loop that the users of one cell run, times in seconds."""

    users: int
    window_s: float
    """R: mean conflict window of attempts that reach COMMIT; above 0."""
    outside_s: float
    """Rest of an attempt's cycle, without backoff and without think time."""
    think_s: float = 0.0
    """Pause, once per transaction."""
    spread: Floats = field(default_factory=_constant)
    """Quantiles of the conflict window, ascending, divided by their mean: `[1]` is a constant window."""
    reach: float = 1.0
    """Share of attempts that reach COMMIT. The others are rejected by the business rule, or fail."""


def go_on() -> None:
    """Make no pause."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How exactly the model's iteration goes on, and what it does before each round."""

    tolerance: float = 1e-10
    """It ends if no value changes by a larger share."""
    pause: Callable[[], None] = go_on
    """For a process that has other things to do meanwhile."""


FULL_EFFORT = Effort()


@dataclass(frozen=True, slots=True)
class Prediction:
    """The closed form's result for one cell."""

    conflict_rate: float
    """Conflicts / attempts."""
    attempts_per_s: float
    goodput_per_s: float
    """Committed transactions per second."""


@dataclass(frozen=True, slots=True)
class Restarts:
    """A retry policy as the model sees it: the mean delay after each failure that is followed by a retry."""

    delays_s: tuple[float, ...]
    more: float
    """How many further failures are followed by a retry, each with the last delay; may be infinite."""

    def tries(self, conflict: Any) -> Any:
        """Expected attempts of a transaction whose attempts conflict with probability P: 1 + P + P^2 + …."""
        count = len(self.delays_s)
        return sum((conflict**failures for failures in range(1, count + 1)), 1.0) + self._tail(conflict)

    def waits_s(self, conflict: Any) -> Any:
        """Expected backoff of a transaction, in seconds: the sum of P^f * delay(f)."""
        if not self.delays_s:
            return 0.0 * conflict
        listed = sum(conflict**failures * delay for failures, delay in enumerate(self.delays_s, start=1))
        return listed + self._tail(conflict) * self.delays_s[-1]

    def _tail(self, conflict: Any) -> Any:
        """P^(n+1) + … + P^(n+more), where n is the number of listed delays."""
        odds = conflict ** (len(self.delays_s) + 1) / np.maximum(1.0 - conflict, _TINY)
        return odds * (1.0 - (0.0 if math.isinf(self.more) else conflict**self.more))


def restarts_of(policy: Policy, attempt_s: float) -> Restarts:
    """The delays of `policy` in a transaction whose attempts all fail and take `attempt_s` each."""
    delays_s: list[float] = []
    elapsed_s = attempt_s
    while len(delays_s) < _DELAYS and not policy.gives_up(len(delays_s) + 1, elapsed_s):
        delays_s.append(policy.mean_delay_s(len(delays_s) + 1))
        elapsed_s += delays_s[-1] + attempt_s
    if len(delays_s) < _DELAYS:
        return Restarts(tuple(delays_s), more=0.0)
    max_retries = policy.max_retries
    return Restarts(tuple(delays_s), more=math.inf if max_retries is None else float(max_retries - _DELAYS))


def survival(starts: Floats, spread: Floats) -> Floats:
    """Probability that no other attempt commits the same key within R, for any array of `starts`.

    `starts` is how many rival attempts begin on the key in a mean window (rate times R). They begin like a
    Poisson stream and end after windows of the distribution G, which `spread` gives in units of R. After a
    commit, only attempts that began later can win. So the next commit comes at T with
    P(T > t) = exp(-starts * H(t)), where H is the integral of G: the first departure of an M/G/infinity
    queue. One attempt of starts * E[T] wins. For a constant window this is 1 / (1 + starts). Short windows
    win races, so with varying windows fewer attempts lose.
    """
    starts = np.maximum(np.asarray(starts, dtype=np.float64), _TINY)[..., None]
    slopes = np.arange(1, len(spread) + 1) / len(spread)
    heights = np.concatenate([[0.0], np.cumsum(np.diff(spread) * slopes[:-1])])
    left = np.exp(-starts * heights)
    lost = left - np.concatenate([left[..., 1:], np.zeros_like(left[..., :1])], axis=-1)
    wait = spread[0] + (lost / (starts * slopes)).sum(axis=-1)
    return np.asarray(np.minimum(1.0, 1.0 / (starts[..., 0] * wait)))


def predict(
    sets: KeySets, loop: Loop, policy: Policy, *, redraw: bool, effort: Effort = FULL_EFFORT
) -> Prediction:
    """Conflict rate and goodput of one cell.

    If one key is in every write set and the winner is back within a conflict window (Z < R), the winner
    usually wins again, and `_captured` holds. Otherwise `_mean_field` holds.
    """
    restarts = restarts_of(policy, loop.window_s + loop.outside_s)
    if loop.users == 1:
        return _prediction(loop, 0.0, loop.window_s + loop.outside_s + loop.think_s)
    one_key = sets.counts.sum() == 1
    if one_key and loop.outside_s + loop.think_s < loop.window_s:
        return _captured(loop, restarts, effort)
    return _mean_field(sets, loop, restarts, effort, redraw=redraw)


def _prediction(loop: Loop, conflict: float, cycle_s: float) -> Prediction:
    attempts_per_s = loop.users / cycle_s
    rate = loop.reach * conflict
    return Prediction(rate, attempts_per_s, attempts_per_s * (loop.reach - rate))


def _mean_field(sets: KeySets, loop: Loop, restarts: Restarts, effort: Effort, *, redraw: bool) -> Prediction:
    """The prediction if each user meets the average of the others: the fixed point of the keys' survivals.

    Without retries, for one key and a constant window: P = sum p_i * m p_i / (1 + m p_i) with
    m = (N - 1) R / (R + Z). A retry on the same keys adds attempts on keys with conflicts, so the weight of a
    class is mass * (1 + P + P^2 + …). For unlimited immediate retries and Z = 0 this is the approximate MVA
    of Y. Bard and P. Schweitzer (1979).
    """

    def averages(survive: Floats) -> tuple[Floats, float, float]:
        """Shares of the classes among attempts, conflicts per attempt, and the mean cycle in seconds."""
        conflict = sets.conflict(survive)
        if redraw:
            chance = float((sets.mass * conflict).sum())
            tries, waits_s = restarts.tries(chance), restarts.waits_s(chance)
            weights = sets.mass
        else:
            weighted = sets.mass * restarts.tries(conflict)
            tries, waits_s = weighted.sum(), (sets.mass * restarts.waits_s(conflict)).sum()
            weights = weighted / tries
        cycle_s = loop.window_s + loop.outside_s + (loop.think_s + waits_s) / tries
        return weights, float((weights * conflict).sum()), float(cycle_s)

    def again(survive: Floats) -> Floats:
        weights, _, cycle_s = averages(survive)
        rivals = (loop.users - 1) * loop.reach * loop.window_s / cycle_s
        return survival(rivals * sets.load(weights, survive), loop.spread)

    _, conflict, cycle_s = averages(_fixed_point(again, np.ones(sets.mass.shape[-1]), effort))
    return _prediction(loop, conflict, cycle_s)


def _captured(loop: Loop, restarts: Restarts, effort: Effort) -> Prediction:
    """The prediction if one row is in every write set and Z < R: the last winner is back before most losers.

    The other N - 1 users form a pool whose attempts begin at rate r = (N - 1) / (R + outside + D), where D is
    their mean delay. After a commit the winner begins again after Z. The next commit is the first end among
    the winner's attempt and those that the pool began meanwhile: P(T > t) = exp(-r H(t)) * P(Z + R > t), with
    H as in `survival`. So L = r E[T] attempts lose per commit, P = L / (1 + L), and the commit rate is
    1 / E[T]. The winner itself loses with probability u = 1 - E[exp(-r H(Z + R))]. So the share
    q = 1 - u / L of the pool's attempts fails again, which gives D. For a constant window
    E[T] = R + (1 - exp(-r Z)) / r.
    """
    pause_s = loop.outside_s + loop.think_s
    windows_s = loop.window_s * loop.spread
    step_s = (pause_s + float(windows_s[-1])) / _STEPS
    times_s = (np.arange(_STEPS) + 0.5) * step_s
    ended = np.maximum(times_s[:, None] - windows_s, 0.0).mean(axis=1)
    running = 1.0 - np.searchsorted(pause_s + windows_s, times_s, side="right") / len(windows_s)

    def race(rate: float) -> tuple[float, float]:
        """(E[T] in seconds, u)."""
        alone = np.exp(-rate * ended)
        lasts = np.interp(pause_s + windows_s, times_s, alone)
        return float((alone * running).sum()) * step_s, 1.0 - float(lasts.mean())

    def again(rates: Floats) -> Floats:
        commit_s, winner_loses = race(float(rates[0]))
        fails = min(max(1.0 - winner_loses / (float(rates[0]) * commit_s), _TINY), 1.0)
        # The pool's attempts are its retries, and the first tries that follow a give-up.
        delay_s = restarts.waits_s(fails) / (restarts.tries(fails) * fails)
        return np.array([(loop.users - 1) * loop.reach / (loop.window_s + loop.outside_s + delay_s)])

    rate = float(_fixed_point(again, np.ones(1) / loop.window_s, effort)[0])
    commit_s, _ = race(rate)
    losers = rate * commit_s
    return _prediction(loop, losers / (1.0 + losers), loop.users * commit_s / (1.0 + losers))


def _fixed_point(again: Callable[[Floats], Floats], first: Floats, effort: Effort) -> Floats:
    """The fixed point of `again`: damped iteration until the relative change is below the tolerance."""
    values = first
    for _ in range(_ROUNDS):
        effort.pause()
        new_values = again(values)
        if np.max(np.abs(new_values - values) / np.maximum(values, _TINY)) < effort.tolerance:
            return new_values
        values = (1.0 - _DAMPING) * values + _DAMPING * new_values
    return values
