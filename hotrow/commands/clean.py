"""`hotrow clean` and `hotrow local clean`: thin; what they need is imported when they run."""

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
        click.option("--json", "as_json", is_flag=True, help="Print as JSON; asks nothing."),
        click.option("--unknown", "unknown_too", is_flag=True, help="Also remove those that may be running."),
        click.option("--yes", is_flag=True, help="Remove without asking."),
    ):
        command = option(command)
    return command


@click.command("clean")
@click.option("-H", "--host", required=True, help="local, plain, postgresql://… or dsql://…, as for a run.")
@_options
def clean(host: str, yes: bool, unknown_too: bool, as_json: bool) -> None:
    """List the schemas that runs left on a target, and remove those whose runs have ended.

    A run removes its schema at its end; one that was killed does not. Nothing is removed before the list was
    shown and confirmed, and never the schema of a run that goes on. Whether a run goes on is unknown if it
    was started on another machine and the server does not tell (docs/clean.md); --unknown removes those too.

    Exit code 0 also if there was nothing to remove or the answer was no; 2 if one could not be removed.

    \b
    Example:
      hotrow clean -H postgresql://me@db.example/shop
      hotrow clean -H dsql://abc123.dsql.us-east-1.on.aws --unknown --yes
    """  # noqa: D301 - \b keeps click from joining the lines
    sys.exit(_clean(host, yes=yes, unknown_too=unknown_too, as_json=as_json))


@click.command("clean")
@_options
def local_clean(yes: bool, unknown_too: bool, as_json: bool) -> None:
    """List the schemas that runs left in the stand-in, and remove those whose runs have ended.

    The server is started if need be. The same as `hotrow clean -H local`.

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
    found = find_leftovers(target, BLOCKING)
    chosen = list(removable(found, unknown_too=unknown_too))
    if not as_json:
        _show(found)
    agreed = yes or (not as_json and bool(chosen) and _ask(len(chosen)))
    removed, failures = _remove(target, chosen) if agreed else (frozenset(), [])
    if as_json:
        listed = [each.as_json(removed=each.maker.schema in removed) for each in found]
        click.echo(json.dumps({"schemas": listed}, indent=2))
    elif agreed:
        click.echo(f"Removed {len(removed)}.")
    for failure in failures:
        click.echo(f"hotrow: {failure}", err=True)
    return ERROR if failures else FINE


def _remove(target: Target, chosen: Sequence[Leftover]) -> tuple[frozenset[str], list[TargetError]]:
    """Remove each; the names of those that are gone, and why others are not."""
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
    """Whether to remove them. Whoever is no person at a terminal is not asked, and has not agreed."""
    if not sys.stdin.isatty():
        click.echo(f"Nothing was removed: add --yes to remove {number}.")
        return False
    return click.confirm(f"Remove {number}?")


def _show(found: Sequence[Leftover]) -> None:
    if not found:
        click.echo("No schema of a run is there.")
        return
    width = max(len(each.maker.schema) for each in found)
    click.echo(f"{'schema':<{width}}  {'began (UTC)':<16}  {'machine':<8}  {'process':>10}  {'run':<7}  size")
    for each in found:
        maker = each.maker
        size = "-" if each.size_bytes is None else decimal(each.size_bytes)
        click.echo(
            f"{maker.schema:<{width}}  {maker.began:%Y-%m-%d %H:%M}  {maker.host:<8}  {maker.pid:>10}  "
            f"{each.run_status.value:<7}  {size}"
        )
