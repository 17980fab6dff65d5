"""The markers of the tests: which test gets which, and what a unit test cannot do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from hotrow.errors import TargetError
from hotrow.standin.server import ensure_up
from tests.support import commands
from tests.support.ordering import LONGEST_FIRST, SPREAD, rank, unit_of_work

if TYPE_CHECKING:
    from pathlib import Path

MARKERS = {"unit", "server", "browser"}


def markers_of(request: pytest.FixtureRequest) -> set[str]:
    return {marker.name for marker in request.node.iter_markers()} & MARKERS


def test_a_test_without_a_server_is_a_unit_test(request: pytest.FixtureRequest) -> None:
    """It has that marker alone."""
    assert markers_of(request) == {"unit"}


def test_a_test_with_a_server_is_no_unit_test(request: pytest.FixtureRequest, hotrow_home: Path) -> None:
    """It has the other marker, and a home that exists."""
    assert markers_of(request) == {"server"}
    assert os.environ["HOTROW_HOME"] == str(hotrow_home)
    assert hotrow_home.is_dir()


def test_a_unit_test_cannot_start_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the common home nor in one of its own, nor by a command."""
    with pytest.raises(TargetError, match="HOTROW_PG_BIN"):
        ensure_up()
    monkeypatch.setenv("HOTROW_HOME", str(tmp_path))
    with pytest.raises(TargetError, match="HOTROW_PG_BIN"):
        ensure_up()

    assert commands.run("hotrow", "local", "up").returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_the_files_in_the_order_exist(request: pytest.FixtureRequest) -> None:
    """A file that was moved would lose its place in the order."""
    root = request.config.rootpath

    assert [path for path in (*SPREAD, *LONGEST_FIRST) if not (root / path).exists()] == []


def test_long_tests_come_first_and_files_stay_together() -> None:
    """The chaos runs begin; two tests of a file go to one worker unless the file is divided."""
    first, spread, short = (
        f"{path}::test_a" for path in (LONGEST_FIRST[0], SPREAD[0], "tests/run/test_plan.py")
    )

    assert rank(first) < rank(spread) < rank(short)
    assert unit_of_work(short) == "tests/run/test_plan.py"
    assert unit_of_work(spread) == spread
