"""What a JSON value from a file must look like before anything is made of it, as values that are composed.

A shape is asked about a value and answers with what is wrong with it, in words, or with None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Shape = Callable[[Any], str | None]

WHOLE_MAX = 2**63 - 1
_TEXT_MAX = 100_000
_SHOWN = 40


def whole(least: int = 0, most: int = WHOLE_MAX) -> Shape:
    """A whole number from `least` to `most`."""

    def fault(value: Any) -> str | None:
        fits = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return None if fits else _is_not(value, f"a whole number from {least} to {most}")

    return fault


def number(least: float = 0.0, most: float = 1e18) -> Shape:
    """Any number from `least` to `most`."""

    def fault(value: Any) -> str | None:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
        return None if fits else _is_not(value, f"a number from {least:g} to {most:g}")

    return fault


def text(value: Any) -> str | None:
    """A text of bounded length."""
    return None if isinstance(value, str) and len(value) <= _TEXT_MAX else _is_not(value, "a text")


def flag(value: Any) -> str | None:
    """True or false."""
    return None if isinstance(value, bool) else _is_not(value, "true or false")


def anything(value: Any) -> str | None:  # noqa: ARG001 - a shape takes a value
    """Whatever JSON can say."""
    return None


def plain(value: Any) -> str | None:
    """One value: neither a list nor an object."""
    return _is_not(value, "a single value") if isinstance(value, list | dict) else None


def one_of(*words: str) -> Shape:
    """One of a few words."""

    def fault(value: Any) -> str | None:
        return None if isinstance(value, str) and value in words else _is_not(value, " or ".join(words))

    return fault


def maybe(shape: Shape) -> Shape:
    """The same, or null."""
    return lambda value: None if value is None else shape(value)


def spelled(meaning: str, is_right: Callable[[str], bool]) -> Shape:
    """A text that is spelled right."""

    def fault(value: Any) -> str | None:
        fits = text(value) is None and is_right(value)
        return None if fits else _is_not(value, meaning)

    return fault


def list_of(shape: Shape, most: int = 100_000) -> Shape:
    """A list of at most so many values of one shape."""

    def fault(value: Any) -> str | None:
        if not isinstance(value, list) or len(value) > most:
            return _is_not(value, f"a list of at most {most}")
        found = ((f"[{place}]", shape(each)) for place, each in enumerate(value))
        return _first(found)

    return fault


def map_of(shape: Shape) -> Shape:
    """An object whose values are of one shape."""

    def fault(value: Any) -> str | None:
        if not isinstance(value, dict):
            return _is_not(value, "an object")
        return _first((name[:_SHOWN], shape(each)) for name, each in value.items())

    return fault


def record(required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    """An object with these fields; those that nobody asks for are let pass."""
    fields = {**required, **(optional or {})}

    def fault(value: Any) -> str | None:
        if not isinstance(value, dict):
            return _is_not(value, "an object")
        missing = [name for name in required if name not in value]
        if missing:
            return f"{missing[0]} is missing"
        return _first((name, shape(value[name])) for name, shape in fields.items() if name in value)

    return fault


def _first(faults: Iterable[tuple[str, str | None]]) -> str | None:
    """The first of (place, fault) that is one, with its place before it."""
    for place, fault in faults:
        if fault is not None:
            joint = "" if fault.startswith(("[", " ")) else "."
            return f"{place}{joint}{fault}"
    return None


def _is_not(value: Any, meaning: str) -> str:
    shown = repr(value)[: _SHOWN + 1] if not isinstance(value, list | dict) else type(value).__name__
    return f" is {shown[:_SHOWN]}{'…' if len(shown) > _SHOWN else ''}, which is not {meaning}"
