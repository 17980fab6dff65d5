"""JSON lines: a line is appended whole or not at all, and a bad line does not affect the others."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from hotrow import json_lines
from hotrow.errors import RunError
from hotrow.json_lines import append_json_line, parse_json, read_bounded, read_json_lines
from tests.support.damages import put_in_place

if TYPE_CHECKING:
    from pathlib import Path

    from hotrow.json_lines import JsonLines


def _appended(path: Path, *objects: dict[str, object]) -> JsonLines:
    for entry in objects:
        append_json_line(path, entry)
    return read_json_lines(path)


def test_objects_are_read_as_they_were_appended(tmp_path: Path) -> None:
    """The order stays."""
    read = _appended(tmp_path / "x.jsonl", {"a": 1}, {"b": [None, "ä"]})

    assert (list(read.objects), read.unreadable) == ([{"a": 1}, {"b": [None, "ä"]}], 0)


def test_a_short_write_is_carried_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system writes only three bytes at a time, the whole line is still written."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:3]))

    assert list(_appended(tmp_path / "x.jsonl", {"cell": 1}, {"cell": 2}).objects) == [
        {"cell": 1},
        {"cell": 2},
    ]


def test_a_disk_that_fills_up_within_a_line_leaves_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Appending fails, and the file has no part of the line."""
    path = tmp_path / "x.jsonl"
    append_json_line(path, {"cell": 1})
    write, steps = os.write, iter([5])

    def fill_up(file: int, data: memoryview) -> int:
        step = next(steps, None)
        if step is None:
            raise OSError(28, "No space left on device")
        return write(file, data[:step])

    monkeypatch.setattr(os, "write", fill_up)
    with pytest.raises(RunError, match="No space left"):
        append_json_line(path, {"cell": 2})
    monkeypatch.undo()

    assert path.read_text() == '{"cell": 1}\n'


def test_a_line_after_a_torn_one_begins_on_its_own(tmp_path: Path) -> None:
    """Only the torn line is lost, whatever its length."""
    path = tmp_path / "x.jsonl"
    append_json_line(path, {"cell": 1})
    append_json_line(path, {"cell": 2})
    whole = path.read_bytes()

    cuts = range(whole.index(b"\n") + 2, len(whole) - 1)

    assert len(cuts) > 5
    for cut in cuts:
        path.write_bytes(whole[:cut])
        assert (list(read_json_lines(path).objects), read_json_lines(path).unreadable) == ([{"cell": 1}], 1)
        read = _appended(path, {"cell": 3})
        assert (list(read.objects), read.unreadable) == ([{"cell": 1}, {"cell": 3}], 1)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[1]",
        b"\x00",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e400}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": ' * 100 + b"1" + b"}" * 100,
        b"[" * 100_000,
    ],
)
def test_a_bad_line_is_counted_and_left_out(tmp_path: Path, line: bytes) -> None:
    """The lines around it are read."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line + b'\n{"a": 3}\n')

    read = read_json_lines(path)

    assert (list(read.objects), read.unreadable) == ([{"a": 1}, {"a": 3}], 1)


def test_an_object_that_was_read_can_be_written_again() -> None:
    """Nested lists are read. Half a surrogate pair, which UTF-8 cannot encode, is replaced."""
    deep = json.loads("[" * 31 + "1" + "]" * 31)

    assert parse_json(json.dumps(deep).encode()) == deep
    assert parse_json(b'"\\ud83d\\ude00 \\ud800"') == "\U0001f600 ?"


def test_not_a_number_is_refused(tmp_path: Path) -> None:
    """NaN is never written to a file; an absent value is null."""
    with pytest.raises(ValueError, match="JSON compliant"):
        append_json_line(tmp_path / "x.jsonl", {"lag_ms": float("nan")})
    assert not (tmp_path / "x.jsonl").exists()


@pytest.mark.parametrize("kind", ["pipe", "directory", "loop", "device"])
def test_only_a_regular_file_is_read(tmp_path: Path, kind: str) -> None:
    """Others are refused in one line with the name, without waiting for a pipe or reading a device."""
    put_in_place(tmp_path / "x.jsonl", kind)

    with pytest.raises(RunError, match=r"x\.jsonl: cannot be read") as refusal:
        read_json_lines(tmp_path / "x.jsonl")
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    """It is refused before all of it is read."""
    (tmp_path / "x.jsonl").write_bytes(b"x" * 11)

    with pytest.raises(RunError, match="larger than 10 bytes"):
        read_bounded(tmp_path / "x.jsonl", 10)
    assert json_lines.MAX_BYTES > 10
