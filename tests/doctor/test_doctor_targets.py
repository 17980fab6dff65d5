"""`hotrow doctor` on the stand-in, on plain PostgreSQL and on the endpoint, working and failing."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.conninfo import conninfo_to_dict

from hotrow.commands.main import main
from hotrow.standin.endpoint.credentials import make_token
from hotrow.standin.endpoint.lifecycle import Endpoint, ensure_endpoint, stop_endpoint
from hotrow.standin.endpoint.token import sign
from tests.support.schemas import schemas_of_runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

ACCESS_KEY = "AKIDOCTORTEST"
SECRET_KEY = "a-secret-key-that-nobody-sees"  # noqa: S105 - the test's own
KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
CHECKS = [
    "reachability",
    "TLS",
    "token",
    "session",
    "server version",
    "clock",
    "connections",
    "pooling",
    "round trip",
    "permissions",
    "isolation",
    "COMMIT",
    "conflict",
    "FOR UPDATE",
]


@dataclass(frozen=True)
class Hosts:
    """The two forms of `--host` for the endpoint."""

    endpoint: Endpoint
    port: str

    def dsql(self, *, region: str = "us-east-1", ca: str = "") -> str:
        return f"dsql://localhost:{self.port}?region={region}&sslrootcert={ca or self.endpoint.ca}"

    def postgresql(self, user: str = "admin") -> str:
        ca = quote(str(self.endpoint.ca), safe="")
        return f"postgresql://{user}@localhost:{self.port}/postgres?sslmode=verify-full&sslrootcert={ca}"


@pytest.fixture(scope="module")
def hosts(dsn: str) -> Iterator[Hosts]:
    """An endpoint that accepts the test's keys."""
    assert dsn
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in {**KEYS, "AWS_EC2_METADATA_DISABLED": "true"}.items():
            patch.setenv(name, value)
        endpoint = ensure_endpoint()
        yield Hosts(endpoint, str(conninfo_to_dict(endpoint.dsn)["port"]))
        stop_endpoint()


@pytest.fixture(scope="module")
def plain(dsn: str) -> str:
    """A database of the same server without the stand-in's extension, as a target."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE doctored TEMPLATE template0")
    return f"postgresql://postgres@/doctored?host={conninfo_to_dict(dsn)['host']}"


def run(host: str, *words: str) -> Result:
    return CliRunner().invoke(main, ["doctor", "-H", host, *words])


def checks_of(result: Result) -> dict[str, dict[str, Any]]:
    (target,) = json.loads(result.stdout)["targets"]
    return {check["check"]: check for check in target["checks"]}


def statuses(result: Result) -> dict[str, str]:
    return {name: check["status"] for name, check in checks_of(result).items()}


def test_the_stand_in_passes(dsn: str) -> None:
    """Every check that applies is ok, measurements are present, and no schema is left."""
    before = schemas_of_runs(dsn)
    result = run("local:rtt=0,commit=0", "--json")

    assert result.exit_code == 0, result.stdout
    assert list(checks_of(result)) == CHECKS
    assert {name for name, status in statuses(result).items() if status == "skipped"} == {"TLS", "token"}
    assert set(statuses(result).values()) == {"ok", "skipped"}
    assert "40001 OC000 at COMMIT" in checks_of(result)["conflict"]["seen"]
    assert checks_of(result)["round trip"]["measured"]["rtt_ms"]["n"] == 200
    assert checks_of(result)["COMMIT"]["measured"]["commit_ms"]["p99"] > 0
    assert schemas_of_runs(dsn) == before


@pytest.mark.usefixtures("dsn")
def test_the_stand_in_s_latency_is_that_of_a_run() -> None:
    """The sessions are those of a run, so the times include the injected latency."""
    result = run("local:rtt=4ms,commit=9ms", "--json")

    assert checks_of(result)["round trip"]["measured"]["rtt_ms"]["p50"] >= 3.5
    assert checks_of(result)["COMMIT"]["measured"]["commit_ms"]["p50"] >= 8.0


def test_plain_postgresql_waits_and_passes(plain: str) -> None:
    """The messages say that transactions wait for row locks."""
    result = run(plain, "--json")

    assert result.exit_code == 0, result.stdout
    assert "waits" in checks_of(result)["conflict"]["seen"]
    assert "row locks" in checks_of(result)["FOR UPDATE"]["seen"]
    assert checks_of(result)["isolation"]["measured"] == {
        "isolation": "repeatable read",
        "snapshot_holds": True,
    }


def test_serializable_is_examined_at_that_level(plain: str) -> None:
    """The isolation level is that of the option."""
    result = run(f"{plain}&isolation=serializable", "--json")

    assert checks_of(result)["isolation"]["measured"]["isolation"] == "serializable"
    assert result.exit_code == 0, result.stdout


def test_the_endpoint_as_aurora_dsql_passes(hosts: Hosts, dsn: str) -> None:
    """No check is skipped, not even TLS and token. The certificate's holder and expiry are shown."""
    before = schemas_of_runs(dsn)
    result = run(hosts.dsql(), "--json")

    assert result.exit_code == 0, result.stdout
    assert set(statuses(result).values()) == {"ok"}
    assert "localhost, issued by hotrow, valid until" in checks_of(result)["TLS"]["seen"]
    assert checks_of(result)["token"]["measured"]["credentials"] == "env"
    assert checks_of(result)["token"]["measured"]["life_s"] == 900
    assert "of 10,000" in checks_of(result)["connections"]["seen"]
    assert schemas_of_runs(dsn) == before


def test_two_regions_are_examined_one_after_the_other(hosts: Hosts) -> None:
    """Each region has a table with its own checks."""
    both = f"dsql://localhost:{hosts.port},127.0.0.1:{hosts.port}?region=us-east-1&sslrootcert={hosts.endpoint.ca}"

    result = run(both, "--json")

    targets = json.loads(result.stdout)["targets"]
    assert [len(target["checks"]) for target in targets] == [len(CHECKS)] * 2
    assert len({target["target"] for target in targets}) == 2


def expired(endpoint: Endpoint) -> str:
    """A token that was valid for one minute, an hour ago."""
    date = datetime.now(UTC) - timedelta(hours=1)
    values = {
        "Action": "DbConnectAdmin",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{ACCESS_KEY}/{date:%Y%m%d}/{endpoint.region}/dsql/aws4_request",
        "X-Amz-Date": f"{date:%Y%m%dT%H%M%SZ}",
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host",
    }
    signed = {**values, "X-Amz-Signature": sign(endpoint.host, values, SECRET_KEY)}
    query = "&".join(f"{name}={quote(text, safe='-_.~')}" for name, text in signed.items())
    return f"{endpoint.host}/?{query}"


def one_line(result: Result) -> str:
    """The single line on standard error about a target that could not be reached."""
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("hotrow: ")
    return line


def test_a_wrong_region_is_reported(hosts: Hosts) -> None:
    """The line has the region for which the token was signed."""
    line = one_line(run(hosts.dsql(region="us-west-2")))

    assert "token for us-west-2: access denied" in line
    assert "region" in line.rpartition(";")[2]


def test_an_expired_token_is_reported(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is used as the password, as in some clients. No output contains the token."""
    token = expired(hosts.endpoint)
    monkeypatch.setenv("PGPASSWORD", token)

    result = run(hosts.postgresql())

    line = one_line(result)
    assert "token has expired" in line
    assert "sign a new token" in line
    assert token.rpartition("=")[2] not in result.output


def test_missing_credentials_are_reported(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The check fails before anything is sent to the server."""
    for name in KEYS:
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))

    line = one_line(run(hosts.dsql()))

    assert "locate credentials" in line
    assert "aws configure" in line


def test_an_unknown_authority_is_reported(hosts: Hosts) -> None:
    """No certificate authority of the system has signed the endpoint's certificate."""
    line = one_line(run(f"dsql://localhost:{hosts.port}?region=us-east-1"))

    assert "not signed by the certificate authority" in line
    assert "sslrootcert" in line


def test_a_connection_that_does_not_verify_is_a_warning(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection works, so the check does not fail."""
    monkeypatch.setenv("PGPASSWORD", make_token())
    host = f"postgresql://admin@localhost:{hosts.port}/postgres?sslmode=require"

    result = run(host, "--json")

    assert statuses(result)["TLS"] == "warn"
    assert "does not verify who answers" in checks_of(result)["TLS"]["seen"]
    assert result.exit_code == 0, result.stdout


def test_a_ca_file_without_a_certificate_is_reported(hosts: Hosts, tmp_path: Path) -> None:
    """The line has the path of the file and the option to change."""
    file = tmp_path / "ca.pem"
    file.write_text("not a certificate")

    line = one_line(run(hosts.dsql(ca=str(file))))

    assert f"{file} cannot be read" in line
    assert "sslrootcert" in line


def test_an_unknown_host_is_reported() -> None:
    """The line has the host and the form of a cluster's host name."""
    line = one_line(run("postgresql://nobody.invalid/postgres"))

    assert "nobody.invalid, port 5432: the host name is unknown" in line
    assert "<id>.dsql.<region>.on.aws" in line


def test_a_closed_port_is_reported() -> None:
    """The line has host and port."""
    assert "127.0.0.1, port 1: no server is listening there" in one_line(run("postgresql://127.0.0.1:1/x"))


def test_a_user_without_permissions_fails_only_the_checks_that_need_them(plain: str, dsn: str) -> None:
    """The exit code is 1, because the server was reached. Only checks that need a table are skipped."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE ROLE doctored_reader LOGIN")

    result = run(plain.replace("postgres@", "doctored_reader@"), "--json")

    assert result.exit_code == 1
    assert statuses(result)["permissions"] == "fail"
    assert "permission denied" in checks_of(result)["permissions"]["seen"]
    assert "grant" in checks_of(result)["permissions"]["advice"]
    assert statuses(result)["round trip"] == "ok"
    assert checks_of(result)["conflict"]["seen"] == "needs permissions, which failed"


def test_a_wrong_option_is_refused_in_one_line() -> None:
    """The line has the same form as in other commands."""
    result = run("local:speed=9")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1


def test_a_conninfo_that_cannot_be_read_does_not_repeat_its_password() -> None:
    """The message of libpq might repeat it."""
    result = run("postgresql://u:hunter22%zz@127.0.0.1:1/x")

    assert result.exit_code == 2
    assert "hunter22" not in result.output


def test_no_secret_is_in_any_output(hosts: Hosts) -> None:
    """Neither key nor token is in the table or the JSON, whether the target passes or fails."""
    for host in (hosts.dsql(), hosts.dsql(region="us-west-2"), hosts.postgresql()):
        for words in ((), ("--json",)):
            output = run(host, *words).output
            assert output
            assert not any(part in output for part in (ACCESS_KEY, SECRET_KEY, "X-Amz-Signature"))


@pytest.mark.usefixtures("dsn")
def test_the_console_table_is_80_columns_wide() -> None:
    """This is the width if the output is not a terminal but, for example, a log."""
    result = run("local:rtt=0,commit=0")

    assert max(map(len, result.stdout.splitlines())) <= 80
    assert result.stdout.splitlines()[-1] == "12 ok, 2 skipped: ready for a run"
