"""The text of a skew: its one spelling, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hotrow.errors import UsageError
from hotrow.keys.skew import check_keys, parse_skew, parse_skews

if TYPE_CHECKING:
    from pathlib import Path

CANONICAL = {
    "uniform": "uniform",
    " zipf:0.990 ": "zipf:0.99",
    "zipf:1": "zipf:1",
    "zipf:-0": "zipf:0",
    "hotspot:.2:0.80": "hotspot:0.2:0.8",
    "latest:1e0": "latest:1",
    "hot": "hot",
    "hot:1": "hot",
    "hot:012": "hot:12",
}


@pytest.mark.parametrize(("text", "spec"), CANONICAL.items())
def test_canonical_text(text: str, spec: str) -> None:
    """Every skew has one spelling, which is read back as the same skew."""
    assert parse_skew(text).spec == spec
    assert parse_skew(spec) == parse_skew(text)


def _refusal(text: str, keys: int = 10, keys_per_transaction: int = 1) -> str:
    with pytest.raises(UsageError) as refusal:
        check_keys(parse_skew(text).table(keys), keys_per_transaction)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 300
    return str(refusal.value)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("pareto", ["'pareto'", "uniform", "zipf:THETA", "hotspot", "latest", "hot:K", "file:PATH"]),
        ("uni\nform", ["uniform"]),
        ("", ["uniform"]),
        ("zipf", ["zipf:THETA"]),
        ("zipf:1:2", ["zipf:THETA"]),
        ("uniform:1", ["allowed"]),
        ("file:", ["file:PATH"]),
        ("zipf:1e4", ["theta", "at most 1000"]),
        ("zipf:\u0663", ["theta"]),
        ("zipf:1_0", ["theta"]),
        ("zipf:1e400", ["theta"]),
        ("hot:\u0663", ["whole number"]),
        ("hot:" + "9" * 10**6, ["whole number"]),
        ("file:a\0b", ["cannot be read"]),
        ("\ud800", ["uniform"]),
        ("zipf:-0.1", ["theta", "'-0.1'", "at least 0"]),
        ("zipf:nan", ["theta", "at least 0"]),
        ("latest:inf", ["theta", "at least 0"]),
        ("zipf:much", ["theta", "'much'"]),
        ("hotspot:0:0.5", ["share of keys", "above 0 and at most 1"]),
        ("hotspot:0.5:1.01", ["share of ops", "above 0 and at most 1"]),
        ("hotspot:-1:0.5", ["share of keys", "above 0 and at most 1"]),
        ("hot:0", ["at least 1"]),
        ("hot:1.5", ["whole number"]),
        ("hot:" + "9" * 5000, ["whole number"]),
        ("hot:11", ["hot:11", "10 keys", "--keys"]),
        ("file:there-is-none.csv", ["there-is-none.csv", "No such file"]),
    ],
)
def test_refused(text: str, names: list[str]) -> None:
    """A text that is not valid is refused in one line: the option, the fault and what is allowed."""
    line = _refusal(text)

    assert line.startswith("--skew")
    assert [name for name in names if name not in line] == []


def test_refused_counts_of_keys(tmp_path: Path) -> None:
    """A count of keys that is too small or too large is refused by one line that names --keys."""
    path = tmp_path / "weights.csv"
    path.write_text("key,weight\n0,1\n1,2\n2,3\n")
    lines = [
        _refusal("uniform", keys=0),
        _refusal("uniform", keys=2**32),
        _refusal("uniform", keys=1, keys_per_transaction=2),
        _refusal(f"file:{path}", keys=2),
    ]

    assert [line.split(":")[0] for line in lines] == ["--keys 0", "--keys 4294967296", "--keys 1", "--keys 2"]


@pytest.mark.parametrize(
    "texts", [("hot", "hot:1"), ("zipf:0.99", "zipf:.990"), ("uniform", "zipf:0"), ("latest:0", "zipf:-0")]
)
def test_skews_with_the_same_draws(texts: tuple[str, str]) -> None:
    """Two spellings of one skew are refused: its cells would be measured twice, under two names."""
    with pytest.raises(UsageError, match="give each skew once"):
        parse_skews(texts)
    assert [skew.spec for skew in parse_skews(["zipf:0", "hot:2", "hot"])] == ["zipf:0", "hot:2", "hot"]
