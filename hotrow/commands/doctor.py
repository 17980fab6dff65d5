"""`hotrow doctor`: thin; what it needs is imported when it runs: `sweep` must patch before psycopg."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hotrow.doctor.checks import Diagnosis


@click.command(context_settings={"show_default": True})
@click.option("-H", "--host", default="local", help="local, postgresql://… or dsql://…, as for a run.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, with every figure.")
def doctor(host: str, as_json: bool) -> None:
    """Examine a target before a run: way, TLS, token, rights, latency, conflicts, clock.

    Everything goes through the same sessions as a run; a schema that is made on the way is gone afterwards.
    Every region of a dsql:// target is examined. docs/doctor.md says what each check means.

    Exit code 0 where nothing failed, 1 where a check failed, 2 for wrong usage or no session at all.

    \b
    Example:
      hotrow doctor -H local
      hotrow doctor -H dsql://abc123.dsql.us-east-1.on.aws --json
    """  # noqa: D301 - \b keeps click from joining the lines
    diagnoses = _examine(host)
    code = max(each.exit_code for each in diagnoses)
    if as_json:
        found = {"exit_code": code, "targets": [each.as_json() for each in diagnoses]}
        click.echo(json.dumps(found, indent=2, allow_nan=False))
    else:
        _show(diagnoses)
    _name_unreachable(diagnoses)
    sys.exit(code)


def _examine(host: str) -> list[Diagnosis]:
    from rich.console import Console  # noqa: PLC0415 - see the module

    from hotrow.doctor.diagnosis import examine  # noqa: PLC0415 - the same
    from hotrow.doctor.sessions import regions_of  # noqa: PLC0415 - the same
    from hotrow.targets.target import parse_target, start  # noqa: PLC0415 - the same

    target = start(parse_target(host))
    with Console(stderr=True).status("examining …") as status:
        return [
            examine(each, lambda name: status.update(f"examining … {name}")) for each in regions_of(target)
        ]


def _show(diagnoses: list[Diagnosis]) -> None:
    from rich.console import Console  # noqa: PLC0415 - see the module

    from hotrow.doctor.console_table import WIDTH, ending, table  # noqa: PLC0415 - the same

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    for diagnosis in diagnoses:
        console.print(table(diagnosis))
        console.print(ending(diagnosis), soft_wrap=True)


def _name_unreachable(diagnoses: list[Diagnosis]) -> None:
    """One line a target that was not reached, as for every other command's errors."""
    from hotrow.doctor.checks import UNREACHABLE  # noqa: PLC0415 - see the module
    from hotrow.doctor.console_table import unreachable_line  # noqa: PLC0415 - the same

    for each in diagnoses:
        if each.exit_code == UNREACHABLE:
            click.echo(f"hotrow: {unreachable_line(each)}", err=True)
