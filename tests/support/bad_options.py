"""Texts that each option must refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hotrow.run.options import HOST, OUT, PAGE_OUT, SCENARIO, options_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hotrow.run.options import Option, Where

NO_NUMBERS = ("", " ", "nan", "NaN", "inf", "-inf", "-2", "1e400", "x")
"""Texts that every option with a number, a duration or a name refuses; Python reads some as numbers."""
FREE_TEXTS = (HOST, OUT, PAGE_OUT, SCENARIO)
"""Options that accept nearly any text; whether the named thing exists is checked later."""


def bad_texts(where: Where) -> Iterator[tuple[Option[Any], str]]:
    """Pairs of an option at `where` that takes a value and a text it must refuse."""
    for option in options_of(where):
        if not option.is_switch:
            for text in ("", " ") if option in FREE_TEXTS else NO_NUMBERS:
                yield option, text
