"""Texts that an option must not take, by option."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hotrow.run.options import HOST, OUT, PAGE_OUT, SCENARIO, options_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hotrow.run.options import Option, Where

NO_NUMBERS = ("", " ", "nan", "NaN", "inf", "-inf", "-2", "1e400", "x")
"""What Python reads as a number too, and what no option with a number, a duration or a name takes."""
FREE_TEXTS = (HOST, OUT, PAGE_OUT, SCENARIO)
"""Options that take nearly any text; what it names is looked for later."""


def bad_texts(where: Where) -> Iterator[tuple[Option[Any], str]]:
    """Every option of a place that has a value, each with every text that it must not take."""
    for option in options_of(where):
        if not option.is_switch:
            for text in ("", " ") if option in FREE_TEXTS else NO_NUMBERS:
                yield option, text
