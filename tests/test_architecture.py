"""The shape of the house: who imports whom, read from the sources."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from tests.architecture import FLOORS, LEAVES, House, circles, imports, name_of, read_house, room_of, sources
from tests.support.commands import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ARROWS: Mapping[str, set[str]] = MappingProxyType(
    {
        LEAVES: set(),
        "hotrow.keys": {LEAVES},
        "hotrow.standin": {LEAVES},
        "hotrow.scenario": {LEAVES, "hotrow.keys"},
        "hotrow.attempt": {LEAVES, "hotrow.keys", "hotrow.scenario"},
        "hotrow.script": {LEAVES, "hotrow.scenario"},
        "scenarios": {LEAVES, "hotrow.scenario"},
        "hotrow.run": {LEAVES, "hotrow.attempt", "hotrow.keys", "hotrow.scenario"},
        "hotrow.targets": {LEAVES, "hotrow.attempt", "hotrow.scenario", "hotrow.standin"},
        "hotrow.tables": {
            LEAVES,
            "hotrow.attempt",
            "hotrow.keys",
            "hotrow.scenario",
            "hotrow.standin",
            "hotrow.targets",
        },
        "hotrow.tap": {LEAVES, "hotrow.attempt", "hotrow.run", "hotrow.standin", "hotrow.targets"},
        "analysis": {LEAVES, "hotrow.attempt", "hotrow.keys", "hotrow.run"},
        "hotrow.simulation": {"hotrow.attempt", "hotrow.keys", "hotrow.run", "hotrow.scenario"},
        "hotrow.probe": {LEAVES, "hotrow.attempt", "hotrow.tables", "hotrow.targets"},
        "reports": {LEAVES, "analysis"},
        "hotrow.doctor": {LEAVES, "hotrow.probe", "hotrow.targets"},
        "hotrow.finish": {LEAVES, "analysis", "hotrow.run", "reports"},
        "hotrow.load": {
            LEAVES,
            "analysis",
            "hotrow.attempt",
            "hotrow.finish",
            "hotrow.keys",
            "hotrow.run",
            "hotrow.scenario",
            "hotrow.script",
            "hotrow.tables",
            "hotrow.targets",
            "reports",
        },
        "hotrow.commands": {
            LEAVES,
            "analysis",
            "hotrow.doctor",
            "hotrow.finish",
            "hotrow.load",
            "hotrow.probe",
            "hotrow.run",
            "hotrow.scenario",
            "hotrow.script",
            "hotrow.simulation",
            "hotrow.standin",
            "hotrow.tables",
            "hotrow.tap",
            "hotrow.targets",
            "reports",
            "scenarios",
        },
        "locustfiles": {"hotrow.load", "scenarios"},
    }
)
"""By room: the rooms that it may import."""


@pytest.fixture(scope="module")
def house() -> House:
    """The project's own."""
    return read_house()


@pytest.mark.parametrize("room", ARROWS)
def test_a_room_imports_just_the_rooms_of_the_table(room: str, house: House) -> None:
    """An arrow that is missing in the table was not intended; one that only the table has is out of date."""
    assert house.arrows[room] == ARROWS[room]


def test_every_room_has_a_floor_and_a_line_in_the_table(house: House) -> None:
    """A new folder needs a floor and a line."""
    rooms = {room_of(module) for module in house.modules}

    assert rooms == set(ARROWS) == {room for floor in FLOORS for room in floor}


def test_no_arrow_runs_upwards(house: House) -> None:
    """Each room imports only rooms on floors below its own."""
    assert house.upward() == []


def test_no_circle(house: House) -> None:
    """Neither rooms nor modules import each other in a circle, not even for type checkers."""
    assert circles(house.arrows) == []
    assert circles(house.modules) == []


def test_a_circle_and_an_upward_arrow_would_be_found() -> None:
    """So the two tests above can fail."""
    house = House({"hotrow.keys.skew": frozenset({"hotrow.run.plan"}), "hotrow.run.plan": frozenset()})

    assert house.upward() == ["hotrow.keys.skew -> hotrow.run.plan"]
    assert circles({"a": {"b"}, "b": {"a"}, "c": {"d"}, "d": {"c"}, "e": {"a"}}) == [
        ["a", "b", "a"],
        ["c", "d", "c"],
    ]


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("locust", {"hotrow.load"}),
        ("gevent", {"hotrow.load"}),
        (
            "psycopg",  # a scenario may be an application's own psycopg code
            {
                "hotrow.targets",
                "hotrow.tables",
                "hotrow.doctor",
                "hotrow.probe",
                "hotrow.standin",
                "scenarios",
            },
        ),
        ("sqlalchemy", {"hotrow.targets"}),
        ("boto3", {"hotrow.targets", "hotrow.standin"}),
        ("sqlglot", {"hotrow.standin", "hotrow.tap"}),
        ("matplotlib", {"reports"}),
        ("plotly", {"reports"}),
        ("click", {"hotrow.commands"}),
        ("numba", {"hotrow.simulation"}),
    ],
)
def test_a_library_stays_in_its_rooms(library: str, rooms: set[str]) -> None:
    """Each large library is imported in one part of the project only."""
    users = {room_of(name_of(path)) for path in sources() if _uses(path, library)}

    assert users
    assert users <= rooms


@pytest.mark.parametrize(
    ("library", "module"), [("matplotlib", "png"), ("plotly", "html"), ("jinja2", "html")]
)
def test_a_library_that_draws_is_known_to_one_module(library: str, module: str) -> None:
    """The other modules of `reports` have values only."""
    users = [name_of(path) for path in sources() if _uses(path, library)]

    assert users == [f"reports.output.{module}"]


def test_analysis_reads_a_run_without_a_database_and_a_load_tool() -> None:
    """So a run can be analysed on a machine that has neither."""
    assert _imported("analysis.summarise") & {"locust", "psycopg", "numpy"} == {"numpy"}


def test_importing_load_imports_nothing_that_draws() -> None:
    """A worker draws nothing and must start fast."""
    modules = _imported("hotrow.load")

    assert modules & {"matplotlib", "plotly", "scipy", "boto3", "sqlglot", "rich", "locust"} == {"locust"}


def test_scenarios_know_only_what_a_user_s_scenario_may_know(house: House) -> None:
    """A scenario may import `hotrow.scenario`, `hotrow.knob` and `hotrow.errors`."""
    ours = {
        other
        for module, imported in house.modules.items()
        if room_of(module) == "scenarios"
        for other in imported
        if not other.startswith("scenarios")
    }

    assert ours == {"hotrow.scenario", "hotrow.errors", "hotrow.knob"}


def test_no_two_modules_have_one_name(house: House) -> None:
    """A name says which module is meant; only commands are named as what they do, and sessions as such."""
    names = Counter(
        module.rpartition(".")[2]
        for module in house.modules
        if module.startswith(("hotrow.", "analysis.", "reports.")) and room_of(module) != "hotrow.commands"
    )

    assert len(names) > 100
    assert {name for name, count in names.items() if count > 1} <= {"sessions"}


def _imported(module: str) -> set[str]:
    """The modules that are loaded after this one was imported."""
    words = [sys.executable, "-c", f"import {module}, sys; print(*sys.modules)"]
    return set(subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())


def _uses(path: Path, library: str) -> bool:
    return any(name.split(".")[0] == library for name in imports(path))
