"""What a run will measure: its cells, as values, checked before anything starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from hotrow.calling import made, whole
from hotrow.errors import UsageError
from hotrow.rehearsal import writes_what_it_draws
from hotrow.retry import parse_retries
from hotrow.skew import check_keys, parse_skew

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hotrow.knob import Plain
    from hotrow.scenario import Scenario

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
    knobs: Mapping[str, Plain]
    """Where the scenario's knobs stand."""
    keys_per_transaction: int
    rows_per_key: int
    closed_form: bool
    """Whether the closed form applies: every transaction writes just the keys that it draws."""
    warmup_s: float
    duration_s: float | None
    """None where Locust's own run time, or the person at the web page, ends the cell."""

    def as_json(self) -> dict[str, Any]:
        """The cell as it stands in run.json."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is the same for every cell of a run, or listed for the cells to take turns."""

    skews: tuple[str, ...]
    keys: int
    levels: tuple[int, ...]
    retry: str
    """One policy, or several by commas."""
    knobs: Mapping[str, tuple[str, ...]]
    """The values of each knob that was given."""
    redraw: bool
    repeats: int
    warmup_s: float
    duration_s: float | None


def turned(scenario: Scenario, knobs: Mapping[str, Sequence[str]]) -> tuple[Scenario, ...]:
    """The scenario with its knobs turned to every combination of these values, the last knob fastest.

    Raises:
        UsageError: an unknown knob, a value that it does not take, or one that is given twice.
    """
    turns = [
        made(type(scenario), {**scenario.knobs, **dict(zip(knobs, values, strict=True))})
        for values in product(*knobs.values())
    ]
    stands = [list(turn.knobs.items()) for turn in turns]
    if any(stand in stands[:place] for place, stand in enumerate(stands)):
        raise UsageError(f"a value of a knob of {scenario.name} is given twice; give each once")
    return tuple(turns)


def plan_cells(settings: Settings, scenario: Scenario, seed: int) -> tuple[Cell, ...]:
    """Every cell of a run: repeat by repeat, knobs by knobs, skew by skew, with the users rising within each.

    Raises:
        UsageError: a knob, skew, policy, key count or user count that cannot run.
    """
    retries = [policy.spec for policy in parse_retries(settings.retry)]
    turns = turned(scenario, settings.knobs)
    points = list(
        product(
            range(1, _checked_repeats(settings.repeats) + 1),
            [_drawn(turn, settings.keys, seed) for turn in turns],
            [parse_skew(text) for text in settings.skews],
            retries,
            [_checked_users(users) for users in settings.levels],
        )
    )
    for _, drawn, skew, _, _ in points:
        check_keys(skew.table(settings.keys), drawn["keys_per_transaction"])
    return tuple(
        Cell(
            id=number,
            scenario=scenario.name,
            skew=skew.spec,
            keys=settings.keys,
            users=users,
            retry=retry,
            redraw=settings.redraw,
            repeat=repeat,
            **drawn,
            warmup_s=settings.warmup_s,
            duration_s=settings.duration_s,
        )
        for number, (repeat, drawn, skew, retry, users) in enumerate(points)
    )


def _drawn(scenario: Scenario, keys: int, seed: int) -> dict[str, Any]:
    """What of a cell follows from where the knobs stand."""
    return {
        "knobs": scenario.knobs,
        "keys_per_transaction": whole(scenario, "keys_per_transaction"),
        "rows_per_key": whole(scenario, "rows_per_key"),
        "closed_form": writes_what_it_draws(scenario, keys, seed),
    }


def planned_seconds(cells: tuple[Cell, ...]) -> float:
    """How long the cells take by plan, in seconds, changes between them left out."""
    return sum(cell.warmup_s + (cell.duration_s or 0.0) for cell in cells)


def _checked_repeats(repeats: int) -> int:
    if repeats < 1:
        raise UsageError(f"--repeats {repeats}: a cell is measured at least once; give 1 or more")
    return repeats


def _checked_users(users: int) -> int:
    if not 1 <= users <= MOST_USERS:
        raise UsageError(f"--users {users}: the number of users must be from 1 to {MOST_USERS}")
    return users
