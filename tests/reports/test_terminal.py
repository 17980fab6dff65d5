"""The end of a run on the console."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from reports.output.terminal import show
from tests.support.sample_summary import sample_summary


def shown(summary: dict[str, object], width: int = 140) -> str:
    """The output on a console of this width."""
    stream = io.StringIO()
    show(Console(file=stream, width=width, color_system=None), summary, Path("results/run/report.html"))
    return stream.getvalue()


def test_every_cell_has_a_line_with_its_d_eff_interval_and_verdict() -> None:
    """The table is readable without the page."""
    lines = shown(sample_summary(users=(1, 8), skews=("uniform", "hot")), width=80).splitlines()

    assert " ".join(lines[0].split()) == "conflict 95 % retry goodput p50 p99"
    assert " ".join(lines[1].split()) == "skew D_eff users % interval rate /s ms ms verdict"
    assert lines[2].split()[:3] == ["uniform", "1,000", "1"]
    assert lines[2].rstrip().endswith("not checked")
    assert lines[3].rstrip().endswith("valid")
    assert "unusable" in lines[5]


def test_the_limit_of_goodput_is_shown_if_there_is_room() -> None:
    """The limit has its own column on wide consoles; on 80 columns it would cut off the others."""
    summary = sample_summary(users=(1, 8), skews=("hot",))
    for cell in summary["cells"]:
        cell["limit"] = {"name": "backoff", "hottest_row_busy": 0.6, "user_time": {"backoff": 0.704}}

    assert "backoff 70 %" in shown(summary, width=120)
    assert "backoff 70 %" not in shown(summary, width=80)


def test_an_invalid_cell_is_conspicuous() -> None:
    """A reader cannot overlook a violated invariant, or take an undecided check for a pass."""
    lines = shown(sample_summary(users=(1, 8), skews=("uniform", "hot"), invalid=True)).splitlines()

    assert "not checked" in lines[2]
    assert "INVALID" in lines[3]


def test_the_end_says_the_finding_the_verdict_and_where_the_report_is() -> None:
    """They come in this order, and a narrow console does not break the path."""
    text = shown(sample_summary(users=(1, 8), skews=("uniform", "hot"), invalid=True), width=60)
    flat = " ".join(text.split())

    assert "Invalid: an invariant was violated in 1 of 4 cells" in flat
    assert flat.index("On one hot row") < flat.index("Invalid") < flat.index("Report:")
    assert "Report: results/run/report.html\n" in text


def test_markup_in_names_is_text_and_secrets_are_withheld() -> None:
    """A skew with the name of a style is printed unchanged."""
    summary = sample_summary(users=(1, 8), skews=("uniform",))
    for cell in summary["cells"]:
        cell["skew"] = "file:[bold]a[/nonsense] password=hunter2"

    text = shown(summary, width=200)

    assert "[bold]a[/nonsense]" in text
    assert "hunter2" not in text
