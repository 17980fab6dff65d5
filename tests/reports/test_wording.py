"""The notation of numbers and settings."""

from __future__ import annotations

import pytest

from reports.words import wording as words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.5234, "0.523"),
        (3.0, "3"),
        (9.996, "10.0"),
        (84.23, "84.2"),
        (12345.6, "12,346"),
        (None, words.ABSENT),
    ],
)
def test_numbers_have_three_figures_or_are_whole(value: float | None, text: str) -> None:
    """Whole numbers have all digits, and an absent number is a dash."""
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.00001, "<0.01 %"),
        (0.9999, ">99.9 %"),
        (0.0034, "0.34 %"),
        (0.8791, "87.9 %"),
        (None, words.ABSENT),
    ],
)
def test_a_share_is_never_rounded_to_nothing_or_all(value: float | None, text: str) -> None:
    """One conflict in a million attempts is not `0 %`."""
    assert words.share(value) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (
            "postgresql://app:hunter2@db.example/x?sslmode=require",
            "postgresql://app:…@db.example/x?sslmode=require",
        ),
        ("host=db password=hunter2 user=app", "host=db password=… user=app"),
        ("host=db password='hunter2 and more' user=app", "host=db password=… user=app"),
        ("PGPASSWORD=hunter2 hotrow sweep", "PGPASSWORD=… hotrow sweep"),
        ("hotrow sweep --auth-token hunter2 --users 8", "hotrow sweep --auth-token … --users 8"),
        ("--token=hunter2", "--token=…"),
        ("zipf:0.99, 10 tokens of 3 keys", "zipf:0.99, 10 tokens of 3 keys"),
    ],
)
def test_secrets_are_withheld(text: str, kept: str) -> None:
    """They are in a URL, a conninfo, an environment or an option. Ordinary words stay."""
    assert words.redact(text) == kept


def test_secrets_are_withheld_wherever_they_stand() -> None:
    """An entry's name can mark a secret too; numbers and structure stay."""
    value = {"options": {"password": "hunter2", "users": [1, 2]}, "token": None, "n": 3, "t": ("a:b", True)}

    assert words.redact(value) == {
        "options": {"password": "…", "users": [1, 2]},
        "token": None,
        "n": 3,
        "t": ["a:b", True],
    }


@pytest.mark.parametrize(
    ("skew", "text"),
    [
        ("hot", "one hot row"),
        ("hot:1", "one hot row"),
        ("hot:4", "4 equally hot rows"),
        ("uniform", "1,000 uniform keys"),
        ("zipf:0.99", "zipf:0.99 over 1,000 keys"),
    ],
)
def test_skews_are_said_in_words(skew: str, text: str) -> None:
    """The words fit into a sentence about a run."""
    assert words.skew_words({"skew": skew, "keys": 1000}) == text
