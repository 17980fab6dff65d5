"""The name of a run's schema: the facts it contains, and names of other schemas that do not match."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime

import pytest

from hotrow.tables.schema_name import new_name, read, this_machine

GIVEN = "hotrow_20261128t075000z_laptop_1a2b3c4d_12345_9f8e7d"


def test_a_new_name_tells_its_maker() -> None:
    """Time, machine and process distinguish a leftover from a schema of a running run."""
    before = datetime.now(UTC).replace(microsecond=0)
    maker = read(new_name())

    assert maker is not None
    assert before <= maker.began <= datetime.now(UTC)
    assert (maker.machine, maker.pid) == (this_machine(), os.getpid())


@pytest.mark.parametrize("host", ["laptop", "Ünï.cödé", "...", "a" * 300, "Q'; DROP--"])
def test_a_name_is_short_and_needs_no_quotes(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has at most 63 characters, whatever the machine's name, process id and number of schemas."""
    monkeypatch.setattr("socket.gethostname", lambda: host)
    monkeypatch.setattr("os.getpid", lambda: 4_194_304)
    name = f"{new_name()}_999"

    assert len(name) <= 63
    assert re.fullmatch(r"[a-z_][a-z0-9_]*", name)
    assert read(name) is not None


def test_two_names_of_one_second_differ() -> None:
    """Two runs of the same process in the same second do not share a schema."""
    assert len({new_name() for _ in range(100)}) == 100


def test_schemas_of_one_run_share_its_name() -> None:
    """The second schema of a run, for other knobs, has an additional number."""
    first, second = read(GIVEN), read(f"{GIVEN}_1")

    assert first is not None
    assert second is not None
    assert (first.run, second.run) == (GIVEN, GIVEN)
    assert first.began == datetime(2026, 11, 28, 7, 50, tzinfo=UTC)
    assert (first.host, first.machine, first.pid) == ("laptop", "1a2b3c4d", 12345)


@pytest.mark.parametrize(
    "name",
    [
        "hotrow",
        "hotrow_mine",
        "public",
        f"{GIVEN}_backup",
        f"x{GIVEN}",
        f"{GIVEN}\n",
        GIVEN.replace("20261128", "20261399"),
        GIVEN.replace("9f8e7d", "9f8e7"),
        GIVEN.replace("12345", "١٢"),
    ],
)
def test_other_schemas_are_nobodys(name: str) -> None:
    """A schema that hotrow did not create is never taken for a leftover."""
    assert read(name) is None
