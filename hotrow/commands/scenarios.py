"""`hotrow scenarios`: the scenarios and their knobs."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(short_help="List the scenarios and their knobs.")
@click.argument("path", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def scenarios(path: str | None, as_json: bool) -> None:
    """List the built-in scenarios and their knobs, or the scenario in the file PATH.

    \b
    Example:
      hotrow scenarios
      hotrow scenarios path/to/mine.py
    """  # noqa: D301 - \b keeps click from joining the lines
    from hotrow.scenario.loading import describe, scenarios_in_file  # noqa: PLC0415 - see main.py
    from hotrow.script.finding_scripts import find_any_scenario  # noqa: PLC0415 - the same
    from scenarios import ALL  # noqa: PLC0415 - the same

    if path is None:
        scenario_types = list(ALL.values())
    elif path.endswith(".py"):
        scenario_types = list(scenarios_in_file(Path(path)).values())
    else:
        scenario_types = [find_any_scenario(path, ALL)]
    if as_json:
        click.echo(
            json.dumps(
                {scenario_type.name: describe(scenario_type) for scenario_type in scenario_types}, indent=2
            )
        )
        return
    for scenario_type in scenario_types:
        description = describe(scenario_type)
        click.echo(f"{scenario_type.name:<12} {description['meaning']}")
        for knob in description["knobs"]:
            setting = f"{knob['flag']} {knob['default']}"
            click.echo(f"  {setting:<22} {knob['meaning']} ({knob['allowed']})")
