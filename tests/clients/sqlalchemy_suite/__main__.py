"""`python -m tests.clients.sqlalchemy_suite`: SQLAlchemy's suite, AWS's dialect and an endpoint.

It takes a few minutes. Arguments are handed on to pytest (`-k HasTableTest`). The exit code is pytest's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

import psycopg

from tests.support.local_home import new_home

HERE = Path(__file__).parent
URL = "auroradsql+psycopg://admin@localhost:{port}/postgres?{options}"


def main(arguments: list[str]) -> int:
    """Start an endpoint, run the suite and stop the endpoint."""
    with new_home() as home:
        os.environ["HOTROW_HOME"] = str(home)
        # these read it
        from hotrow.standin.endpoint.credentials import make_token  # noqa: PLC0415
        from hotrow.standin.endpoint.lifecycle import ensure_endpoint, stop_endpoint  # noqa: PLC0415
        from hotrow.standin.server import down, ensure_up  # noqa: PLC0415
        from tests.clients.test_aws_connectors import PYTHON, install_python, installed  # noqa: PLC0415

        folder = installed("suite", " ".join((sys.version, *PYTHON, "pytest")), install_python)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "pytest>=8,<9"]
        subprocess.run(pip, check=True)
        with psycopg.connect(str(ensure_up().dsn), autocommit=True) as connection:
            connection.execute("CREATE SCHEMA test_schema AUTHORIZATION admin")
        try:
            endpoint = ensure_endpoint()
            options = urlencode({"sslmode": "verify-full", "sslrootcert": str(endpoint.ca)})
            environment = {**os.environ, "HOTROW_TOKEN": make_token(life_s=36_000), "PYTHONPATH": str(HERE)}
            words = [
                folder / "bin" / "python",
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                "-W",
                "ignore",
            ]
            words += ["-p", "plugin", "--confcutdir", HERE, "--rootdir", HERE, "-c", os.devnull, "--tb=short"]
            words += ["--maxfail=10000", "--dburi", URL.format(port=endpoint.port, options=options)]
            words += ["--requirements", "requirements:Requirements", "-rs", "suite.py", *arguments]
            return subprocess.run(words, cwd=HERE, env=environment, check=False).returncode
        finally:
            stop_endpoint()
            down()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
