"""The plan of a run: its cells as values, checked before anything starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from hotrow.attempt.record import MAX_CELLS
from hotrow.attempt.retry import APPLICATION, parse_retries
from hotrow.errors import UsageError
from hotrow.keys.skew import parse_skews
from hotrow.keys.spaces import check_draws, complete, lay_out, read_sizes
from hotrow.scenario import AppScenario
from hotrow.scenario.calling import key_spaces, make_scenario, positive_number
from hotrow.scenario.declarations import writes_what_it_draws
from hotrow.units import as_typed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hotrow.keys.skew import Skew
    from hotrow.keys.spaces import SpaceSize
    from hotrow.knob import Plain
    from hotrow.scenario import Scenario

MAX_USERS = 10_000
"""Aurora DSQL accepts this many connections, and each user holds one."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of a sweep: everything that its conflicts depend on."""

    id: int
    scenario: str
    skew: str
    keys: int
    users: int
    retry: str
    redraw: bool
    repeat: int
    knobs: Mapping[str, Plain]
    """The values of the scenario's knobs."""
    keys_per_transaction: int
    rows_per_key: int
    closed_form: bool
    """Whether the closed form applies: every transaction writes exactly the keys that it draws."""
    warmup_s: float
    duration_s: float | None
    """None if Locust's own run time, or the person at the web page, ends the cell."""
    spaces: tuple[Mapping[str, Any], ...] = ()
    """The scenario's key spaces, as `hotrow.keys.spaces.read_sizes` reads them; empty if it has none."""

    def as_json(self) -> dict[str, Any]:
        """The cell as in run.json."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a run: values for all cells, and lists of values from which the cells are made."""

    skews: tuple[str, ...]
    keys: int
    levels: tuple[int, ...]
    """Numbers of users."""
    retry: str
    """One policy, or several separated by commas."""
    knobs: Mapping[str, tuple[str, ...]]
    """The values of each knob that the user set."""
    redraw: bool
    repeats: int
    warmup_s: float
    duration_s: float | None


def knob_variants(scenario: Scenario, knobs: Mapping[str, Sequence[str]]) -> tuple[Scenario, ...]:
    """The scenario with every combination of these values of its knobs; the last knob changes fastest.

    Raises:
        UsageError: an unknown knob, a value that it does not take, or a value that is given twice.
    """
    for name, values in knobs.items():
        _refuse_repeated(scenario, name, values)
    return tuple(
        make_scenario(type(scenario), {**scenario.knobs, **dict(zip(knobs, values, strict=True))})
        for values in product(*knobs.values())
    )


def _refuse_repeated(scenario: Scenario, knob: str, values: Sequence[str]) -> None:
    """Refuse two values that mean the same, even if they are spelled differently (`0.5` and `.5`)."""
    seen: set[Plain] = set()
    for text in values:
        value = make_scenario(type(scenario), {**scenario.knobs, knob: text}).knobs[knob]
        if value in seen:
            option = knob.replace("_", "-")
            raise UsageError(f"--{option} {as_typed(text)}: this value is given twice; give each once")
        seen.add(value)


def plan_cells(settings: Settings, scenario: Scenario, seed: int) -> tuple[Cell, ...]:
    """All cells of a run. Repeats change slowest, then knobs, skews and policies; users change fastest.

    Raises:
        UsageError: a knob, skew, policy, number of keys or of users that is not valid or is given twice; or
            more cells than a run can have.
    """
    if isinstance(scenario, AppScenario):
        retries = [APPLICATION]
    else:
        retries = [policy.spec for policy in parse_retries(settings.retry)]
    _check_count(settings, len(retries))
    skews = parse_skews(settings.skews)
    variants = [
        _knob_fields(variant, settings.keys, seed) for variant in knob_variants(scenario, settings.knobs)
    ]
    points = list(
        product(
            range(1, _checked_repeats(settings.repeats) + 1),
            variants,
            skews,
            retries,
            _checked_levels(settings.levels),
        )
    )
    for _, knob_fields, skew, _, _ in points:
        layout = lay_out(skew, settings.keys, read_sizes(knob_fields["spaces"]))
        check_draws(layout, knob_fields["keys_per_transaction"])
    for knob_fields in variants:
        _refuse_same_skews(skews, read_sizes(knob_fields["spaces"]))
    return tuple(
        Cell(
            id=number,
            scenario=scenario.name,
            skew=complete(skew, read_sizes(knob_fields["spaces"])).spec,
            keys=settings.keys,
            users=users,
            retry=retry,
            redraw=settings.redraw,
            repeat=repeat,
            **knob_fields,
            warmup_s=settings.warmup_s,
            duration_s=settings.duration_s,
        )
        for number, (repeat, knob_fields, skew, retry, users) in enumerate(points)
    )


def _knob_fields(scenario: Scenario, keys: int, seed: int) -> dict[str, Any]:
    """The fields of a cell that depend on the values of the knobs."""
    sizes = key_spaces(scenario, keys)
    drawn, rows_per_key = sum(size.drawn for size in sizes), positive_number(scenario, "rows_per_key")
    if sizes and rows_per_key > 1:
        raise UsageError(
            f"cannot run {scenario.name}: rows_per_key is {rows_per_key}, and it has key spaces;"
            " make the rows a space of their own"
        )
    return {
        "knobs": scenario.knobs,
        "spaces": tuple(size.as_json() for size in sizes),
        "keys_per_transaction": drawn or positive_number(scenario, "keys_per_transaction"),
        "rows_per_key": rows_per_key,
        "closed_form": writes_what_it_draws(scenario, keys, seed) and scenario.is_one_transaction,
    }


def _refuse_same_skews(skews: Sequence[Skew], sizes: Sequence[SpaceSize]) -> None:
    """Refuse two skews that become the same when each key space has its own: `hot` and `account=hot`."""
    seen: dict[Skew, Skew] = {}
    for skew in skews:
        first = seen.setdefault(complete(skew, sizes).meaning, skew)
        if first is not skew:
            raise UsageError(f"--skew {skew.spec} is the same skew as {first.spec}; give each skew once")


def planned_seconds(cells: tuple[Cell, ...]) -> float:
    """The planned duration of the cells in seconds, without the changes between them."""
    return sum(cell.warmup_s + (cell.duration_s or 0.0) for cell in cells)


def _checked_repeats(repeats: int) -> int:
    if repeats < 1:
        raise UsageError(f"--repeats {repeats}: a cell is measured at least once; give 1 or more")
    return repeats


def _check_count(settings: Settings, policies: int) -> None:
    """Check the number of cells before any of them is made."""
    lists = [settings.skews, settings.levels, *settings.knobs.values()]
    cells = settings.repeats * policies * prod(map(len, lists))
    if cells > MAX_CELLS:
        raise UsageError(
            f"{cells:.6g} cells are planned; a run has at most {MAX_CELLS}: give fewer values or --repeats"
        )


def _checked_levels(levels: Sequence[int]) -> Sequence[int]:
    seen: set[int] = set()
    for users in levels:
        if not 1 <= users <= MAX_USERS:
            raise UsageError(f"--users {users}: the number of users must be from 1 to {MAX_USERS}")
        if users in seen:
            raise UsageError(
                f"--users {users}: is given twice; give each number once, and --repeats for more"
            )
        seen.add(users)
    return levels
