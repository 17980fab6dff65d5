"""What really happened: the witnesses in the database, compared with the records in a run's directory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import psycopg

from hotrow.attempt.record import ATTEMPT, Flag, Outcome
from hotrow.run.ledger import HEADER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SCHEMA = "hotrow_chaos"


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the client: commit times of its witnesses (server clock, s), and its records' counts."""

    committed_s: Sequence[float]
    acknowledged: int
    unknown: int

    @property
    def lost(self) -> int:
        """The number of commits without a record, even one with an unknown outcome."""
        return max(0, len(self.committed_s) - self.acknowledged - self.unknown)

    @property
    def lost_s(self) -> float:
        """The time span in s of the lost commits: the last ones, because records are written in order."""
        return self.committed_s[-1] - self.committed_s[-self.lost] if self.lost else 0.0

    @property
    def invented(self) -> int:
        """The number of acknowledged commits that are not in the database."""
        return max(0, self.acknowledged - len(self.committed_s))


def make_witnesses(dsn: str, table: str) -> None:
    """Create a table that runs write to and never drop."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}".encode())
        connection.execute(b"SET hotrow.adopt = off")
        connection.execute(
            f"CREATE TABLE {SCHEMA}.{table} (id uuid PRIMARY KEY, pid integer NOT NULL,"
            " at timestamptz NOT NULL DEFAULT clock_timestamp())".encode()
        )
        connection.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO public".encode())
        connection.execute(f"GRANT SELECT, INSERT ON {SCHEMA}.{table} TO public".encode())


def read_truth(dsn: str, table: str, directory: Path | None) -> dict[int, Process]:
    """Every process that committed or wrote records, by process id."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            f"SELECT pid, extract(epoch FROM at)::float8 FROM {SCHEMA}.{table} ORDER BY at".encode()
        )
        witnesses: dict[int, list[float]] = {}
        for pid, at in rows:
            witnesses.setdefault(pid, []).append(at)
    records = (
        {} if directory is None else dict(_read_records(path) for path in directory.glob("attempts-*.bin"))
    )
    return {
        pid: Process(witnesses.get(pid, []), *records.get(pid, (0, 0)))
        for pid in witnesses.keys() | records.keys()
    }  # fmt: skip


def _read_records(path: Path) -> tuple[int, tuple[int, int]]:
    """The process id of a file of records, and its (acknowledged, unknown) numbers of commits."""
    raw = path.read_bytes()
    if len(raw) < HEADER.itemsize:
        return 0, (0, 0)
    header = np.frombuffer(raw, dtype=HEADER, count=1)[0]
    whole = (len(raw) - HEADER.itemsize) // ATTEMPT.itemsize
    attempts = np.frombuffer(raw, dtype=ATTEMPT, count=whole, offset=HEADER.itemsize)
    final = (attempts["flags"] & Flag.FINAL) != 0
    committed = int(np.count_nonzero(final & (attempts["outcome"] == Outcome.COMMITTED)))
    unknown = int(np.count_nonzero(attempts["outcome"] == Outcome.UNKNOWN))
    return int(header["pid"]), (committed, unknown)
