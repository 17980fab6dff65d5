"""`hotrow simulate`: the conflicts of a scenario without a database."""

from __future__ import annotations

import shlex
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from hotrow.commands.click_options import click_options
from hotrow.commands.sweep import describe_knobs, find, knob_words
from hotrow.errors import UsageError
from hotrow.run.options import Where, is_for_github, options_of, read_gates
from hotrow.units import read_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hotrow.run.plan import Settings


@click.command(
    short_help="Simulate a scenario without a database.",
    context_settings={"show_default": True, "ignore_unknown_options": True, "allow_extra_args": True},
)
@click.argument("scenario")
@click_options(Where.SIMULATE)
@click.pass_context
def simulate(ctx: click.Context, /, scenario: str, **values: Any) -> None:
    """Simulate SCENARIO at every skew, retry policy and number of users, and write a report.

    SCENARIO and its knobs are those of `hotrow sweep`. No database is used: each attempt takes the conflict
    window of --window, and loses at COMMIT if another attempt has committed one of its rows meanwhile. Half
    a million attempts or more are simulated per second, so a cell may have thousands of users.

    \b
    Examples:
      hotrow simulate transfer --skew zipf:0.99,hot --users 10,100,1000
      hotrow simulate counter --shards 1,16 --skew hot --users 100 --window 15ms --window-cv 0.3
    """  # noqa: D301 - \b keeps click from joining the lines
    if find_spec("numba") is None:
        raise UsageError("hotrow simulate needs numba: pip install 'hotrow[simulate]'")
    sys.exit(_simulate(scenario, ctx.args, values))


def _simulate(name: str, words: Sequence[str], values: Mapping[str, Any]) -> int:
    """Plan, simulate, and end as every run ends; the exit code."""
    from analysis.gates import Gates  # noqa: PLC0415 - numpy and more, which `--help` does without
    from hotrow.finish import Telling, finish_run  # noqa: PLC0415 - the same
    from hotrow.run.directory import make_directory, refuse_unwritable, write_run_json  # noqa: PLC0415 - the same
    from hotrow.run.plan import plan_cells  # noqa: PLC0415 - the same
    from hotrow.scenario import AppScenario  # noqa: PLC0415 - the same
    from hotrow.scenario.calling import make_scenario  # noqa: PLC0415 - the same
    from hotrow.simulated_run import simulated_target  # noqa: PLC0415 - the same
    from hotrow.simulation.cells import simulate_run  # noqa: PLC0415 - the same
    from hotrow.simulation.world import Gamma  # noqa: PLC0415 - the same

    scenario_type = find(name)
    knob_texts = knob_words(describe_knobs(scenario_type), words)
    knobs = {
        flag: read_list(flag, text) for flag, text in zip(knob_texts[::2], knob_texts[1::2], strict=True)
    }
    read = {
        option.name: option.read_in_sweep(values[option.name])
        for option in options_of(Where.SIMULATE)
        if not option.is_switch and values[option.name]
    }
    settings = _settings(
        read, {_field(flag): texts for flag, texts in knobs.items()}, redraw=values["redraw"]
    )
    scenario = make_scenario(scenario_type, {})
    if isinstance(scenario, AppScenario):
        raise UsageError(
            f"{name}: an AppScenario repeats its transactions itself: a simulation cannot know how; use sweep"
        )
    if not scenario.is_one_transaction:
        raise UsageError(
            f"{name}: has several transactions that follow each other; a simulation knows the first only"
        )
    cells = plan_cells(settings, scenario, read["seed"])
    gates = Gates(**read_gates(values))
    refuse_unwritable(read["out"])
    directory = make_directory(read["out"], scenario.name)
    varies = f" (coefficient of variation {values['window_cv']})" if read["window_cv"] else ""
    write_run_json(
        directory,
        scenario=scenario,
        cells=cells,
        target=simulated_target(f"simulation, window {values['window']}{varies}"),
        settings=settings,
        seed=read["seed"],
        think_s=read["think"],
        options={**_kept(values), **{_field(flag): ",".join(texts) for flag, texts in knobs.items()}},
        tables=(),
        reproduce=shlex.join(["hotrow", "simulate", name, *_words(values), *knob_texts]),
        gate_rules=gates.rules,
    )
    simulate_run(
        directory,
        cells,
        scenario,
        seed=read["seed"],
        window=Gamma(read["window"], read["window_cv"]),
        outside=Gamma(read["outside"]),
        think_s=read["think"],
    )
    telling = Telling(github=is_for_github(asked=values["github"]))
    return finish_run(directory, gates, telling, no_report=values["no_report"])


def _settings(read: Mapping[str, Any], knobs: Mapping[str, tuple[str, ...]], *, redraw: bool) -> Settings:
    """The settings of the cells, from the values of the options and knobs."""
    from hotrow.run import plan  # noqa: PLC0415 - the same

    return plan.Settings(
        skews=read["skew"],
        keys=read["keys"],
        levels=read["users"],
        retry=read["retry"],
        knobs=knobs,
        redraw=redraw,
        repeats=read["repeats"],
        warmup_s=read["warmup"],
        duration_s=read["duration"],
    )


def _field(flag: str) -> str:
    """The name of a knob: `for_update` for `--for-update`."""
    return flag.removeprefix("--").replace("-", "_")


def _kept(values: Mapping[str, Any]) -> dict[str, Any]:
    """The texts of the options, for run.json."""
    kept = [option for option in options_of(Where.SIMULATE) if option.in_run_json]
    return {option.locust_name: values[option.name] for option in kept}


def _words(values: Mapping[str, Any]) -> list[str]:
    """The options as words of a command line, those that are not given left out."""
    words: list[str] = []
    for option in options_of(Where.SIMULATE):
        value = values[option.name]
        if option.in_run_json and value:
            words += [option.flag] if option.is_switch else [option.flag, value]
    return words
