"""`hotrow sweep`: its options, the knobs of its scenario, and one run per target."""

from __future__ import annotations

import difflib
import multiprocessing
import multiprocessing.process
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hotrow.commands.apart import run_apart
from hotrow.commands.click_options import click_options
from hotrow.errors import UsageError
from hotrow.exit_codes import ERROR, NOT_USABLE, worst
from hotrow.interruption import end_while_starting, listen
from hotrow.knob import knobs_of
from hotrow.masking import show_host
from hotrow.run.options import HOST, OUT, PROCESSES, SKEW, Where, options_of
from hotrow.script.finding_scripts import KEY_FLAG, find_any_scenario, is_script

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping, Sequence
    from types import FrameType

    from hotrow.scenario import Scenario


_WORDS = "hotrow.sweep.words"


class _Sweep(click.Command):
    """The command whose help also shows the knobs of the scenario that is given beside `--help`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words: `--help` ends the command before click knows the scenario."""
        ctx.meta[_WORDS] = list(args)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The knobs of the scenario, if one is given, then the options.

        Raises:
            UsageError: there is no such scenario, or its file cannot be loaded.
        """
        given, _, _ = self.make_parser(ctx).parse_args(ctx.meta.get(_WORDS, []))
        scenario = given.get("scenario")
        if isinstance(scenario, str):
            found = describe_knobs(find(scenario))
            with formatter.section(f"Knobs of {found.name}"):
                formatter.write_dl(found.knobs or [("none", "this scenario has no knobs")])
        super().format_options(ctx, formatter)


@click.command(
    cls=_Sweep,
    short_help="Measure a scenario at several skews and numbers of users.",
    context_settings={"show_default": True, "ignore_unknown_options": True, "allow_extra_args": True},
)
@click.argument("scenario")
@click_options(Where.SWEEP)
@click.pass_context
def sweep(ctx: click.Context, /, scenario: str, host: Sequence[str], **values: Any) -> None:
    """Measure SCENARIO at every skew, retry policy and number of users, and write a report.

    SCENARIO is the name of a built-in scenario, the path of a file with your own, or a pgbench script
    (docs/scripts.md). The knobs of the scenario are options too, and take several values, separated by
    commas. `hotrow sweep SCENARIO --help` shows them, and `hotrow scenarios` lists those of all. Each
    combination is measured for --duration; it is called a cell. A gate is a limit that every cell has to
    keep: the exit code is 1 if one does not (docs/exit-codes.md).

    An environment variable such as HOTROW_MAX_P99_MS sets an option, here --max-p99-ms, if it is not given.

    \b
    Examples:
      hotrow sweep transfer --skew uniform,zipf:0.99,hot --users 1,2,4,8,16,32
      hotrow sweep counter --shards 1,4,16 --skew hot --users 16
      hotrow sweep path/to/mine.py --skew hot -H local -H plain
      hotrow sweep path/to/mine.sql --key aid --skew uniform,hot
    """  # noqa: D301 - \b keeps click from joining the lines
    end_while_starting()
    _refuse_lost_folder()
    found = run_apart(partial(_look_up, scenario))
    if is_script(scenario) and not _has_key(ctx.args) and _is_default(ctx, SKEW.name):
        values[SKEW.name] = "uniform"  # without a key other skews would be the same cell again
    words = ["--scenario", scenario, *_words(values), *knob_words(found, ctx.args)]
    if len(set(host)) < len(host):
        raise UsageError("-H: a target is given twice; give each once, and --repeats to measure it again")
    if len(host) == 1:
        _run_locust(["--host", host[0], *words])
    sys.exit(_one_after_another(found.name, host, words, OUT.read(values[OUT.name])))


def _has_key(words: Sequence[str]) -> bool:
    """Whether `--key` is among the knobs of a script."""
    return any(word == KEY_FLAG or word.startswith(f"{KEY_FLAG}=") for word in words)


def _is_default(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is click.core.ParameterSource.DEFAULT


def _refuse_lost_folder() -> None:
    """Locust needs a working directory.

    Raises:
        UsageError: the working directory was deleted.
    """
    try:
        Path.cwd()
    except OSError as error:
        raise UsageError(f"the working directory: {error.strerror}; change to another one") from None


@dataclass(frozen=True, slots=True)
class Found:
    """What the command line needs to know of a scenario."""

    name: str
    knobs: tuple[tuple[str, str], ...]
    """The flag of each knob, and its meaning, what it takes and its default."""

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags of its knobs."""
        return tuple(flag for flag, _ in self.knobs)


def find(scenario: str) -> type[Scenario]:
    """The scenario of a command line.

    Raises:
        UsageError: there is none of this name, or its file cannot be used.
    """
    from scenarios import ALL  # noqa: PLC0415 - only where a scenario is looked up

    if scenario.startswith("-"):
        raise UsageError(
            f"{scenario}: give the scenario before its knobs, as in hotrow sweep counter --shards 4"
        )
    return find_any_scenario(scenario, ALL)


def describe_knobs(kind: type[Scenario]) -> Found:
    """The name of a scenario and its knobs."""
    lines = [
        (knob.flag, f"{knob.meaning}: {knob.allowed}  [default: {knob.default}]")
        for knob in knobs_of(kind).values()
    ]
    return Found(kind.name, tuple(lines))


def _look_up(scenario: str) -> Found:
    """The scenario of a command line, for another process than the one that makes the load.

    Its file may import psycopg, or `sleep` from `time`, which Locust must patch before that.
    """
    return describe_knobs(find(scenario))


def _words(values: Mapping[str, Any]) -> list[str]:
    """The options as words of Locust's command line, those that are not given left out."""
    words: list[str] = []
    for option in options_of(Where.SWEEP):
        value = values.get(option.name)
        if option is HOST or value is None or value is False:
            continue
        if option is PROCESSES and PROCESSES.read(value) == 0:
            continue
        words += [option.argument] if option.is_switch else [option.argument, value]
    return words


def knob_words(found: Found, words: Sequence[str]) -> list[str]:
    """The words that are knobs of the scenario, with their values; click does not know them.

    Raises:
        UsageError: a word is not a knob, or a knob has no value.
    """
    flags = found.flags
    knob_words: list[str] = []
    rest = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    while rest:
        flag, *rest = rest
        if flag not in flags:
            raise UsageError(_unknown(flag, found.name, flags))
        if not rest or rest[0] in flags:
            raise UsageError(f"{flag}: give it a value; `hotrow scenarios` says which it takes")
        knob_words += [flag, rest.pop(0)]
    return knob_words


def _unknown(word: str, scenario: str, flags: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, [*flags, *_own_flags()], n=1, cutoff=0.8)
    has = f"; its knobs: {', '.join(flags)}" if flags else ", which has none"
    meant = f"; did you mean {near[0]}?" if near else has
    return f"{word}: neither an option of sweep nor a knob of {scenario}{meant}"


def _own_flags() -> list[str]:
    return [flag for option in sweep.params for flag in option.opts if flag.startswith("--")]


def _one_after_another(scenario: str, hosts: Sequence[str], words: Sequence[str], out: Path) -> int:
    """Run the sweep on every target, each in its own process, then draw all runs in one report.

    Locust patches the standard library and ends its process, so each run is forked before it is imported.
    A signal ends the present run in good order, and no further run begins.
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
    """One child process after another; signals go to the present one."""

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
        """Pass a signal on to the present run, and begin no other."""
        self.ended = True
        if self._process is not None and self._process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)


def _run_apart(words: Sequence[str]) -> None:
    """Run Locust away from the terminal, so that Ctrl-C reaches it only once, from its parent."""
    os.setpgid(0, 0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    end_while_starting()
    _run_locust(words)


def _run_locust(words: Sequence[str]) -> None:
    from hotrow.load.start import run_locust  # noqa: PLC0415 - Locust patches the standard library; only here

    run_locust(words)
