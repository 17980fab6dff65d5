"""A file of gates: what it selects, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hotrow.errors import UsageError
from hotrow.run.gate_rules import refuse_idle
from hotrow.run.options import GATES_FILE, read_gates

if TYPE_CHECKING:
    from pathlib import Path

    from hotrow.run.gate_rules import Rule

CELLS: tuple[dict[str, Any], ...] = tuple(
    {
        "id": number,
        "skew": skew,
        "users": users,
        "keys": 100,
        "retry": "none",
        "knobs": {"shards": users, **knobs},
    }
    for number, (skew, users, knobs) in enumerate(
        [("zipf:0.99", 8, {"for_update": "on"}), ("hot", 8, {"for_update": "off"}), ("hot", 16, {})]
    )
)


def rules(path: Path, text: str) -> tuple[Rule, ...]:
    path.write_text(text)
    return GATES_FILE.read(str(path))


def matched(rule: Rule) -> list[int]:
    return [cell["id"] for cell in CELLS if rule.matches(cell)]


@pytest.mark.parametrize(
    ("select", "cells"),
    [
        ("", [0, 1, 2]),
        ('skew = "hot"', [1, 2]),
        ('skew = "zipf:.990"', [0]),
        ('skew = ["hot", "zipf:0.99"]\nusers = [8, 32]', [0, 1]),
        ("users = 16", [2]),
        ("keys = 100", [0, 1, 2]),
        ('retry = "none"', [0, 1, 2]),
        ("shards = 16", [2]),
        ("shards = 16.0", [2]),
        ('shards = "16"', [2]),
        ("for_update = true", [0]),
        ('for_update = "off"', [1]),
    ],
)
def test_a_table_selects_cells_by_settings_and_knobs(select: str, cells: list[int], tmp_path: Path) -> None:
    """Values are compared as the options read them; a table without a selection is for every cell."""
    (rule,) = rules(tmp_path / "gates.toml", f"[[gate]]\n{select}\nmax_conflict_rate = 0.5\n")

    assert matched(rule) == cells


def test_what_run_json_keeps_is_read_as_the_same_rules(tmp_path: Path) -> None:
    """So a run can be judged again, without the file."""
    text = '[[gate]]\nskew = ["hot", "zipf:.9"]\nusers = 8\nshards = 4\nkind = "read"\nmin_goodput = 5\n'
    text += '[[gate]]\nretry = "full-jitter"\nmax_p99_ms = 7.5\n'
    read = rules(tmp_path / "gates.toml", text)

    assert read_gates({}, [rule.as_json() for rule in read])["rules"] == read
    assert read[0].select["skew"] == ("hot", "zipf:0.9")


def test_a_new_file_replaces_what_run_json_keeps(tmp_path: Path) -> None:
    """As a new limit on the command line replaces the old one."""
    path = tmp_path / "gates.toml"
    (new,) = rules(path, "[[gate]]\nmax_p99_ms = 1\n")

    assert read_gates({"gates": str(path)}, [{"max_p99_ms": 9}])["rules"] == (new,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has no gate; write each gate as a table [[gate]]"),
        ("[gate]\nmax_p99_ms = 1", "has no gate; write each gate as a table [[gate]]"),
        ("[[gates]]\nmax_p99_ms = 1", "gates is unknown; write each gate as a table [[gate]]"),
        ("[[gate]\n", "is no TOML: "),
        ("[[gate]]\nskew = 'hot'", "gate 1: has no limit; write one of max_conflict_rate, "),
        ("[[gate]]\nmax_conflict_rate = 1.5", "gate 1: max_conflict_rate 1.5: must be a number from 0 to 1"),
        ("[[gate]]\nmax_p99_ms = nan", "gate 1: max_p99_ms nan: must be a number from 0"),
        ("[[gate]]\nmax_p99_ms = true", "gate 1: max_p99_ms True: must be a number from 0"),
        ("[[gate]]\nmax_p99_ms = 1\nusers = 0", "gate 1: users 0: must be a whole number from 1"),
        ("[[gate]]\nmax_p99_ms = 1\nskew = 'cold'", "gate 1: --skew 'cold' is not a skew; "),
        ("[[gate]]\nmax_p99_ms = 1\nskew = []", "gate 1: skew: must be a value or a list of values"),
        (
            "[[gate]]\nmax_p99_ms = 1\nusers = {least = 1}",
            "gate 1: users: must be a value or a list of values",
        ),
        ("[[gate]]\nmax_p99_ms = 1\nkind = 1", "gate 1: kind 1: must be a text"),
    ],
)
def test_a_bad_file_is_one_line(text: str, reason: str, tmp_path: Path) -> None:
    """The line names the option, the file, the table and what is allowed."""
    with pytest.raises(UsageError) as refused:
        rules(tmp_path / "g.toml", text)

    message = str(refused.value)
    assert message.startswith("--gates ")
    assert reason in message
    assert "\n" not in message


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = " + b"[" * 100_000, b"#" * (2**20 + 1)])
def test_a_file_that_is_no_text_is_refused(content: bytes, tmp_path: Path) -> None:
    """Whatever its bytes are: one line."""
    path = tmp_path / "g.toml"
    path.write_bytes(content)

    with pytest.raises(UsageError, match=r"^--gates .*(is no TOML|KiB)"):
        GATES_FILE.read(str(path))


@pytest.mark.parametrize("path", ["", " ", "missing.toml", ".", "a\0b"])
def test_a_file_that_is_not_there_is_refused(path: str) -> None:
    """Also a folder."""
    with pytest.raises(UsageError, match=r"^--gates "):
        GATES_FILE.read(path)


@pytest.mark.parametrize(
    ("select", "kinds", "reason"),
    [
        (
            'skew = "hot:2"',
            (),
            "gate 1: matches no cell: no cell has skew hot:2; the cells have zipf:0.99 or hot",
        ),
        ('skew = "zipf:0.99"\nusers = 16', (), "no cell has all of skew zipf:0.99, users 16"),
        ("sharts = 16", (), "sharts is no limit, no setting and no knob of the scenario"),
        ('kind = "edit"', ("read", "write"), "no transaction of kind edit: the kinds are read, write"),
        ('kind = "edit"', (), "there is one kind; leave it out"),
    ],
)
def test_a_table_that_matches_no_cell_is_refused(
    select: str, kinds: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    """It would pass whatever is measured."""
    found = rules(tmp_path / "g.toml", f"[[gate]]\n{select}\nmax_conflict_rate = 0.5\n")

    with pytest.raises(UsageError) as refused:
        refuse_idle("--gates", found, CELLS, kinds)
    assert reason in str(refused.value)


def test_tables_that_match_are_accepted(tmp_path: Path) -> None:
    """So the test above can fail."""
    text = '[[gate]]\nskew = "hot"\nkind = "read"\nmax_p99_ms = 1\n[[gate]]\nmax_p99_ms = 1\n'

    found = rules(tmp_path / "g.toml", text)

    assert len(found) == 2
    refuse_idle("--gates", found, CELLS, ("read", "write"))
