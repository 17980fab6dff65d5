"""Findings on a run's damaged files: which cells, or the whole run, they make doubtful."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analysis.reading import Damage

_RESTORE = "Restore the run's directory from a copy, or run again."
_MAX_SHOWN = 4


def find_in_cell(damage: Damage, cell: int) -> list[Finding]:
    """Findings on the records of one cell. Each of them makes the cell unusable."""
    findings = []
    lost = damage.records.lost.get(cell)
    if lost is not None:
        advice = (
            "Figures of this cell are too low. Run it again. Checks that count acknowledgements prove "
            "nothing."
        )
        findings.append(Finding("records_lost", lost, advice, spoils=True))
    impossible = damage.records.impossible.get(cell, 0)
    if impossible:
        message = (
            f"hotrow cannot have written {impossible} records; they are not counted: the file is damaged"
        )
        findings.append(Finding("records_impossible", message, _RESTORE, spoils=True))
    if cell in damage.overlapping:
        message = "its measured interval overlaps that of another cell; hotrow measures one cell at a time"
        findings.append(Finding("windows_overlap", message, _RESTORE, spoils=True))
    return findings


def find_in_files(damage: Damage, broken: Mapping[int, str]) -> list[Finding]:
    """Findings on the files of a run. Each of them makes the run unusable.

    `broken` has the reason, by cell id, of each cell that has no figures.
    """
    findings = []
    if damage.files:
        names = ", ".join(damage.files[:_MAX_SHOWN]) + (", …" if len(damage.files) > _MAX_SHOWN else "")
        message = f"files were changed, cut or removed after the run had ended: {names}"
        findings.append(Finding("files_changed", message, _RESTORE, spoils=True))
    if damage.unsealed:
        message = (
            "the run did not reach its end, or the end of events.jsonl is missing: files may be incomplete"
        )
        findings.append(Finding("not_sealed", message, "Let the run end by itself.", spoils=True))
    if damage.weights:
        message = f"weights of a file: skew are missing, so nothing is predicted for it: {damage.weights[0]}"
        findings.append(Finding("weights_missing", message, _RESTORE, spoils=True))
    if damage.lines:
        message = f"{damage.lines} lines of events.jsonl or health-*.jsonl cannot be read and were left out"
        findings.append(Finding("lines_unreadable", message, _RESTORE, spoils=True))
    if damage.records.strays:
        message = (
            f"{damage.records.strays} records belong to no cell of this run: an attempts file is damaged"
        )
        findings.append(Finding("records_impossible", message, _RESTORE, spoils=True))
    if broken:
        reasons = "; ".join(f"cell {cell}: {why}" for cell, why in list(broken.items())[:_MAX_SHOWN])
        message = (
            f"the records of {len(broken)} cells contradict each other, so they have no figures ({reasons})"
        )
        findings.append(Finding("cells_broken", message, _RESTORE, spoils=True))
    return findings
