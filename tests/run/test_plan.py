"""The plan of a run: its cells, and settings that are refused in one line."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hotrow.errors import UsageError
from hotrow.knob import Whole
from hotrow.run.plan import Settings, plan_cells
from scenarios.counter import Counter

if TYPE_CHECKING:
    from hotrow.run.plan import Cell

SETTINGS = Settings(
    skews=("uniform",),
    keys=100,
    levels=(1, 2),
    retry="none",
    knobs={},
    redraw=False,
    repeats=1,
    warmup_s=1.0,
    duration_s=1.0,
)


def _planned(**changes: Any) -> tuple[Cell, ...]:
    return plan_cells(replace(SETTINGS, **changes), Counter(), 1)


def test_each_combination_once() -> None:
    """The last list changes fastest."""
    cells = _planned(skews=("uniform", "hot"), repeats=2)

    assert [(cell.repeat, cell.skew, cell.users) for cell in cells[:5]] == [
        (1, "uniform", 1),
        (1, "uniform", 2),
        (1, "hot", 1),
        (1, "hot", 2),
        (2, "uniform", 1),
    ]


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"levels": (4, 4)}, ["--users 4", "twice"]),
        ({"levels": (0,)}, ["--users 0", "from 1 to 10000"]),
        ({"levels": (10_001,)}, ["--users 10001"]),
        ({"skews": ("hot", "hot:1")}, ["--skew", "hot:1", "once"]),
        ({"skews": ("zipf:0.99", "zipf:.99")}, ["--skew", "once"]),
        ({"retry": "none,none"}, ["--retry", "twice"]),
        ({"knobs": {"shards": ("4", "04")}}, ["--shards 04", "twice"]),
        ({"keys": 2**32}, ["--keys"]),
        ({"repeats": 0}, ["--repeats 0"]),
        ({"repeats": 10**12}, ["cells", "65536"]),
        ({"levels": tuple(range(1, 300)), "repeats": 300}, ["cells", "65536"]),
    ],
)
def test_refused(changes: dict[str, Any], names: list[str]) -> None:
    """A value that is given twice or out of range, or more cells than a record can number."""
    with pytest.raises(UsageError) as refusal:
        _planned(**changes)

    assert [name for name in names if name not in str(refusal.value)] == []
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", ["10000000000", "3001", "0", "-1", "9" * 10**6, "\u0663", "1_0", "1.0", ""])
def test_a_whole_knob_keeps_its_bounds(text: str) -> None:
    """All its digits count, not the first twenty."""
    knob = Whole(1, "", least=1, most=3000)
    knob.name = "rows"

    with pytest.raises(UsageError, match="must be a whole number from 1 to 3000"):
        knob.read(text)
