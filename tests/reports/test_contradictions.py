"""No two sentences about one run contradict each other, over many random runs with known seeds."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from reports.output.terminal import details, ending
from reports.words.sentences import further_sentences, headline
from reports.words.verdict_lines import banners
from tests.support.sample_summary import RETRY, sample_summary

RUNS = 400
LIMITS = ("hottest_row", "backoff", "conflicts", "errors", "rejected", "latency", "between")


def random_run(seed: int) -> dict[str, Any]:
    """A random run: its shape, limits, goodputs, rejections, give-ups, gates and lost answers."""
    rng = np.random.default_rng(seed)
    retries = (RETRY, "none", "immediate:max=10")[: rng.integers(1, 4)]
    skews = (("hot",), ("uniform", "hot"), ("uniform", "zipf:0.8", "hot"))[rng.integers(3)]
    summary = sample_summary(
        skews=skews,
        users=(1, 4, 16)[: rng.integers(1, 4)],
        retries=retries,
        repeats=int(rng.integers(1, 3)),
        conflicts=("commit", "locks")[int(rng.integers(2))],
        full=bool(rng.integers(2)),
        invalid=bool(rng.integers(2)),
        seed=seed,
    )
    summary["run"]["think_s"] = float(rng.choice([0.0, 0.5]))
    for cell in summary["cells"]:
        _change(cell, rng)
    if rng.random() < 0.3:
        failed = {
            "gate": "--max-p99-ms",
            "cell": 0,
            "limit": 1.0,
            "measured": 2.0,
            "text": "--max-p99-ms 1: 2",
        }
        summary["gates"] = {"limits": {}, "breaches": [failed], "doubts": []}
    return summary


def _change(cell: dict[str, Any], rng: np.random.Generator) -> None:
    name, total = str(rng.choice(LIMITS)), cell["attempts"]["total"]
    shares = dict.fromkeys(LIMITS[1:], 0.1) | {name: 0.5}
    busy = float(rng.uniform(0.85, 1.0)) if name == "hottest_row" else None
    cell["limit"] = {"name": name, "hottest_row_busy": busy, "hottest_row_overlap": None, "user_time": shares}
    cell["usable"] = bool(rng.random() < 0.9)
    scale = float(rng.uniform(0.2, 3.0))
    cell["goodput_per_s"] = {part: scale * value for part, value in cell["goodput_per_s"].items()}
    cell["attempts"]["rejected"] = int(total * rng.choice([0.0, 0.2, 0.9]))
    cell["transactions"]["gave_up"] = int(rng.integers(0, 50))
    lost = int(rng.choice([0, 0, 3]))
    cell["transactions"]["unknown"] = lost
    cell["in_doubt"] = {"total": lost + 2, "applied": 1, "not_applied": 1, "unknown": lost}


def contradictions(summary: dict[str, Any]) -> list[str]:
    """The names of the contradictions between a run's sentences."""
    sentences = [headline(summary), *further_sentences(summary), *details(summary)]
    text = " ".join(sentences)
    return [
        *_growing_and_full(sentences),
        *_think_time(summary, text),
        *_given_up(sentences),
        *_unknown(text),
        *_valid_alone(summary),
        *_quoted(summary, sentences),
        *_shares(text),
    ]


def _growing_and_full(sentences: list[str]) -> list[str]:
    """A line that still grows at a level cannot be limited by a row that is always taken there."""
    held_back = re.compile(r"On (.+?) at [\d,]+ users?, goodput was held back by .*hottest row \(")
    skews = [match[1] for sentence in sentences if (match := held_back.match(sentence))]
    return [
        sentence
        for sentence in sentences
        if "still growing" in sentence
        and any(sentence.startswith(f"On {skew}, ") or f"On {skew} (" in sentence for skew in skews)
    ]


def _think_time(summary: dict[str, Any], text: str) -> list[str]:
    return ["think time"] if "think time" in text and not summary["run"]["think_s"] else []


def _given_up(sentences: list[str]) -> list[str]:
    """`Up to x` is at least as large as the shares in the other sentence on give-ups."""
    most = [
        float(match[1])
        for sentence in sentences
        if (match := re.match(r"Up to ([\d.]+) % of transactions gave", sentence))
    ]
    others = [
        float(share)
        for sentence in sentences
        for part in re.findall(r"transactions given up ([^.]*(?:\.\d[^.]*)*)", sentence)
        for share in re.findall(r"([\d.]+) %", part)
    ]
    return ["given up"] if most and others and max(others) > most[0] + 0.06 else []


def _unknown(text: str) -> list[str]:
    unknown, left = (
        re.search(r"outcome of ([\d,]+) transactions? is unknown", text),
        re.search(r"([\d,]+) (?:is|are) still unknown", text),
    )
    counts = (unknown[1] if unknown else "0", left[1] if left else None)
    return ["unknown"] if counts[1] is not None and counts[0] != counts[1] else []


def _valid_alone(summary: dict[str, Any]) -> list[str]:
    """The word "valid" never stands beside a failed gate or wrong data."""
    states = [banner.severity for banner in banners(summary)]
    wrong = "failed" in states and "Valid:" in ending(summary)
    return (
        ["valid"]
        if wrong or {"valid", "invalid"} <= set(states) or {"valid", "unchecked"} <= set(states)
        else []
    )


def _quoted(summary: dict[str, Any], sentences: list[str]) -> list[str]:
    """Sentences that compare name only levels with comparable cells."""
    fine = {
        cell["users"]
        for cell in summary["cells"]
        if cell["usable"] and cell["attempts"]["rejected"] <= 0.5 * cell["attempts"]["total"]
    }
    named = {
        int(users)
        for sentence in sentences
        if sentence.startswith(("On ", "Conflict rate", "Commits", "The closed", "Up to", "With retries"))
        for users in re.findall(r"(\d+) users?\b", sentence)
    }
    return ["quoted"] if not named <= fine else []


def _shares(text: str) -> list[str]:
    """No share of the time is above 100 %, and a range goes from low to high."""
    over = [
        share for share in re.findall(r"([\d.,]+) % of the (?:time|users' time)", text) if float(share) > 100
    ]
    ranges = re.findall(r"\(taken ([\d.]+) % to ([\d.]+) %", text)
    return [*over, *(f"{low} to {high}" for low, high in ranges if float(low) > float(high))]


@pytest.mark.parametrize("first", range(0, RUNS, 100))
def test_no_two_sentences_contradict_each_other(first: int) -> None:
    """A failure has the seed of each run that contradicts itself."""
    contradicting = {
        seed: names for seed in range(first, first + 100) if (names := contradictions(random_run(seed)))
    }

    assert contradicting == {}


def test_the_runs_are_of_many_sorts() -> None:
    """Each sentence occurs in some run, so the test above can fail."""
    text = "\n".join(
        " ".join([headline(run), *further_sentences(run), ending(run)])
        for run in map(random_run, range(RUNS))
    )

    for words in (
        "still growing",
        "was highest at",
        "the hottest row",
        "think time",
        "gave up",
        "transactions given up",
        "still unknown",
        "goodput was held back by",
        "is unknown",
        "gate failed",
        "there is nothing to compare",
        "No cell is usable",
        "rejected most attempts",
    ):
        assert words in text, words


def test_a_contradiction_is_found() -> None:
    """The checks recognise sentences that contradict each other."""
    sentences = [
        "On one hot row, goodput was still growing at 16 users (10/s).",
        "On one hot row at 16 users, goodput was held back by the hottest row (taken 98 % of the time).",
    ]

    assert _growing_and_full(sentences)
    assert _given_up(
        ["Up to 3.0 % of transactions gave up (at x).", "On x, transactions given up 1.0 % (a) to 5.0 % (b)."]
    )
    assert _unknown("The outcome of 3 transactions is unknown. 1 is still unknown.")
    assert _shares("(taken 312 % of the time)")
