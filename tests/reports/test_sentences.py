"""The sentences about a run, compared with a golden file and case by case."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from reports.words.sentences import further_sentences, headline, stopped_growing
from reports.words.series import series
from reports.words.verdict_lines import banners
from tests.support.sample_summary import sample_summary

GOLDEN = Path(__file__).parent / "golden" / "sentences.txt"
"""To update it after an intended change: HOTROW_UPDATE_GOLDEN=1 pytest tests/reports/test_sentences.py"""

RUNS: dict[str, dict[str, Any]] = {
    "four skews": {},
    "no retry": {"retries": ("none",)},
    "row locks": {"conflicts": "locks", "retries": ("none",)},
    "an invalid cell": {"invalid": True},
    "one level": {"users": (8,)},
    "one cell, unusable": {"users": (8,), "skews": ("hot",)},
    "policies": {"retries": ("none", "immediate", "aws-connector")},
    "policies and row locks": {"retries": ("none", "immediate"), "conflicts": "locks"},
    "key counts": {"skews": ("uniform", "zipf:0.8"), "keys": (100, 1000)},
    "two regions": {"regions": ("us-east-1", "us-east-2")},
    "knobs": {"skews": ("hot",), "knobs": ({"shards": 1}, {"shards": 16})},
    "kinds, an invalid cell": {
        "skews": ("hot",),
        "users": (1, 8, 16),
        "kinds": ("order", "transfer"),
        "invalid": True,
    },
    "repeats": {"skews": ("hot",), "users": (1, 8), "repeats": 3},
}


def all_sentences(summary: dict[str, Any]) -> str:
    """All sentences about a run, one per line."""
    lines = [
        f"  {banner.severity}: {'; '.join((banner.text, *banner.details))}" for banner in banners(summary)
    ]
    return "\n".join(
        [headline(summary), *(f"  {sentence}" for sentence in further_sentences(summary)), *lines]
    )


def test_sentences_are_those_of_the_golden_file() -> None:
    """So every change of wording is seen in review."""
    text = (
        "\n\n".join(f"[{name}]\n{all_sentences(sample_summary(**run))}" for name, run in RUNS.items()) + "\n"
    )
    if os.environ.get("HOTROW_UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")

    assert GOLDEN.read_text(encoding="utf-8") == text


def test_an_empty_run_says_so() -> None:
    """An empty run has a headline and no further sentences."""
    summary = {**sample_summary(), "cells": []}

    assert (headline(summary), further_sentences(summary)) == ("Nothing was measured.", ())


def test_an_unusable_cell_is_not_quoted() -> None:
    """The headline ends with the highest usable level."""
    assert "32 users" not in headline(sample_summary(skews=("hot",)))


def test_no_usable_cell_means_no_figure() -> None:
    """A saturated client measures itself, so the headline has no rate and gives this reason."""
    summary = sample_summary(skews=("hot",))
    for cell in summary["cells"]:
        cell["usable"] = False

    assert headline(summary) == "No cell is usable. Read the warnings before you quote any figure."
    assert further_sentences(summary) == ()


@pytest.mark.parametrize(
    ("goodputs", "expected"),
    [
        ((100, 200, 300), 4),
        ((100, 200, 201), 2),
        ((100, 96, 97), 1),
        ((100, 300, 100), 2),
        ((None, 200, 205), 2),
    ],
)
def test_growth_stops_at_the_first_level_near_the_best(
    goodputs: tuple[float | None, ...], expected: int
) -> None:
    """A level within 5 % of the highest goodput counts as the highest."""
    summary = sample_summary(skews=("hot",), users=(1, 2, 4))
    for cell, goodput in zip(summary["cells"], goodputs, strict=True):
        cell["goodput_per_s"]["value"] = goodput

    cell = stopped_growing(series(summary["cells"])[0])

    assert cell is not None
    assert cell["users"] == expected


def test_a_single_level_says_nothing_about_growth() -> None:
    """One point is no trend."""
    assert stopped_growing(series(sample_summary(skews=("hot",), users=(8,))["cells"])[0]) is None


def test_unknown_outcomes_are_counted_separately() -> None:
    """It is unknown whether these transactions committed."""
    summary = sample_summary()
    summary["cells"][3]["transactions"]["unknown"] = 2

    assert any("outcome of 2 transactions is unknown" in sentence for sentence in further_sentences(summary))


@pytest.mark.parametrize(
    ("verdicts", "severity"),
    [
        ((True, True), "valid"),
        ((True, None), "unchecked"),
        ((None, None), "unchecked"),
        ((None, False), "invalid"),
        ((True, False), "invalid"),
    ],
)
def test_verdicts_have_three_values_and_the_worst_one_counts(
    verdicts: tuple[bool | None, ...], severity: str
) -> None:
    """An undecided check is not a pass."""
    summary = sample_summary(skews=("hot",), users=(1, 2))
    for cell, valid in zip(summary["cells"], verdicts, strict=True):
        cell["verdict"] = {"valid": valid, "checks": []}

    assert banners(summary)[0].severity == severity
