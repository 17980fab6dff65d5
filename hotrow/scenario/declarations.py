"""Whether a scenario does what it says: what `draw` declares, against what `run` was seen to write.

Expected conflicts, hot keys and the closed form go by `Work.writes`. A row that every transaction changes and
none declares is a hot row that no skew knows of, so the scenario is rehearsed before any load
(`hotrow.tables.rehearsal`); here is what can be said without a database.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from hotrow.finding import Finding
from hotrow.keys.skew import KeySource, check_keys, parse_skew
from hotrow.scenario.calling import draw_checked
from hotrow.scenario.slow import said_while_slow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hotrow.scenario.contract import Scenario, Work

_DRAWS = 200
_DRAWS_RARE = 1000
"""To find works of kinds that were not among the first."""
_EACH_KIND = 3
_DRAWS_LEAST = 8
_COMPARISONS_MOST = 20_000_000
"""Drawing n distinct keys compares some n * n / 2 times: large batches are drawn fewer times."""
_STATEMENT_LENGTH = 80
_DECLARE = (
    "name in Work.writes the key of each row that run() changes or locks; a row that transactions share"
    " without a key is hot at every skew, so expected conflicts are too few"
)
_MAKE = "declare in Work.writes only what run() changes or locks, or expected conflicts are too many"
_SUCCEED = "seed the tables so that some transactions succeed, or see yourself that Work.writes is right"
_BY_HAND = "see yourself that Work.writes names the key of each row that it changes or locks"
_OWN_RNG = "draw all chance in draw(), from the rng that it is given, and pass it on in Work.parameters"
_NOT_REPEATED = {
    "draw": "a run with the same seed does something else",
    "run": "a retry does something else than what it repeats",
}


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
    kind: int = 0
    rejected: bool = False
    """Whether the business rule said no."""

    @property
    def rows(self) -> Mapping[str, Touch]:
        """Its first touch of each row."""
        return {touch.row: touch for touch in reversed(self.touches)}

    @property
    def owned(self) -> set[str]:
        """Rows that it inserted itself."""
        return {touch.row for touch in self.touches if touch.inserted}


@dataclass(frozen=True, slots=True)
class Unseen:
    """What a rehearsal could not see or repeat."""

    statements: Sequence[str] = ()
    """Those that may write or lock, and which rows cannot be told."""
    own_chance: Sequence[str] = ()
    """The methods that took chance from a generator of their own."""


def findings(scenario: Scenario, works: Sequence[Rehearsed], unseen: Unseen) -> list[Finding]:
    """All that is to be said of a rehearsal."""
    return [
        *compare(scenario.name, works),
        *_not_rehearsed(scenario.name, scenario.kinds, works, unseen.statements),
        *_own_chance(scenario.name, unseen.own_chance),
    ]


def _not_rehearsed(
    name: str, kinds: Sequence[str], works: Sequence[Rehearsed], statements: Sequence[str]
) -> Iterator[Finding]:
    for kind in sorted({work.kind for work in works}):
        rejected = [work.rejected for work in works if work.kind == kind]
        if all(rejected):
            of_kind = f" of kind {kinds[kind]}" if kinds else ""
            message = f"{name}: each of the {len(rejected)} rehearsed transactions{of_kind} was rejected"
            yield Finding("not_rehearsed", f"{message}: what they write was not seen", _SUCCEED)
    if statements:
        others = f" and {len(statements) - 1} other statements" if len(statements) > 1 else ""
        message = f"{name}: what this writes or locks was not seen: {shortened(statements[0])}{others}"
        yield Finding("not_rehearsed", message, _BY_HAND)


def _own_chance(name: str, methods: Sequence[str]) -> Iterator[Finding]:
    for method in methods:
        message = f"{name}: {method}() takes chance from Python's or numpy's global generator"
        yield Finding("own_chance", f"{message}: {_NOT_REPEATED[method]}", _OWN_RNG)


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
    times = _times(scenario, _DRAWS)
    with said_while_slow(scenario, "draw()"):
        return all(len(draw_checked(scenario, source, rng).writes) == drawn for _ in range(times))


def works_of(scenario: Scenario, keys: int, seed: int, how_many: int) -> Iterator[Work]:
    """Works over so few keys that some meet on one and most pairs do not.

    After `how_many` there may be some more, of kinds that are rare.

    Raises:
        UsageError: as `writes_what_it_draws`.
    """
    few = min(keys, 4 * scenario.keys_per_transaction + 8)
    rng, source = _sources(scenario, f"hot:{few}", keys, seed)
    drawn: dict[int, int] = dict.fromkeys(range(len(scenario.kinds)), 0)
    for number in range(how_many + _times(scenario, _DRAWS_RARE)):
        if number >= how_many and min(drawn.values(), default=_EACH_KIND) >= _EACH_KIND:
            return
        work = draw_checked(scenario, source, rng)
        if number < how_many or drawn[work.kind] < _EACH_KIND:
            drawn[work.kind] = drawn.get(work.kind, 0) + 1
            yield work


def _times(scenario: Scenario, most: int) -> int:
    """How often to draw: less often where a draw takes many keys."""
    return min(most, max(_DRAWS_LEAST, _COMPARISONS_MOST // scenario.keys_per_transaction**2))


def chance() -> object:
    """Where the generators stand that a scenario is not given."""
    own = np.random.get_state(legacy=False)  # noqa: NPY002 - whether somebody uses it
    return random.getstate(), [
        value.tobytes() if isinstance(value, np.ndarray) else value for value in own["state"].values()
    ]


def _sources(scenario: Scenario, skew: str, keys: int, seed: int) -> tuple[np.random.Generator, KeySource]:
    table = parse_skew(skew).table(keys)
    check_keys(table, scenario.keys_per_transaction)
    rng = np.random.default_rng(seed)
    return rng, KeySource(table, rng)
