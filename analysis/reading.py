"""A run's directory as one value. Reading needs no database and checks every field.

A run that cannot be read at all is refused with a one-line error. Damaged parts are left out and noted in
`Run.damage`, so that no figure is based on them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.formats import HEALTH, RUN, event_fault
from analysis.observed_ends import settle
from analysis.records import NO_DOUBTS, Doubts, find_lost, near, possible
from hotrow.attempt.record import FORMAT
from hotrow.errors import RunError
from hotrow.json_lines import parse_json, read_bounded
from hotrow.keys.skew import keeps_weights, load_skew
from hotrow.run.clock import align, align_health, offsets_in
from hotrow.run.error_log import read_errors
from hotrow.run.ledger import read_events, read_health, read_ledger
from hotrow.run.observed_run import OBSERVED
from hotrow.run.seal import EVENT, broken_files
from hotrow.run.statement_log import NO_STATEMENTS, StatementLog, further_kinds, read_statements

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hotrow.keys.skew import Skew
    from hotrow.run.ledger import Ledger

_MAX_RUN_BYTES = 2**27
_MAX_INTERVAL_NS = 100 * 86_400_000_000_000
"""A hundred days."""


@dataclass(frozen=True, slots=True)
class MeasuredInterval:
    """The measured interval of a cell, [begin_ns, end_ns) of wall-clock ns."""

    begin_ns: int
    end_ns: int
    closed: bool = True
    """False if a signal or a crash cut it short; after a crash it ends with the cell's last attempt."""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end_ns - self.begin_ns) / 1e9


@dataclass(frozen=True, slots=True)
class Damage:
    """The missing, changed and unreadable parts of a run."""

    weights: Sequence[str] = ()
    """Why the weights of a `file:` skew cannot be used. Older versions kept no weights: that is no damage."""
    files: Sequence[str] = ()
    """Names of files that changed after the run had ended. Unknown for runs of older versions."""
    unsealed: bool = False
    """Whether the run did not reach its end, so that files may be incomplete. Always False for runs of older
    versions."""
    lines: int = 0
    """Lines of events.jsonl and health-*.jsonl that were left out."""
    overlapping: frozenset[int] = frozenset()
    """Cells whose intervals overlap. Cells are measured one after another, so at least one is wrong."""
    records: Doubts = NO_DOUBTS


@dataclass(frozen=True, eq=False, slots=True)
class Run:
    """Everything that a run recorded."""

    meta: Mapping[str, Any]
    """run.json, whole."""
    cells: Sequence[Mapping[str, Any]]
    """The cells of run.json, in its order."""
    attempts: NDArray[np.void]
    """`ATTEMPT` records of all cells, each worker's in the order they ended; times in wall-clock ns."""
    intervals: Mapping[int, MeasuredInterval]
    """By cell id. A cell that was never measured has none."""
    verdicts: Mapping[int, Sequence[Mapping[str, Any]]]
    """The checks, by cell id. A cell that was not judged has none."""
    health: Mapping[int, Sequence[Mapping[str, Any]]]
    """The health lines, by worker: one per second."""
    torn_bytes: int
    rehearsal: Sequence[Mapping[str, Any]] = ()
    """The findings of the scenario's rehearsal before the run, as they are written in summary.json."""
    errors: Sequence[Mapping[str, Any]] = ()
    """The first error texts of each sort in each cell. Runs of older versions have none."""
    statements: StatementLog = NO_STATEMENTS
    """Of an observed run."""
    skews: Mapping[str, Skew] = field(default_factory=dict)
    """By the cells' texts. A `file:` skew whose weights are missing has none."""
    damage: Damage = field(default_factory=Damage)


def read_run(directory: Path) -> Run:
    """Read run.json, attempts, events and health of `directory`.

    Raises:
        RunError: the directory is missing or is not a run of this format, or one of its files cannot be read.
    """
    meta = _read_meta(directory)
    ledger = read_ledger(directory)
    seen = read_statements(directory) if meta["loop"] == OBSERVED else NO_STATEMENTS
    if meta["loop"] == OBSERVED:
        meta["kinds"] = [kind.name for kind in seen.kinds] + further_kinds(seen)
    lines = read_events(directory)
    meta["cells"] += _added_cells(meta["cells"], lines.objects)
    ids = {cell["id"] for cell in meta["cells"]}
    events = _up_to_seal([event for event in lines.objects if _is_event(event, ids)])
    offsets = offsets_in(events)
    align(ledger.attempts, offsets)
    health, bad_health = _read_health(directory, ids)
    right = possible(ledger.attempts, ledger.records, meta["cells"], meta)
    intervals = _intervals(events, ledger.attempts[right])
    edges = {cell: (interval.begin_ns, interval.end_ns) for cell, interval in intervals.items()}
    right &= near(ledger.attempts, edges)
    if meta["loop"] == OBSERVED:
        settle(ledger.attempts, edges)
    skews, missing = _read_skews(directory, meta["cells"])
    return Run(
        meta=meta,
        cells=[_with_users_seen(cell, events) for cell in meta["cells"]],
        attempts=ledger.attempts if right.all() else ledger.attempts[right],
        intervals=intervals,
        verdicts={event["cell"]: event["checks"] for event in events if event["event"] == "verdict"},
        health=align_health(health, offsets),
        torn_bytes=ledger.torn_bytes,
        rehearsal=[
            finding for event in events if event["event"] == "rehearsal" for finding in event["findings"]
        ],
        errors=read_errors(directory),
        statements=seen,
        skews=skews,
        damage=Damage(
            weights=missing,
            unsealed=_is_unsealed(events),
            files=[
                name
                for event in events
                if event["event"] == EVENT
                for name in broken_files(directory, event["files"])
            ],
            lines=lines.unreadable + len(lines.objects) - len(events) + bad_health + seen.unreadable,
            overlapping=_overlapping(intervals),
            records=_doubts(ledger, right, ids, events),
        ),
    )


def _read_meta(directory: Path) -> dict[str, Any]:
    path = directory / "run.json"
    try:
        meta = parse_json(read_bounded(path, _MAX_RUN_BYTES))
    except RunError as error:
        runs = ", ".join(str(inside.parent) for inside in sorted(path.parent.glob("*/run.json"))[:4])
        hint = f"pass one of the runs in it: {runs}" if runs else "pass the directory of a run"
        raise RunError(f"{error}; {hint}") from error
    except ValueError as error:
        raise RunError(f"{path}: is not JSON") from error
    if not isinstance(meta, dict) or not {"format", "cells", "target"} <= meta.keys():
        raise RunError(f"{path}: does not describe a run of hotrow")
    if meta["format"] != FORMAT:
        raise RunError(
            f"{path}: a run of format {repr(meta['format'])[:40]}; this hotrow reads format {FORMAT}"
        )
    fault = RUN(meta)
    if fault is not None:
        raise RunError(f"{path}: is damaged: {fault}")
    if len({cell["id"] for cell in meta["cells"]}) < len(meta["cells"]):
        raise RunError(f"{path}: is damaged: two of its cells have the same id")
    return meta


def _added_cells(
    cells: Sequence[Mapping[str, Any]], events: Iterable[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The cells that were added during the run, on the web page. Each has the next number."""
    added: list[Mapping[str, Any]] = []
    for event in events:
        if event.get("event") == EVENT:
            break
        if event.get("event") != "added" or event_fault(event) is not None:
            continue
        if event["added"]["id"] == len(cells) + len(added):
            added.append(event["added"])
    return added


def _up_to_seal(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events up to the seal. Later lines do not belong to the run."""
    seal = next((index for index, event in enumerate(events) if event["event"] == EVENT), len(events))
    return events[: seal + 1]


def _is_event(event: Mapping[str, Any], cells: set[int]) -> bool:
    """Whether hotrow can have written a line, and any cell it names belongs to the run."""
    if event_fault(event) is not None or event.get("cell") not in {None, *cells}:
        return False
    if event["event"] != "window":
        return True
    return bool(0 <= event["end_ns"] - event["begin_ns"] <= _MAX_INTERVAL_NS)


def _read_health(directory: Path, cells: set[int]) -> tuple[dict[int, list[dict[str, Any]]], int]:
    """The health lines of each worker, and how many lines were left out."""
    all_lines = read_health(directory)
    known = {None, *cells}
    kept = {
        worker: [line for line in lines.objects if HEALTH(line) is None and line["cell"] in known]
        for worker, lines in all_lines.items()
    }
    total = sum(lines.unreadable + len(lines.objects) for lines in all_lines.values())
    return kept, total - sum(len(lines) for lines in kept.values())


def _is_unsealed(events: Sequence[Mapping[str, Any]]) -> bool:
    return any("acknowledged" in event for event in events) and all(
        event["event"] != EVENT for event in events
    )


def _read_skews(directory: Path, cells: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Skew], list[str]]:
    """The skews of the cells by their texts, and the reasons why some are missing."""
    skews: dict[str, Skew] = {}
    missing = []
    for spec in dict.fromkeys(cell["skew"] for cell in cells if cell["skew"] != OBSERVED):
        try:
            skews[spec] = load_skew(spec, directory)
        except RunError as error:
            if keeps_weights(spec):
                missing.append(str(error))
    return skews, missing


def _doubts(
    ledger: Ledger, right: NDArray[np.bool_], cells: set[int], events: Sequence[Mapping[str, Any]]
) -> Doubts:
    wrong = ledger.attempts["cell"][~right]
    numbers, counts = np.unique(wrong, return_counts=True)
    by_cell = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
    impossible = {cell: count for cell, count in by_cell.items() if cell in cells}
    lost = find_lost(ledger.attempts[right], ledger.records, events)
    return Doubts(lost, impossible, strays=sum(by_cell.values()) - sum(impossible.values()))


def _with_users_seen(cell: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """A cell with the users that its interval had. On the web page they can be changed during a run."""
    users = [event["users"] for event in events if event.get("cell") == cell["id"] and "users" in event]
    return {**cell, "users": users[-1]} if users else cell


def _intervals(
    events: Iterable[Mapping[str, Any]], attempts: NDArray[np.void]
) -> dict[int, MeasuredInterval]:
    """The last interval written for each cell. One without an end ends with the cell's last attempt."""
    intervals: dict[int, MeasuredInterval] = {}
    begun: dict[int, int] = {}
    for event in events:
        if event["event"] == "window":
            begun.pop(event["cell"], None)
            intervals[event["cell"]] = MeasuredInterval(
                event["begin_ns"], event["end_ns"], closed="interrupted" not in event
            )
        elif event["event"] == "begin":
            begun[event["cell"]] = event["begin_ns"]
    for cell, begin_ns in begun.items():
        intervals[cell] = _open_interval(begin_ns, attempts["started"][attempts["cell"] == cell])
    return {cell: interval for cell, interval in intervals.items() if interval.end_ns > interval.begin_ns}


def _open_interval(begin_ns: int, started_ns: NDArray[np.int64]) -> MeasuredInterval:
    last_ns = int(started_ns.max()) + 1 if len(started_ns) else begin_ns
    return MeasuredInterval(begin_ns, min(last_ns, begin_ns + _MAX_INTERVAL_NS), closed=False)


def _overlapping(intervals: Mapping[int, MeasuredInterval]) -> frozenset[int]:
    """The cells whose intervals overlap that of another cell."""
    overlapping: set[int] = set()
    latest: int | None = None  # among the cells before, the one whose interval ends last
    for cell in sorted(intervals, key=lambda cell: intervals[cell].begin_ns):
        if latest is not None and intervals[cell].begin_ns < intervals[latest].end_ns:
            overlapping |= {cell, latest}
        if latest is None or intervals[cell].end_ns > intervals[latest].end_ns:
            latest = cell
    return frozenset(overlapping)
