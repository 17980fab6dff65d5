"""Runs a function in a forked process, so that nothing that it imports stays in this one."""

from __future__ import annotations

import multiprocessing
import os
from typing import TYPE_CHECKING, Any, TypeVar

from hotrow.errors import HotrowError, RunError, in_a_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

Value = TypeVar("Value")


def run_apart(function: Callable[[], Value]) -> Value:
    """The value of the function, which must be plain data. What it prints is not shown.

    Raises:
        HotrowError: the function raised one, with the same text and exit code; or it ended its process.
    """
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(function, there))
    process.start()
    there.close()
    try:
        answer: Any = here.recv()
    except EOFError:
        process.join()
        raise RunError(f"a process that was to read the scenario ended with {process.exitcode}") from None
    process.join()
    if isinstance(answer, tuple):
        value: Value = answer[0]
        return value
    raise answer


def _send(function: Callable[[], object], pipe: Connection) -> None:
    for descriptor in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    try:
        pipe.send((function(),))
    except Exception as error:  # noqa: BLE001 - the other process raises it
        fault = in_a_line(error)
        pipe.send(type(fault)(str(fault)) if isinstance(fault, HotrowError) else fault)
