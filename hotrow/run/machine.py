"""The machine on which a run is made, for run.json: what its figures depend on, and nothing that names it."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path
from typing import Any

_CPUINFO = Path("/proc/cpuinfo")


def describe_machine() -> dict[str, Any]:
    """Python, operating system, processor, cores and memory; an unknown value is None."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": _system(),
        "architecture": platform.machine() or None,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": _memory_bytes(),
    }


def _system() -> str:
    """The operating system with its version, such as `Linux 6.1.0 (Debian GNU/Linux 12 (bookworm))`."""
    kernel = f"{platform.system()} {platform.release()}".strip()
    with suppress(OSError):
        return f"{kernel} ({platform.freedesktop_os_release()['PRETTY_NAME']})"
    return kernel


def _processor() -> str | None:
    """The name of the processor: Linux has it in a file of its own."""
    with suppress(OSError):
        for line in _CPUINFO.read_text("utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip() or None
    return platform.processor() or None


def _memory_bytes() -> int | None:
    with suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None
