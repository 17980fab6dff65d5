"""AWS's public connectors run on the endpoint unchanged, by a cluster's name.

Their packages are installed once, by name, in environments in a cache folder (HOTROW_TEST_CACHE): one for
Python, one for node. If a registry cannot be reached, the tests are skipped.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import platformdirs
import psycopg
import pytest

from hotrow.standin.endpoint.lifecycle import Endpoint, EndpointOptions, ensure_endpoint, stop_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.clients
NAME = "abcdefghijklmnopqrstuvwxyz.dsql.us-east-1.on.aws"
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIATESTOFCONNECTORS",
    "AWS_SECRET_ACCESS_KEY": "a-secret-key-for-connectors-only",
}
HERE = Path(__file__).parent
CACHE = Path(os.environ.get("HOTROW_TEST_CACHE") or platformdirs.user_cache_dir("hotrow-tests"))
INSTALL_S = 300
RUN_S = 120
PYTHON = (
    "aurora-dsql-python-connector==0.2.7",
    "aurora-dsql-sqlalchemy==1.3.0",
    "aurora-dsql-django==0.7.0",
    "aurora-dsql-tortoise-orm==0.2.0",
    "sqlalchemy==2.0.44",  # with 2.0.49 and later the dialect's own query lacks a column
    "django>=5.2,<6",
    "tortoise-orm>=1.1,<2",
    "psycopg[binary]>=3.2",
    "psycopg-pool",
    "psycopg2-binary",
    "asyncpg",
)
NODE = {
    "dependencies": {
        "@aws/aurora-dsql-node-postgres-connector": "^0.1.9",
        "@aws-sdk/dsql-signer": "^3",
        "pg": "^8",
        "postgres": "^3",
    },
    "optionalDependencies": {"@aws/aurora-dsql-postgresjs-connector": "*"},
}
WORKED = [[1, "c"]]
MAPPED = [["c"], ["id", "v"], ["id"], [["v"]]]
EXPECTED = {
    "psycopg": WORKED,
    "psycopg_pool": "admin",
    "psycopg2": WORKED,
    "asyncpg": WORKED,
    "sqlalchemy_psycopg": MAPPED,
    "sqlalchemy_psycopg2": MAPPED,
    "django": [["c"], ["app_label", "model"]],
    "tortoise_asyncpg": ["c"],
    "tortoise_psycopg": ["c"],
}


def installed(name: str, wanted: str, install: Callable[[Path], None]) -> Path:
    """The folder of an environment, made at first use; `wanted` is all that its content depends on."""
    folder = CACHE / f"{name}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            try:
                install(folder)
            except (subprocess.SubprocessError, OSError) as error:
                text = str(getattr(error, "stderr", None) or error).strip().splitlines()
                pytest.skip(f"the packages cannot be installed: {text[-1] if text else error!r}")
            (folder / "complete").touch()
    return folder


def call(*words: str | Path, folder: Path, within_s: int, **variables: str) -> str:
    """Run a program in a folder, with these variables; its output."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("PG", "AWS_", "PYTHON"))}
    completed = subprocess.run(
        words,
        cwd=folder,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=within_s,
        check=True,
    )
    return completed.stdout


def install_python(folder: Path) -> None:
    call(sys.executable, "-m", "venv", folder, folder=folder, within_s=INSTALL_S)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--retries=1", "--timeout=10"]
    call(*pip, "--only-binary=:all:", *PYTHON, folder=folder, within_s=INSTALL_S)


def install_node(folder: Path) -> None:
    (folder / "package.json").write_text(json.dumps(NODE))
    options = ["--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=10000"]
    call("npm", "install", *options, folder=folder, within_s=INSTALL_S)


@pytest.fixture(scope="module")
def endpoint(dsn: str) -> Iterator[Endpoint]:
    """The stand-in's endpoint under the cluster's name, with a schema for what the packages create."""
    with pytest.MonkeyPatch.context() as patch, psycopg.connect(dsn, autocommit=True) as connection:
        for name, text in KEYS.items():
            patch.setenv(name, text)
        connection.execute("CREATE SCHEMA connectors AUTHORIZATION admin")
        connection.execute("ALTER ROLE admin SET search_path TO connectors")
        stop_endpoint()
        yield ensure_endpoint(EndpointOptions(regions=("us-east-1",), hostnames=(NAME,)))
        stop_endpoint()
        connection.execute("ALTER ROLE admin RESET search_path")
        connection.execute("DROP SCHEMA connectors CASCADE")


def variables(endpoint: Endpoint) -> dict[str, str]:
    """What an application needs in its environment; the address replaces the hosts file for libpq."""
    trust = dict.fromkeys(("SSL_CERT_FILE", "PGSSLROOTCERT", "NODE_EXTRA_CA_CERTS"), str(endpoint.bundle))
    return {**KEYS, **trust, "PGHOSTADDR": "127.0.0.1"}


@pytest.fixture(scope="module")
def by_python(endpoint: Endpoint) -> dict[str, Any]:
    """What each Python package read."""
    folder = installed("python", " ".join((sys.version, *PYTHON)), install_python)
    words = [folder / "bin" / "python", HERE / "with_python.py", NAME, str(endpoint.port), *EXPECTED]
    return dict(json.loads(call(*words, folder=folder, within_s=RUN_S, **variables(endpoint))))


@pytest.fixture(scope="module")
def by_node(endpoint: Endpoint) -> dict[str, Any]:
    """What each node package read."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    folder = installed("node", json.dumps(NODE), install_node)
    script = shutil.copy(HERE / "with_node.js", folder)  # node looks for packages beside the script
    words = ["node", script, NAME, str(endpoint.port)]
    return dict(json.loads(call(*words, folder=folder, within_s=RUN_S, **variables(endpoint))))


@pytest.mark.parametrize("package", EXPECTED)
def test_a_python_package_works(by_python: dict[str, Any], package: str) -> None:
    """It connects, creates a table and writes rows, and an ORM reflects what it made."""
    assert by_python[package] == EXPECTED[package]


def test_node_postgres_works(by_node: dict[str, Any]) -> None:
    """Client and pool of AWS's connector."""
    assert by_node["nodePostgres"] == [{"id": "1", "v": "c"}]


@pytest.mark.parametrize("package", ["postgresJs", "postgresJsConnector"])
def test_postgres_js_works(by_node: dict[str, Any], package: str) -> None:
    """A transaction reads what was there at its BEGIN."""
    if by_node[package] == "not installed":
        pytest.skip("the registry does not have the connector for postgres.js")
    assert by_node[package] == ["c"]
