"""What a user of hotrow writes: one business transaction, its tables, and the check of its correctness."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    import numpy as np

Row = tuple[Any, ...]
State = Mapping[str, int]
"""What `Scenario.observe` reads of the database: named whole numbers."""


class Session(Protocol):
    """One database connection inside an explicit transaction, as a scenario sees it."""

    def execute(self, sql: str, *parameters: Any) -> Result:
        """Run one statement with `$1`, `$2`, … placeholders; wait for it; return its rows and count.

        Raises the driver's error; the attempt loop classifies it.
        """
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
        """Draw distinct key ids, hottest rule of the cell's skew first (see `hotrow.skew`)."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """What one transaction will do, drawn before it starts, so that a retry can repeat it exactly."""

    parameters: tuple[Any, ...]
    writes: tuple[int, ...]
    """Key ids that the transaction will write."""
    kind: int = 0


@dataclass(frozen=True, slots=True)
class Tally:
    """How the transactions of one cell ended, by count."""

    committed: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found. `valid` is None where it could not decide: absent is not a pass."""

    name: str
    valid: bool | None
    count: int = 0
    """How many violations."""
    details: Mapping[str, Any] = field(default_factory=dict)


class Scenario(ABC):
    """One contention pattern. Subclass it, give it tables, draw, run and a check.

    The tables live in a schema of the run's own, found by the search path: name them without a schema.
    """

    name: ClassVar[str]
    keys_per_transaction: ClassVar[int] = 1
    """How many distinct keys one transaction draws."""

    @abstractmethod
    def tables(self) -> Sequence[str]:
        """One `CREATE TABLE` statement a table."""

    @abstractmethod
    def seed(self, keys: int) -> Sequence[str]:
        """Statements that fill the tables with `keys` rows; each is committed by itself."""

    @abstractmethod
    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Decide what one transaction will do."""

    @abstractmethod
    def run(self, session: Session, work: Work) -> None:
        """Do it, between BEGIN and COMMIT. Raise `hotrow.errors.Rejected` where the business rule says no."""

    @abstractmethod
    def observe(self, session: Session) -> State:
        """Read what the check needs; called before and after a cell, with no load running."""

    @abstractmethod
    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """Judge one cell. Pure."""


def key_ranges(keys: int, most: int = 3000) -> Iterator[tuple[int, int]]:
    """First and last key id of consecutive ranges of at most `most` keys.

    Aurora DSQL changes at most 3,000 rows a transaction, so tables are seeded range by range.
    """
    for first in range(0, keys, most):
        yield first, min(first + most, keys) - 1
