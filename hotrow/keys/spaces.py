"""Key spaces: several sets of rows in one scenario, such as accounts and branches, each with its own skew.

The spaces lie one after another in one range of key ids: with 1,000 accounts and 10 branches, branch 3 is id
1003. So a record has one key, whatever its space.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hotrow.errors import UsageError
from hotrow.keys import MAX_KEYS
from hotrow.keys.skew import KeySource, Skew, check_keys, uniform
from hotrow.units import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from hotrow.keys.table import Table

MAX_SPACES = 16
"""The largest number of key spaces of a scenario."""


@dataclass(frozen=True, slots=True)
class SpaceSize:
    """The size of one key space, and how many of its keys each transaction writes."""

    name: str
    keys: int
    drawn: int

    def as_json(self) -> dict[str, Any]:
        """As in the cells of run.json."""
        return {"name": self.name, "keys": self.keys, "drawn": self.drawn}


def read_sizes(entries: Sequence[Mapping[str, Any]]) -> tuple[SpaceSize, ...]:
    """The sizes in a cell of run.json; none in a cell without key spaces."""
    return tuple(SpaceSize(entry["name"], entry["keys"], entry["drawn"]) for entry in entries)


@dataclass(frozen=True, eq=False, slots=True)
class Space:
    """One key space of a layout."""

    size: SpaceSize
    first: int
    """The id of its key 0."""
    table: Table

    def writes(self, rank: int) -> float:
        """Expected writes of the key of this rank per transaction, at most 1."""
        return min(1.0, self.size.drawn * self.table.ranks.probability(rank))


@dataclass(frozen=True, eq=False, slots=True)
class Spaces:
    """The key spaces of a cell, laid out one after another; made by `lay_out`."""

    spec: str
    spaces: tuple[Space, ...]
    firsts: tuple[int, ...]
    """The id of the first key of each space."""

    @property
    def keys(self) -> int:
        """The number of key ids."""
        return self.spaces[-1].first + self.spaces[-1].size.keys

    @property
    def p_max(self) -> float:
        """The highest probability of a key within its space."""
        return max(space.table.p_max for space in self.spaces)

    @property
    def d_eff(self) -> float:
        """D_eff of the space that has the lowest: conflicts are not rarer than on that space alone."""
        return min(space.table.d_eff for space in self.spaces)

    @property
    def hottest_key(self) -> int:
        """The id of the key that most transactions are expected to write. A tie goes to the first space."""
        space = max(self.spaces, key=lambda space: space.writes(0))
        return space.first + space.table.hottest_key

    def hottest(self, keys: Sequence[int]) -> int:
        """The id, of one or more, that most transactions are expected to write; ties as in `hottest_key`.

        It takes about 1.5 us per key.
        """
        return max(keys, key=self._heat)

    def name_of(self, key: int) -> tuple[str, int]:
        """The space of an id, and the key within the space."""
        space = self.spaces[self._index(key)]
        return space.size.name, key - space.first

    def named(self, key: int) -> dict[str, Any]:
        """The same as in summary.json."""
        space, number = self.name_of(key)
        return {"space": space, "key": number}

    def _index(self, key: int) -> int:
        return bisect_right(self.firsts, key) - 1

    def _heat(self, key: int) -> tuple[float, int, int]:
        index = self._index(key)
        space = self.spaces[index]
        rank = space.table.placement.rank_of_key(key - space.first)
        return space.writes(rank), -index, -rank


def lay_out(skew: Skew, keys: int, sizes: tuple[SpaceSize, ...] = ()) -> Table | Spaces:
    """The layout of a skew over `keys` keys or, if a scenario has key spaces, over these.

    Raises:
        UsageError: too few or too many keys for a skew, or a space that the scenario does not have.
    """
    return _spaces(skew, sizes) if sizes else skew.table(keys)


@lru_cache(maxsize=4)
def _spaces(skew: Skew, sizes: tuple[SpaceSize, ...]) -> Spaces:
    skew = complete(skew, sizes)
    spaces: list[Space] = []
    first = 0
    for size, (_, part) in zip(sizes, skew.by_space, strict=True):
        spaces.append(Space(size, first, part.table(size.keys)))
        first += size.keys
    if first > MAX_KEYS:
        raise UsageError(f"--keys: the key spaces have {first} keys together; the most is {MAX_KEYS}")
    return Spaces(skew.spec, tuple(spaces), tuple(space.first for space in spaces))


def complete(skew: Skew, sizes: Sequence[SpaceSize]) -> Skew:
    """The skew with one part per key space, in their order.

    A skew without names is that of the first space. A space that is not named is uniform.

    Raises:
        UsageError: it names a space that the scenario does not have, or names spaces and there are none.
    """
    if not sizes:
        return skew
    named = dict(skew.by_space) or {sizes[0].name: skew}
    names = [size.name for size in sizes]
    for name in named:
        if name not in names:
            has = f"this scenario has no key space {name}; it has {', '.join(names)}"
            raise UsageError(f"--skew {quoted(skew.spec)}: {has}")
    return Skew("", by_space=tuple((name, named.get(name, uniform())) for name in names))


def check_draws(layout: Table | Spaces, keys_per_transaction: int) -> None:
    """Check that no space has fewer keys than a transaction draws of it.

    Raises:
        UsageError: one has.
    """
    if not isinstance(layout, Spaces):
        check_keys(layout, keys_per_transaction)
        return
    for space in layout.spaces:
        if space.size.drawn > space.size.keys:
            raise UsageError(
                f"key space {space.size.name} has {space.size.keys} keys, and a transaction draws"
                f" {space.size.drawn} distinct ones"
            )
        check_keys(space.table, space.size.drawn)


class SpaceSource:
    """The keys of one user (`hotrow.scenario.Keys`), space by space."""

    def __init__(self, spaces: Spaces, rng: np.random.Generator) -> None:
        self._spaces = {space.size.name: space for space in spaces.spaces}
        self._sources = {name: KeySource(space.table, rng) for name, space in self._spaces.items()}
        self._count = spaces.keys

    @property
    def count(self) -> int:
        """The number of key ids of all spaces together."""
        return self._count

    def draw(self, how_many: int = 1) -> tuple[int, ...]:
        """Refused: the space has to be named. Raises UsageError."""
        name = next(iter(self._sources))
        raise UsageError(f"draw() draws keys without their space; use keys[{name!r}].draw({how_many})")

    def __getitem__(self, space: str) -> KeySource:
        """The keys of one space, from 0 on. Raises UsageError if there is none of this name."""
        if space not in self._sources:
            raise UsageError(
                f"draw() uses the key space {space!r}; the scenario has {', '.join(self._sources)}"
            )
        return self._sources[space]

    def ids(self, **keys: Sequence[int]) -> tuple[int, ...]:
        """The ids of keys by the name of their space, for `Work.writes`.

        Raises:
            UsageError: there is no such space, or it has no such key.
        """
        ids: list[int] = []
        for name, numbers in keys.items():
            count, first = self[name].count, self._spaces[name].first
            for number in numbers:
                if not 0 <= number < count:
                    raise UsageError(f"draw() writes {name} {number}; its keys are 0 to {count - 1}")
                ids.append(first + int(number))
        return tuple(ids)


def key_source(layout: Table | Spaces, rng: np.random.Generator) -> KeySource | SpaceSource:
    """The keys of one user of a cell."""
    return SpaceSource(layout, rng) if isinstance(layout, Spaces) else KeySource(layout, rng)
