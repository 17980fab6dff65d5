"""Finds and removes schemas that ended runs have left on a target."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import psutil
import psycopg

from hotrow.errors import TargetError
from hotrow.tables.run_schema import retry_refused, target_for_tables
from hotrow.tables.schema_name import PATTERN, Maker, read, this_machine
from hotrow.targets.session import TABLES_S

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from hotrow.targets.session import PostgresSession, Waiting
    from hotrow.targets.target import Target

SURELY_ENDED = timedelta(hours=1)
"""A run of another machine that has no session this long after its start is taken to have ended."""
_ROUNDING = timedelta(seconds=2)
"""A process may seem this much younger than its schema, because both times are rounded."""
_SCHEMAS = f"SELECT nspname FROM pg_namespace WHERE nspname LIKE '{PATTERN}' ORDER BY nspname"  # noqa: S608 - ours
_SESSIONS = "SELECT DISTINCT application_name FROM pg_stat_activity"
_SIZES = f"""SELECT nspname, sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c
               JOIN pg_namespace n ON n.oid = relnamespace
              WHERE nspname LIKE '{PATTERN}' AND relkind = 'r' GROUP BY nspname"""  # noqa: S608 - ours


class RunStatus(StrEnum):
    """Whether the run that created a schema still goes on."""

    RUNNING = "running"
    ENDED = "ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Leftover:
    """A schema of a run, and whether the run still goes on."""

    maker: Maker
    run_status: RunStatus
    size_bytes: int | None
    """None if the server does not report it."""

    def as_json(self, *, removed: bool) -> dict[str, Any]:
        """The leftover as JSON values."""
        maker = self.maker
        return {
            "schema": maker.schema,
            "began": maker.began.isoformat(),
            "host": maker.host,
            "this_machine": maker.machine == this_machine(),
            "pid": maker.pid,
            "state": self.run_status.value,
            "size_bytes": self.size_bytes,
            "removed": removed,
        }


def find_leftovers(target: Target, waiting: Waiting) -> list[Leftover]:
    """All schemas of runs on the target, oldest first.

    Raises:
        TargetError: the server was not reached, or does not list its schemas.
    """
    session = _open(target, waiting)
    try:
        makers = [maker for (name,) in session.execute(_SCHEMAS).rows if (maker := read(str(name)))]
        sessions = _live_runs(session, target)
        sizes = _sizes(session)
    except psycopg.Error as error:
        raise TargetError(f"{target.label} does not list its schemas: {target.error_text(error)}") from None
    finally:
        session.close()
    now = datetime.now(UTC)
    return [
        Leftover(maker, run_status_of(maker, _began(maker.pid), sessions, now), sizes.get(maker.schema))
        for maker in sorted(makers, key=lambda maker: (maker.began, maker.schema))
    ]


def run_status_of(
    maker: Maker, process_began: datetime | None, sessions: Collection[str] | None, now: datetime
) -> RunStatus:
    """Whether the run that created a schema still goes on; unknown if in doubt.

    Args:
        maker: the facts in the schema's name.
        process_began: the start of the process with the maker's id on this machine; None if there is none.
        sessions: the runs that have sessions on the server; None if the server does not report them.
        now: the current time in UTC.
    """
    if sessions is not None and maker.run in sessions:
        return RunStatus.RUNNING
    if maker.machine == this_machine():
        is_running = process_began is not None and process_began <= maker.began + _ROUNDING
        return RunStatus.RUNNING if is_running else RunStatus.ENDED
    if sessions is not None and now - maker.began > SURELY_ENDED:
        return RunStatus.ENDED
    return RunStatus.UNKNOWN


def remove(target: Target, waiting: Waiting, schema: str) -> None:
    """Drop a schema and everything in it.

    Raises:
        TargetError: the server refused or was not reached.
    """
    session = _open(target_for_tables(target), waiting)
    try:
        statement = f"DROP SCHEMA IF EXISTS {schema} CASCADE"
        retry_refused(lambda: session.run(statement), waiting, repeatable=True)
    except psycopg.Error as error:
        raise TargetError(f"cannot remove {schema}: {target.error_text(error)}") from None
    finally:
        session.close()


def _open(target: Target, waiting: Waiting) -> PostgresSession:
    try:
        return target.connect(waiting, answer_deadline_s=TABLES_S)
    except psycopg.Error as error:
        raise TargetError(target.explain(error)) from None


def _live_runs(session: PostgresSession, target: Target) -> frozenset[str] | None:
    """The runs that have sessions, from the application names; None if the server does not show these."""
    if target.type == "dsql":
        return None
    try:
        names = [str(name) for (name,) in session.execute(_SESSIONS).rows]
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        return None
    return frozenset(maker.run for maker in map(read, names) if maker)


def _sizes(session: PostgresSession) -> dict[str, int]:
    try:
        return {str(name): int(size) for name, size in session.execute(_SIZES).rows}
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        return {}


def _began(pid: int) -> datetime | None:
    """The start of the process; the earliest time if it is hidden, None if there is no such process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # the process exists and belongs to another user
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        is_zombie = process.status() == psutil.STATUS_ZOMBIE
        return None if is_zombie else datetime.fromtimestamp(process.create_time(), UTC)
    return datetime.min.replace(tzinfo=UTC)


def removable(leftovers: list[Leftover], *, unknown_too: bool) -> Iterator[Leftover]:
    """The leftovers that may be removed. One of a running run never is."""
    for leftover in leftovers:
        if leftover.run_status is RunStatus.ENDED or (
            unknown_too and leftover.run_status is RunStatus.UNKNOWN
        ):
            yield leftover
