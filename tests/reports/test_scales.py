"""Axes: ranges and ticks."""

from __future__ import annotations

from itertools import pairwise

import pytest

from reports.charts import scales


def texts(axis: scales.Axis) -> list[str]:
    """The texts of an axis's ticks."""
    return [text for _, text in axis.ticks]


def test_concurrency_ticks_are_the_levels_that_were_run() -> None:
    """Levels that were not measured have no tick."""
    assert texts(scales.level_axis((1, 3, 32, 1024))) == ["1", "3", "32", "1,024"]


def test_crowded_levels_are_thinned_but_the_last_stays() -> None:
    """Texts that would touch are left out, beginning below the highest level."""
    ticks = [place for place, _ in scales.level_axis(tuple(range(1, 65))).ticks]

    assert ticks[-1] == 64
    assert len(ticks) <= 15
    assert all(after / before >= 1.3 for before, after in pairwise(ticks[4:]))


@pytest.mark.parametrize(
    ("top", "last"), [(0.95, "100 %"), (1.0, "100 %"), (0.31, "30 %"), (0.0041, "0.4 %"), (0.0, "1.0 %")]
)
def test_share_axes_end_where_the_values_do_and_never_beyond_one(top: float, last: str) -> None:
    """A rate of 0.4 % does not get an axis to 100 %, and no axis goes beyond 100 %."""
    axis = scales.share_axis("", [0.0, top, None])

    assert texts(axis)[-1] == last
    assert top <= axis.high <= 1.04


def test_amounts_start_at_zero_with_even_ticks() -> None:
    """Ticks have no more decimals than their step."""
    assert texts(scales.amount_axis("", [9.0, None])) == ["0", "2", "4", "6", "8"]
    assert texts(scales.amount_axis("", [0.9])) == ["0.0", "0.2", "0.4", "0.6", "0.8"]


@pytest.mark.parametrize("values", [[7.0], [9.9, 10.1], [1.0, 5_000.0], [], [0.02, 30_000.0], [None]])
def test_logarithmic_times_have_ticks_about_every_value(values: list[float | None]) -> None:
    """A range of any width has at least two ticks."""
    axis = scales.time_axis("", values)

    assert len(axis.ticks) >= 2
    assert all(axis.low < value < axis.high for value in values if value is not None)


def test_long_times_are_written_in_seconds() -> None:
    """1,000 ms is written as 1 s."""
    assert texts(scales.time_axis("", [400.0, 3000.0])) == ["500 ms", "1 s", "2 s"]
