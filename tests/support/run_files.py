"""Run directories, written attempt by attempt, for the tests of `report` and `check`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hotrow.attempt.record import FORMAT, Outcome
from hotrow.run.ledger import LedgerWriter, append_event, append_health
from tests.support.measured import WALL_NS, cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

MS = 1_000_000


def write_run(
    directory: Path,
    *,
    options: Mapping[str, Any] | None = None,
    gates: Sequence[Mapping[str, Any]] = (),
    committed: int = 150,
    conflicts: int = 50,
    errors: Sequence[str] = (),
    checks: Sequence[Mapping[str, Any]] = (),
    skew: str = "uniform",
) -> Path:
    """Write a run of one cell that lasts one second; return its directory.

    It has `committed` commits, `conflicts` conflicts, and one error for each SQLSTATE in `errors`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    target = {"kind": "local", "label": "local", "conflicts": "commit", "latency": None}
    facts = {"server_version": "18", "isolation": "repeatable read", "regions": []}
    meta = {"format": FORMAT, "scenario": "counter", "loop": "closed", "think_s": 0.0, "seed": 1}
    description = {
        **meta,
        "options": dict(options or {}),
        "gates": list(gates),
        "target": {**target, **facts},
        "cells": [cell(skew=skew)],
    }
    (directory / "run.json").write_text(json.dumps(description))
    ends = [(Outcome.COMMITTED, "")] * committed + [(Outcome.CONFLICT, "40001")] * conflicts
    ends += [(Outcome.ERROR, sqlstate) for sqlstate in errors]
    write_attempts(directory, [(number * MS, *end) for number, end in enumerate(ends)])
    append_event(
        directory, {"event": "window", "cell": 0, "begin_ns": WALL_NS, "end_ns": WALL_NS + 1000 * MS}
    )
    append_event(directory, {"event": "verdict", "cell": 0, "checks": list(checks)})
    append_health(directory, 0, {"wall_ns": WALL_NS + 990 * MS, "cell": 0, "lag_ms": 1.0, "cpu": 0.2})
    return directory


def violated(count: int, **first: Any) -> dict[str, Any]:
    """A failed check with `count` violations, all of them like `first`."""
    violations = {"count": count, "first": first, "worst": first, "last": first}
    return {"name": "no money was made", "valid": False, "details": {}, **violations}


def write_attempts(
    directory: Path, attempts: Iterable[tuple[int, Outcome, str]], wall_ns: int = WALL_NS
) -> None:
    """Write the ledger of one worker.

    Each attempt is (start in ns after `wall_ns`, outcome, SQLSTATE) and a transaction of its own. It takes
    2 ms in its body and 5 ms in COMMIT.
    """
    writer = LedgerWriter(directory, 0, wall_ns=wall_ns, perf_ns=0)
    for number, (started_ns, outcome, sqlstate) in enumerate(attempts):
        writer.append(
            transaction=number,
            attempt=1,
            scheduled_ns=started_ns,
            started_ns=started_ns,
            begin_ns=0.0,
            body_ns=2e6,
            commit_ns=5e6,
            backoff_ns=0,
            connect_ns=0,
            key=0,
            user=0,
            cell=0,
            outcome=outcome,
            marker=0,
            sqlstate=sqlstate,
            flags=1,
        )
    writer.close()
