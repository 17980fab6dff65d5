"""How `hotrow local faults` reaches the running endpoint: a Unix socket in its folder, the caller's own.

One line of JSON each way: `{"faults": {…}}` sets them, `{}` only asks; the answer is the faults in force and
how often each has fired since they were set. No key or token is ever said here.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import tempfile
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotrow.errors import HotrowError, TargetError
from hotrow.standin.endpoint.faults import Fault, Faults, read_faults

if TYPE_CHECKING:
    from hotrow.standin.endpoint.injection import Injection

_LINE_BYTES_MAX = 65_536
_TIMEOUT_S = 10
_SOCKET_PATH_BYTES_MAX = 100
"""macOS takes 104 bytes with the closing zero, Linux 108."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an endpoint answers."""

    faults: Faults
    fired: dict[Fault, int]
    """Since they were set; every fault is in it."""


def place_socket(folder: Path) -> Path:
    """Where an endpoint's control socket goes: its folder, or a new one of 0700 where that is too deep."""
    path = folder / "control"
    path.unlink(missing_ok=True)
    if len(os.fsencode(path)) <= _SOCKET_PATH_BYTES_MAX:
        return path
    return Path(tempfile.mkdtemp(prefix="hotrow-", dir="/tmp")) / "control"


def remove_socket(path: Path, folder: Path) -> None:
    """Undo `place_socket`."""
    path.unlink(missing_ok=True)
    if path.parent != folder:
        shutil.rmtree(path.parent, ignore_errors=True)


async def serve_control(path: Path, injection: Injection) -> asyncio.Server:
    """Answer on this socket from now on."""

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(OSError, ValueError, TimeoutError):
            async with asyncio.timeout(_TIMEOUT_S):
                writer.write(_answer(await reader.readline(), injection))
                await writer.drain()

    return await asyncio.start_unix_server(attend, path, limit=_LINE_BYTES_MAX)


def _answer(line: bytes, injection: Injection) -> bytes:
    try:
        wanted = json.loads(line).get("faults")
        if wanted is not None:
            injection.set(read_faults(wanted))
    except (HotrowError, ValueError, KeyError, TypeError, AttributeError) as error:
        return json.dumps({"error": str(error)}).encode() + b"\n"
    fired = {fault.value: injection.fired[fault] for fault in Fault}
    return json.dumps({"faults": asdict(injection.faults), "fired": fired}).encode() + b"\n"


def ask_control(path: Path, faults: Faults | None) -> Report:
    """Set faults, or only ask where there are none given.

    Raises:
        TargetError: nobody answers there, or not what was expected.
    """
    request = {} if faults is None else {"faults": asdict(faults)}
    try:
        answer: dict[str, Any] = json.loads(_exchange(path, json.dumps(request).encode() + b"\n"))
        fired = {fault: int(answer["fired"][fault.value]) for fault in Fault}
        return Report(read_faults(answer["faults"]), fired)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TargetError(
            "the endpoint does not answer: `hotrow local down`, then `hotrow local up --endpoint`"
        ) from error


def _exchange(path: Path, line: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_TIMEOUT_S)
        client.connect(str(path))
        client.sendall(line)
        with client.makefile("rb") as answer:
            return answer.readline(_LINE_BYTES_MAX)
