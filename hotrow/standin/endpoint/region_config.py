"""What the endpoint serves in one region, and what it allows there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hotrow.standin.endpoint.client_stream import MAX_HELD_BYTES, Rewrite
from hotrow.standin.endpoint.injection import Injection
from hotrow.standin.endpoint.latency import LatencyProfile

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from pathlib import Path

    from hotrow.standin.endpoint.token import TokenScope


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the endpoint allows its clients."""

    startup_s: float = 10.0
    """From the connection's first instant until the token is verified."""
    connections: int = 1_050
    """Connections at once, without those that are starting: 1,000 users and some observers.

    The stand-in allows more.
    """
    starting: int = 1_000
    """Connections that start at once.

    One more closes the connection that has been starting for the longest time.
    """
    held_bytes: int = MAX_HELD_BYTES
    """Bytes of incomplete statements, of all connections together."""


@dataclass(frozen=True, slots=True)
class RegionConfig:
    """What the listener of one region serves."""

    token_scope: TokenScope
    backend: Path
    """The stand-in's Unix socket."""
    tls: ssl.SSLContext
    rewrite: Rewrite
    limits: Limits = field(default_factory=Limits)
    settings: Mapping[str, str] = field(default_factory=dict)
    """Settings that each connection to the stand-in starts with."""
    latency: LatencyProfile = field(default_factory=LatencyProfile)
    injection: Injection = field(default_factory=Injection)
    """The faults. The listeners of several regions may share them."""
