"""The outcome of an attempt from SQLSTATE, marker and phase."""

from __future__ import annotations

import pytest

from hotrow.attempt.outcome import Phase, classify, commit_tag_outcome, marker_of
from hotrow.attempt.record import Marker, Outcome

CONFLICT_TEXTS = [
    "change conflicts with another transaction (OC000)",
    "change conflicts with another transaction, please retry: (OC000)",
    "mutation conflicts with another transaction, retry as needed (OC000)",
]


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("message", CONFLICT_TEXTS)
def test_data_conflict(phase: Phase, message: str) -> None:
    """40001 with OC000 is a conflict in every phase, whatever the wording around the marker."""
    assert classify(phase, "40001", message, lost=False) == (Outcome.CONFLICT, Marker.OC000)


@pytest.mark.parametrize("phase", Phase)
def test_schema_conflict(phase: Phase) -> None:
    """40001 with OC001 is a schema conflict in every phase."""
    message = "schema has been updated by another transaction (OC001)"

    assert classify(phase, "40001", message, lost=False) == (Outcome.SCHEMA_CONFLICT, Marker.OC001)


@pytest.mark.parametrize(
    "message",
    ["could not serialize access due to concurrent update", "", "(OC000) was the cause", "x (OC002)"],
)
def test_conflict_without_a_marker(message: str) -> None:
    """40001 whose message does not end in a known marker is a conflict, as on PostgreSQL."""
    assert classify(Phase.BODY, "40001", message, lost=False) == (Outcome.CONFLICT, Marker.NONE)


@pytest.mark.parametrize(
    ("sqlstate", "expected"),
    [("OC000", (Outcome.CONFLICT, Marker.OC000)), ("OC001", (Outcome.SCHEMA_CONFLICT, Marker.OC001))],
)
def test_marker_as_sqlstate(sqlstate: str, expected: tuple[Outcome, Marker]) -> None:
    """A marker that comes as the SQLSTATE itself counts as at the end of a 40001, and over the message."""
    assert expected == classify(Phase.COMMIT, sqlstate, "no marker here (OC002)", lost=False)


def test_white_space_after_the_marker() -> None:
    """White space after the marker is allowed, other text is not."""
    assert (marker_of("text (OC000) \r\n"), marker_of("text (OC000).")) == (Marker.OC000, Marker.NONE)


@pytest.mark.parametrize("sqlstate", ["23505", "25P02", "0A000", "42P01", "54000", None])
def test_the_message_alone_decides_nothing(sqlstate: str | None) -> None:
    """A marker in the message of another SQLSTATE is not a conflict and is not noted."""
    assert classify(Phase.BODY, sqlstate, CONFLICT_TEXTS[0], lost=False) == (Outcome.ERROR, Marker.NONE)


@pytest.mark.parametrize("phase", Phase)
def test_deadlock(phase: Phase) -> None:
    """40P01 is a deadlock."""
    assert classify(phase, "40P01", "deadlock detected", lost=False) == (Outcome.DEADLOCK, Marker.NONE)


@pytest.mark.parametrize(
    ("sqlstate", "lost"),
    [
        (None, True),
        ("57P01", True),
        ("XX000", False),
        ("XX000", True),
        ("08006", False),
        ("40003", False),
        (None, False),
    ],
)
def test_unknown_at_commit(sqlstate: str | None, lost: bool) -> None:
    """If COMMIT was in flight and the server gave no answer, the outcome is unknown."""
    assert classify(Phase.COMMIT, sqlstate, "server unavailable", lost=lost) == (Outcome.UNKNOWN, Marker.NONE)


@pytest.mark.parametrize("phase", [Phase.CONNECT, Phase.BODY])
@pytest.mark.parametrize(
    ("sqlstate", "lost"), [(None, True), ("XX000", False), ("08006", True), (None, False)]
)
def test_lost_before_commit(phase: Phase, sqlstate: str | None, lost: bool) -> None:
    """A connection lost, or XX000, before COMMIT is an error: certainly nothing was committed."""
    assert classify(phase, sqlstate, "server unavailable", lost=lost) == (Outcome.ERROR, Marker.NONE)


@pytest.mark.parametrize("sqlstate", ["23505", "54000", "0A000"])
def test_refused_at_commit(sqlstate: str) -> None:
    """Any other SQLSTATE in answer to COMMIT is an error: the server refused it."""
    assert classify(Phase.COMMIT, sqlstate, "refused", lost=False) == (Outcome.ERROR, Marker.NONE)


def test_an_answer_before_the_loss_counts() -> None:
    """A 40001 that arrived is a conflict even if the connection was gone right after it."""
    assert classify(Phase.COMMIT, "40001", CONFLICT_TEXTS[0], lost=True) == (Outcome.CONFLICT, Marker.OC000)


@pytest.mark.parametrize(
    ("tag", "outcome"),
    [
        ("COMMIT", Outcome.COMMITTED),
        ("ROLLBACK", Outcome.ERROR),
        ("", Outcome.UNKNOWN),
        ("SET", Outcome.UNKNOWN),
        (None, Outcome.UNKNOWN),
    ],
)
def test_commit_tag(tag: str | None, outcome: Outcome) -> None:
    """Only the tag COMMIT is a commit; ROLLBACK, which comes without an error, is certainly none."""
    assert outcome is commit_tag_outcome(tag)
