"""A scenario of one's own to begin with: `hotrow new NAME` writes it, and it runs at once."""

from __future__ import annotations

import sys
from importlib.resources import files
from keyword import iskeyword
from string import Template
from typing import TYPE_CHECKING

from hotrow.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

_TEMPLATE = "templates/scenario.py.txt"
_OURS = frozenset({"hotrow", "scenarios", "locustfiles", "analysis", "reports", "tests"})
_DRIVING = frozenset({"locust", "gevent", "psycopg", "numpy"})
"""What the file itself, or those who load it, import: beside it in its folder it would hide them."""


def write_scenario(name: str, directory: Path) -> Path:
    """Write NAME.py into the directory: a scenario that can be run as it is, and its user for `locust -f`.

    Raises:
        UsageError: the name cannot be a module's or is another's, or the file is there or cannot be written.
    """
    stem = name.removesuffix(".py").replace("-", "_")
    _check(name, stem)
    path = directory / f"{stem}.py"
    text = Template(files("hotrow.scenario").joinpath(_TEMPLATE).read_text(encoding="utf-8")).substitute(
        stem=stem.replace("_", "-"), name=_class_name(stem), file=path.name
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path}: is there already; give another name, or remove it first") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None
    return path


def _check(name: str, stem: str) -> None:
    """Refuse what cannot be a module's name, or would hide another module.

    Raises:
        UsageError: so it is.
    """
    words = "use a word of small letters, digits and underscores, such as booking"
    plain = stem.isascii() and stem.isidentifier() and stem.islower() and stem.strip("_") == stem
    if not plain or iskeyword(stem):
        raise UsageError(f"{name}: cannot be the name of a scenario's file; {words}")
    if stem in _OURS | _DRIVING or stem in sys.stdlib_module_names:
        raise UsageError(f"{name}: {stem} is another module's name, which the file would hide; use another")


def _class_name(stem: str) -> str:
    return "".join(part.capitalize() for part in stem.split("_"))
