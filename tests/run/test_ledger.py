"""The ledger: appended attempts are read back, torn tails are ignored, other files are refused."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hotrow.attempt.record import ATTEMPT, FORMAT, NO_KEY
from hotrow.errors import RunError
from hotrow.run import ledger
from hotrow.run.ledger import (
    HEADER,
    LedgerWriter,
    append_event,
    append_health,
    read_events,
    read_health,
    read_ledger,
)
from tests.support.damages import put_in_place

if TYPE_CHECKING:
    from pathlib import Path

WALL_NS = 1_800_000_000_000_000_000
PERF_NS = 5_000_000_000
DURATIONS = ("begin", "body", "commit", "backoff", "connect")
INTEGERS = {
    "transaction": 2**32,
    "key": 2**32,
    "user": 2**32,
    "cell": 2**16,
    "attempt": 2**16,
    "outcome": 2**8,
    "marker": 2**8,
    "flags": 2**8,
    "kind": 2**8,
    "region": 2**8,
}


def _random_attempts(seed: int, count: int) -> list[dict[str, Any]]:
    """Attempts as `append` takes them, every field over its whole range."""
    rng = np.random.default_rng(seed)
    return [
        {name: int(rng.integers(limit)) for name, limit in INTEGERS.items()}
        | {f"{name}_ns": float(np.float32(10 ** rng.uniform(0, 12))) for name in DURATIONS}
        | {f"{name}_ns": PERF_NS + int(rng.integers(-(10**9), 10**15)) for name in ("scheduled", "started")}
        | {"sqlstate": str(rng.choice(["", "40001", "40P01", "XX000"]))}
        for _ in range(count)
    ]


def _expected(attempt: dict[str, Any], worker: int) -> dict[str, Any]:
    """The same attempt as the reader returns it."""
    expected = {name: attempt[name] for name in INTEGERS} | {"worker": worker}
    expected |= {name: attempt[f"{name}_ns"] for name in DURATIONS}
    expected |= {name: WALL_NS + attempt[f"{name}_ns"] - PERF_NS for name in ("scheduled", "started")}
    return expected | {"sqlstate": attempt["sqlstate"].encode()}


def _as_dicts(attempts: np.ndarray) -> list[dict[str, Any]]:
    names = attempts.dtype.names or ()
    return [dict(zip(names, row, strict=True)) for row in attempts.tolist()]


def _writer(directory: Path, worker: int = 0) -> LedgerWriter:
    return LedgerWriter(directory, worker, wall_ns=WALL_NS, perf_ns=PERF_NS)


def _write(directory: Path, attempts: list[dict[str, Any]], worker: int = 0) -> Path:
    writer = _writer(directory, worker)
    for attempt in attempts:
        writer.append(**attempt)
    writer.close()
    return directory / f"attempts-{worker}.bin"


def test_layout() -> None:
    """The packed record has the fields of `ATTEMPT` at the same offsets, with the same types, in 64 bytes."""
    codes = {"i8": "q", "f4": "f", "u4": "I", "u2": "H", "u1": "B", "S5": "5s"}
    fields = [ATTEMPT[name] for name in ATTEMPT.names or ()]
    layout = "<" + "".join(codes[field.str[1:]] for field in fields)

    assert layout == ledger._RECORD.format
    assert struct.calcsize(layout) == ATTEMPT.itemsize == HEADER.itemsize == 64


def test_round_trip(tmp_path: Path) -> None:
    """Every field of every attempt is read as it was appended, with times of the wall clock."""
    attempts = _random_attempts(seed=1, count=500)
    _write(tmp_path, attempts, worker=7)

    read = read_ledger(tmp_path)

    assert _as_dicts(read.attempts) == [_expected(attempt, worker=7) for attempt in attempts]
    assert read.torn_bytes == 0


def test_attempts_wait_in_memory_until_they_are_flushed(tmp_path: Path) -> None:
    """Appending writes nothing and cannot fail; a flush writes everything and counts it."""
    writer = _writer(tmp_path)
    attempt = _random_attempts(seed=2, count=1)[0]
    for number in range(10_000):
        writer.append(**attempt | {"transaction": number})
    before = (writer.written, (tmp_path / "attempts-0.bin").stat().st_size, writer.pending_bytes)
    writer.close()

    assert (before, writer.written) == ((0, 64, 64 * 10_000), 10_000)
    assert read_ledger(tmp_path).attempts["transaction"].tolist() == list(range(10_000))


def test_flush(tmp_path: Path) -> None:
    """After a flush all appended attempts can be read, while the writer goes on."""
    writer = _writer(tmp_path)
    for attempt in _random_attempts(seed=3, count=3):
        writer.append(**attempt)
        writer.flush()

    assert len(read_ledger(tmp_path).attempts) == 3
    writer.close()
    writer.close()
    assert len(read_ledger(tmp_path).attempts) == 3


def test_two_workers(tmp_path: Path) -> None:
    """The attempts of all workers are read, each moved by its own anchor."""
    attempts = _random_attempts(seed=4, count=20)
    _write(tmp_path, attempts[:5], worker=10)
    _write(tmp_path, attempts[5:], worker=2)

    read = read_ledger(tmp_path).attempts

    assert _as_dicts(read) == [_expected(a, 2) for a in attempts[5:]] + [
        _expected(a, 10) for a in attempts[:5]
    ]


@pytest.mark.parametrize("torn", range(1, 64))
def test_torn_tail(tmp_path: Path, torn: int) -> None:
    """A record cut short at any byte is left out and its bytes are reported; those before it are all read."""
    attempts = _random_attempts(seed=5, count=3)
    path = _write(tmp_path, attempts)
    os.truncate(path, 64 * 3 + torn)

    read = read_ledger(tmp_path)

    assert _as_dicts(read.attempts) == [_expected(attempt, 0) for attempt in attempts[:2]]
    assert read.torn_bytes == torn


@pytest.mark.parametrize("size", [0, 1, 7, 8, 63])
def test_torn_header(tmp_path: Path, size: int) -> None:
    """A file cut short within its header holds no attempts, and its bytes are reported."""
    os.truncate(_write(tmp_path, _random_attempts(seed=6, count=2)), size)

    read = read_ledger(tmp_path)

    assert (len(read.attempts), read.torn_bytes) == (0, size)


def test_worker_without_attempts(tmp_path: Path) -> None:
    """A worker may have recorded nothing."""
    _write(tmp_path, [])

    read = read_ledger(tmp_path)

    assert (len(read.attempts), read.torn_bytes) == (0, 0)


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"x" * 200, b"HOTROW\n\n" + bytes(120)])
def test_foreign_file(tmp_path: Path, content: bytes) -> None:
    """A file that is no attempts file is refused in one line that names it."""
    (tmp_path / "attempts-0.bin").write_bytes(content)

    with pytest.raises(RunError, match=r"attempts-0\.bin: not a file of hotrow's attempts"):
        read_ledger(tmp_path)


def test_other_format(tmp_path: Path) -> None:
    """A file of another format is refused, with both numbers."""
    path = _write(tmp_path, _random_attempts(seed=7, count=1))
    raw = np.fromfile(path, dtype=HEADER)
    raw["format"][0] = FORMAT + 1
    raw.tofile(path)

    with pytest.raises(RunError, match=rf"format {FORMAT + 1}; this hotrow reads format {FORMAT}"):
        read_ledger(tmp_path)


def test_renamed_file(tmp_path: Path) -> None:
    """A copy of a worker's file under another worker's name is refused, or its attempts would count twice."""
    path = _write(tmp_path, _random_attempts(seed=8, count=1))
    (tmp_path / "attempts-1.bin").write_bytes(path.read_bytes())

    with pytest.raises(RunError, match="worker 0"):
        read_ledger(tmp_path)


def test_header(tmp_path: Path) -> None:
    """The header says whose file it is, by worker and process, and gives the anchor."""
    header = np.fromfile(_write(tmp_path, [], worker=3), dtype=HEADER)[0]

    assert header["magic"] == ledger.MAGIC
    assert [header[name] for name in ("format", "worker", "wall", "perf", "pid")] == [
        FORMAT,
        3,
        WALL_NS,
        PERF_NS,
        os.getpid(),
    ]


def test_never_rewritten(tmp_path: Path) -> None:
    """A second writer for the same worker is refused, and the first one's file stays as it was."""
    path = _write(tmp_path, _random_attempts(seed=9, count=2))
    before = path.read_bytes()

    with pytest.raises(RunError, match="File exists"):
        _writer(tmp_path)
    assert path.read_bytes() == before


def test_directory_that_is_missing(tmp_path: Path) -> None:
    """A directory that is missing, or holds no attempts, is named by writer and reader."""
    with pytest.raises(RunError, match="missing"):
        _writer(tmp_path / "missing")
    with pytest.raises(RunError, match="missing"):
        read_ledger(tmp_path / "missing")
    with pytest.raises(RunError, match="no attempts"):
        read_ledger(tmp_path)


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a write that ended within a record, the next flush continues there: records stay whole."""
    attempts = _random_attempts(seed=10, count=4)
    writer = _writer(tmp_path)
    for attempt in attempts:
        writer.append(**attempt)
    steps = iter([100, 30])
    write = os.write

    def write_a_little(file: int, data: memoryview) -> int:
        step = next(steps, None)
        if step is None:
            raise OSError(28, "No space left on device")
        return write(file, data[:step])

    monkeypatch.setattr(os, "write", write_a_little)
    with pytest.raises(RunError, match="No space left"):
        writer.flush()
    assert writer.written == 2
    monkeypatch.undo()
    assert read_ledger(tmp_path).torn_bytes == 130 - 128
    writer.append(**attempts[0])
    writer.close()

    assert _as_dicts(read_ledger(tmp_path).attempts) == [_expected(a, 0) for a in [*attempts, attempts[0]]]


def test_attempt_number_saturates(tmp_path: Path) -> None:
    """A transaction tried more often than the record can count keeps the highest number."""
    attempt = _random_attempts(seed=11, count=1)[0]
    _write(tmp_path, [attempt | {"attempt": 70_000, "key": NO_KEY}])

    read = read_ledger(tmp_path).attempts

    assert (read["attempt"][0], read["key"][0]) == (65_535, NO_KEY)


def test_events(tmp_path: Path) -> None:
    """Events are read in the order they were appended; before the first there are none."""
    events: list[dict[str, Any]] = [
        {"event": "window", "cell": 0, "begin_ns": WALL_NS, "end_ns": WALL_NS + 1},
        {"event": "verdict", "cell": 0, "checks": [{"name": "total", "valid": None}]},
    ]
    assert read_events(tmp_path).objects == ()
    for event in events:
        append_event(tmp_path, event)

    assert read_events(tmp_path).objects == events


def test_health(tmp_path: Path) -> None:
    """The health lines of each worker are read separately; a run may have none."""
    assert read_health(tmp_path) == {}
    append_health(tmp_path, 11, {"cell": None, "cpu": 0.5})
    append_health(tmp_path, 2, {"cell": 1, "cpu": 0.25})
    append_health(tmp_path, 11, {"cell": 1, "cpu": 0.75})

    assert {worker: lines.objects for worker, lines in read_health(tmp_path).items()} == {
        2: [{"cell": 1, "cpu": 0.25}],
        11: [{"cell": None, "cpu": 0.5}, {"cell": 1, "cpu": 0.75}],
    }


def test_two_files_of_one_worker(tmp_path: Path) -> None:
    """Two files that spell one worker's number are refused, or its attempts would count twice."""
    path = _write(tmp_path, _random_attempts(seed=12, count=1), worker=1)
    (tmp_path / "attempts-01.bin").write_bytes(path.read_bytes())

    with pytest.raises(RunError, match="of one worker"):
        read_ledger(tmp_path)


@pytest.mark.parametrize("kind", ["pipe", "directory", "loop", "device"])
def test_an_attempts_file_that_is_no_regular_file(tmp_path: Path, kind: str) -> None:
    """It is refused in a line that names it; a pipe does not block."""
    put_in_place(tmp_path / "attempts-0.bin", kind)

    with pytest.raises(RunError, match=r"attempts-0\.bin: cannot be read"):
        read_ledger(tmp_path)


def test_lines_that_cannot_be_written(tmp_path: Path) -> None:
    """A directory that cannot be written to is named."""
    with pytest.raises(RunError, match="missing"):
        append_event(tmp_path / "missing", {})
