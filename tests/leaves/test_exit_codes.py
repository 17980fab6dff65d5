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
    """2 (error), 3 (wrong data), 1 (failed gate), 4 (unusable run). An unknown code counts as an error."""
    assert worst(codes) == expected


def test_an_error_of_hotrow_is_returned_unchanged() -> None:
    """It has its exit code and its one line already."""
    error = UsageError("--keys 0: must be a whole number from 1")

    assert in_a_line(error) is error


def test_any_other_error_becomes_one_line_with_its_origin() -> None:
    """The line has the type, the text without line ends, the file and the line; the exit code is 2."""

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
