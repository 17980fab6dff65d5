"""`-H dsql://…`: its options, their meaning, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hotrow.errors import UsageError
from hotrow.targets.dsql.cluster import find_authorities, parse_clusters
from hotrow.targets.target import parse_target
from tests.support.local_home import python

if TYPE_CHECKING:
    from pathlib import Path

ONE = "dsql://abcd1234.dsql.us-east-1.on.aws"
TWO = f"{ONE},efgh5678.dsql.us-east-2.on.aws"


def test_an_endpoint_s_name_is_enough() -> None:
    """Port, database, user, lifetimes and rates default to Aurora DSQL's. The host name has the region."""
    (cluster,) = parse_clusters(ONE)

    assert (cluster.host, cluster.port, cluster.region) == (ONE.removeprefix("dsql://"), 5432, "us-east-1")
    assert (cluster.user, cluster.token_life_s, cluster.session_life_s) == ("admin", 900, 3300)
    assert (cluster.connect_rate_per_s, cluster.connect_burst) == (100, 1000)


def test_options_replace_the_defaults(tmp_path: Path) -> None:
    """Each option is read with its unit and applies to all hosts."""
    ca = tmp_path / "ca.pem"
    ca.touch()
    options = f"user=app&sslrootcert={ca}&token_life=60s&session_life=90s&connect_rate=5&connect_burst=1"

    clusters = parse_clusters(f"{TWO}/postgres?{options}")

    assert len(clusters) == 2
    for cluster in clusters:
        assert (cluster.user, cluster.sslrootcert) == ("app", str(ca))
        assert (cluster.token_life_s, cluster.session_life_s) == (60, 90)
        assert (cluster.connect_rate_per_s, cluster.connect_burst) == (5, 1)


@pytest.mark.parametrize(
    ("host", "regions", "label"),
    [
        (ONE, ("us-east-1",), "Aurora DSQL us-east-1"),
        (f"{ONE}?region=us-east-1", ("us-east-1",), "Aurora DSQL us-east-1"),
        (TWO, ("us-east-1", "us-east-2"), "Aurora DSQL us-east-1 + us-east-2"),
        (
            TWO.replace(",", "/postgres,dsql://"),
            ("us-east-1", "us-east-2"),
            "Aurora DSQL us-east-1 + us-east-2",
        ),
        ("dsql://x.dsql-fnh4.eu-west-2.on.aws", ("eu-west-2",), "Aurora DSQL eu-west-2"),
        (
            "dsql://localhost:5433?region=eu-west-1",
            ("eu-west-1",),
            "localhost:5433, as Aurora DSQL eu-west-1",
        ),
        ("dsql://a:1,b:2?region=x-1,y-2", ("x-1", "y-2"), "a:1 + b:2, as Aurora DSQL x-1 + y-2"),
        ("dsql://a:1,b:2?region=x-1", ("x-1", "x-1"), "a:1 + b:2, as Aurora DSQL x-1 + x-1"),
    ],
)
def test_regions_and_label(host: str, regions: tuple[str, ...], label: str) -> None:
    """Regions are in the order of the hosts. Only a host with an Aurora DSQL name is labelled so."""
    target = parse_target(host)

    assert (target.type, target.regions, target.label) == ("dsql", regions, label)
    assert (target.conflicts, target.isolation, target.latency) == ("commit", "repeatable-read", None)
    assert target.rewrite("SELECT 1 FOR UPDATE") == "SELECT 1 FOR UPDATE"


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("dsql://localhost:5432", "?region="),
        (f"{ONE}?region=us-west-2", "contradicts"),
        (f"{TWO}?region=us-east-1", "contradicts"),
        (f"{TWO}?region=a-1,b-2,c-3", "3 regions for 2 hosts"),
        ("dsql://", "the host or port is not valid"),
        (f"{ONE},", "the host or port is not valid"),
        (f"{ONE}:70000", "the host or port is not valid"),
        (f"{ONE}:0", "the host or port is not valid"),
        (f"{ONE}/shop", "postgres"),
        (f"{ONE}?user=", "user="),
        (f"{ONE}?colour=red", "'colour'"),
        (f"{ONE}?user=a,{TWO}", "after the last host"),
        (f"{ONE}?sslrootcert=/nowhere/ca.pem", "sslrootcert=/nowhere/ca.pem"),
        (f"{ONE}?token_life=900", "token_life"),
        (f"{ONE}?token_life=169h", "token_life=169h"),
        (f"{ONE}?session_life=61m", "session_life=61m"),
        (f"{ONE}?connect_rate=0", "connect_rate=0"),
        (f"{ONE}?connect_burst=many", "connect_burst=many"),
    ],
)
def test_an_impossible_host_is_refused(host: str, named: str) -> None:
    """The message is one line that names `--host` and what to change in it."""
    with pytest.raises(UsageError) as caught:
        parse_target(host)

    assert str(caught.value).startswith("--host ")
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["dsql://admin:hunter2@a?region=x-1", "dsql://a,hunter2@b?region=x-1", f"{ONE}?password=hunter2"]
)
def test_a_password_is_refused_and_not_repeated(host: str) -> None:
    """A token replaces the password, which no message repeats."""
    with pytest.raises(UsageError, match="password") as caught:
        parse_target(host)

    assert "hunter2" not in str(caught.value)


SHOWN = {
    f"{TWO}/postgres?sslrootcert=/home/me/ca.pem": f"{TWO}/postgres",
    f"{ONE}?sslrootcert=/home/me/ca.pem": ONE,
    "postgresql://me:hunter2@db/x?password=hunter2": "postgresql://db/x",
    "postgresql://me:hun?ter2@db/x": "postgresql://db/x",
}


def test_the_command_in_run_json_has_host_and_database_only() -> None:
    """It has no local path, no user and no password."""
    code = f"from hotrow.run.directory import _command; print(_command(['locust', *{list(SHOWN)}]))"

    stdout, _ = python(code).communicate(timeout=60)

    assert stdout.split() == ["locust", *SHOWN.values()]


def test_authorities_are_those_of_the_environment_first(tmp_path: Path) -> None:
    """SSL_CERT_FILE is used if the file exists, otherwise an existing bundle of the system."""
    authorities = tmp_path / "own.pem"
    authorities.touch()

    assert find_authorities({"SSL_CERT_FILE": str(authorities)}) == str(authorities)
    with open(find_authorities({"SSL_CERT_FILE": str(tmp_path / "none.pem")})) as bundle:  # noqa: PTH123
        assert "BEGIN CERTIFICATE" in bundle.read()
