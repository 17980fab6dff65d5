"""The works of simulated transactions: which rows each writes, drawn as the scenario draws them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from hotrow.keys.skew import KeySource
from hotrow.keys.spaces import key_source
from hotrow.scenario.calling import draw_checked
from hotrow.simulation.engine import NO_ROW

if TYPE_CHECKING:
    from hotrow.keys.spaces import Spaces
    from hotrow.keys.table import Table
    from hotrow.scenario import Scenario
    from hotrow.simulation.engine import Integers

_TRIES = 8


class Works(NamedTuple):
    """Some works: their rows, `int64[works, rows]`, filled with NO_ROW; their hottest key; their kind."""

    rows: Integers
    hottest: Integers
    kind: Integers


class WorkSource(Protocol):
    """Draws works."""

    def draw(self, count: int, rng: np.random.Generator) -> Works:
        """So many works."""
        ...


@dataclass(frozen=True, slots=True)
class DrawnKeys:
    """Works that write exactly the keys that they draw, one row of each. A million takes 0.1 s."""

    table: Table
    keys_per_transaction: int
    rows_per_key: int = 1

    def draw(self, count: int, rng: np.random.Generator) -> Works:
        """Draw all works at once, as `KeySource` draws them one by one."""
        keys = np.full((count, self.keys_per_transaction), NO_ROW, dtype=np.int64)
        for place in range(self.keys_per_transaction):
            self._fill(keys, place, rng)
        hottest = keys[np.arange(count), np.argmin(self.table.rank_of(keys), axis=1)]
        rows = keys * self.rows_per_key
        if self.rows_per_key > 1:
            rows += rng.integers(self.rows_per_key, size=rows.shape)
        return Works(rows, hottest, np.zeros(count, dtype=np.int64))

    def _fill(self, keys: Integers, place: int, rng: np.random.Generator) -> None:
        """Draw the key at this place of every work, until it is none of the keys before it."""
        missing = np.arange(len(keys))
        for _ in range(_TRIES):
            keys[missing, place] = self._some(len(missing), place, rng)
            drawn = keys[missing]
            missing = missing[(drawn[:, :place] == drawn[:, place, None]).any(axis=1)]
            if len(missing) == 0:
                return
        source = KeySource(self.table, rng)
        for work in missing:
            keys[work, : place + 1] = source.complete(keys[work, :place].tolist(), place + 1)

    def _some(self, count: int, place: int, rng: np.random.Generator) -> Integers:
        """Keys by the skew; or any keys, if the skew has fewer keys than the works have places."""
        if place < self.table.support:
            return self.table.key_of(self.table.sample(rng, count))
        return rng.integers(self.table.keys, size=count)


@dataclass(frozen=True, slots=True)
class ScenarioWorks:
    """Works of any scenario, drawn one by one by its own `draw`: about 100,000 per second."""

    scenario: Scenario
    layout: Table | Spaces

    def draw(self, count: int, rng: np.random.Generator) -> Works:
        """Draw the works in their order.

        Raises:
            UsageError: `draw` raised an error or returned something that is not valid.
        """
        source = key_source(self.layout, rng)
        works = [draw_checked(self.scenario, source, rng) for _ in range(count)]
        most = max((len(work.writes) for work in works), default=0)
        rows = np.full((count, max(most, 1)), NO_ROW, dtype=np.int64)
        for number, work in enumerate(works):
            rows[number, : len(work.writes)] = work.writes
        if self.scenario.rows_per_key > 1:
            spread = rng.integers(self.scenario.rows_per_key, size=rows.shape)
            rows = np.where(rows == NO_ROW, NO_ROW, rows * self.scenario.rows_per_key + spread)
        hottest = [self.layout.hottest(work.writes) if work.writes else NO_ROW for work in works]
        return Works(rows, np.array(hottest, dtype=np.int64), np.array([work.kind for work in works]))
