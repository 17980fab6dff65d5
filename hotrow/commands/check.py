"""`hotrow check`: a run judged by its gates."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from hotrow.commands.click_options import click_options
from hotrow.run.options import Where, is_for_github


@click.command(short_help="Judge a run by its gates, with an exit code.")
@click.argument("run", type=click.Path(path_type=Path))
@click_options(Where.CHECK)
@click.option("--json", "as_json", is_flag=True, help="Print the judgement as JSON.")
def check(run: Path, as_json: bool, github: bool, **limits: Any) -> None:
    """Judge RUN by its gates: print each gate, and exit with the code that says so.

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
    from hotrow.finish import Telling, check_run  # noqa: PLC0415 - see main.py

    telling = Telling(github=is_for_github(asked=github), stdout_is_data=as_json)
    sys.exit(check_run(run, limits, as_json=as_json, telling=telling))
