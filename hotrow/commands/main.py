"""The `hotrow` command and its shorter commands. Each imports what it needs when it runs.

`sweep` imports Locust, which patches the standard library and must be imported before psycopg. The other
commands do not import Locust.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hotrow.commands.clean import clean
from hotrow.commands.doctor import doctor
from hotrow.commands.local import local
from hotrow.commands.options import click_options, readable
from hotrow.commands.probe import probe
from hotrow.commands.sweep import sweep
from hotrow.console import is_lost, take_over
from hotrow.errors import in_a_line, in_print
from hotrow.exit_codes import ERROR, NOT_USABLE
from hotrow.interruption import listen
from hotrow.masking import hide_secrets, secrets_in
from hotrow.run.options import PAGE_OUT, Where
from hotrow.units import read_number

if TYPE_CHECKING:
    import signal
    from types import FrameType


class _Group(click.Group):
    """A group whose commands end in one line and the error's exit code instead of a traceback."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the program: its output takes any text, and a signal ends it in one line."""
        if take_over():
            listen(_interrupt)
        try:
            return super().main(*args, **extra)
        finally:
            if is_lost():
                sys.exit(ERROR)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            _refuse(ctx, error.format_message(), ERROR)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except (KeyboardInterrupt, click.Abort) as error:
            _refuse(ctx, f"interrupted by {error}" if str(error) else "interrupted", NOT_USABLE)
        except Exception as error:  # noqa: BLE001 - exit code 1 would say that a gate failed
            refusal = in_a_line(error)
            _refuse(ctx, hide_secrets(str(refusal), secrets_in(sys.argv)), refusal.exit_code)


def _interrupt(number: signal.Signals, _: FrameType | None) -> None:
    raise KeyboardInterrupt(number.name)


def _refuse(ctx: click.Context, reason: str, code: int) -> None:
    click.echo(f"hotrow: {in_print(reason)}", err=True)
    ctx.exit(code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hotrow")
def main() -> None:
    """Measure what happens to transactions that meet on the same rows.

    \b
    Start here:
      hotrow sweep counter              a first measurement, nothing to set up
      hotrow scenarios                  the built-in transactions to choose from
      hotrow sweep counter -H dsql://…  the same on your Aurora DSQL cluster
      hotrow COMMAND --help             what a command does, with an example
    """  # noqa: D301 - \b keeps click from joining the lines


@main.command(short_help="Write the report of a run again, or of several runs.")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click_options(Where.REPORT)
def report(runs: tuple[Path, ...], out: str | None, **limits: Any) -> None:
    """Summarise RUN again, and write its pictures and its page again. No database is needed.

    RUN is the directory of a run. It is judged by the gates that it was run with; a gate that is given here
    replaces the run's. Several runs of one scenario, such as runs on several databases, are drawn side by
    side on one page. The exit code is that of the run; of several runs, the worst one.

    \b
    Examples:
      hotrow report results/20261123T071500Z-transfer
      hotrow report results/20261123T071500Z-transfer results/20261123T072000Z-transfer --out both
    """  # noqa: D301 - \b keeps click from joining the lines
    from hotrow.finish import finish_side_by_side, report_run  # noqa: PLC0415 - see the module

    if len(runs) == 1:
        sys.exit(report_run(runs[0], limits))
    beside = runs[0].parent / f"{runs[0].name}-side-by-side"
    sys.exit(finish_side_by_side(runs, PAGE_OUT.read(out) if out else beside, limits))


@main.command(short_help="Judge a run by its gates, with an exit code.")
@click.argument("run", type=click.Path(path_type=Path))
@click_options(Where.CHECK)
@click.option("--json", "as_json", is_flag=True, help="Print the judgement as JSON.")
def check(run: Path, as_json: bool, **limits: Any) -> None:
    """Judge RUN by its gates: print what failed, and exit with the code that says so.

    RUN is the directory of a run. It is judged by the gates that it was run with; a gate that is given here
    replaces the run's.

    \b
    Exit codes:
      0  everything is fine
      1  a gate failed
      2  wrong usage, or RUN is not a run
      3  an invariant was violated: the data is wrong
      4  the measurement is not usable

    \b
    Example:
      hotrow check results/20261123T071500Z-transfer --max-conflict-rate 0.10
    """  # noqa: D301 - \b keeps click from joining the lines
    from hotrow.finish import check_run  # noqa: PLC0415 - see the module

    sys.exit(check_run(run, limits, as_json=as_json))


def _read_price(text: str) -> float:
    return read_number("--dpu-price", text, above_least=True)


@main.command(short_help="Print what a run cost on Aurora DSQL.", context_settings={"show_default": True})
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
    from analysis.dpu import write_cost  # noqa: PLC0415 - see the module
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
    from analysis.dpu import METRICS, Metered, clusters_of, reckon, span_of  # noqa: PLC0415 - see the module
    from analysis.reading import read_run  # noqa: PLC0415 - the same
    from hotrow.targets.dsql.cloudwatch import NoMetricsError, make_client, read_metrics  # noqa: PLC0415 - the same

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


@main.command(short_help="List the scenarios and their knobs.")
@click.argument("path", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def scenarios(path: str | None, as_json: bool) -> None:
    """List the built-in scenarios and their knobs, or the scenario in the file PATH.

    \b
    Example:
      hotrow scenarios
      hotrow scenarios path/to/mine.py
    """  # noqa: D301 - \b keeps click from joining the lines
    from hotrow.scenario.loading import describe, find_scenario, scenarios_in_file  # noqa: PLC0415 - see the module
    from scenarios import ALL  # noqa: PLC0415 - the same

    if path is None:
        kinds = list(ALL.values())
    elif path.endswith(".py"):
        kinds = list(scenarios_in_file(Path(path)).values())
    else:
        kinds = [find_scenario(path, ALL)]
    if as_json:
        click.echo(json.dumps({kind.name: describe(kind) for kind in kinds}, indent=2))
        return
    for kind in kinds:
        description = describe(kind)
        click.echo(f"{kind.name:<12} {description['meaning']}")
        for knob in description["knobs"]:
            setting = f"{knob['flag']} {knob['default']}"
            click.echo(f"  {setting:<22} {knob['meaning']} ({knob['allowed']})")


@main.command(short_help="Write a file to begin a scenario of your own.")
@click.argument("name")
def new(name: str) -> None:
    """Write NAME.py, the beginning of a scenario of your own, into this directory.

    \b
    Example:
      hotrow new booking
      hotrow sweep booking.py --skew uniform,hot --users 1,8
    """  # noqa: D301 - \b keeps click from joining the lines
    from hotrow.scenario.template import write_scenario  # noqa: PLC0415 - see the module

    path = write_scenario(name, Path())
    click.echo(f"{path}: try it with  hotrow sweep {path} --skew uniform,hot --users 1,8")


main.add_command(sweep)
main.add_command(doctor)
main.add_command(clean)
main.add_command(local)
main.add_command(probe)
