"""SCRAM-SHA-256 as a client: RFC 5802 and RFC 7677, without channel binding. Pure.

SaltedPassword = PBKDF2(password, salt, iterations)
ClientProof = HMAC(SaltedPassword, "Client Key") XOR HMAC(H(ClientKey), AuthMessage)
ServerSignature = HMAC(HMAC(SaltedPassword, "Server Key"), AuthMessage)
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata

MECHANISM = b"SCRAM-SHA-256"
_HEADER = "n,,"
"""No channel binding and no other user."""
_MAX_ITERATIONS = 10_000_000
"""A server that asks for more would only make the client busy."""


class ScramError(ValueError):
    """The server's messages are not those of a server that knows the password."""


class Scram:
    """One exchange. The server does not learn the password."""

    def __init__(self, password: str, nonce: str) -> None:
        """`nonce` is random printable text without commas."""
        self._password = unicodedata.normalize("NFKC", password).encode()
        self._nonce = nonce
        self._first = f"n=,r={nonce}"
        self._signature = b""

    def first(self) -> bytes:
        """The client's first message."""
        return f"{_HEADER}{self._first}".encode()

    def answer(self, challenge: bytes) -> bytes:
        """The client's final message for the server's first message.

        Raises:
            ScramError: the message is not valid.
        """
        text = challenge.decode(errors="replace")
        fields = _fields(text)
        nonce, iterations = fields.get("r", ""), fields.get("i", "")
        if not nonce.startswith(self._nonce) or not iterations.isdecimal():
            raise ScramError("the server's SCRAM challenge is not valid")
        if not 1 <= int(iterations) <= _MAX_ITERATIONS:
            raise ScramError("the server's SCRAM challenge asks for an impossible number of iterations")
        salted = hashlib.pbkdf2_hmac("sha256", self._password, _decoded(fields.get("s", "")), int(iterations))
        last = f"c={base64.b64encode(_HEADER.encode()).decode()},r={nonce}"
        message = f"{self._first},{text},{last}".encode()
        key = _hmac(salted, b"Client Key")
        proof = bytes(a ^ b for a, b in zip(key, _hmac(hashlib.sha256(key).digest(), message), strict=True))
        self._signature = _hmac(_hmac(salted, b"Server Key"), message)
        return f"{last},p={base64.b64encode(proof).decode()}".encode()

    def verify(self, final: bytes) -> None:
        """Check the server's final message.

        Raises:
            ScramError: the server does not know the password.
        """
        signature = _decoded(_fields(final.decode(errors="replace")).get("v", ""))
        if not self._signature or not hmac.compare_digest(signature, self._signature):
            raise ScramError("the server did not prove that it knows the password")


def _fields(text: str) -> dict[str, str]:
    return {part[:1]: part[2:] for part in text.split(",") if part[1:2] == "="}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ScramError("the server's SCRAM message is not valid") from error


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
