"""Opens the connection for an application's own code on any target."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from hotrow.targets.app_connection import AppConnection, Way
from hotrow.targets.session import Latency
from hotrow.targets.target import APART, begin_label

if TYPE_CHECKING:
    import psycopg

    from hotrow.targets.session import Waiting
    from hotrow.targets.target import Target


def connect_app(target: Target, waiting: Waiting, schema: str, region: int = 0) -> AppConnection:
    """Open a connection in the region of this index, with `schema` as the search path.

    Its transactions have the target's isolation level, unless the application sets another. On `dsql`, which
    has one level, nothing is set.

    Raises:
        psycopg.Error, TargetError: as `Target.connect`.
    """
    return target.open(waiting, schema, region, partial(_enter, target, waiting, schema))


def _enter(
    target: Target, waiting: Waiting, schema: str, connection: psycopg.Connection[Any]
) -> AppConnection:
    pgconn = connection.pgconn
    del connection.pgconn  # the other object has it now, and this one will not warn that it is open
    latency = target.latency or Latency()
    app = AppConnection(pgconn, Way(waiting, latency, target.rewrite, takes_snapshot=target.takes_snapshot))
    try:
        if not target.connectors:
            app.run_plain(f"SET default_transaction_isolation TO '{target.isolation.replace('-', ' ')}'")
        app.search(schema)
    except BaseException:
        app.close()
        raise
    return app


def for_application(target: Target) -> Target:
    """The target as an application's own code uses it: psycopg sends BEGIN in a round trip of its own."""
    if target.begin == APART:
        return target
    return replace(target, begin=APART, label=f"{target.label}{begin_label(APART)}")
