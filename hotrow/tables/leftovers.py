"""Schemas that runs left on a target: found, told from those of runs that go on, and removed."""

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
from hotrow.tables.run_schema import again, behind_the_scenes
from hotrow.tables.schema_name import PATTERN, Maker, read, this_machine
from hotrow.targets.session import TABLES_S

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from hotrow.targets.session import PostgresSession, Waiting
    from hotrow.targets.target import Target

SURELY_OVER = timedelta(hours=1)
"""A run of another machine that has had no session this long after it began is taken to have ended."""
_CLOCK = timedelta(seconds=2)
"""By how much a process may seem younger than what it made: both times are rounded."""
_SCHEMAS = f"SELECT nspname FROM pg_namespace WHERE nspname LIKE '{PATTERN}' ORDER BY nspname"  # noqa: S608 - ours
_SESSIONS = "SELECT DISTINCT application_name FROM pg_stat_activity"
_SIZES = f"""SELECT nspname, sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c
               JOIN pg_namespace n ON n.oid = relnamespace
              WHERE nspname LIKE '{PATTERN}' AND relkind = 'r' GROUP BY nspname"""  # noqa: S608 - ours


class State(StrEnum):
    """What is known of the run that made a schema."""

    RUNNING = "running"
    ENDED = "ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Leftover:
    """A schema of a run, and what is known of the run."""

    maker: Maker
    state: State
    size_bytes: int | None
    """None if the server does not say."""

    def as_json(self, *, removed: bool) -> dict[str, Any]:
        """For a machine."""
        maker = self.maker
        return {
            "schema": maker.schema,
            "began": maker.began.isoformat(),
            "host": maker.host,
            "this_machine": maker.machine == this_machine(),
            "pid": maker.pid,
            "state": self.state.value,
            "size_bytes": self.size_bytes,
            "removed": removed,
        }


def find_leftovers(target: Target, waiting: Waiting) -> list[Leftover]:
    """Every schema of a run on the target, oldest first.

    Raises:
        TargetError: the server cannot be reached, or does not list its schemas.
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
        Leftover(maker, state_of(maker, _began(maker.pid), sessions, now), sizes.get(maker.schema))
        for maker in sorted(makers, key=lambda each: (each.began, each.schema))
    ]


def state_of(
    maker: Maker, process_began: datetime | None, sessions: Collection[str] | None, now: datetime
) -> State:
    """Whether the run that made a schema still goes on. When in doubt, unknown.

    Args:
        maker: what the schema's name tells.
        process_began: when the process began that has the maker's id on this machine; None if there is none.
        sessions: the runs that have sessions on the server; None if the server does not say.
        now: the time, in UTC.
    """
    if sessions is not None and maker.run in sessions:
        return State.RUNNING
    if maker.machine == this_machine():
        is_its = process_began is not None and process_began <= maker.began + _CLOCK
        return State.RUNNING if is_its else State.ENDED
    if sessions is not None and now - maker.began > SURELY_OVER:
        return State.ENDED
    return State.UNKNOWN


def remove(target: Target, waiting: Waiting, schema: str) -> None:
    """Drop a schema with all in it.

    Raises:
        TargetError: the server refused or is gone.
    """
    session = _open(behind_the_scenes(target), waiting)
    try:
        statement = f"DROP SCHEMA IF EXISTS {schema} CASCADE"
        again(lambda: session.run(statement), waiting, repeatable=True)
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
    """The runs that have sessions, by the names of these; None if the server shows too little to tell."""
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
    """When the process began; very early if it is hidden from us, None if there is none."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # it is there, and somebody else's
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        is_zombie = process.status() == psutil.STATUS_ZOMBIE
        return None if is_zombie else datetime.fromtimestamp(process.create_time(), UTC)
    return datetime.min.replace(tzinfo=UTC)


def removable(found: list[Leftover], *, unknown_too: bool) -> Iterator[Leftover]:
    """Those that may be removed: never one of a run that goes on."""
    for leftover in found:
        if leftover.state is State.ENDED or (unknown_too and leftover.state is State.UNKNOWN):
            yield leftover
