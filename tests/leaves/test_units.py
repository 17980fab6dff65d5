"""Durations: reading, refusing and writing them."""

from __future__ import annotations

import numpy as np
import pytest

from hotrow.errors import UsageError
from hotrow.units import format_duration, parse_duration_s

READ = {
    "10ms": 0.01,
    "1s": 1.0,
    "2m": 120.0,
    "1.5h": 5400.0,
    "250us": 0.00025,
    ".5s": 0.5,
    " 3ms ": 0.003,
    "0": 0.0,
    "0ms": 0.0,
}


@pytest.mark.parametrize(("text", "seconds"), READ.items())
def test_read(text: str, seconds: float) -> None:
    """A number with its unit is read as exactly the nearest float of its seconds; a bare 0 needs no unit."""
    assert seconds == parse_duration_s(text, option="--retry")


@pytest.mark.parametrize("text", ["1", "1.5", "10"])
def test_unit_is_required(text: str) -> None:
    """A number other than 0 without a unit is refused by one line that names the option and the units."""
    with pytest.raises(UsageError, match=r"^--retry: .* has no unit; .*\bus, ms, s, m, h\b.*$"):
        parse_duration_s(text, option="--retry")


@pytest.mark.parametrize(
    "text", ["", "ms", "-1s", "1e3ms", "1d", "1 ms", "nan", "inf", "1\ns", "9" * 400 + "h"]
)
def test_refused(text: str) -> None:
    """Anything else is refused by one line that names the option."""
    with pytest.raises(UsageError) as refusal:
        parse_duration_s(text, option="--host")
    assert str(refusal.value).startswith("--host: ")
    assert "\n" not in str(refusal.value)


WRITTEN = {
    0.0: "0",
    0.01: "10ms",
    0.0105: "10.5ms",
    1.5: "1.5s",
    90.0: "90s",
    120.0: "2m",
    7200.0: "2h",
    2.5e-7: "0.25us",
}


@pytest.mark.parametrize(("seconds", "text"), WRITTEN.items())
def test_written(seconds: float, text: str) -> None:
    """The largest unit that keeps the number at 1 or more is used; minutes and hours only if whole."""
    assert text == format_duration(seconds)


def test_round_trip() -> None:
    """A written duration is read back as the same float, from nanoseconds to hours."""
    rng = np.random.default_rng(1)
    durations = [float(10.0**power) for power in rng.uniform(-9, 6, 300)] + [60.0 * n for n in range(1, 200)]

    assert durations == [parse_duration_s(format_duration(seconds), option="-") for seconds in durations]
