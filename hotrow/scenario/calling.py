"""Calls of the methods of a scenario, which are the user's code.

An error that a method raises is reported in one line. A return value is checked before it is used. No method
can end the program.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from hotrow.errors import LEAVING, HotrowError, Rejected, UsageError, line_in, one_line
from hotrow.keys import MAX_KEYS
from hotrow.keys.spaces import MAX_SPACES, SpaceSize
from hotrow.knob import knobs_of
from hotrow.scenario.contract import Work
from hotrow.scenario.slow import warn_while_slow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hotrow.scenario.contract import Keys, Scenario

_SPACE_NAME = re.compile("[a-z][a-z0-9_]*")


def describe_error(scenario_type: type[Scenario], error: BaseException) -> str:
    """An error of a scenario's code in one line, with the last line of its file that the error passed."""
    file = getattr(sys.modules.get(scenario_type.__module__), "__file__", None)
    text = one_line(error)
    line = None if file is None else line_in(file, error)
    return text if line is None else f"{text} ({file}, line {line})"


def method_error(scenario: Scenario, method: str, error: BaseException) -> UsageError:
    """The error to raise if a method of the scenario raised an error that is not one of hotrow's."""
    return UsageError(f"cannot run {scenario.name}: {method}(): {describe_error(type(scenario), error)}")


@contextmanager
def method_errors(scenario: Scenario, method: str) -> Iterator[None]:
    """Turn every error of a scenario's method into one of hotrow's own errors.

    Raises:
        UsageError: the method raised another error, or tried to end the program. The message says why and in
            which line.
    """
    try:
        yield
    except Rejected as error:
        raise method_error(scenario, method, error) from error
    except HotrowError:
        raise
    except (Exception, *LEAVING) as error:
        raise method_error(scenario, method, error) from error


def make_scenario(scenario_type: type[Scenario], knobs: Mapping[str, object]) -> Scenario:
    """A scenario with these values of its knobs.

    Raises:
        UsageError: the scenario has no such knob or the knob no such value; or the scenario's own `__init__`
            raised an error or did not set the knobs.
    """
    try:
        scenario = scenario_type(**knobs)
        knobs_set = scenario.knobs
    except HotrowError:
        raise
    except (Exception, *LEAVING) as error:
        text = describe_error(scenario_type, error)
        raise UsageError(f"cannot run {scenario_type.name}: __init__(): {text}") from error
    knobs_wanted = {
        name: knob.plain(knob.read(knobs[name]))
        for name, knob in knobs_of(scenario_type).items()
        if name in knobs
    }
    if not knobs_wanted.items() <= knobs_set.items():
        raise UsageError(
            f"cannot run {scenario_type.name}: __init__() does not set the knobs;"
            " call super().__init__(**knobs)"
        )
    return scenario


def positive_number(scenario: Scenario, name: str) -> int:
    """The scenario's property of this name: `keys_per_transaction` or `rows_per_key`.

    Raises:
        UsageError: the property raised an error, with file and line; or it is not a whole number of at least
            1.
    """
    with method_errors(scenario, name):
        value: Any = getattr(scenario, name)
    if not _is_whole(value) or value < 1:
        raise UsageError(
            f"cannot run {scenario.name}: {name} is {value!r}; return a whole number of at least 1"
        )
    return int(value)


def key_spaces(scenario: Scenario, keys: int) -> tuple[SpaceSize, ...]:
    """The key spaces that the scenario declares, with `keys` keys where it says None.

    Raises:
        UsageError: `spaces` or `keys_per_space` raised an error or is not valid.
    """
    with method_errors(scenario, "spaces"):
        sizes: Any = scenario.spaces
    with method_errors(scenario, "keys_per_space"):
        drawn: Any = scenario.keys_per_space
    fault = next(_faults_of_spaces(sizes, drawn), None)
    if fault is not None:
        raise UsageError(f"cannot run {scenario.name}: {fault}")
    return tuple(
        SpaceSize(name, keys if size is None else int(size), int(drawn[name])) for name, size in sizes.items()
    )


def _faults_of_spaces(sizes: Any, drawn: Any) -> Iterator[str]:
    """What is not valid about the key spaces of a scenario, in words."""
    if not isinstance(sizes, Mapping):
        yield f"spaces is a {type(sizes).__name__}; use a dict such as {{'account': None, 'branch': 10}}"
        return
    if len(sizes) > MAX_SPACES:
        yield f"spaces has {len(sizes)} names; the most is {MAX_SPACES}"
    for name, size in sizes.items():
        if not isinstance(name, str) or not _SPACE_NAME.fullmatch(name):
            yield f"spaces has the name {name!r}; use small letters, digits and underscores"
        if size is not None and not (_is_whole(size) and 1 <= size <= MAX_KEYS):
            yield f"spaces: {name} has {size!r} keys; use None for --keys, or a whole number of at least 1"
    if not isinstance(drawn, Mapping) or set(drawn) != set(sizes):
        yield f"keys_per_space is {drawn!r}; name each of the spaces"
    elif not all(_is_whole(count) and count >= 1 for count in drawn.values()):
        yield f"keys_per_space is {dict(drawn)!r}; use whole numbers of at least 1"


def statements(scenario: Scenario, method: str, *arguments: int) -> list[str]:
    """The SQL statements that the scenario's `tables`, `seed` or `reset` returns.

    Raises:
        UsageError: the method raised an error, with file and line; or it did not return a list of texts.
    """
    with method_errors(scenario, method), warn_while_slow(scenario, f"{method}()"):
        texts: Any = getattr(scenario, method)(*arguments)
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise UsageError(f"cannot run {scenario.name}: {method}() must return a list of SQL statements")
    return list(texts)


def draw_checked(scenario: Scenario, keys: Keys, rng: np.random.Generator) -> Work:
    """The work that the scenario's `draw` returns, checked.

    Raises:
        UsageError: `draw` raised an error, with file and line; or it returned something that is not valid.
    """
    with method_errors(scenario, "draw"):
        work: Any = scenario.draw(keys, rng)
    return _checked(scenario, "draw", keys, work)


def follow_checked(scenario: Scenario, keys: Keys) -> Work | None:
    """The work that the scenario's `follow` returns, checked; None if nothing follows.

    Raises:
        UsageError: as `draw_checked`.
    """
    with method_errors(scenario, "follow"):
        work: Any = scenario.follow()
    return None if work is None else _checked(scenario, "follow", keys, work)


def _checked(scenario: Scenario, method: str, keys: Keys, work: Any) -> Work:
    fault = next(_faults(scenario, keys.count, work), None)
    if fault is not None:
        raise UsageError(f"cannot run {scenario.name}: {method}(): {fault}")
    return Work(tuple(work.parameters), tuple(map(int, work.writes)), int(work.kind), float(work.pause_s))


def _faults(scenario: Scenario, keys: int, work: Any) -> Iterator[str]:
    """What is not valid about the value that `draw` returned, in words."""
    if not isinstance(work, Work):
        yield f"returned a {type(work).__name__}; return hotrow.scenario.Work"
        return
    if not isinstance(work.parameters, tuple | list):
        yield f"parameters is a {type(work.parameters).__name__}; return a tuple, which a retry can use again"
    if not isinstance(work.writes, tuple | list):
        yield f"writes is a {type(work.writes).__name__}; return a tuple of key ids"
        return
    yield from _faults_of_keys(work.writes, keys)
    kinds = max(len(scenario.kinds), 1)
    if not (_is_whole(work.kind) and 0 <= work.kind < kinds):
        names = ", ".join(scenario.kinds) or "it has none, so the index must be 0"
        yield f"kind is {work.kind!r}; it must be the index of one of the scenario's kinds ({names})"
    if not isinstance(work.pause_s, int | float) or not 0 <= work.pause_s < math.inf:
        yield f"pause_s is {work.pause_s!r}; it must be a number of seconds"


def _faults_of_keys(writes: Iterable[Any], keys: int) -> Iterator[str]:
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
