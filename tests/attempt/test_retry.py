"""Retry policies: their formulas, when they give up, and their text."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from hotrow.attempt.retry import POLICIES, Policy, parse_retry
from hotrow.errors import UsageError

BOUNDS_MS: dict[str, list[tuple[float, float]]] = {
    "immediate": [(0, 0)] * 5,
    "fixed:base=7ms": [(7, 7)] * 5,
    "exponential:base=10ms,cap=100ms": [(10, 10), (20, 20), (40, 40), (80, 80), (100, 100)],
    "equal-jitter:base=10ms,cap=100ms": [(5, 10), (10, 20), (20, 40), (40, 80), (50, 100)],
    "full-jitter:base=10ms,cap=100ms": [(0, 10), (0, 20), (0, 40), (0, 80), (0, 100)],
    "decorrelated:base=10ms,cap=100ms": [(10, 30), (10, 90), (10, 100), (10, 100), (10, 100)],
    "aws-connector": [(1, 1.25), (2, 2.5), (4, 5), (8, 10), (16, 20)],
}


def _delays_s(policy: Policy, failures: int, draws: int) -> np.ndarray:
    """`draws` delays after the n-th failure, each at the end of its own chain of previous delays."""
    rng = np.random.default_rng(7)
    delays = np.empty(draws)
    for draw in range(draws):
        delay_s = 0.0
        for failure in range(1, failures + 1):
            delay_s = policy.delay_s(failure, rng, delay_s)
        delays[draw] = delay_s
    return delays


@pytest.mark.parametrize("failures", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("text", BOUNDS_MS)
def test_bounds(text: str, failures: int) -> None:
    """Delays stay within the formula's bounds and, where it has jitter, come near to both of them."""
    low_s, high_s = (bound / 1000 for bound in BOUNDS_MS[text][failures - 1])
    delays = _delays_s(parse_retry(text), failures, 2000)
    slack_s = 0.02 * (high_s - low_s) + 1e-12

    assert low_s - 1e-12 <= delays.min() <= low_s + (high_s - low_s) * 0.1 + slack_s
    assert high_s - (high_s - low_s) * 0.1 - slack_s <= delays.max() <= high_s + 1e-12


@pytest.mark.parametrize("failures", [1, 3, 5, 10])
@pytest.mark.parametrize("text", [name for name in POLICIES if name != "none"] + ["decorrelated:cap=20ms"])
def test_mean(text: str, failures: int) -> None:
    """The mean delay that the model uses is the mean of the delays drawn, within 5 standard errors."""
    policy = parse_retry(text)
    delays = _delays_s(policy, failures, 4000)
    error_s = delays.std() / math.sqrt(len(delays))

    assert policy.mean_delay_s(failures) == pytest.approx(delays.mean(), abs=5 * error_s + 1e-12)


@pytest.mark.parametrize("text", ["decorrelated:base=0", "decorrelated:base=5ms,cap=5ms"])
def test_mean_of_a_decorrelated_constant(text: str) -> None:
    """If base and cap leave decorrelated no range, its delay and its mean are that constant."""
    policy = parse_retry(text)

    assert (
        policy.base_s == policy.mean_delay_s(4) == policy.delay_s(4, np.random.default_rng(1), policy.base_s)
    )


@pytest.mark.parametrize("name", POLICIES)
def test_many_failures(name: str) -> None:
    """The hundred-thousandth failure is as harmless as the first: no delay above the cap and its jitter."""
    policy = parse_retry(name)

    assert 0 <= policy.delay_s(100_000, np.random.default_rng(1), 1.0) <= 1.25
    assert 0 <= policy.mean_delay_s(100_000) <= 1.25


def test_max_counts_retries() -> None:
    """With max=3 the fourth failure is the last: three retries, four attempts."""
    policy = parse_retry("full-jitter:max=3")

    assert [policy.gives_up(failures, 0.0) for failures in (1, 2, 3, 4)] == [False, False, False, True]


def test_none_never_retries() -> None:
    """`none` gives up at the first failure."""
    assert parse_retry("none").gives_up(1, 0.0)


def test_unlimited() -> None:
    """`max=unlimited` does not give up by count."""
    assert not parse_retry("immediate:max=unlimited").gives_up(10**9, 1e9)


def test_within() -> None:
    """`within` gives up by elapsed time, whichever of it and max comes first."""
    policy = parse_retry("fixed:base=1ms,max=2,within=30s")

    assert [
        policy.gives_up(1, 29.9),
        policy.gives_up(1, 30.0),
        policy.gives_up(3, 0.0),
    ] == [False, True, True]


def test_defaults() -> None:
    """Parameters left out have the documented defaults, and the canonical text shows them."""
    assert [parse_retry(name).spec for name in POLICIES] == [
        "none",
        "immediate:max=10",
        "fixed:base=10ms,max=10",
        "exponential:base=10ms,cap=1s,max=10",
        "equal-jitter:base=10ms,cap=1s,max=10",
        "full-jitter:base=10ms,cap=1s,max=10",
        "decorrelated:base=10ms,cap=1s,max=10",
        "aws-connector:base=1ms,cap=100ms,max=3",
        "budget:ratio=0.2,burst=10,base=10ms,cap=1s,max=10",
    ]


@pytest.mark.parametrize(
    "text",
    [*POLICIES, "full-jitter:base=250us,cap=2m,max=0,within=1.5s", "immediate:max=unlimited,within=30s"],
)
def test_text_round_trip(text: str) -> None:
    """The canonical text is read back as an equal policy."""
    policy = parse_retry(text)

    assert policy == parse_retry(policy.spec)


def test_parameters_are_read() -> None:
    """Each parameter lands in its own field, in any order and with white space around it."""
    policy = parse_retry(" full-jitter: max=unlimited , within=30s, cap=2s,base=3ms ")

    assert Policy("full-jitter", base_s=0.003, cap_s=2.0, max_retries=None, within_s=30.0) == policy


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("full-jitter:cap=1", ["cap", "no unit", "10ms"]),
        ("backoff", ["'backoff'", *POLICIES]),
        ("", [*POLICIES]),
        ("none:max=3", ["max", "none"]),
        ("fixed:cap=1s", ["cap", "base, max, within"]),
        ("full-jitter:base", ["base", "key=value"]),
        ("full-jitter:max=1,max=2", ["max", "twice"]),
        ("full-jitter:max=-1", ["-1", "unlimited"]),
        ("full-jitter:max=1.5", ["1.5", "unlimited"]),
        ("full-jitter:max=" + "9" * 5000, ["unlimited"]),
        ("full-jitter:cap=5ms", ["base=10ms", "cap=5ms"]),
        ("full\njitter", ["unknown policy"]),
    ],
)
def test_refused(text: str, names: list[str]) -> None:
    """A text that is not valid is refused in one line: the option, the fault and what is allowed."""
    with pytest.raises(UsageError) as refusal:
        parse_retry(text)
    line = str(refusal.value)

    assert line.startswith("--retry")
    assert "\n" not in line
    assert [name for name in names if name not in line] == []


def test_policies_are_values() -> None:
    """A policy cannot be changed, and equal texts make equal policies with equal hashes."""
    policy = parse_retry("fixed")
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.base_s = 1.0  # type: ignore[misc]
    assert {policy} == {parse_retry("fixed:base=10ms")}
