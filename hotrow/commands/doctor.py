"""The command `hotrow doctor`.

Its imports are inside the functions, because `sweep` must patch the process before psycopg is imported.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hotrow.doctor.checks import Diagnosis


@click.command(short_help="Check a database before a run.", context_settings={"show_default": True})
@click.option("-H", "--host", default="local", help="local, postgresql://… or dsql://…, as in a run.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with all measurements.")
def doctor(host: str, as_json: bool) -> None:
    """Check a target before a run: network, TLS, token, permissions, latency, conflicts, clock.

    The checks use the same sessions as a run. A schema that they create is dropped afterwards. Every region
    of a dsql:// target is examined. docs/doctor.md explains each check.

    Exit code 0 if nothing failed, 1 if a check failed, 2 for wrong usage or if no session could be opened.

    \b
    Example:
      hotrow doctor -H local
      hotrow doctor -H dsql://abc123.dsql.us-east-1.on.aws --json
    """  # noqa: D301 - \b keeps click from joining the lines
    diagnoses = _examine(host)
    exit_code = max(diagnosis.exit_code for diagnosis in diagnoses)
    if as_json:
        document = {"exit_code": exit_code, "targets": [diagnosis.as_json() for diagnosis in diagnoses]}
        click.echo(json.dumps(document, indent=2, allow_nan=False))
    else:
        _show(diagnoses)
    _report_unreachable(diagnoses)
    sys.exit(exit_code)


def _examine(host: str) -> list[Diagnosis]:
    from rich.console import Console  # noqa: PLC0415 - see the module

    from hotrow.doctor.diagnosis import examine  # noqa: PLC0415 - the same
    from hotrow.doctor.sessions import regions_of  # noqa: PLC0415 - the same
    from hotrow.targets.target import parse_target, start  # noqa: PLC0415 - the same

    target = start(parse_target(host))
    with Console(stderr=True).status("examining …") as status:
        return [
            examine(region, lambda name: status.update(f"examining … {name}"))
            for region in regions_of(target)
        ]


def _show(diagnoses: list[Diagnosis]) -> None:
    from rich.console import Console  # noqa: PLC0415 - see the module

    from hotrow.doctor.console_table import WIDTH, summary, table  # noqa: PLC0415 - the same

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    for diagnosis in diagnoses:
        console.print(table(diagnosis))
        console.print(summary(diagnosis), soft_wrap=True)


def _report_unreachable(diagnoses: list[Diagnosis]) -> None:
    """One line per target that was not reached, in the form of every other command's errors."""
    from hotrow.doctor.checks import UNREACHABLE  # noqa: PLC0415 - see the module
    from hotrow.doctor.console_table import unreachable_line  # noqa: PLC0415 - the same

    for diagnosis in diagnoses:
        if diagnosis.exit_code == UNREACHABLE:
            click.echo(f"hotrow: {unreachable_line(diagnosis)}", err=True)
