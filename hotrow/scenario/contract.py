"""What a user of hotrow writes: one business transaction, its tables, and the check of its correctness.

docs/scenarios.md writes one from nothing.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from inspect import isabstract
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from hotrow.errors import UsageError
from hotrow.knob import Plain, knobs_of

if TYPE_CHECKING:
    from types import ModuleType

    import numpy as np

_NAME = re.compile("[a-z0-9]+(-[a-z0-9]+)*")
_NAME_LETTERS_MAX = 64
"""A run's directory is called after it."""
LOST = "records were lost, so acknowledgements could not be counted"
"""Why a check that counts them is undecided."""

_KINDS_MOST = 256

Row = tuple[Any, ...]
State = Mapping[str, Any]
"""What `Scenario.observe` reads of the database: named values."""
Violation = Mapping[str, Any]
"""One place where the data is wrong: named JSON values that let a person find it."""


class Session(Protocol):
    """One database connection inside an explicit transaction, as a scenario sees it."""

    def execute(self, sql: str, *parameters: Any) -> Result:
        """Run one statement with `$1`, `$2`, … placeholders; wait for it; return its rows and count.

        Raises the driver's error; the attempt loop classifies it.
        """
        ...

    def think(self, seconds: float) -> None:
        """Let time pass inside the transaction, as an application that computes or asks another service."""
        ...


@dataclass(frozen=True, slots=True)
class Result:
    """What one statement answered."""

    rows: Sequence[Row]
    count: int
    """Rows changed or returned, from the command tag."""


class Keys(Protocol):
    """Where a scenario gets its keys: the skew of the cell, seeded for one user."""

    @property
    def count(self) -> int:
        """How many keys there are; ids run from 0."""
        ...

    def draw(self, how_many: int = 1) -> tuple[int, ...]:
        """Draw distinct key ids, hottest rule of the cell's skew first (see `hotrow.keys.skew`)."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """What one transaction will do, drawn before it starts, so that a retry can repeat it exactly."""

    parameters: tuple[Any, ...]
    writes: tuple[int, ...]
    """Key ids of the rows that the transaction will write or lock: those where it can meet another one.

    A row that only this transaction knows, such as a new entry under a random key, is none.
    """
    kind: int = 0
    """Which of the scenario's `kinds`."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How the transactions of one cell ended, by count, warm-up included."""

    committed: int
    unknown: int
    kinds: Sequence[Tally] = ()
    """The same of each of the scenario's kinds; none where it has one."""
    complete: bool = True
    """False if records of attempts may be missing: then no count is known (`hotrow.scenario.verdicts`)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found. `valid` is None where it could not decide: absent is not a pass."""

    name: str
    """What holds where it is valid, such as `total balance unchanged`."""
    valid: bool | None
    count: int = 0
    """How many violations."""
    first: Violation | None = None
    worst: Violation | None = None
    last: Violation | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    """What the check went by, as JSON values."""

    def as_json(self) -> dict[str, Any]:
        """As it stands in events.jsonl and summary.json; what JSON has no value for, such as a uuid, as text.

        Raises:
            ValueError: a number is NaN or infinite.
        """
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), default=_plain, allow_nan=False))
        return plain


def _plain(value: Any) -> int | str:
    """A value that JSON does not know: a whole number of another type as one, anything else as text."""
    return int(value) if isinstance(value, Integral) else str(value)


class Scenario(ABC):
    """One contention pattern. Subclass it, give it tables, draw, run and a check.

    The tables live in a schema of the run's own, found by the search path: name them without a schema.
    What can be turned is declared as class attributes (`hotrow.knob`) and given by name: `Counter(shards=4)`.
    """

    name: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]] = ()
    """Names of its kinds of transaction, counted and charted apart; none where all are alike."""
    receipts: ClassVar[bool] = False
    """Whether it always writes receipts (docs/receipts.md), as with `--receipts`."""

    def __init__(self, **knobs: object) -> None:
        """Turn the knobs; those left out have their defaults.

        Raises:
            UsageError: an unknown knob, or a value that it does not take; or a name that cannot be one.
        """
        check_name(type(self))
        known = knobs_of(type(self))
        unknown = [name for name in knobs if name not in known]
        if unknown:
            allowed = ", ".join(known) or "none at all"
            raise UsageError(f"{unknown[0]}: unknown to scenario {self.name}; its knobs: {allowed}")
        vars(self).update({name: knob.read(knobs.get(name, knob.default)) for name, knob in known.items()})

    @property
    def knobs(self) -> dict[str, Plain]:
        """Where its knobs stand, as run.json has them; `type(self)(**knobs)` is an equal scenario."""
        return {name: knob.plain(getattr(self, name)) for name, knob in knobs_of(type(self)).items()}

    @property
    def keys_per_transaction(self) -> int:
        """How many distinct keys one transaction draws."""
        return 1

    @property
    def rows_per_key(self) -> int:
        """Over how many rows the writes of one key are spread, alike: a counter's shards."""
        return 1

    @abstractmethod
    def tables(self) -> Sequence[str]:
        """One `CREATE TABLE` statement a table."""

    @abstractmethod
    def seed(self, keys: int) -> Sequence[str]:
        """Statements that fill the tables for `keys` keys; each is committed by itself."""

    @abstractmethod
    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Decide what one transaction will do. All chance is here and comes from `keys` and `rng`."""

    @abstractmethod
    def run(self, session: Session, work: Work) -> None:
        """Do it, between hotrow's BEGIN and COMMIT. Raise `hotrow.errors.Rejected` if the rule says no."""

    @abstractmethod
    def observe(self, session: Session) -> State:
        """Read what the check needs, as plain values; before and after a cell, with no load running."""

    @abstractmethod
    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """Judge one cell. Pure. If it raises or says what cannot be, nothing is known: None."""


def check_name(kind: type[Scenario]) -> None:
    """Refuse a name that cannot stand in a file's name and on a command line, of the scenario or a knob.

    Raises:
        UsageError: so it is, or there is none.
    """
    name = getattr(kind, "name", None)
    if not isinstance(name, str) or len(name) > _NAME_LETTERS_MAX or not _NAME.fullmatch(name):
        given = "has no name" if name is None else f"has the name {str(name)[: _NAME_LETTERS_MAX + 1]!r}"
        words = f"small letters, digits and hyphens, {_NAME_LETTERS_MAX} at most"
        raise UsageError(f"scenario {kind.__name__} {given}; give it {words}")
    kinds: Any = kind.kinds
    if not isinstance(kinds, tuple | list) or not _are_names(kinds):
        raise UsageError(
            f"kinds of scenario {name}: {kinds!r}; give different names, as ('order', 'transfer')"
        )
    for knob in knobs_of(kind):
        if not _NAME.fullmatch(knob.replace("_", "-")):
            raise UsageError(
                f"knob {knob} of scenario {name}: use small letters, digits and single underscores"
            )


def _are_names(kinds: Sequence[Any]) -> bool:
    """Whether they are different texts, none of them empty, and as many as a record can tell apart."""
    texts = all(isinstance(each, str) and each for each in kinds)
    return texts and len(set(kinds)) == len(kinds) <= _KINDS_MOST


def scenarios_in(module: ModuleType) -> list[type[Scenario]]:
    """The scenarios that a module defines itself, in their order, bases with abstract methods left out.

    Raises:
        UsageError: one has no name, or one that cannot be; or all there are lack a method.
    """
    defined = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Scenario) and kind.__module__ == module.__name__
    ]
    found = [kind for kind in defined if not isabstract(kind)]
    if defined and not found:
        lacking = ", ".join(sorted(defined[-1].__abstractmethods__))
        raise UsageError(
            f"scenario {defined[-1].__name__} lacks {lacking}; docs/scenarios.md says what they do"
        )
    for kind in found:
        check_name(kind)
    return found


def judge(
    name: str,
    violations: Sequence[Violation],
    *,
    size: Callable[[Violation], float] = lambda _: 1.0,
    count: int | None = None,
    **details: Any,
) -> Verdict:
    """A verdict that is valid where there are no violations.

    Args:
        name: what holds where it is valid.
        violations: in their order: by time where the data has times, otherwise by key.
        size: how bad one is; the first of the largest is the worst.
        count: how many there are, where `violations` are but some of them.
        details: what the check went by.
    """
    many = len(violations) if count is None else count
    if not violations:
        return Verdict(name, valid=many == 0, count=many, details=details)
    return Verdict(
        name,
        valid=False,
        count=many,
        first=violations[0],
        worst=max(violations, key=size),
        last=violations[-1],
        details=details,
    )


def applied_once(name: str, counted: int, tally: Tally) -> Verdict:
    """Judge what each transaction does once: acknowledged <= counted <= acknowledged + unknown.

    Args:
        name: what holds where it is valid.
        counted: how many of them the database shows.
        tally: how the transactions ended, as their clients know. If it is not complete, the verdict is None.
    """
    if not tally.complete:
        return Verdict(name, valid=None, details={"error": LOST, "counted": counted})
    counted = int(counted) if counted == int(counted) else counted  # a sum of bigint is a Decimal
    lost = max(tally.committed - counted, 0)
    doubled = max(counted - tally.committed - tally.unknown, 0)
    return Verdict(
        name,
        valid=not (lost or doubled),
        count=lost + doubled,
        details={
            "counted": counted,
            "acknowledged": tally.committed,
            "unknown": tally.unknown,
            "lost": lost,
            "doubled": doubled,
        },
    )


def key_ranges(keys: int, most: int = 3000) -> Iterator[tuple[int, int]]:
    """First and last key id of consecutive ranges of at most `most` keys.

    Aurora DSQL changes at most 3,000 rows a transaction, so tables are seeded range by range.
    """
    for first in range(0, keys, most):
        yield first, min(first + most, keys) - 1
