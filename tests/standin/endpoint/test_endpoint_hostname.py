"""`--hostname`: the endpoint under the name of a cluster, which AWS's connectors insist on."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from hotrow.commands.local import local
from hotrow.errors import TargetError, UsageError
from hotrow.standin.endpoint.credentials import make_token
from hotrow.standin.endpoint.lifecycle import EndpointOptions, ensure_endpoint, stop_endpoint
from tests.support.commands import run

if TYPE_CHECKING:
    from collections.abc import Iterator

ID = "abcdefghijklmnopqrstuvwxyz"
EAST, WEST = f"{ID}.dsql.us-east-1.on.aws", f"{ID[::-1]}.dsql.us-west-2.on.aws"


@pytest.fixture(scope="module")
def printed(dsn: str) -> Iterator[str]:
    """What `up` prints for two named regions, which run until the end of the module."""
    assert dsn
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"):
            patch.delenv(name, raising=False)
        stop_endpoint()
        yield run("hotrow", "local", "up", "--endpoint", "--hostname", EAST, "--hostname", WEST).stdout
        stop_endpoint()


@pytest.fixture(scope="module")
def regions(printed: str) -> list[dict[str, Any]]:
    """The regions in `status --json`."""
    assert printed
    listed: list[dict[str, Any]] = json.loads(run("hotrow", "local", "status", "--json").stdout)["endpoints"]
    return listed


def test_each_region_has_its_name_and_a_token_for_it(regions: list[dict[str, Any]]) -> None:
    """The certificate has the name (verify-full), libpq needs no hosts file, and tokens do not mix."""
    assert [(one["region"], one["host"]) for one in regions] == [("us-east-1", EAST), ("us-west-2", WEST)]
    tokens = {one["region"]: make_token(region=one["region"]) for one in regions}
    for one in regions:
        facts = conninfo_to_dict(one["dsn"])
        assert (facts["host"], facts["sslmode"]) == (one["host"], "verify-full")
        assert tokens[one["region"]].startswith(f"{one['host']}/?Action=DbConnectAdmin")
        for region, token in tokens.items():
            conninfo = make_conninfo(one["dsn"], password=token)
            if region == one["region"]:
                with psycopg.connect(conninfo) as connection:
                    assert connection.execute("SELECT 1").fetchone() == (1,)
            else:
                with pytest.raises(psycopg.OperationalError, match="access denied"):
                    psycopg.connect(conninfo)


def test_localhost_still_works(regions: list[dict[str, Any]]) -> None:
    """The certificate keeps that name; the token is for the cluster's."""
    for one in regions:
        conninfo = make_conninfo(one["dsn"], host="localhost", password=make_token(region=one["region"]))
        with psycopg.connect(conninfo) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_what_a_connector_needs_is_printed(printed: str, regions: list[dict[str, Any]]) -> None:
    """A line for the hosts file, and variables that name the authorities: the system's and the endpoint's."""
    bundle = Path(regions[0]["bundle"])
    assert f"127.0.0.1 {EAST} {WEST}\n" in printed
    for name in ("SSL_CERT_FILE", "PGSSLROOTCERT", "NODE_EXTRA_CA_CERTS"):
        assert f"{name}={bundle}" in printed
    assert "--port 5432" in printed
    own, all_of_them = (ssl.create_default_context(cafile=path) for path in (regions[0]["ca"], bundle))
    assert {str(ca) for ca in own.get_ca_certs()} <= {str(ca) for ca in all_of_them.get_ca_certs()}
    assert own.get_ca_certs()


@pytest.mark.usefixtures("printed")
def test_an_endpoint_with_other_names_is_not_taken_for_this_one() -> None:
    """The message has the names with which it runs. Without the option it is taken as it is."""
    assert ensure_endpoint().host == EAST
    with pytest.raises(TargetError, match=f"--hostname {EAST} --hostname {WEST}: `hotrow local down` first"):
        ensure_endpoint(EndpointOptions(regions=("us-east-1", "us-west-2"), hostnames=(WEST, EAST)))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--hostname", "example.com"], "'example.com': write ID.dsql.REGION.on.aws"),
        (["--hostname", f"{ID[1:]}.dsql.us-east-1.on.aws"], "26 letters or digits"),
        (["--hostname", EAST.upper()], "write ID.dsql.REGION.on.aws"),
        (["--hostname", f"{EAST}\n"], "write ID.dsql.REGION.on.aws"),
        (["--hostname", EAST, "--region", "us-west-2"], "is in us-east-1, but --region says us-west-2"),
        (["--hostname", EAST, "--region", "us-east-1", "--region", "us-west-2"], "1 for 2 regions"),
        (["--hostname", EAST, "--hostname", EAST], "another region"),
    ],
)
def test_a_wrong_name_is_refused_before_anything_starts(words: list[str], text: str) -> None:
    """In one line, with the exit code of a usage error."""
    answer = CliRunner().invoke(local, ["up", "--endpoint", *words])

    assert isinstance(answer.exception, UsageError)
    assert text in str(answer.exception)
    assert "\n" not in str(answer.exception)
