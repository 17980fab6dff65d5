"""report.html in a real browser: opened from disk, offline."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reports.charts.all_charts import charts
from reports.output import html
from tests.support.browser import NARROW, overflow_px, violations, visit
from tests.support.sample_summary import sample_summary

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.support.browser import Visit

pytestmark = pytest.mark.browser

VALUES_BELOW = """(button) => {
  const [rows, at] = [button.closest("table").tBodies[0].rows, button.parentNode.cellIndex];
  return [...rows].map((row) => row.cells[at].dataset.value);
}"""
UNDRAWN = ".plot:not(:has(.main-svg)), .chart[aria-busy=true]"
HOT = "hot  (D_eff 1)"


HOSTILE = "<script>document.title='hit'</script><img src=x onerror=\"document.title='hit'\">"


def gate(cell: int, measured: float, verdict: str) -> dict[str, Any]:
    text = f"--max-conflict-rate 0.5: {verdict}"
    return {
        "gate": "--max-conflict-rate",
        "cell": cell,
        "limit": 0.5,
        "measured": measured,
        "verdict": verdict,
        "text": text,
    }


def report(summary: dict[str, Any], path: Path) -> str:
    """Write a report; its address."""
    html.write(summary, charts(summary), path)
    return path.as_uri()


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    """A run with a failed gate, errors, hot keys, an invalid cell and one that is not usable."""
    sample = sample_summary(invalid=True, full=True, skews=("uniform", "hot"), users=(1, 2, 8, 32))
    gates = [gate(0, 0.01, "met"), gate(6, 0.9, "failed")]
    sample["gates"] = {"limits": {}, "checks": gates, "breaches": gates[1:], "doubts": []}
    for cell in sample["cells"]:
        cell["limit"] = {"name": "backoff", "hottest_row_busy": 0.6, "user_time": {"backoff": 0.704}}
    sample["cells"][3]["errors"] = [error("duplicate key value violates unique constraint")]
    return sample


def error(message: str) -> dict[str, Any]:
    where = {"kind": None, "statement": f"SELECT $1 -- {message}", "place": "mine.py:34"}
    return {"outcome": "error", "sqlstate": "23505", "attempts": 52, "message": message, "others": 0, **where}


@pytest.fixture(scope="module")
def url(summary: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report on disk."""
    return report(summary, tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="module")
def opened(browser: Browser, url: str) -> Visit:
    """The report in a wide window, with all charts drawn."""
    seen = visit(browser, url, permissions=["clipboard-read", "clipboard-write"])
    wait_until_drawn(seen.page)
    return seen


def wait_until_drawn(page: Page) -> None:
    """Wait until every plot is there."""
    from playwright.sync_api import expect  # noqa: PLC0415 - only where there is a browser

    expect(page.locator(UNDRAWN)).to_have_count(0, timeout=60_000)


def layout(page: Page, chart: str, axis: str) -> list[float]:
    """The range of an axis of a chart's first panel."""
    found: list[float] = json.loads(
        page.evaluate(f"JSON.stringify(document.querySelector('#{chart} .plot').layout.{axis}.range)")
    )
    return found


def traces(page: Page, chart: str) -> list[dict[str, Any]]:
    """The traces of a chart's first panel."""
    found: list[dict[str, Any]] = json.loads(
        page.evaluate(f"JSON.stringify(document.querySelector('#{chart} .plot').data)")
    )
    return found


def test_the_page_draws_every_chart_without_error_and_request(opened: Visit, url: str) -> None:
    """It needs no network, and nothing is written to the console."""
    assert opened.page.locator(".plot").count() > 0
    assert opened.errors == []
    assert opened.requests == [url]


def test_a_line_that_is_off_takes_its_rings_and_both_axes_fit_the_rest(opened: Visit) -> None:
    """Without the hot row, goodput begins higher and latency ends lower; a second press restores all."""
    page, name = opened.page, "goodput-latency"
    before = layout(page, name, "xaxis"), layout(page, name, "yaxis")
    rings = [trace for trace in traces(page, name) if "customdata" in trace]
    chip = page.locator(f"#{name} .key button", has_text="hot")

    chip.click()
    wait_until_drawn(page)
    fitted = layout(page, name, "xaxis"), layout(page, name, "yaxis")
    left = [trace for trace in traces(page, name) if "customdata" in trace]
    chip.click()
    wait_until_drawn(page)

    assert any(HOT in trace["customdata"] for trace in rings)
    assert not any(HOT in trace["customdata"] for trace in left)
    assert fitted[0][0] > before[0][0]
    assert fitted[1][1] < before[1][1]
    assert (layout(page, name, "xaxis"), layout(page, name, "yaxis")) == before


def test_a_press_on_a_heading_sorts_and_a_second_one_turns_the_order(opened: Visit) -> None:
    """Absent values stay last in both orders."""
    page = opened.page
    head = page.locator("thead button", has_text="p99")

    def column() -> list[str]:
        values: list[str] = head.evaluate(VALUES_BELOW)
        return values

    head.click()
    up = column()
    head.click()
    down = column()

    numbers = [float(text) for text in up if text]
    assert numbers == sorted(numbers)
    assert [float(text) for text in down if text] == numbers[::-1]
    assert (up[-1], down[-1]) == ("", "")


def test_axe_finds_no_defect_in_light(opened: Visit) -> None:
    """Nothing of level moderate or above."""
    assert violations(opened.page) == []


def test_axe_finds_no_defect_in_dark_on_a_phone(browser: Browser, url: str) -> None:
    """Nor on a narrow page, which needs no horizontal scrolling."""
    seen = visit(browser, url, width=NARROW, dark=True)
    wait_until_drawn(seen.page)

    assert violations(seen.page) == []
    assert overflow_px(seen.page) == 0
    assert seen.errors == []


def test_the_values_of_a_chart_are_reached_with_the_keyboard(opened: Visit) -> None:
    """Enter on the summary opens a table with the values that hovering shows."""
    values = opened.page.locator("#conflict-rate details.values")

    values.locator("summary").focus()
    opened.page.keyboard.press("Enter")

    assert values.locator("td", has_text=HOT).first.is_visible()
    opened.page.keyboard.press("Enter")


def test_hovering_shows_a_value(opened: Visit) -> None:
    """It has the line, the value and its interval."""
    point = opened.page.locator("#conflict-rate .points path").last
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    assert box is not None

    opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    hover = opened.page.locator("#conflict-rate .hoverlayer")
    hover.locator("text", has_text="closed form").first.wait_for(timeout=30_000)


def copied(page: Page, name: str) -> str:
    """The text that a button of this name copies."""
    page.get_by_role("button", name=name, exact=True).click()
    page.locator("#told", has_text="Copied").wait_for()
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_the_command_is_copied_as_it_is(opened: Visit, summary: dict[str, Any]) -> None:
    """A reader pastes it into a terminal."""
    assert copied(opened.page, "Copy") == summary["run"]["reproduce"]


def test_the_table_is_copied_as_csv_with_numbers_that_are_not_rounded(
    opened: Visit, summary: dict[str, Any]
) -> None:
    """In the order in which it is sorted, with the units in its heads."""
    goodputs = {cell["goodput_per_s"]["value"] for cell in summary["cells"]}

    rows = list(csv.DictReader(io.StringIO(copied(opened.page, "Copy as CSV"))))

    assert {float(row["goodput /s"]) for row in rows} == goodputs
    assert {row["skew"] for row in rows} == {"uniform", "hot"}
    assert {row["held back by"] for row in rows} == {"backoff 70 %"}


def test_the_table_of_cells_fits_a_laptop(opened: Visit) -> None:
    """No column is beyond the right edge of a window of 1,280 px."""
    width = "(table) => table.scrollWidth - table.parentNode.clientWidth"

    assert opened.page.locator("#cell-table").evaluate(width) <= 0


def test_paper_gets_light_narrow_charts_and_the_screen_gets_its_own_back(opened: Visit) -> None:
    """The terms are printed, because nobody can open them on paper."""
    page = opened.page
    width = "document.querySelector('#conflict-rate .plot').layout.width"

    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    on_paper = page.evaluate(width), page.locator("details.terms").get_attribute("open")
    page.evaluate("dispatchEvent(new Event('afterprint'))")

    assert on_paper == (680, "")
    assert page.evaluate(width) != 680
    assert page.locator("details.terms").get_attribute("open") is None


def test_summary_and_cells_are_downloaded_from_the_page_itself(
    opened: Visit, url: str, summary: dict[str, Any]
) -> None:
    """They are whole, and no request is made."""

    def downloaded(name: str) -> str:
        with opened.page.expect_download() as download:
            opened.page.get_by_role("link", name=name).click()
        assert download.value.suggested_filename == name
        return Path(download.value.path()).read_text("utf-8")

    assert json.loads(downloaded("summary.json")) == summary
    assert len(list(csv.DictReader(io.StringIO(downloaded("cells.csv"))))) == len(summary["cells"])
    assert opened.requests == [url]


def test_a_script_in_a_name_does_nothing(browser: Browser, tmp_path: Path) -> None:
    """In a scenario, a skew, a knob, an error, a gate, a warning and a command."""
    hostile = sample_summary(
        scenario=HOSTILE, users=(1, 8), skews=("hot",), knobs=({"mode": HOSTILE}, {"mode": "b"}), full=True
    )
    hostile["run"] |= {"reproduce": f"hotrow sweep {HOSTILE}", "command": HOSTILE, "tables": [HOSTILE]}
    hostile["warnings"] = [{"code": HOSTILE, "message": HOSTILE, "advice": HOSTILE}]
    for cell in hostile["cells"]:
        cell["errors"] = [error(HOSTILE)]
        cell["verdict"]["checks"] = [{"name": HOSTILE, "valid": False, "count": 1, "details": {"a": HOSTILE}}]
    gates = [{**gate(0, 0.9, "failed"), "gate": HOSTILE, "text": HOSTILE}]
    hostile["gates"] = {"limits": {}, "checks": gates, "breaches": gates, "doubts": []}

    seen = visit(browser, report(hostile, tmp_path / "report.html"))
    wait_until_drawn(seen.page)
    title = seen.page.title()
    for chip in seen.page.locator("#goodput .key button").all():
        chip.click()

    assert title == seen.page.title()
    assert title.startswith("hotrow: ")
    assert seen.page.locator("img").count() == 0
    assert seen.errors == []
