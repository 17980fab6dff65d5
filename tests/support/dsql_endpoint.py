"""The stand-in's endpoint as a `dsql://` target, with AWS keys chosen by the test."""

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
    """A running endpoint and its `--host` texts."""

    endpoint: Endpoint

    def host(self, *names: str, **options: str) -> str:
        """The endpoint as a `--host` text; `names` are the host names of its regions."""
        addresses = ",".join(f"{name}:{self.endpoint.port}" for name in names or ("localhost",))
        settings = {"region": REGION, "sslrootcert": str(self.endpoint.ca), **options}
        return f"dsql://{addresses}/postgres?{'&'.join('='.join(item) for item in settings.items())}"


@contextmanager
def host_of(sort: str) -> Iterator[str]:
    """A `--host` text: `dsql` is an endpoint of the shared stand-in, which must be running; others stand."""
    if sort != "dsql":
        yield sort
        return
    with offered() as offer:
        yield offer.host()


@contextmanager
def offered() -> Iterator[Offer]:
    """An endpoint of the shared stand-in, which must be running. The environment gets matching AWS keys."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        patch.setenv("AWS_REGION", REGION)
        for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        stop_endpoint()  # an endpoint left by another test would have other keys
        try:
            yield Offer(ensure_endpoint())
        finally:
            stop_endpoint()
