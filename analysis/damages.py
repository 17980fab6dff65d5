"""What the damage of a run makes doubtful, as findings on a cell or on the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analysis.reading import Damage

_RESTORE = "Restore the run's directory from a copy, or run again."
_SHOWN = 4


def find_in_cell(damage: Damage, cell: int) -> list[Finding]:
    """What is doubtful about one cell; each finding spoils it."""
    found = []
    lost = damage.records.lost.get(cell)
    if lost is not None:
        advice = (
            "Figures of this cell are too low; run it again. Checks that count acknowledgements say nothing."
        )
        found.append(Finding("records_lost", lost, advice, spoils=True))
    impossible = damage.records.impossible.get(cell, 0)
    if impossible:
        message = f"{impossible} records are none that hotrow writes, and count nowhere: the file was damaged"
        found.append(Finding("records_impossible", message, _RESTORE, spoils=True))
    if cell in damage.overlapping:
        message = "its interval overlaps that of another cell, which hotrow never measures at the same time"
        found.append(Finding("windows_overlap", message, _RESTORE, spoils=True))
    return found


def find_in_files(damage: Damage, broken: Mapping[int, str]) -> list[Finding]:
    """What is doubtful about the run as a whole; `broken` says of cells without figures why.

    Each finding spoils the run.
    """
    found = []
    if damage.files:
        names = ", ".join(damage.files[:_SHOWN]) + (", …" if len(damage.files) > _SHOWN else "")
        message = f"files were changed, cut or removed after the run had ended: {names}"
        found.append(Finding("files_changed", message, _RESTORE, spoils=True))
    if damage.unsealed:
        message = (
            "the run did not get to its end, or the end of events.jsonl is missing: files may be incomplete"
        )
        found.append(Finding("not_sealed", message, "Let the run end by itself.", spoils=True))
    if damage.weights:
        message = f"weights of a file: skew are missing, so nothing is expected of it: {damage.weights[0]}"
        found.append(Finding("weights_missing", message, _RESTORE, spoils=True))
    if damage.lines:
        message = f"{damage.lines} lines of events.jsonl or health-*.jsonl cannot be read and were left out"
        found.append(Finding("lines_unreadable", message, _RESTORE, spoils=True))
    if damage.records.strays:
        message = f"{damage.records.strays} records are of no cell of this run: an attempts file was damaged"
        found.append(Finding("records_impossible", message, _RESTORE, spoils=True))
    if broken:
        told = "; ".join(f"cell {cell}: {why}" for cell, why in list(broken.items())[:_SHOWN])
        message = (
            f"the records of {len(broken)} cells contradict each other, so they have no figures ({told})"
        )
        found.append(Finding("cells_broken", message, _RESTORE, spoils=True))
    return found
