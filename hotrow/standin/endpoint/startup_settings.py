"""The parameters that a startup packet sets, and what Aurora DSQL answers to those that it does not have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hotrow.standin.endpoint.wire import WireError
from hotrow.standin.rewriting.refused_settings import may_set, not_supported

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_OPTION = re.compile(r"(?:^|\s)(?:-c\s*|--)([\w.-]+)")
"""A parameter in the text of `options`."""


def check_settings(settings: Mapping[str, str]) -> None:
    """Check that Aurora DSQL lets a session set each of these parameters.

    Raises:
        WireError: it does not.
    """
    for name in _names(settings):
        if not may_set(name):
            refusal = not_supported(name)
            raise WireError(str(refusal), sqlstate=refusal.sqlstate)


def _names(settings: Mapping[str, str]) -> Iterator[str]:
    for name, value in settings.items():
        if name == "options":
            yield from (option.replace("-", "_") for option in _OPTION.findall(value))
        else:
            yield name
