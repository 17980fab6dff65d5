"""Runs our commands in forks of a process that has already imported the libraries that they use.

Importing Locust, NumPy, SciPy and psycopg takes a second of CPU, and the tests run a hundred commands. Only
libraries are imported before the fork. Every command imports hotrow's own modules itself.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

LIBRARIES = {
    "locust": (
        "locust.main",
        "numpy",
        "scipy.special",
        "psycopg",
        "sqlglot.dialects.postgres",
        "rich.progress",
    ),
    "hotrow": ("numpy", "scipy.special", "matplotlib.backends.backend_agg", "plotly.offline", "rich.console"),
}
"""What is imported before the fork. Locust comes first, because it patches what the others import."""
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""A process with several threads must not fork."""
_MAX_REQUEST_BYTES = 1 << 20


def run_warm(words: Sequence[str], cwd: Path, timeout_s: float) -> subprocess.CompletedProcess[str]:
    """Run `locust` or `hotrow` with these words and wait for it. After the timeout it is killed."""
    program, *arguments = words
    requests = _requests("locust" if program == "locust" or "sweep" in arguments[:1] else "hotrow")
    request = {
        "program": program,
        "arguments": arguments,
        "folder": str(cwd),
        "environment": dict(os.environ),
    }
    with TemporaryFile("w+", errors="replace") as out, TemporaryFile("w+", errors="replace") as err:
        socket.send_fds(requests, [json.dumps(request).encode()], [out.fileno(), err.fileno()])
        killer = Timer(timeout_s, os.kill, (_answer(requests), signal.SIGKILL))
        killer.start()
        returncode = _answer(requests)
        killer.cancel()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, returncode, out.read(), err.read())


@cache
def _requests(libraries: str) -> socket.socket:
    """The socket of the process that has imported these `LIBRARIES`. It ends with the calling process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, libraries, str(theirs.fileno())],
            cwd=Path(__file__).parents[2],
            env={**os.environ, **ONE_THREAD},
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    atexit.register(process.wait)
    atexit.register(ours.close)  # before the wait: this ends the process
    return ours


def _answer(requests: socket.socket) -> int:
    """The next number that the process sends: a command's process id, then its exit code."""
    answer = requests.recv(_MAX_REQUEST_BYTES)
    if not answer:
        raise ChildProcessError("the process that forks the tests' commands has ended")
    return int(answer)


def serve(requests: socket.socket) -> dict[str, Any]:
    """Fork for each request and report process id and exit code; return the request in the forked process."""
    while True:
        message, outputs, _, _ = socket.recv_fds(requests, _MAX_REQUEST_BYTES, 2)
        if not message:
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            requests.close()
            for number, output in enumerate(outputs, start=1):
                os.dup2(output, number)
                os.close(output)
            request: dict[str, Any] = json.loads(message)
            return request
        for output in outputs:
            os.close(output)
        requests.send(str(pid).encode())
        requests.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def become(program: str, arguments: list[str], folder: str, environment: dict[str, str]) -> NoReturn:
    """Run a command's entry point as its script in the environment's folder of programs does."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    script = Path(sys.executable).parent / program
    sys.argv = [str(script), *arguments]
    sys.orig_argv = [sys.executable, *sys.argv]  # run.json has the command line
    sys.path[0] = str(script.parent)
    (entry_point,) = entry_points(group="console_scripts", name=program)
    sys.exit(entry_point.load()())


if __name__ == "__main__":
    for library in LIBRARIES[sys.argv[1]]:
        import_module(library)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for pytest, which then ends this process
    become(**serve(socket.socket(fileno=int(sys.argv[2]))))
