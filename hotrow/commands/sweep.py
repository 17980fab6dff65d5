"""The `sweep` command: its options, the knobs of its scenario, one run after another on several targets."""

from __future__ import annotations

import difflib
import multiprocessing
import multiprocessing.process
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hotrow.errors import UsageError
from hotrow.exit_codes import ERROR, NOT_USABLE, worst
from hotrow.interruption import end_while_starting, listen
from hotrow.knob import knobs_of
from hotrow.masking import show_host
from hotrow.run.gate_options import gate_options
from hotrow.scenario.loading import find_scenario

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping, Sequence
    from types import FrameType

    from hotrow.scenario import Scenario


@click.command(
    context_settings={"show_default": True, "ignore_unknown_options": True, "allow_extra_args": True}
)
@click.argument("scenario")
@click.option(
    "-H",
    "--host",
    "hosts",
    multiple=True,
    default=("local",),
    help="local, local:rtt=2ms,commit=5ms, plain, dsql://… or postgresql://…; given several times, "
    "the sweep runs on each and one report draws them all.",
)
@click.option("--skew", default="uniform,zipf:0.8,zipf:0.99,hot", help="Skews, by commas.")
@click.option("--keys", default="10000", help="How many keys there are.")
@click.option("--users", default="1,2,4,8,16,32", help="Numbers of concurrent users, by commas.")
@click.option(
    "--retry",
    default="full-jitter",
    help="Retry policies, by commas, such as none,full-jitter:base=10ms,cap=1s,max=10.",
)
@click.option("--redraw", is_flag=True, help="Draw fresh keys on every retry.")
@click.option("--receipts", is_flag=True, help="Write a receipt in every transaction; see docs/receipts.md.")
@click.option("--think", default="0", help="Pause of a user between two transactions.")
@click.option("--duration", default="5s", help="Measured time of a cell.")
@click.option("--warmup", default="1s", help="Time before the measured interval of a cell.")
@click.option("--repeats", default="1", help="How often each cell is measured.")
@click.option("--seed", default="1", help="Seed of every random choice.")
@click.option("--out", default="results", help="Directory under which the run's own directory is made.")
@click.option("--processes", default="0", help="Worker processes of the client; 0 is one process for all.")
@gate_options
@click.pass_context
def sweep(ctx: click.Context, /, scenario: str, hosts: Sequence[str], **options: Any) -> None:
    """Measure SCENARIO at every skew, policy and number of users, and write a report.

    SCENARIO is the name of a built-in scenario or the path of a file with your own. Its knobs are options
    too, and take several values by commas: `hotrow scenarios` lists them.

    \b
    Examples:
      hotrow sweep transfer --skew uniform,zipf:0.99,hot --users 1,2,4,8,16,32
      hotrow sweep counter --shards 1,4,16 --skew hot --users 16
      hotrow sweep path/to/mine.py --skew hot -H local -H plain
    """  # noqa: D301 - \b keeps click from joining the lines
    end_while_starting()
    _refuse_lost_folder()
    kind = _find(scenario)
    words = ["--scenario", scenario, *_words(options), *_knob_words(kind, ctx.args)]
    if len(set(hosts)) < len(hosts):
        raise UsageError("-H: a target is given twice; give each once, and --repeats to measure it again")
    if len(hosts) == 1:
        _run_locust(["--host", hosts[0], *words])
    sys.exit(_one_after_another(kind.name, hosts, words, Path(options["out"])))


def _refuse_lost_folder() -> None:
    """Locust cannot do without a working directory.

    Raises:
        UsageError: it was deleted.
    """
    try:
        Path.cwd()
    except OSError as error:
        raise UsageError(f"the working directory: {error.strerror}; change to another one") from None


def _find(scenario: str) -> type[Scenario]:
    from scenarios import ALL  # noqa: PLC0415 - only where a scenario is looked up

    if scenario.startswith("-"):
        raise UsageError(
            f"{scenario}: give the scenario before its knobs, as in hotrow sweep counter --shards 4"
        )
    return find_scenario(scenario, ALL)


def _words(options: Mapping[str, Any]) -> list[str]:
    """The options as Locust's: a flag by its name alone, and `--users`, which is Locust's own, by another."""
    flags = {"users": "--levels"} | {
        name: f"--{name.replace('_', '-')}" for name in options if name != "users"
    }
    pairs = [[flags[name]] if value is True else [flags[name], str(value)] for name, value in options.items()]
    left_out = [value is False or (name == "processes" and value == "0") for name, value in options.items()]
    return [word for pair, out in zip(pairs, left_out, strict=True) if not out for word in pair]


def _knob_words(kind: type[Scenario], words: Sequence[str]) -> list[str]:
    """What click did not know, if it is of the scenario's knobs.

    Raises:
        UsageError: it is not; or a knob without a value.
    """
    flags = [knob.flag for knob in knobs_of(kind).values()]
    told: list[str] = []
    rest = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    while rest:
        flag, *rest = rest
        if flag not in flags:
            raise UsageError(_unknown(flag, kind.name, flags))
        if not rest or rest[0] in flags:
            raise UsageError(f"{flag}: give it a value; `hotrow scenarios` says which it takes")
        told += [flag, rest.pop(0)]
    return told


def _unknown(word: str, scenario: str, flags: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, [*flags, *_own_flags()], n=1, cutoff=0.8)
    has = f"; its knobs: {', '.join(flags)}" if flags else ", which has none"
    meant = f"; did you mean {near[0]}?" if near else has
    return f"{word}: neither an option of sweep nor a knob of {scenario}{meant}"


def _own_flags() -> list[str]:
    return [flag for option in sweep.params for flag in option.opts if flag.startswith("--")]


def _one_after_another(scenario: str, hosts: Sequence[str], words: Sequence[str], out: Path) -> int:
    """Run the sweep on every target, each in a process of its own, then draw what there is in one report.

    Locust patches the standard library and ends its process, so each run is forked before it is imported.
    A signal ends the run that is going on properly, and those to come never begin.
    """
    from hotrow.finish import finish_side_by_side  # noqa: PLC0415 - only here

    together = out / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{scenario}-side-by-side"
    runs = _Runs()
    listen(runs.end)
    for host in hosts:
        if not runs.ended:
            click.echo(f"on {show_host(host)}", err=True)
            runs.run(["--host", host, *words, "--out", str(together)])
    summarised = sorted(path.parent for path in together.glob("*/summary.json"))
    if len(summarised) > 1:
        finish_side_by_side(summarised, together)
    return worst([*runs.codes, *([NOT_USABLE] if runs.ended else [])])


class _Runs:
    """One child process after another, and the signals for whichever is there."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.ended = False
        self._process: multiprocessing.process.BaseProcess | None = None

    def run(self, words: Sequence[str]) -> None:
        """Run Locust in a child and keep its exit code."""
        self._process = multiprocessing.get_context("fork").Process(target=_run_apart, args=(words,))
        self._process.start()
        self._process.join()
        self.codes.append(ERROR if self._process.exitcode is None else self._process.exitcode)
        self._process = None

    def end(self, number: signal.Signals, _: FrameType | None) -> None:
        """Pass a signal on to the run that is going on, and begin no other."""
        self.ended = True
        if self._process is not None and self._process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)


def _run_apart(words: Sequence[str]) -> None:
    """Run Locust out of the terminal's reach, so that Ctrl-C comes to it once, from its parent."""
    os.setpgid(0, 0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    end_while_starting()
    _run_locust(words)


def _run_locust(words: Sequence[str]) -> None:
    from hotrow.load.start import run_locust  # noqa: PLC0415 - Locust patches the standard library; only here

    run_locust(words)
