"""The parsers turn any text into a value or into one line, within a short time."""

from __future__ import annotations

import random

import pytest

from tests.support.parser_fuzz import PARSERS, refused, text_for


@pytest.mark.parametrize("name", PARSERS)
def test_right_texts(name: str) -> None:
    """The fuzzing starts from accepted texts, except for a missing file and a duplicate."""
    parser = PARSERS[name]

    assert {text for text in parser.right if refused(parser, text)} <= {"hot,hot:3", "file:nowhere.csv"}


@pytest.mark.parametrize("name", PARSERS)
def test_any_text(name: str) -> None:
    """500 texts with typing errors; `python -m bench.fuzz_parsers` tries 100,000."""
    rng = random.Random(name)  # noqa: S311 - random texts, no secrets
    tried = [refused(PARSERS[name], text_for(PARSERS[name], rng)) for _ in range(500)]

    assert any(tried)


@pytest.mark.parametrize("name", PARSERS)
def test_huge_texts(name: str) -> None:
    """A million pieces, digits among them, which Python itself refuses or reads in quadratic time."""
    rng = random.Random(name)  # noqa: S311 - random texts, no secrets

    assert all(refused(PARSERS[name], text_for(PARSERS[name], rng, huge=1_000_000)) for _ in range(5))
