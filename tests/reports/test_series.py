"""The cells that make a line: knobs and policies."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from reports.charts.all_charts import charts
from reports.charts.footer import settings
from reports.output.terminal import cell_table
from reports.words.cell_table import columns
from reports.words.series import series
from tests.support.sample_summary import sample_summary


def knobbed(**settings: Any) -> dict[str, Any]:
    """A sample on one hot row, with two levels."""
    return sample_summary(skews=("hot",), users=(2, 8), **settings)


def test_a_knob_that_varies_makes_lines_in_the_order_of_its_numbers() -> None:
    """16 comes after 4, in whatever order they were run."""
    summary = knobbed(knobs=({"shards": 16}, {"shards": 1}, {"shards": 4}))

    assert [line.label for line in charts(summary)[0].panels[0].lines] == [
        "shards 1",
        "shards 4",
        "shards 16",
    ]


def test_words_of_a_knob_stand_as_they_were_run() -> None:
    """Underscores become hyphens, as on the command line; the policy follows."""
    summary = knobbed(
        knobs=({"for_update": "on"}, {"for_update": "off"}), retries=("none", "immediate:max=10")
    )

    assert [line.label for line in series(summary["cells"])] == [
        "for-update on, no retry",
        "for-update on, retry immediate",
        "for-update off, no retry",
        "for-update off, retry immediate",
    ]


def test_a_knob_called_like_a_setting_is_told_apart() -> None:
    """A user's scenario may have a knob `retry`."""
    summary = knobbed(knobs=({"retry": 1}, {"retry": 2}))

    assert [line.label for line in series(summary["cells"])] == ["retry 1", "retry 2"]


def test_a_knob_that_does_not_vary_is_in_the_footer() -> None:
    """The footer has all of them in a short form, but none that varies."""
    summary = knobbed(knobs=({"shards": 1, "hold": "50ms"}, {"shards": 4, "hold": "50ms"}))

    shown = settings(summary["run"], summary["cells"])

    assert "hold 50ms" in shown
    assert not any("shards" in part for part in shown)


def test_varying_knobs_are_columns_of_both_tables() -> None:
    """The tables are those of the page and the console."""
    summary = knobbed(knobs=({"shards": 1, "hold": "50ms"}, {"shards": 4, "hold": "50ms"}))
    page = {column.head: column for column in columns(summary["cells"])}
    console = Console(width=200)
    with console.capture() as captured:
        console.print(cell_table(summary, console.width))

    assert page["shards"].numeric
    assert [page["shards"].value(cell) for cell in summary["cells"]] == [1, 4, 1, 4]
    assert "hold" not in page
    assert " shards " in captured.get().splitlines()[1]
