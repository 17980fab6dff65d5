"""Whether a scenario does what it says: what `draw` declares, against what `run` was seen to write.

Expected conflicts, hot keys and the closed form go by `Work.writes`. A row that every transaction changes and
none declares is a hot row that no skew knows of, so the scenario is rehearsed before any load
(`hotrow.targets.rehearsing`); here is what can be said without a database.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from hotrow.calling import draw_checked
from hotrow.skew import KeySource, check_keys, parse_skew
from hotrow.slow import said_while_slow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hotrow.scenario import Scenario, Work

_DRAWS = 200
_DRAWS_LEAST = 8
_COMPARISONS_MOST = 20_000_000
"""Drawing n distinct keys compares some n * n / 2 times: large batches are drawn fewer times."""
_STATEMENT_LENGTH = 80
_DECLARE = (
    "name in Work.writes the key of each row that run() changes or locks; a row that transactions share"
    " without a key is hot at every skew, so expected conflicts are too few"
)
_MAKE = "declare in Work.writes only what run() changes or locks, or expected conflicts are too many"


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which a scenario does not do what it says, in words."""

    code: str
    """`writes_undeclared` or `writes_not_made`."""
    message: str
    advice: str

    def as_json(self) -> dict[str, str]:
        """As a warning stands in events.jsonl and summary.json."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Touch:
    """One row that a statement wrote or locked."""

    table: str
    key: tuple[str, ...]
    """Its primary key, as text."""
    statement: str
    inserted: bool = False
    """By an INSERT: it may have been there before only where that is an upsert."""

    @property
    def row(self) -> str:
        """`counter(3, 0)`."""
        return f"{self.table}({', '.join(self.key)})"


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What one work declared, and what its transaction did before it was rolled back."""

    writes: frozenset[int]
    touches: tuple[Touch, ...] = ()
    complete: bool = True
    """Whether every statement was understood and the business rule said yes."""

    @property
    def rows(self) -> Mapping[str, Touch]:
        """Its first touch of each row."""
        return {touch.row: touch for touch in reversed(self.touches)}

    @property
    def owned(self) -> set[str]:
        """Rows that it inserted itself."""
        return {touch.row for touch in self.touches if touch.inserted}


def compare(name: str, works: Sequence[Rehearsed]) -> list[Finding]:
    """What the works of the scenario of this name did and did not declare, or declared and did not do.

    A row that two works touched whose declared keys are disjoint is undeclared: by their declarations they
    cannot meet. So is one that was there before and is touched by a work that declares nothing. Rows under
    keys of their own, such as random ids, are touched by one work only and so never found.
    """
    return [*_undeclared(name, works), *_not_made(name, works)]


def _undeclared(name: str, works: Sequence[Rehearsed]) -> Iterator[Finding]:
    """One finding a table: of its undeclared rows the one that most works touched."""
    touching: dict[str, list[Rehearsed]] = defaultdict(list)
    for work in works:
        for row in work.rows:
            touching[row].append(work)
    hottest: dict[str, tuple[int, Touch]] = {}
    for row, those in touching.items():
        if _share_no_key(those) or _declare_nothing(row, those):
            touch = those[0].rows[row]
            hottest[touch.table] = max(hottest.get(touch.table, (0, touch)), (len(those), touch), key=_count)
    for count, touch in hottest.values():
        message = (
            f"draw() did not declare it: {name} writes {touch.row}"
            f" in {_of(count, len(works))} transactions: {shortened(touch.statement)}"
        )
        yield Finding("writes_undeclared", message, _DECLARE)


def _count(counted: tuple[int, Touch]) -> int:
    return counted[0]


def _share_no_key(works: Sequence[Rehearsed]) -> bool:
    return any(not one.writes & other.writes for one, other in combinations(works, 2))


def _declare_nothing(row: str, works: Sequence[Rehearsed]) -> bool:
    return any(not work.writes and row not in work.owned for work in works)


def _not_made(name: str, works: Sequence[Rehearsed]) -> Iterator[Finding]:
    short = [work for work in works if work.complete and len(work.rows) < len(work.writes)]
    if short:
        worst = max(short, key=lambda work: len(work.writes) - len(work.rows))
        message = (
            f"draw() declared more than was done: {name} wrote or locked {len(worst.rows)} rows where it"
            f" declared {len(worst.writes)} keys; fewer in {_of(len(short), len(works))} transactions"
        )
        yield Finding("writes_not_made", message, _MAKE)


def _of(some: int, all_of_them: int) -> str:
    return f"{some} of {all_of_them} rehearsed"


def shortened(statement: str) -> str:
    """The statement in one short line."""
    line = " ".join(statement.split())
    return line if len(line) <= _STATEMENT_LENGTH else f"{line[: _STATEMENT_LENGTH - 1]}…"


def writes_what_it_draws(scenario: Scenario, keys: int, seed: int) -> bool:
    """Whether each transaction declares as many writes as it draws keys, so that the closed form applies.

    Some 200 works are drawn; there is no database.

    Raises:
        UsageError: draw() fails or what it draws cannot be; one line says why.
    """
    drawn = scenario.keys_per_transaction
    rng, source = _sources(scenario, "uniform", keys, seed)
    times = min(_DRAWS, max(_DRAWS_LEAST, _COMPARISONS_MOST // max(drawn, 1) ** 2))
    with said_while_slow(scenario, "draw()"):
        return all(len(draw_checked(scenario, source, rng).writes) == drawn for _ in range(times))


def works_of(scenario: Scenario, keys: int, seed: int, how_many: int) -> Iterator[Work]:
    """Works over so few keys that some meet on one and most pairs do not.

    Raises:
        UsageError: as `writes_what_it_draws`.
    """
    few = min(keys, 4 * scenario.keys_per_transaction + 8)
    rng, source = _sources(scenario, f"hot:{few}", keys, seed)
    for _ in range(how_many):
        yield draw_checked(scenario, source, rng)


def _sources(scenario: Scenario, skew: str, keys: int, seed: int) -> tuple[np.random.Generator, KeySource]:
    table = parse_skew(skew).table(keys)
    check_keys(table, scenario.keys_per_transaction)
    rng = np.random.default_rng(seed)
    return rng, KeySource(table, rng)
