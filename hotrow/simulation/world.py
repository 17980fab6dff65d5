"""What a simulation assumes: users, policy, and the times of an attempt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from hotrow.attempt.retry import Policy, parse_retry

if TYPE_CHECKING:
    from hotrow.simulation.engine import Floats
    from hotrow.simulation.works import WorkSource


class Times(Protocol):
    """The distribution of a time in seconds."""

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """So many independent times."""
        ...


@dataclass(frozen=True, slots=True)
class Gamma:
    """Gamma distributed times; a coefficient of variation of 0 makes them constant."""

    mean_s: float
    cv: float = 0.0

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """So many independent times."""
        if self.mean_s == 0 or self.cv == 0:
            return np.full(count, self.mean_s)
        return rng.gamma(self.cv**-2, self.mean_s * self.cv**2, count)


@dataclass(frozen=True, eq=False, slots=True)
class Measured:
    """Times drawn from those that were measured, each equally likely."""

    times_s: Floats

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """So many independent times."""
        return self.times_s[rng.integers(len(self.times_s), size=count)]


@dataclass(frozen=True, slots=True)
class World:
    """A closed loop of users. All times are in seconds."""

    users: int
    works: WorkSource
    window: Times
    """From the snapshot to the decision at COMMIT."""
    outside: Times = field(default_factory=lambda: Gamma(0.0))
    """Between an attempt and the next one, apart from the backoff: such as the way of COMMIT's answer."""
    think_s: float = 0.0
    """Between a transaction and the next one of the user."""
    policy: Policy = field(default_factory=lambda: parse_retry("none"))
    redraw: bool = False
    """Whether a retry draws fresh work ("fake restart": Agrawal, Carey and Livny, 1987)."""
