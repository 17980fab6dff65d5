"""The stand-in's endpoint as a `dsql://` target, with AWS keys that the test chose."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from hotrow.standin.endpoint.lifecycle import Endpoint, ensure_endpoint, stop_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCESS_KEY = "AKIATESTOFDSQLTARGET"
SECRET_KEY = "a-secret-key-that-opens-the-test-s-endpoint-only"  # noqa: S105 - made up
REGION = "us-east-1"


@dataclass(frozen=True)
class Offer:
    """A running endpoint."""

    endpoint: Endpoint

    def host(self, *names: str, **options: str) -> str:
        """Its `--host`; the names are its regions."""
        places = ",".join(f"{name}:{self.endpoint.port}" for name in names or ("localhost",))
        given = {"region": REGION, "sslrootcert": str(self.endpoint.ca), **options}
        return f"dsql://{places}/postgres?{'&'.join('='.join(item) for item in given.items())}"


@contextmanager
def offered() -> Iterator[Offer]:
    """An endpoint of the shared stand-in, which must run; AWS keys that fit are in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        patch.setenv("AWS_REGION", REGION)
        for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        stop_endpoint()  # one that another test left would have other keys
        try:
            yield Offer(ensure_endpoint())
        finally:
            stop_endpoint()
