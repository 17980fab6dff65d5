"""Gates for some cells only: the `[[gate]]` tables of a TOML file, as values.

```
[[gate]]
skew = "hot"
users = [16, 32]
max_conflict_rate = 0.95

[[gate]]
kind = "read"
max_p99_ms = 20
```

A table has limits, named as the options are, and selects cells by skew, users, keys, retry policy and knobs.
`kind` selects one kind of transaction. run.json keeps the tables in the same form.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotrow.attempt.retry import parse_retries
from hotrow.errors import UsageError, in_print
from hotrow.keys.skew import parse_skew
from hotrow.units import as_typed, read_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Cell = Mapping[str, Any]
    """A cell, as in run.json or summary.json."""
    Readers = Mapping[str, Callable[[str, str], float]]
    """By name of a limit, such as `max_p99_ms`: its reader, which takes the place and the text."""

MAX_RULES = 1_000
_MAX_BYTES = 2**20
_KIND = "kind"
_TABLE = "gate"


@dataclass(frozen=True, slots=True)
class Rule:
    """Limits for the cells that it selects."""

    number: int
    """Which table of the file it is, from 1."""
    limits: Mapping[str, float]
    """By name, such as `max_p99_ms`."""
    select: Mapping[str, tuple[Any, ...]]
    """By name of a setting or of a knob: the values of which a cell must have one."""
    kind: str | None = None
    """The kind of transaction that the limits are for; None if they are for all kinds together."""

    def matches(self, cell: Cell) -> bool:
        """Whether the limits are for this cell."""
        return all(_has(cell, name, values) for name, values in self.select.items())

    def as_json(self) -> dict[str, Any]:
        """The table as in run.json."""
        kind = {} if self.kind is None else {_KIND: self.kind}
        return {**{name: list(values) for name, values in self.select.items()}, **kind, **self.limits}


def read_rules(flag: str, path: str, limits: Readers) -> tuple[Rule, ...]:
    """The tables of a file.

    Raises:
        UsageError: the file cannot be read, is no TOML, or has a table that is not valid; one line.
    """
    place = f"{flag} {as_typed(path)}"
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no path of a file"
        raise UsageError(f"{place}: cannot be read ({reason})") from None
    if len(content) > _MAX_BYTES:
        raise UsageError(f"{place}: has more than {_MAX_BYTES // 1024} KiB; it must be a short TOML file")
    try:
        tables = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{place}: is no TOML: {in_print(str(error))}") from None
    strange = sorted(set(tables) - {_TABLE})
    if strange:
        raise UsageError(f"{place}: {as_typed(strange[0])} is unknown; write each gate as a table [[gate]]")
    return parse_rules(place, tables.get(_TABLE), limits)


def parse_rules(place: str, tables: object, limits: Readers) -> tuple[Rule, ...]:
    """The tables as rules; `place` begins the message of an error.

    Raises:
        UsageError: there is none, or one is not valid.
    """
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{place}: has no gate; write each gate as a table [[gate]]")
    if len(tables) > MAX_RULES:
        raise UsageError(f"{place}: has {len(tables)} gates; at most {MAX_RULES} are allowed")
    return tuple(_rule(place, number, table, limits) for number, table in enumerate(tables, start=1))


def refuse_idle(place: str, rules: Iterable[Rule], cells: Sequence[Cell], kinds: Sequence[str]) -> None:
    """Check that every rule matches a cell of a run, whose transactions are of these kinds.

    Raises:
        UsageError: a rule matches none; the message has the values that the cells have.
    """
    for rule in rules:
        here = f"{place}: gate {rule.number}"
        if rule.kind is not None and (rule.kind not in kinds or len(kinds) == 1):
            has = f"the kinds are {', '.join(kinds)}" if len(kinds) > 1 else "there is one kind; leave it out"
            raise UsageError(f"{here}: matches no transaction of kind {as_typed(rule.kind)}: {has}")
        if not any(map(rule.matches, cells)):
            raise UsageError(f"{here}: matches no cell: {_mismatch(rule, cells)}")


def _mismatch(rule: Rule, cells: Sequence[Cell]) -> str:
    """Why a rule matches no cell."""
    for name, values in rule.select.items():
        if not any(_has(cell, name, values) for cell in cells):
            found = dict.fromkeys(str(_value(cell, name)) for cell in cells if _value(cell, name) is not None)
            if not found:
                return f"{name} is no limit, no setting and no knob of the scenario"
            return f"no cell has {name} {_joined(values)}; the cells have {_joined(found)}"
    return f"no cell has all of {', '.join(f'{name} {_joined(each)}' for name, each in rule.select.items())}"


def _joined(values: Iterable[Any]) -> str:
    texts = [as_typed(str(value)) for value in values]
    return " or ".join(texts[:10]) + (" or …" if len(texts) > 10 else "")  # noqa: PLR2004 - a line


def _value(cell: Cell, name: str) -> Any:
    """A setting of a cell, or a knob; None if it has neither."""
    return cell.get(name) if name in _SETTINGS else (cell.get("knobs") or {}).get(name)


def _has(cell: Cell, name: str, values: Sequence[Any]) -> bool:
    value = _value(cell, name)
    return value is not None and any(value == wanted or str(value) == str(wanted) for wanted in values)


def _rule(place: str, number: int, table: Mapping[str, Any], limits: Readers) -> Rule:
    here = f"{place}: gate {number}"
    kind = table.get(_KIND)
    if kind is not None and not isinstance(kind, str):
        raise UsageError(f"{here}: kind {as_typed(str(kind))}: must be a text")
    rule = Rule(
        number=number,
        limits={
            name: limits[name](f"{here}: {name}", str(value))
            for name, value in table.items()
            if name in limits
        },
        select={
            name: _values(here, name, value)
            for name, value in table.items()
            if name not in limits and name != _KIND
        },
        kind=kind,
    )
    if not rule.limits:
        raise UsageError(f"{here}: has no limit; write one of {', '.join(limits)}")
    return rule


def _values(here: str, name: str, value: object) -> tuple[Any, ...]:
    """The values that select cells: one, or a list of them."""
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(each, str | int | float) for each in values):
        raise UsageError(f"{here}: {in_print(name)}: must be a value or a list of values")
    read = _SETTINGS.get(name, _knob)
    try:
        return tuple(part for each in values for part in read(name, each))
    except UsageError as error:
        raise UsageError(f"{here}: {error}") from None


def _skew(_: str, value: object) -> tuple[str, ...]:
    """The skew as in run.json, which also has the digest of a file."""
    text = str(value)
    try:
        return (parse_skew(text).spec,)
    except UsageError:
        if text.startswith("file:"):
            return (text,)  # from run.json: the file itself may be gone
        raise


def _retry(_: str, value: object) -> tuple[str, ...]:
    return tuple(policy.spec for policy in parse_retries(str(value)))


def _whole(name: str, value: object) -> tuple[int, ...]:
    return (read_whole(name, value, least=1),)


def _knob(_: str, value: object) -> tuple[Any, ...]:
    """The value as in run.json, which has `on` and `off` for a switch."""
    return (("on" if value else "off"),) if isinstance(value, bool) else (value,)


_SETTINGS: Mapping[str, Callable[[str, object], tuple[Any, ...]]] = {
    "skew": _skew,
    "users": _whole,
    "keys": _whole,
    "retry": _retry,
}
"""By name of a setting of a cell: what reads a value of it."""
