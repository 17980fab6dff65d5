"""What a run will measure: its cells, as values, checked before anything starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hotrow.errors import UsageError
from hotrow.retry import parse_retry
from hotrow.skew import check_keys, parse_skew

MOST_USERS = 10_000
"""Aurora DSQL accepts this many connections; a user holds one."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of a sweep: everything that shapes its conflicts."""

    id: int
    scenario: str
    skew: str
    keys: int
    users: int
    retry: str
    redraw: bool
    repeat: int
    keys_per_transaction: int
    warmup_s: float
    duration_s: float | None
    """None where Locust's own run time, or the person at the web page, ends the cell."""

    def as_json(self) -> dict[str, Any]:
        """The cell as it stands in run.json."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is the same for every cell of a run, or listed for the cells to take turns."""

    scenario: str
    skews: tuple[str, ...]
    keys: int
    levels: tuple[int, ...]
    retries: tuple[str, ...]
    redraw: bool
    repeats: int
    warmup_s: float
    duration_s: float | None


def plan_cells(settings: Settings, keys_per_transaction: int) -> tuple[Cell, ...]:
    """Every cell of a run, skew by skew, with the users rising within each.

    Raises:
        UsageError: a skew, policy, key count or user count that cannot run.
    """
    retries = [parse_retry(text).spec for text in settings.retries]
    skews = [_checked_skew(text, settings.keys, keys_per_transaction) for text in settings.skews]
    levels = [_checked_users(users) for users in settings.levels]
    if settings.repeats < 1:
        raise UsageError(f"--repeats {settings.repeats}: a cell is measured at least once; give 1 or more")
    points = [
        (skew, retry, repeat, users)
        for repeat in range(1, settings.repeats + 1)
        for skew in skews
        for retry in retries
        for users in levels
    ]
    return tuple(
        Cell(
            id=number,
            scenario=settings.scenario,
            skew=skew,
            keys=settings.keys,
            users=users,
            retry=retry,
            redraw=settings.redraw,
            repeat=repeat,
            keys_per_transaction=keys_per_transaction,
            warmup_s=settings.warmup_s,
            duration_s=settings.duration_s,
        )
        for number, (skew, retry, repeat, users) in enumerate(points)
    )


def planned_seconds(cells: tuple[Cell, ...]) -> float:
    """How long the cells take by plan, in seconds, changes between them left out."""
    return sum(cell.warmup_s + (cell.duration_s or 0.0) for cell in cells)


def _checked_skew(text: str, keys: int, keys_per_transaction: int) -> str:
    skew = parse_skew(text)
    check_keys(skew.table(keys), keys_per_transaction)
    return skew.spec


def _checked_users(users: int) -> int:
    if not 1 <= users <= MOST_USERS:
        raise UsageError(f"--users {users}: the number of users must be from 1 to {MOST_USERS}")
    return users
