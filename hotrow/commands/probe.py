"""The command `hotrow probe`.

Its imports are inside the functions, because `sweep` must patch the process before psycopg is imported.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from hotrow.errors import UsageError

if TYPE_CHECKING:
    from hotrow.probe.matrix import Matrix

_WIDTH = 160
"""The width of the table in columns if the output is not a terminal."""


@click.command(
    short_help="Compare a database's answers with Aurora DSQL's.", context_settings={"show_default": True}
)
@click.option(
    "-H",
    "--host",
    "hosts",
    multiple=True,
    default=("local",),
    help="local, dsql://… or postgresql://…[?isolation=serializable]; repeat for more columns.",
)
@click.option(
    "--only", default="", help="Only probes with this text or pattern in their name, or with this tag."
)
@click.option("--step-deadline", default="3s", help="A step without an answer after this time `waits`.")
@click.option(
    "--steps", "with_steps", is_flag=True, help="Below the table, show all steps of each probe that differs."
)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the table as Markdown.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with the answer to every step.")
def probe(
    *,
    hosts: tuple[str, ...],
    only: str,
    step_deadline: str,
    with_steps: bool,
    as_markdown: bool,
    as_json: bool,
) -> None:
    """Run interleavings of sessions on a target and compare every answer with Aurora DSQL's.

    Exit code 0 if there is no difference, 1 if there is one, 2 if a target was not reached.
    docs/probe.md describes the notation of the probes.

    \b
    Example:
      hotrow probe -H local -H 'postgresql://postgres@localhost/postgres' --only conflict
    """  # noqa: D301 - \b keeps click from joining the lines
    matrix = _measure(hosts, only, step_deadline)
    if as_json:
        click.echo(json.dumps(matrix.as_json(), indent=2))
    elif as_markdown:
        _show_markdown(matrix)
    else:
        _show(matrix, with_steps=with_steps)
    sys.exit(0 if matrix.holds else 1)


def _measure(hosts: tuple[str, ...], only: str, step_deadline: str) -> Matrix:
    """Run the chosen probes on every target. All targets are checked before the first probe."""
    from rich.console import Console  # noqa: PLC0415 - see the module
    from rich.progress import track  # noqa: PLC0415 - the same

    from hotrow.probe.matrix import Matrix, Row  # noqa: PLC0415 - the same
    from hotrow.probe.notation import load_probes, select  # noqa: PLC0415 - the same
    from hotrow.probe.play import play  # noqa: PLC0415 - the same
    from hotrow.targets.session import BLOCKING  # noqa: PLC0415 - the same
    from hotrow.targets.target import check_reachable, parse_target, start  # noqa: PLC0415 - the same
    from hotrow.units import parse_duration_s  # noqa: PLC0415 - the same

    deadline_s = parse_duration_s(step_deadline, option="--step-deadline")
    if deadline_s <= 0:
        raise UsageError("--step-deadline 0: a step needs time for its answer; give for example 3s")
    probes = select(load_probes(), only) if only else load_probes()
    targets = [start(target) for target in map(parse_target, hosts)]
    for target in targets:
        check_reachable(target, BLOCKING)
    console = Console(stderr=True)
    rows = tuple(
        Row(probe, tuple(play(probe, target, deadline_s) for target in targets))
        for probe in track(probes, "probes", console=console, transient=True, disable=not console.is_terminal)
    )
    return Matrix(tuple(target.label for target in targets), rows)


def _show(matrix: Matrix, *, with_steps: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - see the module

    from hotrow.probe.matrix import steps, table  # noqa: PLC0415 - the same

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(table(matrix))
    for line in steps(matrix) if with_steps else ():
        click.echo(line)
    for line in matrix.summary():
        click.echo(line)


def _show_markdown(matrix: Matrix) -> None:
    from hotrow.probe.matrix import markdown  # noqa: PLC0415 - see the module

    click.echo(markdown(matrix))
    for line in matrix.summary():
        click.echo(f"\n{line}")
