"""Shapes: composable checks of JSON values that were read from a file.

A shape takes a value and returns what is wrong with it, in words, or None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Shape = Callable[[Any], str | None]

MAX_WHOLE = 2**63 - 1
_MAX_TEXT = 100_000
_MAX_SHOWN = 40


def whole(least: int = 0, most: int = MAX_WHOLE) -> Shape:
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
    """A text of at most 100,000 characters."""
    return None if isinstance(value, str) and len(value) <= _MAX_TEXT else _is_not(value, "a text")


def flag(value: Any) -> str | None:
    """True or false."""
    return None if isinstance(value, bool) else _is_not(value, "true or false")


def anything(value: Any) -> str | None:  # noqa: ARG001 - a shape takes a value
    """Any JSON value."""
    return None


def plain(value: Any) -> str | None:
    """A single value: neither a list nor an object."""
    return _is_not(value, "a single value") if isinstance(value, list | dict) else None


def one_of(*words: str) -> Shape:
    """One of a few words."""

    def fault(value: Any) -> str | None:
        return None if isinstance(value, str) and value in words else _is_not(value, " or ".join(words))

    return fault


def maybe(shape: Shape) -> Shape:
    """A value of this shape, or null."""
    return lambda value: None if value is None else shape(value)


def spelled(meaning: str, is_right: Callable[[str], bool]) -> Shape:
    """A text that `is_right` accepts; `meaning` names it in the fault."""

    def fault(value: Any) -> str | None:
        fits = text(value) is None and is_right(value)
        return None if fits else _is_not(value, meaning)

    return fault


def list_of(shape: Shape, most: int = 100_000) -> Shape:
    """A list of at most `most` values of one shape."""

    def fault(value: Any) -> str | None:
        if not isinstance(value, list) or len(value) > most:
            return _is_not(value, f"a list of at most {most}")
        return _first((f"[{index}]", shape(item)) for index, item in enumerate(value))

    return fault


def map_of(shape: Shape) -> Shape:
    """An object whose values are of one shape."""

    def fault(value: Any) -> str | None:
        if not isinstance(value, dict):
            return _is_not(value, "an object")
        return _first((name[:_MAX_SHOWN], shape(item)) for name, item in value.items())

    return fault


def record(required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    """An object with these fields. Other fields are accepted."""
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
    """The first fault, with its path before it; `faults` are (path, fault or None)."""
    for path, fault in faults:
        if fault is not None:
            joint = "" if fault.startswith(("[", " ")) else "."
            return f"{path}{joint}{fault}"
    return None


def _is_not(value: Any, meaning: str) -> str:
    shown = repr(value)[: _MAX_SHOWN + 1] if not isinstance(value, list | dict) else type(value).__name__
    return f" is {shown[:_MAX_SHOWN]}{'…' if len(shown) > _MAX_SHOWN else ''}, which is not {meaning}"
