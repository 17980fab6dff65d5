"""The outcome of an attempt, from the error of the server or the driver.

It depends on the SQLSTATE, on the marker that Aurora DSQL writes at the end of a 40001 message, and on the
phase. The wording of a message is never read: AWS changed it three times without changing its meaning.
"""

from __future__ import annotations

from enum import Enum, auto
from types import MappingProxyType
from typing import NamedTuple

from hotrow.attempt.record import Marker, Outcome


class Phase(Enum):
    """The part of an attempt that is under way."""

    CONNECT = auto()
    """Until there is a connection."""
    BODY = auto()
    """From BEGIN, which may be sent with the first statement, until COMMIT is sent."""
    COMMIT = auto()
    """From the moment at which COMMIT is sent."""


class Classified(NamedTuple):
    """The outcome that an error means for the attempt, and the cause that Aurora DSQL gave."""

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

    `sqlstate` is None if the error came from the client; `message` is the primary message of the error;
    `lost` is true if the connection was gone afterwards. A 40001 or 40P01 that arrived counts even if the
    connection broke right after it: the server had already said that nothing was applied.
    """
    marker_sent = _MARKER_STATES.get(sqlstate or "")
    if marker_sent is not None or sqlstate == _SERIALIZATION_FAILURE:
        marker = marker_of(message) if marker_sent is None else marker_sent
        return Classified(Outcome.SCHEMA_CONFLICT if marker is Marker.OC001 else Outcome.CONFLICT, marker)
    if sqlstate == _DEADLOCK:
        return Classified(Outcome.DEADLOCK, Marker.NONE)
    if phase is Phase.COMMIT and (lost or _leaves_commit_open(sqlstate)):
        return Classified(Outcome.UNKNOWN, Marker.NONE)
    return Classified(Outcome.ERROR, Marker.NONE)


def marker_of(message: str) -> Marker:
    """The marker at the end of `message`, with or without white space after it; NONE if it has no marker."""
    return _MARKERS.get(message.rstrip()[-_MARKER_LENGTH:], Marker.NONE)


def commit_tag_outcome(tag: str | None) -> Outcome:
    """The outcome of a COMMIT that raised no error, from its command tag.

    PostgreSQL answers the COMMIT of an aborted transaction with `ROLLBACK` and without an error. That is
    ERROR, never COMMITTED. Any other answer shows nothing, so it is UNKNOWN.
    """
    if tag == "COMMIT":
        return Outcome.COMMITTED
    return Outcome.ERROR if tag == "ROLLBACK" else Outcome.UNKNOWN


def _leaves_commit_open(sqlstate: str | None) -> bool:
    """Whether the transaction may have committed or not, after this answer to COMMIT.

    Without a SQLSTATE no answer of the server arrived, for example because of a deadline of the client.
    Aurora DSQL sends XX000 for short disturbances of the service. 40003 (statement completion unknown) and
    class 08 (connection exceptions, such as 08007, transaction resolution unknown) mean it by definition.
    """
    if sqlstate is None:
        return True
    return sqlstate in (_INTERNAL_ERROR, _COMPLETION_UNKNOWN) or sqlstate.startswith(_CONNECTION_EXCEPTIONS)
