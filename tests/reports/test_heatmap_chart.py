"""The heatmap of skew by users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reports.charts.all_charts import charts
from reports.charts.heatmap_chart import compact
from tests.support.sample_summary import sample_summary

if TYPE_CHECKING:
    from reports.charts.marks import Chart, Tile


def heatmap(summary: dict[str, Any]) -> Chart | None:
    """The heatmap of a summary, if it has one."""
    return next((chart for chart in charts(summary) if chart.name == "heatmap"), None)


def tiles(summary: dict[str, Any], panel: int) -> dict[tuple[int, int], Tile]:
    """The tiles of a panel by (column, row)."""
    chart = heatmap(summary)
    assert chart is not None
    return {(tile.x, tile.y): tile for tile in chart.panels[panel].tiles}


def test_each_tile_has_the_value_of_its_cell() -> None:
    """Conflict rate in %, goodput per second and p99 in ms; the hottest skew is the highest row."""
    summary = sample_summary(skews=("uniform", "hot"), users=(2, 8))
    cell = next(cell for cell in summary["cells"] if cell["skew"] == "hot" and cell["users"] == 2)

    texts = [tiles(summary, panel)[0, 1].text for panel in range(3)]

    assert texts == [
        f"{100 * cell['conflict_rate']['value']:.0f}",
        f"{cell['goodput_per_s']['value']:.0f}",
        f"{cell['latency_ms']['p99']:.0f}",
    ]


def test_a_cell_that_was_not_measured_has_no_tile() -> None:
    """Its place stays empty, which is not 0."""
    summary = sample_summary(skews=("uniform", "hot"), users=(1, 8))
    missing = next(cell for cell in summary["cells"] if cell["skew"] == "hot" and cell["users"] == 1)
    summary["cells"].remove(missing)

    assert set(tiles(summary, 0)) == {(0, 0), (1, 0), (1, 1)}


def test_an_absent_value_is_a_dash() -> None:
    """The first cell of the sample has no p99."""
    assert tiles(sample_summary(), 2)[0, 0].text == "\N{EN DASH}"


def test_an_unusable_cell_is_hollow_and_sets_no_scale() -> None:
    """The last cell of the sample: the strongest colour belongs to the highest of the others."""
    drawn = tiles(sample_summary(skews=("uniform", "hot"), users=(1, 4, 8)), 0)

    assert [place for place, tile in drawn.items() if tile.hollow] == [(2, 1)]
    assert drawn[2, 1].strength == 0.0
    assert "NOT USABLE" in drawn[2, 1].remark
    assert drawn[1, 1].strength == 1.0


def test_small_conflict_rates_stay_pale() -> None:
    """Without real conflicts no tile looks hot: 5 % is the least that has the full colour."""
    summary = sample_summary(skews=("uniform", "zipf:0.8"), users=(1, 4), keys=(100_000,))

    assert max(tile.strength for tile in tiles(summary, 0).values()) < 0.2


@pytest.mark.parametrize("settings", [{"skews": ("hot",)}, {"users": (8,)}])
def test_one_skew_or_one_level_has_no_heatmap(settings: dict[str, Any]) -> None:
    """A single row or column says no more than the other charts."""
    assert heatmap(sample_summary(**settings)) is None


def test_the_subtitle_says_where_each_value_is_highest() -> None:
    """Among usable cells."""
    chart = heatmap(sample_summary(skews=("uniform", "hot"), users=(1, 4, 8)))

    assert chart is not None
    assert "with hot (D_eff 1) at 4 users; highest goodput" in chart.subtitle


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.52, "0.5"),
        (9.96, "10"),
        (84.2, "84"),
        (742.4, "742"),
        (999.6, "1.0k"),
        (12_345, "12k"),
        (2e6, "2.0M"),
    ],
)
def test_a_number_has_at_most_four_characters(value: float, text: str) -> None:
    """So that it fits its tile on a phone."""
    assert compact(value) == text
