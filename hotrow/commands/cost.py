"""`hotrow cost`: what a run on Aurora DSQL cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from hotrow.commands.click_options import readable
from hotrow.units import read_number


def _read_price(text: str) -> float:
    return read_number("--dpu-price", text, above_least=True)


@click.command(short_help="Print what a run cost on Aurora DSQL.", context_settings={"show_default": True})
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--dpu-price",
    type=readable(_read_price),
    metavar="DOLLARS",
    default="8",
    help="Price in dollars per million DPU.",
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def cost(run: Path, dpu_price: str, as_json: bool) -> None:
    """Print what RUN cost on Aurora DSQL, and write cost.json into its directory.

    The figures come from CloudWatch, some minutes after the run. If CloudWatch cannot be reached or has no
    figures yet, one line says so. Exit code 0 in both cases; 2 if RUN is not a run.

    \b
    Example:
      hotrow cost results/20261123T071500Z-transfer --dpu-price 8.00
    """  # noqa: D301 - \b keeps click from joining the lines
    from analysis.dpu import write_cost  # noqa: PLC0415 - see main.py
    from hotrow.targets.dsql.cloudwatch import NoMetricsError  # noqa: PLC0415 - the same
    from reports.words.dpu_lines import tell  # noqa: PLC0415 - the same

    try:
        reckoned = _reckon_cost(run, _read_price(dpu_price))
    except NoMetricsError as reason:
        click.echo(f"hotrow: no cost: {reason}", err=True)
        if as_json:
            click.echo(json.dumps({"cost": None, "reason": str(reason)}, indent=2))
        return
    write_cost(run, reckoned)
    if as_json:
        click.echo(json.dumps({"cost": reckoned, "reason": None}, indent=2, allow_nan=False))
    else:
        click.echo("\n".join(tell(reckoned)))


def _reckon_cost(directory: Path, price: float) -> dict[str, Any]:
    """The cost of a run, its metrics fetched now."""
    from analysis.dpu import METRICS, Metered, clusters_of, reckon, span_of  # noqa: PLC0415 - see main.py
    from analysis.reading import read_run  # noqa: PLC0415 - the same
    from hotrow.targets.dsql.cloudwatch import NoMetricsError, make_client, read_metrics  # noqa: PLC0415 - the same

    run = read_run(directory)
    clusters, span = clusters_of(run.meta), span_of(run.attempts)
    if not clusters or span is None:
        raise NoMetricsError("this run was not on a cluster of Aurora DSQL, or made no attempt")
    metered = [
        Metered(
            cluster.region,
            cluster.id,
            *read_metrics(make_client(cluster.region), cluster.id, METRICS, span.touched),
        )
        for cluster in clusters
    ]
    silent = [cluster.id for cluster in metered if cluster.dimension is None]
    if silent:
        raise NoMetricsError(f"CloudWatch has nothing of cluster {silent[0]} in these minutes yet: ask later")
    return reckon(run.attempts, metered, price, span)
