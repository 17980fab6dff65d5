"""A number on the command line that is one: NaN compares with nothing, and infinity is no amount."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click import Context, Parameter


class Finite(click.FloatRange):
    """click's range of numbers, without NaN and infinity, which Python reads as numbers too."""

    name = "number"

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> Any:
        """The number. Raises click's usage error."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number
