"""`hotrow local …`: the stand-in and its endpoint by hand. A run on `-H local` starts the server itself."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import click

from hotrow.commands.clean import local_clean
from hotrow.commands.endpoint import (
    endpoint_facts,
    endpoints_facts,
    faults,
    read_endpoint_options,
    start_endpoint,
    token,
    told_conflicts,
)
from hotrow.errors import TargetError, UsageError
from hotrow.standin.binaries import find_binaries
from hotrow.standin.endpoint.lifecycle import stop_endpoint
from hotrow.standin.server import Server, ensure_up, shut_down
from hotrow.standin.server import status as read_status


@click.group(short_help="Start and stop the stand-in, hotrow's own PostgreSQL.")
def local() -> None:
    """Start and stop the stand-in: a PostgreSQL with conflicts at COMMIT.

    The stand-in listens on a Unix socket only. `up --endpoint` adds a TLS port for any client, with IAM
    tokens. The data is in your cache folder, or in HOTROW_HOME. To use another PostgreSQL (15 or newer) than
    the one that came with hotrow, set HOTROW_PG_BIN to its bin folder.

    \b
    Example:
      hotrow local up
      hotrow local psql -c 'SELECT version()'
      hotrow local down
    """  # noqa: D301 - click wants the character


@local.command()
@click.option(
    "--endpoint", is_flag=True, help="Also listen as Aurora DSQL does, with TLS and a token as the password."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port of the endpoint on 127.0.0.1. 0 takes any free port."
)
@click.option(
    "--rules/--no-rules",
    default=None,
    help="Whether the endpoint refuses what Aurora DSQL refuses.  [default: rules]",
)
@click.option(
    "--region",
    "regions",
    multiple=True,
    help="A region of the endpoint, with its own port. Give it several times for several regions.  "
    "[default: us-east-1]",
)
@click.option(
    "--hostname",
    "hostnames",
    multiple=True,
    metavar="NAME",
    help="A cluster's name, ID.dsql.REGION.on.aws, under which AWS's connectors find the endpoint. Give one "
    "per region.",
)
@click.option(
    "--rtt",
    metavar="DURATIONS",
    help="Time of a round trip to the endpoint, such as 2ms: one for all regions, or one per region, "
    "separated by commas.",
)
@click.option(
    "--commit",
    metavar="DURATIONS",
    help="Time of a COMMIT at the endpoint, such as 5ms: one for all regions, or one per region, separated "
    "by commas.",
)
@click.option(
    "--fsync/--no-fsync",
    default=None,
    help="Whether COMMIT waits for the disk.  [default: fsync]",
)
def up(  # noqa: PLR0917 - click gives them by name
    endpoint: bool,
    port: int | None,
    rules: bool | None,
    regions: tuple[str, ...],
    hostnames: tuple[str, ...],
    rtt: str | None,
    commit: str | None,
    fsync: bool | None,
) -> None:
    """Start the server if it is not running, and print how to connect.

    It runs until `hotrow local down`. Exit code 0; 2 if it cannot start, or is running with the other fsync.

    \b
    Example:
      hotrow local up
      hotrow local up --endpoint --port 5432
      hotrow local up --endpoint --region us-east-1 --region us-east-2 --rtt 2ms,30ms --commit 5ms,20ms
      hotrow local up --endpoint --port 5432 --hostname abcdefghijklmnopqrstuvwxyz.dsql.us-east-1.on.aws
      hotrow local up --no-fsync
    """  # noqa: D301 - click wants the character
    values = {
        "--port": port,
        "--rules": rules,
        "--region": regions,
        "--hostname": hostnames,
        "--rtt": rtt,
        "--commit": commit,
    }
    option = next((name for name, value in values.items() if value not in {None, ()}), None)
    if option and not endpoint:
        raise UsageError(f"{option} is the endpoint's: add --endpoint")
    endpoint_options = read_endpoint_options(
        port, rules, regions=regions, hostnames=hostnames, rtt=rtt, commit=commit
    )
    server = ensure_up(fsync=fsync)
    click.echo(f"PostgreSQL {server.server_version} is up.")
    if server.fsync is False:
        click.echo("fsync is off: a crash of this machine may lose committed transactions, or all data.")
    click.echo(f"  dsn      {server.dsn}")
    click.echo("  psql     hotrow local psql")
    click.echo(f'  Python   psycopg.connect("{server.dsn}")')
    click.echo("  stop     hotrow local down")
    if endpoint:
        start_endpoint(endpoint_options)


@local.command()
def down() -> None:
    """Stop the server and its endpoint, and wait until they have ended.

    Runs that use them lose their connections.

    Exit code 0, also if it was not running; 2 if it cannot be stopped.

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
    help="One JSON object: running, dsn, data_directory, server_version, fsync, endpoint, endpoints.",
)
def status(as_json: bool) -> None:
    """Show whether the server is running, and where.

    Exit code 0 whether it is running or not (see `running`); 2 if no PostgreSQL is found.

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
        "endpoints": ", ".join(endpoint["region"] for endpoint in endpoints_facts()) or None,
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
        "endpoints": endpoints_facts(),
        "told_conflicts": told_conflicts(),
    }


@local.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(arguments: tuple[str, ...]) -> None:
    """Open psql on the server. ARGUMENTS are those of psql.

    The server is started if it is not running. The exit code is that of psql.

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
    program = beside if beside.exists() else shutil.which("psql")
    if program is None:
        raise TargetError(
            f"there is no psql in {beside.parent} or on PATH: install one, or use any other client"
        )
    return Path(program)


local.add_command(local_clean)
local.add_command(token)
local.add_command(faults)
