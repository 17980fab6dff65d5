"""Knobs: settings of a scenario, declared once, as class attributes of the scenario.

```
class Counter(Scenario):
    shards = Whole(1, "rows that share the increments of one counter", least=1)
```

A knob is an option of the command line (`--shards 4`; in a sweep a list, `--shards 1,4,16`), a field of
the web form, an entry of each cell in run.json and a name in the report. In the scenario's methods
`self.shards` is its value.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from hotrow.errors import UsageError
from hotrow.units import as_typed, decimal_number, format_duration, parse_duration_s, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Value = TypeVar("Value")
Plain = int | float | str
"""A value in run.json."""

_MAX_WHOLE = 2**31


class Knob(ABC, Generic[Value]):
    """One knob: its default, its meaning and the values it takes. Use one of the classes below."""

    name: str = ""
    """The name of the class attribute; Python sets it when the scenario's class is made."""

    def __init__(self, default: str, meaning: str) -> None:
        self.default = default
        """The default as a text, as on the command line."""
        self.meaning = meaning

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, scenario: None, owner: type) -> Self: ...
    @overload
    def __get__(self, scenario: object, owner: type) -> Value: ...
    def __get__(self, scenario: Any, owner: type) -> Any:
        # Only if the scenario's __init__ did not set it: a value in the instance hides this.
        return self if scenario is None else self.parse(self.default)

    @property
    def flag(self) -> str:
        """Its option: `for_update` is `--for-update`."""
        return "--" + self.name.replace("_", "-")

    @property
    @abstractmethod
    def allowed(self) -> str:
        """The values it takes, in words: `a whole number from 1 to 1000`."""

    @property
    def choices(self) -> Sequence[str]:
        """All values, if there are few: the web form shows them as a drop-down list."""
        return ()

    @abstractmethod
    def parse(self, text: str) -> Value:
        """The value of a text. Raises UsageError, which names the option and what is allowed."""

    def read(self, value: object) -> Value:
        """The value of a text, a number or an entry of run.json. Raises as `parse`."""
        return self.parse(str(value))

    def plain(self, value: Value) -> Plain:
        """The value as in run.json and on the command line."""
        assert isinstance(value, int | float | str)  # noqa: S101 - a knob of another kind overrides this
        return value

    def _refuse(self, text: str) -> UsageError:
        return UsageError(f"{self.flag} {as_typed(text)}: must be {self.allowed}")


class Whole(Knob[int]):
    """A whole number."""

    def __init__(self, default: int, meaning: str, *, least: int = 0, most: int = _MAX_WHOLE) -> None:
        super().__init__(str(default), meaning)
        self._least, self._most = least, most

    @property
    def allowed(self) -> str:
        """Its range."""
        return f"a whole number from {self._least}" + (
            "" if self._most == _MAX_WHOLE else f" to {self._most}"
        )

    def parse(self, text: str) -> int:
        """Digits."""
        value = whole_number(text)
        if value is None or not self._least <= value <= self._most:
            raise self._refuse(text)
        return value


class Share(Knob[float]):
    """A number from 0 to 1."""

    def __init__(self, default: float, meaning: str) -> None:
        super().__init__(str(default), meaning)

    @property
    def allowed(self) -> str:
        """Its range."""
        return "a share from 0 to 1"

    def parse(self, text: str) -> float:
        """A decimal number, with or without an exponent."""
        value = decimal_number(text)
        if value is None or not 0 <= value <= 1:
            raise self._refuse(text)
        return value


class Choice(Knob[str]):
    """One of a few words."""

    def __init__(self, default: str, meaning: str, choices: Sequence[str]) -> None:
        super().__init__(default, meaning)
        self._choices = tuple(choices)

    @property
    def allowed(self) -> str:
        """The words."""
        return " or ".join(self._choices)

    @property
    def choices(self) -> Sequence[str]:
        """The words."""
        return self._choices

    def parse(self, text: str) -> str:
        """One of the words."""
        if text not in self._choices:
            raise self._refuse(text)
        return text


class Switch(Knob[bool]):
    """On or off."""

    def __init__(self, meaning: str, *, default: bool = False) -> None:
        super().__init__(_ON_OFF[default], meaning)

    @property
    def allowed(self) -> str:
        """The two words."""
        return "on or off"

    @property
    def choices(self) -> Sequence[str]:
        """The two words."""
        return ("off", "on")

    def parse(self, text: str) -> bool:
        """`on` or `off`."""
        if text not in self.choices:
            raise self._refuse(text)
        return text == "on"

    def read(self, value: object) -> bool:
        """The value of a word or a bool."""
        return value if isinstance(value, bool) else self.parse(str(value))

    def plain(self, value: bool) -> Plain:
        """The text on the command line."""
        return _ON_OFF[value]


class Duration(Knob[float]):
    """A span of time; its value is in seconds."""

    @property
    def allowed(self) -> str:
        """Its spelling."""
        return "a number and a unit, such as 50ms"

    def parse(self, text: str) -> float:
        """Such as `50ms`."""
        return parse_duration_s(text, option=self.flag)

    def plain(self, value: float) -> Plain:
        """The text on the command line."""
        return format_duration(value)


_ON_OFF = {True: "on", False: "off"}


def knobs_of(kind: type) -> Mapping[str, Knob[Any]]:
    """The knobs of a scenario's class by name, those of its bases first."""
    return {
        name: knob
        for owner in reversed(kind.__mro__)
        for name, knob in vars(owner).items()
        if isinstance(knob, Knob)
    }
