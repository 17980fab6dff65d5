"""The sentence on the limit of goodput: which limit, for which line, and its share."""

from __future__ import annotations

from typing import Any

import pytest

from reports.words.sentences import choices
from tests.support.sample_summary import sample_summary

ROW = {"name": "hottest_row", "hottest_row_busy": 0.978, "user_time": {}}
BACKOFF = {"name": "backoff", "hottest_row_busy": 0.5, "user_time": {"backoff": 0.704}}
NOTHING = {"name": None, "hottest_row_busy": None, "user_time": {}}
APART = (
    "the hottest row with no retry (taken 97.8 % of the time); backoff with retry immediate "
    "(70.4 % of the users' time) and retry fixed (70.4 % of the users' time)"
)


def sentences(*limits: dict[str, Any] | None) -> list[str]:
    """The sentences of a run with one line per policy, each with this limit at 8 users."""
    retries = ("none", "immediate:max=10", "fixed:base=10ms,max=10")[: len(limits)]
    summary = sample_summary(skews=("hot",), users=(2, 8, 16), retries=retries)
    for retry, limit in zip(retries, limits, strict=True):
        for cell in summary["cells"]:
            cell["usable"] = True
            if limit is not None and cell["retry"] == retry:
                cell["limit"] = limit
    return [sentence for sentence in choices(summary) if "held back by" in sentence]


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ([ROW], "the hottest row (taken 97.8 % of the time)"),
        ([ROW, ROW], "the hottest row on every line (taken 97.8 % of the time)"),
        ([ROW, BACKOFF, BACKOFF], APART),
    ],
)
def test_each_limit_is_named_with_its_lines(limits: list[dict[str, Any]], named: str) -> None:
    """A common limit is named once; different limits come with their lines."""
    assert sentences(*limits) == [f"On one hot row at 16 users, goodput was held back by {named}."]


@pytest.mark.parametrize("limits", [[None], [NOTHING]])
def test_an_unknown_limit_is_not_mentioned(limits: list[dict[str, Any] | None]) -> None:
    """Older runs have no limit, and neither has a cell without attempts."""
    assert sentences(*limits) == []
