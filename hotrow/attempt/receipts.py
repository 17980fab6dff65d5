"""Receipts: how a client finds out what a COMMIT did whose answer it never got.

With `--receipts` every transaction inserts one row into `hotrow_receipt`, under an id of its own, beside what
the scenario writes: both are applied or neither is. After an attempt whose outcome is unknown, `settle` asks
for that id on a new connection. Where it is there the transaction is committed. Where it is not, that alone
would prove nothing: the COMMIT may still be under way on the server and land after the look-up. So the
look-up inserts the id itself, as a tombstone, and commits.

Why its answer is final. Let T be the transaction in doubt and V the look-up. Both insert the same primary
key, so at most one of them can ever commit, whatever the server does with T and whenever:

- V commits: T had not committed (V's INSERT would have failed with 40001 or 23505), and never will: its own
  INSERT now fails in the same way. Nothing was applied, and the transaction may be tried again.
- V sees the id with `applied` true: T has committed. Nobody else writes that.
- V sees the id with `applied` false: an earlier try of this look-up committed its tombstone and lost the
  answer. As V commits.
- V fails, in whatever way: nothing is known yet, and it is tried again, until `PATIENCE_S` have passed.

It rests on the primary key alone, not on timing: it holds where the second committer loses (Aurora DSQL, the
stand-in) and where the second writer waits for the first (row locks). A tombstone uses its id up, so the
next try of the transaction writes a new one; tries after ordinary conflicts keep theirs, because at most one
of them can commit.

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
_BURY = "INSERT INTO hotrow_receipt (id, applied) VALUES ($1, false)"

PATIENCE_S = 20.0
"""How long a look-up may take in all. Locust gives a user 30 s to finish in, a cell 60 s to drain."""
TRY_S = 5.0
"""How long one try of it may take, connecting included: an answer may be lost once more, without a word."""
_BACKOFF = parse_retry("full-jitter:base=50ms,cap=1s,max=unlimited")
"""Between two tries; jittered, because whatever broke one connection may have broken all at once."""

_NAME = struct.Struct("<III")


@dataclass(frozen=True, slots=True)
class Receipts:
    """What one user needs for its receipts: who it is, and how it lets time pass."""

    worker: int
    rng: np.random.Generator
    """For the jitter between two tries of a look-up."""
    sleep: Callable[[float], None]
    """Seconds; unlike the client's `pause` it goes on where the cell closes meanwhile."""
    clock_s: Callable[[], float]
    time_limit: Callable[[float], AbstractContextManager[object]]
    """Raises an `Exception` out of its block after so many seconds."""

    def id_of(self, transaction: int, buried: int) -> str:
        """The receipt of a transaction of this worker of which `buried` receipts were used up.

        32 hexadecimal digits, as `uuid` takes them. A transaction's number is unique in its worker, and a
        worker's in the run, whose schema holds the table; so is the id, up to a collision of 128-bit hashes.
        It can be told from the ledger alone, and spreads over the key space, so that neighbouring
        transactions do not meet in one partition.
        """
        name = _NAME.pack(self.worker, transaction, buried)
        return hashlib.blake2b(name, digest_size=16).hexdigest()

    def settle(self, connections: Connections, receipt: str) -> bool | None:
        """Whether the transaction of this receipt was applied; final, as the module says.

        None where no answer came within `PATIENCE_S`. Every try has a connection of its own: what the last
        one left behind on its server, or on its way there, is none of this one's business.
        """
        deadline_s = self.clock_s() + PATIENCE_S
        failures = 0
        while (left_s := deadline_s - self.clock_s()) > 0:
            connections.close()
            try:
                with self.time_limit(min(TRY_S, left_s)):
                    return _ask(connections.session(), receipt)
            except Exception:  # noqa: BLE001 - whatever it was, only an answer is an answer
                failures += 1
                self.sleep(_BACKOFF.delay_s(failures, self.rng, 0.0))
        connections.close()
        return None


def _ask(session: TransactionSession, receipt: str) -> bool:
    """One try: read the receipt, and bury it where it is not there.

    Raises:
        Exception: the driver's, or TargetError: this try found out nothing.
    """
    session.begin()
    found = session.execute(_READ, receipt).rows
    if found:
        session.rollback()
        return bool(found[0][0])
    session.execute(_BURY, receipt)
    tag = session.commit()
    if tag != "COMMIT":
        raise TargetError(f"COMMIT of a look-up answered {tag!r}")
    return False


def check_receipts(receipts: int, tally: Tally) -> Verdict:
    """Judge one cell by the receipts it left."""
    return applied_once("one receipt for each acknowledged transaction", receipts, tally)
