"""The weights of a `file:` skew: keys as written, read once, kept with the run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hotrow.errors import RunError, UsageError
from hotrow.keys import weights as weights_module
from hotrow.keys.ranks import Weighted
from hotrow.keys.skew import keep_skews, keeps_weights, load_skew, parse_skew, parse_skews
from tests.support.damages import put_in_place

if TYPE_CHECKING:
    from hotrow.keys.table import Table


def _written(path: Path, content: str) -> str:
    path.write_text(content, encoding="utf-8")
    return f"file:{path}"


def _by_key(table: Table) -> dict[int, float]:
    """The probability of each key that can be drawn."""
    assert isinstance(table.ranks, Weighted)
    drawn = np.arange(table.support)
    return dict(zip(table.key_of(drawn).tolist(), table.ranks.p[drawn].tolist(), strict=True))


@pytest.mark.parametrize("header", ["key,weight\n", "\ufeffkey, weight\r\n", ""])
def test_a_weight_is_that_of_the_key_beside_it(tmp_path: Path, header: str) -> None:
    """The rows may have any order, and the keys may be far apart."""
    text = _written(tmp_path / "w.csv", header + '7,1\n"4000000000", 2\n\n3,1\n0,0\n')
    table = parse_skew(text).table(4_000_000_001)

    assert _by_key(table) == {7: 0.25, 4_000_000_000: 0.5, 3: 0.25}


def test_the_placement_is_a_bijection(tmp_path: Path) -> None:
    """Each rank has a key of its own, and each key a rank, also among keys that are not listed."""
    table = parse_skew(_written(tmp_path / "w.csv", "9,1\n2,3\n5,2\n1,0\n")).table(12)
    keys = table.key_of(np.arange(12))

    assert keys.tolist() == [2, 5, 9, 1, 0, 3, 4, 6, 7, 8, 10, 11]
    assert table.rank_of(keys).tolist() == list(range(12))
    assert [table.hottest([key]) for key in range(12)] == list(range(12))
    assert [table.placement.rank_of_key(key) for key in keys.tolist()] == list(range(12))


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("", ["positive"]),
        ("key,weight\n", ["positive"]),
        ("0,0\n", ["positive"]),
        ("weight,key\n1,2\n", ["row 1"]),
        ("a,1\nb,2\n", ["row 1", "'a,1'", "whole number"]),
        ("1,1\n1,2\n", ["key 1", "twice"]),
        ("01,1\n1,2\n", ["key 1", "twice"]),
        ("key,weight\n0,1\n1,-1\n", ["row 3", "1,-1"]),
        ("0,nan\n", ["row 1"]),
        ("0,inf\n", ["row 1"]),
        ("0,1e400\n", ["row 1"]),
        ("0\n", ["row 1"]),
        ("0,1,2\n", ["row 1"]),
        ("-1,1\n", ["row 1"]),
        ("1.0,1\n", ["row 1"]),
        ("\u0663,1\n", ["row 1"]),
        ("4294967295,1\n", ["row 1"]),
        ("9" * 5000 + ",1\n", ["row 1"]),
        ('"' + "0" * 200_000, ["UTF-8"]),
        ("\0,1\n", ["row 1"]),
    ],
)
def test_refused_rows(tmp_path: Path, content: str, names: list[str]) -> None:
    """A file that is not keys and weights is refused in one line that says where."""
    with pytest.raises(UsageError) as refusal:
        parse_skew(_written(tmp_path / "w.csv", content))

    line = str(refusal.value)
    assert line.startswith("--skew file: 'w.csv'")
    assert "\n" not in line
    assert [name for name in names if name not in line] == []


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    """The file is refused; its encoding is not guessed."""
    (tmp_path / "w.csv").write_bytes(b"key,weight\n\xe9,1\n")

    with pytest.raises(UsageError, match="UTF-8"):
        parse_skew(f"file:{tmp_path / 'w.csv'}")


@pytest.mark.parametrize("kind", ["pipe", "directory", "loop", "device"])
def test_what_is_no_regular_file_is_not_read(tmp_path: Path, kind: str) -> None:
    """A pipe does not block, and a device does not fill the memory."""
    put_in_place(tmp_path / "w.csv", kind)

    with pytest.raises(UsageError, match="cannot be read"):
        parse_skew(f"file:{tmp_path / 'w.csv'}")


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    """It is refused before it is read: a sparse file of 1 TB takes no memory."""
    path = tmp_path / "w.csv"
    path.touch()
    os.truncate(path, 2**40)

    with pytest.raises(UsageError, match="larger than 67108864 bytes"):
        parse_skew(f"file:{path}")


def test_keys_beyond_those_there_are(tmp_path: Path) -> None:
    """They are refused, and the message says how many keys are needed."""
    skew = parse_skew(_written(tmp_path / "w.csv", "0,1\n10,0\n"))

    with pytest.raises(UsageError, match="raise --keys to 11 or more"):
        skew.table(10)
    assert skew.table(11).support == 1


def test_an_unchanged_file_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that has changed is parsed again."""
    parsed: list[str] = []
    parse = weights_module._parsed

    def count(content: bytes, name: str) -> weights_module.Weights:
        parsed.append(name)
        return parse(content, name)

    monkeypatch.setattr(weights_module, "_parsed", count)
    text = _written(tmp_path / "w.csv", "0,1\n")
    assert parse_skew(text) is not parse_skew(text)
    assert parsed == ["w.csv"]
    _written(tmp_path / "w.csv", "0,1\n1,1\n")

    assert parse_skew(text).table(2).support == 2
    assert parsed == ["w.csv", "w.csv"]


def test_two_names_of_one_content(tmp_path: Path) -> None:
    """They have the same draws, so they are refused as one skew that is given twice."""
    texts = [_written(tmp_path / name, "0,1\n1,2\n") for name in ("a.csv", "b.csv")]

    with pytest.raises(UsageError, match="give each skew once"):
        parse_skews(texts)


def test_a_run_keeps_its_weights(tmp_path: Path) -> None:
    """Without the file the copy in the run gives the same weights; its reference has no folder."""
    text = _written(tmp_path / "w.csv", "3,1\n1,3\n")
    skew, directory = parse_skew(text), tmp_path / "run"
    directory.mkdir()
    keep_skews(directory, [skew, parse_skew("uniform")])
    Path(text.removeprefix("file:")).unlink()

    assert skew.spec.startswith("file:w.csv#")
    assert keeps_weights(skew.spec)
    assert [path.name for path in directory.iterdir()] == [f"skew-{skew.spec[-8:]}.csv"]
    assert load_skew(skew.spec, directory) == skew
    assert _by_key(load_skew(skew.spec, directory).table(4)) == {1: 0.75, 3: 0.25}
    assert load_skew("zipf:0.5", directory) == parse_skew("zipf:0.5")


@pytest.mark.parametrize("damage", ["gone", "changed", "pipe", "older"])
def test_weights_that_a_run_no_longer_has(tmp_path: Path, damage: str) -> None:
    """They are refused in one line, and a path from a run of older versions is never read."""
    skew = parse_skew(_written(tmp_path / "w.csv", "3,1\n1,3\n"))
    keep_skews(tmp_path, [skew])
    (path,) = tmp_path.glob("skew-*.csv")
    if damage == "gone":
        path.unlink()
    elif damage == "changed":
        path.write_text("3,1\n1,4\n")
    elif damage == "pipe":
        put_in_place(path, "pipe")
    spec = f"file:{tmp_path / 'w.csv'}" if damage == "older" else skew.spec

    with pytest.raises(RunError) as refusal:
        load_skew(spec, tmp_path)
    assert "\n" not in str(refusal.value)
