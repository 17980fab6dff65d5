"""The gates of a run as options: what they are called, what they mean, how their values are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from hotrow.errors import UsageError
from hotrow.units import decimal_number, told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VIOLATIONS_HELP = "exit 0 if a check finds wrong data, and 1 if none does"


@dataclass(frozen=True, slots=True)
class GateOption:
    """One gate that has a limit."""

    flag: str
    meaning: str
    is_share: bool = False
    """Whether the limit is a share from 0 to 1."""
    field: str = ""
    """Of `analysis.gates.Gates`, if it is not called as the option."""

    @property
    def name(self) -> str:
        """As options are called in Python: `max_p99_ms`."""
        return self.flag.removeprefix("--").replace("-", "_")


GATE_OPTIONS = (
    GateOption("--max-conflict-rate", "the most conflicts per attempt, 0 to 1", is_share=True),
    GateOption("--max-give-up-rate", "the most transactions given up, 0 to 1", is_share=True),
    GateOption(
        "--max-error-rate",
        "the most transactions that fail in errors, 0 to 1; by default 0.01, and none in the SQLSTATE "
        "classes 22 and 42; a value of yours is for all classes",
        is_share=True,
    ),
    GateOption("--max-p99-ms", "the highest p99 latency of committed transactions, in ms"),
    GateOption("--min-goodput", "the least committed transactions per second", field="min_goodput_per_s"),
)


def gate_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command of click's every gate, as texts: empty is not given."""
    for option in reversed(GATE_OPTIONS):
        command = click.option(option.flag, default="", help=f"Gate: {option.meaning}.")(command)
    text = f"{VIOLATIONS_HELP[0].upper()}{VIOLATIONS_HELP[1:]}."
    return click.option("--expect-violations", is_flag=True, help=text)(command)


def read_gates(texts: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `analysis.gates.Gates`, from options by name; what is empty or not there is no limit.

    Raises:
        UsageError: a value that is no limit, NaN and infinity among them.
    """
    limits = {
        option.field or option.name: read_limit(option, texts.get(option.name)) for option in GATE_OPTIONS
    }
    return {**limits, "expect_violations": bool(texts.get("expect_violations"))}


def read_limit(option: GateOption, text: object) -> float | None:
    """A limit; None if there is none. Raises UsageError."""
    if text is None or text == "":
        return None
    value = decimal_number(str(text))
    if value is None or value < 0:
        raise UsageError(f"{option.flag} {told(str(text))}: must be a number from 0")
    if option.is_share and value > 1:
        raise UsageError(f"{option.flag} {told(str(text))}: must be a share from 0 to 1")
    return value
