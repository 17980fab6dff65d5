"""What run.json says about the database behind a tap."""

from __future__ import annotations

import pytest

from hotrow.tap.tap_targets import describe
from hotrow.targets.target import parse_target


@pytest.mark.parametrize(
    ("to", "label", "isolation"),
    [
        ("postgresql://u:secret@db/x", "postgresql db", "chosen by the program"),
        ("local", "local (rtt 2ms, commit 5ms)", "repeatable read"),
    ],
)
def test_the_program_s_isolation_level_is_not_claimed(to: str, label: str, isolation: str) -> None:
    """Only the stand-in has one level. The tap does not send BEGIN."""
    facts = describe(parse_target(to))

    assert (facts["label"], facts["isolation"]) == (label, isolation)
    assert "begin" not in facts
