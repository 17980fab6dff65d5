"""Locust's start form as hotrow serves it: one run, driven from the page, from a refusal to the report."""

from __future__ import annotations

import signal
import socket
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from hotrow.json_lines import parse_json
from tests.support.browser import NARROW, overflow_px, visit
from tests.support.commands import TIMEOUT_S, finished, only_run, start, summary_of

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.server]

TIMEOUT_MS = 60_000
LOCUSTFILE = """
from hotrow.knob import Choice
from hotrow.load import ContentionUser
from scenarios.counter import Counter

HOSTILE = "<script>document.title='hit'</script>"

class Noted(Counter):
    name = "noted"
    note = Choice(HOSTILE, "a note", [HOSTILE, "plain"])

class NotedUser(ContentionUser):
    scenario = Noted()
"""


@dataclass
class Story:
    """What the page showed, step by step."""

    labels: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    overflow_px: int = -1
    refusal: str = ""
    beside_the_field: str = ""
    state_after_refusal: str = ""
    log: str = ""
    not_changed: str = ""
    row: str = ""
    failures: str = ""
    ended: str = ""
    links: dict[str, int] = field(default_factory=dict)
    title: str = ""
    errors: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("form")


@pytest.fixture(scope="module")
def url(out: Path, hotrow_home: Path) -> Iterator[str]:  # noqa: ARG001 - the stand-in's home
    """The address of a running page; its process ends with the module."""
    file = out / "noted_counter.py"
    file.write_text(LOCUSTFILE)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["-H", "local:rtt=0,commit=0", "--web-port", str(port), "--out", str(out / "runs")]
    process = start("locust", "-f", str(file), *words)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/hotrow/state", process)
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        done = finished(process)
    assert "while starting" not in done.stderr  # a visit of the page leaves the handlers of signals alone


def _wait_for(address: str, process: subprocess.Popen[str]) -> None:
    """Wait until the page answers, or the process has ended. Raises AssertionError."""
    deadline = time.monotonic() + TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=5).close()  # noqa: S310 - our own page
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"no page: {process.poll()}")


def root(page: Page) -> str:
    return page.url.partition("?")[0]


def state(page: Page) -> dict[str, Any]:
    """The page's own view of the run."""
    answer = page.request.get(f"{root(page)}hotrow/state")
    found: dict[str, Any] = parse_json(answer.body())
    return found


def until(page: Page, condition: Callable[[], bool]) -> None:
    """Let the page live until the condition holds. Raises AssertionError after a minute."""
    deadline = time.monotonic() + TIMEOUT_MS / 1e3
    while not condition():
        assert time.monotonic() < deadline, state(page)
        page.wait_for_timeout(100)


def until_requests(page: Page, least: int) -> None:
    """Wait until Locust's table has this many transactions."""
    until(page, lambda: requests(page) >= least)


def requests(page: Page) -> int:
    """The transactions in Locust's table."""
    stats = parse_json(page.request.get(f"{root(page)}stats/requests").body())["stats"]
    return int(stats[-1]["num_requests"])


def submit(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def shown(places: Locator) -> list[str]:
    return [place.inner_text().strip() for place in places.all() if place.is_visible()]


@pytest.fixture(scope="module")
def story(browser: Browser, url: str) -> Story:
    """The whole story, told once."""
    told = Story()
    narrow = visit(browser, url, width=NARROW).page
    narrow.wait_for_selector(".hotrow-group")
    told.overflow_px = overflow_px(narrow)
    narrow.close()
    seen = visit(browser, url)
    page = seen.page
    page.wait_for_selector(".hotrow-group")
    told.groups = shown(page.locator(".hotrow-group"))
    told.labels = shown(page.locator("form label"))
    _refuse(page, told)
    _run(page, told)
    _end(page, told)
    told.errors = seen.errors
    told.title = page.title()
    return told


def _refuse(page: Page, told: Story) -> None:
    page.fill("[name=skew]", "zipf")
    page.fill("[name=warmup]", "0s")
    page.fill("[name=keys]", "50")
    page.fill("[name=userCount]", "2")
    page.fill("[name=spawnRate]", "100")
    submit(page, "Start")
    told.refusal = page.locator("form .MuiAlert-message").inner_text()
    told.beside_the_field = page.locator(".MuiFormControl-root:has([name=skew]) .hotrow-error").inner_text()
    told.state_after_refusal = state(page)["phase"]
    told.log = page.request.get(f"{page.url}logs").text()


def _run(page: Page, told: Story) -> None:
    page.fill("[name=skew]", "hot")
    page.fill("[name=retry]", "none")
    page.fill("[name=maxP99Ms]", "0.001")
    submit(page, "Start")
    until_requests(page, 30)
    answer = page.request.post(
        f"{root(page)}swarm",
        form={"user_count": "2", "spawn_rate": "100", "keys": "51"},
    )
    told.not_changed = answer.json()["message"]
    submit(page, "Edit")
    page.wait_for_selector("[role=dialog] form[data-hotrow], .MuiModal-root form[data-hotrow]")
    page.locator(".MuiModal-root [name=userCount]").fill("4")
    with page.expect_response("**/swarm", timeout=TIMEOUT_MS):
        submit(page, "Update")
    until_requests(page, requests(page) + 50)


def _end(page: Page, told: Story) -> None:
    told.row = page.locator("tbody tr").first.inner_text()
    page.get_by_role("tab", name="Failures").click()
    told.failures = page.locator("main").inner_text()
    submit(page, "Stop")
    until(page, lambda: state(page)["phase"] == "idle")
    box = page.locator("#hotrow-panel .box", has_text="Run ended")
    box.wait_for(timeout=TIMEOUT_MS)
    told.ended = box.inner_text()
    for link in box.locator("a").all():
        address = link.get_attribute("href") or ""
        told.links[address.rpartition("/")[2]] = page.request.get(address).status


def test_the_form_is_grouped_and_spelled_right(story: Story) -> None:
    """In the order of use: the scenario's knobs, contention, load, gates, the rest."""
    assert story.groups == ["Scenario", "Contention", "Load", "Gates", "More"]
    labels = " | ".join(story.labels)
    for label in ("Shards", "Skew", "Keys", "Retry policy", "Users", "Max p99 (ms)", "Max give-up rate"):
        assert label in labels
    assert story.overflow_px == 0


def test_a_wrong_value_is_refused_in_the_form(story: Story) -> None:
    """The line is beside the field, beside the button and in the log; nothing has started."""
    assert story.refusal.startswith("--skew 'zipf' is not a skew; allowed: uniform")
    assert story.beside_the_field == story.refusal
    assert story.state_after_refusal == "idle"
    assert "--skew 'zipf' is not a skew" in story.log


def test_an_edit_makes_two_cells_of_one_run(story: Story, out: Path) -> None:
    """Skew and policy are those of the form; what cannot change is refused; both cells are in the report."""
    assert story.not_changed == "--keys 51: cannot change during a run (it is 50); stop the run first"
    cells = summary_of(only_run(out / "runs"))["cells"]
    assert [(cell["users"], cell["skew"], cell["retry"], cell["keys"]) for cell in cells] == [
        (2, "hot", "none", 50),
        (4, "hot", "none", 50),
    ]
    assert all(cell["attempts"]["total"] > 0 for cell in cells)


def test_locust_s_tables_name_what_they_count(story: Story) -> None:
    """A row counts transactions; a failure names its cause."""
    assert "noted: transactions" in story.row
    assert "gave up after 1 attempt: 40001 OC000" in story.failures


def test_after_the_run_the_page_has_its_findings_and_files(story: Story) -> None:
    """Verdict, a failed gate, and links that open."""
    assert "--max-p99-ms 0.001: failed" in story.ended
    assert {"report.html", "summary.json", "conflict-rate.png"} <= set(story.links)
    assert set(story.links.values()) == {200}


def test_no_text_of_the_run_is_code(story: Story) -> None:
    """The default of a knob is a script; the page has shown it, and nothing has run it."""
    assert story.title == "Locust"
    assert story.errors == []
