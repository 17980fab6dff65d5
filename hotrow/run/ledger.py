"""The ledger of a run: files of attempts, of events and of health lines, appended and never rewritten.

`attempts-<worker>.bin` is a `HEADER` and then records of 64 bytes (`attempt.record.ATTEMPT`), written by one
process. `events.jsonl` and `health-<worker>.jsonl` hold one JSON object per line. A file may end in the
middle of a record or of a line, because its writer was killed. This tail is left out and counted.
"""

from __future__ import annotations

import os
import re
import struct
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from hotrow.attempt.record import ATTEMPT, FORMAT, MAX_ATTEMPT
from hotrow.errors import RunError
from hotrow.files import open_regular
from hotrow.json_lines import JsonLines, append_json_line, read_json_lines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray


MAGIC = b"HOTROW\r\n"
"""The first bytes of every attempts file. A transfer that treats it as text changes the line end."""

HEADER = np.dtype(
    [
        ("magic", "S8"),
        ("format", "<u4"),  # hotrow.attempt.record.FORMAT
        ("worker", "<u4"),
        ("wall", "<i8"),  # time.time_ns() at the anchor
        ("perf", "<i8"),  # time.perf_counter_ns() at the same instant
        ("pid", "<u4"),
        ("reserved", "V28"),
    ]
)
"""The first 64 bytes of an attempts file: its worker, and the readings of both clocks at one instant."""

_RECORD = struct.Struct("<qqfffffIIIHHH5sBBBBB")
"""`ATTEMPT` field by field. Packing takes a tenth of the time of an assignment to a numpy record."""

_ATTEMPTS_FILE = re.compile(r"attempts-([0-9]{1,9})\.bin")
_HEALTH_FILE = re.compile(r"health-([0-9]{1,9})\.jsonl")
EVENTS_FILE = "events.jsonl"


class LedgerWriter:
    """Appends the attempts of one worker to `attempts-<worker>.bin` in `directory`.

    `wall_ns` and `perf_ns` are readings of `time.time_ns()` and `time.perf_counter_ns()` at one instant.
    `append` never fails: it keeps the attempt in memory until `flush()` writes it. The load calls `flush()`
    once per second. Only one thread may use a writer.

    Raises:
        RunError: the file exists already (a ledger is never rewritten) or cannot be created.
    """

    def __init__(self, directory: Path, worker: int, *, wall_ns: int, perf_ns: int) -> None:
        header = np.array((MAGIC, FORMAT, worker, wall_ns, perf_ns, os.getpid(), b""), dtype=HEADER)
        self.path = directory / f"attempts-{worker}.bin"
        self._file = _open_to_append(self.path, os.O_EXCL)
        self._worker = worker
        self._perf_ns = perf_ns
        self._pending = bytearray(header.tobytes())
        self._written_bytes = 0
        self.flush()

    @property
    def written(self) -> int:
        """How many whole attempts are in the file."""
        return max(0, self._written_bytes - HEADER.itemsize) // ATTEMPT.itemsize

    @property
    def appended(self) -> int:
        """How many attempts are in the file and in memory."""
        return max(0, self._written_bytes + len(self._pending) - HEADER.itemsize) // ATTEMPT.itemsize

    @property
    def pending_bytes(self) -> int:
        """How many bytes are in memory and not in the file yet."""
        return len(self._pending)

    def latest(self, count: int) -> NDArray[np.void]:
        """A copy of the last `count` attempts that were appended; they must still be in memory.

        Their times are in ns since `perf_ns`.
        """
        length = count * ATTEMPT.itemsize
        return np.frombuffer(bytes(self._pending[len(self._pending) - length :]), dtype=ATTEMPT)

    def append(  # spelled out, not as `AttemptFields`: packing and unpacking a dictionary takes 1.4 us
        self,
        *,
        user: int,
        cell: int,
        scheduled_ns: int,
        started_ns: int,
        body_ns: float,
        commit_ns: float,
        backoff_ns: float,
        connect_ns: float,
        transaction: int,
        attempt: int,
        key: int,
        outcome: int,
        marker: int,
        sqlstate: str,
        flags: int,
        kind: int = 0,
        region: int = 0,
        begin_ns: float = 0.0,
    ) -> None:
        """Append one attempt. It takes about 2 us.

        The fields are those of `AttemptFields`, and beside them `user`, the number of the user within the
        worker, `cell`, the id of the cell, and `region`, the index of the target's region. Attempts of one
        transaction after number 65,535 all get this number. `begin_ns` is the time of BEGIN as a round trip
        of its own, which only old versions had.
        """
        self._pending += _RECORD.pack(
            scheduled_ns - self._perf_ns,
            started_ns - self._perf_ns,
            begin_ns,
            body_ns,
            commit_ns,
            backoff_ns,
            connect_ns,
            transaction,
            key,
            user,
            self._worker,
            cell,
            min(attempt, MAX_ATTEMPT),
            sqlstate.encode("ascii", "replace"),
            outcome,
            marker,
            flags,
            kind,
            region,
        )

    def extend(self, attempts: NDArray[np.void]) -> None:
        """Append many attempts at once. Their worker is set; their times are in ns since `perf_ns`."""
        attempts["worker"] = self._worker
        self._pending += attempts.tobytes()

    def flush(self) -> None:
        """Write all appended attempts to the file.

        Raises:
            RunError: not everything could be written. The rest stays in memory, to the byte. A later flush
                continues there, so the records in the file stay whole.
        """
        try:
            self._write()
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written ({error.strerror})") from error

    def _write(self) -> None:
        while self._pending:
            written = os.write(self._file, self._pending)
            del self._pending[:written]
            self._written_bytes += written

    def close(self) -> None:
        """Flush and close; a second call does nothing. Raises as `flush`, and closes the file even then."""
        if self._file < 0:
            return
        try:
            self.flush()
        finally:
            os.close(self._file)
            self._file = -1


@dataclass(frozen=True, eq=False, slots=True)
class Ledger:
    """All attempts of a run: those of one worker after those of another, in the order in which they ended."""

    attempts: NDArray[np.void]
    """`ATTEMPT` records, but `scheduled` and `started` are wall-clock ns (since 1970, UTC)."""
    torn_bytes: int
    """The number of bytes at the ends of the files that are no whole record."""
    records: Mapping[int, int] = field(default_factory=dict)
    """The number of attempts in each worker's file, in the order of `attempts`."""


def read_ledger(directory: Path) -> Ledger:
    """Read the attempts of all workers into one array of 64 bytes per attempt, without a second copy.

    Raises:
        RunError: there is no attempts file, a file cannot be read, is no attempts file or has another format,
            or there is too little memory.
    """
    paths = _numbered(directory, _ATTEMPTS_FILE)
    if not paths:
        raise RunError(f"{directory}: has no attempts-<worker>.bin; pass the directory of a run")
    with ExitStack() as opened:
        files = {worker: opened.enter_context(_open_to_read(path)) for worker, path in paths.items()}
        sizes = [os.fstat(file.fileno()).st_size for file in files.values()]
        counts = [max(0, size - HEADER.itemsize) // ATTEMPT.itemsize for size in sizes]
        attempts = _empty_attempts(sum(counts), directory)
        first = 0
        for (worker, file), count in zip(files.items(), counts, strict=True):
            _read_worker(file, paths[worker], worker, attempts[first : first + count])
            first += count
    torn_bytes = sum(_torn_bytes(size) for size in sizes)
    return Ledger(attempts, torn_bytes, records=dict(zip(files, counts, strict=True)))


def _empty_attempts(count: int, directory: Path) -> NDArray[np.void]:
    try:
        return np.empty(count, dtype=ATTEMPT)
    except (MemoryError, ValueError) as error:
        raise RunError(f"{directory}: {count} attempts do not fit into this machine's memory") from error


def _open_to_read(path: Path) -> BinaryIO:
    try:
        return open_regular(path)
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error


def _torn_bytes(size: int) -> int:
    return size if size < HEADER.itemsize else (size - HEADER.itemsize) % ATTEMPT.itemsize


def _read_worker(file: BinaryIO, path: Path, worker: int, attempts: NDArray[np.void]) -> None:
    """Fill `attempts` from the file, and convert its times to the wall clock."""
    try:
        header = _read_header(file, path, worker)
        bytes_read = file.readinto(attempts.view(np.uint8).data)  # type: ignore[attr-defined]
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error
    if bytes_read != attempts.nbytes:
        raise RunError(f"{path}: it became shorter while it was read")
    for name in ("scheduled", "started"):
        attempts[name] += header["wall"]


def _read_header(file: BinaryIO, path: Path, worker: int) -> np.void:
    """The header of an attempts file. A torn header is filled with zeros: such a file has no attempts."""
    raw = file.read(HEADER.itemsize)
    if raw[: len(MAGIC)] != MAGIC[: len(raw)]:
        raise RunError(f"{path}: not a file of hotrow's attempts")
    header: np.void = np.frombuffer(raw.ljust(HEADER.itemsize, b"\0"), dtype=HEADER)[0]
    if len(raw) == HEADER.itemsize and header["format"] != FORMAT:
        raise RunError(f"{path}: attempts of format {header['format']}; this hotrow reads format {FORMAT}")
    if len(raw) == HEADER.itemsize and header["worker"] != worker:
        raise RunError(f"{path}: holds the attempts of worker {header['worker']}; was it renamed?")
    return header


def append_event(directory: Path, event: Mapping[str, Any]) -> None:
    """Append one event of the run; only the master does this. Raises as `append_json_line`."""
    append_json_line(directory / EVENTS_FILE, event)


def append_health(directory: Path, worker: int, health: Mapping[str, Any]) -> None:
    """Append the health line of one second of a worker. Raises as `append_json_line`."""
    append_json_line(directory / f"health-{worker}.jsonl", health)


def read_events(directory: Path) -> JsonLines:
    """All events in the order in which they were written; none if the run ended before its first event.

    Raises:
        RunError: the file exists and cannot be read.
    """
    path = directory / EVENTS_FILE
    return read_json_lines(path) if os.path.lexists(path) else JsonLines()


def read_health(directory: Path) -> dict[int, JsonLines]:
    """The health lines of each worker in the order in which they were written. Raises as `read_events`."""
    return {worker: read_json_lines(path) for worker, path in _numbered(directory, _HEALTH_FILE).items()}


def _numbered(directory: Path, name: re.Pattern[str]) -> dict[int, Path]:
    """The files of `directory` with a name that matches, by the number of their worker, in its order.

    Raises:
        RunError: the directory cannot be read, or a worker has two files (`attempts-1`, `attempts-01`).
    """
    try:
        numbered = [
            (int(match[1]), path) for path in directory.iterdir() if (match := name.fullmatch(path.name))
        ]
    except OSError as error:
        raise RunError(
            f"{directory}: cannot be read ({error.strerror}); pass the directory of a run"
        ) from error
    files = dict(sorted(numbered))
    if len(files) < len(numbered):
        names = ", ".join(sorted(path.name for _, path in numbered))[:200]
        raise RunError(f"{directory}: two of these files are of one worker: {names}")
    return files


def _open_to_append(path: Path, flags: int) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | flags, 0o644)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from error
