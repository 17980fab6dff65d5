"""Where a running endpoint is found."""

from __future__ import annotations

from pathlib import Path

from hotrow.errors import TargetError
from hotrow.standin.endpoint.folder import EndpointFolder, EndpointState, read_state
from hotrow.standin.site import find_site


def find_folder() -> EndpointFolder:
    """The endpoint's folder for this caller; it may not exist."""
    return EndpointFolder(find_site().paths.root / "endpoint")


def require_running(folder: EndpointFolder) -> EndpointState:
    """The state of the running endpoint.

    Raises:
        TargetError: no endpoint runs.
    """
    state = read_state(folder)
    if state is None:
        raise TargetError("no endpoint runs: start it with `hotrow local up --endpoint`")
    return state


def find_control() -> Path:
    """The control socket of the running endpoint.

    Raises:
        TargetError: no endpoint runs.
    """
    return Path(require_running(find_folder()).control)
