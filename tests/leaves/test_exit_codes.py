"""The worst of several exit codes, and errors in one line."""

from __future__ import annotations

import pytest

from hotrow.errors import HotrowError, UsageError, in_a_line
from hotrow.exit_codes import worst


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([], 0), ([0, 0], 0), ([0, 4], 4), ([4, 1], 1), ([1, 3], 3), ([3, 2], 2), ([0, -9], 2), ([0, 130], 2)],
)
def test_worst(codes: list[int], expected: int) -> None:
    """An error, then wrong data, a failed gate, an unusable run; what is none of ours counts as an error."""
    assert worst(codes) == expected


def test_an_error_of_ours_is_its_own_line() -> None:
    """Its exit code and text stay."""
    error = UsageError("--keys 0: must be a whole number from 1")

    assert in_a_line(error) is error


def test_any_other_error_becomes_one_line_that_says_where() -> None:
    """Type, text without line ends, file and line; exit code 2."""

    def break_it() -> None:
        raise ValueError("first\n  second")

    with pytest.raises(ValueError, match="first") as caught:
        break_it()
    line = in_a_line(caught.value)

    assert isinstance(line, HotrowError)
    assert line.exit_code == 2
    assert "ValueError: first second" in str(line)
    assert "test_exit_codes.py:" in str(line)
    assert "\n" not in str(line)
