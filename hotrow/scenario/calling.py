"""Calls of a scenario's methods.

What they raise is told in one line, what they return that cannot be is never believed, and none of them ends
the program.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from hotrow.errors import LEAVING, HotrowError, Rejected, UsageError, line_in, one_line
from hotrow.knob import knobs_of
from hotrow.scenario.contract import Work
from hotrow.scenario.slow import said_while_slow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hotrow.scenario.contract import Keys, Scenario


def told(kind: type[Scenario], error: BaseException) -> str:
    """An error of the scenario's code in one line, with the last of its file's lines that it went through."""
    own = getattr(sys.modules.get(kind.__module__), "__file__", None)
    text = one_line(error)
    line = None if own is None else line_in(own, error)
    return text if line is None else f"{text} ({own}, line {line})"


def blame(scenario: Scenario, method: str, error: BaseException) -> UsageError:
    """What to raise where a method of the scenario raised what is not hotrow's own."""
    return UsageError(f"cannot run {scenario.name}: {method}(): {told(type(scenario), error)}")


@contextmanager
def blaming(scenario: Scenario, method: str) -> Iterator[None]:
    """Have a method of the scenario raise nothing but hotrow's own errors.

    Raises:
        UsageError: it raised another, or wanted to leave the program; one line says why and where.
    """
    try:
        yield
    except Rejected as error:
        raise blame(scenario, method, error) from error
    except HotrowError:
        raise
    except (Exception, *LEAVING) as error:
        raise blame(scenario, method, error) from error


def made(kind: type[Scenario], knobs: Mapping[str, object]) -> Scenario:
    """A scenario of this kind with its knobs turned.

    Raises:
        UsageError: a knob or a value that it does not have; or an `__init__` of its own that raised, or that
            does not turn the knobs.
    """
    try:
        scenario = kind(**knobs)
        stands = scenario.knobs
    except HotrowError:
        raise
    except (Exception, *LEAVING) as error:
        raise UsageError(f"cannot run {kind.name}: __init__(): {told(kind, error)}") from error
    wanted = {
        name: knob.plain(knob.read(knobs[name])) for name, knob in knobs_of(kind).items() if name in knobs
    }
    if not wanted.items() <= stands.items():
        raise UsageError(f"cannot run {kind.name}: __init__() turns no knobs; call super().__init__(**knobs)")
    return scenario


def whole(scenario: Scenario, number: str) -> int:
    """`keys_per_transaction` or `rows_per_key` of the scenario.

    Raises:
        UsageError: it raised, with file and line; or is no whole number from 1 up.
    """
    with blaming(scenario, number):
        value: Any = getattr(scenario, number)
    if not _is_whole(value) or value < 1:
        raise UsageError(f"cannot run {scenario.name}: {number} is {value!r}; give a whole number from 1 up")
    return int(value)


def statements(scenario: Scenario, method: str, *given: int) -> list[str]:
    """What the scenario's `tables` or `seed` returned.

    Raises:
        UsageError: it raised, with file and line; or returned something else than a sequence of texts.
    """
    with blaming(scenario, method), said_while_slow(scenario, f"{method}()"):
        texts: Any = getattr(scenario, method)(*given)
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise UsageError(f"cannot run {scenario.name}: {method}() must return a list of SQL statements")
    return list(texts)


def draw_checked(scenario: Scenario, keys: Keys, rng: np.random.Generator) -> Work:
    """What `draw` draws.

    Raises:
        UsageError: it raised, with file and line; or it drew what cannot be.
    """
    with blaming(scenario, "draw"):
        work: Any = scenario.draw(keys, rng)
    wrong = next(_wrong(scenario, keys.count, work), None)
    if wrong is not None:
        raise UsageError(f"cannot run {scenario.name}: draw(): {wrong}")
    return Work(tuple(work.parameters), tuple(map(int, work.writes)), int(work.kind))


def _wrong(scenario: Scenario, keys: int, work: Any) -> Iterator[str]:
    """What cannot be about a drawn work, in words."""
    if not isinstance(work, Work):
        yield f"returned a {type(work).__name__}; return hotrow.scenario.Work"
        return
    if not isinstance(work.parameters, tuple | list):
        yield f"parameters is a {type(work.parameters).__name__}; give a tuple, which a retry can repeat"
    if not isinstance(work.writes, tuple | list):
        yield f"writes is a {type(work.writes).__name__}; give a tuple of key ids"
        return
    yield from _wrong_keys(work.writes, keys)
    kinds = max(len(scenario.kinds), 1)
    if not (_is_whole(work.kind) and 0 <= work.kind < kinds):
        named = ", ".join(scenario.kinds) or "none, so it is 0"
        yield f"kind is {work.kind!r}; it is the place of one of the scenario's kinds ({named})"


def _wrong_keys(writes: Iterable[Any], keys: int) -> Iterator[str]:
    seen = set()
    for key in writes:
        if not _is_whole(key) or not 0 <= key < keys:
            yield f"writes holds {key!r}; a key id is a whole number from 0 to {keys - 1}"
            return
        if key in seen:
            yield f"writes holds {key} twice; name each key once"
        seen.add(key)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
