"""Receipts: how a client finds out whether a COMMIT was applied when its answer was lost.

With `--receipts` every transaction inserts one row into `hotrow_receipt`, under an id of its own, together
with the scenario's writes: both are applied or neither is. If the outcome of an attempt is unknown,
`look_up` reads that id on a new connection. If the row exists, the transaction has committed. If it does not
exist, that alone proves nothing: the COMMIT may still be under way on the server and take effect after the
look-up. So the look-up inserts the id itself, as a tombstone, and commits.

Why the answer is final. Let T be the transaction in doubt and V the look-up. Both insert the same primary
key, so at most one of them can ever commit, whatever the server does with T and whenever:

- V commits. Then T has not committed, or V's INSERT would have failed with 40001 or 23505. T never will
  commit, because its own INSERT now fails in the same way. Nothing was applied, and a retry is safe.
- V reads the id with `applied` true. Then T has committed: nobody else writes that.
- V reads the id with `applied` false. Then an earlier try of this look-up committed its tombstone and lost
  the answer. The result is the same as if V commits.
- V fails, in any way. Then nothing is known yet, and the look-up tries again until `PATIENCE_S` have passed.

The proof depends on the primary key only, not on timing. It holds if the second committer loses (Aurora DSQL,
the stand-in) and if the second writer waits for the first (row locks). A tombstone takes the id, so the next
attempt of the transaction writes a new one. Attempts after ordinary conflicts keep their id, because at most
one of them can commit.

Source: Aurora DSQL's advice for a lost answer to COMMIT, a receipt in the same transaction; the tombstone is
the standard remedy for the delayed message (the "fencing" of Kleppmann, Designing Data-Intensive
Applications, 2017, ch. 8).
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hotrow.attempt.retry import parse_retry
from hotrow.errors import TargetError
from hotrow.scenario import applied_once

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import numpy as np

    from hotrow.attempt.ports import Connections, TransactionSession
    from hotrow.scenario import Tally, Verdict

TABLE = "CREATE TABLE hotrow_receipt (id uuid PRIMARY KEY, applied boolean NOT NULL)"
"""`applied` is false in a tombstone."""
WRITE = "INSERT INTO hotrow_receipt (id, applied) VALUES ($1, true)"
COUNT = "SELECT count(*) FROM hotrow_receipt WHERE applied"
_READ = "SELECT applied FROM hotrow_receipt WHERE id = $1"
_WRITE_TOMBSTONE = "INSERT INTO hotrow_receipt (id, applied) VALUES ($1, false)"

PATIENCE_S = 20.0
"""How long a look-up may take in all. Locust gives a user 30 s to finish, and a cell has 60 s to drain."""
TRY_S = 5.0
"""How long one try may take, with connecting: its answer may be lost too, without an error."""
_BACKOFF = parse_retry("full-jitter:base=50ms,cap=1s,max=unlimited")
"""The wait between two tries. It has jitter, because one fault may have broken all connections at once."""

_NAME = struct.Struct("<III")


@dataclass(frozen=True, slots=True)
class Receipts:
    """The receipts of one user: its worker, random generator and clock."""

    worker: int
    rng: np.random.Generator
    """The random generator for the jitter between two tries of a look-up."""
    sleep: Callable[[float], None]
    """Sleeps for this many seconds; unlike the client's `pause` it goes on if the cell closes."""
    clock_s: Callable[[], float]
    time_limit: Callable[[float], AbstractContextManager[object]]
    """A context manager that raises an `Exception` out of its block after this many seconds."""

    def id_of(self, transaction: int, receipts_spent: int) -> str:
        """The receipt id of a transaction of this worker, after tombstones took `receipts_spent` of its ids.

        The id has 32 hexadecimal digits, as `uuid` takes them. It is unique in the run, up to a collision of
        128-bit hashes, because the number of a transaction is unique in its worker. It can be calculated from
        the ledger. It is a hash, so that the ids of consecutive transactions spread over the key space.
        """
        name = _NAME.pack(self.worker, transaction, receipts_spent)
        return hashlib.blake2b(name, digest_size=16).hexdigest()

    def look_up(self, connections: Connections, receipt: str) -> bool | None:
        """Whether the transaction of this receipt was applied; None without an answer in `PATIENCE_S`.

        The answer is final, as the module's docstring shows. Every try has a new connection, so that nothing
        that an earlier try left on the server or on the way there disturbs it.
        """
        deadline_s = self.clock_s() + PATIENCE_S
        failures = 0
        while (left_s := deadline_s - self.clock_s()) > 0:
            connections.close()
            try:
                with self.time_limit(min(TRY_S, left_s)):
                    return _look_up_once(connections.session(), receipt)
            except Exception:  # noqa: BLE001 - only an answer ends the look-up
                failures += 1
                self.sleep(_BACKOFF.delay_s(failures, self.rng, 0.0))
        connections.close()
        return None


def _look_up_once(session: TransactionSession, receipt: str) -> bool:
    """Read the receipt; if it does not exist, write a tombstone.

    Raises:
        Exception: the driver's error, or TargetError: this try found out nothing.
    """
    session.begin()
    rows = session.execute(_READ, receipt).rows
    if rows:
        session.rollback()
        return bool(rows[0][0])
    session.execute(_WRITE_TOMBSTONE, receipt)
    tag = session.commit()
    if tag != "COMMIT":
        raise TargetError(f"COMMIT of a look-up answered {tag!r}")
    return False


def check_receipts(receipts: int, tally: Tally) -> Verdict:
    """Judge one cell by the number of receipts that it left."""
    return applied_once("one receipt for each acknowledged transaction", receipts, tally)
