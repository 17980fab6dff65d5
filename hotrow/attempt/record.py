"""The record of one attempt: the one piece of data that every part of hotrow shares.

An attempt is one BEGIN…COMMIT try of a transaction. It is stored as 64 little-endian bytes.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

import numpy as np

from hotrow.keys import MAX_KEYS

FORMAT = 1
"""Version of the record. History: 1 — first format."""

NO_KEY = MAX_KEYS
"""`key` of an attempt whose write set was empty."""


CELLS_MAX = 0x1_0000
"""The record counts cells in two bytes."""


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
    """The business rule said no; rolled back on purpose."""
    ERROR = 5
    """Any other SQLSTATE or client error; certainly not committed."""
    UNKNOWN = 6
    """The connection was lost, or XX000 came, while COMMIT was in flight: nobody knows."""


RETRYABLE = frozenset({Outcome.CONFLICT, Outcome.SCHEMA_CONFLICT, Outcome.DEADLOCK})
"""Outcomes after which nothing was applied and the same transaction may be tried again."""


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
    """COMMIT's answer was lost, and the receipt told what it did: the outcome is COMMITTED, or ERROR where
    nothing was applied (and the transaction may be tried again). `commit` holds the look-up too."""


ATTEMPT = np.dtype(
    [
        ("scheduled", "<i8"),  # ns since the worker's anchor: when the transaction was due
        ("started", "<i8"),  # ns since the worker's anchor: just before BEGIN was sent
        (
            "begin",
            "<f4",
        ),  # ns that BEGIN took as a round trip of its own; 0: it went with the first statement
        ("body", "<f4"),  # ns from after BEGIN to just before COMMIT
        (
            "commit",
            "<f4",
        ),  # ns that COMMIT (or the closing ROLLBACK) took, and where its answer was lost the look-up
        ("backoff", "<f4"),  # ns waited on purpose before this attempt
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
        ("kind", "u1"),  # which of the scenario's transaction kinds; 0 where it has one
        ("region", "u1"),  # which of the target's regions; 0 where it has one
    ]
)
"""One attempt. Durations are float32 nanoseconds: a relative error of 6e-8, and no ceiling at 4.3 s."""
