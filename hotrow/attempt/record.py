"""The record of one attempt: the piece of data that every part of hotrow shares.

An attempt is one try of a transaction, from BEGIN to COMMIT. It is stored as 64 little-endian bytes.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import NotRequired, TypedDict

import numpy as np

from hotrow.keys import MAX_KEYS

FORMAT = 1
"""The version of the record. History: 1 — first format."""

NO_KEY = MAX_KEYS
"""The `key` of an attempt that writes no keys."""


MAX_CELLS = 0x1_0000
"""The record stores the cell in two bytes."""
MAX_ATTEMPT = 0xFFFF
"""The record stores an attempt's number in two bytes; later attempts of a transaction get this one."""


class Outcome(IntEnum):
    """How one attempt ended."""

    COMMITTED = 0
    CONFLICT = 1
    """SQLSTATE 40001, marker OC000 or PostgreSQL's own serialization failure."""
    SCHEMA_CONFLICT = 2
    """SQLSTATE 40001, marker OC001."""
    DEADLOCK = 3
    """SQLSTATE 40P01."""
    REJECTED = 4
    """The business rule refused the work; rolled back on purpose."""
    ERROR = 5
    """Any other SQLSTATE or an error of the client; certainly not committed."""
    UNKNOWN = 6
    """The connection broke, or XX000 came, while COMMIT was in flight: it may have committed or not."""


RETRYABLE = frozenset({Outcome.CONFLICT, Outcome.SCHEMA_CONFLICT, Outcome.DEADLOCK})
"""Outcomes after which nothing was applied and the same transaction may be retried."""


class Marker(IntEnum):
    """The cause that Aurora DSQL writes at the end of a 40001 message."""

    NONE = 0
    OC000 = 1
    OC001 = 2


class Flag(IntFlag):
    """Bits of `flags`."""

    FINAL = 1
    """The transaction ended with this attempt. A transaction without a final attempt was cut off."""
    RESOLVED = 2
    """The answer to COMMIT was lost, and a look-up of the receipt showed the outcome: COMMITTED, or ERROR if
    nothing was applied and a retry is safe. `commit` includes the time of the look-up."""


ATTEMPT = np.dtype(
    [
        ("scheduled", "<i8"),  # ns since the worker's anchor: when the transaction was due
        ("started", "<i8"),  # ns since the worker's anchor: just before BEGIN was sent
        # ns of BEGIN as a round trip of its own, in old runs; 0 today, since `body` includes BEGIN
        ("begin", "<f4"),
        ("body", "<f4"),  # ns from BEGIN to just before COMMIT
        # ns of COMMIT, or of the ROLLBACK instead of it; if its answer was lost, with the look-up
        ("commit", "<f4"),
        ("backoff", "<f4"),  # ns that the policy waited before this attempt
        ("connect", "<f4"),  # ns waited for a connection before this attempt
        ("transaction", "<u4"),  # number of the transaction, counted by the worker from 0
        ("key", "<u4"),  # hottest key of the write set, or NO_KEY
        ("user", "<u4"),  # number of the user within the worker
        ("worker", "<u2"),
        ("cell", "<u2"),
        ("attempt", "<u2"),  # 1 is the first try
        ("sqlstate", "S5"),
        ("outcome", "u1"),
        ("marker", "u1"),
        ("flags", "u1"),
        ("kind", "u1"),  # index of the scenario's kind of transaction; 0 if it names none
        ("region", "u1"),  # index of the target's region; 0 if it has one
    ]
)
"""One attempt. Durations are float32 nanoseconds: a relative error of 6e-8, and no limit of 4.3 s."""


class AttemptFields(TypedDict):
    """The fields of an attempt that the attempt loop knows.

    `scheduled_ns` and `started_ns` are readings of `time.perf_counter_ns()`; the other times are durations.
    `sqlstate` is empty if there was none.
    """

    transaction: int
    attempt: int
    scheduled_ns: int
    started_ns: int
    body_ns: float
    commit_ns: float
    backoff_ns: float
    connect_ns: float
    key: int
    kind: NotRequired[int]
    outcome: int
    marker: int
    sqlstate: str
    flags: int
