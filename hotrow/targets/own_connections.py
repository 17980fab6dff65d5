"""Notices connections that an application opens by itself, past the one that hotrow gives it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from psycopg import _connection_base

from hotrow.targets import target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@contextmanager
def noticing() -> Iterator[list[str]]:
    """While the block runs, note for each connection of psycopg's that is opened which files opened it.

    Every way to open one goes through one method: `connect`, a pool, another library, in any of psycopg's
    classes. Connections that hotrow opens are left out.
    """
    opened: list[str] = []
    connection_class: Any = _connection_base.BaseConnection
    usual = vars(connection_class)["_connect_gen"]

    def connect(cls: Any, *arguments: Any, **options: Any) -> Any:
        if not _is_ours():
            opened.append("psycopg.connect()")
        return usual.__get__(None, cls)(*arguments, **options)

    connection_class._connect_gen = classmethod(connect)  # noqa: SLF001 - psycopg has no hook for it
    try:
        yield opened
    finally:
        connection_class._connect_gen = usual  # noqa: SLF001 - the same


def _is_ours() -> bool:
    """Whether `Target` is on the stack."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the stack is not to be formatted
    while frame is not None:
        if frame.f_code.co_filename == target.__file__:
            return True
        frame = frame.f_back
    return False
