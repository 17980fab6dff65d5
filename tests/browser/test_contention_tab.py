"""The Contention tab in a real browser: one run from its start to its end, and what the page showed."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import NARROW, overflow_px, violations, visit
from tests.support.commands import BIN, only_run, summary_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Frame, Page

pytestmark = pytest.mark.browser

TIMEOUT_S = 60.0
TIMEOUT_MS = 1e3 * TIMEOUT_S
CHARTS = ("conflicts", "throughput", "retries", "give-ups", "latency", "fairness")
HOSTILE = "<script>document.title='hit'</script><img src=x onerror=\"document.title='hit'\">"
SKEW_FILE = "<img src=x onerror=document.title='hit'>.csv"
LOCUSTFILE = f"""
from hotrow.knob import Choice
from hotrow.load import ContentionUser
from scenarios.counter import Counter

class Noted(Counter):
    name = "noted"
    note = Choice({HOSTILE!r}, "a note", [{HOSTILE!r}])

class NotedUser(ContentionUser):
    scenario = Noted()
"""
FIGURES = {
    "conflict_rate": ("conflict_rate", "value"),
    "goodput_per_s": ("goodput_per_s", "value"),
    "retry_rate": ("retry_rate", "value"),
    "give_up_rate": ("give_up_rate", "value"),
    "latency_ms_p50": ("latency_ms", "p50"),
    "latency_ms_p99": ("latency_ms", "p99"),
    "attempt_ms_p50": ("attempt_ms", "p50"),
    "attempt_ms_p99": ("attempt_ms", "p99"),
    "jain": ("fairness", "jain"),
}
"""By figure of the page: its place in a cell of summary.json."""
TOTALS = """() => Object.fromEntries([...document.querySelectorAll('td[data-of="whole"]')]
  .map((cell) => [cell.dataset.figure, cell.dataset.value]))"""
LEFTS = "() => [...document.querySelectorAll('.cross:not([hidden])')].map((cross) => cross.style.left)"
MARKED = "() => [...document.querySelectorAll('td.at')].map((cell) => cell.textContent)"
EXPECTED = 'td.model[data-figure="conflict_rate"]:not([data-value=""])'


@dataclass
class Story:
    """What the page showed before, during and after one run."""

    before: str = ""
    states: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    lefts: list[str] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)
    after_key: list[str] = field(default_factory=list)
    paused: tuple[int, int] = (0, 0)
    other_tab: tuple[bool, bool] = (True, False)
    model: str = ""
    overflows: dict[int, int] = field(default_factory=dict)
    themes: dict[str, str] = field(default_factory=dict)
    axe: dict[str, list[str]] = field(default_factory=dict)
    titles: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    requests: set[str] = field(default_factory=set)
    totals: dict[str, str] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)
    cell: dict[str, Any] = field(default_factory=dict)
    """The cell of summary.json."""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("contention")


@pytest.fixture(scope="module")
def address(browser: Browser, dsn: str, out: Path) -> Iterator[str]:
    """The address of Locust's page; the locustfile and the skew have HTML in their texts."""
    assert browser
    assert dsn
    (out / "noted.py").write_text(LOCUSTFILE)
    (out / SKEW_FILE).write_text("key,weight\n3,8\n4,1\n5,1\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["-f", "noted.py", "-H", "local", "--skew", f"file:{SKEW_FILE}", "--keys", "10", "--warmup", "1s"]
    words += ["--web-port", str(port), "--out", "runs", "--no-report"]
    with subprocess.Popen([str(BIN / "locust"), *words], cwd=out, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(f"http://127.0.0.1:{port}/contention/data", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(TIMEOUT_S)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=TIMEOUT_S).close()  # noqa: S310 - our own server
        except urllib.error.URLError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"locust does not answer; exit code {process.poll()}")


@pytest.fixture(scope="module")
def story(browser: Browser, address: str, out: Path) -> Story:
    """Start a run, look at the tab while it goes on, stop it, and look again."""
    seen, told = visit(browser, address), Story()
    page = seen.page
    page.set_default_timeout(TIMEOUT_MS)
    alone = visit(browser, f"{address}/contention/", width=NARROW, dark=True)
    told.before = alone.page.locator("#state").inner_text()
    answer = page.request.post(f"{address}/swarm", form={"user_count": "4", "spawn_rate": "4"})
    assert answer.json()["success"], answer.text()
    _wait_for_state(alone.page, "measured")
    page.goto(f"{address}/?tab=contention")
    _look_during(page, _frame(page), told)
    _look_alone(alone.page, told)
    page.request.post(f"{address}/stop")
    frame = _frame(page)
    _wait_for_state(frame, "ended")
    told.states.append(frame.locator("#state").inner_text())
    told.totals = frame.evaluate(TOTALS)
    told.last = page.request.get(f"{address}/contention/data").json()
    told.titles |= {page.title(), frame.title(), alone.page.title()}
    told.errors = [*seen.errors, *alone.errors]
    told.requests = {*seen.requests, *alone.requests}
    (told.cell,) = summary_of(only_run(out / "runs"))["cells"]
    return told


def _frame(page: Page) -> Frame:
    handle = page.wait_for_selector("#hotrow-contention")
    assert handle is not None
    frame = handle.content_frame()
    assert frame is not None
    return frame


def _wait_for_state(page: Page | Frame, state: str) -> None:
    """The page's policy forbids evaluated scripts, so conditions are selectors."""
    page.wait_for_selector(f'html[data-state="{state}"]', timeout=TIMEOUT_MS)


def _look_during(page: Page, frame: Frame, told: Story) -> None:
    frame.wait_for_selector(EXPECTED)
    told.states.append(frame.locator("#state").inner_text())
    told.model = frame.locator("td.model").first.inner_text()
    names, values = frame.locator("#facts dt").all_inner_texts(), frame.locator("#facts dd").all_inner_texts()
    told.facts = dict(zip(names, values, strict=True))
    for chart in CHARTS:
        frame.locator(f"#{chart}").scroll_into_view_if_needed()
        frame.wait_for_selector(f"#{chart} .main-svg")
    frame.locator("#pause").click()
    told.paused = _points_before_and_after(frame)
    plot = frame.locator(".plot").first
    plot.hover(position={"x": 200, "y": 60})
    told.lefts, told.marked = frame.evaluate(LEFTS), frame.evaluate(MARKED)
    page.mouse.move(0, 0)
    frame.locator("#charts").press("ArrowRight")
    told.after_key = frame.evaluate(LEFTS)
    frame.locator("#pause").click()
    told.overflows[page.viewport_size["width"] if page.viewport_size else 0] = overflow_px(page)
    page.get_by_role("tab", name="Statistics").click()
    shown = page.locator("#hotrow-contention").is_visible()
    page.get_by_role("tab", name="Contention").click()
    told.other_tab = (shown, page.locator("#hotrow-contention").is_visible())


def _points_before_and_after(frame: Frame) -> tuple[int, int]:
    """How many points the first line of a paused page has, now and after the load has sent further ones."""
    drawn = "() => document.querySelector('.plot > div').data[0].x.length"
    served = "async () => (await (await fetch('./data')).json()).points.length"
    before, known = frame.evaluate(drawn), frame.evaluate(served)
    deadline = time.monotonic() + TIMEOUT_S
    while frame.evaluate(served) == known and time.monotonic() < deadline:
        time.sleep(0.1)
    return before, frame.evaluate(drawn)


def _look_alone(page: Page, told: Story) -> None:
    """The page in a tab of its own, as wide as a phone; dark first, then as Locust's switch says."""
    page.wait_for_selector(EXPECTED)
    told.overflows[NARROW] = overflow_px(page)
    told.themes["system"] = page.evaluate("document.documentElement.dataset.theme")
    told.axe["dark"] = violations(page)
    page.evaluate("localStorage.theme = 'light'")
    page.reload()
    page.wait_for_selector(EXPECTED)
    told.themes["chosen"] = page.evaluate("document.documentElement.dataset.theme")
    told.axe["light"] = violations(page)


def test_the_states_of_a_run(story: Story) -> None:
    """Before the start, while it is measured, and at its end."""
    assert story.before == "No run yet: start one in Locust's form"
    assert story.states == ["Cell 1 of 1: measuring", "Run ended: figures of its last cell"]


def test_the_last_values_are_those_of_the_summary(story: Story) -> None:
    """Within 2 %: rates are equal, and quantiles come from bins of 1 %."""
    exact = {name: story.cell[place][entry] for name, (place, entry) in FIGURES.items()}
    exact["attempts_per_s"] = story.cell["attempts_per_s"]

    assert story.cell["attempts"]["conflict"] > 20
    assert set(story.totals) == set(exact)
    for name, value in exact.items():
        assert float(story.totals[name]) == pytest.approx(value, rel=0.02), name
    assert story.last["attempts"] == pytest.approx(story.cell["attempts"]["total"], rel=0.02)


def test_the_hottest_keys_are_those_of_the_summary(story: Story) -> None:
    """The key that the skew makes hottest, with its conflicts."""
    hottest = story.last["keys"][0]

    assert hottest["key"] == story.cell["hot_keys"][0]["key"] == 3
    assert hottest["conflicts"] == pytest.approx(story.cell["hot_keys"][0]["conflicts"], rel=0.02)


def test_the_cards_name_the_cell(story: Story) -> None:
    """Texts with HTML in them are shown as they are."""
    assert story.facts["scenario"] == "noted"
    assert story.facts["note"] == HOSTILE
    assert story.facts["users"] == "4 users"
    assert story.facts["cell"] == "1 of 1"
    assert "<img" in story.facts["skew"]
    assert story.facts["equally likely rows"].startswith("D_eff 1.5")


def test_html_in_a_text_does_nothing(story: Story) -> None:
    """Neither in the frame nor in Locust's page."""
    assert story.titles == {"Locust", "hotrow: contention"}


def test_the_model_s_value_is_shown_during_the_run(story: Story) -> None:
    """As soon as there is enough to compute it from."""
    assert story.model.endswith("%")


def test_one_crosshair_goes_over_all_charts(story: Story) -> None:
    """By pointer and by arrow keys, with the value of every line."""
    assert len(story.lefts) == len(CHARTS)
    assert len(set(story.lefts)) == 1
    assert all(story.marked)
    assert len(set(story.after_key)) == 1
    assert story.after_key != story.lefts


def test_a_paused_page_does_not_change(story: Story) -> None:
    """The run goes on meanwhile."""
    assert story.paused[0] == story.paused[1] > 0


def test_the_frame_is_shown_with_its_tab_only(story: Story) -> None:
    """It stays loaded while another tab is shown."""
    assert story.other_tab == (False, True)


def test_no_horizontal_scroll(story: Story) -> None:
    """On a laptop and on a phone."""
    assert set(story.overflows.values()) == {0}
    assert len(story.overflows) == 2


def test_the_theme_is_that_of_locust_s_switch(story: Story) -> None:
    """Without a choice it is that of the system."""
    assert story.themes == {"system": "dark", "chosen": "light"}


def test_the_page_is_accessible(story: Story) -> None:
    """Axe finds nothing of level moderate or above, dark and light."""
    assert story.axe == {"dark": [], "light": []}


def test_the_page_needs_no_network_and_makes_no_error(story: Story, address: str) -> None:
    """Everything comes from the load process."""
    assert story.errors == []
    assert {request for request in story.requests if not request.startswith(address)} == set()
    assert f"{address}/contention/plotly.js" in story.requests
