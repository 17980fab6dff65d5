"""The options of a run and of its gates, each declared once.

`hotrow.commands` makes click options of them, for `hotrow sweep`, `hotrow check` and `hotrow report`.
`hotrow.load` makes Locust arguments of them, for locustfiles. A value is read by the reader of its option,
whether it comes from a command line, an environment variable, a configuration file or the web form.
The knobs of a scenario are options too. The scenario declares them (`hotrow.knob`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Flag, auto
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hotrow.errors import UsageError
from hotrow.units import as_typed, parse_duration_s, read_list, read_number, read_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hotrow.run.gate_rules import Rule

Value = TypeVar("Value")


class Where(Flag):
    """Where an option can be given."""

    SWEEP = auto()
    """`hotrow sweep`."""
    LOCUSTFILE = auto()
    """`locust -f` with any of our locustfiles."""
    SWEEP_FILE = auto()
    """`locust -f locustfiles/sweep.py`, which `hotrow sweep` runs."""
    CHECK = auto()
    """`hotrow check`."""
    REPORT = auto()
    """`hotrow report`."""
    SIMULATE = auto()
    """`hotrow simulate`."""
    TAP = auto()
    """`hotrow tap`."""


_MEASURED = Where.SWEEP | Where.LOCUSTFILE
_RUN = _MEASURED | Where.SIMULATE
_CELLS = Where.SWEEP | Where.SWEEP_FILE | Where.SIMULATE
_GATE = _RUN | Where.CHECK | Where.REPORT
_LIMIT = _GATE | Where.TAP


@dataclass(frozen=True, slots=True)
class Option(Generic[Value]):
    """One option: its name, how its value is read, its default, and where it can be given."""

    flag: str
    """Such as `--max-p99-ms`."""
    help: str
    reader: Callable[[str, str], Value]
    """The value, from the flag and the text. Raises UsageError, in one line that begins with the flag."""
    where: Where
    metavar: str = "TEXT"
    """What stands for the value in help texts."""
    default: str | None = ""
    """The text that stands if the option is not given; empty is no value, None is a switch that is off."""
    sweep_default: str | None = None
    """The default of `hotrow sweep`, if it is another."""
    sweep_reader: Callable[[str, str], Any] | None = None
    """Reads the value in a sweep, if it takes several there."""
    short: str = ""
    """Such as `-H`."""
    locust_flag: str = ""
    """The name of the Locust argument, if it is another."""
    repeatable: bool = False
    """Whether `hotrow sweep` takes it several times."""
    in_environment: bool = True
    """Whether `env_var` sets it too, for a locustfile and for `hotrow sweep`."""
    in_web_form: bool = True
    in_run_json: bool = True
    """Whether its text is kept in run.json under `options`."""

    @property
    def is_switch(self) -> bool:
        """Whether it is on or off, and has no value."""
        return self.default is None

    @property
    def name(self) -> str:
        """The name of its parameter in Python: `max_p99_ms`."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def argument(self) -> str:
        """Its name as a Locust argument: `--max-p99-ms`."""
        return self.locust_flag or self.flag

    @property
    def locust_name(self) -> str:
        """The name of the Locust argument in Python, in the web form and in run.json."""
        return self.argument.removeprefix("--").replace("-", "_")

    @property
    def env_var(self) -> str:
        """Its environment variable: `HOTROW_MAX_P99_MS`."""
        return env_var(self.argument)

    def read(self, text: str) -> Value:
        """The value outside of a sweep. Raises UsageError."""
        return self.reader(self.flag, text)

    def read_in_sweep(self, text: str) -> Any:
        """The value in a sweep: for options that take several there, a tuple. Raises UsageError."""
        return (self.sweep_reader or self.reader)(self.flag, text)


def env_var(flag: str) -> str:
    """The environment variable of an option: `--max-p99-ms` is HOTROW_MAX_P99_MS."""
    return "HOTROW_" + flag.removeprefix("--").replace("-", "_").upper()


def _text(flag: str, text: str) -> str:
    if not text.strip():
        raise UsageError(f"{flag} {as_typed(text)}: must not be empty")
    return text


def _directory(flag: str, text: str) -> Path:
    if not text.strip() or "\0" in text:
        raise UsageError(f"{flag} {as_typed(text)}: must be the path of a directory")
    return Path(text)


def _from_one(flag: str, text: str) -> int:
    return read_whole(flag, text, least=1)


def _from_zero(flag: str, text: str) -> int:
    return read_whole(flag, text)


def _processes(flag: str, text: str) -> int:
    return -1 if text == "-1" else read_whole(flag, text)


def _user_numbers(flag: str, text: str) -> tuple[int, ...]:
    return tuple(_from_one(flag, part) for part in read_list(flag, text))


def _span(flag: str, text: str) -> float:
    return parse_duration_s(text, option=flag)


def _span_above_zero(flag: str, text: str) -> float:
    seconds = _span(flag, text)
    if seconds <= 0:
        raise UsageError(f"{flag} {as_typed(text)}: a cell needs time to be measured; give for example 5s")
    return seconds


def _share(flag: str, text: str) -> float:
    return read_number(flag, text, most=1)


def _amount(flag: str, text: str) -> float:
    return read_number(flag, text)


def _skew(_: str, text: str) -> str:
    from hotrow.keys.skew import parse_skew  # noqa: PLC0415 - numpy, which most commands do without

    parse_skew(text)
    return text


def _skews(flag: str, text: str) -> tuple[str, ...]:
    from hotrow.keys.skew import group_skews, parse_skews  # noqa: PLC0415 - the same

    texts = group_skews(read_list(flag, text))
    parse_skews(texts)
    return texts


def _retry(flag: str, text: str) -> str:
    from hotrow.attempt.retry import parse_retries  # noqa: PLC0415 - the same

    if len(parse_retries(text)) > 1:
        raise UsageError(f"{flag} {as_typed(text)}: one policy here; `hotrow sweep` takes several")
    return text


def _retries(_: str, text: str) -> str:
    from hotrow.attempt.retry import parse_retries  # noqa: PLC0415 - the same

    parse_retries(text)
    return text


def _switch(flag: str, text: str) -> bool:
    raise UsageError(f"{flag} {as_typed(text)}: takes no value")


def _rules(flag: str, text: str) -> tuple[Rule, ...]:
    from hotrow.run.gate_rules import read_rules  # noqa: PLC0415 - the same

    return read_rules(flag, _text(flag, text), _limit_readers())


def _limit_readers() -> dict[str, Callable[[str, str], float]]:
    """By name of a limit in a file of gates: its reader."""
    return {option.name: option.reader for option in GATES.values()}


HOST = Option(
    "--host",
    "The database: local, local:rtt=2ms,commit=5ms, plain, dsql://… or postgresql://… Give it several times "
    "to run the sweep on each database in turn; one report then draws them side by side.",
    _text,
    Where.SWEEP,
    default="local",
    short="-H",
    repeatable=True,
    in_environment=False,
    in_run_json=False,
)
SCENARIO = Option(
    "--scenario",
    "The scenario: the name of a built-in one, or the path of a file with your own.",
    _text,
    Where.SWEEP_FILE,
    default="transfer",
    in_run_json=False,
)
SKEW = Option(
    "--skew",
    "Which keys transactions touch: uniform, zipf:THETA, hotspot:KEYS:OPS, latest:THETA, hot:K (K equally "
    "hot rows; hot is one row), conflict-share:SHARE or file:PATH. A scenario with key spaces has one for "
    "each: account=zipf:0.99,branch=hot. A sweep takes several, separated by commas.",
    _skew,
    _RUN,
    metavar="SKEW",
    default="zipf:0.99",
    sweep_default="uniform,zipf:0.8,zipf:0.99,hot",
    sweep_reader=_skews,
)
KEYS = Option("--keys", "Number of keys.", _from_one, _RUN, metavar="NUMBER", default="10000")
USERS = Option(
    "--users",
    "Numbers of concurrent users, separated by commas; each is measured in cells of its own.",
    _user_numbers,
    _CELLS,
    metavar="NUMBERS",
    default="1,2,4,8,16,32",
    locust_flag="--levels",
)
RETRY = Option(
    "--retry",
    "How transactions are tried again after a conflict: none, immediate, fixed, exponential, full-jitter, … "
    "A policy can have parameters, such as fixed:base=10ms,max=5. A sweep takes several policies, separated "
    "by commas.",
    _retry,
    _RUN,
    metavar="POLICY",
    default="full-jitter",
    sweep_reader=_retries,
)
REDRAW = Option(
    "--redraw",
    "Draw fresh keys on every retry, instead of repeating the same work.",
    _switch,
    _RUN,
    default=None,
)
RECEIPTS = Option(
    "--receipts",
    "Write a receipt in every transaction, and look it up if the connection is lost during COMMIT "
    "(docs/receipts.md).",
    _switch,
    _MEASURED,
    default=None,
)
THINK = Option(
    "--think",
    "Pause of a user between two transactions, such as 10ms.",
    _span,
    _RUN,
    metavar="DURATION",
    default="0",
)
DURATION = Option(
    "--duration",
    "How long each cell is measured.",
    _span_above_zero,
    _CELLS,
    metavar="DURATION",
    default="5s",
)
WARMUP = Option(
    "--warmup",
    "How long the load of a cell runs before it is measured.",
    _span,
    _RUN,
    metavar="DURATION",
    default="1s",
)
REPEATS = Option(
    "--repeats", "How often each cell is measured.", _from_one, _CELLS, metavar="NUMBER", default="1"
)
SEED = Option("--seed", "Seed of every random choice.", _from_zero, _RUN, metavar="NUMBER", default="1")
OUT = Option(
    "--out",
    "Directory in which the run makes a directory of its own.",
    _directory,
    _RUN | Where.TAP,
    metavar="DIRECTORY",
    default="results",
    in_web_form=False,
    in_run_json=False,
)
NO_REPORT = Option(
    "--no-report",
    "End the run without pictures and page; hotrow report draws them later.",
    _switch,
    _RUN | Where.TAP,
    default=None,
    in_run_json=False,
)
WINDOW = Option(
    "--window",
    "Conflict window of an attempt, from its snapshot to the decision at COMMIT.",
    _span_above_zero,
    Where.SIMULATE,
    metavar="DURATION",
    default="7ms",
    in_environment=False,
)
WINDOW_CV = Option(
    "--window-cv",
    "Coefficient of variation of the conflict window, which is gamma distributed; 0 makes it constant.",
    _amount,
    Where.SIMULATE,
    metavar="NUMBER",
    default="0.25",
    in_environment=False,
)
OUTSIDE = Option(
    "--outside",
    "Time between two attempts of a user, apart from backoff and think time: the way of an answer, perhaps.",
    _span,
    Where.SIMULATE,
    metavar="DURATION",
    default="0",
    in_environment=False,
)
PROCESSES = Option(
    "--processes",
    "Number of worker processes that make the load. 0 makes it in the main process; -1 starts one worker per "
    "CPU core.",
    _processes,
    Where.SWEEP,
    metavar="NUMBER",
    default="0",
    in_environment=False,
    in_run_json=False,
)
PROGRESS = Option(
    "--progress",
    "Show a progress bar instead of Locust's own log and tables.",
    _switch,
    Where.SWEEP_FILE,
    default=None,
    in_environment=False,
    in_web_form=False,
    in_run_json=False,
)
MAX_CONFLICT_RATE = Option(
    "--max-conflict-rate",
    "Gate: the highest number of conflicts per attempt, from 0 to 1.",
    _share,
    _LIMIT,
    metavar="SHARE",
)
MAX_GIVE_UP_RATE = Option(
    "--max-give-up-rate",
    "Gate: the highest share of transactions that are given up, from 0 to 1.",
    _share,
    _LIMIT,
    metavar="SHARE",
)
MAX_ERROR_RATE = Option(
    "--max-error-rate",
    "Gate: the highest share of transactions that fail with an error, from 0 to 1. If it is not given, the "
    "limit is 0.01, and no error of the SQLSTATE classes 22 and 42 passes. A limit of yours holds for all "
    "classes.",
    _share,
    _LIMIT,
    metavar="SHARE",
)
MAX_P99_MS = Option(
    "--max-p99-ms",
    "Gate: the highest p99 latency of committed transactions, in milliseconds.",
    _amount,
    _LIMIT,
    metavar="NUMBER",
)
MIN_GOODPUT = Option(
    "--min-goodput",
    "Gate: the lowest number of committed transactions per second.",
    _amount,
    _LIMIT,
    metavar="NUMBER",
)
GATES_FILE = Option(
    "--gates",
    "A TOML file with gates for some cells only, selected by skew, users, keys, retry policy, knob or kind "
    "of transaction (docs/gates.md).",
    _rules,
    _GATE,
    metavar="FILE",
    in_web_form=False,
    in_run_json=False,
)
EXPECT_VIOLATIONS = Option(
    "--expect-violations",
    "Gate: exit with 0 if a check finds wrong data, and with 1 if none does.",
    _switch,
    _GATE,
    default=None,
)
GITHUB = Option(
    "--github",
    "Print annotations for GitHub Actions, and append the findings to the summary of the job. On by itself "
    "if GITHUB_ACTIONS is true.",
    _switch,
    _LIMIT,
    default=None,
    in_environment=False,
    in_web_form=False,
    in_run_json=False,
)
PAGE_OUT = Option(
    "--out",
    "Directory for the page of several runs. If it is not given, it is made beside the first run.",
    _directory,
    Where.REPORT,
    metavar="DIRECTORY",
    in_run_json=False,
)

OPTIONS: tuple[Option[Any], ...] = (
    HOST,
    SCENARIO,
    SKEW,
    KEYS,
    USERS,
    RETRY,
    REDRAW,
    RECEIPTS,
    THINK,
    DURATION,
    WARMUP,
    REPEATS,
    SEED,
    OUT,
    NO_REPORT,
    WINDOW,
    WINDOW_CV,
    OUTSIDE,
    PROCESSES,
    PROGRESS,
    PAGE_OUT,
    MAX_CONFLICT_RATE,
    MAX_GIVE_UP_RATE,
    MAX_ERROR_RATE,
    MAX_P99_MS,
    MIN_GOODPUT,
    GATES_FILE,
    EXPECT_VIOLATIONS,
    GITHUB,
)
"""Every option, in the order of help texts."""
GATES: Mapping[str, Option[float]] = MappingProxyType(
    {
        "max_conflict_rate": MAX_CONFLICT_RATE,
        "max_give_up_rate": MAX_GIVE_UP_RATE,
        "max_error_rate": MAX_ERROR_RATE,
        "max_p99_ms": MAX_P99_MS,
        "min_goodput_per_s": MIN_GOODPUT,
    }
)
"""The options that are limits, by the field of `analysis.gates.Gates`."""


def options_of(where: Where) -> tuple[Option[Any], ...]:
    """The options that can be given at any of these, in the order of help texts."""
    return tuple(option for option in OPTIONS if option.where & where)


def is_for_github(*, asked: bool) -> bool:
    """Whether findings also go to GitHub Actions: if asked for by `--github`, or if it runs the process."""
    return asked or os.environ.get("GITHUB_ACTIONS") == "true"


def read_gates(values: Mapping[str, Any], kept: object = None) -> dict[str, Any]:
    """The fields of `analysis.gates.Gates`, from texts by option name, such as `options` in run.json.

    A text that is empty or absent is no limit: run.json and the web form have it for gates that were not set.
    `kept` are the rules of `gates` in run.json; the file of `--gates`, if there is one, replaces them.

    Raises:
        UsageError: a text is no limit. NaN and infinity are none.
    """
    limits = {field: _limit(option, values.get(option.name)) for field, option in GATES.items()}
    rules = _rules_of(values.get(GATES_FILE.name), kept)
    return {**limits, "expect_violations": bool(values.get(EXPECT_VIOLATIONS.name)), "rules": rules}


def _rules_of(file: object, kept: object) -> tuple[Rule, ...]:
    if file:
        return GATES_FILE.read(str(file))
    if not kept:
        return ()
    from hotrow.run.gate_rules import parse_rules  # noqa: PLC0415 - the same

    return parse_rules("run.json", kept, _limit_readers())


def _limit(option: Option[float], text: object) -> float | None:
    return None if text is None or text == "" else option.read(str(text))
