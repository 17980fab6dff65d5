"""pgbench's built-in scripts, the tables they run on, and their checks.

Source: the sections `What Is the "Transaction" Actually Performed in pgbench?` and "Initialization Options"
of pgbench's documentation.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from hotrow.scenario import key_ranges

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ACCOUNT = "\\set aid random(1, 100000 * :scale)\n"
_OTHERS = (
    "\\set bid random(1, 1 * :scale)\n\\set tid random(1, 10 * :scale)\n\\set delta random(-5000, 5000)\n"
)
_DEPOSIT = "UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;\n"
_READ = "SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
_TOTALS = """\
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;
"""
_ENTRY = """\
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime)
    VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);
"""
BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "tpcb-like": f"{_ACCOUNT}{_OTHERS}BEGIN;\n{_DEPOSIT}{_READ}{_TOTALS}{_ENTRY}END;\n",
        "simple-update": f"{_ACCOUNT}{_OTHERS}BEGIN;\n{_DEPOSIT}{_READ}{_ENTRY}END;\n",
        "select-only": f"{_ACCOUNT}{_READ}",
    }
)
"""By name: the text of the script."""
_ACCOUNTS_CHECK = """\
-- accounts change by as much as history
-- before
SELECT (SELECT sum(abalance) FROM pgbench_accounts)::bigint
     - (SELECT coalesce(sum(delta), 0) FROM pgbench_history)::bigint AS difference;
"""
_TOTALS_CHECK = """\
-- accounts, tellers and branches change alike
-- before
SELECT (SELECT sum(abalance) FROM pgbench_accounts)::bigint
     - (SELECT sum(tbalance) FROM pgbench_tellers)::bigint AS tellers,
       (SELECT sum(abalance) FROM pgbench_accounts)::bigint
     - (SELECT sum(bbalance) FROM pgbench_branches)::bigint AS branches;
"""
_ENTRIES_CHECK = """\
-- history has a row per transaction
-- once per transaction
SELECT count(*) FROM pgbench_history;
"""
TABLES: tuple[str, ...] = (
    "CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88))",
    "CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84))",
    "CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84))",
    "CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))",
)
_TELLERS, _ACCOUNTS = 10, 100_000
"""Rows per branch."""


def fill(scale: int) -> Sequence[str]:
    """The statements that fill the tables for this number of branches."""
    inserts = {
        "INSERT INTO pgbench_branches SELECT id + 1, 0, NULL": scale,
        f"INSERT INTO pgbench_tellers SELECT id + 1, id / {_TELLERS} + 1, 0, NULL": _TELLERS * scale,
        f"INSERT INTO pgbench_accounts SELECT id + 1, id / {_ACCOUNTS} + 1, 0, ''": _ACCOUNTS * scale,
    }
    return [
        f"{insert} FROM generate_series({first}, {last}) AS id"
        for insert, rows in inserts.items()
        for first, last in key_ranges(rows)
    ]


def check_text(names: Sequence[str]) -> str:
    """The checks that hold if only these built-in scripts run."""
    checks = _ACCOUNTS_CHECK
    if "simple-update" not in names:
        checks += _TOTALS_CHECK
    return checks if "select-only" in names else checks + _ENTRIES_CHECK
