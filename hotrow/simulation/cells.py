"""A simulation as a run: a directory with the same files, which every report, check and export reads."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hotrow.attempt.retry import parse_retry
from hotrow.keys.skew import load_skew
from hotrow.keys.spaces import Spaces, lay_out, read_sizes
from hotrow.run.ledger import LedgerWriter, append_event
from hotrow.run.seal import write_seal
from hotrow.simulation.simulate import simulate
from hotrow.simulation.works import DrawnKeys, ScenarioWorks
from hotrow.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from hotrow.run.plan import Cell
    from hotrow.scenario import Scenario
    from hotrow.simulation.works import WorkSource
    from hotrow.simulation.world import Times


def simulate_run(
    directory: Path,
    cells: Iterable[Cell],
    scenario: Scenario,
    *,
    seed: int,
    window: Times,
    outside: Times,
    think_s: float,
) -> None:
    """Simulate every cell, one after another, and write the ledger, the events and the seal of the run.

    Raises:
        UsageError: the scenario's `draw` failed.
        RunError: the files cannot be written.
    """
    start_ns = time.time_ns()
    ledger = LedgerWriter(directory, 0, wall_ns=start_ns, perf_ns=0)
    begin_ns = 0
    try:
        for cell in cells:
            assert cell.duration_s is not None  # noqa: S101 - a simulated cell has one
            world = World(
                users=cell.users,
                works=_works(cell, scenario, directory),
                window=window,
                outside=outside,
                think_s=think_s,
                policy=parse_retry(cell.retry),
                redraw=cell.redraw,
            )
            end_s = cell.warmup_s + cell.duration_s
            for attempts in simulate(world, seed + cell.id, until_s=end_s):
                attempts["cell"] = cell.id
                attempts["scheduled"] += begin_ns
                attempts["started"] += begin_ns
                ledger.extend(attempts)
                ledger.flush()
            measured = {
                "begin_ns": start_ns + begin_ns + round(cell.warmup_s * 1e9),
                "end_ns": start_ns + begin_ns + round(end_s * 1e9),
            }
            append_event(directory, {"event": "window", "cell": cell.id, "users": cell.users, **measured})
            append_event(
                directory,
                {"event": "verdict", "cell": cell.id, "checks": [], "records": {"0": ledger.appended}},
            )
            begin_ns += round((end_s + 1.0) * 1e9)
    finally:
        ledger.close()
    write_seal(directory)


def _works(cell: Cell, scenario: Scenario, directory: Path) -> WorkSource:
    layout = lay_out(load_skew(cell.skew, directory), cell.keys, read_sizes(cell.spaces))
    knobs: Mapping[str, Any] = cell.knobs
    if cell.closed_form and not isinstance(layout, Spaces):
        return DrawnKeys(layout, cell.keys_per_transaction, cell.rows_per_key)
    return ScenarioWorks(type(scenario)(**knobs), layout)
