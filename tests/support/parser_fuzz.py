"""Random texts for the parsers of the command line: valid ones, typing errors and nonsense. Seeded."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from hotrow.errors import UsageError
from hotrow.keys.skew import parse_skews
from hotrow.knob import Choice, Duration, Knob, Share, Switch, Whole
from hotrow.run.options import GATES, RETRY, SEED, SKEW, THINK, USERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random
    from typing import Any

LINE_MAX = 1000


class Parser(NamedTuple):
    """A parser, and texts that it accepts."""

    parse: Callable[[str], object]
    right: tuple[str, ...]


def _named(knob: Knob[Any]) -> Knob[Any]:
    knob.name = "some_knob"
    return knob


PARSERS: Mapping[str, Parser] = MappingProxyType(
    {
        "skew": Parser(
            lambda text: [skew.table(100) for skew in parse_skews(SKEW.read_in_sweep(text))],
            ("uniform", "zipf:0.99", "hot,hot:3", "hotspot:0.2:0.8", "latest:1e0", "file:nowhere.csv"),
        ),
        "retry": Parser(
            RETRY.read_in_sweep,
            ("none", "full-jitter:base=10ms,cap=1s,max=10", "budget:ratio=0.2,burst=10", "fixed,immediate"),
        ),
        "duration": Parser(THINK.read, ("10ms", "1.5s", "0", ".5h", "90m", "7us")),
        "users": Parser(USERS.read, ("1,2,4", "16", "1_000")),
        "whole": Parser(SEED.read, ("0", "10000", "9223372036854775807")),
        "limit": Parser(lambda text: [option.read(text) for option in GATES.values()], ("0.1", "1", "2e-3")),
        "whole knob": Parser(_named(Whole(1, "", least=1, most=3000)).read, ("1", "3000")),
        "share knob": Parser(_named(Share(0.5, "")).read, ("0", "0.25", "1e-3", ".5")),
        "duration knob": Parser(_named(Duration("1s", "")).read, ("50ms", "2m")),
        "choice knob": Parser(_named(Choice("a", "", ("a", "b"))).read, ("a", "b")),
        "switch knob": Parser(_named(Switch("")).read, ("on", "off")),
    }
)
_PIECES = (
    *(
        "",
        " ",
        ",",
        ":",
        "=",
        "#",
        "/",
        ".",
        "-",
        "+",
        "_",
        "e",
        "ms",
        "s",
        "base=",
        "max=",
        "file:",
        "zipf:",
    ),
    *("0", "9", "1e400", "nan", "inf", "-0", "0x10", "1_0", "\u0663", "\u00b2", "\u2007", "\uff11", "NaN"),
    *("\0", "\n", "\r", "\t", "\x1b[31m", "\ud800", "\U0001f600", "\u202e", "%s", "{}", "'", '"', "\\"),
)
_MANY = (10, 100, 5_000)


def text_for(parser: Parser, rng: Random, *, huge: int = 0) -> str:
    """A random text to try. If `huge` is not 0, a valid text with one piece repeated `huge` times."""
    if huge:
        return rng.choice(parser.right) + rng.choice((*_PIECES[1:], *parser.right)) * huge
    text = rng.choice((*parser.right, ""))
    for _ in range(rng.randrange(4)):
        place, piece = rng.randrange(len(text) + 1), rng.choice(_PIECES)
        piece *= rng.choice((1, 1, 1, 1, 1, 1, 1, 1, rng.choice(_MANY)))
        text = text[:place] + piece + text[place + rng.randrange(3) :]
    return text


def refused(parser: Parser, text: str) -> bool:
    """Whether the parser refuses a text. The message must be one short printable line."""
    try:
        parser.parse(text)
    except UsageError as error:
        line = str(error)
        assert "\n" not in line, line
        assert len(line) <= LINE_MAX, line[:LINE_MAX]
        assert line.isprintable(), ascii(line)
        return True
    return False
