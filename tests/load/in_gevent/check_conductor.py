"""The conductor: the cell, the verdict and the exit code for every way in which a run can end."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import gevent
import pytest

from hotrow.errors import TargetError
from hotrow.load import cell_course
from hotrow.load.board import TO_MASTER, TO_WORKERS
from hotrow.load.workers import Trouble
from hotrow.run.ledger import read_events
from tests.load.in_gevent.check_workers import NO_PROCESS, Master, state
from tests.load.in_gevent.fakes import FakeTables, Led, Runner, cells, open_run, until

if TYPE_CHECKING:
    from pathlib import Path

    from hotrow.load.current_run import CurrentRun


@pytest.fixture(autouse=True)
def _read_no_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty ledger, because there are no workers and no files."""
    import numpy as np  # noqa: PLC0415 - only here

    from hotrow.attempt.record import ATTEMPT  # noqa: PLC0415 - the same

    monkeypatch.setattr(cell_course, "read_attempts", lambda _run, _workers: np.empty(0, ATTEMPT))


class Worker(Runner):
    """A runner whose only worker answers every message at once; `overrides` change the answers."""

    def __init__(self) -> None:
        super().__init__()
        self.overrides: dict[str, Any] = {}

    def send_message(self, kind: str, data: dict[str, Any], client_id: str | None = None) -> None:
        super().send_message(kind, data, client_id)
        if TO_MASTER in self.listeners:
            ready = {"ready": 2, "records": 0, "ended": data["end"], "sent_ns": data["sent_ns"]}
            self.hear(TO_MASTER, "local", **state(0, data["sequence"], **{**ready, **self.overrides}))


def led(run: CurrentRun, runner: Runner | None = None, **options: Any) -> Led:
    """A conductor whose run has begun. When the runner quits, it stops and finishes, as under Locust."""
    runner = runner or Worker()
    conductor = Led(run, runner, **options)

    def end() -> None:
        conductor.stop()
        conductor.finish()

    runner.on_quit = end
    conductor.begin()
    return conductor


def tables_of(run: CurrentRun) -> FakeTables:
    assert isinstance(run.tables, FakeTables)
    return run.tables


def events(run: CurrentRun, kind: str) -> list[dict[str, Any]]:
    return [event for event in read_events(run.directory).objects if event["event"] == kind]


def code(conductor: Led) -> int | None:
    exit_code: int | None = conductor.environment.process_exit_code
    return exit_code


def ended(conductor: Led) -> None:
    """Wait until the run has ended and its exit code is set."""
    until(lambda: conductor._run is None and not conductor._finishing, "ended")


def test_a_sweep_walks_its_cells_and_ends_well(tmp_path: Path) -> None:
    """Each cell has an interval and a verdict with its counts; the exit code is the report's."""
    run = open_run(tmp_path, cells(0.01, repeats=2))
    conductor = led(run, shape=object())
    until(lambda: conductor.wanted_users is None, "walked")
    conductor._runner.quit()

    assert code(conductor) == 0
    assert [event["cell"] for event in events(run, "verdict")] == [0, 1]
    assert events(run, "verdict")[0]["records"] == {"0": 0}
    assert events(run, "verdict")[0]["acknowledged"] == {"committed": 0, "unknown": 0}
    assert all("interrupted" not in event for event in events(run, "window"))
    assert [lost for _, _, lost in tables_of(run).judged] == [False, False]
    assert tables_of(run).read == [("before", 0), ("after", 0), ("before", 1), ("after", 1)]
    assert tables_of(run).dropped == 1
    kinds = [event["event"] for event in read_events(run.directory).objects]
    assert [kinds.index("clock"), kinds[-2]] == [0, "clock"]  # at the start, and before the seal


def test_a_step_of_the_wall_clock_moves_no_interval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock steps an hour forward in the middle of a cell; the interval does not get longer."""
    run = open_run(tmp_path, cells(0.05))
    real = time.time_ns
    conductor = led(run, shape=object())
    until(lambda: bool(events(run, "begin")), "begun")
    monkeypatch.setattr(time, "time_ns", lambda: real() + 3_600_000_000_000)
    until(lambda: conductor.wanted_users is None, "walked")
    conductor._runner.quit()

    (interval,) = events(run, "window")
    assert 0.04e9 < interval["end_ns"] - interval["begin_ns"] < 60e9


@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_cuts_the_open_cell_short(tmp_path: Path, signal_name: str) -> None:
    """The cell is judged and marked, the report is drawn, and the run is not usable."""
    run = open_run(tmp_path, cells(600.0))
    conductor = led(run, shape=object())
    until(lambda: bool(events(run, "begin")), "begun")

    conductor.interrupt(signal_name)
    ended(conductor)

    (interval,) = events(run, "window")
    assert signal_name in interval["interrupted"]
    assert len(events(run, "verdict")) == 1
    assert conductor.reported == [tmp_path]
    assert code(conductor) == 4


def test_without_a_time_limit_a_signal_is_the_regular_end(tmp_path: Path) -> None:
    """`locust` without -t runs until a user ends it, so nothing was interrupted."""
    run = open_run(tmp_path, cells())
    conductor = led(run)
    until(lambda: run.open_cell is not None, "open")

    conductor.interrupt("SIGINT")
    ended(conductor)

    assert "interrupted" not in events(run, "window")[0]
    assert code(conductor) == 0


def test_with_a_time_limit_a_signal_before_it_is_an_interruption(tmp_path: Path) -> None:
    """The run ended earlier than -t asked for."""
    run = open_run(tmp_path, cells())
    conductor = led(run, run_time_s=600.0)
    until(lambda: run.open_cell is not None, "open")

    conductor.interrupt("SIGTERM")
    ended(conductor)

    assert "SIGTERM" in events(run, "window")[0]["interrupted"]
    assert code(conductor) == 4


def test_the_time_limit_counts_from_the_open_cell(tmp_path: Path) -> None:
    """The run ends when the limit is reached, and does not count as interrupted."""
    run = open_run(tmp_path, cells())
    conductor = led(run, run_time_s=0.01)

    ended(conductor)

    assert "interrupted" not in events(run, "window")[0]
    assert code(conductor) == 0


def test_a_signal_before_the_load_ends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the step that was interrupted, the run ends, and the exit code is 4."""
    runner = Worker()
    conductor = Led(open_run(tmp_path, cells()), runner)
    stuck = gevent.event.Event()

    def fill() -> Any:
        conductor.maker.doing = "filling the tables"
        stuck.wait()

    conductor.maker.make = fill  # type: ignore[method-assign]
    beginning = gevent.spawn(conductor.begin)
    until(lambda: conductor.maker.doing == "filling the tables", "filling")

    conductor.interrupt("SIGTERM")
    beginning.join(20)
    until(lambda: runner.quits == 1, "quit")

    assert beginning.dead
    assert "SIGTERM while filling the tables" in capsys.readouterr().err
    assert code(conductor) == 4


def test_an_error_caused_by_a_signal_before_the_load_is_not_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A session that is ended in mid-statement may raise an error; the exit code stays 4."""
    conductor = Led(open_run(tmp_path, cells()), Worker())

    conductor.interrupt("SIGTERM")
    conductor.abandon(TargetError("the connection closed without an answer"))

    assert code(conductor) == 4
    assert "without an answer" not in capsys.readouterr().err


def test_a_signal_while_the_workers_prepare_ends_it_before_the_load(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing was measured: the tables are dropped, no report is drawn, and the exit code is 4."""
    preparing = gevent.event.Event()

    class Slow(Worker):
        def send_message(self, kind: str, data: dict[str, Any], client_id: str | None = None) -> None:
            del kind, client_id
            if data.get("setup") is not None:
                preparing.set()
                gevent.sleep(60)

    run = open_run(tmp_path, cells(600.0))
    conductor = Led(run, Slow(), shape=object())
    beginning = gevent.spawn(conductor.begin)
    assert preparing.wait(20)

    conductor.interrupt("SIGINT")
    beginning.join(20)

    assert "SIGINT while preparing the workers: nothing was measured" in capsys.readouterr().err
    assert (code(conductor), tables_of(run).dropped, conductor.reported) == (4, 1, [])


def test_a_walker_that_breaks_ends_the_run_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error is reported in one line, the cell is judged and a report is drawn."""
    run = open_run(tmp_path, cells(600.0))
    conductor = Led(run, runner := Worker(), shape=object())
    runner.on_quit = lambda: (conductor.stop(), conductor.finish())  # type: ignore[func-returns-value]

    def break_it(run: CurrentRun) -> None:
        del run
        raise ZeroDivisionError

    conductor._course.warm_up = break_it  # type: ignore[method-assign]
    conductor.begin()
    ended(conductor)

    assert code(conductor) == 2
    assert conductor.reported == [tmp_path]
    assert len(events(run, "verdict")) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if "ZeroDivisionError" in line]
    assert len(lines) == 1


def test_a_report_that_breaks_ends_with_2(tmp_path: Path) -> None:
    """The tables are dropped nevertheless, and the run ends."""
    run = open_run(tmp_path, cells())
    conductor = led(run)

    def break_it(run: CurrentRun) -> None:
        del run
        raise OSError(28, "No space left on device")

    conductor._report = break_it  # type: ignore[method-assign]
    conductor.interrupt("SIGINT")
    ended(conductor)

    assert code(conductor) == 2
    assert tables_of(run).dropped == 1


def test_one_cause_is_reported_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If the directory is removed in mid-run, events, records and report fail; one line reports it."""
    directory = tmp_path / "run"
    directory.mkdir()
    run = open_run(directory, cells(0.3))
    conductor = led(run, shape=object())

    def report(run: CurrentRun) -> None:
        (run.directory / "summary.json").write_text("")

    conductor._report = report  # type: ignore[method-assign]
    until(lambda: bool(events(run, "begin")), "begun")
    (directory / "events.jsonl").unlink()
    directory.rmdir()
    ended(conductor)

    lines = capsys.readouterr().err.splitlines()
    assert code(conductor) == 2
    assert len(lines) == 1
    assert "No such file or directory" in lines[0]


def test_a_database_that_goes_away_leaves_the_cell_unjudged(tmp_path: Path) -> None:
    """This is neither wrong data nor an error of hotrow, so the exit code is 4."""
    run = open_run(tmp_path, cells(0.01, repeats=2))
    tables_of(run).error = TargetError("cannot read the tables: gone")
    conductor = led(run, shape=object())
    ended(conductor)

    assert code(conductor) == 4
    assert events(run, "verdict") == []
    assert conductor.reported == [tmp_path]


def test_attempts_that_do_not_end_leave_the_cell_unjudged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A COMMIT that is under way may still succeed or fail, so the cell is not judged."""
    monkeypatch.setattr(cell_course, "DRAIN_TIMEOUT_S", 0.05)
    runner = Worker()
    run = open_run(tmp_path, cells(0.01))
    runner.overrides = {"drained": False}
    conductor = led(run, runner, shape=object())
    ended(conductor)

    assert code(conductor) == 4
    assert tables_of(run).judged == []


def test_a_lost_worker_is_recorded_and_the_cell_undecided(tmp_path: Path) -> None:
    """The cell closes at once, and the events have the lost worker and its cell."""
    runner = Master(a="running", b="running")
    run = open_run(tmp_path, cells(600.0))
    conductor = led(run, runner, shape=object())
    for node, worker in (("a", 0), ("b", 1)):
        runner.hear(TO_MASTER, node, **state(worker, 1))
    until(lambda: bool(events(run, "begin")), "begun")

    runner.hear(TO_MASTER, "b", **state(1, 2, pid=NO_PROCESS))
    until(lambda: len(runner.sent[TO_WORKERS]) == 3, "closed")
    runner.hear(TO_MASTER, "a", **state(0, 3, records=0))
    until(lambda: bool(events(run, "verdict")), "judged")
    runner.hear(TO_MASTER, "a", **state(0, 4, records=0, ended=True))
    ended(conductor)

    assert [(event["worker"], event["cell"]) for event in events(run, "lost")] == [(1, 0)]
    assert [lost for _, _, lost in tables_of(run).judged] == [True]
    assert code(conductor) == 4


def test_written_attempts_that_cannot_be_read_are_lost(tmp_path: Path) -> None:
    """A worker wrote five, but its file cannot be read. The check must not expect exact counts."""
    runner = Worker()
    runner.overrides = {"records": 5}
    run = open_run(tmp_path, cells(0.01))
    conductor = led(run, runner, shape=object())
    until(lambda: conductor.wanted_users is None, "walked")
    runner.quit()

    assert [lost for _, _, lost in tables_of(run).judged] == [True]
    assert "cannot be read" in events(run, "lost")[0]["reason"]


def test_the_worst_of_two_exit_codes_stands(tmp_path: Path) -> None:
    """A violated invariant outranks an interruption, and an error of hotrow outranks both."""
    codes = []
    for exit_code, trouble in ((3, 4), (0, 4), (3, 2), (1, 4)):
        directory = tmp_path / f"{exit_code}{trouble}"
        directory.mkdir()
        conductor = led(open_run(directory, cells(600.0)), shape=object())
        conductor.exit_code = exit_code
        conductor._end_early(Trouble("a trouble", trouble))
        ended(conductor)
        codes.append(code(conductor))

    assert codes == [3, 4, 2, 1]


def test_with_a_page_a_signal_after_a_run_ends_the_process(tmp_path: Path) -> None:
    """The run ended by its time limit, and the page waits for the next one: no report is being drawn."""
    conductor = led(open_run(tmp_path, cells()), run_time_s=0.01)
    pages_stopped: list[bool] = []
    conductor.environment.web_ui = SimpleNamespace(stop=lambda: pages_stopped.append(True))
    conductor.environment.parsed_options.headless = False
    ended(conductor)

    conductor.interrupt("SIGINT")
    until(lambda: bool(pages_stopped), "stopped")

    assert code(conductor) == 0


def test_with_a_page_a_signal_while_the_report_is_drawn_ends_the_process_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report is drawn to its end; the page, which would wait for another run, is left."""
    conductor = led(open_run(tmp_path, cells()))
    pages_stopped: list[list[Path]] = []
    conductor.environment.web_ui = SimpleNamespace(stop=lambda: pages_stopped.append(conductor.reported))
    conductor.environment.parsed_options.headless = False
    report = conductor._report

    def interrupted_report(run: CurrentRun) -> None:
        conductor.interrupt("SIGINT")
        report(run)

    monkeypatch.setattr(conductor, "_report", interrupted_report)
    conductor.stop()
    conductor.finish()
    until(lambda: bool(pages_stopped), "stopped")

    assert pages_stopped == [[tmp_path]]
    assert code(conductor) == 0
