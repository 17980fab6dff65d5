"""`hotrow report`: the report of a run, or of several, written again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from hotrow.commands.click_options import click_options
from hotrow.run.options import PAGE_OUT, Where, is_for_github


@click.command(short_help="Write the report of a run again, or of several runs.")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click_options(Where.REPORT)
def report(runs: tuple[Path, ...], out: str | None, github: bool, **limits: Any) -> None:
    """Summarise RUN again, and write its pictures and its page again. No database is needed.

    RUN is the directory of a run. It is judged by the gates that it was run with; a gate that is given here
    replaces the run's. Several runs of one scenario, such as runs on several databases, are drawn side by
    side on one page. The exit code is that of the run; of several runs, the worst one.

    \b
    Examples:
      hotrow report results/20261123T071500Z-transfer
      hotrow report results/20261123T071500Z-transfer results/20261123T072000Z-transfer --out both
    """  # noqa: D301 - \b keeps click from joining the lines
    from hotrow.finish import Telling, finish_side_by_side, report_run  # noqa: PLC0415 - see main.py

    telling = Telling(github=is_for_github(asked=github))
    if len(runs) == 1:
        sys.exit(report_run(runs[0], limits, telling))
    beside = runs[0].parent / f"{runs[0].name}-side-by-side"
    sys.exit(finish_side_by_side(runs, PAGE_OUT.read(out) if out else beside, limits, telling))
