"""Counts the instructions that one backend executes per transaction, on plain tables and on the stand-in.

Run `python bench/instructions.py`; valgrind must be installed. A transaction is a transfer between two of
500 rows: BEGIN, two prepared UPDATEs by key, COMMIT. Callgrind counts a `postgres --single`, so other
load on the machine does not change the figures. Two runs of different lengths are compared, so start-up and
planning cancel out. `--functions 30` also lists the functions of PostgreSQL that take the most, and
`--folder DIR` keeps callgrind's files for callgrind_annotate.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from standin import own_server

from hotrow.standin.server import down
from hotrow.standin.site import find_site

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORT, LONG = 500, 1500
"""Transactions in the two runs. The first run fills the rows' pages, so that the difference has its share of
clearing dead rows away."""
HEATED = 500
"""How many of the rows the transfers use."""
TABLES = ("plain", "standin")
PREPARE = """\
SET synchronous_commit = off
SET enable_seqscan = off
SELECT sum(balance) FROM bench.{table} WHERE id >= 0
RESET enable_seqscan
PREPARE minus(bigint) AS UPDATE bench.{table} SET balance = balance - 1 WHERE id = $1
PREPARE plus(bigint) AS UPDATE bench.{table} SET balance = balance + 1 WHERE id = $1
"""


def script(table: str, transactions: int) -> str:
    """Transfers for `postgres --single`, which takes a statement per line."""
    rng = random.Random(1)  # noqa: S311 - the same rows each time
    lines = [PREPARE.format(table=table)]
    for _ in range(transactions):
        source, destination = rng.sample(range(HEATED), 2)
        lines.append(f"BEGIN\nEXECUTE minus({source})\nEXECUTE plus({destination})\nCOMMIT\n")
    return "".join(lines)


def count(table: str, transactions: int, output: Path) -> Counter[str]:
    """The instructions of each function in one run."""
    site = find_site()
    command = [
        *("setpriv", f"--reuid={site.account.uid}", f"--regid={site.account.gid}", "--clear-groups"),
        *("valgrind", "--tool=callgrind", f"--callgrind-out-file={output}", "--dump-instr=no"),
        *(site.usable_binaries.program("postgres"), "--single", "-D", site.paths.data),
        "postgres",
    ]
    if not site.account.foreign:
        del command[:4]
    completed = subprocess.run(
        command, input=script(table, transactions), capture_output=True, text=True, check=False, cwd="/"
    )
    if completed.returncode or re.search("ERROR|FATAL", completed.stderr + completed.stdout):
        raise SystemExit(completed.stderr[-2000:])
    return read_profile(output)


def read_profile(file: Path) -> Counter[str]:
    """The instructions of each function itself, without what it calls, from a file of callgrind."""
    names: dict[str, str] = {}
    costs: Counter[str] = Counter()
    function, called = "", False
    for line in file.read_text(errors="replace").splitlines():
        if match := re.match(r"c?fn=\((\d+)\)(?: (.*))?", line):
            if match[2]:
                names[match[1]] = match[2].split("'")[0]
            if line.startswith("fn="):
                function = names[match[1]]
        elif line.startswith("calls="):
            called = True
        elif re.match(r"[+\-*\d]", line):
            if not called:
                costs[function] += int(line.split()[1])
            called = False
    return costs


def per_transaction(table: str, folder: Path) -> dict[str, float]:
    """The instructions of each function per transaction."""
    short, long = (
        count(table, transactions, folder / f"{table}.{transactions}") for transactions in (SHORT, LONG)
    )
    return {name: (long[name] - short[name]) / (LONG - SHORT) for name in long}


def show(table: str, costs: dict[str, float], functions: int) -> None:
    """Print one table's sum, and the functions that take most of it."""
    print(f"{table:<9}{sum(costs.values()) / 1000:9.1f} k instructions per transfer", flush=True)
    for name in sorted(costs, key=lambda name: -costs[name])[:functions]:
        print(f"{costs[name] / 1000:18.2f} k  {name}")


@contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    """The folder for callgrind's files: the one that was named, or one that is removed afterwards."""
    folder = named or Path(tempfile.mkdtemp(prefix="hb"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)  # as root, the server runs as another account
    try:
        yield folder
    finally:
        if named is None:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Count on a server of the benchmark's own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--functions", type=int, default=0, metavar="N")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--table", choices=TABLES, action="append")
    options = parser.parse_args()
    with own_server(), _folder(options.folder) as folder:
        down()
        for table in options.table or TABLES:
            show(table, per_transaction(table, folder), options.functions)


if __name__ == "__main__":
    main()
