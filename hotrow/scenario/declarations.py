"""The comparison of the writes that a scenario declares in `draw` with the rows that its `run` wrote.

Expected conflicts, hot keys and the closed form depend on `Work.writes`. A row that every transaction changes
and none declares is a hot row that no skew accounts for. So the scenario is rehearsed before any load
(`hotrow.tables.rehearsal`). This module is the part that needs no database.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from hotrow.finding import Finding
from hotrow.keys.skew import parse_skew, uniform
from hotrow.keys.spaces import Spaces, check_draws, key_source, lay_out
from hotrow.scenario.calling import draw_checked, key_spaces
from hotrow.scenario.slow import warn_while_slow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hotrow.keys.table import Table
    from hotrow.scenario.contract import Scenario, Work

_DRAWS = 200
_DRAWS_FOR_RARE_KINDS = 1000
"""Further draws, to find works of kinds that were not among the first ones."""
_WORKS_PER_KIND = 3
_MIN_DRAWS = 8
_MAX_COMPARISONS = 20_000_000
"""Drawing n distinct keys makes about n * n / 2 comparisons, so large batches are drawn fewer times."""
_MAX_STATEMENT_LENGTH = 80
_DECLARE = (
    "name in Work.writes the key of each row that run() changes or locks; a row that transactions share"
    " without a key is hot at every skew, so expected conflicts are too few"
)
_MAKE = "declare in Work.writes only what run() changes or locks, or expected conflicts are too many"
_SUCCEED = "seed the tables so that some transactions succeed, or check yourself that Work.writes is right"
_BY_HAND = "check yourself that Work.writes names the key of each row that it changes or locks"
_OWN_RNG = "take random numbers in draw() only, from its rng, and pass them on in Work.parameters"
_NOT_REPEATED = {
    "draw": "another run with the same seed does something else",
    "run": "a retry does something else than the attempt that it repeats",
}


@dataclass(frozen=True, slots=True)
class Touch:
    """One row that a statement wrote or locked."""

    table: str
    key: tuple[str, ...]
    """The primary key of the row, as text."""
    statement: str
    inserted: bool = False
    """Whether an INSERT wrote it; the row existed before only if the INSERT was an upsert."""

    @property
    def row(self) -> str:
        """`counter(3, 0)`."""
        return f"{self.table}({', '.join(self.key)})"


@dataclass(frozen=True, slots=True)
class RehearsedWork:
    """The writes that one work declared, and the rows that its transaction touched before its rollback."""

    writes: frozenset[int]
    touches: tuple[Touch, ...] = ()
    complete: bool = True
    """Whether every statement was understood and the business rule accepted the work."""
    kind: int = 0
    rejected: bool = False
    """Whether the business rule rejected the work."""

    @property
    def rows(self) -> Mapping[str, Touch]:
        """The first touch of each row."""
        return {touch.row: touch for touch in reversed(self.touches)}

    @property
    def inserted_rows(self) -> set[str]:
        """The rows that the transaction itself inserted."""
        return {touch.row for touch in self.touches if touch.inserted}


@dataclass(frozen=True, slots=True)
class Unseen:
    """What a rehearsal could not see, or could not repeat."""

    statements: Sequence[str] = ()
    """Statements that may write or lock rows, but which rows is not known."""
    own_chance: Sequence[str] = ()
    """The methods that took random numbers from a global generator."""


def findings(scenario: Scenario, works: Sequence[RehearsedWork], unseen: Unseen) -> list[Finding]:
    """All findings of a rehearsal."""
    return [
        *compare(scenario.name, works),
        *_not_rehearsed(scenario.name, scenario.kinds, works, unseen.statements),
        *_own_chance(scenario.name, unseen.own_chance),
    ]


def _not_rehearsed(
    name: str, kinds: Sequence[str], works: Sequence[RehearsedWork], statements: Sequence[str]
) -> Iterator[Finding]:
    for kind in sorted({work.kind for work in works}):
        rejected = [work.rejected for work in works if work.kind == kind]
        if all(rejected):
            of_kind = f" of kind {kinds[kind]}" if kinds else ""
            message = f"{name}: each of the {len(rejected)} rehearsed transactions{of_kind} was rejected"
            yield Finding("not_rehearsed", f"{message}: their writes were not seen", _SUCCEED)
    if statements:
        others = f" and {len(statements) - 1} other statements" if len(statements) > 1 else ""
        message = (
            f"{name}: the rows that this writes or locks are unknown: {shortened(statements[0])}{others}"
        )
        yield Finding("not_rehearsed", message, _BY_HAND)


def _own_chance(name: str, methods: Sequence[str]) -> Iterator[Finding]:
    for method in methods:
        message = f"{name}: {method}() takes random numbers from Python's or numpy's global generator"
        yield Finding("own_chance", f"{message}: {_NOT_REPEATED[method]}", _OWN_RNG)


def compare(name: str, works: Sequence[RehearsedWork]) -> list[Finding]:
    """The undeclared writes of the scenario of this name, and the declared writes that it did not make.

    A row is undeclared if two works touched it whose declared keys are disjoint: by their declarations they
    could not conflict. It is also undeclared if it existed before and a work that declares nothing touched
    it. A row under a key of its own, such as a random id, is touched by one work only, so it is never
    reported.
    """
    return [*_undeclared(name, works), *_not_made(name, works)]


def _undeclared(name: str, works: Sequence[RehearsedWork]) -> Iterator[Finding]:
    """One finding per table, about the undeclared row that most works touched."""
    works_by_row: dict[str, list[RehearsedWork]] = defaultdict(list)
    for work in works:
        for row in work.rows:
            works_by_row[row].append(work)
    hottest: dict[str, tuple[int, Touch]] = {}
    for row, touching in works_by_row.items():
        if _share_no_key(touching) or _declare_nothing(row, touching):
            touch = touching[0].rows[row]
            counted = (len(touching), touch)
            hottest[touch.table] = max(hottest.get(touch.table, (0, touch)), counted, key=_count)
    for count, touch in hottest.values():
        message = (
            f"draw() did not declare a write: {name} writes {touch.row}"
            f" in {_of(count, len(works))} transactions: {shortened(touch.statement)}"
        )
        yield Finding("writes_undeclared", message, _DECLARE)


def _count(counted: tuple[int, Touch]) -> int:
    return counted[0]


def _share_no_key(works: Sequence[RehearsedWork]) -> bool:
    return any(not work.writes & other.writes for work, other in combinations(works, 2))


def _declare_nothing(row: str, works: Sequence[RehearsedWork]) -> bool:
    return any(not work.writes and row not in work.inserted_rows for work in works)


def _not_made(name: str, works: Sequence[RehearsedWork]) -> Iterator[Finding]:
    short = [work for work in works if work.complete and len(work.rows) < len(work.writes)]
    if short:
        worst = max(short, key=lambda work: len(work.writes) - len(work.rows))
        message = (
            f"draw() declared more writes than run() made: {name} wrote or locked {len(worst.rows)} rows but"
            f" declared {len(worst.writes)} keys; fewer in {_of(len(short), len(works))} transactions"
        )
        yield Finding("writes_not_made", message, _MAKE)


def _of(part: int, total: int) -> str:
    return f"{part} of {total} rehearsed"


def shortened(statement: str) -> str:
    """The statement in one short line."""
    line = " ".join(statement.split())
    return line if len(line) <= _MAX_STATEMENT_LENGTH else f"{line[: _MAX_STATEMENT_LENGTH - 1]}…"


def writes_what_it_draws(scenario: Scenario, keys: int, seed: int) -> bool:
    """Whether each transaction declares as many writes as it draws keys, so that the closed form applies.

    If the scenario has key spaces, this holds for each of them.

    About 200 works are drawn; no database is used.

    Raises:
        UsageError: `draw` raised an error or returned something that is not valid.
    """
    sizes = key_spaces(scenario, keys)
    layout = lay_out(uniform(), keys, sizes)
    check_draws(layout, scenario.keys_per_transaction)
    rng = np.random.default_rng(seed)
    source, draws = key_source(layout, rng), _draw_count(scenario, _DRAWS)
    with warn_while_slow(scenario, "draw()"):
        return all(
            _is_what_is_drawn(draw_checked(scenario, source, rng).writes, scenario, layout)
            for _ in range(draws)
        )


def _is_what_is_drawn(writes: Sequence[int], scenario: Scenario, layout: Table | Spaces) -> bool:
    """Whether a write set has as many keys as a transaction draws, of each key space."""
    if not isinstance(layout, Spaces):
        return len(writes) == scenario.keys_per_transaction
    written = Counter(layout.name_of(key)[0] for key in writes)
    return written == {space.size.name: space.size.drawn for space in layout.spaces}


def works_of(scenario: Scenario, keys: int, seed: int, how_many: int) -> Iterator[Work]:
    """Works over a few keys: so few that some works share a key, so many that most pairs share none.

    After `how_many` works there may be some more, of kinds that are rare.

    Raises:
        UsageError: as `writes_what_it_draws`.
    """
    layout = _few_keys(scenario, keys)
    rng = np.random.default_rng(seed)
    source = key_source(layout, rng)
    count_of_kind: dict[int, int] = dict.fromkeys(range(len(scenario.kinds)), 0)
    for number in range(how_many + _draw_count(scenario, _DRAWS_FOR_RARE_KINDS)):
        if number >= how_many and min(count_of_kind.values(), default=_WORKS_PER_KIND) >= _WORKS_PER_KIND:
            return
        work = draw_checked(scenario, source, rng)
        if number < how_many or count_of_kind[work.kind] < _WORKS_PER_KIND:
            count_of_kind[work.kind] = count_of_kind.get(work.kind, 0) + 1
            yield work


def _draw_count(scenario: Scenario, most: int) -> int:
    """How often to draw: less often if a transaction draws many keys."""
    return min(most, max(_MIN_DRAWS, _MAX_COMPARISONS // scenario.keys_per_transaction**2))


def global_generators() -> object:
    """The states of the global random generators, which a scenario should not use."""
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002 - it is only looked at
    return random.getstate(), [
        value.tobytes() if isinstance(value, np.ndarray) else value for value in numpy_state["state"].values()
    ]


def _few_keys(scenario: Scenario, keys: int) -> Table | Spaces:
    """A layout in which only a few keys, of each key space, are drawn."""
    sizes = key_spaces(scenario, keys)
    few = {size.name: f"hot:{min(size.keys, 4 * size.drawn + 8)}" for size in sizes}
    one = f"hot:{min(keys, 4 * scenario.keys_per_transaction + 8)}"
    skew = ",".join(f"{name}={hot}" for name, hot in few.items()) if few else one
    layout = lay_out(parse_skew(skew), keys, sizes)
    check_draws(layout, scenario.keys_per_transaction)
    return layout
