"""What hotrow adds to Locust's page: its script, the state of the run, and files of runs that have ended."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from flask_login import UserMixin
from locust import argument_parser
from locust.env import Environment

from analysis.gates import Gates
from hotrow.errors import TargetError
from hotrow.finish import finish_run
from hotrow.load.current_run import EndedRun
from hotrow.load.notices import Notices
from hotrow.load.web.guard import guard
from hotrow.load.web.page import add_page
from tests.support.run_files import write_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flask.testing import FlaskClient

Shown = Any


@pytest.fixture
def shown() -> Shown:
    """A conductor that has done nothing yet."""
    return SimpleNamespace(notices=Notices(), ended=[], state=("idle", ""))


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch, shown: Shown) -> Callable[..., FlaskClient]:
    """Makes a client of the page; no port is opened."""

    def make(*, login: bool = False, base: str = "", host: str = "local") -> FlaskClient:
        monkeypatch.setattr(sys, "argv", ["locust"])
        environment = Environment(host=host, parsed_options=argument_parser.parse_options())
        environment.create_local_runner()
        web_ui = environment.create_web_ui(
            host="127.0.0.1", port=0, delayed_start=True, web_login=login, web_base_path=base or None
        )
        guard(environment)
        add_page(environment, shown)
        assert web_ui.app is not None
        web_ui.app.secret_key = "x"  # noqa: S105 - of this test
        if login:
            web_ui.login_manager.user_loader(lambda _: UserMixin())
        return web_ui.app.test_client()

    return make


@pytest.fixture
def ended(tmp_path: Path, shown: Shown) -> EndedRun:
    """A run that has ended, with a failed gate, a summary and one picture."""
    run = write_run(tmp_path / "20261130T1-counter")
    finish_run(run, Gates(max_conflict_rate=0.01), no_report=True)
    (run / "goodput.png").write_bytes(b"picture")
    (run / "report.html").write_text("<p>report</p>")
    shown.ended = [EndedRun(run, 1)]
    one: EndedRun = shown.ended[0]
    return one


def status(client: FlaskClient, path: str) -> int:
    """The status of an answer, whose file is closed."""
    with client.get(path) as answer:
        return answer.status_code


def test_the_script_is_in_locust_s_page(open_page: Callable[..., FlaskClient]) -> None:
    """It is served by this process, so that the page works offline."""
    client = open_page()

    assert "./hotrow/page.js" in client.get("/").get_data(as_text=True)
    assert [status(client, f"/hotrow/page.{kind}") for kind in ("js", "css", "py")] == [200, 200, 404]


def test_before_a_run_there_is_nothing_to_show(open_page: Callable[..., FlaskClient]) -> None:
    """Its files are not there either."""
    client = open_page()

    assert client.get("/hotrow/state").json == {"phase": "idle", "step": "", "notices": [], "last": None}
    assert status(client, "/hotrow/last/report.html") == 404


def test_the_state_has_the_findings_of_the_last_run(
    open_page: Callable[..., FlaskClient], ended: EndedRun
) -> None:
    """Verdict, headline, gates, warnings and the names of the files, the report first."""
    state = open_page().get("/hotrow/state").json

    assert state is not None
    last = state["last"]
    assert last["name"] == ended.directory.name
    assert (last["exit_code"], last["verdict"]) == (1, "a gate failed")
    assert "conflict" in last["headline"]
    assert last["gates"][0]["verdict"] == "failed"
    assert "--max-conflict-rate 0.01" in last["gates"][0]["text"]
    assert last["files"] == ["report.html", "summary.json", "summary.md", "junit.xml", "goodput.png"]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("report.html", 200),
        ("summary.json", 200),
        ("goodput.png", 200),
        ("attempts-0.bin", 404),
        ("events.jsonl", 404),
        ("run.json", 404),
        ("..%2Fsecret.html", 404),
        ("%2e%2e/secret.html", 404),
    ],
)
def test_only_reports_are_served(
    file: str, expected: int, open_page: Callable[..., FlaskClient], ended: EndedRun
) -> None:
    """Neither records nor files of other folders."""
    (ended.directory.parent / "secret.html").write_text("secret")
    client = open_page()

    assert status(client, f"/hotrow/runs/{ended.directory.name}/{file}") == expected
    assert status(client, f"/hotrow/last/{file}") == expected


def test_runs_of_others_are_not_served(open_page: Callable[..., FlaskClient], ended: EndedRun) -> None:
    """Only those that this server has ended."""
    other = write_run(ended.directory.parent / "other")
    (other / "report.html").write_text("other")

    assert open_page().get("/hotrow/runs/other/report.html").status_code == 404


def test_a_report_can_be_downloaded(open_page: Callable[..., FlaskClient], ended: EndedRun) -> None:
    """Beside Locust's own report, in its tab Download Data."""
    client = open_page()

    assert "./hotrow/last/report.html?download=1" in client.get("/").get_data(as_text=True)
    with client.get("/hotrow/last/report.html?download=1") as answer:
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["X-Frame-Options"] == "DENY"
    assert ended.exit_code == 1


def test_a_run_without_a_summary_is_named(open_page: Callable[..., FlaskClient], ended: EndedRun) -> None:
    """The page still has its files."""
    (ended.directory / "summary.json").write_text(json.dumps({"format": 1}))

    state = open_page().get("/hotrow/state").json

    assert state is not None
    assert state["last"]["verdict"] == "the run has no summary"


@pytest.mark.parametrize("path", ["state", "last/summary.json", "page.js"])
def test_the_login_comes_first(path: str, open_page: Callable[..., FlaskClient], ended: EndedRun) -> None:
    """Nothing is served to a client that has not logged in."""
    answer = open_page(login=True).get(f"/hotrow/{path}")

    assert answer.status_code == 302
    assert ended.directory.name not in answer.get_data(as_text=True)


def test_no_route_shows_the_password(open_page: Callable[..., FlaskClient], shown: Shown) -> None:
    """Neither as the value of the host nor in a line about the run."""
    client = open_page(host="postgresql://ann:s3cret-word@db/shop")
    shown.notices.tell(TargetError("cannot connect to postgresql://ann:s3cret-word@db/shop"))

    texts = [client.get(f"/hotrow/{path}").get_data(as_text=True) for path in ("form", "state")]

    assert "db/shop" in texts[0]
    assert "cannot connect" in texts[1]
    assert "s3cret-word" not in "".join(texts)


def test_another_page_may_not_read(open_page: Callable[..., FlaskClient], ended: EndedRun) -> None:
    """As with Locust's own routes."""
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"}

    assert open_page().get("/hotrow/state", headers=foreign).status_code == 403
    assert ended.exit_code == 1


def test_the_routes_are_below_the_base_path(open_page: Callable[..., FlaskClient]) -> None:
    """Of `--web-base-path`."""
    assert open_page(base="/load").get("/load/hotrow/state").status_code == 200
