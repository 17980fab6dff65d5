"""`hotrow clean` and `hotrow local clean`. They import what they need when they run."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click
from rich.filesize import decimal

from hotrow.errors import TargetError
from hotrow.exit_codes import ERROR, FINE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hotrow.tables.leftovers import Leftover
    from hotrow.targets.target import Target

    Command = Callable[..., None]

_STAND_IN = "local:rtt=0,commit=0"


def _options(command: Command) -> Command:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print as JSON, and do not ask."),
        click.option(
            "--unknown",
            "unknown_too",
            is_flag=True,
            help="Also remove schemas whose runs may still be going on.",
        ),
        click.option("--yes", is_flag=True, help="Remove without asking."),
    ):
        command = option(command)
    return command


@click.command("clean", short_help="Remove the schemas that ended runs left behind.")
@click.option("-H", "--host", required=True, help="The database: local, plain, postgresql://… or dsql://…")
@_options
def clean(host: str, yes: bool, unknown_too: bool, as_json: bool) -> None:
    """List the schemas that runs left behind, and remove those whose runs have ended.

    A run removes its schema when it ends, but not if it is killed. This command shows the list and asks
    before it removes anything. It never removes the schema of a run that is still going on. The state of a
    run is unknown if it was started on another machine and the server does not reveal it (docs/clean.md);
    --unknown removes those schemas too.

    Exit code 0, also if there is nothing to remove or the answer is no; 2 if a schema cannot be removed.

    \b
    Example:
      hotrow clean -H postgresql://me@db.example/shop
      hotrow clean -H dsql://abc123.dsql.us-east-1.on.aws --unknown --yes
    """  # noqa: D301 - \b keeps click from joining the lines
    sys.exit(_clean(host, yes=yes, unknown_too=unknown_too, as_json=as_json))


@click.command("clean", short_help="Remove the schemas that ended runs left behind.")
@_options
def local_clean(yes: bool, unknown_too: bool, as_json: bool) -> None:
    """List the schemas that runs left in the stand-in, and remove those whose runs have ended.

    The server is started if it is not running. This is the same as `hotrow clean -H local`.

    \b
    Example:
      hotrow local clean
      hotrow local clean --yes
    """  # noqa: D301 - \b keeps click from joining the lines
    sys.exit(_clean(_STAND_IN, yes=yes, unknown_too=unknown_too, as_json=as_json))


def _clean(host: str, *, yes: bool, unknown_too: bool, as_json: bool) -> int:
    from hotrow.tables.leftovers import find_leftovers, removable  # noqa: PLC0415 - see the module
    from hotrow.targets.session import BLOCKING  # noqa: PLC0415 - the same
    from hotrow.targets.target import parse_target, start  # noqa: PLC0415 - the same

    target = start(parse_target(host))
    leftovers = find_leftovers(target, BLOCKING)
    chosen = list(removable(leftovers, unknown_too=unknown_too))
    if not as_json:
        _show(leftovers)
    agreed = yes or (not as_json and bool(chosen) and _ask(len(chosen)))
    removed, failures = _remove(target, chosen) if agreed else (frozenset(), [])
    if as_json:
        schemas = [leftover.as_json(removed=leftover.maker.schema in removed) for leftover in leftovers]
        click.echo(json.dumps({"schemas": schemas}, indent=2))
    elif agreed:
        click.echo(f"Removed {len(removed)}.")
    for failure in failures:
        click.echo(f"hotrow: {failure}", err=True)
    return ERROR if failures else FINE


def _remove(target: Target, chosen: Sequence[Leftover]) -> tuple[frozenset[str], list[TargetError]]:
    """Remove the schemas. Returns the names of the removed ones, and the errors of the others."""
    from hotrow.tables.leftovers import remove  # noqa: PLC0415 - see the module
    from hotrow.targets.session import BLOCKING  # noqa: PLC0415 - the same

    removed, failures = set(), []
    for leftover in chosen:
        try:
            remove(target, BLOCKING, leftover.maker.schema)
        except TargetError as failure:
            failures.append(failure)
        else:
            removed.add(leftover.maker.schema)
    return frozenset(removed), failures


def _ask(number: int) -> bool:
    """Ask whether to remove the schemas. Without a terminal nobody is asked, and the answer is no."""
    if not sys.stdin.isatty():
        click.echo(f"Nothing was removed: add --yes to remove {number}.")
        return False
    return click.confirm(f"Remove {number}?")


def _show(leftovers: Sequence[Leftover]) -> None:
    if not leftovers:
        click.echo("No schema of a run is there.")
        return
    width = max(len(leftover.maker.schema) for leftover in leftovers)
    click.echo(f"{'schema':<{width}}  {'began (UTC)':<16}  {'machine':<8}  {'process':>10}  {'run':<7}  size")
    for leftover in leftovers:
        maker = leftover.maker
        size = "-" if leftover.size_bytes is None else decimal(leftover.size_bytes)
        click.echo(
            f"{maker.schema:<{width}}  {maker.began:%Y-%m-%d %H:%M}  {maker.host:<8}  {maker.pid:>10}  "
            f"{leftover.run_status.value:<7}  {size}"
        )
