"""What a run will measure: its cells, as values, checked before anything starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from hotrow.attempt.record import CELLS_MAX
from hotrow.attempt.retry import parse_retries
from hotrow.errors import UsageError
from hotrow.keys.skew import check_keys, parse_skews
from hotrow.scenario.calling import make_scenario, positive_number
from hotrow.scenario.declarations import writes_what_it_draws
from hotrow.units import told

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
    for name, values in knobs.items():
        _refuse_twins(scenario, name, values)
    return tuple(
        make_scenario(type(scenario), {**scenario.knobs, **dict(zip(knobs, values, strict=True))})
        for values in product(*knobs.values())
    )


def _refuse_twins(scenario: Scenario, knob: str, values: Sequence[str]) -> None:
    """Refuse values that mean the same, also if they are spelled differently (`0.5` and `.5`)."""
    seen: dict[Plain, str] = {}
    for value in values:
        stand = make_scenario(type(scenario), {**scenario.knobs, knob: value}).knobs[knob]
        if stand in seen:
            option = knob.replace("_", "-")
            raise UsageError(f"--{option} {told(value)}: this value is given twice; give each once")
        seen[stand] = value


def plan_cells(settings: Settings, scenario: Scenario, seed: int) -> tuple[Cell, ...]:
    """Every cell of a run: repeat by repeat, knobs by knobs, skew by skew, with all users within each.

    Raises:
        UsageError: a knob, skew, policy, key count or user count that cannot run, or one that is given twice;
            more cells than a run can have.
    """
    retries = [policy.spec for policy in parse_retries(settings.retry)]
    _check_count(settings, len(retries))
    turns = turned(scenario, settings.knobs)
    points = list(
        product(
            range(1, _checked_repeats(settings.repeats) + 1),
            [_drawn(turn, settings.keys, seed) for turn in turns],
            parse_skews(settings.skews),
            retries,
            _checked_levels(settings.levels),
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
        "keys_per_transaction": positive_number(scenario, "keys_per_transaction"),
        "rows_per_key": positive_number(scenario, "rows_per_key"),
        "closed_form": writes_what_it_draws(scenario, keys, seed),
    }


def planned_seconds(cells: tuple[Cell, ...]) -> float:
    """How long the cells take by plan, in seconds, changes between them left out."""
    return sum(cell.warmup_s + (cell.duration_s or 0.0) for cell in cells)


def _checked_repeats(repeats: int) -> int:
    if repeats < 1:
        raise UsageError(f"--repeats {repeats}: a cell is measured at least once; give 1 or more")
    return repeats


def _check_count(settings: Settings, policies: int) -> None:
    """Before anything is multiplied out."""
    lists = [settings.skews, settings.levels, *settings.knobs.values()]
    cells = settings.repeats * policies * prod(map(len, lists))
    if cells > CELLS_MAX:
        raise UsageError(
            f"{cells:.6g} cells are planned; a run has at most {CELLS_MAX}: give fewer values or --repeats"
        )


def _checked_levels(levels: Sequence[int]) -> Sequence[int]:
    seen: set[int] = set()
    for users in levels:
        if not 1 <= users <= MOST_USERS:
            raise UsageError(f"--users {users}: the number of users must be from 1 to {MOST_USERS}")
        if users in seen:
            raise UsageError(
                f"--users {users}: is given twice; give each number once, and --repeats for more"
            )
        seen.add(users)
    return levels
