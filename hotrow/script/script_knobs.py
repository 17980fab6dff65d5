"""The knobs of a scenario that runs scripts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hotrow.knob import Knob

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = r"[^\W\d]\w*"
_NONE = "none"


class Pattern(Knob[str]):
    """A text of a certain form; its value is empty if it is `none`."""

    def __init__(self, meaning: str, form: str, words: str) -> None:
        super().__init__(_NONE, meaning)
        self._form, self._words = re.compile(form), words

    @property
    def allowed(self) -> str:
        """The form in words."""
        return self._words

    def parse(self, text: str) -> str:
        """The text itself, without blanks around it."""
        stripped = text.strip()
        if stripped in {"", _NONE}:
            return ""
        if not self._form.fullmatch(stripped):
            raise self._refuse(text)
        return stripped

    def plain(self, value: str) -> str:
        """The text on the command line."""
        return value or _NONE


KEY = Pattern(
    "variable of the script that --skew draws over --keys",
    rf"{_NAME}(\+{_NAME})*",
    "the name of a variable; several are joined by +",
)
SCHEMA = Pattern(
    "existing schema whose tables the script uses; a run never drops it",
    r"[a-z_][a-z0-9_$]{0,62}",
    "the name of a schema, in small letters",
)
DEFINE = Pattern(
    "variables with values that the script starts with",
    rf"{_NAME}=\S*(\s+{_NAME}=\S*)*",
    "NAME=VALUE; several are separated by blanks",
)


def names_of(key: str) -> tuple[str, ...]:
    """The variables that `--key` names."""
    return tuple(dict.fromkeys(filter(None, key.split("+"))))


def defined(define: str) -> Mapping[str, str]:
    """The variables that `--define` sets."""
    return dict(each.split("=", 1) for each in define.split())
