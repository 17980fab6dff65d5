"""`hotrow local …`: the stand-in and its endpoint by hand; a run on `-H local` starts the server itself."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import click

from hotrow.errors import TargetError, UsageError
from hotrow.targets.endpoint.commands import endpoint_facts, start_endpoint, token
from hotrow.targets.endpoint.lifecycle import stop_endpoint
from hotrow.targets.local.binaries import find_binaries
from hotrow.targets.local.server import Server, ensure_up, shut_down
from hotrow.targets.local.server import status as read_status


@click.group()
def local() -> None:
    """The stand-in: a PostgreSQL of hotrow's own, whose conflicts come at COMMIT.

    It listens on a Unix socket only; `up --endpoint` adds a TLS port for any client, with IAM tokens. Its
    data lie in your cache folder, or in HOTROW_HOME. HOTROW_PG_BIN, the bin folder of a PostgreSQL 15 or
    newer, replaces the one that came with hotrow.

    \b
    Example:
      hotrow local up
      hotrow local psql -c 'SELECT version()'
      hotrow local down
    """  # noqa: D301 - click wants the character


@local.command()
@click.option("--endpoint", is_flag=True, help="Also listen as Aurora DSQL does: TLS, a token as password.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port of the endpoint on the loopback; 0: any free one."
)
@click.option(
    "--rules/--no-rules",
    default=None,
    help="Whether the endpoint refuses what Aurora DSQL refuses. It does unless told otherwise.",
)
@click.option(
    "--fsync/--no-fsync",
    default=None,
    help="Whether COMMIT waits for the disk. A server that starts does, unless told otherwise.",
)
def up(endpoint: bool, port: int | None, rules: bool | None, fsync: bool | None) -> None:
    """Start the server, or find it running; print how to connect.

    It stays up until `hotrow local down`. Exit code 0; 2 where it cannot start, or runs with the other fsync.

    \b
    Example:
      hotrow local up
      hotrow local up --endpoint --port 5432
      hotrow local up --no-fsync
    """  # noqa: D301 - click wants the character
    if (port, rules) != (None, None) and not endpoint:
        raise UsageError(f"{'--port' if rules is None else '--rules'} is the endpoint's: add --endpoint")
    server = ensure_up(fsync=fsync)
    click.echo(f"PostgreSQL {server.server_version} is up.")
    if server.fsync is False:
        click.echo("fsync is off: a crash of this machine may lose committed transactions, or all data.")
    click.echo(f"  dsn      {server.dsn}")
    click.echo("  psql     hotrow local psql")
    click.echo(f'  Python   psycopg.connect("{server.dsn}")')
    click.echo("  stop     hotrow local down")
    if endpoint:
        start_endpoint(port or 0, rules=rules)


@local.command()
def down() -> None:
    """Stop the server and its endpoint, and wait until they have ended.

    Runs that use them lose their connections.

    Exit code 0, also where it was not running; 2 where it cannot be stopped.

    \b
    Example:
      hotrow local down
    """  # noqa: D301 - click wants the character
    if stop_endpoint():
        click.echo("Stopped the endpoint.")
    closed = shut_down()
    if closed is None:
        click.echo("It was not running.")
    else:
        click.echo(f"Stopped; {closed} connection{'' if closed == 1 else 's'} closed.")


@local.command()
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON object: running, dsn, data_directory, server_version, fsync, endpoint.",
)
def status(as_json: bool) -> None:
    """Say whether the server runs, and where.

    Exit code 0 whether it runs or not (read `running`); 2 where no PostgreSQL is found.

    \b
    Example:
      hotrow local status --json
    """  # noqa: D301 - click wants the character
    server = read_status()
    if as_json:
        click.echo(json.dumps(_facts(server)))
        return
    rows = {
        **_facts(server),
        "endpoint": (endpoint_facts() or {}).get("dsn"),
        "running": "yes" if server.running else "no",
        "fsync": None if server.fsync is None else "on" if server.fsync else "off",
        "log": server.log,
        "pid": server.pid,
    }
    for name, value in rows.items():
        click.echo(f"{name:<15} {'-' if value is None else value}")


def _facts(server: Server) -> dict[str, object]:
    return {
        "running": server.running,
        "dsn": server.dsn if server.running else None,
        "data_directory": str(server.data_directory),
        "server_version": server.server_version,
        "fsync": server.fsync,
        "endpoint": endpoint_facts(),
    }


@local.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(arguments: tuple[str, ...]) -> None:
    """Open psql on the server, started if need be; ARGUMENTS are psql's own.

    Exit code: psql's.

    \b
    Example:
      hotrow local psql -c 'SELECT version()'
    """  # noqa: D301 - click wants the character
    server = ensure_up()
    program = _find_psql()
    sys.stdout.flush()
    os.execv(program, [str(program), "--dbname", server.dsn, *arguments])  # noqa: S606 - psql takes this process's place


def _find_psql() -> Path:
    beside = find_binaries().program("psql")
    found = beside if beside.exists() else shutil.which("psql")
    if found is None:
        raise TargetError(
            f"there is no psql in {beside.parent} or on PATH: install one, or use any other client"
        )
    return Path(found)


local.add_command(token)
