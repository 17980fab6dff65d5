"""From what the server or the driver said to the outcome of an attempt.

Decided by SQLSTATE, by the marker that Aurora DSQL writes at the end of a 40001 message, and by the phase.
The wording of a message is never read: AWS changed it three times without changing its meaning.
"""

from __future__ import annotations

from enum import Enum, auto
from types import MappingProxyType
from typing import NamedTuple

from hotrow.attempt.record import Marker, Outcome


class Phase(Enum):
    """Which part of an attempt was under way."""

    BEGIN = auto()
    """Up to and with BEGIN, connecting included."""
    BODY = auto()
    """After BEGIN was answered and before COMMIT is sent."""
    COMMIT = auto()
    """From the moment COMMIT is sent."""


class Classified(NamedTuple):
    """What an error means for the attempt, and the cause that DSQL gave."""

    outcome: Outcome
    marker: Marker


_MARKERS = MappingProxyType({"(OC000)": Marker.OC000, "(OC001)": Marker.OC001})
_MARKER_LENGTH = 7
_MARKER_STATES = MappingProxyType({"OC000": Marker.OC000, "OC001": Marker.OC001})
_SERIALIZATION_FAILURE = "40001"
_DEADLOCK = "40P01"
_INTERNAL_ERROR = "XX000"
_COMPLETION_UNKNOWN = "40003"
_CONNECTION_EXCEPTIONS = "08"


def classify(phase: Phase, sqlstate: str | None, message: str, lost: bool) -> Classified:
    """The outcome of an attempt that ended in an error.

    `sqlstate` is None where the error came from the client; `message` is the primary message of the error;
    `lost` says that the connection was gone afterwards. A 40001 or 40P01 that did arrive is believed even on
    a connection that broke right after it: the server had already said that nothing was applied.
    """
    stated = _MARKER_STATES.get(sqlstate or "")
    if stated is not None or sqlstate == _SERIALIZATION_FAILURE:
        marker = marker_of(message) if stated is None else stated
        return Classified(Outcome.SCHEMA_CONFLICT if marker is Marker.OC001 else Outcome.CONFLICT, marker)
    if sqlstate == _DEADLOCK:
        return Classified(Outcome.DEADLOCK, Marker.NONE)
    if phase is Phase.COMMIT and (lost or _leaves_commit_open(sqlstate)):
        return Classified(Outcome.UNKNOWN, Marker.NONE)
    return Classified(Outcome.ERROR, Marker.NONE)


def marker_of(message: str) -> Marker:
    """The marker at the end of `message`, white space after it allowed; NONE where there is none."""
    return _MARKERS.get(message.rstrip()[-_MARKER_LENGTH:], Marker.NONE)


def commit_tag_outcome(tag: str | None) -> Outcome:
    """The outcome of a COMMIT that raised no error, from its command tag.

    PostgreSQL answers the COMMIT of an aborted transaction with `ROLLBACK` and without an error: that is
    ERROR, never COMMITTED. Any other answer than these two tells nothing, so it is UNKNOWN.
    """
    if tag == "COMMIT":
        return Outcome.COMMITTED
    return Outcome.ERROR if tag == "ROLLBACK" else Outcome.UNKNOWN


def _leaves_commit_open(sqlstate: str | None) -> bool:
    """Whether this answer to COMMIT leaves open what became of the transaction.

    No SQLSTATE at all means that no verdict of the server arrived (a client deadline, say). XX000 is what
    DSQL's service blips carry. 40003 (statement completion unknown) and class 08 (connection exceptions,
    08007 being "transaction resolution unknown") say it by their definition in SQL.
    """
    if sqlstate is None:
        return True
    return sqlstate in (_INTERNAL_ERROR, _COMPLETION_UNKNOWN) or sqlstate.startswith(_CONNECTION_EXCEPTIONS)
