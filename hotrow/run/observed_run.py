"""The plan of a run whose load comes from a program that hotrow does not know: one cell, few settings."""

from __future__ import annotations

from hotrow.run.plan import Cell

OBSERVED = "observed"
"""The `loop` of such a run, and the skew and the retry policy of its cell: they are not known."""


def observed_cell(name: str) -> Cell:
    """The cell of a run with this name. The number of users is known only at its end."""
    return Cell(
        id=0,
        scenario=name,
        skew=OBSERVED,
        keys=1,
        users=1,
        retry=OBSERVED,
        redraw=False,
        repeat=1,
        knobs={},
        keys_per_transaction=0,
        rows_per_key=1,
        closed_form=False,
        warmup_s=0.0,
        duration_s=None,
    )
