"""`hotrow doctor` on the stand-in, on plain PostgreSQL, on the endpoint as Aurora DSQL; and its ills."""

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
from hotrow.standin.endpoint.lifecycle import Endpoint, ensure_endpoint, make_token, stop_endpoint
from hotrow.standin.endpoint.token import sign

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
class Way:
    """Two ways to name the endpoint."""

    endpoint: Endpoint
    port: str

    def dsql(self, *, region: str = "us-east-1", host: str = "", ca: str = "") -> str:
        place = host or f"localhost:{self.port}"
        return f"dsql://{place}?region={region}&sslrootcert={ca or self.endpoint.ca}"

    def postgresql(self, user: str = "admin") -> str:
        ca = quote(str(self.endpoint.ca), safe="")
        return f"postgresql://{user}@localhost:{self.port}/postgres?sslmode=verify-full&sslrootcert={ca}"


@pytest.fixture(scope="module")
def way(dsn: str) -> Iterator[Way]:
    """An endpoint that knows the test's keys."""
    assert dsn
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in {**KEYS, "AWS_EC2_METADATA_DISABLED": "true"}.items():
            patch.setenv(name, value)
        endpoint = ensure_endpoint()
        yield Way(endpoint, str(conninfo_to_dict(endpoint.dsn)["port"]))
        stop_endpoint()


@pytest.fixture(scope="module")
def plain(dsn: str) -> str:
    """A database of the same server that the stand-in knows nothing of, as a target."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE doctored TEMPLATE template0")
    return f"postgresql://postgres@/doctored?host={conninfo_to_dict(dsn)['host']}"


def run(host: str, *words: str) -> Result:
    return CliRunner().invoke(main, ["doctor", "-H", host, *words])


def found(result: Result) -> dict[str, dict[str, Any]]:
    (target,) = json.loads(result.stdout)["targets"]
    return {check["check"]: check for check in target["checks"]}


def statuses(result: Result) -> dict[str, str]:
    return {name: check["status"] for name, check in found(result).items()}


def schemas(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'probe%'").fetchall()
    return {name for (name,) in rows}


def test_the_stand_in_is_well(dsn: str) -> None:
    """Everything that applies is ok, figures are there, and no schema is left."""
    result = run("local:rtt=0,commit=0", "--json")

    assert result.exit_code == 0, result.stdout
    assert list(found(result)) == CHECKS
    assert {n for n, s in statuses(result).items() if s == "skipped"} == {"TLS", "token"}
    assert set(statuses(result).values()) == {"ok", "skipped"}
    assert "40001 OC000 at COMMIT" in found(result)["conflict"]["seen"]
    assert found(result)["round trip"]["measured"]["rtt_ms"]["n"] == 200
    assert found(result)["COMMIT"]["measured"]["commit_ms"]["p99"] > 0
    assert schemas(dsn) == set()


def test_the_stand_in_s_latency_is_that_of_a_run(dsn: str) -> None:
    """The sessions are those of a run: what the profile injects is in the figures."""
    result = run("local:rtt=4ms,commit=9ms", "--json")

    assert found(result)["round trip"]["measured"]["rtt_ms"]["p50"] >= 3.5
    assert found(result)["COMMIT"]["measured"]["commit_ms"]["p50"] >= 8.0


def test_plain_postgresql_waits_and_is_well(plain: str) -> None:
    """Row locks are said as what they are."""
    result = run(plain, "--json")

    assert result.exit_code == 0, result.stdout
    assert "waits" in found(result)["conflict"]["seen"]
    assert "row locks" in found(result)["FOR UPDATE"]["seen"]
    assert found(result)["isolation"]["measured"] == {"isolation": "repeatable read", "snapshot_holds": True}


def test_serializable_is_examined_as_it_was_asked_for(plain: str) -> None:
    """The level in force is the option's."""
    result = run(f"{plain}&isolation=serializable", "--json")

    assert found(result)["isolation"]["measured"]["isolation"] == "serializable"
    assert result.exit_code == 0, result.stdout


def test_aurora_dsql_by_the_endpoint_is_well(way: Way, dsn: str) -> None:
    """TLS, token and all: nothing is skipped, and the certificate's holder and end are told."""
    result = run(way.dsql(), "--json")

    assert result.exit_code == 0, result.stdout
    assert set(statuses(result).values()) == {"ok"}
    assert "localhost, issued by hotrow, until" in found(result)["TLS"]["seen"]
    assert found(result)["token"]["measured"]["credentials"] == "env"
    assert found(result)["token"]["measured"]["life_s"] == 900
    assert "of 10,000" in found(result)["connections"]["seen"]
    assert schemas(dsn) == set()


def test_two_regions_are_examined_one_after_the_other(way: Way) -> None:
    """Each has its own table and its own checks."""
    both = f"dsql://localhost:{way.port},127.0.0.1:{way.port}?region=us-east-1&sslrootcert={way.endpoint.ca}"

    result = run(both, "--json")

    targets = json.loads(result.stdout)["targets"]
    assert [len(target["checks"]) for target in targets] == [len(CHECKS)] * 2
    assert len({target["target"] for target in targets}) == 2


def expired(endpoint: Endpoint) -> str:
    """A token that was good for a minute, an hour ago."""
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
    """The line on standard error of a target that was not reached."""
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("hotrow: ")
    return line


def test_a_wrong_region_is_named(way: Way) -> None:
    """With the region that the token was made for."""
    line = one_line(run(way.dsql(region="us-west-2")))

    assert "token for us-west-2: access denied" in line
    assert "region" in line.rpartition(";")[2]


def test_an_expired_token_is_named(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a password, as some clients keep it; the token itself is nowhere."""
    token = expired(way.endpoint)
    monkeypatch.setenv("PGPASSWORD", token)

    result = run(way.postgresql())

    line = one_line(result)
    assert "token has expired" in line
    assert "sign a new token" in line
    assert token.rpartition("=")[2] not in result.output


def test_missing_credentials_are_named(way: Way, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before anything is sent to the server."""
    for name in KEYS:
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))

    line = one_line(run(way.dsql()))

    assert "locate credentials" in line
    assert "aws configure" in line


def test_a_foreign_authority_is_named(way: Way) -> None:
    """The system's authorities have not signed the endpoint's certificate."""
    line = one_line(run(f"dsql://localhost:{way.port}?region=us-east-1"))

    assert "not signed by the certificate authority" in line
    assert "sslrootcert" in line


def test_a_connection_that_verifies_nobody_is_warned_of(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """It works all the same: a warning is no failure."""
    monkeypatch.setenv("PGPASSWORD", make_token())
    host = f"postgresql://admin@localhost:{way.port}/postgres?sslmode=require"

    result = run(host, "--json")

    assert statuses(result)["TLS"] == "warn"
    assert "does not verify who answers" in found(result)["TLS"]["seen"]
    assert result.exit_code == 0, result.stdout


def test_a_file_that_holds_no_authority_is_named(way: Way, tmp_path: Path) -> None:
    """Which file it is, and the option to change."""
    file = tmp_path / "ca.pem"
    file.write_text("not a certificate")

    line = one_line(run(way.dsql(ca=str(file))))

    assert f"{file} cannot be read" in line
    assert "sslrootcert" in line


def test_an_unknown_host_is_named() -> None:
    """The host, and how a cluster's is spelt."""
    line = one_line(run("postgresql://nobody.invalid/postgres"))

    assert "nobody.invalid, port 5432: the host name is unknown" in line
    assert "<id>.dsql.<region>.on.aws" in line


def test_a_port_where_nobody_listens_is_named() -> None:
    """Host and port."""
    assert "127.0.0.1, port 1: nothing listens there" in one_line(run("postgresql://127.0.0.1:1/x"))


def test_a_user_who_may_not_create_fails_and_blocks_only_what_needs_it(plain: str, dsn: str) -> None:
    """Exit code 1: it was reached. Latency is still measured, what needs a table is skipped by name."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE ROLE doctored_reader LOGIN")

    result = run(plain.replace("postgres@", "doctored_reader@"), "--json")

    assert result.exit_code == 1
    assert statuses(result)["permissions"] == "fail"
    assert "permission denied" in found(result)["permissions"]["seen"]
    assert "grant" in found(result)["permissions"]["advice"]
    assert statuses(result)["round trip"] == "ok"
    assert found(result)["conflict"]["seen"] == "needs permissions, which failed"


def test_a_wrong_option_is_refused_in_one_line() -> None:
    """As by every other command."""
    result = run("local:speed=9")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1


def test_a_conninfo_that_cannot_be_read_does_not_repeat_its_password() -> None:
    """Whatever libpq would have said about it."""
    result = run("postgresql://u:hunter22%zz@127.0.0.1:1/x")

    assert result.exit_code == 2
    assert "hunter22" not in result.output


def test_no_secret_is_in_any_output(way: Way) -> None:
    """Neither key nor token, in table and JSON, of a target that is well and of one that is not."""
    for host in (way.dsql(), way.dsql(region="us-west-2"), way.postgresql()):
        for words in ((), ("--json",)):
            output = run(host, *words).output
            assert output
            assert not any(part in output for part in (ACCESS_KEY, SECRET_KEY, "X-Amz-Signature"))


def test_the_console_s_table_is_80_wide(dsn: str) -> None:
    """Where output is no terminal, as in a log."""
    result = run("local:rtt=0,commit=0")

    assert max(map(len, result.stdout.splitlines())) <= 80
    assert result.stdout.splitlines()[-1] == "12 ok, 2 skipped: ready for a run"
