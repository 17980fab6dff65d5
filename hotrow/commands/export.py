"""`hotrow export`: a run's figures in the formats of services that follow them from commit to commit."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from hotrow.exit_codes import NOT_USABLE

FORMATS = ("bencher", "bigger-is-better", "smaller-is-better")


@click.command(short_help="Print a run's figures for a service that finds regressions.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "name",
    type=click.Choice(FORMATS),
    default="bencher",
    show_default=True,
    help="bencher is Bencher Metric Format. The others are the custom formats of github-action-benchmark: "
    "goodput is better if bigger; conflicts, give-ups and latency are better if smaller.",
)
def export(run: Path, name: str) -> None:
    """Print the figures of RUN as JSON, each with its 95 % interval if it has one.

    A cell that is not usable is left out. Exit code 0; 2 if RUN is not a run; 4 if no cell is usable. No
    database is needed.

    \b
    Examples:
      hotrow export results/20261123T071500Z-transfer | bencher run --adapter json …
      hotrow export results/20261123T071500Z-transfer --format bigger-is-better > goodput.json
    """  # noqa: D301 - \b keeps click from joining the lines
    from analysis.reading import read_run  # noqa: PLC0415 - see main.py
    from analysis.summarise import summarise  # noqa: PLC0415 - the same
    from reports.output.regression import bencher, github_action_benchmark  # noqa: PLC0415 - the same

    summary = summarise(read_run(run))
    figures = (
        bencher(summary)
        if name == "bencher"
        else github_action_benchmark(summary, bigger_is_better=name == "bigger-is-better")
    )
    if not figures:
        click.echo("hotrow: nothing to export: no cell of this run is usable", err=True)
        sys.exit(NOT_USABLE)
    click.echo(json.dumps(figures, indent=2, allow_nan=False))
