"""The classes of a scenario: a business transaction, its tables, and the check that its data is correct.

docs/scenarios.md shows step by step how to write one.
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

    from hotrow.finding import Finding

_NAME = re.compile("[a-z0-9]+(-[a-z0-9]+)*")
_MAX_NAME_LETTERS = 64
"""The directory of a run is named after its scenario."""
LOST = "records were lost, so acknowledgements could not be counted"
"""The reason why a check that depends on counts is undecided."""

_MAX_KINDS = 256
"""A record stores the kind in one byte."""

Row = tuple[Any, ...]
State = Mapping[str, Any]
"""The values that `Scenario.observe` read from the database, by name."""
Violation = Mapping[str, Any]
"""One fault in the data: JSON values by name, from which a person can find it."""


class Session(Protocol):
    """One database connection inside an explicit transaction, as a scenario sees it."""

    def execute(self, sql: str, *parameters: Any) -> Result:
        """Run one statement with placeholders `$1`, `$2`, …, wait for it, and return its rows and count.

        Raises the driver's error. Let it pass: the attempt loop classifies it.
        """
        ...

    def think(self, seconds: float) -> None:
        """Wait inside the transaction, as an application that computes or calls another service."""
        ...


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one statement."""

    rows: Sequence[Row]
    count: int
    """The number of rows changed or returned, from the command tag."""
    columns: Sequence[str] = ()
    """The names of the columns of `rows`; empty if there are no rows."""


class Keys(Protocol):
    """The source of a scenario's keys: the skew of the cell, with a random generator for one user."""

    @property
    def count(self) -> int:
        """The number of keys; ids start at 0."""
        ...

    def draw(self, how_many: int = 1) -> tuple[int, ...]:
        """Draw this many different key ids by the skew of the cell (see `hotrow.keys.skew`)."""
        ...

    def __getitem__(self, space: str) -> Keys:
        """The keys of one key space, from 0 on, if the scenario declares `spaces`."""
        ...

    def ids(self, **keys: Sequence[int]) -> tuple[int, ...]:
        """The ids of keys by the name of their key space: `writes=keys.ids(account=(3, 8), branch=(0,))`."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """What one transaction will do, drawn before it starts, so that a retry can repeat it exactly."""

    parameters: tuple[Any, ...]
    writes: tuple[int, ...]
    """Key ids of the rows that the transaction writes or locks and other transactions may write too.

    Leave out a row that only this transaction knows, such as a new entry under a random key.
    """
    kind: int = 0
    """The index of the transaction's kind in the scenario's `kinds`."""
    pause_s: float = 0.0
    """How long the user waits before the transaction, in seconds; no part of its latency."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many transactions of one cell committed or have an unknown outcome, warm-up included."""

    committed: int
    unknown: int
    kinds: Sequence[Tally] = ()
    """The tallies of the scenario's kinds, in their order; empty if the scenario names no kinds."""
    complete: bool = True
    """False if records of attempts may be missing: then no count is known (`hotrow.scenario.verdicts`)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check. `valid` is None if the check could not decide, which is not a pass."""

    name: str
    """The statement that is true if the verdict is valid, such as `total balance unchanged`."""
    valid: bool | None
    count: int = 0
    """The number of violations."""
    first: Violation | None = None
    worst: Violation | None = None
    last: Violation | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    """The figures on which the verdict is based, as JSON values."""

    def as_json(self) -> dict[str, Any]:
        """The verdict as in events.jsonl and summary.json; values that JSON lacks, such as a uuid, as text.

        Raises:
            ValueError: a number is NaN or infinite.
        """
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), default=_plain, allow_nan=False))
        return plain


def _plain(value: Any) -> int | str:
    """A JSON value for one that JSON lacks: an int for a whole number of another type, otherwise a text."""
    return int(value) if isinstance(value, Integral) else str(value)


class Scenario(ABC):
    """One contention pattern. A subclass defines tables, seed, draw, run, observe, check; perhaps reset.

    Each run has a schema of its own for the tables, on the search path. So name them without a schema. Knobs
    are class attributes (`hotrow.knob`); their values are passed by name: `Counter(shards=4)`.
    """

    name: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]] = ()
    """The names of its kinds of transaction, each counted and charted separately; empty for one kind."""
    receipts: ClassVar[bool] = False
    """Whether transactions always write receipts (docs/receipts.md), as with `--receipts`."""

    user: int = 0
    """The number of the user who runs this instance; each user of a run has another one, from 0 on."""

    def __init__(self, **knobs: object) -> None:
        """Set the knobs; those that are left out have their defaults.

        Raises:
            UsageError: an unknown knob, a value that the knob does not take, or a name that is not valid.
        """
        check_name(type(self))
        known = knobs_of(type(self))
        unknown = [name for name in knobs if name not in known]
        if unknown:
            allowed = ", ".join(known) or "none"
            raise UsageError(f"{unknown[0]}: unknown to scenario {self.name}; its knobs: {allowed}")
        vars(self).update({name: knob.read(knobs.get(name, knob.default)) for name, knob in known.items()})

    @property
    def knobs(self) -> dict[str, Plain]:
        """The values of its knobs, as in run.json; `type(self)(**knobs)` is an equal scenario."""
        return {name: knob.plain(getattr(self, name)) for name, knob in knobs_of(type(self)).items()}

    @property
    def keys_per_transaction(self) -> int:
        """How many different keys one transaction draws."""
        return 1

    @property
    def spaces(self) -> Mapping[str, int | None]:
        """Key spaces by name with their numbers of keys, None for `--keys`; empty for one set without a name.

        A row that every transaction writes is a space of one key. Overridden as an attribute, or as a
        property that depends on knobs.
        """
        return {}

    @property
    def keys_per_space(self) -> Mapping[str, int]:
        """How many different keys of each key space one transaction writes."""
        return dict.fromkeys(self.spaces, 1)

    @property
    def rows_per_key(self) -> int:
        """Over how many rows the writes of one key are spread evenly, such as the shards of a counter."""
        return 1

    @property
    def existing_schema(self) -> str:
        """The name of a schema whose tables the run uses and never drops; empty if it makes its own."""
        return ""

    @property
    def is_one_transaction(self) -> bool:
        """Whether `follow` never returns more work. Otherwise the closed form does not apply."""
        return type(self).follow is Scenario.follow

    @abstractmethod
    def tables(self) -> Sequence[str]:
        """The `CREATE TABLE` statements, one per table."""

    @abstractmethod
    def seed(self, keys: int) -> Sequence[str]:
        """Statements that fill the tables for `keys` keys; each is a transaction of its own."""

    def reset(self, keys: int) -> Sequence[str]:
        """Statements that put data back before each cell, such as a stock; each is a transaction of its own.

        They run without load, before `observe` reads the state from which the cell's check starts.
        """
        del keys
        return ()

    @abstractmethod
    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Decide what one transaction will do. Take every random choice here, from `keys` and `rng`."""

    @abstractmethod
    def run(self, session: Session, work: Work) -> None:
        """Execute the work; hotrow sends BEGIN and COMMIT. Raise `hotrow.errors.Rejected` to refuse it."""

    def follow(self) -> Work | None:
        """The next transaction of the same business operation; None if there is none.

        It is called once the transaction of the last `run` has committed or was rejected. A conflict in the
        next transaction repeats only that one. With `--redraw` it keeps its work.
        """
        return None

    def notes(self) -> Sequence[Finding]:
        """What the report should say about the scenario itself, beside what its rehearsal finds."""
        return ()

    def explain(self, finding: Finding) -> Finding:
        """A finding of the rehearsal in the words of the scenario's author."""
        return finding

    @abstractmethod
    def observe(self, session: Session) -> State:
        """Read the values that the check needs. Called before and after a cell, without load."""

    @abstractmethod
    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """Judge one cell, without side effects. If it fails or its result is not valid, nothing is known."""


def check_name(scenario_type: type[Scenario]) -> None:
    """Check the names of a scenario, its kinds and its knobs, which appear in file names and as options.

    Raises:
        UsageError: a name is missing or not valid.
    """
    name = getattr(scenario_type, "name", None)
    if not isinstance(name, str) or len(name) > _MAX_NAME_LETTERS or not _NAME.fullmatch(name):
        fault = "has no name" if name is None else f"has the name {str(name)[: _MAX_NAME_LETTERS + 1]!r}"
        words = f"small letters, digits and hyphens, at most {_MAX_NAME_LETTERS}"
        raise UsageError(f"scenario {scenario_type.__name__} {fault}; use {words}")
    kinds: Any = scenario_type.kinds
    if not isinstance(kinds, tuple | list) or not _are_names(kinds):
        raise UsageError(
            f"kinds of scenario {name}: {kinds!r}; use different names, such as ('order', 'transfer')"
        )
    for knob in knobs_of(scenario_type):
        if not _NAME.fullmatch(knob.replace("_", "-")):
            raise UsageError(
                f"knob {knob} of scenario {name}: use small letters, digits and single underscores"
            )


def _are_names(kinds: Sequence[Any]) -> bool:
    """Whether these are different texts, none empty, and not more than a record can distinguish."""
    texts = all(isinstance(kind, str) and kind for kind in kinds)
    return texts and len(set(kinds)) == len(kinds) <= _MAX_KINDS


def scenarios_in(module: ModuleType) -> list[type[Scenario]]:
    """The scenarios that a module itself defines, in their order, without abstract base classes.

    Raises:
        UsageError: a scenario has no name or one that is not valid, or all scenarios lack a method.
    """
    defined = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Scenario) and value.__module__ == module.__name__
    ]
    scenario_types = [scenario_type for scenario_type in defined if not isabstract(scenario_type)]
    if defined and not scenario_types:
        missing = ", ".join(sorted(defined[-1].__abstractmethods__))
        raise UsageError(
            f"scenario {defined[-1].__name__} lacks {missing}; docs/scenarios.md says what they do"
        )
    for scenario_type in scenario_types:
        check_name(scenario_type)
    return scenario_types


def judge(
    name: str,
    violations: Sequence[Violation],
    *,
    size: Callable[[Violation], float] = lambda _: 1.0,
    count: int | None = None,
    **details: Any,
) -> Verdict:
    """A verdict that is valid if there are no violations.

    Args:
        name: the statement that is true if the verdict is valid.
        violations: in order of time if the data has times, otherwise in order of their keys.
        size: how bad a violation is; the largest is the worst, the first of them if several are equal.
        count: the number of violations, if `violations` holds only some of them.
        details: the figures on which the verdict is based.
    """
    total = len(violations) if count is None else count
    if not violations:
        return Verdict(name, valid=total == 0, count=total, details=details)
    return Verdict(
        name,
        valid=False,
        count=total,
        first=violations[0],
        worst=max(violations, key=size),
        last=violations[-1],
        details=details,
    )


def applied_once(name: str, counted: int, tally: Tally) -> Verdict:
    """Judge an effect that each transaction has once: acknowledged <= counted <= acknowledged + unknown.

    Args:
        name: the statement that is true if the verdict is valid.
        counted: how many effects the database shows.
        tally: how the transactions ended, as their clients know. If it is not complete, `valid` is None.
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

    Aurora DSQL changes at most 3,000 rows per transaction, so tables are seeded range by range.
    """
    for first in range(0, keys, most):
        yield first, min(first + most, keys) - 1
