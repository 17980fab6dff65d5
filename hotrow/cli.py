"""The `hotrow` command: thin, one function a verb. What a verb needs is imported when it runs.

`sweep` imports locust, which patches the standard library and must come before psycopg; the other verbs
never do.
"""

from __future__ import annotations

import json
import sys
import traceback
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from hotrow.doctor.command import doctor
from hotrow.errors import HotrowError
from hotrow.probe.command import probe
from hotrow.targets.local.commands import local


class _Group(click.Group):
    """A group whose commands end in one line and the error's exit code instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HotrowError as error:
            _refuse(ctx, str(error), error.exit_code)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            _refuse(ctx, error.format_message(), HotrowError.exit_code)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception:  # noqa: BLE001 - exit code 1 would say that a gate failed
            traceback.print_exc()
            ctx.exit(HotrowError.exit_code)


def _refuse(ctx: click.Context, reason: str, code: int) -> None:
    click.echo(f"hotrow: {reason}", err=True)
    ctx.exit(code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hotrow")
def main() -> None:
    """Measure what happens to transactions when they meet on the same rows."""


@main.command(context_settings={"show_default": True})
@click.argument("scenario")
@click.option(
    "-H", "--host", default="local", help="local, local:rtt=2ms,commit=5ms, dsql://… or postgresql://…"
)
@click.option("--skew", default="uniform,zipf:0.8,zipf:0.99,hot", help="Skews, by commas.")
@click.option("--keys", default="10000", help="How many rows there are.")
@click.option("--users", default="1,2,4,8,16,32", help="Numbers of concurrent users, by commas.")
@click.option(
    "--retry",
    default="full-jitter",
    help="Retry policy, such as none or full-jitter:base=10ms,cap=1s,max=10.",
)
@click.option("--redraw", is_flag=True, help="Draw fresh keys on every retry.")
@click.option("--receipts", is_flag=True, help="Write a receipt in every transaction; see docs/receipts.md.")
@click.option("--think", default="0", help="Pause of a user between two transactions.")
@click.option("--duration", default="5s", help="Measured time of a cell.")
@click.option("--warmup", default="1s", help="Time before the measured window of a cell.")
@click.option("--repeats", default="1", help="How often each cell is measured.")
@click.option("--seed", default="1", help="Seed of every random choice.")
@click.option("--out", default="results", help="Directory under which the run's own directory is made.")
@click.option("--processes", default=0, help="Worker processes of the client; 0 is one process for all.")
@click.option("--max-conflict-rate", default="", help="Gate: the most conflicts an attempt, 0 to 1.")
@click.option("--max-give-up-rate", default="", help="Gate: the most transactions given up, 0 to 1.")
@click.option("--max-p99-ms", default="", help="Gate: the highest p99 latency of committed transactions.")
@click.option("--min-goodput", default="", help="Gate: the least committed transactions a second.")
def sweep(
    scenario: str, host: str, users: str, processes: int, *, redraw: bool, receipts: bool, **options: str
) -> None:
    """Measure SCENARIO at every skew and number of users, and write a report.

    \b
    Example:
      hotrow sweep transfer --skew uniform,zipf:0.99,hot --users 1,2,4,8,16,32
    """  # noqa: D301 - \b keeps click from joining the lines
    words = ["--scenario", scenario, "--host", host, "--levels", users]
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}", value]
    if redraw:
        words.append("--redraw")
    if receipts:
        words.append("--receipts")
    if processes:
        words += ["--processes", str(processes)]
    _run_locust(Path(str(files("locustfiles") / "sweep.py")), words)


def _run_locust(locustfile: Path, words: list[str]) -> None:
    """Hand over to Locust, headless and quiet; it ends the process with the run's exit code."""
    from locust.main import main as locust_main  # noqa: PLC0415 - patches the standard library; only here

    sys.argv = ["locust", "-f", str(locustfile), "--headless", "--progress", "--loglevel", "WARNING", *words]
    locust_main()  # type: ignore[no-untyped-call]  # Locust carries no types


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
def report(run: Path) -> None:
    """Summarise RUN again and redraw its pictures and page; no database is needed.

    \b
    Example:
      hotrow report results/20261123T071500Z-transfer
    """  # noqa: D301 - \b keeps click from joining the lines
    from analysis.gates import Gates  # noqa: PLC0415 - see the module
    from hotrow.finish import finish_run  # noqa: PLC0415 - see the module

    sys.exit(finish_run(run, Gates()))


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--max-conflict-rate", type=click.FloatRange(0, 1), help="The most conflicts an attempt, 0 to 1."
)
@click.option(
    "--max-give-up-rate", type=click.FloatRange(0, 1), help="The most transactions given up, 0 to 1."
)
@click.option("--max-p99-ms", type=click.FloatRange(0), help="The highest p99 of committed transactions.")
@click.option(
    "--min-goodput",
    "min_goodput_per_s",
    type=click.FloatRange(0),
    help="The least committed transactions a second.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the breaches as JSON.")
def check(run: Path, as_json: bool, **limits: float | None) -> None:
    """Judge RUN: 0 fine, 1 a gate failed, 3 an invariant was violated, 4 the measurement is not usable.

    \b
    Example:
      hotrow check results/20261123T071500Z-transfer --max-conflict-rate 0.10
    """  # noqa: D301 - \b keeps click from joining the lines
    from hotrow.finish import check_run  # noqa: PLC0415 - see the module

    sys.exit(check_run(run, limits, as_json=as_json))


@main.command(context_settings={"show_default": True})
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--dpu-price", type=click.FloatRange(0, min_open=True), default=8.0, help="Dollars a million DPU."
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def cost(run: Path, dpu_price: float, as_json: bool) -> None:
    """Say what RUN on Aurora DSQL cost, from CloudWatch, and write cost.json into its directory.

    CloudWatch is some minutes late. Where it cannot be asked, or has nothing yet, one line says so.
    Exit code 0 either way; 2 where RUN is no run.

    \b
    Example:
      hotrow cost results/20261123T071500Z-transfer --dpu-price 8.00
    """  # noqa: D301 - \b keeps click from joining the lines
    from analysis.cost import write_cost  # noqa: PLC0415 - see the module
    from hotrow.targets.cloudwatch import NoMetricsError  # noqa: PLC0415 - the same
    from reports.cost import tell  # noqa: PLC0415 - the same

    try:
        reckoned = _reckon_cost(run, dpu_price)
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
    from analysis.cost import METRICS, Metered, clusters_of, reckon, span_of  # noqa: PLC0415 - see the module
    from analysis.load import read_run  # noqa: PLC0415 - the same
    from hotrow.targets.cloudwatch import NoMetricsError, make_client, read_metrics  # noqa: PLC0415 - the same

    run = read_run(directory)
    clusters, span = clusters_of(run.meta), span_of(run.attempts)
    if not clusters or span is None:
        raise NoMetricsError("this run was not on a cluster of Aurora DSQL, or made no attempt")
    metered = [
        Metered(each.region, each.id, *read_metrics(make_client(each.region), each.id, METRICS, span.touched))
        for each in clusters
    ]
    silent = [each.id for each in metered if each.dimension is None]
    if silent:
        raise NoMetricsError(f"CloudWatch has nothing of cluster {silent[0]} in these minutes yet: ask later")
    return reckon(run.attempts, metered, price, span)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def scenarios(as_json: bool) -> None:
    """List the built-in scenarios.

    \b
    Example:
      hotrow scenarios
    """  # noqa: D301 - \b keeps click from joining the lines
    from scenarios import ALL  # noqa: PLC0415 - see the module

    rows = {name: (kind.__doc__ or "").splitlines()[0] for name, kind in sorted(ALL.items())}
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for name, meaning in rows.items():
        click.echo(f"{name:<12} {meaning}")


main.add_command(doctor)
main.add_command(local)
main.add_command(probe)
