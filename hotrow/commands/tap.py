"""`hotrow tap`: a relay that records the transactions of any program."""

from __future__ import annotations

import re
import shlex
import sys
from functools import partial
from typing import Any

import click

from hotrow.commands.click_options import click_options, readable
from hotrow.errors import UsageError
from hotrow.exit_codes import worst
from hotrow.masking import show_host
from hotrow.run.options import OUT, Where, is_for_github, options_of
from hotrow.units import format_duration, parse_duration_s

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", re.ASCII)
_ADDRESS = re.compile(r"(?:(?P<host>\[[0-9a-fA-F:.]+\]|[\w.-]+):)?(?P<port>[0-9]{1,5})", re.ASCII)
_MAX_PORT = 65_535


@click.command(short_help="Relay and record the transactions of your own program.")
@click.option(
    "--to",
    "to",
    required=True,
    metavar="TARGET",
    help="The database: local, plain, postgresql://… or dsql://…, as -H of the other commands.",
)
@click.option(
    "--listen",
    default="127.0.0.1:6432",
    show_default=True,
    metavar="ADDRESS:PORT",
    help="Where your program connects. Port 0 takes any free port.",
)
@click.option(
    "--open-to-network",
    is_flag=True,
    help="Allow an address that other machines reach. Everybody who reaches it gets in without a password.",
)
@click.option(
    "--for",
    "duration",
    type=readable(partial(parse_duration_s, option="--for")),
    metavar="DURATION",
    help="End by itself after this time, such as 60s. If it is not given: at Ctrl-C or SIGTERM.",
)
@click.option("--name", default="tap", show_default=True, help="The name of the run.")
@click_options(Where.TAP)
def tap(  # noqa: PLR0917 - click gives them by name
    to: str,
    listen: str,
    open_to_network: bool,
    duration: str | None,
    name: str,
    out: str | None,
    no_report: bool,
    github: bool,
    **limits: Any,
) -> None:
    """Relay your program to TARGET, and record each of its transactions.

    Your program connects to the tap instead of its database, without TLS and without a password: the tap logs
    in for it. On dsql:// it signs the tokens. When the tap ends, it writes a report of the same form as that
    of a sweep: conflicts against transactions in flight, the statements and tables that conflict, latency.
    The exit codes are those of a run (docs/exit-codes.md). docs/tap.md has recipes.

    \b
    Examples:
      hotrow tap --to local
      hotrow tap --to postgresql://app:secret@db.example/shop --listen 127.0.0.1:6432 --for 60s
      hotrow tap --to dsql://abc.dsql.us-east-1.on.aws --max-conflict-rate 0.05
    """  # noqa: D301 - click wants the character
    from hotrow.run.directory import refuse_unwritable  # noqa: PLC0415 - see main.py
    from hotrow.tap import tap_server  # noqa: PLC0415
    from hotrow.tap.tap_run import Labels, Route, record  # noqa: PLC0415
    from hotrow.tap.tap_targets import describe, find_target, latency_of, login_to, translation_of  # noqa: PLC0415

    host, port = _read_address(listen)
    if not tap_server.is_loopback(host) and not open_to_network:
        raise UsageError(
            f"--listen {listen}: other machines reach this address, and the tap asks for no password; "
            "use 127.0.0.1, or add --open-to-network"
        )
    if not _NAME.fullmatch(name):
        raise UsageError("--name: use up to 40 letters, digits, dots, hyphens and underscores")
    folder = OUT.read(out or str(OUT.default))
    refuse_unwritable(folder)
    seconds = None if duration is None else parse_duration_s(duration, option="--for")
    target = find_target(to)
    with tap_server.listen(host, port) as server:
        route = Route(server, login_to(target), translation_of(target), latency_of(target))
        options = {
            option.name: limits.get(option.name) or ""
            for option in options_of(Where.TAP)
            if option.in_run_json
        }
        labels = Labels(name, describe(target), options, _reproduction(to, listen, duration, name))
        _announce(server.getsockname(), labels.target["label"], seconds)
        if not tap_server.is_loopback(host):
            click.echo("hotrow: warning: every machine that reaches this address gets in", err=True)
        directory = record(route, labels, folder, seconds)
    sys.exit(_report(directory, limits, github=github, no_report=no_report))


def _read_address(text: str) -> tuple[str, int]:
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > _MAX_PORT:
        raise UsageError("--listen: write ADDRESS:PORT, for example 127.0.0.1:6432")
    return (match["host"] or "127.0.0.1").strip("[]"), int(match["port"])


def _reproduction(to: str, listen: str, duration: str | None, name: str) -> str:
    words = ["hotrow", "tap", "--to", show_host(to), "--listen", listen, "--name", name]
    return shlex.join([*words, *(["--for", duration] if duration else [])])


def _announce(address: tuple[Any, ...], label: str, seconds: float | None) -> None:
    host, port = address[:2]
    shown = f"[{host}]" if ":" in host else host
    until = f"for {format_duration(seconds)}" if seconds else "until Ctrl-C"
    click.echo(f"The tap listens on {shown}:{port} and records {until}. It relays to {label}.")
    click.echo(f"  dsn      host={host} port={port} sslmode=disable")


def _report(directory: Any, limits: dict[str, Any], *, github: bool, no_report: bool) -> int:
    from analysis.gates import Gates  # noqa: PLC0415 - see main.py
    from hotrow.finish import Telling, finish_run  # noqa: PLC0415
    from hotrow.run.options import read_gates  # noqa: PLC0415

    telling = Telling(github=is_for_github(asked=github))
    return worst([finish_run(directory, Gates(**read_gates(limits)), telling, no_report=no_report)])
