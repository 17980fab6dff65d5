"""An edit of the run on the web page: the open cell is closed and judged, and the next one opens."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from hotrow.errors import HotrowError, UsageError
from hotrow.load import cell_course
from hotrow.load.board import TO_WORKERS
from hotrow.load.edit import edited_cell
from tests.load.in_gevent.check_conductor import Worker, events, led, tables_of
from tests.load.in_gevent.fakes import Led, cells, open_run, until

if TYPE_CHECKING:
    from pathlib import Path

    from hotrow.load.current_run import CurrentRun


@pytest.fixture(autouse=True)
def _read_no_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np  # noqa: PLC0415 - only here

    from hotrow.attempt.record import ATTEMPT  # noqa: PLC0415 - the same

    monkeypatch.setattr(cell_course, "read_attempts", lambda _run, _workers: np.empty(0, ATTEMPT))


def measuring(run: CurrentRun) -> Led:
    """A conductor whose only cell is being measured, without a shape."""
    conductor = led(run)
    conductor._on_spawning_complete(user_count=2)
    until(lambda: run.begin_ns is not None, "begun")
    return conductor


def wish(conductor: Led, run: CurrentRun, options: dict[str, Any] | None = None, **changes: Any) -> None:
    """Let the options describe the first cell with these changes."""
    request: Any = SimpleNamespace(options={**run.request.options, **(options or {})}, no_report=False)
    conductor.maker.wish = (request, replace(run.cells[0], **changes))


def test_other_users_open_another_cell(tmp_path: Path) -> None:
    """Nothing measured is lost: the first cell has its interval and its verdict, and so has the second."""
    run = open_run(tmp_path, cells())
    conductor = measuring(run)
    wish(conductor, run, users=3)
    assert isinstance(conductor._runner, Worker)
    conductor._runner.overrides["ready"] = 3

    assert conductor.edit() is True
    opened = conductor._runner.sent[TO_WORKERS][-1]
    conductor._on_spawning_complete(user_count=3)
    until(lambda: run.begin_ns is not None, "begun again")
    conductor._runner.quit()

    assert (opened["open"], opened["added"][0]["users"], opened["added"][1]) == (1, 3, "s")
    assert [event["added"]["id"] for event in events(run, "added")] == [1]
    assert [(event["cell"], event["users"]) for event in events(run, "window")] == [(0, 2), (1, 3)]
    assert all(event["end_ns"] > event["begin_ns"] for event in events(run, "window"))
    assert [event["cell"] for event in events(run, "verdict")] == [0, 1]
    assert tables_of(run).like == [0]


def test_with_the_same_users_the_next_cell_begins_at_once(tmp_path: Path) -> None:
    """Locust starts and stops nobody, so it reports nothing."""
    run = open_run(tmp_path, cells())
    conductor = measuring(run)
    wish(conductor, run, skew="uniform")

    assert conductor.edit() is True
    until(lambda: len(events(run, "begin")) == 2, "begun again")

    assert events(run, "begin")[1]["cell"] == 1


def test_the_same_options_change_nothing(tmp_path: Path) -> None:
    """The interval goes on."""
    run = open_run(tmp_path, cells())
    conductor = measuring(run)
    wish(conductor, run)

    assert conductor.edit() is False
    assert events(run, "window") == []


def test_an_option_of_the_whole_run_is_refused(tmp_path: Path) -> None:
    """Its name, its value and the way out are in one line; the cell goes on."""
    run = open_run(tmp_path, cells())
    conductor = measuring(run)
    wish(conductor, run, {"keys": "11"}, keys=11, users=5)

    with pytest.raises(UsageError, match=r"--keys 11: cannot change during a run \(it is 10\)"):
        conductor.edit()

    assert (len(run.cells), events(run, "window")) == (1, [])


def test_a_sweep_is_not_edited(tmp_path: Path) -> None:
    """Its cells are planned."""
    run = open_run(tmp_path, cells(600.0))
    conductor = led(run, shape=object())
    wish(conductor, run, users=3)

    with pytest.raises(UsageError, match="a sweep cannot be edited"):
        conductor.edit()


def test_a_point_that_comes_back_is_a_repeat(tmp_path: Path) -> None:
    """Cells of a run differ at least in the number of their repeat."""
    run = open_run(tmp_path, cells())
    two = run.cells[0]
    three = replace(two, id=1, users=3)
    run.cells = (two, three)

    again = edited_cell(run, run.request, two)

    assert again == replace(two, id=2, repeat=2)
    assert edited_cell(run, run.request, three) is None


def test_a_run_is_prepared_once(tmp_path: Path) -> None:
    """What the form prepared is what begins."""
    run = open_run(tmp_path, cells())
    conductor = Led(run, Worker())

    conductor.prepare(7.0)
    state = conductor.state
    conductor.begin()

    assert (conductor.maker.made, conductor._run, state) == (1, run, ("idle", ""))
    assert conductor.state == ("running", "")


def test_a_prepared_run_that_never_begins_leaves_no_tables(tmp_path: Path) -> None:
    """Locust may be stopped in between."""
    run = open_run(tmp_path, cells())
    conductor = Led(run, Worker())
    conductor.prepare(None)

    conductor.finish()

    assert tables_of(run).dropped == 1


def test_a_second_run_waits_for_the_end_of_the_first(tmp_path: Path) -> None:
    """Without workers no run is prepared either."""
    conductor = measuring(open_run(tmp_path, cells()))
    idle = Led(open_run(tmp_path, cells()), Worker())
    idle._runner.worker_count = 0

    with pytest.raises(HotrowError, match="another run is running"):
        conductor.prepare(None)
    with pytest.raises(HotrowError, match="no worker process"):
        idle.prepare(None)
