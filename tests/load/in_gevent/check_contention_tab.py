"""The Contention tab: who sends digests and when, what is served, and to whom."""

from __future__ import annotations

import json
import os
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from flask_login import UserMixin
from locust.env import Environment

from hotrow.attempt.record import Outcome
from hotrow.load.board import TO_WORKERS, Board
from hotrow.load.live.digest import Digester
from hotrow.load.live.history import History
from hotrow.load.live.routes import serve
from hotrow.load.live.sending import DIGEST, INTERVAL
from hotrow.load.live.snapshot import seconds_left, snapshot
from hotrow.load.live.spectator import Spectator
from hotrow.load.web.guard import guard
from hotrow.load.workers import Workers
from hotrow.run.clock import Offset, RunClock
from hotrow.run.ledger import read_ledger
from tests.load.in_gevent.check_board import ATTEMPT, message
from tests.load.in_gevent.fakes import Led, Runner, cells, open_run, setup_message, until

if TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient

    from hotrow.load.current_run import CurrentRun

FILES = ("", "page.css", "page.js", "tab.js", "plotly.js", "data")


@pytest.fixture(autouse=True)
def _no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locust's page reads this process's command line again."""
    monkeypatch.setattr(sys, "argv", ["locust"])


def watched_board(runner: Runner, directory: Path) -> Board:
    """A board in a watched run of one cell, which is open and measured."""
    board = Board(runner)  # type: ignore[arg-type]  # the part of a runner that a board uses
    setup = {**setup_message(directory, cells()), "watched": True}
    runner.send_message(TO_WORKERS, message(1, setup=setup))
    runner.send_message(TO_WORKERS, message(2, open=0))
    runner.send_message(INTERVAL, {"cell": 0, "number": 1})
    return board


def append(board: Board, count: int, **changes: Any) -> None:
    assert board.ledger is not None
    for number in range(count):
        started_ns = board._clock.perf_ns + board._clock.now_ns() - board._clock.wall_ns
        facts = {**ATTEMPT, "scheduled_ns": started_ns, "started_ns": started_ns, "body_ns": 1e6}
        board.ledger.append(**{**facts, "transaction": number, **changes})


def sent_attempts(runner: Runner) -> float:
    """How many attempts the digests cover that were sent."""
    from hotrow.load.live.digest import row_from_message  # noqa: PLC0415 - only here

    rows = [row_from_message(row) for digest in runner.sent[DIGEST] for row in digest["rows"]]
    return sum(row.sample["attempts"] for row in rows)


def test_a_drained_board_has_sent_every_attempt(tmp_path: Path) -> None:
    """So the master's total of a cell is complete when the cell is judged."""
    runner = Runner()
    board = watched_board(runner, tmp_path)
    append(board, 30)

    runner.send_message(TO_WORKERS, message(3))
    until(lambda: bool(runner.sent["hotrow_state"]) and runner.sent["hotrow_state"][-1]["drained"], "drained")

    assert sent_attempts(runner) == 30


def test_attempts_that_wait_for_a_full_disk_are_digested_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stay in memory, and later flushes meet them again."""
    runner = Runner()
    board = watched_board(runner, tmp_path)
    write = os.write

    def refuse(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", refuse)
    append(board, 10)
    refused = board._flush()
    append(board, 5)
    monkeypatch.setattr(os, "write", write)

    assert (refused, board._flush()) == (False, True)
    assert sent_attempts(runner) == 15


def test_the_last_attempts_are_sent_when_the_board_closes(tmp_path: Path) -> None:
    """A process that is told to end sends them too."""
    runner = Runner()
    board = watched_board(runner, tmp_path)
    append(board, 3)

    board.close()

    assert sent_attempts(runner) == 3


def test_a_fault_in_a_digest_does_not_touch_the_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tab shows no more of the run, which says so once and goes on."""
    runner = Runner()
    board = watched_board(runner, tmp_path)
    monkeypatch.setattr(Digester, "digest", lambda *_: 1 / 0)

    append(board, 3)
    flushed = board._flush()
    append(board, 3)
    board.close()

    assert flushed
    assert capsys.readouterr().err.count("the Contention tab shows nothing more of this run") == 1
    assert len(read_ledger(tmp_path).attempts) == 6


def test_the_clock_of_a_worker_that_is_ahead_is_corrected(run: CurrentRun) -> None:
    """Its attempts count in the seconds of this process."""
    spectator, board = watch(run, Runner())
    assert spectator.watched is not None
    spectator.watched.workers._offsets[0] = Offset(0, 3_600_000_000_000, 1_000)
    board._clock = RunClock(board._clock.wall_ns + 3_600_000_000_000, board._clock.perf_ns)
    assert board.ledger is not None
    board._digests.begin(board.ledger, board._clock, 0, at_commit=True)
    append(board, 5)
    board._flush()

    spectator.cell_closed()

    (row,) = [row for digest in board._runner.sent[DIGEST] for row in digest["rows"]]  # type: ignore[attr-defined]
    assert row["second"] > spectator.now_s() + 3_500
    assert spectator.watched.history._complete <= spectator.now_s() + 1


def test_a_run_that_nobody_can_watch_sends_nothing(tmp_path: Path) -> None:
    """A run without a web UI pays nothing for the tab."""
    runner = Runner()
    board = Board(runner)  # type: ignore[arg-type]  # the same
    runner.send_message(TO_WORKERS, message(1, setup=setup_message(tmp_path, cells())))
    append(board, 3)

    board.close()

    assert runner.sent[DIGEST] == []


@pytest.fixture
def run(tmp_path: Path) -> CurrentRun:
    """A run of two cells of the counter, one hot row each."""
    made = open_run(tmp_path, cells(5.0, repeats=2))
    made.target = {"label": "local", "conflicts": "commit"}
    return made


def watch(run: CurrentRun, runner: Runner) -> tuple[Spectator, Board]:
    """A spectator of a run whose first cell is open, and the board that sends to it."""
    spectator = Spectator(runner, is_on=True)
    spectator.run_begun(run, Workers(runner), None)
    board = watched_board(runner, run.directory)
    spectator.cell_opened(run.cells[0], 2)
    return spectator, board


def test_a_snapshot_shows_the_cell_and_its_figures(run: CurrentRun) -> None:
    """From the digests of a board to the figures on the page; errors are counted too."""
    spectator, board = watch(run, Runner())
    spectator.interval_begun(run.cells[0], 2, run.clock.now_ns())
    append(board, 60)
    append(board, 30, outcome=Outcome.CONFLICT, sqlstate="40001", flags=0, key=3)
    append(board, 10, outcome=Outcome.ERROR, sqlstate="23505")
    board._flush()
    spectator.cell_ends(run.cells[0], run.clock.now_ns() - 2_000_000_000, run.clock.now_ns())
    spectator.cell_closed()

    shown = snapshot(spectator)

    assert shown["whole"]["conflict_rate"] == 0.3
    assert shown["whole"]["goodput_per_s"] == pytest.approx(30)
    (hot,) = shown["keys"]
    assert (hot["key"], hot["conflicts"], hot["whole"]) == (3, 30, 1.0)
    assert (shown["attempts"], shown["errors"], shown["state"]) == (100, 10, "closing")
    assert dict(shown["facts"])["skew"] == "one hot row"
    assert dict(shown["facts"])["cell"] == "1 of 2"
    json.dumps(shown, allow_nan=False)


def test_a_page_is_sent_only_the_points_that_it_does_not_have(run: CurrentRun) -> None:
    """Another run, or points that were joined, are sent whole."""
    spectator, _ = watch(run, Runner())
    assert spectator.watched is not None
    history = spectator.watched.history
    second = int(history.spans[0].opened_s) + 1
    history.hear(0, second + 3, [])
    name = run.directory.name

    whole = snapshot(spectator)
    rest = snapshot(spectator, (name, 0, len(whole["points"]) - 1))
    other = snapshot(spectator, ("another run", 0, 2))

    assert len(whole["points"]) >= 3
    assert (rest["points"], rest["first"]) == (whole["points"][-1:], len(whole["points"]) - 1)
    assert (other["points"], other["first"]) == (whole["points"], 0)


def test_the_time_left_is_that_of_the_plan(run: CurrentRun) -> None:
    """Of the cell, and of all cells after it; a run that a person ends has none."""
    spectator, _ = watch(run, Runner())
    assert spectator.watched is not None
    span = spectator.watched.history.spans[0]
    endless = cells()[0]

    assert seconds_left(spectator.watched, run.cells[0], span, span.opened_s + 1) == {"cell": 4.0, "run": 9.0}
    assert seconds_left(spectator.watched, endless, span, span.opened_s)["cell"] is None
    spectator.watched.run_time_s = 60.0
    assert seconds_left(spectator.watched, endless, span, span.opened_s + 20)["cell"] == 40.0


def test_the_conductor_tells_the_spectator_of_every_step(run: CurrentRun) -> None:
    """The tab shows each cell from its opening to its end, and that the run has ended."""
    seen: list[str] = []
    steps = ("run_begun", "cell_opened", "interval_begun", "cell_ends", "cell_closed", "run_ended")
    spectator = SimpleNamespace(
        **{name: lambda *_, name=name, **__: seen.append(name) for name in steps}  # type: ignore[misc]
    )
    from tests.load.in_gevent.check_conductor import Worker  # noqa: PLC0415 - only here

    conductor = Led(run, Worker(), spectator=spectator)
    conductor.begin()
    conductor._on_spawning_complete(user_count=2)
    until(lambda: "interval_begun" in seen, "measured")
    conductor.stop()
    conductor.finish()

    assert seen == list(steps)


def test_a_fault_of_the_spectator_does_not_touch_the_run(
    run: CurrentRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tab shows no more of the run, and the run goes on."""
    spectator, _ = watch(run, Runner())
    monkeypatch.setattr(History, "end_cell", lambda *_: 1 / 0)

    spectator.cell_ends(run.cells[0], 0, 1)
    spectator.cell_closed()
    spectator.run_ended()

    assert snapshot(spectator) == {"state": "none"}
    assert capsys.readouterr().err.count("the Contention tab shows nothing more of this run") == 1


def pages(spectator: Spectator, *, login: bool = False, base: str | None = None) -> FlaskClient:
    """A client of a guarded web page with the tab."""
    environment = Environment(user_classes=[], host="postgresql://ann:s3cret-word@db/shop")
    environment.create_local_runner()
    web_ui = environment.create_web_ui(
        host="127.0.0.1", port=0, delayed_start=True, web_login=login, web_base_path=base
    )
    guard(environment)
    serve(web_ui, spectator)
    assert web_ui.app is not None
    if login:
        web_ui.login_manager.user_loader(lambda _: UserMixin())
        web_ui.app.secret_key = "x"  # noqa: S105 - nobody's
    return web_ui.app.test_client()


def test_the_page_is_served_and_may_be_framed_by_this_page_only() -> None:
    """Locust's page has the tab and the script that shows it. No other page may frame or read ours."""
    client = pages(Spectator(Runner(), is_on=True))

    index = client.get("/")
    answers = [client.get(f"/contention/{name}") for name in FILES]
    foreign = client.get("/contention/data", headers={"Sec-Fetch-Site": "cross-site"})

    assert '{"key": "contention", "title": "Contention"}' in index.text
    assert '<script src="./contention/tab.js"></script></body>' in index.text
    assert index.headers["X-Frame-Options"] == "DENY"
    assert [answer.status_code for answer in answers] == [200] * len(FILES)
    assert {answer.headers["X-Frame-Options"] for answer in answers[:-1]} == {"SAMEORIGIN"}
    assert "script-src 'self';" in answers[0].headers["Content-Security-Policy"]
    assert answers[-1].json == {"state": "none"}
    assert foreign.status_code == 403
    assert client.get("/contention/nothing.js").status_code == 404


def test_the_tab_is_below_the_base_path_of_locust_s_page() -> None:
    """With `--web-base-path` all addresses of the page begin with it."""
    client = pages(Spectator(Runner(), is_on=True), base="/lt")

    assert "contention/tab.js" in client.get("/lt/").text
    assert [client.get(f"/lt/contention/{name}").status_code for name in FILES] == [200] * len(FILES)


def test_a_client_that_has_not_logged_in_sees_nothing() -> None:
    """Neither the page nor its figures."""
    client = pages(Spectator(Runner(), is_on=True), login=True)

    assert [client.get(f"/contention/{name}").status_code for name in FILES] == [302] * len(FILES)


def test_no_password_is_served(run: CurrentRun) -> None:
    """The answer passes through the same filter as Locust's pages."""
    run.target = {"label": "postgresql://ann:s3cret-word@db/shop", "conflicts": "locks"}
    runner = Runner()
    spectator, _ = watch(run, runner)

    text = pages(spectator).get("/contention/data").text

    assert "s3cret-word" not in text
    assert "***" in text
