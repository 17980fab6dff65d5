"""How `hotrow local faults` reaches the running endpoint: a Unix socket in its folder, which is the caller's.

Request and answer are one line of JSON each. `{"faults": {…}}` sets the faults, `{}` only asks. The answer
holds the faults in force, how often each of them has fired since they were set, and how many conflicts
clients were told. No key or token passes here.
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

_MAX_LINE_BYTES = 65_536
_TIMEOUT_S = 10
_MAX_SOCKET_PATH_BYTES = 100
"""macOS allows 104 bytes including the zero byte at the end, Linux 108."""


@dataclass(frozen=True, slots=True)
class FaultReport:
    """The faults in force in an endpoint, and how often each has fired."""

    faults: Faults
    fired: dict[Fault, int]
    """Since the faults were set. Every fault has an entry."""
    told_conflicts: int
    """How many 40001 clients were sent since then, injected or not."""


def choose_socket_path(folder: Path) -> Path:
    """The path for the control socket: in the endpoint's folder, or in a new one if that path is too long."""
    path = folder / "control"
    path.unlink(missing_ok=True)
    if len(os.fsencode(path)) <= _MAX_SOCKET_PATH_BYTES:
        return path
    return Path(tempfile.mkdtemp(prefix="hotrow-", dir="/tmp")) / "control"


def remove_socket(path: Path, folder: Path) -> None:
    """Remove the socket, and the folder that `choose_socket_path` may have made."""
    path.unlink(missing_ok=True)
    if path.parent != folder:
        shutil.rmtree(path.parent, ignore_errors=True)


async def serve_control(path: Path, injection: Injection) -> asyncio.Server:
    """Answer on this socket from now on, until the server is closed."""

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(OSError, ValueError, TimeoutError):
            async with asyncio.timeout(_TIMEOUT_S):
                writer.write(_answer(await reader.readline(), injection))
                await writer.drain()

    return await asyncio.start_unix_server(attend, path, limit=_MAX_LINE_BYTES)


def _answer(line: bytes, injection: Injection) -> bytes:
    try:
        values = json.loads(line).get("faults")
        if values is not None:
            injection.set(read_faults(values))
    except (HotrowError, ValueError, KeyError, TypeError, AttributeError) as error:
        return json.dumps({"error": str(error)}).encode() + b"\n"
    fired = {fault.value: injection.fired[fault] for fault in Fault}
    answer = {"faults": asdict(injection.faults), "fired": fired, "told_conflicts": injection.told_conflicts}
    return json.dumps(answer).encode() + b"\n"


def ask_control(path: Path, faults: Faults | None) -> FaultReport:
    """Set faults, or only ask for those in force if `faults` is None.

    Raises:
        TargetError: no endpoint answers there, or its answer cannot be read.
    """
    request = {} if faults is None else {"faults": asdict(faults)}
    try:
        answer: dict[str, Any] = json.loads(_exchange(path, json.dumps(request).encode() + b"\n"))
        fired = {fault: int(answer["fired"][fault.value]) for fault in Fault}
        return FaultReport(read_faults(answer["faults"]), fired, int(answer["told_conflicts"]))
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
            return answer.readline(_MAX_LINE_BYTES)
