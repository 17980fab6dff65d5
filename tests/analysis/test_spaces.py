"""Runs with key spaces: keys are named by their space, and the closed form multiplies over the spaces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analysis.expected import expect_of
from analysis.keysets import key_sets, space_sets
from analysis.model import Loop
from analysis.summarise import summarise
from hotrow.attempt.record import Outcome
from hotrow.keys.skew import parse_skew
from hotrow.keys.spaces import lay_out, read_sizes
from reports.words.comparisons import limits
from reports.words.hot_key_table import hot_keys, hottest_line
from reports.words.series import series
from reports.words.wording import held_back, skew_words
from tests.support.measured import attempt, cell, run_of, steady_commits

SPACES = (
    {"name": "account", "keys": 1000, "drawn": 1},
    {"name": "branch", "keys": 10, "drawn": 1},
)
SKEW = "account=uniform,branch=hot"
LOOP = Loop(users=8, window_s=0.007, outside_s=0.003)


def predicted(skew: str, spaces: tuple[dict[str, Any], ...], retry: str = "none") -> float:
    layout = lay_out(parse_skew(skew), 1000, read_sizes(spaces))
    planned = cell(skew=skew, keys=1000, spaces=spaces, retry=retry, keys_per_transaction=len(spaces) or 1)
    rate = expect_of(planned, layout, LOOP)["conflict_rate"]
    assert rate is not None
    return rate


def sizes(account: int, *others: int) -> tuple[dict[str, Any], ...]:
    return tuple({"name": f"s{n}", "keys": keys, "drawn": 1} for n, keys in enumerate((account, *others)))


@pytest.mark.parametrize("retry", ["none", "immediate:max=unlimited"])
def test_a_space_without_conflicts_changes_nothing(retry: str) -> None:
    """Two spaces, of which one has a hundred million keys, predict what the other one alone does."""
    alone = predicted("uniform", (), retry)
    both = predicted("s0=uniform,s1=uniform", sizes(1000, 100_000_000), retry)

    assert both == pytest.approx(alone, abs=1e-4)


def test_a_row_that_every_transaction_writes_stands_for_all() -> None:
    """Any two transactions meet on it, so the other spaces do not matter: it is one hot row."""
    fixed = predicted("s0=zipf:0.99,s1=uniform,s2=uniform", sizes(1000, 10, 1))

    assert fixed == predicted("hot", ())


def test_equal_spaces_are_two_independent_draws() -> None:
    """Two spaces of 500 uniform keys are nearly two keys of 1,000, which exclude one another."""
    p, counts = np.full(1, 1 / 1000), np.full(1, 1000.0)
    half, few = np.full(1, 1 / 500), np.full(1, 500.0)
    survival = 0.9

    pair = key_sets(p, counts, 2).conflict(np.full(1, survival))
    spaces = space_sets([(half, few, 1), (half, few, 1)])

    assert (spaces.mass * spaces.conflict(np.full(2, survival))).sum() == pytest.approx(float(pair.max()))
    assert spaces.load(spaces.mass, np.ones(2)) == pytest.approx([1 / 500, 1 / 500])
    three = space_sets([(half, few, 2), (half, few, 1)])
    assert three.mass.sum() == pytest.approx(1.0)
    assert three.load(three.mass, np.ones(2)) == pytest.approx([2 / 500, 1 / 500], rel=1e-2)


def measured() -> dict[str, Any]:
    """A cell whose hot branch is always taken, with 60 conflicts on it and 20 on account 7."""
    branch = lay_out(parse_skew(SKEW), 1000, read_sizes(SPACES)).hottest_key
    commits = steady_commits(140, 1.0, times_ms=(0.0, 2.0, 5.0), key=branch)
    lost = [
        attempt(1_000 + n, 10.0 * n, Outcome.CONFLICT, user=1, key=branch if n < 60 else 7) for n in range(80)
    ]
    planned = cell(skew=SKEW, keys=1000, users=2, spaces=SPACES, keys_per_transaction=2)
    (summarised,) = summarise(run_of([*commits, *lost], cells=[planned]))["cells"]
    return dict(summarised)


def test_hot_keys_and_the_limit_name_the_space() -> None:
    """The record has one number; the summary has the space and the key within it."""
    summarised = measured()

    assert summarised["spaces"] == SPACES
    assert [(hot["space"], hot["key"], hot["conflicts"]) for hot in summarised["hot_keys"]] == [
        ("branch", 3, 60),
        ("account", 7, 20),
    ]
    assert summarised["limit"]["name"] == "hottest_row"
    assert summarised["limit"]["row"] == {"space": "branch", "key": 3}


def test_a_cell_without_spaces_has_neither_field() -> None:
    """So summaries of older runs are what they were."""
    (summarised,) = summarise(run_of(steady_commits(140, 1.0, key=3)))["cells"]

    assert "spaces" not in summarised
    assert "row" not in summarised["limit"]


def test_reports_name_the_branch() -> None:
    """In the table of hot keys, on the console and in the sentence on the limit."""
    summarised = {**measured(), "usable": True}
    summary = {"cells": [summarised], "run": {}}

    assert [hot.key for hot in hot_keys(summary)] == ["branch 3", "account 7"]
    assert "branch 3 75.0 %, account 7 25.0 %" in hottest_line(summary)
    said = limits(series([summarised]), thinks=False)
    assert "the hottest row, branch 3 (taken 98.0 % of the time)" in said
    assert held_back(("hottest_row", 0.98), {"space": "branch", "key": 3}) == "branch 3: 98 %"
    assert skew_words(summarised) == "account (1,000 uniform keys) and branch (one hot row)"
