"""The charts over a setting that is a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reports.charts.all_charts import charts
from tests.support.sample_summary import sample_summary

if TYPE_CHECKING:
    from reports.charts.marks import Chart

SHARDS: tuple[dict[str, int | str], ...] = ({"shards": 16}, {"shards": 1}, {"shards": 4})


def over_knobs(summary: dict[str, Any]) -> dict[str, Chart]:
    """The charts over knobs, by name."""
    return {chart.name: chart for chart in charts(summary) if chart.name.startswith("knob-")}


def sample(**settings: Any) -> dict[str, Any]:
    """A sample of two skews, two levels and three values of a knob."""
    return sample_summary(**{"skews": ("uniform", "hot"), "users": (2, 8), "knobs": SHARDS, **settings})


def test_a_line_per_level_and_a_panel_per_skew() -> None:
    """The knob's values ascend, whatever their order in the run; each point is the value of its cell."""
    summary = sample()
    drawn = over_knobs(summary)
    panel = drawn["knob-shards-goodput"].panels[1]
    values = [
        cell["goodput_per_s"]["value"]
        for shards in (1, 4, 16)
        for cell in summary["cells"]
        if (cell["skew"], cell["users"], cell["knobs"]["shards"]) == ("hot", 8, shards)
    ]

    assert list(drawn) == ["knob-shards-conflict-rate", "knob-shards-goodput"]
    assert panel.title == "hot"
    assert [line.label for line in panel.lines] == ["2 users", "8 users"]
    assert (panel.lines[1].x, list(panel.lines[1].y)) == ((1.0, 4.0, 16.0), values)
    assert drawn["knob-shards-goodput"].x.ticks == ((1.0, "1"), (4.0, "4"), (16.0, "16"))


def test_a_change_within_the_intervals_is_not_called_one() -> None:
    """Nothing is read out of noise."""
    summary = sample(skews=("hot",), users=(4, 2))
    ends = [cell for cell in summary["cells"] if cell["users"] == 4 and cell["knobs"]["shards"] != 4]
    ends[0]["goodput_per_s"] = {"value": 100.0, "low": 90.0, "high": 110.0}
    ends[1]["goodput_per_s"] = {"value": 111.0, "low": 105.0, "high": 120.0}
    chart = over_knobs(summary)["knob-shards-goodput"]
    assert "With hot at 4 users, shards 1 and 16 do not differ clearly." in chart.subtitle

    ends[1]["goodput_per_s"]["low"] = 110.5
    assert "111/s with shards 1, 100/s with shards 16." in over_knobs(summary)["knob-shards-goodput"].subtitle


@pytest.mark.parametrize("values", [("on", "off"), (1, "off"), (True, False)])
def test_words_have_no_axis(values: tuple[Any, ...]) -> None:
    """Only a knob all of whose values are numbers has such a chart."""
    assert over_knobs(sample(knobs=tuple({"shards_text": value} for value in values), kinds=())) == {}


def test_keys_are_a_number_too() -> None:
    """A sweep over `--keys` shows how the conflict rate falls with more keys."""
    drawn = over_knobs(sample_summary(skews=("uniform",), users=(8,), keys=(10, 100, 1_000)))

    line = drawn["knob-keys-conflict-rate"].panels[0].lines[0]
    assert line.x == (10.0, 100.0, 1_000.0)
    assert (line.y[0] or 0) > 10 * (line.y[2] or 0) > 0


def test_a_setting_that_does_not_vary_has_no_chart() -> None:
    """One value is no axis."""
    assert over_knobs(sample(knobs=({"shards": 4},))) == {}


def test_many_other_settings_have_no_such_chart() -> None:
    """More than eight panels could not be read."""
    policies = tuple(f"fixed:delay={delay}ms" for delay in range(1, 10))

    assert over_knobs(sample(skews=("hot",), retries=policies)) == {}
