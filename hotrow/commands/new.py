"""`hotrow new`: the beginning of a scenario of your own."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Write a file to begin a scenario of your own.")
@click.argument("name")
def new(name: str) -> None:
    """Write NAME.py, the beginning of a scenario of your own, into this directory.

    \b
    Example:
      hotrow new booking
      hotrow sweep booking.py --skew uniform,hot --users 1,8
    """  # noqa: D301 - \b keeps click from joining the lines
    from hotrow.scenario.template import write_scenario  # noqa: PLC0415 - see main.py

    path = write_scenario(name, Path())
    click.echo(f"{path}: try it with  hotrow sweep {path} --skew uniform,hot --users 1,8")
