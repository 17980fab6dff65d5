"""The cell that follows from options that were changed during a run."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from hotrow.errors import UsageError
from hotrow.run.options import OPTIONS, REDRAW, RETRY, SKEW, WARMUP
from hotrow.units import as_typed

if TYPE_CHECKING:
    from hotrow.load.current_run import CurrentRun
    from hotrow.load.locust_options import Request
    from hotrow.run.plan import Cell

OF_A_CELL = frozenset(option.locust_name for option in (SKEW, RETRY, REDRAW, WARMUP))
"""The options, beside the number of users, that can change during a run."""
_FLAGS = MappingProxyType({option.locust_name: option.flag for option in OPTIONS})
_OF_THE_LOAD = frozenset({"num_users", "spawn_rate", "run_time"})


def edited_cell(run: CurrentRun, request: Request, cell: Cell) -> Cell | None:
    """The next cell of a run, by the options as they are now; None if they ask for the open cell.

    Args:
        run: the run, with an open cell.
        request: the request that the options describe.
        cell: the only cell of that request.

    Raises:
        UsageError: an option that holds for the whole run was changed.
    """
    _refuse_changes(run.request, request)
    current = run.cells[-1]
    if _point(cell) == _point(current):
        return None
    same = sum(_point(other) == _point(cell) for other in run.cells)
    return replace(cell, id=len(run.cells), repeat=same + 1)


def _point(cell: Cell) -> Cell:
    """The cell without its number, for comparison."""
    return replace(cell, id=0, repeat=0)


def _refuse_changes(old: Request, new: Request) -> None:
    before = {**old.options, "no_report": old.no_report}
    for name, text in {**new.options, "no_report": new.no_report}.items():
        if name not in OF_A_CELL | _OF_THE_LOAD and text != before.get(name):
            flag = _FLAGS.get(name, "--" + name.replace("_", "-"))
            was, wish = (as_typed(str(value)) for value in (before.get(name), text))
            raise UsageError(f"{flag} {wish}: cannot change during a run (it is {was}); stop the run first")
