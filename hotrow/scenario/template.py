"""The file that `hotrow new NAME` writes: a scenario that runs at once, for the user to change."""

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
_HOTROW_PACKAGES = frozenset({"hotrow", "scenarios", "locustfiles", "analysis", "reports", "tests"})
_LIBRARIES = frozenset({"locust", "gevent", "psycopg", "numpy"})
"""Packages that a run imports. A file of the same name in the scenario's folder would hide them."""


def write_scenario(name: str, directory: Path) -> Path:
    """Write NAME.py into the directory: a scenario that runs as it is, and its user class for `locust -f`.

    Raises:
        UsageError: the name is not valid for a module or is that of another one; or the file exists already
            or cannot be written.
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
        raise UsageError(f"{path}: exists already; use another name, or remove the file first") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None
    return path


def _check(name: str, stem: str) -> None:
    """Check that `stem` is valid as the name of a module and hides no other module.

    Raises:
        UsageError: it is not valid, or hides another module.
    """
    words = "use a word of small letters, digits and underscores, such as booking"
    plain = stem.isascii() and stem.isidentifier() and stem.islower() and stem.strip("_") == stem
    if not plain or iskeyword(stem):
        raise UsageError(f"{name}: cannot be the name of a scenario's file; {words}")
    if stem in _HOTROW_PACKAGES | _LIBRARIES or stem in sys.stdlib_module_names:
        raise UsageError(f"{name}: {stem} is another module's name, which the file would hide; use another")


def _class_name(stem: str) -> str:
    return "".join(part.capitalize() for part in stem.split("_"))
