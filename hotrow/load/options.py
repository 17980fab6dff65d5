"""Our options as Locust's: on the command line, in the environment, in config files and in the web form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from locust import events

from analysis.gates import Gates
from hotrow.attempt.retry import parse_retries
from hotrow.errors import UsageError
from hotrow.knob import knobs_of
from hotrow.run.gate_options import GATE_OPTIONS, VIOLATIONS_HELP, read_gates
from hotrow.run.plan import Settings
from hotrow.units import parse_duration_s, read_list, read_whole, told

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from locust.argument_parser import LocustArgumentParser

    from hotrow.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for, parsed: the settings of the cells, and what is the same for the whole run."""

    settings: Settings
    seed: int
    out: Path
    think_s: float
    receipts: bool
    gates: Gates
    progress: bool
    options: dict[str, Any]
    """The options as they were given, for run.json."""


OPTIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "--skew": (
            "zipf:0.99",
            "uniform, zipf:THETA, hotspot:KEYS:OPS, latest:THETA, hot:K (hot is one row) or file:PATH",
        ),
        "--keys": ("10000", "how many rows there are"),
        "--retry": (
            "full-jitter",
            "none, immediate, fixed, exponential, equal-jitter, full-jitter:base=10ms,cap=1s,max=10, …",
        ),
        "--think": ("0", "pause of a user between two transactions, such as 10ms"),
        "--warmup": ("1s", "time before the measured interval of a cell"),
        "--seed": ("1", "seed of every random choice"),
        **{option.flag: ("", f"gate: {option.meaning}") for option in GATE_OPTIONS},
    }
)
"""Default and meaning of every option that has a value; a sweep has more (see `hotrow.load.sweep`)."""
REDRAW_HELP = "draw fresh keys on every retry, instead of repeating the same work"
RECEIPTS_HELP = (
    "write a receipt in every transaction, and look it up where the connection was lost during COMMIT"
)
OUT_HELP = "directory under which the run's own directory is made"


@events.init_command_line_parser.add_listener
def add_arguments(parser: LocustArgumentParser, **_: Any) -> None:
    """Declare the options that every locustfile of ours understands; they stand in the web form too."""
    for flag, (default, text) in OPTIONS.items():
        parser.add_argument(flag, default=default, env_var=env_var(flag), help=text)
    parser.add_argument("--redraw", action="store_true", env_var=env_var("--redraw"), help=REDRAW_HELP)
    parser.add_argument("--receipts", action="store_true", env_var=env_var("--receipts"), help=RECEIPTS_HELP)
    parser.add_argument(
        "--expect-violations",
        action="store_true",
        env_var=env_var("--expect-violations"),
        help=VIOLATIONS_HELP,
    )
    parser.add_argument(
        "--out", default="results", env_var=env_var("--out"), help=OUT_HELP, include_in_web_ui=False
    )


def env_var(flag: str) -> str:
    """The environment variable of an option: `--max-p99-ms` is HOTROW_MAX_P99_MS."""
    return "HOTROW_" + flag.removeprefix("--").replace("-", "_").upper()


def read_request(options: Namespace, scenario: Scenario) -> Request:
    """The request in Locust's parsed options; knobs that they do not have stand as in `scenario`.

    Raises:
        UsageError: an option that cannot be; one line.
    """
    is_sweep = hasattr(options, "levels")
    _refuse_endless(options.spawn_rate)
    turned = [knob for name, knob in knobs_of(type(scenario)).items() if hasattr(options, name)]
    knobs = {knob.name: getattr(options, knob.name) for knob in turned}
    return Request(
        settings=Settings(
            skews=read_list("--skew", options.skew) if is_sweep else (options.skew,),
            keys=read_whole("--keys", options.keys, least=1),
            levels=_levels(options) if is_sweep else (_single_level(options),),
            retry=options.retry if is_sweep else _single_retry(options.retry),
            knobs={
                knob.name: read_list(knob.flag, knobs[knob.name]) if is_sweep else (knobs[knob.name],)
                for knob in turned
            },
            redraw=bool(options.redraw),
            repeats=read_whole("--repeats", options.repeats, least=1) if is_sweep else 1,
            warmup_s=parse_duration_s(options.warmup, option="--warmup"),
            duration_s=_duration_s(options) if is_sweep else None,
        ),
        seed=read_whole("--seed", options.seed),
        out=Path(options.out),
        think_s=parse_duration_s(options.think, option="--think"),
        receipts=bool(options.receipts) or scenario.receipts,
        gates=Gates(**read_gates(vars(options))),
        progress=bool(getattr(options, "progress", False)),
        options={**_shown(options, is_sweep), **knobs},
    )


def _shown(options: Namespace, is_sweep: bool) -> dict[str, Any]:
    """Our options and those of Locust that shape the load; never `--host`, which may hold a password."""
    names = [
        "skew",
        "keys",
        "retry",
        "redraw",
        "receipts",
        "think",
        "warmup",
        "seed",
        *(option.name for option in GATE_OPTIONS),
        "expect_violations",
    ]
    names += ["levels", "duration", "repeats"] if is_sweep else ["num_users", "spawn_rate", "run_time"]
    return {name: getattr(options, name, None) for name in names}


def _single_retry(text: str) -> str:
    several = parse_retries(text)
    if len(several) > 1:
        raise UsageError(f"--retry {told(text)}: one policy here; `hotrow sweep` takes several")
    return text


def _levels(options: Namespace) -> tuple[int, ...]:
    return tuple(read_whole("--users", text, least=1) for text in read_list("--users", options.levels))


def _single_level(options: Namespace) -> int:
    return 1 if options.num_users is None else int(options.num_users)


def _duration_s(options: Namespace) -> float:
    seconds = parse_duration_s(options.duration, option="--duration")
    if seconds <= 0:
        raise UsageError("--duration 0: a cell needs time to be measured; give for example 5s")
    return seconds


def _refuse_endless(spawn_rate: float | None) -> None:
    """Locust takes NaN and infinity for rates."""
    if spawn_rate is not None and not 0 < spawn_rate < float("inf"):
        raise UsageError(f"--spawn-rate {spawn_rate}: must be a number of users per second above 0")
