"""One endpoint for several regions: each has a port, a token and a latency, and all share one database."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from hotrow.standin.endpoint.credentials import make_token
from hotrow.standin.endpoint.latency import LatencyProfile
from hotrow.standin.endpoint.lifecycle import EndpointOptions, find_endpoints
from tests.support.commands import run
from tests.support.faulty import WAYS, Connection, Faulty, counting, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OPTIONS = EndpointOptions(
    regions=("us-east-1", "us-east-2"), profiles=(LatencyProfile(0.002, 0.005), LatencyProfile(0.01, 0.05))
)


@pytest.fixture(scope="module")
def dsns(dsn: str) -> Iterator[list[str]]:
    assert dsn
    with running(OPTIONS) as conninfos:
        yield conninfos


@pytest.fixture
def faulty(dsns: list[str], dsn: str, schema: str) -> Iterator[Faulty]:
    with counting(dsns, dsn, schema) as counter:
        yield counter


@pytest.mark.parametrize("way", WAYS)
def test_both_regions_have_the_same_database(faulty: Faulty, way: Callable[[Connection], str]) -> None:
    """One region reads what the other commits, and conflicts between regions are found."""
    with faulty.connect(0) as first, faulty.connect(1) as second:
        assert way(first) == way(second) == "COMMIT"
        assert faulty.value() == 2
        for connection in (first, second):
            connection.execute("BEGIN")
            connection.execute("UPDATE counter SET v = v + 1 WHERE id = 1")
        first.execute("COMMIT")
        with pytest.raises(psycopg.errors.SerializationFailure, match="OC000"):
            second.execute("COMMIT")
    assert faulty.value() == 3


@pytest.mark.usefixtures("dsns")
def test_a_token_of_one_region_is_refused_by_the_other() -> None:
    """Both regions are listed, each with its port."""
    first, second = find_endpoints()
    assert (first.region, second.region) == ("us-east-1", "us-east-2")
    assert first.port != second.port
    for endpoint in (first, second):
        psycopg.connect(make_conninfo(endpoint.dsn, password=make_token(region=endpoint.region))).close()
    for endpoint, other in ((first, second), (second, first)):
        with pytest.raises(psycopg.OperationalError, match="access denied"):
            psycopg.connect(make_conninfo(endpoint.dsn, password=make_token(region=other.region)))


def test_each_region_has_its_own_latency(faulty: Faulty) -> None:
    """On average, a round trip and a COMMIT take at least the latency that was asked for."""
    with faulty.connect(1) as connection:
        begun_s = time.monotonic()
        for _ in range(10):
            connection.execute("SELECT 1")
        read_s = time.monotonic()
        for _ in range(5):
            connection.execute("BEGIN")
            connection.execute("COMMIT")
        done_s = time.monotonic()
    assert read_s - begun_s >= 10 * 0.01 - 0.002
    assert done_s - read_s >= 5 * (0.01 + 0.05) - 0.05


@pytest.mark.usefixtures("dsns")
def test_the_commands_know_the_regions() -> None:
    """`status --json` lists the regions, with the first as `endpoint`; `token` has the option `--region`."""
    facts = json.loads(run("hotrow", "local", "status", "--json").stdout)
    assert [region["region"] for region in facts["endpoints"]] == ["us-east-1", "us-east-2"]
    assert facts["endpoint"] == {
        name: facts["endpoints"][0][name] for name in ("dsn", "host", "ca", "bundle")
    }
    token = run("hotrow", "local", "token", "--region", "us-east-2").stdout.strip()
    psycopg.connect(facts["endpoints"][1]["dsn"], password=token).close()
    unknown = run("hotrow", "local", "token", "--region", "eu-west-1")
    assert (unknown.returncode, unknown.stderr.count("\n")) == (2, 1)
    assert "us-east-1, us-east-2" in unknown.stderr
    other = run("hotrow", "local", "up", "--endpoint", "--region", "eu-west-1")
    assert other.returncode == 2
    assert "--region us-east-1 --region us-east-2" in other.stderr


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--region", "us-east-1"), "--region is the endpoint's: add --endpoint"),
        (("--endpoint", "--region", "a", "--region", "a"), "each region once"),
        (("--endpoint", "--region", "US East"), "us-east-1"),
        (("--endpoint", "--rtt", "1ms,2ms"), "--rtt 1ms,2ms"),
        (("--endpoint", "--commit", "5"), "--commit"),
    ],
)
@pytest.mark.usefixtures("dsns")
def test_bad_options_are_one_line(options: tuple[str, ...], text: str) -> None:
    """The exit code is 2, and the error names the option to change."""
    completed = run("hotrow", "local", "up", *options)
    assert (completed.returncode, completed.stderr.count("\n")) == (2, 1)
    assert text in completed.stderr
